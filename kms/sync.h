/*
 * Who is in the store, and with what: readers share it once memory is caught
 * up with other processes; a change has it alone with the file's write
 * transaction open. Nothing is answered from memory that is in doubt.
 */
#ifndef KMS_SYNC_H
#define KMS_SYNC_H

#include "kms/store_impl.h"

/*
 * Shared. Directory, root and header are current and do not move until
 * leave. view: rows may be read too (the file is held against other
 * processes' commits meanwhile). BUSY after the store's wait. A thread that
 * is in must not enter again.
 */
int kms_sync_enter(struct kms_store *, bool view) KMS_MUST;
void kms_sync_leave(struct kms_store *, bool view);
/* Inside, without a view: has no other process changed the store since? False
 * also when that cannot be told: who enters again learns why. */
bool kms_sync_is_current(struct kms_store *);

/* Alone, caught up, BEGIN IMMEDIATE done. */
int kms_sync_enter_write(struct kms_store *) KMS_MUST;
/* Rolls back what was not committed. */
void kms_sync_leave_write(struct kms_store *);

/* Alone in the store already (it is being opened, or a COMMIT came to an
 * unknown end): opens the file, loads what it holds now, compares the anchor
 * in the same view. ROLLBACK as kms_store_open says. */
int kms_sync_reload(struct kms_store *) KMS_MUST;

/* The next who enters loads everything anew. */
int kms_sync_doubt(struct kms_store *) KMS_MUST;

/* One row as the directory knows it, opened and decoded. DAMAGED when the
 * file has another one. Inside a view or a write transaction. */
int kms_sync_read(struct kms_store *, const struct kms_directory_row *,
    struct kms_record *) KMS_MUST;

#endif
