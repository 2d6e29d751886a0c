/*
 * The root row: what the store as a whole is (doc/FORMATS.md §4). Held in
 * memory decoded; secrets in kms_secret.
 */
#ifndef KMS_ROOT_H
#define KMS_ROOT_H

#include "kms/base/crypt.h"
#include "kms/header.h"
#include "kms/record.h"

struct kms_proof { /* a random key wrapped by that KPK slot */
	uint16_t slot;
	struct kms_wrapped wrapped;
};

struct kms_log_head {
	uint8_t id[16];  /* of the log file */
	uint64_t seq;    /* records in it */
	uint8_t tag[16]; /* GCM tag of the last one */
	uint64_t size;   /* bytes up to its end */
};

struct kms_root {
	uint8_t lineage[16];
	uint64_t generation, next_id;
	int64_t time;
	uint64_t seals;      /* under the current file key; refused at 2^31 */
	uint64_t seals_next; /* under the next one, while it is rotated to */
	uint8_t header_sha256[32], previous[32];
	uint64_t count[KMS_KINDS + 1]; /* by kind */
	uint8_t sum[16]; /* multiset hash over all rows but this */
	struct kms_log_head log;
	struct kms_proof proof[KMS_SLOTS_MAX];
	size_t nproofs;
	struct kms_secret *set_key,
	    *log_key; /* owned; random, kept through rotation */
};

#define KMS_SEALS_MAX (UINT64_C(1) << 31)
#define KMS_ROOT_MAX 4096u /* bytes of an encoding */

void kms_root_clear(struct kms_root *);
int kms_root_copy(struct kms_root *, const struct kms_root *) KMS_MUST;
/* Into a writer that grows (wiped on free). */
int kms_root_encode(const struct kms_root *, struct kms_wr *) KMS_MUST;
int kms_root_decode(struct kms_root *, const void *, size_t) KMS_MUST;
/* SHA-256 of the encoding: what the anchor and the next root hold. */
int kms_root_hash(const struct kms_root *, uint8_t out[32]) KMS_MUST;

/*
 * MSet-Add-Hash: the sum mod 2^128 over rows of CBC-MAC_AES(set_key) of the
 * two blocks kind(1) id(7) generation(8) | GCM tag. Batched.
 */
struct kms_sum; /* one thread at a time */
int kms_sum_new(const struct kms_secret *set_key, struct kms_sum **) KMS_MUST;
void kms_sum_free(struct kms_sum **);
int kms_sum_add(struct kms_sum *, uint16_t kind, uint64_t id,
    uint64_t generation, const uint8_t tag[16]) KMS_MUST;
int kms_sum_remove(struct kms_sum *, uint16_t kind, uint64_t id,
    uint64_t generation, const uint8_t tag[16]) KMS_MUST;
void kms_sum_set(struct kms_sum *, const uint8_t sum[16]);
int kms_sum_get(struct kms_sum *, uint8_t sum[16]) KMS_MUST;

#endif
