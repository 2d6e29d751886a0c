/*
 * Who keeps the store quiesced: one FACT row with a list of holds. tx asks it
 * before every change; quiesce writes it.
 *     version(1) | count(2) | for each: since(8) | expires(8) | owner | who
 */
#ifndef KMS_HOLD_H
#define KMS_HOLD_H

#include "kms/record.h"

#define KMS_HOLDS_MAX 64u

struct kms_hold {
	int64_t since, expires;       /* expires 0: never */
	char owner[KMS_NAME_MAX + 1]; /* "" when none was given */
	char who[KMS_NAME_MAX + 1];
};

struct kms_holds {
	struct kms_hold *hold; /* oldest first; owned */
	size_t n;
};

void kms_holds_clear(struct kms_holds *);
int kms_holds_decode(struct kms_holds *, const struct kms_fact *) KMS_MUST;
int kms_holds_encode(const struct kms_holds *, struct kms_wr *) KMS_MUST;
/* Those that have not expired; *first (may be NULL) is the oldest of them. */
size_t kms_holds_outstanding(const struct kms_holds *, int64_t now,
    const struct kms_hold **first);
bool kms_hold_expired(const struct kms_hold *, int64_t now);

#endif
