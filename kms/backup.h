/*
 * A consistent copy that was opened again and verified, key by key, against
 * the token before it counts (DESIGN §7).
 */
#ifndef KMS_BACKUP_H
#define KMS_BACKUP_H

#include "kms/cover.h"
#include "kms/tx.h"
#include "kms/verify.h"

struct kms_backup_options {
	const char *path; /* NULL: UUID-GENERATION.db in the policy's path */
	unsigned keep;    /* with path NULL: the newest that stay; 0: all */
	void (*progress)(void *, uint64_t done, uint64_t all);
	void *arg;
};

/*
 * Copies in one view, opens the copy, verifies every key, gives it its name
 * durably, puts a copy of the release log beside it (.log), then records the
 * fact. EXISTS: never over a file; with path NULL a generation whose name is
 * taken is passed over by a change. USAGE: no path and none configured, or a
 * device node. QUIESCED before anything is copied. BUSY: another one is under
 * way. The file stays when the recording alone failed; the error says that it
 * does not count.
 */
int kms_backup_make(struct kms_store *, const struct kms_actor *,
    const struct kms_backup_options *, struct kms_backup *,
    struct kms_verify_report *) KMS_MUST;

/* Every one recorded, oldest first. */
int kms_backup_list(struct kms_tx *,
    int (*each)(void *, const struct kms_backup *), void *) KMS_MUST;

/* Records that the HSM was backed up with the current keys. Needs a reason. */
int kms_backup_attest_hsm(struct kms_store *, const struct kms_actor *,
    const char *reason) KMS_MUST;

#endif
