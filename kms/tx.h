/*
 * One transaction: the only way to read or change the store. A change writes
 * its rows, an audit row for each step, the root, and the anchor.
 */
#ifndef KMS_TX_H
#define KMS_TX_H

#include "kms/audit.h"
#include "kms/store.h"

struct kms_directory;
struct kms_tx;

/* Who acts, and what they may: the command line's uid or a client
 * certificate. group is "" for what concerns no group. may NULL: everything. */
struct kms_actor {
	struct kms_who who;
	bool (*may)(const struct kms_actor *, enum kms_event,
	    const char *group);
};
/* The process's own: uid, login uid, SUDO_USER, host; may do everything. */
void kms_actor_local(struct kms_actor *);

enum kms_mode { KMS_READ, KMS_WRITE, KMS_LOOK };

/*
 * Catches up with other processes first. WRITE takes the write lock (BUSY
 * after the store's wait) and is refused while quiesced (QUIESCED names
 * owner and expiry). READ holds the read lock: keep it short. LOOK reads no
 * rows, only the directory, and holds no other process up.
 */
int kms_tx_begin(struct kms_store *, const struct kms_actor *, enum kms_mode,
    struct kms_tx **) KMS_MUST;
/* For -quiescedb and -unquiescedb alone: WRITE also while quiesced. */
int kms_tx_begin_quiesced(struct kms_store *, const struct kms_actor *,
    struct kms_tx **) KMS_MUST;

/* Begins a step: one savepoint, one may(), one audit row. DENIED. */
int kms_tx_step(struct kms_tx *, const struct kms_step *) KMS_MUST;
/* The may() of a step, for a second group that it touches. DENIED. */
int kms_tx_may(const struct kms_tx *, enum kms_event, const char *group)
    KMS_MUST;
/* id 0: a new row; else replaces that row (its kind may become TOMBSTONE).
 * Takes nothing over: the caller still clears the record. Sees earlier puts
 * of this transaction. Outside a step: INTERNAL. EXISTS: the tag or the name
 * is taken. After an error the step is half done: undo or abort; a commit is
 * refused. */
int kms_tx_put(struct kms_tx *, struct kms_record *) KMS_MUST;
/* Takes this step back, its audit row too. */
int kms_tx_undo(struct kms_tx *) KMS_MUST;

/* Begins a new release log where the old one is lost: a change by itself,
 * also while quiesced. Nothing is done where it is not lost. */
int kms_tx_restart_log(struct kms_store *, const struct kms_actor *) KMS_MUST;
/* What was wrapped outside of this transaction by the KPK of that slot: BUSY
 * when a rotation has ended meanwhile, for nothing would move it any more. */
int kms_tx_check_slot(const struct kms_tx *, uint16_t kpk) KMS_MUST;
/* This change replaces the header too; copied. Inside a step. */
int kms_tx_header(struct kms_tx *, const struct kms_header *) KMS_MUST;
/* For -acceptrestore alone, before the first put: this change begins a new
 * lineage, its generation higher than `above` and than the store's. */
int kms_tx_new_lineage(struct kms_tx *, uint64_t above) KMS_MUST;

/* Reads, in READ or WRITE, the transaction's own changes included. The record
 * is checked against the directory and decoded; the caller clears it. */
int kms_tx_get(struct kms_tx *, uint64_t id, struct kms_record *) KMS_MUST;
/* Of a group, by its row id; seldom read, so LOOK knows most: false when it
 * does not, and then READ tells. */
bool kms_tx_knows_group(struct kms_tx *, uint64_t id,
    char out[KMS_NAME_MAX + 1]);
int kms_tx_group_name(struct kms_tx *, uint64_t id, char out[KMS_NAME_MAX + 1])
    KMS_MUST;

/*
 * A place to go back to, over any number of steps: what one of several
 * requests did. mark ends the step that is open; rewind takes back all steps
 * since the last mark (or the beginning), a put that failed included.
 */
int kms_tx_mark(struct kms_tx *) KMS_MUST;
void kms_tx_rewind(struct kms_tx *);

/* The host's clock, microseconds since 1970, UTC. */
int64_t kms_tx_now(void);
/* The one time of this change: later than every earlier change's. */
int64_t kms_tx_time(const struct kms_tx *);
/* WRITE: the one that this change will be; READ: the store's. */
uint64_t kms_tx_generation(const struct kms_tx *);
struct kms_store *kms_tx_store(const struct kms_tx *);
const struct kms_actor *kms_tx_actor(const struct kms_tx *);
/* The rows as this transaction sees them; borrowed until its next put or its
 * end. For indexes that are kept above kms/. */
const struct kms_directory *kms_tx_directory(const struct kms_tx *);

/*
 * Root, generation + 1, COMMIT, anchor. A transaction without puts ends as by
 * abort. Frees and nulls in every case.
 *
 * An unclear COMMIT is looked up in the re-opened file before anything is
 * said: IO, and the text tells whether the change is in the file. Either way
 * this process changes nothing more (the first fsync error is final).
 *
 * When the change is durable and only the anchor could not be written, it is
 * 0: the change stands, and saying otherwise would make the caller do it
 * twice. The event store.anchor is logged; the next change, or the next open,
 * writes the anchor before it does anything else, so that the token is never
 * more than this one change behind.
 */
int kms_tx_commit(struct kms_tx **) KMS_MUST;
void kms_tx_abort(struct kms_tx **);

#endif
