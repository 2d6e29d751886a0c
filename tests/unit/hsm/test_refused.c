#include "tests/unit/hsm/tests.h"

#include <string.h>

#include "hsm/object.h"

/* Keys that somebody else put into the token under our CKA_ID. */
static const CK_ULONG as_usual[] = {CK_UNAVAILABLE_INFORMATION};

static struct kms_slot
planted(const CK_ULONG *pairs)
{
	struct kms_slot slot = slot_of(KMS_ROLE_HMK, 1);

	slot.mech = KMS_MECH_AES_KW;
	(void)raw_make(raw_open(), "p11kms HMK site-01", slot.cka_id, 16,
	    pairs);
	return slot;
}

START_TEST(a_second_key_of_its_cka_id_is_refused_by_name)
{
	struct kms_slot slot = made(KMS_ROLE_HMK, 1);

	(void)planted(as_usual);
	assert_fails(sealer->check(sealer, &slot), KMS_ERR_MASTER,
	    "HMK 'site-01' (CKA_ID 0101");
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_MASTER),
	    "2 keys have"));
}
END_TEST

static void
is_refused_for(CK_ATTRIBUTE_TYPE type, CK_ULONG value, const char *name)
{
	const CK_ULONG pairs[] = {type, value, CK_UNAVAILABLE_INFORMATION};
	struct kms_slot slot = planted(pairs);

	assert_fails(sealer->check(sealer, &slot), KMS_ERR_MASTER, name);
}

START_TEST(an_extractable_key_is_refused_by_name)
{
	is_refused_for(CKA_EXTRACTABLE, 1, "CKA_EXTRACTABLE is true");
}
END_TEST

START_TEST(a_key_that_shows_its_value_is_refused_by_name)
{
	is_refused_for(CKA_SENSITIVE, 0, "CKA_SENSITIVE is false");
}
END_TEST

START_TEST(a_key_with_both_pairs_of_usages_is_refused_by_name)
{
	is_refused_for(CKA_DECRYPT, 1, "CKA_DECRYPT is true");
}
END_TEST

START_TEST(a_key_that_can_be_changed_is_refused_by_name)
{
	is_refused_for(CKA_MODIFIABLE, 1, "CKA_MODIFIABLE is true");
}
END_TEST

START_TEST(a_key_that_can_be_copied_is_refused_by_name)
{
	is_refused_for(CKA_COPYABLE, 1, "CKA_COPYABLE is true");
}
END_TEST

START_TEST(a_public_key_object_is_refused_by_name)
{
	is_refused_for(CKA_PRIVATE, 0, "CKA_PRIVATE is false");
}
END_TEST

/* Right label, CKA_ID and attributes: only what it opens tells. */
START_TEST(a_key_of_another_value_opens_nothing_and_wraps_nothing)
{
	struct kms_slot slot = made(KMS_ROLE_HMK, 1);
	struct kms_secret *key;
	struct kms_wrapped w, w2;
	struct raw r;
	CK_OBJECT_HANDLE h;

	assert_ok(sealer->wrap(sealer, &slot, NULL, &w));
	r = raw_open();
	ck_assert_uint_eq(raw_find(r, CKO_SECRET_KEY, NULL, &h, 1), 1);
	ck_assert_uint_eq(r.f->C_DestroyObject(r.h, h), CKR_OK);
	close_sealer();
	open_ok();
	(void)planted(as_usual);
	assert_ok(sealer->check(sealer, &slot));
	assert_fails(sealer->wrap(sealer, &slot, NULL, &w2), KMS_ERR_MASTER,
	    "proven");
	assert_fails(sealer->unwrap(sealer, &slot, &w, &key), KMS_ERR_AUTH,
	    "site-01");
	ck_assert_ptr_null(key);
	assert_fails(sealer->wrap(sealer, &slot, NULL, &w2), KMS_ERR_MASTER,
	    "proven");
}
END_TEST

START_TEST(a_key_exchanged_under_a_running_process_is_refused)
{
	struct kms_slot slot = made(KMS_ROLE_HMK, 1);
	struct raw r = raw_open();
	struct kms_wrapped w, w2;
	struct kms_secret *key;
	CK_OBJECT_HANDLE h;

	assert_ok(sealer->wrap(sealer, &slot, NULL, &w));
	ck_assert_uint_eq(raw_find(r, CKO_SECRET_KEY, NULL, &h, 1), 1);
	ck_assert_uint_eq(r.f->C_DestroyObject(r.h, h), CKR_OK);
	(void)planted(as_usual);
	assert_fails(sealer->wrap(sealer, &slot, NULL, &w2), KMS_ERR_MASTER,
	    "another key under its CKA_ID");
	assert_fails(sealer->unwrap(sealer, &slot, &w, &key), KMS_ERR_MASTER,
	    "another key under its CKA_ID");
	ck_assert_ptr_null(key);
}
END_TEST

static CK_OBJECT_HANDLE
data_object(struct raw r, const char *application, const char *label)
{
	struct hsm_template t;
	CK_OBJECT_HANDLE h;

	hsm_template_init(&t);
	hsm_template_number(&t, CKA_CLASS, CKO_DATA);
	hsm_template_bool(&t, CKA_TOKEN, true);
	hsm_template_bool(&t, CKA_PRIVATE, true);
	hsm_template_bytes(&t, CKA_APPLICATION, application,
	    strlen(application));
	hsm_template_bytes(&t, CKA_LABEL, label, strlen(label));
	ck_assert_uint_eq(r.f->C_CreateObject(r.h, t.a, t.n, &h), CKR_OK);
	return h;
}

START_TEST(half_made_objects_are_swept_and_others_are_not)
{
	uint8_t before[8][32];
	CK_OBJECT_HANDLE h[8];
	struct raw r = raw_open();
	size_t n, swept;

	(void)data_object(r, "", "");      /* was there before */
	(void)data_object(r, "mail", "x"); /* somebody else's */
	(void)data_object(r, "mail", "");  /* somebody else's */
	(void)made(KMS_ROLE_HMK, 1);
	assert_ok(sealer->debris_list(sealer, before, 8, &n));
	ck_assert_uint_eq(n, 1);
	(void)data_object(r, "", "");
	(void)data_object(r, "", "");
	(void)data_object(r, "p11kms", "");
	assert_ok(sealer->debris_sweep(sealer, (const uint8_t(*)[32])before, n,
	    &swept));
	ck_assert_uint_eq(swept, 3);
	ck_assert_uint_eq(raw_find(r, CKO_DATA, NULL, h, 8), 3);
	ck_assert_uint_eq(raw_find(r, CKO_SECRET_KEY, NULL, h, 8), 1);
	assert_ok(sealer->debris_list(sealer, before, 8, &n));
	ck_assert_uint_eq(n, 1);
}
END_TEST

START_TEST(too_much_debris_is_said_so)
{
	uint8_t list[1][32];
	struct raw r = raw_open();
	size_t n;

	(void)data_object(r, "", "");
	(void)data_object(r, "", "");
	assert_fails(sealer->debris_list(sealer, list, 1, &n), KMS_ERR_LIMIT,
	    "half-made");
}
END_TEST

TCase *
refused_tests(void)
{
	TCase *tc = case_opened("refused");

	tcase_add_test(tc, a_second_key_of_its_cka_id_is_refused_by_name);
	tcase_add_test(tc, an_extractable_key_is_refused_by_name);
	tcase_add_test(tc, a_key_that_shows_its_value_is_refused_by_name);
	tcase_add_test(tc, a_key_with_both_pairs_of_usages_is_refused_by_name);
	tcase_add_test(tc, a_key_that_can_be_changed_is_refused_by_name);
	tcase_add_test(tc, a_key_that_can_be_copied_is_refused_by_name);
	tcase_add_test(tc, a_public_key_object_is_refused_by_name);
	tcase_add_test(tc,
	    a_key_of_another_value_opens_nothing_and_wraps_nothing);
	tcase_add_test(tc, a_key_exchanged_under_a_running_process_is_refused);
	tcase_add_test(tc, half_made_objects_are_swept_and_others_are_not);
	tcase_add_test(tc, too_much_debris_is_said_so);
	return tc;
}
