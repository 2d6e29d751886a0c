/*
 * A new HMK or KPK and everything re-wrapped under it (DESIGN §5, Rotation).
 * Killed at any moment and run again it goes on where it was.
 */
#ifndef KMS_REWRAP_H
#define KMS_REWRAP_H

#include "kms/setup.h"

struct kms_rewrap_progress {
	void (*each)(void *, uint64_t done, uint64_t all); /* may be NULL */
	void *arg;
};

/*
 * Plans the new slot in the header before it makes the key in the token, then
 * re-wraps in changes of 1,000 rows, and when nothing lies under the old key
 * and every key was verified under the new one, makes the new slot current
 * and the old one superseded. Until then both open the store. A rotation
 * under way is gone on with only under its ID (STATE) and phrase (AUTH).
 * Old backups count for no key from then on. Slow.
 */
int kms_rewrap(struct kms_store *, const struct kms_actor *, enum kms_role,
    const struct kms_setup_master *, const struct kms_rewrap_progress *)
    KMS_MUST;

/*
 * Removes superseded master keys from the token, adopted ones (their owner's)
 * only from the header. GATE before a verified backup under the current ones;
 * STATE while a rotation is under way. *n: how many slots went.
 */
int kms_rewrap_retire(struct kms_store *, const struct kms_actor *,
    const char *reason, unsigned *n) KMS_MUST;

#endif
