/*
 * The one way by which a secret enters the token: C_CreateObject, or, where
 * the token refuses secrets in clear (HSMs in FIPS mode), C_UnwrapKey under a
 * temporary RSA-2048 pair with OAEP.
 */
#ifndef HSM_INJECT_H
#define HSM_INJECT_H

#include "hsm/object.h"
#include "kms/base/secret.h"

/*
 * t: the key's attributes but CKA_VALUE, which goes in before the last one. (A
 * killed create leaves the attributes up to some point: a key that has its
 * value has its CKA_ID too, and is found.) KMS_ERR_TOKEN, and rv says why the
 * last way was refused. A refused attempt may leave a half-made object behind:
 * for token objects the caller looks for it.
 */
int hsm_inject(struct hsm_session *, const struct kms_secret *,
    const struct hsm_template *t, CK_OBJECT_HANDLE *) KMS_MUST;

#endif
