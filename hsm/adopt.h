/*
 * Master keys made by the token's owner, taken over: found by label or CKA_ID,
 * their attributes proven first.
 */
#ifndef HSM_ADOPT_H
#define HSM_ADOPT_H

#include "hsm/master.h"

/*
 * Finds exactly one key as wanted, checks its attributes into the report (may
 * be NULL), finds the mechanism that works with it. Fills CKA_ID, role and
 * mechanism of *slot. KMS_ERR_MASTER: refused, and why.
 */
int hsm_adopt_key(struct hsm_session *, struct hsm_quirks *,
    const struct kms_wanted *, struct kms_slot *, struct kms_attr_report *,
    struct kms_wrapped *known) KMS_MUST;

#endif
