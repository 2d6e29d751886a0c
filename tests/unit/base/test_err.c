#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "kms/base/err.h"
#include "tests/unit/base/tests.h"

#define CAUSE_MOST 511u

/* The contract of COMMANDS.md, written a second time on purpose. */
static const struct {
	int code;
	const char *name;
	int status;
} contract[] = {
    {KMS_OK, "OK", 0},
    {KMS_ERR_INTERNAL, "INTERNAL", 1},
    {KMS_ERR_IO, "IO", 1},
    {KMS_ERR_MEMORY, "MEMORY", 1},
    {KMS_ERR_LIMIT, "LIMIT", 1},
    {KMS_ERR_TIMEOUT, "TIMEOUT", 1},
    {KMS_ERR_USAGE, "USAGE", 2},
    {KMS_ERR_CONFIG, "CONFIG", 2},
    {KMS_ERR_PHRASE, "PHRASE", 2},
    {KMS_ERR_NOTFOUND, "NOTFOUND", 3},
    {KMS_ERR_AUTH, "AUTH", 4},
    {KMS_ERR_PIN, "PIN", 4},
    {KMS_ERR_TOKEN, "TOKEN", 5},
    {KMS_ERR_MASTER, "MASTER", 6},
    {KMS_ERR_DAMAGED, "DAMAGED", 6},
    {KMS_ERR_ROLLBACK, "ROLLBACK", 6},
    {KMS_ERR_VERSION, "VERSION", 6},
    {KMS_ERR_DRIVE, "DRIVE", 7},
    {KMS_ERR_UNPROVEN, "UNPROVEN", 7},
    {KMS_ERR_GATE, "GATE", 8},
    {KMS_ERR_STATE, "STATE", 8},
    {KMS_ERR_EXISTS, "EXISTS", 8},
    {KMS_ERR_QUIESCED, "QUIESCED", 8},
    {KMS_ERR_DENIED, "DENIED", 8},
    {KMS_ERR_BUSY, "BUSY", 9},
};

#define CODES (sizeof(contract) / sizeof(contract[0]))

START_TEST(every_code_has_the_documented_exit_status)
{
	size_t i;

	for (i = 0; i < CODES; i++) {
		ck_assert_str_eq(kms_err_name(contract[i].code),
		    contract[i].name);
		ck_assert_int_eq(kms_err_status(contract[i].code),
		    contract[i].status);
		ck_assert_uint_gt(strlen(kms_err_text(contract[i].code)), 0);
	}
}
END_TEST

START_TEST(codes_are_zero_or_negative_and_without_gap)
{
	size_t i;

	for (i = 0; i < CODES; i++)
		ck_assert_int_eq(contract[i].code, -(int)i);
#define X(name, text, status) +1
	ck_assert_uint_eq(CODES, 1 KMS_ERR_LIST(X));
#undef X
}
END_TEST

START_TEST(an_unknown_code_is_answered_as_internal)
{
	const int unknown[] = {1, 7, -(int)CODES, -1000, -2147483647 - 1};
	size_t i;

	for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		ck_assert_str_eq(kms_err_name(unknown[i]), "INTERNAL");
		ck_assert_int_eq(kms_err_status(unknown[i]), 1);
	}
}
END_TEST

START_TEST(fail_returns_its_code_and_keeps_the_cause)
{
	ck_assert_int_eq(kms_fail(KMS_ERR_IO, "%s: gone", "a"), KMS_ERR_IO);
	ck_assert_str_eq(kms_err_cause(KMS_ERR_IO), "a: gone");
	ck_assert_ptr_nonnull(strstr(kms_err_where(), "test_err.c:"));
	kms_fail(KMS_ERR_GATE, "other");
	ck_assert_str_eq(kms_err_cause(KMS_ERR_GATE), "other");
}
END_TEST

START_TEST(a_cause_is_not_printed_for_another_code)
{
	kms_fail(KMS_ERR_IO, "old trouble");
	ck_assert_str_eq(kms_err_cause(KMS_ERR_BUSY),
	    kms_err_text(KMS_ERR_BUSY));
}
END_TEST

START_TEST(without_a_cause_the_code_speaks)
{
	ck_assert_str_eq(kms_err_cause(KMS_ERR_TOKEN), "token unavailable");
	ck_assert_str_eq(kms_err_where(), "");
	kms_fail(KMS_ERR_TOKEN, "gone");
	kms_err_clear();
	ck_assert_str_eq(kms_err_cause(KMS_ERR_TOKEN), "token unavailable");
	ck_assert_str_eq(kms_err_where(), "");
}
END_TEST

START_TEST(add_puts_context_in_front_and_may_change_the_code)
{
	kms_fail(KMS_ERR_NOTFOUND, "no row");
	ck_assert_int_eq(kms_fail_add(KMS_ERR_DAMAGED, "root"),
	    KMS_ERR_DAMAGED);
	ck_assert_str_eq(kms_err_cause(KMS_ERR_DAMAGED), "root: no row");
	kms_fail_add(KMS_ERR_DAMAGED, "key %d", 7);
	ck_assert_str_eq(kms_err_cause(KMS_ERR_DAMAGED), "key 7: root: no row");
}
END_TEST

START_TEST(add_without_a_cause_uses_the_codes_text)
{
	ck_assert_int_eq(kms_fail_add(KMS_ERR_BUSY, "x"), KMS_ERR_BUSY);
	ck_assert_str_eq(kms_err_cause(KMS_ERR_BUSY), "x: busy, try again");
}
END_TEST

START_TEST(the_old_cause_may_be_an_argument_of_the_new)
{
	kms_fail(KMS_ERR_IO, "disk");
	kms_fail(KMS_ERR_IO, "<%s>", kms_err_cause(KMS_ERR_IO));
	ck_assert_str_eq(kms_err_cause(KMS_ERR_IO), "<disk>");
}
END_TEST

START_TEST(control_characters_cannot_forge_a_line)
{
	kms_fail(KMS_ERR_USAGE, "a\nb\r\x1b[2Jc\x7f\t");
	ck_assert_str_eq(kms_err_cause(KMS_ERR_USAGE), "a?b??[2Jc??");
}
END_TEST

START_TEST(a_long_cause_is_cut_at_511_bytes)
{
	char text[2000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	kms_fail(KMS_ERR_IO, "%s", text);
	ck_assert_uint_eq(strlen(kms_err_cause(KMS_ERR_IO)), CAUSE_MOST);
	kms_fail_add(KMS_ERR_IO, "front");
	ck_assert_uint_eq(strlen(kms_err_cause(KMS_ERR_IO)), CAUSE_MOST);
	ck_assert_int_eq(strncmp(kms_err_cause(KMS_ERR_IO), "front: xx", 9), 0);
}
END_TEST

/* One character of 2, 3 or 4 bytes at each place across the cut. */
START_TEST(a_cut_cause_holds_whole_characters)
{
	static const char *const wide[] = {"\u00e9", "\u20ac", "\U0001f511"};
	char text[600];
	const char *got;
	size_t pad, w, n;

	for (w = 0; w < 3; w++)
		for (pad = CAUSE_MOST - 5; pad <= CAUSE_MOST; pad++) {
			memset(text, 'x', pad);
			snprintf(text + pad, sizeof(text) - pad, "%s%s",
			    wide[w], "tail of the text");
			kms_fail(KMS_ERR_IO, "%s", text);
			got = kms_err_cause(KMS_ERR_IO);
			n = strlen(wide[w]);
			if (pad + n <= CAUSE_MOST)
				ck_assert_int_eq(strncmp(got + pad, wide[w], n),
				    0);
			else
				ck_assert_uint_eq(strlen(got), pad);
		}
}
END_TEST

static void *
other_thread(void *arg)
{
	const char **seen = arg;

	*seen = kms_err_cause(KMS_ERR_IO);
	kms_fail(KMS_ERR_IO, "theirs");
	return NULL;
}

START_TEST(each_thread_has_its_own_cause)
{
	const char *seen = NULL;
	pthread_t t;

	kms_fail(KMS_ERR_IO, "ours");
	ck_assert_int_eq(pthread_create(&t, NULL, other_thread, &seen), 0);
	ck_assert_int_eq(pthread_join(t, NULL), 0);
	ck_assert_str_eq(seen, "input/output error");
	ck_assert_str_eq(kms_err_cause(KMS_ERR_IO), "ours");
}
END_TEST

Suite *
err_suite(void)
{
	Suite *s = suite_create("err");
	TCase *t = tcase_create("err");

	tcase_add_test(t, every_code_has_the_documented_exit_status);
	tcase_add_test(t, codes_are_zero_or_negative_and_without_gap);
	tcase_add_test(t, an_unknown_code_is_answered_as_internal);
	tcase_add_test(t, fail_returns_its_code_and_keeps_the_cause);
	tcase_add_test(t, a_cause_is_not_printed_for_another_code);
	tcase_add_test(t, without_a_cause_the_code_speaks);
	tcase_add_test(t, add_puts_context_in_front_and_may_change_the_code);
	tcase_add_test(t, add_without_a_cause_uses_the_codes_text);
	tcase_add_test(t, the_old_cause_may_be_an_argument_of_the_new);
	tcase_add_test(t, control_characters_cannot_forge_a_line);
	tcase_add_test(t, a_long_cause_is_cut_at_511_bytes);
	tcase_add_test(t, a_cut_cause_holds_whole_characters);
	tcase_add_test(t, each_thread_has_its_own_cause);
	suite_add_tcase(s, t);
	return s;
}
