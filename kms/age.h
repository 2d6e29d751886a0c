/*
 * How old the store is: the anchor in the token against a root. Where the
 * token takes no data object (the header says so), every age is taken.
 */
#ifndef KMS_AGE_H
#define KMS_AGE_H

#include "kms/store_impl.h"

/* Asks the token; the answer is left in s->verdict and s->anchor. */
int kms_age_compare(struct kms_store *, const struct kms_root *) KMS_MUST;
/* The same, then ROLLBACK unless it is equal or heals. */
int kms_age_check(struct kms_store *, const struct kms_root *) KMS_MUST;
/* Writes the anchor of this root. The caller holds the sealer's lock. */
int kms_age_put(struct kms_store *, const struct kms_root *) KMS_MUST;
/* Takes the sealer's lock, looks again, and writes the anchor if it is still
 * the one before the store's root. The store is the caller's alone. One that
 * cannot be written now is logged: the store is proven all the same, and no
 * change goes by without it. */
void kms_age_heal(struct kms_store *);

#endif
