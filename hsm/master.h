/*
 * HMK and KPK as objects of the token: made, imported, found, dropped. A
 * master key is identified by class and CKA_ID; whether it is the right one
 * only its proof tells (hsm/keyring).
 */
#ifndef HSM_MASTER_H
#define HSM_MASTER_H

#include "hsm/attr.h"
#include "kms/base/secret.h"

#define HSM_SAME_ID_MAX 16u

/* All keys of the slot's CKA_ID, at most HSM_SAME_ID_MAX; none is 0. */
int hsm_master_find_all(struct hsm_session *, const struct kms_slot *,
    CK_OBJECT_HANDLE *, size_t *n) KMS_MUST;

/*
 * The one key of the slot's CKA_ID, its attributes checked for the slot's
 * mechanism. KMS_ERR_NOTFOUND; KMS_ERR_MASTER names the wrong attribute or
 * says that there are two.
 */
int hsm_master_find(struct hsm_session *, const struct kms_slot *,
    CK_OBJECT_HANDLE *) KMS_MUST;

/*
 * Makes the key from value, or inside the token when NULL; probes slot->mech
 * when it is NONE; self-tests. known: a wrapped key it opens. A key of that
 * CKA_ID that is there already is kept when value is NULL and it passes
 * everything; else it is destroyed: with a value only after the new one was
 * proven, so that a failure leaves things as they were. Under the token's
 * lock.
 */
int hsm_master_make(struct hsm_session *, struct hsm_quirks *,
    const struct kms_secret *value, struct kms_slot *,
    struct kms_wrapped *known) KMS_MUST;

/* Destroys every key of this CKA_ID. Under the token's lock. */
int hsm_master_drop(struct hsm_session *, const struct kms_slot *) KMS_MUST;

#endif
