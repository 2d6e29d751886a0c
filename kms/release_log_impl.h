/* Inside of release_log*.c: one record, sealed and read. Nobody else includes
 * it. The end of a verified chain is a struct kms_log_head. */
#ifndef KMS_RELEASE_LOG_IMPL_H
#define KMS_RELEASE_LOG_IMPL_H

#include <pthread.h>

#include "kms/release_log.h"

#define KMS_LOG_HEADER 64u
#define KMS_LOG_CONTENT_MAX 2048u /* over every bound of an entry together */
#define KMS_LOG_LENGTH 4u         /* the length in front of a record */
#define KMS_LOG_OVERHEAD (KMS_GCM_IV + KMS_GCM_TAG)
#define KMS_LOG_RECORD_MAX \
	(KMS_LOG_LENGTH + KMS_LOG_OVERHEAD + KMS_LOG_CONTENT_MAX)

/* What every function here needs of a log. One thread at a time. */
struct kms_log_file {
	int fd;
	const char *path;
	uint8_t uuid[16], id[16];
	struct kms_gcm *gcm;
	struct kms_secret *key; /* the gcm's; for a second context */
};

/* Clear header of a log of this store, and its check. head: the empty chain. */
int kms_log_header_make(const struct kms_release_log_options *,
    struct kms_log_file *, uint8_t out[KMS_LOG_HEADER], struct kms_log_head *)
    KMS_MUST;
int kms_log_header_check(const struct kms_release_log_options *,
    struct kms_log_file *, const uint8_t in[KMS_LOG_HEADER],
    struct kms_log_head *) KMS_MUST;
void kms_log_file_clear(struct kms_log_file *); /* all but the descriptor */

/* In bounds? KMS_ERR_LIMIT. */
int kms_release_entry_check(const struct kms_release_entry *) KMS_MUST;
/* Content of a record. nth: its place in the write that it was part of. */
int kms_release_entry_encode(const struct kms_release_entry *, unsigned nth,
    struct kms_wr *) KMS_MUST;
int kms_release_entry_decode(struct kms_release_entry *, unsigned *nth,
    const void *, size_t) KMS_MUST;

/* Appends the sealed record to wr and moves the head over it. */
int kms_log_seal(struct kms_log_file *, struct kms_log_head *,
    struct kms_release_entry *, unsigned nth, struct kms_wr *) KMS_MUST;

enum kms_log_step {
	KMS_LOG_RECORD, /* verified; the head was moved over it */
	KMS_LOG_END,    /* a zero length, or the end of the file */
	KMS_LOG_BAD,    /* bytes that are not the next record */
	KMS_LOG_GONE,   /* what lay before the head is not there any more */
};
int kms_log_read(struct kms_log_file *, struct kms_log_head *,
    struct kms_release_entry *, enum kms_log_step *) KMS_MUST;

/*
 * Is there, beyond the end that was found, a record that was written after a
 * sync of what should lie at the end? Then it is no torn tail but damage.
 * (Of one write that a power cut tore, a later record may have arrived and an
 * earlier not; records know their place in it.)
 */
int kms_log_proves_damage(struct kms_log_file *, const struct kms_log_head *,
    bool *) KMS_MUST;

/* pread and pwrite that go on after signals and short counts. */
int kms_log_pread(struct kms_log_file *, void *, size_t, uint64_t at,
    size_t *got) KMS_MUST;
int kms_log_pwrite(struct kms_log_file *, const void *, size_t, uint64_t at)
    KMS_MUST;

/* One caller of append; on its stack, and in the queue until taken. */
struct waiter {
	struct kms_release_entry *entry;
	struct waiter *next;
	bool taken, done;
	int result;
};

/* Which file it is, and how long when last looked at under its lock. */
struct kms_log_place {
	uint32_t major, minor;
	uint64_t ino, size; /* ino 0: not asked yet */
};

struct kms_release_log {
	char *path;
	bool readonly;
	unsigned wait_ms;

	pthread_mutex_t lock;
	pthread_cond_t turn;    /* busy fell, or a waiter is done */
	pthread_cond_t arrival; /* one more waits; for who gathers them */
	/* by lock */
	struct waiter *first, **last;
	unsigned waiting; /* in the list */
	unsigned inside;  /* in append: waiting, or being written */
	unsigned crowd;   /* of inside, the most of late */
	int64_t write_ns; /* what a write and its sync take, of late */
	bool busy;        /* somebody has what is below */
	char cause[512];  /* of the last failed write, for its waiters */

	/* by whoever set busy */
	struct kms_log_file file;
	struct kms_log_place place;
	struct kms_log_head end;             /* verified up to here */
	struct kms_release_log_report found; /* at open */
	int refuses; /* what every append answers; 0: none */
	struct kms_wr out;
};

/* busy, for what is not an append. BUSY after wait_ms. */
int kms_log_take_turn(struct kms_release_log *) KMS_MUST;
void kms_log_end_turn(struct kms_release_log *);

/* Takes a turn and catches up; *end is what is verified, also on failure
 * (unless BUSY). */
int kms_log_end(struct kms_release_log *, struct kms_log_head *end) KMS_MUST;

/* With the turn. flock(2): exclusive, or shared when opened for reading. */
int kms_log_lock_file(struct kms_release_log *) KMS_MUST;
void kms_log_unlock_file(struct kms_release_log *);
/* Moves the end over every good record that follows. */
int kms_log_catch_up(struct kms_release_log *, enum kms_log_step *) KMS_MUST;
/* Zeroed blocks for so many bytes after the end. */
int kms_log_make_room(struct kms_release_log *, size_t) KMS_MUST;

#endif
