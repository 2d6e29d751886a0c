#include "tests/unit/hsm/tests.h"

#include <stdio.h>
#include <string.h>

#include "hsm/object.h"

/* The HMK of the test, and its handle for raw calls. */
static struct kms_slot slot;
static struct raw raw;
static CK_OBJECT_HANDLE h;

static void
one_key(void)
{
	token_open();
	slot = made(KMS_ROLE_HMK, 1);
	raw = raw_open();
	ck_assert_uint_eq(raw_find(raw, CKO_SECRET_KEY, "p11kms HMK site-01",
			      &h, 1),
	    1);
}

static size_t
keys_there(void)
{
	CK_OBJECT_HANDLE all[4];

	return raw_find(raw, CKO_SECRET_KEY, NULL, all, 4);
}

START_TEST(is_labelled_and_described)
{
	struct kms_attr_report report;

	ck_assert_int_eq(slot.mech, KMS_MECH_AES_KW);
	ck_assert_str_eq(slot.token_label, "p11kms");
	assert_ok(sealer->describe(sealer, &slot, &report));
	ck_assert_uint_gt(report.n, 10);
	for (size_t i = 0; i < report.n; i++)
		ck_assert_msg(report.line[i].ok, "%s", report.line[i].name);
	assert_ok(sealer->check(sealer, &slot));
}
END_TEST

START_TEST(does_not_show_its_value)
{
	uint8_t value[64];
	CK_ATTRIBUTE a = {CKA_VALUE, value, sizeof(value)};

	ck_assert_uint_eq(raw.f->C_GetAttributeValue(raw.h, h, &a, 1),
	    CKR_ATTRIBUTE_SENSITIVE);
}
END_TEST

START_TEST(is_not_wrapped_out)
{
	CK_MECHANISM kw = {CKM_AES_KEY_WRAP, NULL, 0};
	CK_MECHANISM kwp = {CKM_AES_KEY_WRAP_PAD, NULL, 0};
	struct kms_slot other = made(KMS_ROLE_KPK, 2);
	CK_OBJECT_HANDLE by;
	uint8_t out[64];
	CK_ULONG len = sizeof(out);

	(void)other;
	ck_assert_uint_eq(raw_find(raw, CKO_SECRET_KEY, "p11kms KPK site-02",
			      &by, 1),
	    1);
	ck_assert_uint_ne(raw.f->C_WrapKey(raw.h, &kw, by, h, out, &len),
	    CKR_OK);
	len = sizeof(out);
	ck_assert_uint_ne(raw.f->C_WrapKey(raw.h, &kwp, by, h, out, &len),
	    CKR_OK);
	len = sizeof(out);
	ck_assert_uint_ne(raw.f->C_WrapKey(raw.h, &kw, h, h, out, &len),
	    CKR_OK);
}
END_TEST

/* With both pairs of usages, this gave up a data key. */
START_TEST(does_not_decrypt_what_it_wrapped)
{
	CK_BYTE iv[16] = {0};
	CK_MECHANISM m[] = {
	    {CKM_AES_ECB, NULL, 0},
	    {CKM_AES_CBC, iv, 16},
	    {CKM_AES_CBC_PAD, iv, 16},
	};
	struct kms_secret *key = secret_of(7);
	struct kms_wrapped w;

	assert_ok(sealer->wrap(sealer, &slot, key, &w));
	for (size_t i = 0; i < 3; i++) {
		ck_assert_uint_ne(raw.f->C_DecryptInit(raw.h, &m[i], h),
		    CKR_OK);
		ck_assert_uint_ne(raw.f->C_EncryptInit(raw.h, &m[i], h),
		    CKR_OK);
	}
	kms_secret_free(&key);
}
END_TEST

START_TEST(is_not_copied_with_more_usages)
{
	CK_OBJECT_HANDLE copy;
	struct hsm_template t;

	hsm_template_init(&t);
	hsm_template_bool(&t, CKA_TOKEN, false);
	ck_assert_uint_ne(raw.f->C_CopyObject(raw.h, h, t.a, t.n, &copy),
	    CKR_OK);
	hsm_template_bool(&t, CKA_DECRYPT, true);
	ck_assert_uint_ne(raw.f->C_CopyObject(raw.h, h, t.a, t.n, &copy),
	    CKR_OK);
}
END_TEST

START_TEST(is_not_changed)
{
	static const CK_ATTRIBUTE_TYPE up[] = {CKA_DECRYPT, CKA_ENCRYPT,
	    CKA_EXTRACTABLE, CKA_MODIFIABLE};
	struct hsm_template t;

	for (size_t i = 0; i < 4; i++) {
		hsm_template_init(&t);
		hsm_template_bool(&t, up[i], true);
		ck_assert_uint_ne(raw.f->C_SetAttributeValue(raw.h, h, t.a,
				      t.n),
		    CKR_OK);
	}
	hsm_template_init(&t);
	hsm_template_bool(&t, CKA_SENSITIVE, false);
	ck_assert_uint_ne(raw.f->C_SetAttributeValue(raw.h, h, t.a, t.n),
	    CKR_OK);
}
END_TEST

START_TEST(made_again_is_the_same_key)
{
	struct kms_secret *key;
	struct kms_wrapped w;

	assert_ok(sealer->wrap(sealer, &slot, NULL, &w));
	(void)made(KMS_ROLE_HMK, 1);
	assert_ok(sealer->unwrap(sealer, &slot, &w, &key));
	kms_secret_free(&key);
	ck_assert_uint_eq(keys_there(), 1);
}
END_TEST

START_TEST(made_from_a_value_replaces_what_was_there)
{
	struct kms_secret *value = secret_of(3), *key;
	struct kms_wrapped w;

	assert_ok(sealer->wrap(sealer, &slot, NULL, &w));
	assert_ok(sealer->make(sealer, value, &slot));
	ck_assert_uint_eq(keys_there(), 1);
	ck_assert_int_eq(sealer->unwrap(sealer, &slot, &w, &key), KMS_ERR_AUTH);
	ck_assert_ptr_null(key);
	kms_secret_free(&value);
}
END_TEST

START_TEST(comes_back_from_its_value)
{
	struct kms_slot a = slot_of(KMS_ROLE_KPK, 4), b = a;
	struct kms_secret *value = secret_of(3), *key, *again;
	struct kms_wrapped w;

	memset(b.cka_id, 5, 16);
	assert_ok(sealer->make(sealer, value, &a));
	assert_ok(sealer->wrap(sealer, &a, NULL, &w));
	assert_ok(sealer->unwrap(sealer, &a, &w, &key));
	assert_ok(sealer->drop(sealer, &a));
	b.mech = a.mech;
	assert_ok(sealer->make(sealer, value, &b));
	assert_ok(sealer->unwrap(sealer, &b, &w, &again));
	ck_assert(kms_secret_equal(key, again));
	kms_secret_free(&key);
	kms_secret_free(&again);
	kms_secret_free(&value);
}
END_TEST

START_TEST(dropped_is_gone)
{
	struct kms_secret *key;
	struct kms_wrapped w;

	assert_ok(sealer->wrap(sealer, &slot, NULL, &w));
	assert_ok(sealer->drop(sealer, &slot));
	assert_ok(sealer->drop(sealer, &slot));
	ck_assert_uint_eq(keys_there(), 0);
	assert_fails(sealer->check(sealer, &slot), KMS_ERR_NOTFOUND, "site-01");
	ck_assert_int_eq(sealer->unwrap(sealer, &slot, &w, &key),
	    KMS_ERR_NOTFOUND);
}
END_TEST

START_TEST(enters_by_rsa_oaep_where_clear_secrets_are_refused)
{
	struct kms_slot s = slot_of(KMS_ROLE_KPK, 6);
	struct kms_secret *value = secret_of(9), *data = secret_of(8), *key;
	struct kms_wrapped w;

	faults("nosecret");
	assert_ok(sealer->make(sealer, value, &s));
	assert_ok(sealer->wrap(sealer, &s, data, &w));
	assert_ok(sealer->unwrap(sealer, &s, &w, &key));
	ck_assert(kms_secret_equal(key, data));
	ck_assert_uint_eq(raw_find(raw, CKO_PRIVATE_KEY, NULL, &h, 1), 0);
	ck_assert_uint_eq(keys_there(), 2);
	kms_secret_free(&value);
	kms_secret_free(&data);
	kms_secret_free(&key);
}
END_TEST

START_TEST(that_cannot_be_made_leaves_nothing)
{
	struct kms_slot s = slot_of(KMS_ROLE_KPK, 6);
	struct kms_secret *value = secret_of(9);

	faults("nosecret C_GenerateKeyPair:1+=54");
	assert_fails(sealer->make(sealer, value, &s), KMS_ERR_TOKEN,
	    "takes no secret: C_CreateObject: CKR_ATTRIBUTE_VALUE_INVALID");
	ck_assert_uint_eq(keys_there(), 1);
	kms_secret_free(&value);
}
END_TEST

START_TEST(failing_its_test_is_removed_again)
{
	struct kms_slot s = slot_of(KMS_ROLE_KPK, 6);

	s.mech = KMS_MECH_AES_KW;
	faults("copies");
	assert_fails(sealer->make(sealer, NULL, &s), KMS_ERR_MASTER,
	    "copies it");
	ck_assert_uint_eq(keys_there(), 1);
}
END_TEST

START_TEST(of_a_failed_replacement_the_old_one_stays)
{
	struct kms_secret *value = secret_of(3), *key;
	struct kms_wrapped w;

	assert_ok(sealer->wrap(sealer, &slot, NULL, &w));
	faults("copies");
	ck_assert_int_eq(sealer->make(sealer, value, &slot), KMS_ERR_MASTER);
	faults("");
	ck_assert_uint_eq(keys_there(), 1);
	assert_ok(sealer->unwrap(sealer, &slot, &w, &key));
	kms_secret_free(&key);
	kms_secret_free(&value);
}
END_TEST

START_TEST(whose_answer_was_lost_is_not_made_twice)
{
	struct kms_slot s = slot_of(KMS_ROLE_KPK, 6);
	CK_OBJECT_HANDLE all[3];

	s.mech = KMS_MECH_AES_KW;
	faults("C_GenerateKey:1!=32");
	assert_ok(sealer->make(sealer, NULL, &s));
	ck_assert_uint_eq(raw_find(raw_open(), CKO_SECRET_KEY, NULL, all, 3),
	    2);
	ck_assert_uint_eq(calls_of("C_Login"), 2);
}
END_TEST

/* Every call that a make makes, failing before or after it was done, once or
 * for ever: afterwards a make without faults leaves one key that works, and
 * nothing half-made. */
static const char *const made_by[] = {"C_FindObjectsInit", "C_FindObjects",
    "C_GetAttributeValue", "C_OpenSession", "C_GenerateKey", "C_EncryptInit",
    "C_Encrypt", "C_WrapKey", "C_UnwrapKey", "C_DestroyObject"};

START_TEST(interrupted_at_any_call_is_finished_by_the_next)
{
	static const char *const how[] = {"=5", "!=5", "=32", "!=32", "+=5"};
	struct kms_slot s = slot_of(KMS_ROLE_KPK, 6);
	struct kms_secret *key;
	struct kms_wrapped w;
	uint8_t debris[8][32];
	char rule[64];
	size_t n;

	for (unsigned i = 0; i < 5 * 3; i++) {
		(void)snprintf(rule, sizeof(rule), "%s:%u%s", made_by[_i],
		    1 + 2 * (i % 3), how[i / 3]);
		faults(rule);
		s.mech = KMS_MECH_NONE;
		(void)sealer->make(sealer, NULL, &s);
		faults("");
		s.mech = KMS_MECH_AES_KW;
		assert_ok(sealer->make(sealer, NULL, &s));
		raw = raw_open();
		ck_assert_msg(keys_there() == 2, "%s", rule);
		assert_ok(sealer->debris_list(sealer, debris, 8, &n));
		ck_assert_uint_eq(n, 0);
		assert_ok(sealer->wrap(sealer, &s, NULL, &w));
		assert_ok(sealer->unwrap(sealer, &s, &w, &key));
		kms_secret_free(&key);
		assert_ok(sealer->drop(sealer, &s));
		(void)raw.f->C_CloseSession(raw.h);
	}
}
END_TEST

TCase *
key_tests(void)
{
	TCase *tc = tcase_create("a master key");

	tcase_add_checked_fixture(tc, one_key, token_away);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, is_labelled_and_described);
	tcase_add_test(tc, does_not_show_its_value);
	tcase_add_test(tc, is_not_wrapped_out);
	tcase_add_test(tc, does_not_decrypt_what_it_wrapped);
	tcase_add_test(tc, is_not_copied_with_more_usages);
	tcase_add_test(tc, is_not_changed);
	tcase_add_test(tc, made_again_is_the_same_key);
	tcase_add_test(tc, made_from_a_value_replaces_what_was_there);
	tcase_add_test(tc, comes_back_from_its_value);
	tcase_add_test(tc, dropped_is_gone);
	tcase_add_test(tc, enters_by_rsa_oaep_where_clear_secrets_are_refused);
	tcase_add_test(tc, that_cannot_be_made_leaves_nothing);
	tcase_add_test(tc, failing_its_test_is_removed_again);
	tcase_add_test(tc, of_a_failed_replacement_the_old_one_stays);
	tcase_add_test(tc, whose_answer_was_lost_is_not_made_twice);
	tcase_add_loop_test(tc, interrupted_at_any_call_is_finished_by_the_next,
	    0, (int)(sizeof(made_by) / sizeof(made_by[0])));
	return tc;
}
