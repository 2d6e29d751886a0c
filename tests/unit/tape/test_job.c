#include "tests/unit/tape/suite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tape/job.h"
#include "tests/lib/fixture.h"
#include "tests/unit/tape/mock.h"

static struct mock m;
static struct tape_drive *d;
static struct kms_secret *key;
static struct tape_load load;
static struct fx *fx;
static struct tape_job_result result;

static void
setup(void)
{
	mock_init(&m);
	d = mock_drive(&m);
	key = mock_key(7);
	load = mock_write(key);
	fx = fx_new();
}

static void
teardown(void)
{
	kms_secret_free(&key);
	tape_drive_close(&d);
	fx_free(&fx);
}

/* What the callback finds and does. */
static int (*meanwhile)(void);
static bool called;

static int
before_spawn(void *arg)
{
	called = true;
	ck_assert_ptr_eq(arg, &called);
	ck_assert_msg(m.has_key, "the key is not in the drive yet");
	kms_secret_free(&key);
	return meanwhile ? meanwhile() : 0;
}

static int
run(const char *script)
{
	char *argv[] = {(char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c",
	    (char *)(uintptr_t)script, NULL};
	struct tape_job job = {.drive = d,
	    .load = &load,
	    .before_spawn = before_spawn,
	    .arg = &called,
	    .argv = argv};

	int err = tape_job_run(&job, &result);
	return tape_job_exit(err, &result);
}

START_TEST(the_programs_status_is_ours)
{
	ck_assert_int_eq(run("exit 0"), 0);
	ck_assert(called && result.started);
	ck_assert(mock_off(&m));
	ck_assert_uint_eq(m.spouts, 2);
	key = mock_key(7);
	ck_assert_int_eq(run("exit 42"), 42);
	ck_assert(mock_off(&m));
}
END_TEST

START_TEST(the_key_is_in_the_drive_only_while_the_program_runs)
{
	const char *seen = fx_path(fx, "seen");
	char script[512];

	snprintf(script, sizeof(script), "echo ran > %s", seen);
	ck_assert_int_eq(run(script), 0);
	ck_assert(fx_exists(seen));
	ck_assert(mock_off(&m));
}
END_TEST

START_TEST(a_program_killed_by_a_signal_is_128_and_it)
{
	ck_assert_int_eq(run("kill -KILL $$"), 128 + SIGKILL);
	ck_assert(mock_off(&m));
}
END_TEST

START_TEST(ending_signals_reach_the_program_and_the_drive_is_cleared)
{
	static const struct {
		const char *name;
		int no;
	} signals[] = {{"INT", SIGINT}, {"TERM", SIGTERM}, {"HUP", SIGHUP},
	    {"QUIT", SIGQUIT}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2}};
	char script[128];

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		/* The program waits for ever; only the signal ends it. */
		snprintf(script, sizeof(script),
		    "ulimit -c 0; kill -%s $PPID; exec tail -f /dev/null",
		    signals[i].name);
		ck_assert_int_eq(run(script), 128 + signals[i].no);
		ck_assert(mock_off(&m));
		key = mock_key(7);
	}
}
END_TEST

START_TEST(a_program_may_handle_the_signal_itself)
{
	ck_assert_int_eq(run("trap 'exit 9' TERM; kill -TERM $PPID; "
			     "while :; do :; done"),
	    9);
	ck_assert(mock_off(&m));
}
END_TEST

static int
interrupted(void)
{
	raise(SIGTERM);
	return 0;
}

START_TEST(a_signal_before_the_start_starts_nothing)
{
	const char *seen = fx_path(fx, "seen");
	char script[512];

	meanwhile = interrupted;
	snprintf(script, sizeof(script), "echo ran > %s", seen);
	ck_assert_int_eq(run(script), 128 + SIGTERM);
	ck_assert(!result.started);
	ck_assert(!fx_exists(seen));
	ck_assert(mock_off(&m));
}
END_TEST

static int
cannot_close(void)
{
	return kms_fail(KMS_ERR_TOKEN, "the token does not close");
}

START_TEST(an_error_before_the_start_starts_nothing)
{
	meanwhile = cannot_close;
	ck_assert_int_eq(run("exit 0"), 105);
	ck_assert_str_eq(kms_err_cause(KMS_ERR_TOKEN),
	    "the token does not close");
	ck_assert(!result.started);
	ck_assert(mock_off(&m));
}
END_TEST

START_TEST(a_missing_program_is_cleared_after)
{
	char *argv[] = {(char *)(uintptr_t) "/nonexistent/tar", NULL};
	struct tape_job job = {.drive = d, .load = &load, .argv = argv};

	int err = tape_job_run(&job, &result);
	ck_assert_int_eq(err, KMS_ERR_NOTFOUND);
	ck_assert_int_eq(tape_job_exit(err, &result), 103);
	ck_assert(!result.started);
	ck_assert(mock_off(&m));
}
END_TEST

static bool
lazy(struct mock *k, const struct tape_cmd *c, struct tape_reply *r, int *err)
{
	(void)k;
	(void)r;
	*err = 0;
	return mock_is_spout(c);
}

START_TEST(an_unproven_key_starts_nothing)
{
	m.before = lazy;
	ck_assert_int_eq(run("exit 0"), 107);
	ck_assert(!called && !result.started);
}
END_TEST

static int
reset_meanwhile(void)
{
	mock_reset(&m);
	return 0;
}

START_TEST(a_key_lost_in_mid_run_is_told_also_when_the_program_succeeds)
{
	meanwhile = reset_meanwhile;
	ck_assert_int_eq(run("exit 0"), 107);
	ck_assert(result.started);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_UNPROVEN),
	    "data may be in clear"));
	ck_assert(mock_off(&m));
}
END_TEST

static int
tape_meanwhile(void)
{
	mock_change_tape(&m);
	return 0;
}

START_TEST(a_changed_tape_is_told_unless_it_was_expected)
{
	meanwhile = tape_meanwhile;
	ck_assert_int_eq(run("exit 0"), 107);
	ck_assert(mock_off(&m));
	key = mock_key(7);
	load = mock_write(key);
	load.keep_on_unload = true;
	ck_assert_int_eq(run("exit 0"), 0);
	ck_assert(mock_off(&m));
}
END_TEST

static int
stuck_meanwhile(void)
{
	m.before = lazy;
	return 0;
}

START_TEST(a_drive_that_does_not_clear_is_told_also_when_the_program_succeeds)
{
	meanwhile = stuck_meanwhile;
	ck_assert_int_eq(run("exit 0"), 107);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_UNPROVEN),
	    "may still be in the drive"));
}
END_TEST

static bool
dead(struct mock *k, const struct tape_cmd *c, struct tape_reply *r, int *err)
{
	(void)k;
	(void)c;
	(void)r;
	*err = kms_fail(KMS_ERR_IO, "mock: gone");
	return true;
}

static int
dead_meanwhile(void)
{
	m.before = dead;
	return 0;
}

START_TEST(a_drive_that_went_away_is_unproven_and_maybe_not_cleared)
{
	meanwhile = dead_meanwhile;
	ck_assert_int_eq(run("exit 3"), 107);
	const char *cause = kms_err_cause(KMS_ERR_UNPROVEN);
	ck_assert_ptr_nonnull(strstr(cause, "data may be in clear"));
	ck_assert_ptr_nonnull(strstr(cause, "may still be in the drive"));
}
END_TEST

START_TEST(the_program_sees_the_callers_signals_and_environment)
{
	char *argv[] = {(char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c",
	    (char *)(uintptr_t) "grep -q '^SigBlk:.*0000000000000000$' "
				"/proc/self/status && test \"$TAPE\" = /dev/x "
				"&& test \"$KEPT\" = yes",
	    NULL};
	static const char *const env[] = {"TAPE=/dev/x", NULL};
	struct tape_job job = {.drive = d,
	    .load = &load,
	    .argv = argv,
	    .env = env};

	setenv("TAPE", "/dev/other", 1);
	setenv("KEPT", "yes", 1);
	int err = tape_job_run(&job, &result);
	ck_assert_int_eq(tape_job_exit(err, &result), 0);
	ck_assert_str_eq(getenv("TAPE"), "/dev/other");
}
END_TEST

START_TEST(our_own_signals_are_as_before)
{
	sigset_t before, after;
	struct sigaction a;

	signal(SIGCHLD, SIG_IGN);
	sigprocmask(SIG_SETMASK, NULL, &before);
	ck_assert_int_eq(run("exit 5"), 5);
	sigprocmask(SIG_SETMASK, NULL, &after);
	for (int s = 1; s < NSIG; s++)
		ck_assert_int_eq(sigismember(&before, s),
		    sigismember(&after, s));
	ck_assert_int_eq(sigaction(SIGCHLD, NULL, &a), 0);
	ck_assert(a.sa_handler == SIG_IGN);
}
END_TEST

START_TEST(an_ignored_hangup_stays_ignored)
{
	signal(SIGHUP, SIG_IGN);
	ck_assert_int_eq(run("kill -HUP $PPID; exit 4"), 4);
	ck_assert(mock_off(&m));
}
END_TEST

START_TEST(the_program_runs_as_the_real_user)
{
	if (getuid() != 0)
		return;
	ck_assert_int_eq(setegid(65534), 0);
	ck_assert_int_eq(seteuid(65534), 0);
	int status = run("test $(id -u) = 0 && test $(id -g) = 0");
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(setegid(0), 0);
	ck_assert_int_eq(status, 0);
}
END_TEST

static int
never(void *arg, struct tape_load *l, struct kms_secret **k)
{
	(void)arg, (void)l, (void)k;
	ck_abort_msg("a key was asked for");
	return KMS_ERR_INTERNAL;
}

START_TEST(a_tape_in_clear_needs_no_key)
{
	char *argv[] = {(char *)(uintptr_t) "true", NULL};
	struct tape_job job = {.drive = d, .argv = argv, .next_key = never};

	m.nbes = 3;
	ck_assert_int_eq(tape_job_run(&job, &result), 0);
	ck_assert(result.started && !m.has_key && mock_off(&m));
	/* What somebody else had left is taken out first. */
	struct tape_loaded other;
	ck_assert_int_eq(tape_drive_load(d, &load, &other), 0);
	ck_assert_int_eq(tape_job_run(&job, &result), 0);
	ck_assert(!m.has_key);
}
END_TEST

START_TEST(exit_statuses_are_as_the_contract_says)
{
	struct tape_job_result r = {.started = true};

	ck_assert_int_eq(tape_job_exit(0, &r), 0);
	r.wait_status = 17 << 8;
	ck_assert_int_eq(tape_job_exit(0, &r), 17);
	ck_assert_int_eq(tape_job_exit(KMS_ERR_UNPROVEN, &r), 107);
	ck_assert_int_eq(tape_job_exit(KMS_ERR_DRIVE, &r), 107);
	ck_assert_int_eq(tape_job_exit(KMS_ERR_BUSY, &r), 109);
	ck_assert_int_eq(tape_job_exit(KMS_ERR_IO, &r), 101);
	r.wait_status = SIGINT;
	ck_assert_int_eq(tape_job_exit(0, &r), 130);
	r.wait_status = SIGSEGV | 0x80; /* with a core */
	ck_assert_int_eq(tape_job_exit(0, &r), 139);
}
END_TEST

TCase *
job_tests(void)
{
	TCase *t = tcase_create("job");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, the_programs_status_is_ours);
	tcase_add_test(t, the_key_is_in_the_drive_only_while_the_program_runs);
	tcase_add_test(t, a_program_killed_by_a_signal_is_128_and_it);
	tcase_add_test(t,
	    ending_signals_reach_the_program_and_the_drive_is_cleared);
	tcase_add_test(t, a_program_may_handle_the_signal_itself);
	tcase_add_test(t, a_signal_before_the_start_starts_nothing);
	tcase_add_test(t, an_error_before_the_start_starts_nothing);
	tcase_add_test(t, a_missing_program_is_cleared_after);
	tcase_add_test(t, an_unproven_key_starts_nothing);
	tcase_add_test(t,
	    a_key_lost_in_mid_run_is_told_also_when_the_program_succeeds);
	tcase_add_test(t, a_changed_tape_is_told_unless_it_was_expected);
	tcase_add_test(t,
	    a_drive_that_does_not_clear_is_told_also_when_the_program_succeeds);
	tcase_add_test(t,
	    a_drive_that_went_away_is_unproven_and_maybe_not_cleared);
	tcase_add_test(t, the_program_sees_the_callers_signals_and_environment);
	tcase_add_test(t, our_own_signals_are_as_before);
	tcase_add_test(t, an_ignored_hangup_stays_ignored);
	tcase_add_test(t, the_program_runs_as_the_real_user);
	tcase_add_test(t, a_tape_in_clear_needs_no_key);
	tcase_add_test(t, exit_statuses_are_as_the_contract_says);
	return t;
}
