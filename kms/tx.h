/*
 * One transaction: the only way to read or change the store. A change writes
 * its rows, an audit row for each step, the root, and the anchor.
 */
#ifndef KMS_TX_H
#define KMS_TX_H

#include "kms/record.h"
#include "kms/store.h"

struct kms_tx;

/* Who acts, and what they may: the command line's uid or a client
 * certificate. group is "" for what concerns no group. */
struct kms_actor {
	struct kms_who who;
	bool (*may)(const struct kms_actor *, enum kms_event, const char *group);
};
/* The process's own: uid, login uid, SUDO_USER, host; may do everything. */
void kms_actor_local(struct kms_actor *);

enum kms_mode { KMS_READ, KMS_WRITE };

/*
 * Catches up with other processes first. WRITE takes the write lock (BUSY
 * after the store's wait) and is refused while quiesced (QUIESCED names
 * owner and expiry). READ holds the read lock: keep it short.
 */
int kms_tx_begin(struct kms_store *, const struct kms_actor *, enum kms_mode,
    struct kms_tx **) KMS_MUST;
/* For -quiescedb and -unquiescedb alone: WRITE also while quiesced. */
int kms_tx_begin_quiesced(struct kms_store *, const struct kms_actor *,
    struct kms_tx **) KMS_MUST;

/* What a step did, for its audit row. Strings may be NULL. */
struct kms_step {
	enum kms_event event;
	bool forced;
	const char *group, *subject, *reason;
	const struct kms_tag *tag;
};
/* Begins a step: one savepoint, one may(), one audit row. DENIED. */
int kms_tx_step(struct kms_tx *, const struct kms_step *) KMS_MUST;
/* id 0: a new row; else replaces that row (its kind may become TOMBSTONE).
 * Takes nothing over: the caller still clears the record. Sees earlier puts
 * of this transaction. Outside a step: INTERNAL. */
int kms_tx_put(struct kms_tx *, struct kms_record *) KMS_MUST;
/* Takes this step back, its audit row too. */
int kms_tx_undo(struct kms_tx *) KMS_MUST;

/* Reads, in either mode, the transaction's own changes included. The record
 * is checked against the directory and decoded; the caller clears it. */
int kms_tx_get(struct kms_tx *, uint64_t id, struct kms_record *) KMS_MUST;

/* The one time of this change: later than every earlier change's. */
int64_t kms_tx_time(const struct kms_tx *);
struct kms_store *kms_tx_store(const struct kms_tx *);
const struct kms_actor *kms_tx_actor(const struct kms_tx *);

/*
 * Root, generation + 1, COMMIT, anchor, then the directory. An unclear COMMIT
 * is looked up in the re-opened file before anything is said. A transaction
 * without puts ends as by abort. Frees and nulls in every case.
 */
int kms_tx_commit(struct kms_tx **) KMS_MUST;
void kms_tx_abort(struct kms_tx **);

#endif
