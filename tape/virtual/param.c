#include "tape/virtual/param.h"

#include <string.h>

#include "kms/base/crypt.h"

enum { RDMC_RAW = 2 };

int
vt_param_put(struct vt_param *p, const struct tape_sde *s, uint32_t kic,
    struct kms_secret **key)
{
	struct vt_param new = {
	    .set = true,
	    .enc = s->enc,
	    .dec = s->dec,
	    .algorithm = s->algorithm,
	    .ceem = s->ceem,
	    .rdmc = s->rdmc,
	    .kad_format = s->kad_format,
	    .ckod = s->ckod,
	    .ckorp = s->ckorp,
	    .ckorl = s->ckorl,
	    .kad = s->kad,
	    .kic = kic,
	};
	int err = 0;

	if (*key) {
		err = kms_kcv(*key, new.kcv);
		if (!err)
			err = kms_gcm_new(*key, &new.gcm);
	}
	kms_secret_free(key);
	if (err)
		return err;
	vt_param_clear(p);
	*p = new;
	return 0;
}

void
vt_param_clear(struct vt_param *p)
{
	kms_gcm_free(&p->gcm);
	kms_wipe(p, sizeof(*p));
}

/* What is authenticated with a block: the head up to its tag, and the KADs. */
static struct kms_bytes
aad_make(struct vt_record *r, uint8_t buf[VT_RECORD_MAX])
{
	size_t len = vt_record_encode(r, buf);
	size_t kads = len - VT_RECORD_LEN;

	memmove(buf + VT_RECORD_AAD, buf + VT_RECORD_LEN, kads);
	return (struct kms_bytes){buf, VT_RECORD_AAD + kads};
}

int
vt_param_seal(const struct vt_param *p, struct vt_record *r, uint8_t *data)
{
	uint8_t buf[VT_RECORD_MAX];

	r->raw = p->rdmc == RDMC_RAW;
	r->kad = p->kad;
	memcpy(r->kcv, p->kcv, sizeof(r->kcv));
	int err = kms_random(r->iv, sizeof(r->iv));
	if (err)
		return err;
	return kms_gcm_seal(p->gcm, r->iv, aad_make(r, buf), data, r->len, data,
	    r->tag);
}

bool
vt_param_fits(const struct vt_param *p, const struct vt_record *r)
{
	return p->gcm && kms_equal(p->kcv, r->kcv, sizeof(p->kcv));
}

int
vt_param_open(const struct vt_param *p, const struct vt_record *r,
    uint8_t *data)
{
	uint8_t buf[VT_RECORD_MAX];
	struct vt_record copy = *r;

	return kms_gcm_open(p->gcm, r->iv, aad_make(&copy, buf), data, r->len,
	    data, r->tag);
}
