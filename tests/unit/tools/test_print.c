#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/fixture.h"
#include "tests/unit/tools/tests.h"
#include "tools/print.h"

static struct fx *fx;

static void
setup(void)
{
	fx = fx_new();
}

static void
teardown(void)
{
	fx_free(&fx);
}

/* What print_end writes, read back from a file. */
static const char *
shown(struct print **p)
{
	const char *path = fx_path(fx, "out");
	FILE *before = stdout;
	size_t len;
	int r;

	stdout = fopen(path, "w");
	ck_assert_ptr_nonnull(stdout);
	r = print_end(p);
	fclose(stdout);
	stdout = before;
	ck_assert_int_eq(r, 0);
	ck_assert_ptr_null(*p);
	return (const char *)fx_read(fx, path, &len);
}

static const struct kms_key_view key = {
    .group = "ENCR_a",
    .key =
	{
	    .tag = {.len = 2, .b = {0xAB, 0xCD}},
	    .name = "k \"1\"",
	    .state = KMS_ACTIVE,
	    .created = 1795514400000000,
	},
    .gate = {.recoverable = KMS_RECOVERABLE_GROUP, .needs_token = true},
};

static struct print *
begin(enum print_form form, const char *list)
{
	struct print *p = NULL;

	ck_assert_int_eq(print_new(form, list, &p), 0);
	return p;
}

START_TEST(a_key_in_json_has_the_documented_fields)
{
	struct print *p = begin(PRINT_JSON, "keys");

	ck_assert_int_eq(print_key(p, &key), 0);
	print_count(p, "Number of Keys", 1);
	ck_assert_str_eq(shown(&p),
	    "{\"keys\":[{\"group\":\"ENCR_a\",\"name\":\"k \\\"1\\\"\","
	    "\"tag\":\"abcd\",\"state\":\"active\",\"recoverable\":\"group\","
	    "\"needs_token\":true,\"waived\":false,"
	    "\"created\":\"2026-11-24T10:00:00Z\",\"modified\":null,"
	    "\"description\":\"\"}]}\n");
}
END_TEST

START_TEST(a_key_as_a_record_has_netbackups_labels)
{
	static const char *const label[] = {
	    "Key Group Name        : ENCR_a\n",
	    "Key Tag               : abcd\n",
	    "Key Name              : k \"1\"\n",
	    "Current State         : active\n",
	    "Creation Time         : 2026-11-24T10:00:00Z\n",
	    "Last Modification Time: -\n",
	    "Description           : -\n",
	    "\nNumber of Keys        : 1\n",
	};
	struct print *p = begin(PRINT_RECORDS, "keys");
	const char *text;

	ck_assert_int_eq(print_key(p, &key), 0);
	print_count(p, "Number of Keys", 1);
	text = shown(&p);
	for (size_t i = 0; i < sizeof(label) / sizeof(label[0]); i++)
		ck_assert_msg(strstr(text, label[i]) != NULL,
		    "no \"%s\" in \"%s\"", label[i], text);
}
END_TEST

START_TEST(not_verbose_is_one_line_a_record)
{
	struct print *p = begin(PRINT_LINES, "keys");

	ck_assert_int_eq(print_key(p, &key), 0);
	ck_assert_int_eq(print_key(p, &key), 0);
	print_count(p, "Number of Keys", 2);
	ck_assert_str_eq(shown(&p),
	    "ENCR_a\tk \"1\"\tabcd\tactive\tgroup\tYes\tNo\t"
	    "2026-11-24T10:00:00Z\t-\t-\n"
	    "ENCR_a\tk \"1\"\tabcd\tactive\tgroup\tYes\tNo\t"
	    "2026-11-24T10:00:00Z\t-\t-\n");
}
END_TEST

START_TEST(a_group_has_the_documented_fields)
{
	struct kms_group_view g = {.name = "ENCR_a", .keys = 2};
	struct print *p = begin(PRINT_JSON, "groups");

	ck_assert_int_eq(print_group(p, &g), 0);
	strcpy(g.active_key, "k1");
	ck_assert_int_eq(print_group(p, &g), 0);
	ck_assert_str_eq(shown(&p),
	    "{\"groups\":[{\"name\":\"ENCR_a\",\"cipher\":\"AES_256\","
	    "\"keys\":2,\"active_key\":null,\"phrase\":false,"
	    "\"created\":null,\"modified\":null,\"description\":\"\"},"
	    "{\"name\":\"ENCR_a\",\"cipher\":\"AES_256\","
	    "\"keys\":2,\"active_key\":\"k1\",\"phrase\":false,"
	    "\"created\":null,\"modified\":null,\"description\":\"\"}]}\n");
}
END_TEST

START_TEST(an_empty_list_is_an_empty_list)
{
	struct print *json = begin(PRINT_JSON, "keys");
	struct print *lines = begin(PRINT_LINES, "keys");
	struct print *records = begin(PRINT_RECORDS, "keys");

	ck_assert_str_eq(shown(&json), "{\"keys\":[]}\n");
	ck_assert_str_eq(shown(&lines), "");
	print_count(records, "Number of Keys", 0);
	ck_assert_str_eq(shown(&records), "Number of Keys        : 0\n");
}
END_TEST

START_TEST(one_object_is_flat)
{
	struct print *p = begin(PRINT_JSON, NULL);

	print_number(p, "keys", "Keys", 3);
	print_bool(p, "anchor", "Anchor", true);
	print_text(p, "token", "Token", NULL);
	print_number(p, NULL, "not in JSON", 1);
	ck_assert_str_eq(shown(&p),
	    "{\"keys\":3,\"anchor\":true,\"token\":null}\n");
}
END_TEST

START_TEST(a_list_may_follow_an_objects_fields)
{
	struct kms_attr_report r = {.n = 1,
	    .mech = KMS_MECH_AES_KW,
	    .line = {{.name = "CKA_SENSITIVE",
		.required = "true",
		.found = "false"}}};
	struct print *p = begin(PRINT_JSON, NULL);

	print_text(p, "label", "Label", "t");
	print_list(p, "attributes");
	print_attributes(p, "HMK", "token", &r);
	ck_assert_str_eq(shown(&p),
	    "{\"label\":\"t\",\"attributes\":[{\"key\":\"HMK\","
	    "\"name\":\"CKA_SENSITIVE\",\"required\":\"true\","
	    "\"found\":\"false\",\"ok\":false}]}\n");
}
END_TEST

TCase *
print_case(void)
{
	TCase *t = tcase_create("print");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_key_in_json_has_the_documented_fields);
	tcase_add_test(t, a_key_as_a_record_has_netbackups_labels);
	tcase_add_test(t, not_verbose_is_one_line_a_record);
	tcase_add_test(t, a_group_has_the_documented_fields);
	tcase_add_test(t, an_empty_list_is_an_empty_list);
	tcase_add_test(t, one_object_is_flat);
	tcase_add_test(t, a_list_may_follow_an_objects_fields);
	return t;
}
