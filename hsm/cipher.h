/*
 * Encryption by a key inside the token: the mechanisms and their parameters,
 * and client data under a data key that stays there.
 */
#ifndef HSM_CIPHER_H
#define HSM_CIPHER_H

#include "hsm/pool.h"
#include "kms/base/cipher.h"

/* A mechanism whose parameters point into it: never copied. The IV is filled
 * in after the set-up, and read after the call. */
struct hsm_cipher {
	CK_MECHANISM m;
	CK_GCM_PARAMS gcm;
	CK_BYTE iv[KMS_CIPHER_IV_MAX];
};
void hsm_cipher_init(struct hsm_cipher *, enum kms_cipher);

/*
 * One encryption or decryption under the key of that handle. USAGE: the token
 * would not decrypt it, and rv says with what words: a token that is failing
 * says the same, so the caller looks whether it still works.
 */
int hsm_cipher_run(struct hsm_session *, CK_OBJECT_HANDLE, struct kms_crypt *)
    KMS_MUST;

/*
 * Which of them the token really does: each is tried on a throw-away key and
 * compared with the host, for lists of mechanisms are no proof. In sessions
 * of its own.
 */
int hsm_cipher_probe(struct hsm_session *, unsigned *ciphers) KMS_MUST;

#endif
