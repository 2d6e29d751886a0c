/* What the files of setup share; nobody else includes it. */
#ifndef KMS_SETUP_IMPL_H
#define KMS_SETUP_IMPL_H

#include "kms/setup.h"
#include "kms/store_impl.h"

/* A new lineage, audited as this event, quiesce holds cleared. First in its
 * transaction. */
int kms_setup_new_lineage(struct kms_tx *, enum kms_event, const char *reason)
    KMS_MUST;

/*
 * The store is open, of any age: records this token's label and serial, and
 * writes an anchor where the token has none. ROLLBACK where it has one that
 * does not fit. force: an audit row also when nothing else changes.
 */
int kms_setup_bind(struct kms_store *, const struct kms_actor *,
    const struct kms_step *) KMS_MUST;
/* Is it bound to this token already, with an anchor that fits? */
bool kms_setup_is_bound(const struct kms_store *);

#endif
