/*
 * Phrases proven before they are needed: each is shown to bring its key back,
 * on the host, and that it was is recorded with its date. Nothing else is
 * changed.
 */
#ifndef KMS_DRILL_H
#define KMS_DRILL_H

#include "kms/tx.h"

/* On disk for ever. */
enum kms_drill_what {
	KMS_DRILL_HMK = 1, /* the current one */
	KMS_DRILL_KPK = 2,
	KMS_DRILL_GROUP = 3, /* the group's newest phrase */
	KMS_DRILL_KEY = 4, /* the phrase of this key: its own or its group's */
};

struct kms_drill {
	enum kms_drill_what what;
	const char *group, *key;         /* GROUP and KEY; else NULL */
	const struct kms_secret *phrase; /* borrowed */
};

/*
 * One that went well, as a FACT:
 *     version(1) | what(1) | slot(2) | row id(8) | time(8) | salt(16)
 * slot: HMK, KPK. row id: GROUP, KEY. salt: GROUP, which of its phrases.
 */
struct kms_drilled {
	uint8_t what, salt[16];
	uint16_t slot;
	uint64_t row;
	int64_t time;
};

/*
 * Slow (a KDF). AUTH: not the phrase. STATE: there is no phrase, and what
 * brings that key back. NOTFOUND. Every other error means that nothing was
 * proven; QUIESCED, that it was but could not be recorded.
 */
int kms_drill(struct kms_store *, const struct kms_actor *,
    const struct kms_drill *, struct kms_drilled *) KMS_MUST;

/* Every one recorded, oldest first. */
int kms_drill_list(struct kms_tx *,
    int (*each)(void *, const struct kms_drilled *), void *) KMS_MUST;

#endif
