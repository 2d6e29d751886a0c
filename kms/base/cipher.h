/*
 * Client data under a data key: the modes and their rules, and the work on
 * the host. Where the key stays in a token hsm/ does the work there, by the
 * same rules: padding is ours, for tokens differ in theirs (one takes altered
 * padding, another hangs over it).
 */
#ifndef KMS_BASE_CIPHER_H
#define KMS_BASE_CIPHER_H

#include "kms/base/crypt.h"

#define KMS_CIPHER_BLOCK 16u
#define KMS_CIPHER_IV_MAX 16u
/* Bytes of data, and of additional data: these are keys and small secrets,
 * and they lie in locked memory. */
#define KMS_CRYPT_MAX 8192u
#define KMS_CRYPT_TAG_MIN 12u /* SP 800-38D section 5.2.1.2 */

/* AES-256 in each; a set of them is the sum of 1 << cipher. */
enum kms_cipher {
	KMS_CIPHER_ECB = 1,
	KMS_CIPHER_CBC = 2,
	KMS_CIPHER_GCM = 3,
};
#define KMS_CIPHERS_ALL 0xeu

/* One encryption or decryption. What bytes point to is borrowed. */
struct kms_crypt {
	enum kms_cipher cipher;
	bool decrypt;
	bool padded; /* PKCS #7 (RFC 5652 section 6.3); not of GCM */
	struct kms_bytes in, aad;
	uint8_t iv[KMS_CIPHER_IV_MAX]; /* CBC 16 bytes, GCM 12, ECB none */
	size_t iv_len;
	uint8_t tag[KMS_GCM_TAG]; /* encryption makes it, decryption needs it */
	size_t tag_len;           /* GCM: 12 to 16; else 0 */
	struct kms_secret *out;   /* the caller's; NULL unless it went well */
};

/* "AES-CBC"; "?" for another value. */
const char *kms_cipher_name(enum kms_cipher);
/* Bytes of IV that it takes. */
size_t kms_cipher_iv_len(enum kms_cipher);
/* USAGE: a size or combination that cannot be. */
int kms_cipher_check(const struct kms_crypt *) KMS_MUST;

/* What goes into the cipher: the data, padded when that is asked for, and
 * room for so many bytes more. */
int kms_cipher_input(const struct kms_crypt *, size_t room,
    struct kms_secret **) KMS_MUST;
/* Takes the padding off again. USAGE when it is none. */
int kms_cipher_unpad(struct kms_secret *) KMS_MUST;
/* Records that the data does not decrypt: USAGE. */
int kms_cipher_refuse(const struct kms_crypt *) KMS_MUST;

/* All of it, on the host. USAGE as check and unpad, and when the tag of GCM
 * does not fit. */
int kms_cipher_run(const struct kms_secret *key, struct kms_crypt *) KMS_MUST;

#endif
