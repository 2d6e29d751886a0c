#include "tests/unit/hsm/tests.h"

#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <sys/stat.h>

#include "hsm/pin.h"

static struct hsm_uri *uri;
static struct kms_secret *pin;
static bool typed;

static int
read_from(const char *source)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "pkcs11:token=a?module-path=/m%s%s",
	    source[0] != '\0' ? "&pin-source=" : "", source);
	hsm_uri_free(&uri);
	kms_secret_free(&pin);
	assert_ok(hsm_uri_parse(text, &uri));
	return hsm_pin_read(uri, options.ask, options.ask_arg, &pin, &typed);
}

static int
read_file(const void *content, size_t len, mode_t mode)
{
	char source[300];

	fx_write(fx_path(fx, "p"), content, len, mode);
	(void)snprintf(source, sizeof(source), "file:%s", fx_path(fx, "p"));
	return read_from(source);
}

static void
is_pin(const char *want)
{
	ck_assert_uint_eq(kms_secret_len(pin), strlen(want));
	ck_assert_mem_eq(kms_secret_bytes(pin), want, strlen(want));
}

START_TEST(one_line_end_is_not_part_of_it)
{
	assert_ok(read_file("1234\n", 5, 0600));
	is_pin("1234");
	assert_ok(read_file("1234\r\n", 6, 0600));
	is_pin("1234");
	assert_ok(read_file("1234", 4, 0400));
	is_pin("1234");
	assert_ok(read_file(" 12\n\n", 5, 0600));
	is_pin(" 12\n");
	ck_assert(!typed);
}
END_TEST

START_TEST(an_empty_or_endless_pin_is_refused)
{
	char longest[300];

	memset(longest, 'x', sizeof(longest));
	assert_fails(read_file("", 0, 0600), KMS_ERR_PIN, "empty");
	assert_fails(read_file("\n", 1, 0600), KMS_ERR_PIN, "empty");
	assert_ok(read_file(longest, 255, 0600));
	assert_fails(read_file(longest, 256, 0600), KMS_ERR_PIN, "over 255");
	assert_fails(read_file(longest, 300, 0600), KMS_ERR_LIMIT, "over");
}
END_TEST

START_TEST(a_file_open_to_others_is_refused)
{
	assert_fails(read_file("1234", 4, 0640), KMS_ERR_CONFIG, "chmod 0600");
	ck_assert_ptr_null(pin);
}
END_TEST

START_TEST(a_missing_file_is_named)
{
	assert_fails(read_from("file:/nowhere/pin"), KMS_ERR_CONFIG,
	    "/nowhere/pin");
}
END_TEST

START_TEST(a_credential_comes_from_its_directory)
{
	(void)unsetenv("CREDENTIALS_DIRECTORY");
	assert_fails(read_from("credential:c"), KMS_ERR_CONFIG,
	    "LoadCredentialEncrypted=c");
	fx_write(fx_path(fx, "c"), "9876\n", 5, 0440);
	(void)setenv("CREDENTIALS_DIRECTORY", fx_path(fx, "%s", "."), 1);
	assert_ok(read_from("credential:c"));
	is_pin("9876");
}
END_TEST

static int
ask(void *arg, const char *token, struct kms_secret **out)
{
	char buf[16] = "5555\n";

	ck_assert_str_eq(token, "'a'");
	*(int *)arg += 1;
	return kms_secret_from(buf, 5, out);
}

START_TEST(without_a_source_a_person_is_asked)
{
	int asked = 0;

	assert_fails(read_from(""), KMS_ERR_CONFIG, "pin-source=file:");
	options.ask = ask;
	options.ask_arg = &asked;
	assert_ok(read_from(""));
	is_pin("5555");
	ck_assert(typed);
	ck_assert_int_eq(asked, 1);
}
END_TEST

static void
free_all(void)
{
	hsm_uri_free(&uri);
	kms_secret_free(&pin);
}

TCase *
pin_tests(void)
{
	TCase *tc = case_copied("pin");

	tcase_add_checked_fixture(tc, NULL, free_all);
	tcase_add_test(tc, one_line_end_is_not_part_of_it);
	tcase_add_test(tc, an_empty_or_endless_pin_is_refused);
	tcase_add_test(tc, a_file_open_to_others_is_refused);
	tcase_add_test(tc, a_missing_file_is_named);
	tcase_add_test(tc, a_credential_comes_from_its_directory);
	tcase_add_test(tc, without_a_source_a_person_is_asked);
	return tc;
}
