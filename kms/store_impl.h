/*
 * The insides of struct kms_store, for the files that make it up (age, load,
 * sync, store) and the few above that work inside it: tx, release, verify,
 * setup. Nobody else includes this.
 *
 * Locks, in the order they are taken:
 *     lock   readers share; a change, a catch-up or a reload excludes
 *     io     the row connection and the seal, for one call of a reader.
 *            Whoever excludes by lock takes it only around a new root or
 *            header, which the accessors of store.h copy under io alone: a
 *            thread inside a transaction may call those.
 *     sealer->lock, held over read anchor → COMMIT → put
 * and by themselves: log_lock, around opening the release log; that of names.
 */
#ifndef KMS_STORE_IMPL_H
#define KMS_STORE_IMPL_H

#include <pthread.h>
#include <sys/types.h>

#include "kms/anchor.h"
#include "kms/audit.h"
#include "kms/cover.h"
#include "kms/directory.h"
#include "kms/group_name.h"
#include "kms/latch.h"
#include "kms/release_log.h"
#include "kms/root.h"
#include "kms/rows.h"
#include "kms/seal.h"
#include "kms/store.h"

enum kms_store_trust {
	KMS_STORE_LOADED,  /* memory is what the file said when last asked */
	KMS_STORE_BEHIND,  /* somebody else wrote: catch up first */
	KMS_STORE_UNKNOWN, /* memory or connection is in doubt: load anew */
};

struct kms_store {
	/* Constant once open. */
	char *path, *log_path;
	struct kms_sealer *sealer;
	struct kms_policy policy;
	unsigned wait_ms;
	bool readonly;
	/* Opened for -acceptrestore: the anchor is not asked. */
	bool any_age;

	struct kms_latch lock;
	struct kms_header *header;
	struct kms_root root;
	uint8_t root_sha256[32], root_gcm[16];
	struct kms_directory *dir;
	struct kms_group_names *names;
	struct kms_sum *sum;
	struct kms_secret *anchor_key;
	/* While an HMK is rotated to: its slot (0: none), under whose file key
	 * every row is sealed from then on, and the anchor key that follows. */
	uint16_t next_hmk;
	struct kms_secret *next_anchor_key;
	/* Of the HMK before, until it is retired: a kill between the last
	 * COMMIT of a rotation and its anchor leaves one under that. */
	struct kms_secret *old_anchor_key;
	enum kms_anchor_verdict verdict; /* when last compared */
	struct kms_anchor_view anchor;
	uint64_t holds_id; /* row of the quiesce holds; 0: none yet */
	/* Keys of a lower row id count as released: the log that would tell
	 * was lost, or the store restored. 0: never. */
	uint64_t log_restart_id;
	struct kms_cover cover; /* backups, attestation */
	struct kms_tally tally; /* of the audit rows */
	bool headers_differ;    /* one copy of the header is damaged */
	/* Set by the first unclear COMMIT: no more changes by this process. */
	bool disk_failed;

	pthread_mutex_t io;
	pthread_cond_t view_over; /* with io */
	unsigned viewers;
	int64_t view_since; /* monotonic ms */
	struct kms_rows *rows;
	struct kms_seal *seal;
	dev_t dev; /* of the file the connection is on */
	ino_t ino;
	enum kms_store_trust trust;

	pthread_mutex_t log_lock;
	struct kms_release_log *log; /* NULL: not opened yet */
	bool log_doubted; /* it refused; looked at anew by the next change */
};

/* Not opened yet: for what works before the keys are there. */
int kms_store_new(const struct kms_store_options *, struct kms_store **)
    KMS_MUST;
/* As kms_store_open, but of any age and in any token: store->verdict says what
 * was found. */
int kms_store_open_any(const struct kms_store_options *, struct kms_store **)
    KMS_MUST;

#endif
