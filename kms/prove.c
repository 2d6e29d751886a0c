#include "kms/prove.h"

#include <openssl/evp.h>

#include "kms/base/crypt.h"

#define CBC_IV 16u

struct shape {
	const EVP_CIPHER *cipher;
	size_t iv, tag; /* bytes before and after the ciphertext */
};

static int
shape_of(enum kms_mech mech, struct shape *s)
{
	switch (mech) {
	case KMS_MECH_AES_KW:
		*s = (struct shape){EVP_aes_256_wrap(), 0, 0};
		return 0;
	case KMS_MECH_AES_KWP:
		*s = (struct shape){EVP_aes_256_wrap_pad(), 0, 0};
		return 0;
	case KMS_MECH_AES_GCM:
		*s = (struct shape){EVP_aes_256_gcm(), KMS_GCM_IV, KMS_GCM_TAG};
		return 0;
	case KMS_MECH_AES_CBC:
		*s = (struct shape){EVP_aes_256_cbc(), CBC_IV, 0};
		return 0;
	case KMS_MECH_NONE:
		break;
	}
	return kms_fail(KMS_ERR_INTERNAL, "master key without a mechanism");
}

/* False where it does not open or is of another length: a wrong key. */
static bool
decrypt(EVP_CIPHER_CTX *ctx, const struct shape *s, const struct kms_wrapped *w,
    const uint8_t *key, uint8_t out[64])
{
	const uint8_t *ct = w->bytes + s->iv;
	size_t n = w->len - s->iv - s->tag;
	uint8_t tag[KMS_GCM_TAG];
	int got = 0, last = 0;
	size_t i;

	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_DecryptInit_ex(ctx, s->cipher, NULL, key,
		s->iv == 0 ? NULL : w->bytes) != 1 ||
	    EVP_CIPHER_CTX_set_padding(ctx, 0) != 1)
		return false;
	for (i = 0; i < s->tag; i++)
		tag[i] = ct[n + i];
	if (s->tag != 0 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)s->tag, tag) !=
		1)
		return false;
	if (EVP_DecryptUpdate(ctx, out, &got, ct, (int)n) != 1 ||
	    EVP_DecryptFinal_ex(ctx, out + got, &last) != 1)
		return false;
	return (size_t)got + (size_t)last == KMS_KEY_LEN;
}

static int
compare(uint8_t plain[64], const struct kms_wrapped *w, struct kms_secret **out)
{
	struct kms_secret *key = NULL;
	uint8_t kcv[KMS_KCV_LEN];
	int r;

	r = kms_secret_from(plain, KMS_KEY_LEN, &key);
	if (r == 0)
		r = kms_kcv(key, kcv);
	if (r == 0 && !kms_equal(kcv, w->kcv, sizeof(kcv)))
		r = kms_fail(KMS_ERR_AUTH, "not the key that wrapped it");
	if (r == 0 && out != NULL)
		*out = kms_secret_take(&key);
	kms_secret_free(&key);
	return r;
}

int
kms_prove_unwrap(const struct kms_secret *master, enum kms_mech mech,
    const struct kms_wrapped *w, struct kms_secret **out)
{
	uint8_t plain[64] = {0};
	EVP_CIPHER_CTX *ctx;
	struct shape s;
	int r;

	if (out != NULL)
		*out = NULL;
	r = shape_of(mech, &s);
	if (r != 0)
		return r;
	/* What each makes of 32 bytes: 40, 40, 60, 48. */
	if (w->len < s.iv + s.tag + KMS_KEY_LEN ||
	    w->len > s.iv + s.tag + KMS_KEY_LEN + 8)
		return kms_fail(KMS_ERR_DAMAGED, "wrapped key of %zu bytes",
		    w->len);
	ctx = EVP_CIPHER_CTX_new();
	if (ctx == NULL)
		return kms_fail(KMS_ERR_MEMORY, "proof: out of memory");
	if (decrypt(ctx, &s, w, kms_secret_bytes(master), plain))
		r = compare(plain, w, out);
	else
		r = kms_fail(KMS_ERR_AUTH, "not the key that wrapped it");
	EVP_CIPHER_CTX_free(ctx);
	kms_wipe(plain, sizeof(plain));
	return r;
}
