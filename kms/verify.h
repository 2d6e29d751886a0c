/* Every key against the token: what -verifydb does. */
#ifndef KMS_VERIFY_H
#define KMS_VERIFY_H

#include "kms/store.h"

struct kms_verify_report {
	uint64_t rows, groups, keys, audits, tombstones, unwrapped, bad;
	uint64_t generation;
	enum kms_anchor_state anchor;
	uint64_t behind;
	bool header_copies_differ; /* one copy is damaged; the other serves */
};

/* Opens every row, unwraps every key and seed in the token and compares check
 * values. DAMAGED names the first bad row; the report counts all.
 * progress may be NULL. */
int kms_verify(struct kms_store *, struct kms_verify_report *,
    void (*progress)(void *, uint64_t done, uint64_t all), void *) KMS_MUST;

#endif
