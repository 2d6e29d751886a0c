#include "tests/unit/hsm/tests.h"

#include <string.h>

static const uint8_t id[4] = {0xca, 0xfe, 0, 1};
static const CK_ULONG as_usual[] = {CK_UNAVAILABLE_INFORMATION};
static const CK_ULONG crypting[] = {CKA_WRAP, 0, CKA_UNWRAP, 0, CKA_ENCRYPT, 1,
    CKA_DECRYPT, 1, CK_UNAVAILABLE_INFORMATION};

static const struct kms_wanted by_label = {
    .role = KMS_ROLE_KPK,
    .label = "ceremony",
};
static const struct kms_wanted by_id = {
    .role = KMS_ROLE_KPK,
    .cka_id = id,
    .cka_id_len = sizeof(id),
};

static CK_OBJECT_HANDLE
ceremony(const CK_ULONG *pairs)
{
	return raw_make(raw_open(), "ceremony", id, sizeof(id), pairs);
}

static void
works(const struct kms_slot *slot)
{
	struct kms_secret *key;
	struct kms_wrapped w;

	assert_ok(sealer->check(sealer, slot));
	assert_ok(sealer->wrap(sealer, slot, NULL, &w));
	assert_ok(sealer->unwrap(sealer, slot, &w, &key));
	kms_secret_free(&key);
}

START_TEST(a_key_is_taken_over_by_label)
{
	struct kms_slot slot = {.id = "site"};
	struct kms_attr_report report;

	(void)ceremony(as_usual);
	assert_ok(sealer->adopt(sealer, &by_label, &slot, &report));
	ck_assert_int_eq(slot.role, KMS_ROLE_KPK);
	ck_assert_int_eq(slot.mech, KMS_MECH_AES_KW);
	ck_assert_uint_eq(slot.cka_id_len, sizeof(id));
	ck_assert_mem_eq(slot.cka_id, id, sizeof(id));
	ck_assert_str_eq(slot.token_label, "p11kms");
	ck_assert_str_eq(slot.id, "site");
	works(&slot);
}
END_TEST

START_TEST(a_key_is_taken_over_by_cka_id)
{
	struct kms_slot slot = {.id = "site"};

	(void)ceremony(as_usual);
	assert_ok(sealer->adopt(sealer, &by_id, &slot, NULL));
	works(&slot);
}
END_TEST

START_TEST(an_encrypting_key_is_taken_over_for_gcm)
{
	struct kms_slot slot = {.id = "site"};

	(void)ceremony(crypting);
	assert_ok(sealer->adopt(sealer, &by_id, &slot, NULL));
	ck_assert_int_eq(slot.mech, KMS_MECH_AES_GCM);
	works(&slot);
}
END_TEST

START_TEST(the_mechanism_the_token_has_is_found)
{
	struct kms_slot slot = {.id = "site"};

	(void)ceremony(as_usual);
	faults("nomech=2109");
	assert_ok(sealer->adopt(sealer, &by_id, &slot, NULL));
	ck_assert_int_eq(slot.mech, KMS_MECH_AES_KWP);
	works(&slot);
}
END_TEST

START_TEST(a_preview_shows_all_and_changes_nothing)
{
	struct kms_attr_report report;
	unsigned sets, creates;
	CK_OBJECT_HANDLE h[4];

	(void)ceremony(as_usual);
	sets = calls_of("C_SetAttributeValue");
	creates = calls_of("C_CreateObject");
	assert_ok(sealer->adopt(sealer, &by_label, NULL, &report));
	ck_assert_int_eq(report.mech, KMS_MECH_AES_KW);
	ck_assert_uint_gt(report.n, 10);
	for (size_t i = 0; i < report.n; i++)
		ck_assert(report.line[i].ok);
	ck_assert_uint_eq(calls_of("C_SetAttributeValue"), sets);
	ck_assert_uint_eq(calls_of("C_CreateObject"), creates);
	ck_assert_uint_eq(raw_find(raw_open(), CKO_SECRET_KEY, NULL, h, 4), 1);
}
END_TEST

START_TEST(what_is_wrong_is_named_and_shown)
{
	static const CK_ULONG open_key[] = {CKA_EXTRACTABLE, 1,
	    CK_UNAVAILABLE_INFORMATION};
	struct kms_attr_report report = {.n = 0};
	struct kms_slot slot = {.id = "site"};
	size_t wrong = 0;

	(void)ceremony(open_key);
	assert_fails(sealer->adopt(sealer, &by_label, &slot, &report),
	    KMS_ERR_MASTER, "CKA_EXTRACTABLE is true, must be false");
	for (size_t i = 0; i < report.n; i++)
		wrong += !report.line[i].ok;
	ck_assert_uint_eq(wrong, 1);
	ck_assert_uint_eq(slot.cka_id_len, 0);
}
END_TEST

START_TEST(both_pairs_of_usages_are_refused)
{
	static const CK_ULONG both[] = {CKA_ENCRYPT, 1, CKA_DECRYPT, 1,
	    CK_UNAVAILABLE_INFORMATION};
	struct kms_slot slot = {.id = "site"};

	(void)ceremony(both);
	assert_fails(sealer->adopt(sealer, &by_label, &slot, NULL),
	    KMS_ERR_MASTER, "CKA_ENCRYPT is true");
}
END_TEST

START_TEST(two_of_one_label_are_refused)
{
	struct kms_slot slot = {.id = "site"};
	static const uint8_t id2[] = {2};

	(void)ceremony(as_usual);
	(void)raw_make(raw_open(), "ceremony", id2, 1, as_usual);
	assert_fails(sealer->adopt(sealer, &by_label, &slot, NULL),
	    KMS_ERR_MASTER, "several secret keys have that label");
	assert_ok(sealer->adopt(sealer, &by_id, &slot, NULL));
}
END_TEST

START_TEST(two_of_one_cka_id_are_refused)
{
	struct kms_slot slot = {.id = "site"};

	(void)ceremony(as_usual);
	(void)raw_make(raw_open(), "another", id, sizeof(id), as_usual);
	assert_fails(sealer->adopt(sealer, &by_label, &slot, NULL),
	    KMS_ERR_MASTER, "2 keys share its CKA_ID");
	assert_fails(sealer->adopt(sealer, &by_id, &slot, NULL), KMS_ERR_MASTER,
	    "several secret keys have that CKA_ID");
}
END_TEST

START_TEST(none_and_one_without_cka_id_are_refused)
{
	struct kms_slot slot = {.id = "site"};

	assert_fails(sealer->adopt(sealer, &by_label, &slot, NULL),
	    KMS_ERR_NOTFOUND, "no secret key of that label");
	(void)raw_make(raw_open(), "ceremony", NULL, 0, as_usual);
	assert_fails(sealer->adopt(sealer, &by_label, &slot, NULL),
	    KMS_ERR_MASTER, "has no CKA_ID");
}
END_TEST

TCase *
adopt_tests(void)
{
	TCase *tc = case_opened("adopt");

	tcase_add_test(tc, a_key_is_taken_over_by_label);
	tcase_add_test(tc, a_key_is_taken_over_by_cka_id);
	tcase_add_test(tc, an_encrypting_key_is_taken_over_for_gcm);
	tcase_add_test(tc, the_mechanism_the_token_has_is_found);
	tcase_add_test(tc, a_preview_shows_all_and_changes_nothing);
	tcase_add_test(tc, what_is_wrong_is_named_and_shown);
	tcase_add_test(tc, both_pairs_of_usages_are_refused);
	tcase_add_test(tc, two_of_one_label_are_refused);
	tcase_add_test(tc, two_of_one_cka_id_are_refused);
	tcase_add_test(tc, none_and_one_without_cka_id_are_refused);
	return tc;
}
