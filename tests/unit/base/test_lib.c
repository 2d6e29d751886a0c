/* The tests' own tools, for a tool that lies makes every test lie. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/fixture.h"
#include "tests/lib/mutate.h"
#include "tests/unit/base/tests.h"

static struct fx *fx;

static void
setup(void)
{
	fx = fx_new();
}

static void
teardown(void)
{
	fx_free(&fx);
}

static struct fx_result
run(const char *const argv[], const char *in)
{
	struct fx_cmd cmd = {.argv = argv, .in = in};
	struct fx_result res;

	fx_run(fx, &cmd, &res);
	return res;
}

START_TEST(the_directory_is_private_and_goes_with_all_in_it)
{
	char dir[4096];
	struct fx *other = fx_new();
	struct stat st;

	snprintf(dir, sizeof(dir), "%s", fx_path(other, "%s", "."));
	ck_assert_int_eq(stat(dir, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert_int_eq(mkdir(fx_path(other, "a"), 0700), 0);
	fx_write_text(fx_path(other, "a/f"), "x");
	ck_assert_int_eq(symlink("/etc", fx_path(other, "a/link")), 0);
	ck_assert_int_eq(chmod(fx_path(other, "a"), 0), 0);
	fx_free(&other);
	ck_assert_ptr_null(other);
	ck_assert(!fx_exists(dir));
	ck_assert(fx_exists("/etc/passwd"));
	fx_free(&other);
}
END_TEST

START_TEST(a_program_gets_its_input_and_its_outputs_are_kept_apart)
{
	const char *const argv[] = {"sh", "-c", "cat; echo e >&2; exit 7",
	    NULL};
	struct fx_result res = run(argv, "hello");

	ck_assert_int_eq(res.status, 7);
	ck_assert_str_eq(res.out, "hello");
	ck_assert_str_eq(res.err, "e\n");
}
END_TEST

START_TEST(more_than_a_pipe_holds_goes_both_ways)
{
	const char *const argv[] = {"cat", NULL};
	const size_t n = 1000000;
	char *in = malloc(n + 1);
	struct fx_result res;

	ck_assert_ptr_nonnull(in);
	memset(in, 'x', n);
	in[n] = '\0';
	res = run(argv, in);
	ck_assert_uint_eq(res.out_len, n);
	ck_assert_str_eq(res.out, in);
	free(in);
}
END_TEST

START_TEST(a_program_that_does_not_read_is_no_error)
{
	const char *const argv[] = {"true", NULL};

	ck_assert_int_eq(run(argv, "input for nobody").status, 0);
}
END_TEST

START_TEST(an_end_by_signal_is_128_and_the_signal)
{
	const char *const argv[] = {"sh", "-c", "kill -TERM $$", NULL};

	ck_assert_int_eq(run(argv, NULL).status, 128 + SIGTERM);
}
END_TEST

START_TEST(the_environment_is_ours_with_theirs_on_top)
{
	const char *const argv[] = {"sh", "-c", "echo $A-$B", NULL};
	const char *const env[] = {"A=new", NULL};
	struct fx_cmd cmd = {.argv = argv, .env = env};
	struct fx_result res;

	ck_assert_int_eq(setenv("A", "old", 1), 0);
	ck_assert_int_eq(setenv("B", "ours", 1), 0);
	fx_run(fx, &cmd, &res);
	ck_assert_str_eq(res.out, "new-ours\n");
}
END_TEST

START_TEST(a_program_that_hangs_ends_the_test)
{
	const char *const argv[] = {"cat", "/dev/zero", NULL};
	struct fx_cmd cmd = {.argv = argv, .timeout_ms = 20};
	struct fx_result res;
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		fclose(stderr);
		fx_run(fx, &cmd, &res);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
END_TEST

START_TEST(a_started_program_is_waited_for_and_stopped)
{
	const char *const slow[] = {"sh", "-c", "echo up; exec cat /dev/zero",
	    NULL};
	const char *const quick[] = {"sh", "-c", "exit 3", NULL};
	struct fx_cmd cmd = {.argv = slow};
	size_t len;
	pid_t a, b;

	a = fx_start(fx, &cmd, "log");
	ck_assert_int_eq(fx_wait(fx, a, 0), -1);
	ck_assert_int_eq(fx_stop(fx, a, SIGTERM), 128 + SIGTERM);
	ck_assert(fx_exists(fx_path(fx, "log")));
	(void)fx_read(fx, fx_path(fx, "log"), &len);
	cmd.argv = quick;
	b = fx_start(fx, &cmd, NULL);
	ck_assert_int_eq(fx_wait(fx, b, 20000), 3);
}
END_TEST

START_TEST(what_still_runs_is_killed_with_the_fixture)
{
	const char *const argv[] = {"cat", "/dev/zero", NULL};
	struct fx_cmd cmd = {.argv = argv};
	struct fx *other = fx_new();
	pid_t pid = fx_start(other, &cmd, "log");

	fx_free(&other);
	ck_assert_int_eq(kill(pid, 0), -1);
}
END_TEST

START_TEST(a_file_is_waited_for)
{
	const char *path = fx_path(fx, "f");
	const char *const argv[] = {"sh", "-c", ": >\"$0\"", path, NULL};
	struct fx_cmd cmd = {.argv = argv};

	ck_assert(!fx_wait_file(path, 10));
	(void)fx_start(fx, &cmd, NULL);
	ck_assert(fx_wait_file(path, 20000));
}
END_TEST

START_TEST(a_socket_counts_once_somebody_listens)
{
	const char *path = fx_path(fx, "s");
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_uint_lt(strlen(path), sizeof(sa.sun_path));
	memcpy(sa.sun_path, path, strlen(path));
	ck_assert(!fx_wait_socket(path, 10));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert(!fx_wait_socket(path, 10));
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert(fx_wait_socket(path, 20000));
	close(fd);
	ck_assert(!fx_wait_socket(path, 10));
}
END_TEST

START_TEST(contains_finds_bytes_anywhere)
{
	const char *path = fx_path(fx, "f");

	fx_write(path, "ab\0cd", 5, 0600);
	ck_assert(fx_contains(fx, path, "b\0c", 3));
	ck_assert(fx_contains(fx, path, "cd", 2));
	ck_assert(!fx_contains(fx, path, "bc", 2));
}
END_TEST

struct count {
	size_t bits, bytes, lengths;
};

static void
count_mutant(void *ctx, const struct mutant *m)
{
	static const uint8_t sample[3] = {0x00, 0xff, 0x5a};
	struct count *c = ctx;
	unsigned differ = 0;
	size_t i;

	ck_assert_uint_gt(strlen(m->what), 0);
	if (m->len != sizeof(sample)) {
		c->lengths++;
		ck_assert_mem_eq(m->p, sample,
		    m->len < sizeof(sample) ? m->len : sizeof(sample));
		return;
	}
	for (i = 0; i < sizeof(sample); i++)
		differ += (unsigned)__builtin_popcount(m->p[i] ^ sample[i]);
	ck_assert_uint_gt(differ, 0);
	if (differ == 1)
		c->bits++;
	else
		c->bytes++;
}

START_TEST(the_mutator_makes_every_small_change_and_no_copy)
{
	static const uint8_t sample[3] = {0x00, 0xff, 0x5a};
	struct count c = {0, 0, 0};
	size_t n = mutate(sample, sizeof(sample), count_mutant, &c);

	ck_assert_uint_eq(c.bits, 24);
	ck_assert_uint_eq(c.bytes, 4); /* 00 → ff, ff → 00, 5a → both */
	ck_assert_uint_eq(c.lengths, 4);
	ck_assert_uint_eq(n, 32);
}
END_TEST

Suite *
lib_suite(void)
{
	Suite *s = suite_create("lib");
	TCase *t = tcase_create("fixture");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, the_directory_is_private_and_goes_with_all_in_it);
	tcase_add_test(t,
	    a_program_gets_its_input_and_its_outputs_are_kept_apart);
	tcase_add_test(t, more_than_a_pipe_holds_goes_both_ways);
	tcase_add_test(t, a_program_that_does_not_read_is_no_error);
	tcase_add_test(t, an_end_by_signal_is_128_and_the_signal);
	tcase_add_test(t, the_environment_is_ours_with_theirs_on_top);
	tcase_add_test(t, a_program_that_hangs_ends_the_test);
	tcase_add_test(t, a_started_program_is_waited_for_and_stopped);
	tcase_add_test(t, what_still_runs_is_killed_with_the_fixture);
	tcase_add_test(t, a_file_is_waited_for);
	tcase_add_test(t, a_socket_counts_once_somebody_listens);
	tcase_add_test(t, contains_finds_bytes_anywhere);
	tcase_add_test(t, the_mutator_makes_every_small_change_and_no_copy);
	suite_add_tcase(s, t);
	return s;
}
