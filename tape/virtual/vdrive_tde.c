#include "tape/virtual/vdrive_tde.h"

#include <string.h>

#include "kms/base/crypt.h"

/* Offsets in the SDE page, for the field pointer. */
enum {
	AT_PAGE = 0,
	AT_FLAGS = 5,
	AT_ENC = 6,
	AT_DEC = 7,
	AT_ALGORITHM = 8,
	AT_KEY_FORMAT = 9,
	AT_KAD_FORMAT = 10,
	AT_RESERVED = 11,
	AT_KEY_LEN = 18,
	AT_KEY = 20,
};

enum nbes {
	NBES_UNKNOWN = 0,
	NBES_NOT_NOW = 1,
	NBES_NO_BLOCK = 2,
	NBES_PLAIN = 3,
	NBES_READABLE = 5,
	NBES_OTHER_KEY = 6,
};
enum { NOT_COVERED = 1, NOT_TRIED = 2, AUTHENTIC = 3, FORGED = 4 };

static void
capabilities_put(const struct vt_drive *d, struct kms_wr *w)
{
	struct tape_capabilities caps = {
	    .extdecc = 1,
	    .cfg_p = d->opt.library_owns_keys ? 2 : 1,
	    .n = 1,
	};

	caps.alg[0] = d->kind.algorithm;
	caps.alg[0].avfmv = d->loaded;
	/* The algorithm is valid here, or nothing is mounted to tell by. */
	caps.alg[0].avfclp = d->opt.lenient ? 0 : d->loaded ? 2 : 0;
	tape_capabilities_encode(w, &caps);
}

static void
management_put(struct kms_wr *w)
{
	static const struct tape_management all = {true, true, true, true, true,
	    true, true};

	tape_management_encode(w, &all);
}

static void
status_put(struct vt_drive *d, struct vt_nexus *n, struct kms_wr *w)
{
	const struct vt_param *p = vt_drive_param(d, n);
	bool local = n->scope == TAPE_SCOPE_LOCAL;
	struct tape_status s = {
	    .nexus_scope = (uint8_t)n->scope,
	    .enc = p->enc,
	    .dec = p->dec,
	    .algorithm = p->algorithm,
	    .kic = p->kic,
	    .control = d->opt.library_owns_keys ? 3 : 1,
	    .vcelb = d->loaded && vt_cartridge_has_encrypted(d->tape),
	    .rdmd = p->rdmc != 2,
	    .ceems = p->ceem,
	    .kad_format = p->kad_format,
	    .kad = p->kad,
	};

	/* As a drive answers that only keeps them (stenc's captures). */
	s.kad.u_auth = NOT_COVERED;
	s.kad.a_auth = NOT_TRIED;
	if (p->set)
		s.key_scope = local ? TAPE_SCOPE_LOCAL : TAPE_SCOPE_ALL;
	tape_status_encode(w, &s);
}

/* Really tries: the A-KAD counts as authentic only when its tag did. */
static uint8_t
authenticate(struct vt_drive *d, const struct vt_param *p)
{
	struct vt_record r;

	if (vt_cartridge_get(d->tape, d->at, &r, d->scratch) != 0)
		return FORGED;
	return vt_param_open(p, &r, d->scratch) == 0 ? AUTHENTIC : FORGED;
}

static void
encrypted_next(struct vt_drive *d, const struct vt_param *p,
    const struct vt_record *r, struct tape_next_block *b)
{
	bool decrypts = p->dec == TAPE_DEC_DECRYPT || p->dec == TAPE_DEC_MIXED;
	bool fits = decrypts && vt_param_fits(p, r);

	b->encryption = fits ? NBES_READABLE : NBES_OTHER_KEY;
	b->algorithm = d->kind.algorithm.index;
	b->rdmds = !r->raw;
	b->kad = r->kad;
	b->kad.u_auth = NOT_COVERED;
	b->kad.a_auth = fits ? authenticate(d, p) : NOT_TRIED;
}

/* Twelve bytes of zeros: nothing mounted. Blank at the end: HP's LTO-4
 * answers so, and it must not be an error to whoever asks. */
static void
next_put(struct vt_drive *d, struct vt_nexus *n, struct vt_command *c,
    struct kms_wr *w)
{
	struct tape_next_block b = {.object = d->at};
	struct vt_record r;

	if (!d->loaded) {
		tape_next_block_encode(w, &b);
		return;
	}
	if (d->at == vt_cartridge_end(d->tape)) {
		b.encryption = NBES_NOT_NOW;
		if (!d->opt.lenient) {
			vt_command_fail(c, TAPE_KEY_BLANK, VT_END_OF_DATA);
			return;
		}
	} else if (vt_cartridge_is_mark(d->tape, d->at)) {
		b.encryption = NBES_NO_BLOCK;
	} else if (vt_cartridge_head(d->tape, d->at, &r) != 0) {
		b.encryption = NBES_NOT_NOW;
	} else if (r.kind == VT_ENCRYPTED) {
		encrypted_next(d, vt_drive_param(d, n), &r, &b);
	} else {
		b.encryption = NBES_PLAIN;
	}
	tape_next_block_encode(w, &b);
}

static void
random_put(struct kms_wr *w)
{
	uint8_t r[32];
	int err = kms_random(r, sizeof(r));

	kms_wr_u16(w, TAPE_PAGE_RANDOM);
	kms_wr_u16(w, sizeof(r));
	kms_wr_bytes(w, r, sizeof(r));
	if (err)
		w->err = err;
}

static void
page_put(struct vt_drive *d, struct vt_nexus *n, struct vt_command *c,
    struct kms_wr *w)
{
	static const uint16_t in[] = {TAPE_PAGE_IN_SUPPORT,
	    TAPE_PAGE_OUT_SUPPORT, TAPE_PAGE_CAPABILITIES,
	    TAPE_PAGE_KEY_FORMATS, TAPE_PAGE_MANAGEMENT, TAPE_PAGE_STATUS,
	    TAPE_PAGE_NEXT_BLOCK, TAPE_PAGE_RANDOM};
	static const uint16_t out[] = {TAPE_PAGE_SET_ENCRYPTION};
	static const uint8_t formats[] = {0, TAPE_PAGE_KEY_FORMATS, 0, 1, 0};

	switch (kms_get16(c->cdb + 2)) {
	case TAPE_PAGE_IN_SUPPORT:
		tape_page_list_encode(w, TAPE_PAGE_IN_SUPPORT, in,
		    sizeof(in) / sizeof(in[0]));
		break;
	case TAPE_PAGE_OUT_SUPPORT:
		tape_page_list_encode(w, TAPE_PAGE_OUT_SUPPORT, out, 1);
		break;
	case TAPE_PAGE_CAPABILITIES:
		capabilities_put(d, w);
		break;
	case TAPE_PAGE_KEY_FORMATS:
		kms_wr_bytes(w, formats, sizeof(formats));
		break;
	case TAPE_PAGE_MANAGEMENT:
		management_put(w);
		break;
	case TAPE_PAGE_STATUS:
		status_put(d, n, w);
		break;
	case TAPE_PAGE_NEXT_BLOCK:
		next_put(d, n, c, w);
		break;
	case TAPE_PAGE_RANDOM:
		random_put(w);
		break;
	default:
		vt_command_bad_cdb(c, 2);
	}
}

/* Protocol 00h: which protocols there are, and an empty certificate. */
static void
info_put(const struct vt_drive *d, struct vt_command *c, struct kms_wr *w)
{
	static const uint8_t protocols[] = {TAPE_SP_INFO, TAPE_SP_TDE};

	switch (kms_get16(c->cdb + 2)) {
	case 0x0000:
		tape_protocols_encode(w, protocols,
		    d->opt.encryption_off ? 1 : 2);
		break;
	case 0x0001:
		kms_wr_zero(w, 4);
		break;
	default:
		vt_command_bad_cdb(c, 2);
	}
}

void
vt_tde_in(struct vt_drive *d, struct vt_nexus *n, struct vt_command *c)
{
	uint8_t buf[256];
	struct kms_wr w;

	kms_wr_fixed(&w, buf, sizeof(buf));
	if (c->cdb[1] == TAPE_SP_INFO) {
		info_put(d, c, &w);
	} else if (c->cdb[1] == TAPE_SP_TDE && !d->opt.encryption_off) {
		n->registered = true;
		page_put(d, n, c, &w);
	} else {
		vt_command_bad_cdb(c, 1);
	}
	if (c->status == TAPE_GOOD)
		vt_command_reply(c, &w, kms_get32(c->cdb + 6));
}

/*
 * Clears the bits that older clients leave to chance: reserved ones and the
 * AUTHENTICATED field of outgoing KADs (stenc 1.0.7 sends what its stack
 * held there). Only the lenient drive forgives them.
 */
static void
reserved_clear(uint8_t *p, size_t len)
{
	if (len < AT_KEY)
		return;
	p[4] &= 0xE1;
	memset(p + AT_RESERVED, 0, AT_KEY_LEN - AT_RESERVED);
	size_t at = AT_KEY + (size_t)kms_get16(p + AT_KEY_LEN);
	while (at < len && len - at >= 4) {
		p[at + 1] = 0;
		at += 4u + kms_get16(p + at + 2);
	}
}

static bool
kads_are_legal(const struct tape_algorithm *a, const struct tape_kad *k)
{
	if (k->u_len > a->u_max || k->a_len > a->a_max)
		return false;
	if (a->u_fixed && k->u_len != 0 && k->u_len != a->u_max)
		return false;
	return !a->a_fixed || k->a_len == 0 || k->a_len == a->a_max;
}

/* stenc 1.0.7 turns encryption off with a key of 32 zeros. */
static bool
is_zero_key(const struct kms_secret *key)
{
	static const uint8_t zero[KMS_KEY_LEN];

	return key && kms_secret_len(key) == sizeof(zero) &&
	    kms_equal(kms_secret_bytes(key), zero, sizeof(zero));
}

/* Clearing conditions need something that can end (T10000 manual p. 222). */
static bool
clear_bits_are_legal(const struct vt_drive *d, const struct vt_nexus *n,
    const struct tape_sde *s)
{
	if (d->opt.lenient)
		return true;
	if (s->ckod && !d->loaded)
		return false;
	return (!s->ckorp && !s->ckorl) || d->reserved == n;
}

/* What uses a key, once the page has the right shape: 0 or a field. */
static size_t
key_use_refusal(const struct vt_drive *d, const struct tape_sde *s,
    const struct kms_secret *key)
{
	const struct tape_algorithm *a = &d->kind.algorithm;

	if (s->algorithm != a->index)
		return AT_ALGORITHM;
	if (s->key_format != 0)
		return AT_KEY_FORMAT;
	if (!key || kms_secret_len(key) != a->key_len)
		return AT_KEY_LEN;
	if (s->kad_format != 0 && !a->kadf_c)
		return AT_KAD_FORMAT;
	return 0;
}

/* The page's meaning: 0, or the offset of what is refused. */
static size_t
sde_refusal(const struct vt_drive *d, const struct vt_nexus *n,
    const struct tape_sde *s, const struct kms_secret *key)
{
	bool decrypts = s->dec == TAPE_DEC_DECRYPT || s->dec == TAPE_DEC_MIXED;
	bool has_kad = s->kad.u_len + s->kad.a_len > 0;

	if (!clear_bits_are_legal(d, n, s) || s->sdk)
		return AT_FLAGS;
	/* Checking the encryption mode is checking while decrypting. */
	if (s->ceem >= 2 && s->dec == TAPE_DEC_DISABLE)
		return AT_FLAGS;
	if (s->enc == TAPE_ENC_EXTERNAL)
		return AT_ENC;
	if (has_kad && s->enc == TAPE_ENC_DISABLE && !d->opt.lenient)
		return AT_KEY + (key ? kms_secret_len(key) : 0);
	if (!kads_are_legal(&d->kind.algorithm, &s->kad))
		return AT_KEY + (key ? kms_secret_len(key) : 0);
	if (s->enc == TAPE_ENC_ENCRYPT || decrypts)
		return key_use_refusal(d, s, key);
	if (key && !is_zero_key(key) && !d->opt.lenient)
		return AT_KEY_LEN;
	return 0;
}

/*
 * What the page says comes into force. A nexus that was told nothing and is
 * governed by the parameters that changed gets a unit attention, and whoever
 * had set them for all is back to sharing (SSC-4 4.2.22.3).
 */
static int
params_put(struct vt_drive *d, struct vt_nexus *n, struct tape_sde *s,
    struct kms_secret **key)
{
	bool off = s->enc == TAPE_ENC_DISABLE && s->dec != TAPE_DEC_DECRYPT &&
	    s->dec != TAPE_DEC_MIXED;
	bool local = s->scope == TAPE_SCOPE_LOCAL;

	if (off)
		kms_secret_free(key);
	if (s->enc == TAPE_ENC_DISABLE)
		memset(&s->kad, 0, sizeof(s->kad));
	int err = vt_param_put(local ? &n->local : &d->shared, s, d->kic + 1,
	    key);
	if (err)
		return err;
	d->kic++;
	n->scope = s->scope;
	if (local)
		return 0;
	vt_param_clear(&n->local);
	for (size_t i = 0; i < VT_NEXUS_MAX; i++) {
		struct vt_nexus *other = d->nexus[i];
		if (!other || other == n || other->scope == TAPE_SCOPE_LOCAL)
			continue;
		other->scope = TAPE_SCOPE_PUBLIC;
		if (other->registered)
			other->attention |= VT_ATTENTION_KEY;
	}
	return 0;
}

/* Only scope and LOCK count. */
static void
public_put(struct vt_nexus *n)
{
	n->scope = TAPE_SCOPE_PUBLIC;
	vt_param_clear(&n->local);
}

static void
sde_apply(struct vt_drive *d, struct vt_nexus *n, struct tape_sde *s,
    struct kms_secret **key, struct vt_command *c)
{
	if (s->scope == TAPE_SCOPE_PUBLIC) {
		public_put(n);
	} else {
		size_t field = sde_refusal(d, n, s, *key);
		if (field) {
			vt_command_bad_list(c, field);
			return;
		}
		if (params_put(d, n, s, key) != 0) {
			vt_command_fail(c, TAPE_KEY_HARDWARE, VT_INTERNAL);
			return;
		}
	}
	n->locked = s->lock;
	n->locked_kic = vt_drive_param(d, n)->kic;
}

static bool
out_check(const struct vt_drive *d, struct vt_command *c)
{
	if (c->cdb[1] != TAPE_SP_TDE || d->opt.encryption_off)
		vt_command_bad_cdb(c, 1);
	else if (kms_get16(c->cdb + 2) != TAPE_PAGE_SET_ENCRYPTION)
		vt_command_bad_cdb(c, 2);
	else if (kms_get32(c->cdb + 6) != c->out_len)
		vt_command_fail(c, TAPE_KEY_ABORTED, VT_DATA_PHASE);
	else if (d->opt.library_owns_keys)
		vt_command_fail(c, TAPE_KEY_ILLEGAL, VT_KEYS_PREVENTED);
	else if (d->wrong_keys >= VT_WRONG_KEYS_MAX && !d->opt.lenient)
		vt_command_fail(c, TAPE_KEY_PROTECT, VT_KEY_FAIL_LIMIT);
	else
		return true;
	return false;
}

void
vt_tde_out(struct vt_drive *d, struct vt_nexus *n, struct vt_command *c)
{
	struct tape_sde s;
	struct kms_secret *key = NULL;
	size_t field;

	if (!out_check(d, c))
		return;
	n->registered = true;
	if (d->opt.lenient)
		reserved_clear(c->out, c->out_len);
	int err = tape_sde_decode(c->out, c->out_len, &s, &key, &field);
	if (err == KMS_ERR_DRIVE)
		vt_command_bad_list(c, field);
	else if (err)
		vt_command_fail(c, TAPE_KEY_HARDWARE, VT_INTERNAL);
	else
		sde_apply(d, n, &s, &key, c);
	/* That VTL is left without encryption by a page it refuses. */
	if (d->opt.lenient && c->status != TAPE_GOOD)
		vt_param_clear(&d->shared);
	kms_secret_free(&key);
}
