/*
 * The kms_sealer of a PKCS#11 token: everything below it in this folder. Each
 * operation goes by the retry rule of hsm/job. make and anchor_put may be
 * repeated by it, for they look for what an earlier try left before they
 * create anything.
 *
 * wrap and rewrap refuse with KMS_ERR_MASTER to use a key that this process
 * has not proven yet: by make, adopt, or an unwrap that went well.
 */
#ifndef HSM_SEALER_H
#define HSM_SEALER_H

#include "hsm/token.h"
#include "kms/base/sealer.h"

/* Opens and logs in: see hsm_token_open for the errors. No key is looked for
 * yet. Closed by its own close; not to be used in a forked child. */
int hsm_sealer_open(const struct hsm_options *, struct kms_sealer **) KMS_MUST;

/* mech, unless NULL: the mechanism that a new master key would get, found by
 * trials with session keys. */
int hsm_sealer_info(struct kms_sealer *, struct hsm_info *, enum kms_mech *mech)
    KMS_MUST;

/* Its token, for hsm/pkey. Borrowed. */
struct hsm_token *hsm_sealer_token(struct kms_sealer *);

#endif
