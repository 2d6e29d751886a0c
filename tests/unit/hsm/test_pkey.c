#include "tests/unit/hsm/tests.h"

#include <pthread.h>
#include <string.h>

#include <openssl/x509.h>

#include "hsm/pkey.h"

#define URI "pkcs11:object=signer"

static const uint8_t p256[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
static const uint8_t p384[] = {6, 5, 0x2b, 0x81, 4, 0, 0x22};

struct pair {
	CK_OBJECT_HANDLE public, private;
};

static struct pair
make_pair(struct raw raw, const char *label, uint8_t id, const uint8_t *curve,
    size_t len)
{
	CK_MECHANISM gen = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
	CK_BBOOL yes = CK_TRUE;
	uint8_t params[16];
	char name[32];
	struct pair pair;
	CK_ATTRIBUTE t[] = {{CKA_TOKEN, &yes, 1}, {CKA_ID, &id, 1},
	    {CKA_LABEL, name, strlen(label)}, {CKA_SIGN, &yes, 1}};
	CK_ATTRIBUTE pub[] = {t[0], t[1], t[2], {CKA_EC_PARAMS, params, len}};

	memcpy(params, curve, len);
	memcpy(name, label, strlen(label));
	ck_assert_uint_eq(raw.f->C_GenerateKeyPair(raw.h, &gen, pub, 4, t, 4,
			      &pair.public, &pair.private),
	    CKR_OK);
	return pair;
}

static int
load(const char *uri, struct hsm_pkey **key)
{
	return hsm_pkey_load(hsm_sealer_token(sealer), uri, key);
}

/* Signed by the token, verified by OpenSSL with the public key alone. */
static bool
signs(const struct hsm_pkey *key, const EVP_MD *hash)
{
	unsigned char sig[256], *der = NULL, text[] = "text";
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	const unsigned char *at;
	size_t len = sizeof(sig);
	EVP_PKEY *public;
	bool good;
	int n;

	good = EVP_DigestSignInit(md, NULL, hash, NULL, hsm_pkey_get(key)) ==
		1 &&
	    EVP_DigestSign(md, sig, &len, text, sizeof(text)) == 1;
	EVP_MD_CTX_free(md);
	if (!good)
		return false;
	n = i2d_PUBKEY(hsm_pkey_get(key), &der);
	at = der;
	public = d2i_PUBKEY(NULL, &at, n);
	md = EVP_MD_CTX_new();
	good = EVP_DigestVerifyInit(md, NULL, hash, NULL, public) == 1 &&
	    EVP_DigestVerify(md, sig, len, text, sizeof(text)) == 1;
	EVP_MD_CTX_free(md);
	EVP_PKEY_free(public);
	OPENSSL_free(der);
	return good;
}

START_TEST(signs_what_the_public_key_alone_verifies)
{
	struct hsm_pkey *key;

	make_pair(raw_open(), "signer", 1, p256, sizeof(p256));
	make_pair(raw_open(), "other", 2, p384, sizeof(p384));
	assert_ok(load(URI, &key));
	ck_assert(signs(key, EVP_sha256()));
	ck_assert(signs(key, EVP_sha512())); /* longer than the order */
	hsm_pkey_free(&key);
	assert_ok(load("pkcs11:token=p11kms;id=%02", &key));
	ck_assert(signs(key, EVP_sha384()));
	hsm_pkey_free(&key);
	ck_assert_ptr_null(key);
	hsm_pkey_free(&key);
}
END_TEST

START_TEST(goes_on_after_the_token_was_opened_anew)
{
	struct hsm_token *token = hsm_sealer_token(sealer);
	struct hsm_pkey *key;

	make_pair(raw_open(), "signer", 1, p256, sizeof(p256));
	assert_ok(load(URI, &key));
	assert_ok(hsm_token_reload(token,
	    hsm_pool_generation(hsm_token_pool(token))));
	ck_assert(signs(key, EVP_sha256()));
	faults("C_OpenSession:1=32 C_FindObjectsInit:1=b3");
	ck_assert(signs(key, EVP_sha256()));
	hsm_pkey_free(&key);
}
END_TEST

static void *
sign_often(void *key)
{
	unsigned i;

	for (i = 0; i < 50; i++)
		if (!signs(key, EVP_sha256()))
			return key;
	return NULL;
}

START_TEST(many_threads_sign_at_once)
{
	struct hsm_pkey *key;
	pthread_t thread[6];
	void *failed;
	unsigned i;

	make_pair(raw_open(), "signer", 1, p256, sizeof(p256));
	assert_ok(load(URI, &key));
	for (i = 0; i < 6; i++)
		pthread_create(&thread[i], NULL, sign_often, key);
	for (i = 0; i < 6; i++) {
		pthread_join(thread[i], &failed);
		ck_assert_ptr_null(failed);
	}
	hsm_pkey_free(&key);
}
END_TEST

START_TEST(a_token_that_is_away_is_an_error_and_no_wait)
{
	struct hsm_pkey *key;

	make_pair(raw_open(), "signer", 1, p256, sizeof(p256));
	assert_ok(load(URI, &key));
	faults("C_FindObjectsInit:1+=32 C_OpenSession:1+=32");
	ck_assert(!signs(key, EVP_sha256()));
	faults("");
	ck_assert(signs(key, EVP_sha256()));
	hsm_pkey_free(&key);
}
END_TEST

START_TEST(exactly_one_key_of_this_token_must_match)
{
	struct hsm_pkey *key;

	assert_fails(load(URI, &key), KMS_ERR_NOTFOUND, "keypairgen");
	make_pair(raw_open(), "signer", 1, p256, sizeof(p256));
	make_pair(raw_open(), "signer", 2, p256, sizeof(p256));
	assert_fails(load(URI, &key), KMS_ERR_CONFIG, "several");
	assert_fails(load("pkcs11:token=x;id=%01", &key), KMS_ERR_CONFIG,
	    "another token");
	assert_fails(load("pkcs11:token=p11kms", &key), KMS_ERR_CONFIG,
	    "names no key");
	assert_fails(load("signer", &key), KMS_ERR_CONFIG, "pkcs11:object");
	ck_assert_ptr_null(key);
	assert_ok(load("pkcs11:object=signer;id=%01", &key));
	hsm_pkey_free(&key);
}
END_TEST

START_TEST(a_public_key_that_is_not_its_own_is_refused)
{
	uint8_t id = 1;
	CK_ATTRIBUTE as = {CKA_ID, &id, 1};
	struct raw raw = raw_open();
	struct pair a, b;
	struct hsm_pkey *key;

	a = make_pair(raw, "signer", 1, p256, sizeof(p256));
	b = make_pair(raw, "other", 2, p256, sizeof(p256));
	ck_assert_uint_eq(raw.f->C_DestroyObject(raw.h, a.public), CKR_OK);
	assert_fails(load(URI, &key), KMS_ERR_NOTFOUND, "public key");
	ck_assert_uint_eq(raw.f->C_SetAttributeValue(raw.h, b.public, &as, 1),
	    CKR_OK);
	assert_fails(load(URI, &key), KMS_ERR_MASTER, "public key");
}
END_TEST

TCase *
pkey_tests(void)
{
	TCase *t = case_opened("pkey");

	tcase_add_test(t, signs_what_the_public_key_alone_verifies);
	tcase_add_test(t, goes_on_after_the_token_was_opened_anew);
	tcase_add_test(t, many_threads_sign_at_once);
	tcase_add_test(t, a_token_that_is_away_is_an_error_and_no_wait);
	tcase_add_test(t, exactly_one_key_of_this_token_must_match);
	tcase_add_test(t, a_public_key_that_is_not_its_own_is_refused);
	return t;
}
