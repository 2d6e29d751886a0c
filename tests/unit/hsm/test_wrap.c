#include "tests/unit/hsm/tests.h"

#include <string.h>

#include "hsm/host.h"

/* Which mechanism a token has when it lacks these, and how long that makes a
 * wrapped key. */
static const struct {
	const char *without;
	enum kms_mech mech;
	size_t len;
} have[] = {
    {"", KMS_MECH_AES_KW, 40},
    {"nomech=2109", KMS_MECH_AES_KWP, 40},
    {"nomech=2109 nomech=210a", KMS_MECH_AES_GCM, 60},
    {"nomech=2109 nomech=210a nomech=1087", KMS_MECH_AES_CBC, 48},
};

START_TEST(the_first_mechanism_that_works_is_chosen)
{
	struct kms_slot slot;

	faults(have[_i].without);
	slot = made(KMS_ROLE_KPK, 1);
	ck_assert_int_eq(slot.mech, have[_i].mech);
	assert_ok(sealer->check(sealer, &slot));
}
END_TEST

START_TEST(a_token_with_none_is_refused)
{
	struct kms_slot slot = slot_of(KMS_ROLE_KPK, 1);

	faults("nomech=2109 nomech=210a nomech=1087 nomech=1082");
	assert_fails(sealer->make(sealer, NULL, &slot), KMS_ERR_TOKEN,
	    "has none of AES-KW");
}
END_TEST

START_TEST(what_is_wrapped_comes_back)
{
	struct kms_secret *data = secret_of(0xa5), *key;
	struct kms_wrapped w;
	struct kms_slot slot;
	uint8_t kcv[8];

	faults(have[_i].without);
	slot = made(KMS_ROLE_KPK, 1);
	assert_ok(sealer->wrap(sealer, &slot, data, &w));
	ck_assert_uint_eq(w.len, have[_i].len);
	assert_ok(kms_kcv(data, kcv));
	ck_assert_mem_eq(w.kcv, kcv, 8);
	assert_ok(sealer->unwrap(sealer, &slot, &w, &key));
	ck_assert(kms_secret_equal(key, data));
	kms_secret_free(&key);
	kms_secret_free(&data);
}
END_TEST

START_TEST(born_keys_differ_and_have_their_check_value)
{
	struct kms_secret *a, *b;
	struct kms_wrapped w, v;
	struct kms_slot slot;
	uint8_t kcv[8];

	faults(have[_i].without);
	slot = made(KMS_ROLE_KPK, 1);
	assert_ok(sealer->wrap(sealer, &slot, NULL, &w));
	assert_ok(sealer->wrap(sealer, &slot, NULL, &v));
	assert_ok(sealer->unwrap(sealer, &slot, &w, &a));
	assert_ok(sealer->unwrap(sealer, &slot, &v, &b));
	ck_assert(!kms_secret_equal(a, b));
	assert_ok(kms_kcv(a, kcv));
	ck_assert_mem_eq(w.kcv, kcv, 8);
	kms_secret_free(&a);
	kms_secret_free(&b);
}
END_TEST

/* Every bit of the wrapped bytes and of the check value. */
START_TEST(any_altered_bit_is_refused)
{
	struct kms_wrapped w, bad;
	struct kms_secret *key;
	struct kms_slot slot;

	faults(have[_i].without);
	slot = made(KMS_ROLE_KPK, 1);
	assert_ok(sealer->wrap(sealer, &slot, NULL, &w));
	for (size_t bit = 0; bit < 8 * (w.len + 8); bit += 3) {
		bad = w;
		if (bit < 8 * w.len)
			bad.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		else
			bad.kcv[bit / 8 - w.len] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_eq(sealer->unwrap(sealer, &slot, &bad, &key),
		    KMS_ERR_AUTH);
		ck_assert_ptr_null(key);
	}
	ck_assert_uint_eq(calls_of("C_Login"), 1);
}
END_TEST

START_TEST(any_other_length_is_refused)
{
	struct kms_wrapped w, bad;
	struct kms_secret *key;
	struct kms_slot slot;

	faults(have[_i].without);
	slot = made(KMS_ROLE_KPK, 1);
	assert_ok(sealer->wrap(sealer, &slot, NULL, &w));
	for (size_t len = 0; len <= KMS_WRAPPED_MAX; len++) {
		if (len == w.len)
			continue;
		bad = w;
		bad.len = len;
		ck_assert_int_eq(sealer->unwrap(sealer, &slot, &bad, &key),
		    KMS_ERR_AUTH);
	}
}
END_TEST

START_TEST(a_key_moves_from_one_master_key_to_another)
{
	struct kms_secret *key, *again;
	struct kms_wrapped w, v;
	struct kms_slot from, to;

	from = made(KMS_ROLE_KPK, 1);
	faults(have[_i].without);
	to = made(KMS_ROLE_KPK, 2);
	faults("");
	assert_ok(sealer->wrap(sealer, &from, NULL, &w));
	v = w;
	assert_ok(sealer->rewrap(sealer, &from, &to, &v, 1));
	ck_assert_uint_eq(v.len, have[_i].len);
	ck_assert_mem_eq(v.kcv, w.kcv, 8);
	assert_ok(sealer->unwrap(sealer, &from, &w, &key));
	assert_ok(sealer->unwrap(sealer, &to, &v, &again));
	ck_assert(kms_secret_equal(key, again));
	kms_secret_free(&key);
	kms_secret_free(&again);
}
END_TEST

START_TEST(a_bad_key_does_not_move)
{
	struct kms_wrapped w, v;
	struct kms_slot from = made(KMS_ROLE_KPK, 1);
	struct kms_slot to = made(KMS_ROLE_KPK, 2);

	assert_ok(sealer->wrap(sealer, &from, NULL, &w));
	w.kcv[0] ^= 1;
	v = w;
	ck_assert_int_eq(sealer->rewrap(sealer, &from, &to, &v, 1),
	    KMS_ERR_AUTH);
	ck_assert_mem_eq(&v, &w, sizeof(w));
}
END_TEST

START_TEST(many_keys_move_together_or_none_does)
{
	struct kms_slot from = made(KMS_ROLE_KPK, 1);
	struct kms_slot to = made(KMS_ROLE_KPK, 2);
	struct kms_wrapped w[KMS_REWRAP_MOST], v[KMS_REWRAP_MOST];
	size_t i, last = KMS_REWRAP_MOST - 1;

	for (i = 0; i <= last; i++)
		assert_ok(sealer->wrap(sealer, &from, NULL, &w[i]));
	w[last].kcv[0] ^= 1;
	memcpy(v, w, sizeof(v));
	ck_assert_int_eq(sealer->rewrap(sealer, &from, &to, v, last + 1),
	    KMS_ERR_AUTH);
	ck_assert_mem_eq(v, w, sizeof(w));
	w[last].kcv[0] ^= 1;
	memcpy(v, w, sizeof(v));
	assert_ok(sealer->rewrap(sealer, &from, &to, v, last + 1));
	for (i = 0; i <= last; i++) {
		ck_assert_mem_eq(v[i].kcv, w[i].kcv, sizeof(w[i].kcv));
		assert_ok(sealer->prove(sealer, &to, &v[i]));
		ck_assert_int_eq(sealer->prove(sealer, &from, &v[i]),
		    KMS_ERR_AUTH);
	}
}
END_TEST

/* Its value is asked of the token by C_GetAttributeValue alone. */
START_TEST(born_and_moved_keys_never_reach_the_host)
{
	struct kms_slot from = made(KMS_ROLE_KPK, 1);
	struct kms_slot to = made(KMS_ROLE_KPK, 2);
	struct kms_wrapped w;
	unsigned before;

	assert_ok(sealer->check(sealer, &from));
	assert_ok(sealer->check(sealer, &to));
	before = calls_of("C_GetAttributeValue");
	assert_ok(sealer->wrap(sealer, &from, NULL, &w));
	assert_ok(sealer->rewrap(sealer, &from, &to, &w, 1));
	ck_assert_uint_eq(calls_of("C_GetAttributeValue"), before);
	ck_assert_uint_eq(calls_of("C_Decrypt"), 0);
}
END_TEST

START_TEST(an_imported_master_key_is_proven_by_the_host)
{
	struct kms_secret *master = secret_of(0x31), *key, *by_host;
	struct kms_slot slot = slot_of(KMS_ROLE_KPK, 1);
	struct kms_wrapped w;

	faults(have[_i].without);
	assert_ok(sealer->make(sealer, master, &slot));
	assert_ok(sealer->wrap(sealer, &slot, NULL, &w));
	assert_ok(hsm_host_unwrap(slot.mech, master, &w, &by_host));
	assert_ok(sealer->unwrap(sealer, &slot, &w, &key));
	ck_assert(kms_secret_equal(key, by_host));
	w.bytes[w.len - 1] ^= 1;
	kms_secret_free(&by_host);
	ck_assert_int_eq(hsm_host_unwrap(slot.mech, master, &w, &by_host),
	    KMS_ERR_AUTH);
	kms_secret_free(&key);
	kms_secret_free(&master);
}
END_TEST

/* opencryptoki refuses to be told what SoftHSM needs to be told. */
START_TEST(a_token_that_wants_a_bare_template_gets_it)
{
	struct kms_secret *data = secret_of(0xa5), *key;
	struct kms_wrapped w;
	struct kms_slot slot;
	unsigned before;

	faults("bare");
	slot = made(KMS_ROLE_KPK, 1);
	assert_ok(sealer->wrap(sealer, &slot, data, &w));
	before = calls_of("C_UnwrapKey");
	assert_ok(sealer->unwrap(sealer, &slot, &w, &key));
	ck_assert(kms_secret_equal(key, data));
	ck_assert_uint_eq(calls_of("C_UnwrapKey"), before + 1);
	kms_secret_free(&key);
	kms_secret_free(&data);
}
END_TEST

START_TEST(no_session_object_stays_behind)
{
	struct kms_slot slot = made(KMS_ROLE_KPK, 1);
	struct kms_secret *data = secret_of(1), *key;
	struct kms_wrapped w;
	CK_OBJECT_HANDLE h[4];

	assert_ok(sealer->wrap(sealer, &slot, NULL, &w));
	assert_ok(sealer->wrap(sealer, &slot, data, &w));
	assert_ok(sealer->rewrap(sealer, &slot, &slot, &w, 1));
	assert_ok(sealer->unwrap(sealer, &slot, &w, &key));
	ck_assert_uint_eq(raw_find(raw_open(), CKO_SECRET_KEY, NULL, h, 4), 1);
	kms_secret_free(&key);
	kms_secret_free(&data);
}
END_TEST

START_TEST(a_wrap_that_does_not_read_back_is_not_given_out)
{
	struct kms_slot slot = made(KMS_ROLE_KPK, 1);
	struct kms_wrapped w;

	/* each try: proof, read-back */
	faults("C_Encrypt:3!=5 C_Encrypt:6!=5 C_Encrypt:9!=5");
	ck_assert_int_ne(sealer->wrap(sealer, &slot, NULL, &w), 0);
	ck_assert_uint_eq(w.len, 0);
}
END_TEST

START_TEST(random_bytes_come_from_the_token)
{
	uint8_t a[32] = {0}, b[32] = {0};

	assert_ok(sealer->random(sealer, a, sizeof(a)));
	assert_ok(sealer->random(sealer, b, sizeof(b)));
	ck_assert_mem_ne(a, b, sizeof(a));
	ck_assert_uint_eq(calls_of("C_GenerateRandom"), 2);
}
END_TEST

TCase *
wrap_tests(void)
{
	TCase *tc = case_opened("wrap");
	const int n = sizeof(have) / sizeof(have[0]);

	tcase_add_loop_test(tc, the_first_mechanism_that_works_is_chosen, 0, n);
	tcase_add_test(tc, a_token_with_none_is_refused);
	tcase_add_loop_test(tc, what_is_wrapped_comes_back, 0, n);
	tcase_add_loop_test(tc, born_keys_differ_and_have_their_check_value, 0,
	    n);
	tcase_add_loop_test(tc, any_altered_bit_is_refused, 0, n);
	tcase_add_loop_test(tc, any_other_length_is_refused, 0, n);
	tcase_add_loop_test(tc, a_key_moves_from_one_master_key_to_another, 0,
	    n);
	tcase_add_test(tc, a_bad_key_does_not_move);
	tcase_add_test(tc, many_keys_move_together_or_none_does);
	tcase_add_test(tc, born_and_moved_keys_never_reach_the_host);
	tcase_add_loop_test(tc, an_imported_master_key_is_proven_by_the_host, 0,
	    n);
	tcase_add_test(tc, a_token_that_wants_a_bare_template_gets_it);
	tcase_add_test(tc, no_session_object_stays_behind);
	tcase_add_test(tc, a_wrap_that_does_not_read_back_is_not_given_out);
	tcase_add_test(tc, random_bytes_come_from_the_token);
	return tc;
}
