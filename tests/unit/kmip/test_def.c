#include "kms/kmip/def.h"
#include "tests/unit/kmip/kmip_tests.h"

#include <string.h>

START_TEST(tags_have_the_values_of_the_standard)
{
	ck_assert_uint_eq(KMIP_TAG_REQUEST_MESSAGE, 0x420078);
	ck_assert_uint_eq(KMIP_TAG_UNIQUE_IDENTIFIER, 0x420094);
	ck_assert_uint_eq(KMIP_TAG_OPERATION_POLICY_NAME, 0x42005d);
	ck_assert_uint_eq(KMIP_TAG_REPLACE_EXISTING, 0x420124);
	ck_assert_uint_eq(KMIP_OP_DISCOVER_VERSIONS, 0x1e);
	ck_assert_uint_eq(KMIP_REASON_GENERAL_FAILURE, 0x100);
	ck_assert_uint_eq(KMIP_STATE_DESTROYED_COMPROMISED, 6);
}
END_TEST

START_TEST(names_lead_to_values_and_back)
{
	uint32_t v;
	unsigned table, i, n = 0;

	for (table = 0; table < KMIP_TABLES; table++) {
		for (i = 0; i < 0x420130; i += i == 0x200 ? 0x41fe00 : 1) {
			const char *name = kmip_def_name((enum kmip_table)table,
			    i);

			if (name == NULL)
				continue;
			n++;
			ck_assert(kmip_def_value((enum kmip_table)table, name,
			    &v));
			ck_assert_uint_eq(v, i);
			ck_assert_uint_le(kmip_def_since((enum kmip_table)table,
					      i),
			    KMIP_MINOR_MAX);
		}
	}
	ck_assert_uint_gt(n, 500);
}
END_TEST

START_TEST(names_are_found_however_they_are_joined)
{
	uint32_t v;

	ck_assert(kmip_def_value(KMIP_TABLE_OPERATION, "getattributes", &v));
	ck_assert_uint_eq(v, KMIP_OP_GET_ATTRIBUTES);
	ck_assert(kmip_def_value(KMIP_TABLE_OPERATION, "re-key", &v));
	ck_assert(kmip_def_value(KMIP_TABLE_OPERATION, "REKEY", &v));
	ck_assert_uint_eq(v, KMIP_OP_RE_KEY);
	ck_assert(kmip_def_value(KMIP_TABLE_OPERATION, "get_attribute_list",
	    &v));
	ck_assert_uint_eq(v, KMIP_OP_GET_ATTRIBUTE_LIST);
	ck_assert(!kmip_def_value(KMIP_TABLE_OPERATION, "ge", &v));
	ck_assert(!kmip_def_value(KMIP_TABLE_OPERATION, "", &v));
	ck_assert(!kmip_def_value(KMIP_TABLE_OPERATION, "get\xff", &v));
}
END_TEST

START_TEST(what_is_unknown_has_no_name)
{
	enum kmip_table t;

	ck_assert_ptr_null(kmip_def_name(KMIP_TABLE_STATE, 0));
	ck_assert_ptr_null(kmip_def_name(KMIP_TABLE_STATE, 7));
	ck_assert_uint_gt(kmip_def_since(KMIP_TABLE_TAG, 0x540001),
	    KMIP_MINOR_MAX);
	ck_assert_str_eq(kmip_def_type_name(0), "?");
	ck_assert_str_eq(kmip_def_type_name(255), "?");
	ck_assert(!kmip_def_table(KMIP_TAG_NAME, &t));
	ck_assert(kmip_def_is_vendor(0x80000001u));
}
END_TEST

START_TEST(later_names_know_their_version)
{
	ck_assert_uint_eq(kmip_def_since(KMIP_TABLE_TAG,
			      KMIP_TAG_ALTERNATIVE_NAME),
	    2);
	ck_assert_uint_eq(kmip_def_since(KMIP_TABLE_TAG, KMIP_TAG_SENSITIVE),
	    4);
	ck_assert_uint_eq(kmip_def_since(KMIP_TABLE_OPERATION, KMIP_OP_ENCRYPT),
	    2);
	ck_assert_uint_eq(kmip_def_since(KMIP_TABLE_OPERATION, KMIP_OP_GET), 0);
}
END_TEST

START_TEST(an_enumerations_tag_leads_to_its_table)
{
	enum kmip_table t;

	ck_assert(kmip_def_table(KMIP_TAG_STATE, &t));
	ck_assert_str_eq(kmip_def_name(t, 1), "Pre-Active");
	ck_assert(kmip_def_table(KMIP_TAG_CRYPTOGRAPHIC_ALGORITHM, &t));
	ck_assert_str_eq(kmip_def_name(t, 3), "AES");
}
END_TEST

TCase *
test_def(void)
{
	TCase *t = tcase_create("def");

	tcase_add_test(t, tags_have_the_values_of_the_standard);
	tcase_add_test(t, names_lead_to_values_and_back);
	tcase_add_test(t, names_are_found_however_they_are_joined);
	tcase_add_test(t, what_is_unknown_has_no_name);
	tcase_add_test(t, later_names_know_their_version);
	tcase_add_test(t, an_enumerations_tag_leads_to_its_table);
	return t;
}
