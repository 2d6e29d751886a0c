/*
 * A data key under a master key, by whichever mechanism that one has. Plain
 * calls: no look-up, no retry; hsm/sealer adds both.
 */
#ifndef HSM_WRAP_H
#define HSM_WRAP_H

#include "hsm/mech.h"
#include "kms/base/cipher.h"

/*
 * key NULL: born in the token, or on the host where the mechanism encrypts.
 * What was wrapped is unwrapped again and its check value compared before it
 * is given out; KMS_ERR_TOKEN when it does not come back.
 */
int hsm_wrap_make(struct hsm_session *, const struct hsm_master *,
    const struct kms_secret *key, struct kms_wrapped *) KMS_MUST;
/* KMS_ERR_AUTH: does not open under this key, or its check value differs. */
int hsm_wrap_open(struct hsm_session *, const struct hsm_master *,
    const struct kms_wrapped *, struct kms_secret **) KMS_MUST;
/* As open, but the key stays in the token where the mechanism wraps. */
int hsm_wrap_prove(struct hsm_session *, const struct hsm_master *,
    const struct kms_wrapped *) KMS_MUST;
/* Client data under the wrapped key, which stays in the token where the
 * mechanism wraps; else it passes through locked memory and the host does the
 * work. USAGE: the data does not decrypt. */
int hsm_wrap_crypt(struct hsm_session *, const struct hsm_master *,
    const struct kms_wrapped *, struct kms_crypt *) KMS_MUST;
/* From one master key to another, inside the token where both wrap. *w changes
 * only on success. */
int hsm_wrap_move(struct hsm_session *, const struct hsm_master *from,
    const struct hsm_master *to, struct kms_wrapped *w) KMS_MUST;

#endif
