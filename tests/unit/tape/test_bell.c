/* A program asks for the next key; all of it by real sockets. */
#include "tests/unit/tape/suite.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tape/bell.h"
#include "tape/wire.h"
#include "tests/lib/fixture.h"

static struct fx *fx;
static struct tape_bell *b;
static char path[200]; /* as the program finds it */

static void
setup(void)
{
	fx = fx_new();
	setenv("TMPDIR", fx_path(fx, "."), 1);
	ck_assert_int_eq(tape_bell_open(WIRE_ASK_ENV, &b), 0);
	snprintf(path, sizeof(path), "%s", strchr(tape_bell_env(b), '=') + 1);
}

static void
teardown(void)
{
	tape_bell_close(&b);
	fx_free(&fx);
}

/* A program that asks, and ends with what it was told. */
static pid_t
program(void)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(wire_ask(path, 10000) == 0 ? 0 : errno);
	return pid;
}

static int
ended(pid_t pid)
{
	int status = 0;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static bool
rung(void)
{
	struct pollfd p = {.fd = tape_bell_fd(b), .events = POLLIN};

	return poll(&p, 1, 10000) == 1 && tape_bell_take(b);
}

START_TEST(who_rings_waits_for_his_answer)
{
	pid_t one = program(), two;

	ck_assert(rung());
	tape_bell_answer(b, true);
	ck_assert_int_eq(ended(one), 0);
	two = program();
	ck_assert(rung());
	tape_bell_answer(b, false);
	ck_assert_int_eq(ended(two), EACCES);
	ck_assert(!tape_bell_take(b));
	tape_bell_answer(b, true); /* nobody there: nothing happens */
}
END_TEST

START_TEST(several_are_answered_one_by_one)
{
	pid_t one = program(), two = program();

	for (int i = 0; i < 2; i++) {
		ck_assert(rung());
		tape_bell_answer(b, true);
	}
	ck_assert_int_eq(ended(one), 0);
	ck_assert_int_eq(ended(two), 0);
}
END_TEST

START_TEST(who_waits_at_the_end_is_refused)
{
	pid_t one = program();
	char *was = strdup(path);

	ck_assert(rung());
	tape_bell_close(&b);
	ck_assert_int_eq(ended(one), EPIPE);
	ck_assert_int_lt(wire_ask(was, 10000), 0);
	free(was);
}
END_TEST

START_TEST(who_went_away_stops_nobody)
{
	int fd = wire_connect(path);

	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert(rung());
	tape_bell_answer(b, true);
	pid_t one = program();
	ck_assert(rung());
	tape_bell_answer(b, true);
	ck_assert_int_eq(ended(one), 0);
}
END_TEST

START_TEST(nobody_else_can_enter_and_nothing_is_left)
{
	char dir[200];
	struct stat st;

	snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path),
	    path);
	ck_assert_int_eq(stat(dir, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	tape_bell_close(&b);
	ck_assert_int_lt(stat(dir, &st), 0);
}
END_TEST

START_TEST(a_directory_that_will_not_do_is_passed_over)
{
	char name[200];

	memset(name, 'x', sizeof(name) - 1);
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	tape_bell_close(&b);
	setenv("TMPDIR", name, 1);
	ck_assert_int_eq(tape_bell_open(WIRE_ASK_ENV, &b), 0);
	ck_assert_ptr_nonnull(strstr(tape_bell_env(b), "=/tmp/"));
	tape_bell_close(&b);
	setenv("TMPDIR", "/no/such", 1);
	ck_assert_int_eq(tape_bell_open(WIRE_ASK_ENV, &b), KMS_ERR_IO);
	ck_assert_ptr_null(b);
}
END_TEST

TCase *
bell_tests(void)
{
	TCase *t = tcase_create("bell");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, who_rings_waits_for_his_answer);
	tcase_add_test(t, several_are_answered_one_by_one);
	tcase_add_test(t, who_waits_at_the_end_is_refused);
	tcase_add_test(t, who_went_away_stops_nobody);
	tcase_add_test(t, nobody_else_can_enter_and_nothing_is_left);
	tcase_add_test(t, a_directory_that_will_not_do_is_passed_over);
	return t;
}
