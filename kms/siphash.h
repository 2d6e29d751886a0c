/*
 * SipHash-1-3 with 128 bits of result (Aumasson, Bernstein): the keyed hash
 * of tables in memory, whose keys (names, foreign tags) are chosen by others.
 * The key is drawn anew in each process and no result is ever seen outside,
 * which the fewer rounds are meant for. Pure, unlike a cipher's context: any
 * number of threads at once. (bench_open: a directory spends a quarter of its
 * time here; OpenSSL's takes 55 ns a call.) Not for what is stored.
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
