/*
 * Who did what, and which key went where: the store's audit rows and the
 * records of its release log as one sequence, by generation. A release stands
 * behind the change that made the store what it was then.
 *
 * A long trail is walked in a little memory, and nothing is locked while the
 * caller has an entry.
 */
#ifndef KMS_TRAIL_H
#define KMS_TRAIL_H

#include "kms/naming.h"
#include "kms/release_log.h"

/* Borrowed for the call. Exactly one of change and release is there. */
struct kms_trail_entry {
	uint64_t generation;
	int64_t time;
	const struct kms_who *who;
	const struct kms_tag *tag; /* len 0: none */
	/* Of a release: what the key is called now; "" when unknown. */
	const char *group, *name;
	const struct kms_audit *change;
	const struct kms_release_entry *release;
};

/* NULL and 0: all. since is included, until is not. actor: the name
 * ("uid:0", a certificate's), or SUDO_USER. */
struct kms_trail_filter {
	int64_t since, until;
	const struct kms_tag *tag;
	const char *actor;
};

/* What a walk found, of what it did not show too. */
struct kms_trail_report {
	uint64_t changes, releases;
	/* The store when the walk began. Its root holds the head of the log:
	 * of so many releases, up to the time of that change, none can be
	 * taken away unnoticed. What lies behind is proven by its chain, but
	 * a cut there shows only when the next change has been made. */
	uint64_t generation, proven;
	int64_t proven_time;
	/* Release logs that were lost before this one was begun, and how many
	 * records the store knew to be in them. */
	uint64_t lost_logs, lost_records;
	struct kms_release_log_report log;
};

/*
 * Calls back in order; stops at the first error, which it returns. Every row
 * of the store was verified when it was opened; here the whole chain of the
 * log is. DAMAGED: the entries before the damage have been called back, and
 * the text says which record, or how many are missing. NOTFOUND: no log.
 * each may be NULL.
 */
int kms_trail_walk(struct kms_store *, const struct kms_actor *,
    const struct kms_trail_filter *,
    int (*each)(void *, const struct kms_trail_entry *), void *,
    struct kms_trail_report *) KMS_MUST;

#endif
