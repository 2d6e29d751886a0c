/*
 * Key tag: up to 32 bytes that name a data key for ever; the drive writes it
 * to tape as U-KAD. A tag made here is 32 bytes:
 *     kind(1) | cost(1) | check(6) | salt(24)          doc/FORMATS.md §7
 * A foreign tag is 1–32 bytes of anything; origin is never inferred from it.
 */
#ifndef KMS_TAG_H
#define KMS_TAG_H

#include <stdbool.h>
#include <stdint.h>

#include "kms/base/buf.h"

#define KMS_TAG_MAX 32u
#define KMS_TAG_LEN 32u
#define KMS_TAG_TEXT (2 * KMS_TAG_MAX + 1)

enum kms_tag_kind {
	KMS_TAG_FOREIGN = 0,
	KMS_TAG_RANDOM = 0xB0, /* born in the token: no phrase brings it back */
	KMS_TAG_PHRASE = 0xB1, /* PBKDF2 of its own phrase */
	KMS_TAG_GROUP = 0xB3,  /* from the group's phrase */
};

struct kms_tag {
	uint8_t len; /* 1..32 */
	uint8_t b[KMS_TAG_MAX];
};

/* What the bytes look like. A 32-byte tag that begins with B0, B1 or B3 and
 * has a cost in range; all else is FOREIGN. A hint for messages and for
 * recovery, never proof of origin. */
enum kms_tag_kind kms_tag_kind(const struct kms_tag *);
/* The kind in words, and what brings such a key back. */
const char *kms_tag_explain(const struct kms_tag *);
unsigned kms_tag_cost(const struct kms_tag *);

/* Bytes of a drive's KAD; 0 or over 32 is KMS_ERR_USAGE. */
int kms_tag_from(struct kms_tag *, const void *, size_t) KMS_MUST;
/* Hex; blanks, dashes and either case allowed. KMS_ERR_USAGE. */
int kms_tag_parse(struct kms_tag *, const char *) KMS_MUST;
/* Lower-case hex. */
void kms_tag_text(const struct kms_tag *, char out[KMS_TAG_TEXT]);
bool kms_tag_equal(const struct kms_tag *, const struct kms_tag *);

/* len(1) | bytes, as it lies in records; len 0 stands for none. */
void kms_tag_encode(const struct kms_tag *, struct kms_wr *);
void kms_tag_decode(struct kms_tag *, struct kms_rd *);

/* kind | cost | 000000000000 | salt: what a derivation is salted with. */
int kms_tag_make(struct kms_tag *, enum kms_tag_kind, unsigned cost,
    const uint8_t salt[24]) KMS_MUST;
/* Writes the check of this key: the first 6 bytes of its check value. */
void kms_tag_set_check(struct kms_tag *, const uint8_t kcv[8]);
/* A copy with the check zeroed: the salt of a derivation. */
void kms_tag_zero_check(const struct kms_tag *, struct kms_tag *);
/* True when the tag's check is this key check value's. */
bool kms_tag_checks(const struct kms_tag *, const uint8_t kcv[8]);

#endif
