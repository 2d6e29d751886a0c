/*
 * A new HMK or KPK and everything re-wrapped under it (DESIGN §5, Rotation).
 * Killed at any moment and run again it goes on where it was.
 */
#ifndef KMS_REWRAP_H
#define KMS_REWRAP_H

#include "kms/setup.h"

enum kms_rewrap_stage {
	KMS_REWRAP_MOVE,   /* rows brought under the new key */
	KMS_REWRAP_VERIFY, /* then each is opened, each key proven */
};

struct kms_rewrap {
	enum kms_role role;
	const struct kms_setup_master *want;
	/* May be NULL. Called often; no lock is held that it could wait for. */
	void (*progress)(void *, enum kms_rewrap_stage, uint64_t done,
	    uint64_t all);
	void *arg;

	/* What came of it. */
	uint64_t moved; /* rows, by this call */
	bool resumed;   /* an earlier one had been cut short */
	bool was_done;  /* it is the current key already */
};

/*
 * Plans the new slot in the header before it makes the key in the token, then
 * re-wraps in changes of 1,000 rows, and when nothing lies under the old key
 * and every key was verified under the new one, makes the new slot current
 * and the old one superseded. Until then both open the store. A rotation
 * under way is gone on with only under its ID and origin (STATE) and its
 * phrase (AUTH); one that has ended, asked for again with the same, is
 * was_done. EXISTS: the ID is another key's. PHRASE: the phrase is the other
 * master key's. BUSY: another process changes master keys meanwhile. Old
 * backups count for no key from then on. Slow.
 */
int kms_rewrap(struct kms_store *, const struct kms_actor *,
    struct kms_rewrap *) KMS_MUST;

/*
 * Removes superseded master keys from the token, adopted ones (their owner's)
 * only from the header. GATE before a verified backup under the current ones;
 * STATE while a rotation is under way. *n: how many slots went. Recorded in a
 * change of its own before anything is destroyed; killed at any moment, it is
 * run again.
 */
int kms_rewrap_retire(struct kms_store *, const struct kms_actor *,
    const char *reason, unsigned *n) KMS_MUST;

struct kms_rewrap_past {
	enum kms_role role; /* 0: the copy's keys are the current ones */
	char id[KMS_ID_MAX + 1];
	char successor[KMS_ID_MAX + 1];
	int64_t rotated, retired; /* 0: not known; not retired */
};
/* Was a copy of this store, by its header, made under a master key that has
 * been superseded since; by which, and when. Reads every audit row then. */
int kms_rewrap_past(struct kms_store *, const struct kms_actor *,
    struct kms_header *copy, struct kms_rewrap_past *) KMS_MUST;

#endif
