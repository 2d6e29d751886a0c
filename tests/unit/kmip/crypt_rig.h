/* Encrypt and Decrypt as clients ask for them. */
#ifndef TESTS_UNIT_KMIP_CRYPT_RIG_H
#define TESTS_UNIT_KMIP_CRYPT_RIG_H

#include "tests/unit/kmip/world.h"

#define CRYPT_OUT_MAX 256u
#define CRYPT_TEXT "a key that encrypts a backup's keys"

/* A request, as clients differ in it; 0 and NULL: left out. */
struct asked {
	const char *uid;
	uint32_t mode, padding, algorithm;
	int32_t tag_len, iv_bits;
	const void *data, *iv, *aad, *tag;
	size_t data_len, iv_len, aad_len, tag_size;
	bool bare; /* no Cryptographic Parameters */
	bool random_iv, no_random_iv;
};

struct encrypted {
	uint8_t data[CRYPT_OUT_MAX], iv[CRYPT_OUT_MAX], tag[CRYPT_OUT_MAX];
	size_t data_len, iv_len, tag_len;
};

struct asked crypt_asking(const char *uid, uint32_t mode);
void crypt_put(struct kms_wr *wr, const struct asked *a);
void crypt_ask(struct world *w, struct talk *t, unsigned minor, uint32_t op,
    const struct asked *a);
void crypt_refused(struct world *w, unsigned minor, uint32_t op,
    const struct asked *a, enum kmip_reason reason);
/* The bytes of an answer's field; 0 when it is not there. */
size_t crypt_field(const struct talk *t, uint32_t tag,
    uint8_t out[CRYPT_OUT_MAX]);
void crypt_encrypt(struct world *w, unsigned minor, const struct asked *a,
    struct encrypted *e);
/* The request that undoes it. */
struct asked crypt_back(const struct asked *a, const struct encrypted *e);
void crypt_decrypts(struct world *w, unsigned minor, const struct asked *d);
void crypt_begin(struct world *w, char uid[KMS_TAG_TEXT]);

#endif
