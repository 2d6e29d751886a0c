/*
 * kms.log: one record for every data key that leaves the service, or works for
 * a client inside it, durable before key or result does (doc/FORMATS.md §6).
 * Append-only, each record sealed and chained to the one before by its GCM
 * tag. The root holds the head at each change, so a cut tail is provable back
 * to the last change.
 *
 * Any thread, and any number of processes on one file: an append takes
 * flock(2), first verifies what others appended, then writes.
 */
#ifndef KMS_RELEASE_LOG_H
#define KMS_RELEASE_LOG_H

#include "kms/root.h"

#define KMS_DRIVE_TEXT 63u /* serials of drive and tape, volume: bytes */

/* How a key left; on disk for ever. */
enum kms_use {
	KMS_USE_WRITE = 1,  /* a drive will encrypt with it: active, gated */
	KMS_USE_READ = 2,   /* a drive will decrypt: active or inactive */
	KMS_USE_CLIENT = 3, /* KMIP Get */
	KMS_USE_EXPORT = 4, /* any state, no serve gate */
	KMS_USE_NOTE =
	    5, /* not a release: one more tape written with the key */
	KMS_USE_ENCRYPT = 6, /* no release either: client data encrypted … */
	KMS_USE_DECRYPT = 7, /* … or decrypted here; the key stayed */
};
/* "write", "read", "client", "export", "note", "encrypt", "decrypt"; "?" for
 * another value. */
const char *kms_use_name(unsigned);

struct kms_release_entry {
	uint64_t seq;        /* 1, 2, …: set by append and scan */
	int64_t time;        /* microseconds since 1970, UTC */
	uint64_t generation; /* of the store when it was released */
	uint8_t use, state;  /* enum kms_use; the key's state then */
	struct kms_tag tag;
	char group[KMS_NAME_MAX + 1], key[KMS_NAME_MAX + 1];
	/* Serial; label, else barcode; the tape's own serial. */
	char drive[KMS_DRIVE_TEXT + 1], volume[KMS_DRIVE_TEXT + 1];
	char medium[KMS_DRIVE_TEXT + 1];
	struct kms_who who;
};

struct kms_release_log;

struct kms_release_log_options {
	const char *path;
	const uint8_t *uuid; /* 16 bytes: the store's */
	const struct kms_secret
	    *key; /* root's log_key; borrowed for the call */
	bool readonly;
	unsigned wait_ms; /* for the lock and for a turn; then BUSY */
};

/*
 * A new log of a fresh random id: 0600, header and first blocks synced,
 * directory synced. Its head is for the root. EXISTS: never over a file.
 */
int kms_release_log_create(const struct kms_release_log_options *,
    struct kms_release_log **) KMS_MUST;

enum kms_release_log_state {
	KMS_RELEASE_LOG_COMPLETE = 1,
	/* Bytes after the last good record that are none: an append that was
	 * cut short and never acknowledged. The next append replaces them. */
	KMS_RELEASE_LOG_TORN = 2,
	KMS_RELEASE_LOG_SHORT = 3,   /* ends before the root's head: cut */
	KMS_RELEASE_LOG_DAMAGED = 4, /* record bad_seq does not verify */
	KMS_RELEASE_LOG_OTHER = 5,   /* not the log that the root names */
};
struct kms_release_log_report {
	enum kms_release_log_state state;
	uint64_t seq;     /* records that count */
	uint64_t bad_seq; /* DAMAGED: the first bad one */
};

/*
 * Opens and verifies from the root's head to the end (what lies before it is
 * verified by scan). NOTFOUND: missing. CONFIG: mode, owner, symbolic link.
 * DAMAGED: no header of this store and key. VERSION. Otherwise 0 and the
 * report (may be NULL) tells; a log that is SHORT, DAMAGED or OTHER can be
 * scanned as far as it is good, and refuses appends with DAMAGED.
 */
int kms_release_log_open(const struct kms_release_log_options *,
    const struct kms_log_head *, struct kms_release_log **,
    struct kms_release_log_report *) KMS_MUST;
void kms_release_log_close(struct kms_release_log **);

/*
 * Durable when it returns 0, and only then may the key leave. Concurrent
 * callers share one write and one fdatasync. Sets entry->seq. BUSY: no turn
 * within wait_ms. IO "disk full" may be tried again; after any other IO the
 * log object refuses for good (the first fsync error is final).
 */
int kms_release_log_append(struct kms_release_log *, struct kms_release_entry *)
    KMS_MUST;

/* The durable end, other processes' records included: for the root. Fails as
 * append does on a log that takes no records: the root then keeps the head it
 * has, or the cut could no longer be proven. */
int kms_release_log_head(struct kms_release_log *, struct kms_log_head *)
    KMS_MUST;
/* What it was when last looked at, whatever became of the file; by the
 * caller alone. */
void kms_release_log_last(struct kms_release_log *, struct kms_log_head *);

/*
 * Verifies the whole chain from the first record and calls back for each;
 * stops at the callback's first error, which it returns. DAMAGED names the
 * first bad record, SHORT and OTHER as open found them; the good ones before
 * it have been called back. each may be NULL. report as above; may be NULL.
 */
int kms_release_log_scan(struct kms_release_log *,
    int (*each)(void *, const struct kms_release_entry *), void *,
    struct kms_release_log_report *) KMS_MUST;

#endif
