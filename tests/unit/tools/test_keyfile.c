#include <stdio.h>
#include <string.h>

#include "tests/lib/fixture.h"
#include "tests/unit/tools/tests.h"
#include "tools/keyfile.h"

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static struct fx *fx;
static struct kms_secret *key;
static struct kms_tag tag;

static void
begin(void)
{
	ck_assert_int_eq(kms_secret_init(1u << 16, KMS_SECRET_PLAIN), 0);
	fx = fx_new();
}

static void
end(void)
{
	kms_secret_free(&key);
	fx_free(&fx);
}

static int
read_text(const char *text, size_t len)
{
	const char *path = fx_path(fx, "key");

	kms_secret_free(&key);
	fx_write(path, text, len, 0600);
	return keyfile_read(path, &key, &tag);
}

static void
good(const char *text, const char *descriptor)
{
	uint8_t i;

	ck_assert_int_eq(read_text(text, strlen(text)), 0);
	ck_assert_uint_eq(kms_secret_len(key), 32);
	for (i = 0; i < 32; i++)
		ck_assert_uint_eq(kms_secret_bytes(key)[i], i);
	ck_assert_uint_eq(tag.len, strlen(descriptor));
	ck_assert_mem_eq(tag.b, descriptor, tag.len);
}

static void
bad(const char *text, size_t len)
{
	ck_assert_int_eq(read_text(text, len), KMS_ERR_USAGE);
	ck_assert_ptr_null(key);
	ck_assert_ptr_null(strstr(kms_err_cause(KMS_ERR_USAGE), "0001"));
}

START_TEST(the_first_line_is_the_key_and_the_second_the_tag)
{
	good(HEX "\nmonthly tape\n", "monthly tape");
	good(HEX "\r\nmonthly tape\r\n\r\n", "monthly tape");
	good(HEX "\nmonthly tape", "monthly tape");
	good(HEX "\npadded by a drive    \n", "padded by a drive");
	good(HEX "\n12345678901234567890123456789012",
	    "12345678901234567890123456789012");
	good(HEX "\n", "");
	good(HEX, "");
}
END_TEST

START_TEST(any_other_file_is_refused_and_not_shown)
{
	static const char nul[] = HEX "\0" HEX;

	bad("", 0);
	bad("\n", 1);
	bad(HEX "00\n", 67);
	bad(HEX, 62);
	bad(HEX, 63);
	bad("x" HEX, 65);
	bad(HEX "\na\nb\n", 69);
	bad(HEX "\n123456789012345678901234567890123", 98);
	bad(nul, sizeof(nul));
}
END_TEST

START_TEST(a_file_that_others_may_read_is_refused)
{
	const char *path = fx_path(fx, "key");

	fx_write(path, HEX, 64, 0640);
	ck_assert_int_eq(keyfile_read(path, &key, &tag), KMS_ERR_CONFIG);
	fx_write(path, HEX, 64, 0400);
	ck_assert_int_eq(keyfile_read(path, &key, &tag), 0);
}
END_TEST

START_TEST(a_list_has_its_lines_without_the_blank_ones)
{
	const char *path = fx_path(fx, "list");
	struct keyfile_list list;

	fx_write(path, "a/b\n\n c / d \r\nlast", 18, 0644);
	ck_assert_int_eq(keyfile_list_read(&list, path), 0);
	ck_assert_uint_eq(list.n, 3);
	ck_assert_str_eq(list.line[0], "a/b");
	ck_assert_str_eq(list.line[1], " c / d ");
	ck_assert_str_eq(list.line[2], "last");
	keyfile_list_free(&list);
	fx_write(path, "\n\n", 2, 0644);
	ck_assert_int_eq(keyfile_list_read(&list, path), KMS_ERR_USAGE);
	keyfile_list_free(&list);
	ck_assert_int_eq(keyfile_list_read(&list, fx_path(fx, "none")),
	    KMS_ERR_NOTFOUND);
	keyfile_list_free(&list);
}
END_TEST

TCase *
keyfile_case(void)
{
	TCase *t = tcase_create("keyfile");

	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, the_first_line_is_the_key_and_the_second_the_tag);
	tcase_add_test(t, any_other_file_is_refused_and_not_shown);
	tcase_add_test(t, a_file_that_others_may_read_is_refused);
	tcase_add_test(t, a_list_has_its_lines_without_the_blank_ones);
	return t;
}
