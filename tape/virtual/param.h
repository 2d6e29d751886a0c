/*
 * A set of data encryption parameters (SSC-4 4.2.22): modes, key, KAD, and
 * the key instance counter it was given. One belongs to all nexuses, and
 * each nexus may have its own.
 */
#ifndef TAPE_VIRTUAL_PARAM_H
#define TAPE_VIRTUAL_PARAM_H

#include "tape/page.h"
#include "tape/virtual/record.h"

struct vt_param {
	bool set; /* by a SPOUT, not the default */
	enum tape_enc_mode enc;
	enum tape_dec_mode dec;
	uint8_t algorithm, ceem, rdmc, kad_format;
	bool ckod, ckorp, ckorl; /* clear at demount, preemption, loss */
	struct tape_kad kad;
	uint32_t kic;
	struct kms_gcm *gcm; /* the key; NULL without one */
	uint8_t kcv[8];
};

/* Takes the key over, also when it fails; then p is as it was. */
int vt_param_put(struct vt_param *p, const struct tape_sde *, uint32_t kic,
    struct kms_secret **key) KMS_MUST;
/* Forgets the key; back to the default. */
void vt_param_clear(struct vt_param *);

/* A block in place, under the key that is set. r is a record as
 * vt_cartridge_next made it; KAD, IV and tag are filled in. */
int vt_param_seal(const struct vt_param *, struct vt_record *r, uint8_t *data)
    KMS_MUST;
/* By the key check value. */
bool vt_param_fits(const struct vt_param *, const struct vt_record *);
/* KMS_ERR_DAMAGED: right key, but not what was written; data is wiped. */
int vt_param_open(const struct vt_param *, const struct vt_record *r,
    uint8_t *data) KMS_MUST;

#endif
