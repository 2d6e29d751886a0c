/* What the parts of an export share. */
#ifndef KMS_TRANSFER_IMPL_H
#define KMS_TRANSFER_IMPL_H

#include "kms/container.h"
#include "kms/transfer.h"

#define KMS_TRANSFER_AT_ONCE 128u

struct kms_transfer_chosen {
	uint64_t group, id;
	struct kms_tag tag;
};

/*
 * Releases these keys, AT_ONCE at most, each recorded as ever, by several
 * threads: their records then share a sync of the release log. The entries,
 * zeroed before, are in the order of the keys, and the caller's to clear, also
 * after an error. The first error ends it; what was released by then stays
 * recorded.
 */
int kms_transfer_take(struct kms_store *, const struct kms_actor *,
    const struct kms_transfer_chosen *, struct kms_container_entry *, size_t n)
    KMS_MUST;

#endif
