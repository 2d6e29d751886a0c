#include "tests/unit/hsm/tests.h"

#include <stdio.h>
#include <string.h>

/* A KPK, a key wrapped under it, and that key: proven in this process. */
static struct kms_slot slot;
static struct kms_wrapped w;
static struct kms_secret *key;

static void
working(void)
{
	token_open();
	slot = made(KMS_ROLE_KPK, 1);
	assert_ok(sealer->wrap(sealer, &slot, NULL, &w));
	assert_ok(sealer->unwrap(sealer, &slot, &w, &key));
}

static void
stop(void)
{
	kms_secret_free(&key);
	token_away();
}

static void
still_right(void)
{
	struct kms_secret *again;

	assert_ok(sealer->unwrap(sealer, &slot, &w, &again));
	ck_assert(kms_secret_equal(key, again));
	kms_secret_free(&again);
}

START_TEST(a_dead_session_is_replaced_without_login)
{
	faults("C_UnwrapKey:1=b3");
	still_right();
	ck_assert_uint_eq(calls_of("C_Login"), 1);
	ck_assert_uint_eq(calls_of("C_Initialize"), 1);
}
END_TEST

/* Every code that a token may answer at any step of an unwrap: the right key,
 * or an error, but never another key; and afterwards it works. */
START_TEST(any_answer_at_any_step_leaves_the_right_key)
{
	static const char *const call[] = {"C_UnwrapKey", "C_GetAttributeValue",
	    "C_DestroyObject"};
	static const CK_RV code[] = {CKR_GENERAL_ERROR, CKR_DEVICE_ERROR,
	    CKR_DEVICE_REMOVED, CKR_SESSION_CLOSED, CKR_SESSION_HANDLE_INVALID,
	    CKR_OBJECT_HANDLE_INVALID, CKR_KEY_HANDLE_INVALID,
	    CKR_UNWRAPPING_KEY_HANDLE_INVALID, CKR_USER_NOT_LOGGED_IN,
	    CKR_TOKEN_NOT_PRESENT, CKR_CRYPTOKI_NOT_INITIALIZED,
	    CKR_OPERATION_ACTIVE, CKR_FUNCTION_FAILED, CKR_HOST_MEMORY,
	    CKR_ATTRIBUTE_SENSITIVE, CKR_MECHANISM_INVALID,
	    CKR_VENDOR_DEFINED | 9};
	char rule[64];

	for (size_t i = 0; i < 3; i++) {
		for (size_t j = 0; j < sizeof(code) / sizeof(code[0]); j++) {
			(void)snprintf(rule, sizeof(rule), "%s:1=%lx", call[i],
			    code[j]);
			faults(rule);
			still_right();
		}
	}
}
END_TEST

static const char *const wrapped_by[] = {"C_CreateObject", "C_WrapKey",
    "C_UnwrapKey", "C_EncryptInit", "C_Encrypt", "C_DestroyObject"};

/* The same for a wrap, with answers lost after the call was made: what comes
 * out opens to the key, or nothing comes out. */
START_TEST(any_answer_at_any_step_of_a_wrap_loses_no_key)
{
	static const CK_RV code[] = {CKR_GENERAL_ERROR, CKR_DEVICE_REMOVED,
	    CKR_SESSION_HANDLE_INVALID, CKR_KEY_HANDLE_INVALID,
	    CKR_WRAPPING_KEY_HANDLE_INVALID};
	struct kms_wrapped v;
	char rule[64];

	for (unsigned i = 0; i < 5 * 2 * 2; i++) {
		(void)snprintf(rule, sizeof(rule), "%s:%u%s=%lx",
		    wrapped_by[_i], 1 + i % 2, i / 2 % 2 == 0 ? "" : "!",
		    code[i / 4]);
		faults(rule);
		assert_ok(sealer->wrap(sealer, &slot, key, &v));
		faults("");
		ck_assert_mem_eq(v.bytes, w.bytes, w.len); /* AES-KW */
	}
	still_right();
}
END_TEST

START_TEST(a_token_that_went_away_is_loaded_again)
{
	faults("C_UnwrapKey:1=32");
	still_right();
	ck_assert_uint_eq(calls_of("C_Login"), 2);
	ck_assert_uint_eq(calls_of("C_Initialize"), 2);
}
END_TEST

START_TEST(one_operation_loads_it_once)
{
	struct kms_secret *none;

	faults("C_UnwrapKey:1+=32");
	assert_fails(sealer->unwrap(sealer, &slot, &w, &none), KMS_ERR_TOKEN,
	    "CKR_DEVICE_REMOVED");
	ck_assert_uint_eq(calls_of("C_Login"), 2);
	faults("");
	still_right();
}
END_TEST

static void
move(const char *from, const char *to)
{
	ck_assert_int_eq(rename(token_path(from), token_path(to)), 0);
}

START_TEST(a_token_directory_moved_away_and_back_recovers)
{
	struct kms_secret *none;
	uint8_t uuid[16] = {0};
	struct kms_anchor a = {.len = 1};

	move("tokens", "gone");
	ck_assert_int_eq(sealer->unwrap(sealer, &slot, &w, &none),
	    KMS_ERR_TOKEN);
	ck_assert_int_eq(sealer->wrap(sealer, &slot, NULL, &w), KMS_ERR_TOKEN);
	ck_assert_int_eq(sealer->anchor_put(sealer, uuid, &a), KMS_ERR_TOKEN);
	ck_assert_ptr_null(none);
	move("gone", "tokens");
	assert_ok(sealer->wrap(sealer, &slot, key, &w));
	still_right();
}
END_TEST

/* The stale number of the KPK then means the HMK. */
START_TEST(handles_renumbered_by_a_reload_do_not_mislead)
{
	struct kms_slot hmk = made(KMS_ROLE_HMK, 2);
	struct kms_wrapped v;

	close_sealer();
	open_ok();
	faults("renumber");
	still_right();
	assert_ok(sealer->check(sealer, &hmk));
	faults("renumber C_UnwrapKey:1=32");
	still_right();
	assert_ok(sealer->wrap(sealer, &slot, key, &v));
	ck_assert_mem_eq(v.bytes, w.bytes, w.len); /* AES-KW: the same */
}
END_TEST

/* The token fails over in mid-flight, and tells nobody: unwraps must not give
 * another key, and nothing may be wrapped by the wrong one. */
START_TEST(handles_renumbered_in_mid_flight_do_not_mislead)
{
	static const char *const at[] = {"C_UnwrapKey:1", "C_UnwrapKey:2",
	    "C_WrapKey:1", "C_CreateObject:1", "C_EncryptInit:1"};
	struct kms_slot hmk;
	struct kms_wrapped v;
	char rule[64];

	close_sealer();
	open_ok();
	hmk = made(KMS_ROLE_HMK, 2);
	close_sealer();
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		open_ok();
		still_right();
		assert_ok(sealer->check(sealer, &hmk));
		(void)snprintf(rule, sizeof(rule), "renumberat=%s", at[i]);
		faults(rule);
		assert_ok(sealer->wrap(sealer, &slot, key, &v));
		ck_assert_mem_eq(v.bytes, w.bytes, w.len);
		faults(rule);
		still_right();
		close_sealer();
	}
}
END_TEST

START_TEST(a_pin_changed_meanwhile_is_read_again)
{
	size_t len;
	const char *pin = (char *)fx_read(fx, token_path("pin"), &len);

	use_pin("wrong-pin\n");
	faults("C_UnwrapKey:1=32");
	assert_fails(sealer->unwrap(sealer, &slot, &w,
			 &(struct kms_secret *){0}),
	    KMS_ERR_PIN, "PIN is wrong");
	for (int i = 0; i < 3; i++) {
		struct kms_secret *none;

		assert_fails(sealer->unwrap(sealer, &slot, &w, &none),
		    KMS_ERR_PIN, "failed before");
	}
	ck_assert_uint_eq(calls_of("C_Login"), 2);
	use_pin(pin);
	still_right();
	ck_assert_uint_eq(calls_of("C_Login"), 3);
}
END_TEST

START_TEST(another_token_under_the_same_name_is_refused)
{
	struct kms_secret *none;

	faults("serial C_UnwrapKey:1=32");
	assert_fails(sealer->unwrap(sealer, &slot, &w, &none), KMS_ERR_TOKEN,
	    "came back with serial X");
	ck_assert_uint_eq(calls_of("C_Login"), 1);
	faults("");
	still_right();
}
END_TEST

START_TEST(a_damaged_wrapped_key_is_a_verdict_not_a_reload)
{
	struct kms_wrapped bad = w;
	struct kms_secret *none;

	bad.bytes[5] ^= 1;
	assert_fails(sealer->unwrap(sealer, &slot, &bad, &none), KMS_ERR_AUTH,
	    "site-01");
	ck_assert_uint_eq(calls_of("C_Login"), 1);
	still_right();
}
END_TEST

START_TEST(what_nothing_was_proven_of_wraps_nothing)
{
	struct kms_wrapped v;

	close_sealer();
	open_ok();
	assert_ok(sealer->check(sealer, &slot));
	assert_fails(sealer->wrap(sealer, &slot, NULL, &v), KMS_ERR_MASTER,
	    "not proven yet");
	ck_assert_uint_eq(v.len, 0);
	v = w;
	assert_fails(sealer->rewrap(sealer, &slot, &slot, &v, 1),
	    KMS_ERR_MASTER, "not proven yet");
	ck_assert_mem_eq(&v, &w, sizeof(w));
	still_right();
	assert_ok(sealer->wrap(sealer, &slot, NULL, &v));
}
END_TEST

START_TEST(a_missing_key_is_said_so_without_a_reload)
{
	struct kms_slot none = slot_of(KMS_ROLE_HMK, 0x77);

	none.mech = KMS_MECH_AES_KW;
	assert_fails(sealer->check(sealer, &none), KMS_ERR_NOTFOUND, "site-77");
	ck_assert_uint_eq(calls_of("C_Login"), 1);
}
END_TEST

TCase *
recover_tests(void)
{
	TCase *tc = tcase_create("recover");

	tcase_add_checked_fixture(tc, working, stop);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_dead_session_is_replaced_without_login);
	tcase_add_test(tc, any_answer_at_any_step_leaves_the_right_key);
	tcase_add_loop_test(tc, any_answer_at_any_step_of_a_wrap_loses_no_key,
	    0, (int)(sizeof(wrapped_by) / sizeof(wrapped_by[0])));
	tcase_add_test(tc, a_token_that_went_away_is_loaded_again);
	tcase_add_test(tc, one_operation_loads_it_once);
	tcase_add_test(tc, a_token_directory_moved_away_and_back_recovers);
	tcase_add_test(tc, handles_renumbered_by_a_reload_do_not_mislead);
	tcase_add_test(tc, handles_renumbered_in_mid_flight_do_not_mislead);
	tcase_add_test(tc, a_pin_changed_meanwhile_is_read_again);
	tcase_add_test(tc, another_token_under_the_same_name_is_refused);
	tcase_add_test(tc, a_damaged_wrapped_key_is_a_verdict_not_a_reload);
	tcase_add_test(tc, what_nothing_was_proven_of_wraps_nothing);
	tcase_add_test(tc, a_missing_key_is_said_so_without_a_reload);
	return tc;
}
