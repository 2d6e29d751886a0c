#include "tests/unit/hsm/tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(says_what_the_token_is)
{
	struct hsm_info info;
	enum kms_mech mech;
	char label[33], serial[17];

	open_ok();
	assert_ok(hsm_sealer_info(sealer, &info, &mech));
	ck_assert_str_eq(info.label, "p11kms");
	ck_assert_str_eq(info.model, "SoftHSM v2");
	ck_assert_uint_eq(strlen(info.serial), 16);
	ck_assert_str_eq(info.firmware, "2.6");
	ck_assert(info.pin_set && info.login_required);
	ck_assert(!info.pin_count_low && !info.pin_locked && !info.pin_pad);
	ck_assert_int_eq(mech, KMS_MECH_AES_KW);
	sealer->name(sealer, label, serial);
	ck_assert_str_eq(label, info.label);
	ck_assert_str_eq(serial, info.serial);
}
END_TEST

START_TEST(a_peek_needs_no_pin)
{
	struct hsm_info info;

	use_pin("wrong-pin\n");
	assert_ok(hsm_token_peek(&options, &info));
	ck_assert_str_eq(info.label, "p11kms");
	ck_assert_uint_eq(calls_of("C_Login"), 0);
}
END_TEST

START_TEST(a_token_that_is_not_there_is_named_with_those_that_are)
{
	name_token("other", "/usr/lib/softhsm/libsofthsm2.so", pin_file());
	assert_fails(open_sealer(), KMS_ERR_TOKEN, "token 'other': not found");
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_TOKEN), "'p11kms'"));
	ck_assert_ptr_null(sealer);
}
END_TEST

START_TEST(a_module_that_is_none_is_named)
{
	name_token("p11kms", "/nowhere/m.so", pin_file());
	assert_fails(open_sealer(), KMS_ERR_TOKEN, "/nowhere/m.so");
	name_token("p11kms", "/lib/x86_64-linux-gnu/libz.so.1", pin_file());
	ck_assert_int_eq(open_sealer(), KMS_ERR_TOKEN);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_TOKEN),
	    "module-path"));
}
END_TEST

START_TEST(a_module_that_does_not_start_is_named)
{
	faults_at_start("C_Initialize:1=5");
	assert_fails(open_sealer(), KMS_ERR_TOKEN,
	    "C_Initialize: CKR_GENERAL_ERROR");
	faults("");
	open_ok();
}
END_TEST

START_TEST(two_tokens_of_one_label_are_refused)
{
	const char *argv[] = {"softhsm2-util", "--init-token", "--free",
	    "--label", "p11kms", "--so-pin", "12345678", "--pin", "87654321",
	    NULL};
	struct fx_cmd cmd = {.argv = argv};
	struct fx_result res;

	fx_run(fx, &cmd, &res);
	ck_assert_int_eq(res.status, 0);
	assert_fails(open_sealer(), KMS_ERR_CONFIG, "add serial=");
	ck_assert_uint_eq(calls_of("C_Login"), 0);
}
END_TEST

START_TEST(a_token_file_being_rewritten_is_waited_for)
{
	faults_at_start("C_GetTokenInfo:2=5");
	open_ok();
	ck_assert_uint_eq(calls_of("C_Login"), 1);
	ck_assert_uint_eq(calls_of("C_Initialize"), 2);
}
END_TEST

START_TEST(a_half_read_token_is_loaded_again_under_the_lock)
{
	faults_at_start("C_Login:1=102");
	open_ok();
	ck_assert_uint_eq(calls_of("C_Login"), 2);
	ck_assert_uint_eq(calls_of("C_Initialize"), 2);
	ck_assert(!fx_exists(options.guard_path));
}
END_TEST

START_TEST(a_token_without_a_pin_is_said_so)
{
	faults_at_start("C_Login:1+=102");
	assert_fails(open_sealer(), KMS_ERR_PIN, "no user PIN yet");
	ck_assert_uint_eq(calls_of("C_Login"), 2);
}
END_TEST

START_TEST(a_login_by_somebody_else_in_the_process_is_used)
{
	faults_at_start("C_Login:1!=100");
	open_ok();
	(void)made(KMS_ROLE_HMK, 1);
	ck_assert(!fx_exists(options.guard_path));
}
END_TEST

START_TEST(an_open_is_few_calls)
{
	open_ok();
	ck_assert_uint_eq(calls_of("C_Initialize"), 1);
	ck_assert_uint_eq(calls_of("C_Login"), 1);
	ck_assert_uint_eq(calls_of("C_OpenSession"), 1);
	/* libp11's two (the token, the empty slot), and before and under the
	 * lock */
	ck_assert_uint_eq(calls_of("C_GetTokenInfo"), 4);
	ck_assert_uint_eq(calls_of("C_FindObjectsInit"), 0);
}
END_TEST

START_TEST(closing_ends_everything)
{
	struct raw r;

	open_ok();
	(void)made(KMS_ROLE_HMK, 1);
	close_sealer();
	ck_assert_uint_eq(calls_of("C_Finalize"), 1);
	ck_assert_uint_eq(calls_of("C_OpenSession"),
	    calls_of("C_CloseSession"));
	r = raw_login(); /* initialises: nothing was left */
	ck_assert_uint_eq(r.f->C_Finalize(NULL), CKR_OK);
}
END_TEST

START_TEST(a_forked_child_is_refused_and_does_no_harm)
{
	struct kms_slot slot;
	struct kms_wrapped w;
	uint8_t b[8];
	int status = 0;
	pid_t pid;

	open_ok();
	slot = made(KMS_ROLE_KPK, 1);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		int r = sealer->random(sealer, b, sizeof(b));
		int r2 = sealer->wrap(sealer, &slot, NULL, &w);

		sealer->close(&sealer);
		_exit(r == KMS_ERR_TOKEN && r2 == KMS_ERR_TOKEN ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(calls_of("C_Finalize"), 0);
	ck_assert_uint_eq(calls_of("C_Login"), 1);
	assert_ok(sealer->random(sealer, b, sizeof(b)));
}
END_TEST

static void
child_works(int n)
{
	struct kms_slot slot = slot_of(KMS_ROLE_KPK, 9);

	slot.mech = KMS_MECH_AES_KW;

	use_softhsm();
	for (int i = 0; i < n; i++) {
		int r = open_sealer();

		if (r == 0)
			r = sealer->check(sealer, &slot);
		if (r != 0) {
			fprintf(stderr, "%s\n", kms_err_cause(r));
			_exit(1);
		}
		close_sealer();
	}
	_exit(0);
}

START_TEST(processes_that_log_in_at_once_all_find_the_token)
{
	pid_t pid[4];
	int status;

	open_ok();
	(void)made(KMS_ROLE_KPK, 9);
	close_sealer();
	for (int i = 0; i < 4; i++) {
		pid[i] = fork();
		ck_assert_int_ge(pid[i], 0);
		if (pid[i] == 0)
			child_works(25);
	}
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(waitpid(pid[i], &status, 0), pid[i]);
		ck_assert_int_eq(status, 0);
	}
}
END_TEST

TCase *
token_tests(void)
{
	TCase *tc = case_copied("token");

	tcase_add_test(tc, says_what_the_token_is);
	tcase_add_test(tc, a_peek_needs_no_pin);
	tcase_add_test(tc,
	    a_token_that_is_not_there_is_named_with_those_that_are);
	tcase_add_test(tc, a_module_that_is_none_is_named);
	tcase_add_test(tc, a_module_that_does_not_start_is_named);
	tcase_add_test(tc, two_tokens_of_one_label_are_refused);
	tcase_add_test(tc, a_token_file_being_rewritten_is_waited_for);
	tcase_add_test(tc, a_half_read_token_is_loaded_again_under_the_lock);
	tcase_add_test(tc, a_token_without_a_pin_is_said_so);
	tcase_add_test(tc, a_login_by_somebody_else_in_the_process_is_used);
	tcase_add_test(tc, an_open_is_few_calls);
	tcase_add_test(tc, closing_ends_everything);
	tcase_add_test(tc, a_forked_child_is_refused_and_does_no_harm);
	tcase_add_test(tc, processes_that_log_in_at_once_all_find_the_token);
	return tc;
}
