/* The insides of struct kms_tx, for tx and commit. */
#ifndef KMS_TX_IMPL_H
#define KMS_TX_IMPL_H

#include "kms/directory.h"
#include "kms/store_impl.h"
#include "kms/tx.h"

/* One put: sealed and in the directory already, in the file at COMMIT. */
struct kms_change {
	struct kms_row row;   /* row.sealed is sealed.p */
	struct kms_wr sealed; /* owned */
	struct kms_directory_was was;
};

/* Where to go back to when a step is undone. */
struct kms_savepoint {
	size_t n;
	uint64_t next_id, holds_id, log_restart_id;
	struct kms_cover cover;
	struct kms_tally tally;
	uint8_t sum[16];
};

struct kms_tx {
	struct kms_store *store;
	const struct kms_actor *actor;
	enum kms_mode mode;
	int64_t time;
	/* The rest is WRITE's. */
	struct kms_root next;      /* grows towards the new root */
	struct kms_change *change; /* in the order of their puts; owned */
	size_t n, cap;
	bool in_step, alone;
	bool broken;             /* a put failed: undo or abort, never commit */
	struct kms_record audit; /* of the step, put at its end */
	struct kms_savepoint start, step, marked;
	bool new_lineage;
	uint64_t above;
	struct kms_header *header; /* the new one; owned; NULL: as it is */
	struct kms_wr header_body; /* its encoding */
	bool log_only;  /* commits, if at all, a new release log */
	bool log_begun; /* a new release log, not yet named by a root */
};

/* Seals, and brings directory and sum up to date. In commit too, for the
 * rows that no step of the caller's puts. */
int kms_tx_apply(struct kms_tx *, struct kms_record *) KMS_MUST;
/* Seals a row again under the file key that seals now; nothing else of it
 * changes, its generation neither. For a new HMK. */
int kms_tx_reseal(struct kms_tx *, uint64_t id) KMS_MUST;
/* One event line for each audit row of a change that is durable. */
void kms_tx_tell(struct kms_tx *);
/* Puts the audit row of the step that is open, if it has anything to tell. */
int kms_tx_close_step(struct kms_tx *) KMS_MUST;

/* commit.c: from the last step to the anchor. *settled: the store's memory is
 * what the file holds now, nothing is to be taken back. */
int kms_commit(struct kms_tx *, bool *settled) KMS_MUST;

#endif
