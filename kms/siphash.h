/*
 * SipHash-2-4 with 128 bits of result (Aumasson, Bernstein): the keyed hash
 * of tables in memory, whose keys (names, foreign tags) are chosen by others.
 * Pure: any number of threads at once. Not for anything that is stored.
 */
#ifndef KMS_SIPHASH_H
#define KMS_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct kms_siphash_key {
	uint64_t k[2];
};

/* Result in two words; either is a hash of its own. */
void kms_siphash(const struct kms_siphash_key *, const void *, size_t,
    uint64_t out[2]);

#endif
