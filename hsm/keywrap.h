/*
 * Data keys under a wrapping mechanism (AES-KW, RFC 3394; KWP, RFC 5649). The
 * key need not leave the token: it is born, checked and re-wrapped there.
 */
#ifndef HSM_KEYWRAP_H
#define HSM_KEYWRAP_H

#include "hsm/cipher.h"
#include "hsm/datakey.h"
#include "hsm/mech.h"

/* key NULL: born in the token. Read back before it returns. */
int hsm_keywrap_wrap(struct hsm_session *, const struct hsm_master *,
    const struct kms_secret *key, struct kms_wrapped *) KMS_MUST;
int hsm_keywrap_unwrap(struct hsm_session *, const struct hsm_master *,
    const struct kms_wrapped *, struct kms_secret **) KMS_MUST;
/* Does the master key open this? Hidden all the time. */
int hsm_keywrap_prove(struct hsm_session *, const struct hsm_master *,
    const struct kms_wrapped *) KMS_MUST;
/* Client data under the key, which stays hidden and has this one usage. USAGE:
 * the data does not decrypt, and the token is well. */
int hsm_keywrap_crypt(struct hsm_session *, const struct hsm_master *,
    const struct kms_wrapped *, struct kms_crypt *) KMS_MUST;
int hsm_keywrap_move(struct hsm_session *, const struct hsm_master *from,
    const struct hsm_master *to, const struct kms_wrapped *in,
    struct kms_wrapped *out) KMS_MUST;

#endif
