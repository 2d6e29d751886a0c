/* What the parts of rewrap share; nobody else includes it. */
#ifndef KMS_REWRAP_IMPL_H
#define KMS_REWRAP_IMPL_H

#include "kms/rewrap.h"
#include "kms/store_impl.h"

/*
 * Brings every row under the next slot of this role, batch by batch, until a
 * look finds none left. Others may add some under the old meanwhile: look
 * again in the change that ends the rotation.
 */
int kms_rewrap_rows(struct kms_store *, const struct kms_actor *,
    struct kms_rewrap *) KMS_MUST;
/* Inside a write transaction: does anything lie under another KPK slot than
 * this one, or (HMK) is any row sealed under another? */
int kms_rewrap_left(struct kms_store *, enum kms_role, uint16_t slot,
    uint64_t *left) KMS_MUST;

#endif
