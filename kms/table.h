/*
 * Open-addressing table from a 32-bit hash to an index into somebody's array;
 * linear probing, no tombstones. What equal means is the owner's: it walks
 * the indexes of a hash. Finding writes nothing, so readers may share it.
 */
#ifndef KMS_TABLE_H
#define KMS_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "kms/base/err.h"

#define KMS_TABLE_NONE UINT32_MAX

struct kms_table {
	struct kms_table_slot *slot;
	uint32_t mask, used;
};

/* Room for n entries; more is made by reserve alone. KMS_ERR_LIMIT over 2^30
 * entries. A table of zeros is an empty one. */
int kms_table_reserve(struct kms_table *, size_t n) KMS_MUST;
void kms_table_free(struct kms_table *);

/* Into room reserved; the same pair twice is the caller's bug. */
void kms_table_insert(struct kms_table *, uint32_t hash, uint32_t index);
void kms_table_remove(struct kms_table *, uint32_t hash, uint32_t index);

/* The indexes under a hash, one after the other; KMS_TABLE_NONE at the end. */
struct kms_table_walk {
	uint32_t hash, at;
};
uint32_t kms_table_first(const struct kms_table *, uint32_t hash,
    struct kms_table_walk *);
uint32_t kms_table_next(const struct kms_table *, struct kms_table_walk *);

/* Asks the processor for a hash's place, to be used soon. */
void kms_table_prefetch(const struct kms_table *, uint32_t hash);
size_t kms_table_memory(const struct kms_table *);

#endif
