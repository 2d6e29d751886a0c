#include "kms/base/cipher.h"

#include <string.h>

#include <openssl/evp.h>

#define BLOCK KMS_CIPHER_BLOCK

static const struct {
	const char *name;
	size_t iv_len;
	const EVP_CIPHER *(*evp)(void);
} table[] = {
    {"?", 0, NULL},
    [KMS_CIPHER_ECB] = {"AES-ECB", 0, EVP_aes_256_ecb},
    [KMS_CIPHER_CBC] = {"AES-CBC", 16, EVP_aes_256_cbc},
    [KMS_CIPHER_GCM] = {"AES-GCM", KMS_GCM_IV, EVP_aes_256_gcm},
};
#define CIPHERS (sizeof(table) / sizeof(table[0]))

static size_t
row(enum kms_cipher c)
{
	return (size_t)c < CIPHERS ? (size_t)c : 0;
}

const char *
kms_cipher_name(enum kms_cipher c)
{
	return table[row(c)].name;
}

size_t
kms_cipher_iv_len(enum kms_cipher c)
{
	return table[row(c)].iv_len;
}

/* --- what can be ------------------------------------------------------- */

static int
check_gcm(const struct kms_crypt *c)
{
	if (c->padded)
		return kms_fail(KMS_ERR_USAGE, "AES-GCM: takes no padding");
	if (c->tag_len < KMS_CRYPT_TAG_MIN || c->tag_len > KMS_GCM_TAG)
		return kms_fail(KMS_ERR_USAGE,
		    "AES-GCM: a tag of %zu bytes; %u to %u it must have",
		    c->tag_len, KMS_CRYPT_TAG_MIN, KMS_GCM_TAG);
	return 0;
}

/* Encrypted padding is at least a block; without it there must be data. */
static int
check_blocks(const struct kms_crypt *c)
{
	if (c->aad.len != 0 || c->tag_len != 0)
		return kms_fail(KMS_ERR_USAGE,
		    "%s: authenticates nothing, so it takes no additional data "
		    "and no tag",
		    kms_cipher_name(c->cipher));
	if (c->padded && !c->decrypt)
		return 0;
	if (c->in.len == 0 || c->in.len % BLOCK != 0)
		return kms_fail(KMS_ERR_USAGE,
		    "%s: %zu bytes, which is not one or more blocks of %u",
		    kms_cipher_name(c->cipher), c->in.len, BLOCK);
	return 0;
}

int
kms_cipher_check(const struct kms_crypt *c)
{
	size_t most = KMS_CRYPT_MAX;

	if (row(c->cipher) == 0)
		return kms_fail(KMS_ERR_USAGE, "cipher %u: is none",
		    (unsigned)c->cipher);
	if (c->iv_len != kms_cipher_iv_len(c->cipher))
		return kms_fail(KMS_ERR_USAGE,
		    "%s: an IV of %zu bytes; %zu it must have",
		    kms_cipher_name(c->cipher), c->iv_len,
		    kms_cipher_iv_len(c->cipher));
	if (c->padded && c->decrypt)
		most += BLOCK;
	if (c->in.len > most || c->aad.len > most)
		return kms_fail(KMS_ERR_USAGE,
		    "%s: data of %zu bytes, at most %u at once",
		    kms_cipher_name(c->cipher),
		    c->in.len > c->aad.len ? c->in.len : c->aad.len,
		    KMS_CRYPT_MAX);
	return c->cipher == KMS_CIPHER_GCM ? check_gcm(c) : check_blocks(c);
}

int
kms_cipher_refuse(const struct kms_crypt *c)
{
	return kms_fail(KMS_ERR_USAGE,
	    "%s: the data does not decrypt under this key: data, tag, "
	    "additional data or IV are not those of its encryption",
	    kms_cipher_name(c->cipher));
}

/* --- padding ------------------------------------------------------------ */

int
kms_cipher_input(const struct kms_crypt *c, size_t room,
    struct kms_secret **out)
{
	size_t pad = 0;
	uint8_t *p;
	int r;

	if (c->padded && !c->decrypt)
		pad = BLOCK - c->in.len % BLOCK;
	r = kms_secret_new(c->in.len + pad + room, out);
	if (r != 0)
		return r;
	p = kms_secret_fill(*out);
	if (c->in.len > 0)
		memcpy(p, c->in.p, c->in.len);
	memset(p + c->in.len, (int)pad, pad);
	return 0;
}

int
kms_cipher_unpad(struct kms_secret *s)
{
	const uint8_t *p = kms_secret_bytes(s);
	size_t len = kms_secret_len(s), pad, i;
	uint8_t wrong = 0;

	pad = len == 0 ? 0 : p[len - 1];
	if (pad == 0 || pad > BLOCK || pad > len)
		wrong = 1;
	for (i = 1; wrong == 0 && i <= pad; i++)
		wrong |= (uint8_t)(p[len - i] ^ pad);
	if (wrong != 0)
		return kms_fail(KMS_ERR_USAGE,
		    "padding: what was decrypted does not end as PKCS #7 has "
		    "it; another key, IV or mode encrypted it");
	return kms_secret_truncate(s, len - pad);
}

/* --- on the host -------------------------------------------------------- */

static int
set_up(EVP_CIPHER_CTX *ctx, const struct kms_secret *key,
    const struct kms_crypt *c)
{
	const EVP_CIPHER *evp = table[row(c->cipher)].evp();
	int n = 0;

	if (EVP_CipherInit_ex(ctx, evp, NULL, kms_secret_bytes(key),
		c->iv_len > 0 ? c->iv : NULL, !c->decrypt) != 1 ||
	    EVP_CIPHER_CTX_set_padding(ctx, 0) != 1)
		return kms_crypt_fail("AES-256 key set-up");
	if (c->aad.len > 0 &&
	    EVP_CipherUpdate(ctx, NULL, &n, c->aad.p, (int)c->aad.len) != 1)
		return kms_crypt_fail("AES-GCM additional data");
	return 0;
}

/* The tag goes in before a decryption ends, and comes out after. */
static int
set_tag(EVP_CIPHER_CTX *ctx, const struct kms_crypt *c)
{
	uint8_t tag[KMS_GCM_TAG];

	if (c->tag_len == 0 || !c->decrypt)
		return 0;
	memcpy(tag, c->tag, sizeof(tag));
	if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)c->tag_len,
		tag) != 1)
		return kms_crypt_fail("AES-GCM tag");
	return 0;
}

static int
finish(EVP_CIPHER_CTX *ctx, struct kms_crypt *c, uint8_t *end)
{
	int n = 0;

	if (EVP_CipherFinal_ex(ctx, end, &n) != 1) {
		(void)kms_crypt_fail("AES-GCM");
		return kms_cipher_refuse(c);
	}
	if (c->tag_len != 0 && !c->decrypt &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, (int)c->tag_len,
		c->tag) != 1)
		return kms_crypt_fail("AES-GCM tag");
	return 0;
}

static int
run_evp(EVP_CIPHER_CTX *ctx, struct kms_crypt *c, const struct kms_secret *in,
    struct kms_secret *out)
{
	size_t len = kms_secret_len(in);
	int n = 0, r;

	r = set_tag(ctx, c);
	if (r == 0 && len > 0 &&
	    EVP_CipherUpdate(ctx, kms_secret_fill(out), &n,
		kms_secret_bytes(in), (int)len) != 1)
		r = kms_crypt_fail(kms_cipher_name(c->cipher));
	if (r == 0)
		r = finish(ctx, c, kms_secret_fill(out) + n);
	return r == 0 ? kms_secret_truncate(out, len) : r;
}

int
kms_cipher_run(const struct kms_secret *key, struct kms_crypt *c)
{
	struct kms_secret *in = NULL, *out = NULL;
	EVP_CIPHER_CTX *ctx = NULL;
	int r;

	c->out = NULL;
	r = kms_cipher_check(c);
	if (r == 0 && kms_secret_len(key) != KMS_KEY_LEN)
		r = kms_fail(KMS_ERR_INTERNAL, "AES-256 key of %zu bytes",
		    kms_secret_len(key));
	if (r == 0)
		r = kms_cipher_input(c, 0, &in);
	if (r == 0)
		r = kms_secret_new(kms_secret_len(in) + BLOCK, &out);
	if (r != 0)
		goto out;
	ctx = EVP_CIPHER_CTX_new();
	r = ctx == NULL ? kms_crypt_fail("cipher") : set_up(ctx, key, c);
	if (r == 0)
		r = run_evp(ctx, c, in, out);
	if (r == 0 && c->padded && c->decrypt)
		r = kms_cipher_unpad(out);
	if (r == 0)
		c->out = kms_secret_take(&out);
out:
	EVP_CIPHER_CTX_free(ctx);
	kms_secret_free(&out);
	kms_secret_free(&in);
	return r;
}
