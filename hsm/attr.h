/*
 * What a master key must be like: sensitive, not extractable, not copyable,
 * not modifiable, and with exactly the pair of usages of its mechanism. With
 * both pairs, C_WrapKey followed by C_Decrypt(ECB) gave up a data key.
 */
#ifndef HSM_ATTR_H
#define HSM_ATTR_H

#include "hsm/mech.h"
#include "hsm/object.h"

/*
 * Adds the attributes below, every usage written out (defaults are unsafe on
 * real tokens), and the one that must be last, last. mechanism, borrowed, goes
 * into CKA_ALLOWED_MECHANISMS; less leaves out, one by one, what not every
 * token takes: 0 nothing, 1 that list, 2 CKA_COPYABLE too.
 */
#define HSM_ATTR_LESS 2u
void hsm_attr_template(struct hsm_template *, enum kms_mech,
    const CK_MECHANISM_TYPE *mechanism, unsigned less);

/* KMS_ERR_MASTER names the first attribute that is wrong. Only CKA_COPYABLE
 * and CKA_MODIFIABLE may be unknown to the token. */
int hsm_attr_check(struct hsm_session *, CK_OBJECT_HANDLE, enum kms_mech)
    KMS_MUST;

/* Line by line, right or wrong. mech NONE: judged by the pair of usages that
 * the key has. *right: nothing is wrong. */
int hsm_attr_report(struct hsm_session *, CK_OBJECT_HANDLE, enum kms_mech,
    struct kms_attr_report *, bool *right) KMS_MUST;

/* True: the key may wrap and unwrap. */
int hsm_attr_wraps(struct hsm_session *, CK_OBJECT_HANDLE, bool *) KMS_MUST;

#endif
