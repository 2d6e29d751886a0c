/* Every allocation of OpenSSL fails once, in each function that asks it for
 * something: an error, nothing handed out, nothing leaked (ASan), no crash. */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "kms/base/crypt.h"
#include "tests/unit/base/tests.h"

#define MOST 100u /* PBKDF2 allocates in each of its rounds, all alike */

static size_t countdown; /* to the allocation that fails; 0: none does */
static struct kms_secret *key;

static bool
fails(void)
{
	return countdown > 0 && --countdown == 0;
}

static void *
failing_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return fails() ? NULL : malloc(n);
}

static void *
failing_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	if (n == 0) {
		free(p);
		return NULL;
	}
	return fails() ? NULL : realloc(p, n);
}

static void
plain_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

static void
setup(void)
{
	ck_assert_int_eq(CRYPTO_set_mem_functions(failing_malloc,
			     failing_realloc, plain_free),
	    1);
	secrets_on();
	ck_assert_int_eq(kms_secret_new(KMS_KEY_LEN, &key), 0);
}

static void
teardown(void)
{
	kms_secret_free(&key);
}

static int
try_gcm(void)
{
	uint8_t iv[12] = {0}, out[4], tag[16];
	struct kms_gcm *g;
	int r = kms_gcm_new(key, &g);

	ck_assert_int_eq(r == 0, g != NULL);
	if (r == 0)
		r = kms_gcm_seal(g, iv, (struct kms_bytes){"aad", 3}, "tape", 4,
		    out, tag);
	if (r == 0)
		r = kms_gcm_open(g, iv, (struct kms_bytes){"aad", 3}, out, 4,
		    out, tag);
	kms_gcm_free(&g);
	return r;
}

static int
try_ecb(void)
{
	struct kms_ecb *e;
	int r = kms_ecb_new(key, &e);

	ck_assert_int_eq(r == 0, e != NULL);
	kms_ecb_free(&e);
	return r;
}

static int
try_cmac(void)
{
	uint8_t out[16];

	return kms_cmac(key, "data", 4, out);
}

static int
secret_came(int r, struct kms_secret *out)
{
	ck_assert_int_eq(r == 0, out != NULL);
	kms_secret_free(&out);
	return r;
}

static int
try_hkdf(void)
{
	struct kms_secret *out;
	int r = kms_hkdf(key, (struct kms_bytes){"info", 4}, 32, &out);

	return secret_came(r, out);
}

static int
try_pbkdf2(void)
{
	struct kms_secret *out;
	int r = kms_pbkdf2(key, (struct kms_bytes){"salt", 4}, 10, &out);

	return secret_came(r, out);
}

static int
try_sha256(void)
{
	uint8_t out[32];

	return kms_sha256("abc", 3, out);
}

static int
try_kcv(void)
{
	uint8_t out[8];

	return kms_kcv(key, out);
}

static int
try_random(void)
{
	struct kms_secret *out;
	int r = kms_random_secret(32, &out);

	return secret_came(r, out);
}

static int (*const tries[])(void) = {try_gcm, try_ecb, try_cmac, try_hkdf,
    try_pbkdf2, try_sha256, try_kcv, try_random};

START_TEST(an_allocation_that_fails_is_an_error_and_nothing_more)
{
	int (*try)(void) = tries[_i];
	size_t n, failures = 0;
	int r;

	ck_assert_int_eq(try(), 0); /* providers are loaded from now on */
	for (n = 1; n < MOST; n++) {
		countdown = n;
		r = try();
		if (countdown > 0)
			break; /* it has no n-th */
		ck_assert_msg(r <= 0, "allocation %zu: %d", n, r);
		failures += r != 0;
		ck_assert_int_eq(try(), 0);
	}
	countdown = 0;
	ck_assert(r == 0 || n == MOST);
	/* the last one draws from buffers that it has already */
	ck_assert(failures > 0 || try == try_random);
}
END_TEST

Suite *
failing_suite(void)
{
	Suite *s = suite_create("failing");
	TCase *t = tcase_create("failing");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t,
	    an_allocation_that_fails_is_an_error_and_nothing_more, 0,
	    (int)(sizeof(tries) / sizeof(tries[0])));
	suite_add_tcase(s, t);
	return s;
}
