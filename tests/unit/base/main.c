#include <stdlib.h>
#include <string.h>

#include "kms/base/buf.h"
#include "tests/unit/base/tests.h"

enum kms_secret_mode secret_mode = KMS_SECRET_PLAIN;

/* A test reaches for a guard page: that signal is Check's, not a sanitizer's;
 * another asks for more memory than there is. */
#define SANITIZER_OPTIONS "handle_segv=0:allocator_may_return_null=1"

const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *
__asan_default_options(void)
{
	return SANITIZER_OPTIONS;
}

const char *
__tsan_default_options(void)
{
	return SANITIZER_OPTIONS;
}

void
secrets_on(void)
{
	ck_assert_int_eq(kms_secret_init(1u << 18, secret_mode), 0);
}

struct hex
from_hex(const char *s)
{
	struct hex h = {.len = 0};

	if (s[0] != '\0')
		ck_assert_int_eq(kms_unhex(s, h.p, sizeof(h.p), &h.len), 0);
	return h;
}

struct kms_secret *
secret_of_hex(const char *s)
{
	struct hex h = from_hex(s);
	struct kms_secret *secret;

	ck_assert_int_eq(kms_secret_from(h.p, h.len, &secret), 0);
	return secret;
}

void
assert_hex(const void *p, size_t len, const char *want)
{
	char got[257];

	ck_assert_uint_le(len, 128);
	kms_hex(p, len, got);
	ck_assert_str_eq(got, want);
}

int
main(void)
{
	const char *mode = getenv("P11KMS_TEST_SECRET");
	SRunner *run;
	int failed;

	if (mode != NULL && strcmp(mode, "locked") == 0)
		secret_mode = KMS_SECRET_LOCKED;
	run = srunner_create(err_suite());
	srunner_add_suite(run, log_suite());
	srunner_add_suite(run, secret_suite());
	srunner_add_suite(run, buf_suite());
	srunner_add_suite(run, text_suite());
	srunner_add_suite(run, crypt_suite());
	srunner_add_suite(run, cipher_suite());
	srunner_add_suite(run, failing_suite());
	srunner_add_suite(run, file_suite());
	srunner_add_suite(run, lib_suite());
	srunner_add_suite(run, soft_suite());
	srunner_run_all(run, CK_NORMAL);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
