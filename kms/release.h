/*
 * The only door for key use: state, gate, may, record, unwrap. The key comes
 * back only when the record is durable.
 */
#ifndef KMS_RELEASE_H
#define KMS_RELEASE_H

#include "kms/release_log.h"
#include "kms/tx.h"

struct kms_purpose {
	enum kms_use use;
	/* Serial; label, else barcode; the tape's own serial. May be NULL. */
	const char *drive, *volume, *medium;
};

/*
 * By tag, from the directory. NOTFOUND explains the tag (random, own phrase,
 * group phrase, foreign). STATE, GATE, DENIED. Not recorded, not released.
 * The caller owns the key and frees it as soon as the drive has it.
 */
int kms_release(struct kms_store *, const struct kms_actor *,
    const struct kms_tag *, const struct kms_purpose *, struct kms_secret **)
    KMS_MUST;
/* The group's active key, for writing; fills its tag. */
int kms_release_active(struct kms_store *, const struct kms_actor *,
    const char *group, const struct kms_purpose *, struct kms_tag *,
    struct kms_secret **) KMS_MUST;
/*
 * No release: the actor tells which tape it wrote with a key that it had
 * before. Recorded for the catalog, inside the transaction. NOTFOUND, DENIED.
 */
int kms_release_note(struct kms_tx *, const struct kms_tag *,
    const struct kms_purpose *) KMS_MUST;
/* Below the log: look-up, row check, unwrap. For kms_release and for the
 * bench that measures it; the product calls only the two above. */
int kms_release_fetch(struct kms_store *, const struct kms_tag *,
    struct kms_secret **) KMS_MUST;

#endif
