#include "kms/base/crypt.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

#define AES_BLOCK 16u
#define HKDF_MAX 64u
#define PBKDF2_COST_LEAST 10u
#define PBKDF2_COST_MOST 26u

const uint8_t kms_kcv_block[AES_BLOCK] = "p11kms check";

/* Two contexts, so that neither direction ever sets up the key again. */
struct kms_gcm {
	EVP_CIPHER_CTX *seal, *open;
};

struct kms_ecb {
	EVP_CIPHER_CTX *ctx;
};

int
kms_crypt_fail(const char *what)
{
	unsigned long e = ERR_peek_error();
	const char *why = ERR_reason_error_string(e);
	int code = KMS_ERR_INTERNAL;

	if (ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE)
		code = KMS_ERR_MEMORY;
	ERR_clear_error();
	return kms_fail(code, "%s: %s", what,
	    why != NULL ? why : "OpenSSL failed");
}

static int
check_key(const struct kms_secret *key)
{
	if (kms_secret_len(key) != KMS_KEY_LEN)
		return kms_fail(KMS_ERR_INTERNAL, "AES-256 key of %zu bytes",
		    kms_secret_len(key));
	return 0;
}

static int
cipher_new(const EVP_CIPHER *cipher, const struct kms_secret *key, int enc,
    EVP_CIPHER_CTX **out)
{
	EVP_CIPHER_CTX *ctx;

	*out = NULL;
	ctx = EVP_CIPHER_CTX_new();
	if (ctx == NULL ||
	    EVP_CipherInit_ex(ctx, cipher, NULL, kms_secret_bytes(key), NULL,
		enc) != 1) {
		EVP_CIPHER_CTX_free(ctx);
		return kms_crypt_fail("AES-256 key set-up");
	}
	*out = ctx;
	return 0;
}

int
kms_gcm_new(const struct kms_secret *key, struct kms_gcm **out)
{
	struct kms_gcm *g = NULL;
	int r;

	*out = NULL;
	r = check_key(key);
	if (r != 0)
		goto out;
	g = calloc(1, sizeof(*g));
	if (g == NULL) {
		r = kms_fail(KMS_ERR_MEMORY, "AES-GCM: out of memory");
		goto out;
	}
	r = cipher_new(EVP_aes_256_gcm(), key, 1, &g->seal);
	if (r != 0)
		goto out;
	r = cipher_new(EVP_aes_256_gcm(), key, 0, &g->open);
	if (r != 0)
		goto out;
	*out = g;
	g = NULL; /* transferred */
out:
	kms_gcm_free(&g);
	return r;
}

void
kms_gcm_free(struct kms_gcm **gp)
{
	if (gp == NULL || *gp == NULL)
		return;
	EVP_CIPHER_CTX_free((*gp)->seal);
	EVP_CIPHER_CTX_free((*gp)->open);
	free(*gp);
	*gp = NULL;
}

/* IV, additional data, text: the half that both directions share. */
static int
gcm_run(EVP_CIPHER_CTX *ctx, const uint8_t *iv, struct kms_bytes aad,
    struct kms_bytes in, void *out)
{
	int n;

	if (aad.len > INT_MAX || in.len > INT_MAX)
		return kms_fail(KMS_ERR_LIMIT, "AES-GCM: %zu bytes", in.len);
	if (EVP_CipherInit_ex(ctx, NULL, NULL, NULL, iv, -1) != 1)
		return kms_crypt_fail("AES-GCM IV");
	if (aad.len > 0 &&
	    EVP_CipherUpdate(ctx, NULL, &n, aad.p, (int)aad.len) != 1)
		return kms_crypt_fail("AES-GCM additional data");
	if (in.len > 0 &&
	    EVP_CipherUpdate(ctx, out, &n, in.p, (int)in.len) != 1)
		return kms_crypt_fail("AES-GCM");
	return 0;
}

int
kms_gcm_seal(struct kms_gcm *g, const uint8_t iv[12], struct kms_bytes aad,
    const void *in, size_t len, void *out, uint8_t tag[16])
{
	uint8_t none[AES_BLOCK];
	int r, n;

	r = gcm_run(g->seal, iv, aad, (struct kms_bytes){in, len}, out);
	if (r != 0)
		return r;
	if (EVP_CipherFinal_ex(g->seal, none, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(g->seal, EVP_CTRL_AEAD_GET_TAG,
		(int)KMS_GCM_TAG, tag) != 1)
		return kms_crypt_fail("AES-GCM tag");
	return 0;
}

int
kms_gcm_open(struct kms_gcm *g, const uint8_t iv[12], struct kms_bytes aad,
    const void *in, size_t len, void *out, const uint8_t tag[16])
{
	uint8_t expected[KMS_GCM_TAG], none[AES_BLOCK];
	int r, n;

	memcpy(expected, tag, sizeof(expected)); /* ctrl takes no const */
	r = gcm_run(g->open, iv, aad, (struct kms_bytes){in, len}, out);
	if (r != 0)
		goto out;
	if (EVP_CIPHER_CTX_ctrl(g->open, EVP_CTRL_AEAD_SET_TAG,
		(int)KMS_GCM_TAG, expected) != 1) {
		r = kms_crypt_fail("AES-GCM tag");
		goto out;
	}
	if (EVP_CipherFinal_ex(g->open, none, &n) != 1) {
		ERR_clear_error();
		r = kms_fail(KMS_ERR_DAMAGED, "AES-GCM tag does not verify");
	}
out:
	if (r != 0)
		kms_wipe(out, len);
	return r;
}

int
kms_ecb_new(const struct kms_secret *key, struct kms_ecb **out)
{
	struct kms_ecb *e = NULL;
	int r;

	*out = NULL;
	r = check_key(key);
	if (r != 0)
		goto out;
	e = calloc(1, sizeof(*e));
	if (e == NULL) {
		r = kms_fail(KMS_ERR_MEMORY, "AES-ECB: out of memory");
		goto out;
	}
	r = cipher_new(EVP_aes_256_ecb(), key, 1, &e->ctx);
	if (r != 0)
		goto out;
	EVP_CIPHER_CTX_set_padding(e->ctx, 0);
	*out = e;
	e = NULL; /* transferred */
out:
	kms_ecb_free(&e);
	return r;
}

void
kms_ecb_free(struct kms_ecb **ep)
{
	if (ep == NULL || *ep == NULL)
		return;
	EVP_CIPHER_CTX_free((*ep)->ctx);
	free(*ep);
	*ep = NULL;
}

int
kms_ecb_blocks(struct kms_ecb *e, const uint8_t *in, uint8_t *out,
    size_t nblocks)
{
	const size_t most = INT_MAX / AES_BLOCK;
	size_t now;
	int n;

	while (nblocks > 0) {
		now = nblocks < most ? nblocks : most;
		if (EVP_EncryptUpdate(e->ctx, out, &n, in,
			(int)(now * AES_BLOCK)) != 1)
			return kms_crypt_fail("AES-ECB");
		in += now * AES_BLOCK;
		out += now * AES_BLOCK;
		nblocks -= now;
	}
	return 0;
}

int
kms_cmac(const struct kms_secret *key, const void *in, size_t len,
    uint8_t out[16])
{
	char cipher[] = "AES-256-CBC";
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0),
	    OSSL_PARAM_construct_end(),
	};
	EVP_MAC_CTX *ctx = NULL;
	EVP_MAC *mac = NULL;
	size_t n;
	int r;

	r = check_key(key);
	if (r != 0)
		goto out;
	mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	if (mac != NULL)
		ctx = EVP_MAC_CTX_new(mac);
	if (ctx == NULL ||
	    EVP_MAC_init(ctx, kms_secret_bytes(key), KMS_KEY_LEN, params) !=
		1 ||
	    EVP_MAC_update(ctx, in, len) != 1 ||
	    EVP_MAC_final(ctx, out, &n, AES_BLOCK) != 1)
		r = kms_crypt_fail("CMAC-AES-256");
out:
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return r;
}

/* OSSL_PARAM takes no const, and no NULL for "empty". */
static OSSL_PARAM
octets(const char *name, const void *p, size_t len)
{
	static uint8_t empty;

	return OSSL_PARAM_construct_octet_string(name,
	    len == 0 ? &empty : (void *)(uintptr_t)p, len);
}

static int
kdf_run(const char *name, const OSSL_PARAM params[], size_t len,
    struct kms_secret **out)
{
	struct kms_secret *s = NULL;
	EVP_KDF_CTX *ctx = NULL;
	EVP_KDF *kdf = NULL;
	int r;

	r = kms_secret_new(len, &s);
	if (r != 0)
		goto out;
	kdf = EVP_KDF_fetch(NULL, name, NULL);
	if (kdf != NULL)
		ctx = EVP_KDF_CTX_new(kdf);
	if (ctx == NULL ||
	    EVP_KDF_derive(ctx, kms_secret_fill(s), len, params) != 1) {
		r = kms_crypt_fail(name);
		goto out;
	}
	*out = kms_secret_take(&s);
out:
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	kms_secret_free(&s);
	return r;
}

static int
hkdf(int mode, const struct kms_secret *key, struct kms_bytes info, size_t len,
    struct kms_secret **out)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
	    OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
	    octets(OSSL_KDF_PARAM_KEY, kms_secret_bytes(key),
		kms_secret_len(key)),
	    octets(OSSL_KDF_PARAM_INFO, info.p, info.len),
	    OSSL_PARAM_construct_end(),
	};

	*out = NULL;
	if (len == 0 || len > HKDF_MAX)
		return kms_fail(KMS_ERR_INTERNAL, "HKDF of %zu bytes", len);
	return kdf_run("HKDF", params, len, out);
}

int
kms_hkdf(const struct kms_secret *ikm, struct kms_bytes info, size_t len,
    struct kms_secret **out)
{
	return hkdf(EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND, ikm, info, len, out);
}

int
kms_hkdf_expand(const struct kms_secret *prk, struct kms_bytes info, size_t len,
    struct kms_secret **out)
{
	return hkdf(EVP_KDF_HKDF_MODE_EXPAND_ONLY, prk, info, len, out);
}

int
kms_pbkdf2(const struct kms_secret *phrase, struct kms_bytes salt,
    unsigned cost, struct kms_secret **out)
{
	char digest[] = "SHA512";
	uint64_t rounds;

	*out = NULL;
	if (cost < PBKDF2_COST_LEAST || cost > PBKDF2_COST_MOST)
		return kms_fail(KMS_ERR_LIMIT,
		    "KDF cost %u is outside %u to %u", cost, PBKDF2_COST_LEAST,
		    PBKDF2_COST_MOST);
	rounds = UINT64_C(1) << cost;

	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
	    octets(OSSL_KDF_PARAM_PASSWORD, kms_secret_bytes(phrase),
		kms_secret_len(phrase)),
	    octets(OSSL_KDF_PARAM_SALT, salt.p, salt.len),
	    OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_ITER, &rounds),
	    OSSL_PARAM_construct_end(),
	};

	return kdf_run("PBKDF2", params, KMS_KEY_LEN, out);
}

int
kms_sha256(const void *in, size_t len, uint8_t out[32])
{
	if (EVP_Digest(in, len, out, NULL, EVP_sha256(), NULL) != 1)
		return kms_crypt_fail("SHA-256");
	return 0;
}

int
kms_kcv(const struct kms_secret *key, uint8_t out[8])
{
	uint8_t block[AES_BLOCK];
	struct kms_ecb *e = NULL;
	int r;

	r = kms_ecb_new(key, &e);
	if (r == 0)
		r = kms_ecb_blocks(e, kms_kcv_block, block, 1);
	if (r == 0)
		memcpy(out, block, KMS_KCV_LEN);
	kms_ecb_free(&e);
	return r;
}

static const EVP_CIPHER *
wrap_cipher(size_t len)
{
	switch (len) {
	case 16:
		return EVP_aes_128_wrap();
	case 24:
		return EVP_aes_192_wrap();
	case 32:
		return EVP_aes_256_wrap();
	}
	return NULL;
}

int
kms_keywrap(const struct kms_secret *kek, const void *in, size_t len,
    uint8_t *out)
{
	const EVP_CIPHER *cipher = wrap_cipher(kms_secret_len(kek));
	EVP_CIPHER_CTX *ctx;
	int n = 0, r = 0;

	if (cipher == NULL || len < 16 || len % 8 != 0 || len > INT_MAX - 8)
		return kms_fail(KMS_ERR_USAGE,
		    "AES key wrap: %zu bytes under a key of %zu", len,
		    kms_secret_len(kek));
	ctx = EVP_CIPHER_CTX_new();
	if (ctx == NULL)
		return kms_crypt_fail("EVP_CIPHER_CTX_new");
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_EncryptInit_ex(ctx, cipher, NULL, kms_secret_bytes(kek),
		NULL) != 1 ||
	    EVP_EncryptUpdate(ctx, out, &n, in, (int)len) != 1 ||
	    n != (int)len + 8)
		r = kms_crypt_fail("AES key wrap");
	EVP_CIPHER_CTX_free(ctx);
	return r;
}

int
kms_random(void *out, size_t len)
{
	if (len > INT_MAX || RAND_bytes(out, (int)len) != 1)
		return kms_crypt_fail("RAND_bytes");
	return 0;
}

int
kms_random_secret(size_t len, struct kms_secret **out)
{
	struct kms_secret *s = NULL;
	int r;

	*out = NULL;
	if (len > INT_MAX)
		return kms_fail(KMS_ERR_LIMIT, "random secret: %zu bytes", len);
	r = kms_secret_new(len, &s);
	if (r != 0)
		return r;
	if (RAND_priv_bytes(kms_secret_fill(s), (int)len) != 1) {
		kms_secret_free(&s);
		return kms_crypt_fail("RAND_priv_bytes");
	}
	*out = kms_secret_take(&s);
	return 0;
}

bool
kms_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

void
kms_wipe(void *p, size_t len)
{
	OPENSSL_cleanse(p, len);
}
