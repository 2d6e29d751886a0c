#include "tests/unit/tape/suite.h"

#include <string.h>

#include "tape/keys.h"

static struct tape_kad
kad(const char *u, size_t u_len, const char *a, size_t a_len)
{
	struct tape_kad k = {0};

	memcpy(k.u, u, u_len);
	memcpy(k.a, a, a_len);
	k.u_len = u_len;
	k.a_len = a_len;
	return k;
}

static void
names_are(const struct tape_kad *k, size_t n, const char *const *want,
    const size_t *len)
{
	struct tape_name names[TAPE_NAMES_MAX];

	ck_assert_uint_eq(tape_kad_names(k, names), n);
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_eq(names[i].len, len[i]);
		ck_assert_mem_eq(names[i].bytes, want[i], len[i]);
	}
}

START_TEST(the_tag_as_it_came_is_asked_for_first)
{
	struct tape_kad k = kad("tag \0\0", 6, "", 0);

	names_are(&k, 2, (const char *[]){"tag \0\0", "tag"},
	    (const size_t[]){6, 3});
}
END_TEST

START_TEST(the_authenticated_part_is_asked_for_last)
{
	struct tape_kad k = kad("tag", 3, "auth  ", 6);

	names_are(&k, 3, (const char *[]){"tag", "auth  ", "auth"},
	    (const size_t[]){3, 6, 4});
}
END_TEST

START_TEST(a_dki_has_its_text_form_too)
{
	static const char dki[] = "ABC\0\0\0\0\0\0\0\x01\xef";
	struct tape_kad k = kad("", 0, dki, 12);

	names_are(&k, 3,
	    (const char *[]){dki, "ABC0000000000000001ef",
		"ABC0000000000000001EF"},
	    (const size_t[]){12, 21, 21});
}
END_TEST

START_TEST(padding_alone_names_no_key)
{
	struct tape_kad k = kad("\0\0\0\0", 4, "            ", 12);

	names_are(&k, 0, NULL, NULL);
	ck_assert(!tape_kad_has(&k, (const uint8_t *)"\0", 1));
}
END_TEST

START_TEST(names_over_32_bytes_are_left_out)
{
	struct tape_kad k = {0};

	memset(k.a, 'x', 60);
	k.a_len = 60;
	names_are(&k, 0, NULL, NULL);
	memset(k.a + 20, 0, 40);
	names_are(&k, 1, (const char *[]){"xxxxxxxxxxxxxxxxxxxx"},
	    (const size_t[]){20});
}
END_TEST

START_TEST(tags_are_equal_but_for_padding)
{
	const uint8_t *a = (const uint8_t *)"tag\0\0";
	const uint8_t *b = (const uint8_t *)"tag ";
	const uint8_t *c = (const uint8_t *)"tah";

	ck_assert(tape_kad_same(a, 5, b, 4));
	ck_assert(tape_kad_same(a, 3, b, 3));
	ck_assert(!tape_kad_same(a, 5, c, 3));
	ck_assert(!tape_kad_same(a, 5, a, 2));
	ck_assert(tape_kad_same(a, 0, b, 0));
}
END_TEST

START_TEST(a_tag_is_found_among_the_names)
{
	struct tape_kad k = kad("tag\0", 4, "auth", 4);

	ck_assert(tape_kad_has(&k, (const uint8_t *)"tag", 3));
	ck_assert(tape_kad_has(&k, (const uint8_t *)"auth\0", 5));
	ck_assert(!tape_kad_has(&k, (const uint8_t *)"ta", 2));
}
END_TEST

TCase *
keys_tests(void)
{
	TCase *t = tcase_create("keys");

	tcase_add_test(t, the_tag_as_it_came_is_asked_for_first);
	tcase_add_test(t, the_authenticated_part_is_asked_for_last);
	tcase_add_test(t, a_dki_has_its_text_form_too);
	tcase_add_test(t, padding_alone_names_no_key);
	tcase_add_test(t, names_over_32_bytes_are_left_out);
	tcase_add_test(t, tags_are_equal_but_for_padding);
	tcase_add_test(t, a_tag_is_found_among_the_names);
	return t;
}
