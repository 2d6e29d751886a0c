/*
 * Data keys under an encrypting mechanism (AES-GCM, AES-CBC), for tokens that
 * wrap nothing. The key is made and re-wrapped in locked memory of the host.
 * CBC alone protects no integrity: the check value and the row seal do.
 */
#ifndef HSM_KEYCRYPT_H
#define HSM_KEYCRYPT_H

#include "hsm/cipher.h"
#include "hsm/mech.h"

/* key NULL: made here, from the token's random bytes and the host's. Read back
 * before it returns. */
int hsm_keycrypt_wrap(struct hsm_session *, const struct hsm_master *,
    const struct kms_secret *key, struct kms_wrapped *) KMS_MUST;
int hsm_keycrypt_unwrap(struct hsm_session *, const struct hsm_master *,
    const struct kms_wrapped *, struct kms_secret **) KMS_MUST;

#endif
