#include <string.h>

#include "kms/base/buf.h"
#include "tests/unit/base/tests.h"

START_TEST(hex_is_lower_case)
{
	char out[9];

	kms_hex("\x00\x9a\xbc\xff", 4, out);
	ck_assert_str_eq(out, "009abcff");
	kms_hex("", 0, out);
	ck_assert_str_eq(out, "");
}
END_TEST

START_TEST(unhex_takes_either_case_and_what_people_put_between)
{
	static const char *const same[] = {"009abcff", "009ABCFF",
	    "00 9a bc ff", "00-9A-bc-FF", "00:9a:bc:ff", " 009a\tbcff ",
	    "0 0 9 a b c f f", "--009abcff::"};
	uint8_t out[4];
	size_t i, len;

	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		ck_assert_int_eq(kms_unhex(same[i], out, 4, &len), 0);
		ck_assert_uint_eq(len, 4);
		ck_assert_mem_eq(out, "\x00\x9a\xbc\xff", 4);
	}
}
END_TEST

START_TEST(unhex_refuses_everything_else)
{
	static const char *const bad[] = {"", " ", "-:", "0", "009", "0g", "g0",
	    "0x00", "00\n", "00,11", "0\xc3\xa9", "1122334455"};
	uint8_t out[4];
	size_t i, len;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		len = 99;
		ck_assert_msg(kms_unhex(bad[i], out, 4, &len) == KMS_ERR_USAGE,
		    "taken: \"%s\"", bad[i]);
		ck_assert_uint_eq(len, 0);
	}
}
END_TEST

START_TEST(unhex_never_writes_past_its_room)
{
	uint8_t out[3] = {0x55, 0x55, 0x55};
	size_t len;

	ck_assert_int_eq(kms_unhex("00112", out, 2, &len), KMS_ERR_USAGE);
	ck_assert_int_eq(kms_unhex("001122", out, 2, &len), KMS_ERR_USAGE);
	ck_assert_uint_eq(out[2], 0x55);
	ck_assert_int_eq(kms_unhex("00", NULL, 0, &len), KMS_ERR_USAGE);
}
END_TEST

/* A mistyped key must not end up on a terminal or in a log. */
START_TEST(unhex_never_quotes_what_it_was_given)
{
	uint8_t out[32];
	size_t len;

	ck_assert_int_eq(kms_unhex("deadbeefq", out, 32, &len), KMS_ERR_USAGE);
	ck_assert_ptr_null(strstr(kms_err_cause(KMS_ERR_USAGE), "dead"));
	ck_assert_ptr_null(strchr(kms_err_cause(KMS_ERR_USAGE), 'q'));
}
END_TEST

struct text {
	const char *p;
	size_t len;
};
#define T(s)                       \
	{                          \
		(s), sizeof(s) - 1 \
	}

START_TEST(well_formed_utf8_is_taken)
{
	static const struct text good[] = {
	    T(""),
	    T("ENCR_a b~"),
	    T("\xc2\xa0"),         /* U+00A0, the first after C1 */
	    T("\xdf\xbf"),         /* U+07FF */
	    T("\xe0\xa0\x80"),     /* U+0800 */
	    T("\xed\x9f\xbf"),     /* U+D7FF, below the surrogates */
	    T("\xee\x80\x80"),     /* U+E000, above them */
	    T("\xef\xbf\xbd"),     /* U+FFFD */
	    T("\xef\xbf\xbf"),     /* U+FFFF */
	    T("\xf0\x90\x80\x80"), /* U+10000 */
	    T("\xf4\x8f\xbf\xbf"), /* U+10FFFF */
	    T("B\xc3\xa4nder \xe2\x82\xac \xf0\x9f\x94\x91"),
	};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(kms_utf8(good[i].p, good[i].len),
		    "refused: no. %zu", i);
}
END_TEST

START_TEST(malformed_utf8_is_refused)
{
	static const struct text bad[] = {
	    T("\x80"), /* continuation alone */
	    T("\xbf"),
	    T("a\x80z"),
	    T("\xc3"), /* cut short */
	    T("\xe2\x82"),
	    T("\xe2"),
	    T("\xf0\x9f\x94"),
	    T("\xf0\x9f"),
	    T("\xf0"),
	    T("\xc3z"), /* no continuation */
	    T("\xe2\x82z"),
	    T("\xe2z\xac"),
	    T("\xf0\x9f\x94z"),
	    T("\xc3\xc3"),
	    T("\xc0\x80"), /* over-long */
	    T("\xc0\xaf"),
	    T("\xc1\xbf"),
	    T("\xe0\x80\xaf"),
	    T("\xe0\x9f\xbf"),
	    T("\xf0\x80\x80\xaf"),
	    T("\xf0\x8f\xbf\xbf"),
	    T("\xed\xa0\x80"), /* surrogates */
	    T("\xed\xad\xbf"),
	    T("\xed\xbf\xbf"),
	    T("\xed\xa0\xbd\xed\xb4\x91"),
	    T("\xf4\x90\x80\x80"), /* over U+10FFFF */
	    T("\xf5\x80\x80\x80"),
	    T("\xf7\xbf\xbf\xbf"),
	    T("\xf8\x88\x80\x80\x80"), /* five and six bytes */
	    T("\xfc\x84\x80\x80\x80\x80"),
	    T("\xfe"),
	    T("\xff"),
	    T("ok\xff"),
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!kms_utf8(bad[i].p, bad[i].len), "taken: no. %zu",
		    i);
}
END_TEST

START_TEST(control_characters_are_refused)
{
	char s[2];
	int c;

	for (c = 0; c < 0x20; c++) {
		s[0] = (char)c;
		ck_assert_msg(!kms_utf8(s, 1), "taken: %02x", (unsigned)c);
	}
	ck_assert(!kms_utf8("\x7f", 1));
	for (c = 0x80; c < 0xa0; c++) {
		s[0] = (char)0xc2;
		s[1] = (char)c;
		ck_assert_msg(!kms_utf8(s, 2), "taken: U+%04X", (unsigned)c);
	}
}
END_TEST

Suite *
text_suite(void)
{
	Suite *s = suite_create("text");
	TCase *t = tcase_create("text");

	tcase_add_test(t, hex_is_lower_case);
	tcase_add_test(t, unhex_takes_either_case_and_what_people_put_between);
	tcase_add_test(t, unhex_refuses_everything_else);
	tcase_add_test(t, unhex_never_writes_past_its_room);
	tcase_add_test(t, unhex_never_quotes_what_it_was_given);
	tcase_add_test(t, well_formed_utf8_is_taken);
	tcase_add_test(t, malformed_utf8_is_refused);
	tcase_add_test(t, control_characters_are_refused);
	suite_add_tcase(s, t);
	return s;
}
