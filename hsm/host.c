#include "hsm/host.h"

#include <openssl/evp.h>

#include "kms/base/crypt.h"

#define CBC_IV 16u

/* RFC 3394 and RFC 5649, and CBC without padding. */
static int
evp_decrypt(const EVP_CIPHER *cipher, const uint8_t *key, const uint8_t *iv,
    struct kms_bytes in, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int len = 0, last = 0, r = 0;

	if (ctx == NULL)
		return kms_fail(KMS_ERR_MEMORY, "unwrap: out of memory");
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_DecryptInit_ex(ctx, cipher, NULL, key, iv) != 1 ||
	    EVP_CIPHER_CTX_set_padding(ctx, 0) != 1 ||
	    EVP_DecryptUpdate(ctx, out, &len, in.p, (int)in.len) != 1 ||
	    EVP_DecryptFinal_ex(ctx, out + len, &last) != 1 ||
	    len + last != (int)KMS_KEY_LEN) {
		(void)kms_crypt_fail("unwrap");
		r = kms_fail(KMS_ERR_AUTH, "does not unwrap");
	}
	EVP_CIPHER_CTX_free(ctx);
	return r;
}

static int
gcm_decrypt(const struct kms_secret *master, const struct kms_wrapped *w,
    uint8_t *out)
{
	const struct kms_bytes no_aad = {NULL, 0};
	struct kms_gcm *gcm = NULL;
	int r;

	r = kms_gcm_new(master, &gcm);
	if (r != 0)
		return r;
	r = kms_gcm_open(gcm, w->bytes, no_aad, w->bytes + KMS_GCM_IV,
	    KMS_KEY_LEN, out, w->bytes + KMS_GCM_IV + KMS_KEY_LEN);
	kms_gcm_free(&gcm);
	return r == KMS_ERR_DAMAGED ? kms_fail(KMS_ERR_AUTH, "does not decrypt")
				    : r;
}

static int
decrypt(enum kms_mech mech, const struct kms_secret *master,
    const struct kms_wrapped *w, uint8_t *out)
{
	const uint8_t *k = kms_secret_bytes(master);
	const struct kms_bytes all = {w->bytes, w->len};
	const struct kms_bytes rest = {w->bytes + CBC_IV, KMS_KEY_LEN};

	switch (mech) {
	case KMS_MECH_AES_KW:
		return evp_decrypt(EVP_aes_256_wrap(), k, NULL, all, out);
	case KMS_MECH_AES_KWP:
		return evp_decrypt(EVP_aes_256_wrap_pad(), k, NULL, all, out);
	case KMS_MECH_AES_GCM:
		return gcm_decrypt(master, w, out);
	case KMS_MECH_AES_CBC:
		return evp_decrypt(EVP_aes_256_cbc(), k, w->bytes, rest, out);
	case KMS_MECH_NONE:
		break;
	}
	return kms_fail(KMS_ERR_INTERNAL, "unwrap: no mechanism");
}

/* KWP may write whole blocks before it looks at the padding. */
int
hsm_host_unwrap(enum kms_mech mech, const struct kms_secret *master,
    const struct kms_wrapped *w, struct kms_secret **out)
{
	struct kms_secret *key = NULL;
	uint8_t kcv[KMS_KCV_LEN];
	int r;

	*out = NULL;
	r = hsm_mech_check_len(mech, w);
	if (r == 0)
		r = kms_secret_new(sizeof(w->bytes), &key);
	if (r == 0)
		r = decrypt(mech, master, w, kms_secret_fill(key));
	if (r == 0)
		r = kms_secret_truncate(key, KMS_KEY_LEN);
	if (r == 0)
		r = kms_kcv(key, kcv);
	if (r == 0 && !kms_equal(kcv, w->kcv, sizeof(kcv)))
		r = kms_fail(KMS_ERR_AUTH, "check value differs");
	if (r == 0)
		*out = kms_secret_take(&key);
	kms_secret_free(&key);
	return r;
}
