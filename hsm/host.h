/*
 * The mechanisms of hsm/mech once more, on the host: opens what the token
 * wrapped, when the host knows the master key. So an imported master key is
 * proven to be the one derived from its phrase, and the token's mechanism to
 * be the standard one, without which nothing would come back on another token.
 */
#ifndef HSM_HOST_H
#define HSM_HOST_H

#include "hsm/mech.h"

/* KMS_ERR_AUTH when it does not open, or its check value differs. */
int hsm_host_unwrap(enum kms_mech, const struct kms_secret *master,
    const struct kms_wrapped *, struct kms_secret **key) KMS_MUST;

#endif
