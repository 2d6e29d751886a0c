#include "tests/unit/hsm/tests.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *
guard(void)
{
	return options.guard_path;
}

static void
refused_untried(int r, const char *why)
{
	assert_fails(r, KMS_ERR_PIN, why);
	ck_assert_ptr_null(sealer);
}

/* One more open; tells how many C_Login it made. */
static unsigned
logins(int *r)
{
	unsigned before = calls_of("C_Login");

	*r = open_sealer();
	return calls_of("C_Login") - before;
}

static const char *
right_pin(void)
{
	size_t len;

	return (const char *)fx_read(fx, token_path("pin"), &len);
}

START_TEST(the_right_pin_leaves_no_guard)
{
	open_ok();
	ck_assert_uint_eq(calls_of("C_Login"), 1);
	ck_assert(!fx_exists(guard()));
}
END_TEST

START_TEST(a_wrong_pin_is_one_login_across_restarts)
{
	int r;

	use_pin("wrong-pin\n");
	ck_assert_uint_eq(logins(&r), 1);
	assert_fails(r, KMS_ERR_PIN, "PIN is wrong");
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(logins(&r), 0);
		assert_fails(r, KMS_ERR_PIN, "failed before");
	}
}
END_TEST

START_TEST(the_guard_tells_nothing_of_the_pin)
{
	int r;

	use_pin("wrong-pin\n");
	ck_assert_uint_eq(logins(&r), 1);
	ck_assert(!fx_contains(fx, guard(), "wrong-pin", 9));
	ck_assert_ptr_null(strstr(kms_err_cause(r), "wrong-pin"));
}
END_TEST

START_TEST(the_guard_ends_when_the_pin_changes)
{
	const char *pin = right_pin();
	int r;

	use_pin("wrong-pin\n");
	ck_assert_uint_eq(logins(&r), 1);
	use_pin("other-pin\n");
	ck_assert_uint_eq(logins(&r), 1);
	assert_fails(r, KMS_ERR_PIN, "PIN is wrong");
	use_pin(pin);
	ck_assert_uint_eq(logins(&r), 1);
	assert_ok(r);
	ck_assert(!fx_exists(guard()));
}
END_TEST

START_TEST(retry_pin_is_one_more_login)
{
	int r;

	use_pin("wrong-pin\n");
	ck_assert_uint_eq(logins(&r), 1);
	options.retry_pin = true;
	ck_assert_uint_eq(logins(&r), 1);
	assert_fails(r, KMS_ERR_PIN, "PIN is wrong");
	options.retry_pin = false;
	ck_assert_uint_eq(logins(&r), 0);
	assert_fails(r, KMS_ERR_PIN, "-retrypin");
}
END_TEST

/* Opens in a process that dies inside C_Login. */
static void
killed_in_login(void)
{
	int status = 0;
	pid_t pid;

	faults_at_start("C_Login:1=kill");
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		(void)open_sealer();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	faults_at_start("");
}

START_TEST(left_at_trying_by_a_kill_allows_one_more)
{
	int r;

	killed_in_login();
	ck_assert(fx_exists(guard()));
	ck_assert_uint_eq(logins(&r), 1);
	assert_ok(r);
}
END_TEST

START_TEST(left_at_trying_twice_counts_as_failed)
{
	int r;

	killed_in_login();
	killed_in_login();
	ck_assert_uint_eq(logins(&r), 0);
	refused_untried(r, "failed before");
}
END_TEST

START_TEST(an_answer_that_may_have_counted_is_a_try)
{
	int r;

	faults_at_start("C_Login:1+=5");
	ck_assert_uint_eq(logins(&r), 1);
	assert_fails(r, KMS_ERR_TOKEN, "CKR_GENERAL_ERROR");
	ck_assert_uint_eq(logins(&r), 1);
	ck_assert_uint_eq(logins(&r), 0);
	refused_untried(r, "failed before");
}
END_TEST

START_TEST(an_answer_before_the_pin_was_looked_at_is_none)
{
	int r;

	faults_at_start("C_Login:1+=32");
	for (int i = 0; i < 4; i++) {
		ck_assert_uint_eq(logins(&r), 1);
		assert_fails(r, KMS_ERR_TOKEN, "CKR_DEVICE_REMOVED");
		ck_assert(!fx_exists(guard()));
	}
}
END_TEST

START_TEST(such_an_answer_keeps_what_was_remembered)
{
	int r;

	use_pin("wrong-pin\n");
	ck_assert_uint_eq(logins(&r), 1);
	faults("C_Login:1=32");
	options.retry_pin = true;
	ck_assert_uint_eq(logins(&r), 1);
	assert_fails(r, KMS_ERR_TOKEN, "CKR_DEVICE_REMOVED");
	options.retry_pin = false;
	ck_assert_uint_eq(logins(&r), 0);
	refused_untried(r, "failed before");
}
END_TEST

START_TEST(the_final_try_is_never_spent)
{
	int r;

	faults_at_start("flags=20000");
	ck_assert_uint_eq(logins(&r), 0);
	refused_untried(r, "one last PIN try");
	options.retry_pin = true;
	ck_assert_uint_eq(logins(&r), 0);
	refused_untried(r, "one last PIN try");
}
END_TEST

START_TEST(a_locked_pin_is_named)
{
	int r;

	faults_at_start("flags=40000");
	ck_assert_uint_eq(logins(&r), 0);
	refused_untried(r, "locked");
}
END_TEST

START_TEST(no_login_without_a_guard_on_disk)
{
	int r;

	options.guard_path = fx_path(fx, "nowhere/pin.guard");
	ck_assert_uint_eq(logins(&r), 0);
	ck_assert_int_ne(r, 0);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(r), "no PIN was tried"));
}
END_TEST

START_TEST(a_pin_the_token_cannot_have_is_not_tried)
{
	int r;

	use_pin("123\n");
	ck_assert_uint_eq(logins(&r), 0);
	refused_untried(r, "4 to 255");
	ck_assert(!fx_exists(guard()));
}
END_TEST

START_TEST(a_guard_that_is_none_refuses_until_retry_pin)
{
	int r;

	fx_write_text(guard(), "garbage");
	ck_assert_uint_eq(logins(&r), 0);
	refused_untried(r, "not a PIN guard");
	options.retry_pin = true;
	ck_assert_uint_eq(logins(&r), 1);
	assert_ok(r);
}
END_TEST

START_TEST(a_guard_about_another_token_does_not_hold)
{
	int r;

	use_pin("wrong-pin\n");
	faults_at_start("serial");
	ck_assert_uint_eq(logins(&r), 1);
	faults("");
	ck_assert_uint_eq(logins(&r), 1);
	assert_fails(r, KMS_ERR_PIN, "PIN is wrong");
}
END_TEST

static int
type(void *arg, const char *token, struct kms_secret **out)
{
	char buf[64];
	size_t len = strlen(arg);

	(void)token;
	memcpy(buf, arg, len);
	return kms_secret_from(buf, len, out);
}

START_TEST(a_typed_pin_is_always_tried)
{
	char wrong[] = "wrong-pin";
	int r;

	use_uri("");
	options.ask = type;
	options.ask_arg = wrong;
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(logins(&r), 1);
		assert_fails(r, KMS_ERR_PIN, "PIN is wrong");
	}
}
END_TEST

TCase *
guard_tests(void)
{
	TCase *tc = case_copied("guard");

	tcase_add_test(tc, the_right_pin_leaves_no_guard);
	tcase_add_test(tc, a_wrong_pin_is_one_login_across_restarts);
	tcase_add_test(tc, the_guard_tells_nothing_of_the_pin);
	tcase_add_test(tc, the_guard_ends_when_the_pin_changes);
	tcase_add_test(tc, retry_pin_is_one_more_login);
	tcase_add_test(tc, left_at_trying_by_a_kill_allows_one_more);
	tcase_add_test(tc, left_at_trying_twice_counts_as_failed);
	tcase_add_test(tc, an_answer_that_may_have_counted_is_a_try);
	tcase_add_test(tc, an_answer_before_the_pin_was_looked_at_is_none);
	tcase_add_test(tc, such_an_answer_keeps_what_was_remembered);
	tcase_add_test(tc, the_final_try_is_never_spent);
	tcase_add_test(tc, a_locked_pin_is_named);
	tcase_add_test(tc, no_login_without_a_guard_on_disk);
	tcase_add_test(tc, a_pin_the_token_cannot_have_is_not_tried);
	tcase_add_test(tc, a_guard_that_is_none_refuses_until_retry_pin);
	tcase_add_test(tc, a_guard_about_another_token_does_not_hold);
	tcase_add_test(tc, a_typed_pin_is_always_tried);
	return tc;
}
