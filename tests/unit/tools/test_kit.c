/* KIT.json comes from paper and strangers: every entry is checked and named
 * before a phrase is asked for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/fixture.h"
#include "tests/unit/tools/tests.h"
#include "tools/kit.h"

#define SALT "00112233445566778899aabbccddeeff"
#define B1 "b11144cbde46bd68c0ffee00000000000000000000000000000000000000beef"
#define B3 "b311018be65f8a94" SALT "0102030405060708"
#define PHRASE                                                        \
	"{\"group\":\"g\",\"number\":1,\"id\":\"" SALT "\",\"cost\":" \
	"17}"
#define KEY(name, tag, needs)                                         \
	"{\"group\":\"g\",\"name\":\"" name "\",\"tag\":\"" tag "\"," \
	"\"needs\":\"" needs "\"}"
#define KIT(phrases, keys) \
	"{\"kit\":1,\"phrases\":[" phrases "],\"keys\":[" keys "]}"

static const char whole[] = KIT(PHRASE,
    KEY("own", B1, "phrase") "," KEY("of g", B3, "group") "," KEY("r", "abcd",
	"backup"));

static struct fx *fx;
static struct kit *kit;

static void
setup(void)
{
	fx = fx_new();
}

static void
teardown(void)
{
	kit_free(&kit);
	fx_free(&fx);
}

static int
parse(const char *text)
{
	const char *path = fx_path(fx, "KIT.json");

	kit_free(&kit);
	fx_write_text(path, text);
	return kit_json_read(path, &kit);
}

static void
refused(const char *text, int code, const char *word)
{
	int r = parse(text);

	ck_assert_msg(r == code, "%d for %s", r, text);
	ck_assert_ptr_null(kit);
	ck_assert_msg(strstr(kms_err_cause(r), word) != NULL, "%s",
	    kms_err_cause(r));
	ck_assert_msg(strstr(kms_err_cause(r), "KIT.json") != NULL, "%s",
	    kms_err_cause(r));
}

START_TEST(a_kit_names_phrases_and_keys_in_its_order)
{
	ck_assert_int_eq(parse(whole), 0);
	ck_assert_uint_eq(kit->phrases, 1);
	ck_assert_uint_eq(kit->phrase[0].is.cost, 17);
	ck_assert_uint_eq(kit->phrase[0].keys, 1);
	ck_assert_uint_eq(kit->keys, 3);
	ck_assert_str_eq(kit->key[1].name, "of g");
	ck_assert_int_eq(kit->key[1].needs, KIT_NEEDS_GROUP);
	ck_assert_uint_eq(kit->key[1].phrase, 0);
	ck_assert_uint_eq(kit->key[2].tag.len, 2);
}
END_TEST

START_TEST(an_entry_that_is_wrong_is_named)
{
	refused(KIT(PHRASE, KEY("k", B1, "group")), KMS_ERR_USAGE, "g/k");
	refused(KIT(PHRASE, KEY("k", B3, "phrase")), KMS_ERR_USAGE, "g/k");
	refused(KIT("", KEY("k", B3, "group")), KMS_ERR_USAGE, "g/k");
	refused(KIT("", KEY("k", "b0", "phrase")), KMS_ERR_USAGE, "g/k");
	refused(KIT("", KEY("k", "xyz", "backup")), KMS_ERR_USAGE, "g/k");
	refused(KIT("", KEY("k", "", "backup")), KMS_ERR_USAGE, "g/k");
	refused(KIT("", KEY("k", B1, "luck")), KMS_ERR_USAGE, "g/k");
	refused(KIT("", KEY("", B1, "phrase")), KMS_ERR_USAGE, "key name");
	refused(KIT("", KEY("a", B1, "phrase") ",{}"), KMS_ERR_USAGE, "key 2");
	refused(KIT("", "7"), KMS_ERR_USAGE, "key 1");
	refused(KIT("{}", ""), KMS_ERR_USAGE, "phrase 1");
	refused(KIT("{\"group\":\"g\",\"number\":1,\"id\":\"00\",\"cost\":17}",
		    ""),
	    KMS_ERR_USAGE, "16 bytes");
	refused(KIT("{\"group\":\"g\",\"number\":0,\"id\":\"" SALT
		    "\",\"cost\":17}",
		    ""),
	    KMS_ERR_USAGE, "number");
}
END_TEST

START_TEST(a_cost_from_a_file_hangs_nobody)
{
	refused(KIT("{\"group\":\"g\",\"number\":1,\"id\":\"" SALT
		    "\",\"cost\":63}",
		    ""),
	    KMS_ERR_USAGE, "cost");
	refused(KIT("{\"group\":\"g\",\"number\":1,\"id\":\"" SALT
		    "\",\"cost\":-1}",
		    ""),
	    KMS_ERR_USAGE, "cost");
}
END_TEST

START_TEST(what_is_no_kit_is_refused)
{
	refused("", KMS_ERR_USAGE, "JSON");
	refused("[]", KMS_ERR_USAGE, "not a recovery kit");
	refused("{\"kit\":1}", KMS_ERR_USAGE, "not a recovery kit");
	refused("{\"kit\":2,\"phrases\":[],\"keys\":[]}", KMS_ERR_VERSION,
	    "newer");
	ck_assert_int_eq(kit_json_read(fx_path(fx, "none"), &kit),
	    KMS_ERR_NOTFOUND);
}
END_TEST

/* Each byte gone, or another one: an error or a kit, never a crash. */
START_TEST(no_small_change_of_a_kit_is_fatal)
{
	char text[sizeof(whole)];
	size_t i;

	for (i = 0; i < sizeof(whole) - 1; i++) {
		memcpy(text, whole, sizeof(whole));
		text[i] ^= 1;
		(void)!parse(text);
		text[i] = '\0';
		(void)!parse(text);
	}
	kms_err_clear();
}
END_TEST

START_TEST(a_qr_code_is_one_path_of_an_svg)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(out);
	ck_assert_int_eq(kit_qr_write("B111", 27, out), 0);
	fclose(out);
	/* Version 1 is 21 modules wide, and 4 of white on each side. */
	ck_assert_ptr_nonnull(strstr(text, "width=\"27mm\""));
	ck_assert_ptr_nonnull(strstr(text, "viewBox=\"0 0 29 29\""));
	ck_assert_ptr_nonnull(strstr(text, "d=\"M4 4h7v1h-7z"));
	free(text);
}
END_TEST

TCase *
kit_case(void)
{
	TCase *tc = tcase_create("kit");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_kit_names_phrases_and_keys_in_its_order);
	tcase_add_test(tc, an_entry_that_is_wrong_is_named);
	tcase_add_test(tc, a_cost_from_a_file_hangs_nobody);
	tcase_add_test(tc, what_is_no_kit_is_refused);
	tcase_add_test(tc, no_small_change_of_a_kit_is_fatal);
	tcase_add_test(tc, a_qr_code_is_one_path_of_an_svg);
	return tc;
}
