/*
 * The host's cryptography, all of it through EVP: what is sealed, derived
 * and checked outside the token. OpenSSL's error queue is translated here.
 */
#ifndef KMS_BASE_CRYPT_H
#define KMS_BASE_CRYPT_H

#include <stdint.h>

#include "kms/base/secret.h"

#define KMS_GCM_IV 12u
#define KMS_GCM_TAG 16u
#define KMS_KCV_LEN 8u
#define KMS_SHA256_LEN 32u

/* OpenSSL's error queue, emptied, as one of our errors: INTERNAL or MEMORY,
 * "what: reason". The only translation; other users of OpenSSL call it too. */
int kms_crypt_fail(const char *what);

struct kms_bytes {
	const void *p;
	size_t len;
};

/*
 * AES-256-GCM under one key, set up once and used many times (per row only
 * the IV is new). One thread at a time.
 */
struct kms_gcm;
int kms_gcm_new(const struct kms_secret *key, struct kms_gcm **) KMS_MUST;
void kms_gcm_free(struct kms_gcm **);
/* out: len bytes; tag: 16 bytes. The caller never repeats an iv (SP 800-38D 8.2.2). */
int kms_gcm_seal(struct kms_gcm *, const uint8_t iv[12], struct kms_bytes aad,
    const void *in, size_t len, void *out, uint8_t tag[16]) KMS_MUST;
/* KMS_ERR_DAMAGED when the tag does not verify; out is then wiped. */
int kms_gcm_open(struct kms_gcm *, const uint8_t iv[12], struct kms_bytes aad,
    const void *in, size_t len, void *out, const uint8_t tag[16]) KMS_MUST;

/* AES-256-ECB over whole blocks, in place allowed: batches of PRF calls.
 * (Directory hashes and the multiset hash: never for confidentiality.) */
struct kms_ecb;
int kms_ecb_new(const struct kms_secret *key, struct kms_ecb **) KMS_MUST;
void kms_ecb_free(struct kms_ecb **);
int kms_ecb_blocks(struct kms_ecb *, const uint8_t *in, uint8_t *out,
    size_t nblocks) KMS_MUST;

/* CMAC-AES-256 (SP 800-38B), full 16 bytes. */
int kms_cmac(const struct kms_secret *key, const void *, size_t,
    uint8_t out[16]) KMS_MUST;
/* HKDF-SHA256 (RFC 5869), extract and expand; salt empty. len <= 64. */
int kms_hkdf(const struct kms_secret *ikm, struct kms_bytes info, size_t len,
    struct kms_secret **) KMS_MUST;
/* HKDF-Expand-SHA256 alone: prk is uniformly random already. */
int kms_hkdf_expand(const struct kms_secret *prk, struct kms_bytes info,
    size_t len, struct kms_secret **) KMS_MUST;
/* PBKDF2-HMAC-SHA512 (SP 800-132), 2^cost iterations, 32 bytes out.
 * cost outside 10..26: KMS_ERR_LIMIT. Slow: never inside a transaction. */
int kms_pbkdf2(const struct kms_secret *phrase, struct kms_bytes salt,
    unsigned cost, struct kms_secret **) KMS_MUST;

int kms_sha256(const void *, size_t, uint8_t out[32]) KMS_MUST;

/*
 * Key check value: the first 8 bytes of AES-256_K("p11kms check" | 0000).
 * GCM with 96-bit IVs never uses that block (its counter starts at 1), so it
 * says nothing about tape traffic; a token computes it with CKM_AES_ECB.
 */
extern const uint8_t kms_kcv_block[16];
int kms_kcv(const struct kms_secret *key, uint8_t out[8]) KMS_MUST;

/*
 * AES key wrap (RFC 3394) for somebody else's use: kek of 16, 24 or 32 bytes,
 * len a multiple of 8, at least 16; out: len + 8 bytes. USAGE otherwise.
 */
int kms_keywrap(const struct kms_secret *kek, const void *in, size_t len,
    uint8_t *out) KMS_MUST;

/* RAND_bytes, and RAND_priv_bytes into a secret. */
int kms_random(void *, size_t) KMS_MUST;
int kms_random_secret(size_t len, struct kms_secret **) KMS_MUST;

/* Constant-time comparison; true when equal. */
bool kms_equal(const void *, const void *, size_t);
void kms_wipe(void *, size_t);

#endif
