/*
 * Shared by the files of sealer.h only.
 */
#ifndef HSM_SEALER_IMPL_H
#define HSM_SEALER_IMPL_H

#include "hsm/job.h"
#include "hsm/keyring.h"
#include "hsm/sealer.h"

struct hsm_sealer {
	struct kms_sealer base; /* first: the one is the other */
	struct hsm_token *token;
	struct hsm_keyring *ring;
};

/* Data keys (sealer_data.c), as kms_sealer has them. */
int hsm_sealer_wrap(struct kms_sealer *, const struct kms_slot *,
    const struct kms_secret *, struct kms_wrapped *);
int hsm_sealer_unwrap(struct kms_sealer *, const struct kms_slot *,
    const struct kms_wrapped *, struct kms_secret **);
int hsm_sealer_prove(struct kms_sealer *, const struct kms_slot *,
    const struct kms_wrapped *);
int hsm_sealer_rewrap(struct kms_sealer *, const struct kms_slot *from,
    const struct kms_slot *to, struct kms_wrapped *, size_t n);
int hsm_sealer_crypt(struct kms_sealer *, const struct kms_slot *,
    const struct kms_wrapped *, struct kms_crypt *);
int hsm_sealer_ciphers(struct kms_sealer *, const struct kms_slot *,
    unsigned *);

#endif
