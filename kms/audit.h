/*
 * Change entries: one row for each step of a transaction (DESIGN §5). What
 * is released is recorded elsewhere, in the release log.
 */
#ifndef KMS_AUDIT_H
#define KMS_AUDIT_H

#include "kms/record.h"

/* What a step did. Strings are copied, may be NULL, and are bounded: a
 * reason over 1,023 bytes is USAGE. */
struct kms_step {
	enum kms_event event;
	bool forced;
	/* Audited although it changes no row (a PIN tried again). */
	bool alone;
	const char *group, *subject, *reason;
	const struct kms_tag *tag;
};

/* The entry for this step: an AUDIT record, id 0. */
int kms_audit_of_step(struct kms_record *, const struct kms_who *,
    const struct kms_step *, int64_t time) KMS_MUST;

/* A change that is durable, as an event line of its name. */
void kms_audit_tell(const struct kms_audit *, uint64_t generation);

/* What -ksstats shows for ever: counted off the audit rows. */
struct kms_tally {
	uint64_t forced, waived;
};
void kms_tally_note(struct kms_tally *, unsigned event, bool forced);

/* The process's own: "uid:N", login uid, SUDO_USER, host. */
void kms_audit_who_local(struct kms_who *);

#endif
