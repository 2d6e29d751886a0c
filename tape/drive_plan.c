/*
 * What to send, decided by what the drive said it can do; nothing assumed.
 */
#include "tape/drive_impl.h"

#include <string.h>

#define IN_HARDWARE 2u
#define DKAD_NOT_ALLOWED 2u

/* Why this algorithm will not do; NULL when it will. */
static const char *
algorithm_lacks(const struct tape_algorithm *a, bool write, bool medium)
{
	if (a->decrypt_c != IN_HARDWARE ||
	    (write && a->encrypt_c != IN_HARDWARE))
		return "the drive does not do it in hardware";
	if (a->key_len != KMS_KEY_LEN)
		return "its keys are not 32 bytes long";
	/* A restore may try: the drive refuses, or the block proves. */
	if (write && medium && !a->avfmv)
		return "it is not valid for the tape in the drive; use a tape "
		       "of the drive's own generation (LTO-4 or later)";
	return NULL;
}

static int
algorithm_choose(const struct tape_capabilities *c, bool write, bool medium,
    struct tape_algorithm *out)
{
	const char *lacks = "the drive does not have it";

	for (size_t i = 0; i < c->n; i++) {
		if (c->alg[i].code != TAPE_AES_256_GCM)
			continue;
		lacks = algorithm_lacks(&c->alg[i], write, medium);
		if (!lacks) {
			*out = c->alg[i];
			return 0;
		}
	}
	return kms_fail(KMS_ERR_DRIVE, "AES-256-GCM: %s", lacks);
}

/* One kind of key-associated data against the drive's limits, padded with
 * NULs where the drive takes one length only. */
static int
kad_fit(const char *kind, uint8_t *bytes, size_t *len, size_t room,
    const struct tape_algorithm *a)
{
	bool user = kind[0] == 'U';
	size_t max = user ? a->u_max : a->a_max;
	bool fixed = user ? a->u_fixed : a->a_fixed;

	if (*len == 0)
		return 0;
	if (*len > max)
		return kms_fail(KMS_ERR_DRIVE,
		    "this drive keeps %zu bytes of %s with a block, the key's "
		    "tag has %zu; a tape written so could not name its key",
		    max, kind, *len);
	if (fixed && max > room)
		return kms_fail(KMS_ERR_DRIVE,
		    "this drive demands %zu bytes of %s, more than is known",
		    max, kind);
	if (fixed) {
		memset(bytes + *len, 0, max - *len);
		*len = max;
	}
	return 0;
}

static int
kad_plan(const struct tape_load *l, const struct tape_algorithm *a,
    struct tape_kad *out)
{
	*out = l->kad;
	out->u_auth = out->a_auth = 0;
	if (tape_kad_trim(out->u, out->u_len) == 0)
		return kms_fail(KMS_ERR_DRIVE,
		    "a key without a tag is not loaded for writing: no tape "
		    "could name it");
	if (a->dkad_c == DKAD_NOT_ALLOWED)
		return kms_fail(KMS_ERR_DRIVE,
		    "this drive keeps no key-associated data; a tape written "
		    "so could not name its key");
	int err = kad_fit("U-KAD", out->u, &out->u_len, sizeof(out->u), a);
	if (err)
		return err;
	return kad_fit("A-KAD", out->a, &out->a_len, sizeof(out->a), a);
}

/* Does the drive forget the key itself when the tape leaves? */
static int
ckod_read(struct tape_drive *d, bool *able)
{
	struct tape_management m;
	struct tape_sense s;
	size_t got;

	*able = false;
	int err = tape_drive_page(d, TAPE_SP_TDE, TAPE_PAGE_MANAGEMENT,
	    "key management capabilities", &got, &s);
	if (err && tape_sense_find(&s)->class == TAPE_SENSE_UNSUPPORTED)
		return 0;
	if (err)
		return err;
	err = tape_management_decode(d->page, got, &m);
	if (!err)
		*able = m.ckod_c;
	return err;
}

int
tape_drive_plan(struct tape_drive *d, const struct tape_load *l,
    struct drive_plan *p)
{
	struct tape_capabilities c;
	bool ckod_c = false;

	memset(p, 0, sizeof(*p));
	/* First, for it also takes pending unit attentions. */
	int err = tape_drive_medium(d, &p->medium);
	if (err)
		return err;
	err = tape_drive_capabilities(d, &c);
	if (err)
		return err;
	err = algorithm_choose(&c, l->write, p->medium, &p->alg);
	if (err)
		return err;
	err = tape_drive_status(d, &p->before);
	if (err)
		return err;
	if (p->before.control == DRIVE_CONTROL_ADC ||
	    p->before.control == DRIVE_CONTROL_MANAGEMENT)
		return kms_fail(KMS_ERR_DRIVE,
		    "the %s sets this drive's keys; set it to "
		    "application-managed encryption there",
		    tape_control_name(p->before.control));
	if (l->write)
		err = kad_plan(l, &p->alg, &p->kad);
	if (!err)
		err = ckod_read(d, &ckod_c);
	/* CKOD without a mounted volume is refused (5/26/00). */
	p->ckod = ckod_c && p->medium && !l->keep_on_unload;
	d->algorithm = p->alg.index;
	return err;
}
