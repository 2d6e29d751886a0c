#include "hsm/inject.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "hsm/ckr.h"
#include "kms/base/crypt.h"

#define RSA_BITS 2048u
#define RSA_BYTES (RSA_BITS / 8)

/* The last one may be CKA_MODIFIABLE, and SoftHSM refuses what follows that. */
static int
create(struct hsm_session *s, const struct kms_secret *key,
    const struct hsm_template *t, CK_OBJECT_HANDLE *out)
{
	CK_ATTRIBUTE a[HSM_TEMPLATE_MAX + 1];
	struct hsm_template value;
	CK_ULONG n = 0;
	CK_RV rv;

	hsm_template_init(&value);
	hsm_template_bytes(&value, CKA_VALUE, kms_secret_bytes(key),
	    kms_secret_len(key));
	for (CK_ULONG i = 0; i < t->n; i++) {
		if (i == t->n - 1)
			a[n++] = value.a[0];
		a[n++] = t->a[i];
	}
	rv = s->f->C_CreateObject(s->h, a, n, out);
	return rv == CKR_OK ? 0 : hsm_session_fail(s, rv, "C_CreateObject");
}

/* A pair for one use: it dies with the session at the latest. */
static int
make_pair(struct hsm_session *s, CK_OBJECT_HANDLE *public,
    CK_OBJECT_HANDLE *private)
{
	static const CK_BYTE f4[] = {1, 0, 1};
	CK_MECHANISM m = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0};
	struct hsm_template pub, priv;
	CK_RV rv;

	hsm_template_init(&pub);
	hsm_template_bool(&pub, CKA_TOKEN, false);
	hsm_template_bool(&pub, CKA_ENCRYPT, false);
	hsm_template_bool(&pub, CKA_VERIFY, false);
	hsm_template_bool(&pub, CKA_WRAP, true);
	hsm_template_number(&pub, CKA_MODULUS_BITS, RSA_BITS);
	hsm_template_bytes(&pub, CKA_PUBLIC_EXPONENT, f4, sizeof(f4));
	hsm_template_init(&priv);
	hsm_template_bool(&priv, CKA_TOKEN, false);
	hsm_template_bool(&priv, CKA_PRIVATE, true);
	hsm_template_bool(&priv, CKA_SENSITIVE, true);
	hsm_template_bool(&priv, CKA_EXTRACTABLE, false);
	hsm_template_bool(&priv, CKA_DECRYPT, false);
	hsm_template_bool(&priv, CKA_SIGN, false);
	hsm_template_bool(&priv, CKA_UNWRAP, true);
	rv = s->f->C_GenerateKeyPair(s->h, &m, pub.a, pub.n, priv.a, priv.n,
	    public, private);
	return rv == CKR_OK ? 0 : hsm_session_fail(s, rv, "C_GenerateKeyPair");
}

/* The pair's public half for OpenSSL. */
static int
read_public(struct hsm_session *s, CK_OBJECT_HANDLE h, EVP_PKEY **out)
{
	CK_BYTE n[RSA_BYTES];
	uint8_t native[RSA_BYTES];
	unsigned int e = 65537;
	EVP_PKEY_CTX *ctx = NULL;
	size_t len;
	int r;

	r = hsm_object_read(s, h, CKA_MODULUS, n, sizeof(n), &len);
	if (r != 0)
		return r;
	if (len != sizeof(n))
		return kms_fail(KMS_ERR_TOKEN,
		    "token: RSA modulus of %zu bytes", len);
	/* OSSL_PARAM takes big numbers in the machine's own byte order */
	for (size_t i = 0; i < len; i++)
		native[i] = n[len - 1 - i];

	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, native, len),
	    OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_RSA_E, &e),
	    OSSL_PARAM_construct_end(),
	};

	ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, out, EVP_PKEY_PUBLIC_KEY, params) != 1)
		r = kms_crypt_fail("RSA public key");
	EVP_PKEY_CTX_free(ctx);
	return r;
}

/* OAEP with SHA-1 for hash and mask: all that SoftHSM takes, and sound there:
 * OAEP does not rest on collision resistance (RFC 8017 B.1). */
static int
encrypt_to(EVP_PKEY *to, const struct kms_secret *key, uint8_t out[RSA_BYTES])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(to, NULL);
	size_t len = RSA_BYTES;
	int r = 0;

	if (ctx == NULL || EVP_PKEY_encrypt_init(ctx) != 1 ||
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) != 1 ||
	    EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha1()) != 1 ||
	    EVP_PKEY_encrypt(ctx, out, &len, kms_secret_bytes(key),
		kms_secret_len(key)) != 1 ||
	    len != RSA_BYTES)
		r = kms_crypt_fail("RSA-OAEP");
	EVP_PKEY_CTX_free(ctx);
	return r;
}

static int
unwrap(struct hsm_session *s, CK_OBJECT_HANDLE private,
    uint8_t wrapped[RSA_BYTES], const struct hsm_template *t,
    CK_OBJECT_HANDLE *out)
{
	CK_RSA_PKCS_OAEP_PARAMS oaep = {
	    .hashAlg = CKM_SHA_1,
	    .mgf = CKG_MGF1_SHA1,
	    .source = CKZ_DATA_SPECIFIED,
	};
	CK_MECHANISM m = {CKM_RSA_PKCS_OAEP, &oaep, sizeof(oaep)};
	CK_ATTRIBUTE a[HSM_TEMPLATE_MAX];
	CK_RV rv;

	for (CK_ULONG i = 0; i < t->n; i++)
		a[i] = t->a[i];
	rv = s->f->C_UnwrapKey(s->h, &m, private, wrapped, RSA_BYTES, a, t->n,
	    out);
	return rv == CKR_OK ? 0
			    : hsm_session_fail(s, rv, "C_UnwrapKey(RSA-OAEP)");
}

static int
by_oaep(struct hsm_session *s, const struct kms_secret *key,
    const struct hsm_template *t, CK_OBJECT_HANDLE *out)
{
	CK_OBJECT_HANDLE public = CK_INVALID_HANDLE;
	CK_OBJECT_HANDLE private = CK_INVALID_HANDLE;
	uint8_t wrapped[RSA_BYTES];
	EVP_PKEY *to = NULL;
	int r;

	r = make_pair(s, &public, &private);
	if (r == 0)
		r = read_public(s, public, &to);
	if (r == 0)
		r = encrypt_to(to, key, wrapped);
	if (r == 0)
		r = unwrap(s, private, wrapped, t, out);
	hsm_object_discard(s, private);
	hsm_object_discard(s, public);
	EVP_PKEY_free(to);
	return r;
}

int
hsm_inject(struct hsm_session *s, const struct kms_secret *key,
    const struct hsm_template *t, CK_OBJECT_HANDLE *out)
{
	CK_RV refused;
	int r;

	*out = CK_INVALID_HANDLE;
	r = create(s, key, t, out);
	if (r == 0 || hsm_ckr_class(s->rv) != HSM_CKR_REFUSED)
		return r;
	refused = s->rv;
	s->rv = CKR_OK;
	r = by_oaep(s, key, t, out);
	if (r != 0)
		r = kms_fail_add(r,
		    "token takes no secret: C_CreateObject: %s, then",
		    hsm_ckr_name(refused));
	return r;
}
