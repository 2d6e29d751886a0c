#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "tests/unit/tools/tests.h"
#include "tools/prompt.h"

static struct prompt *p;

/* Standard input becomes a pipe that holds this text and then ends. */
static void
input(const char *text)
{
	int fd[2];

	ck_assert_int_eq(pipe(fd), 0);
	ck_assert_int_eq(write(fd[1], text, strlen(text)),
	    (ssize_t)strlen(text));
	close(fd[1]);
	ck_assert_int_eq(dup2(fd[0], STDIN_FILENO), STDIN_FILENO);
	close(fd[0]);
	prompt_close(&p);
	ck_assert_int_eq(prompt_open(&p), 0);
}

static void
setup(void)
{
	ck_assert_int_eq(kms_secret_init(1u << 16, KMS_SECRET_PLAIN), 0);
}

static void
teardown(void)
{
	prompt_close(&p);
}

static const struct prompt_ask new_phrase = {.what = "key passphrase",
    .min = 8,
    .twice = true,
    .may_be_empty = true};

static void
assert_phrase(const struct prompt_ask *ask, const void *want, size_t len)
{
	struct kms_secret *s = NULL;

	ck_assert_int_eq(prompt_phrase(p, ask, &s), 0);
	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(kms_secret_len(s), len);
	ck_assert_mem_eq(kms_secret_bytes(s), want, len);
	kms_secret_free(&s);
}

static void
assert_no_phrase(const struct prompt_ask *ask, int err, const char *says)
{
	struct kms_secret *s = NULL;

	ck_assert_int_eq(prompt_phrase(p, ask, &s), err);
	ck_assert_ptr_null(s);
	ck_assert_msg(strstr(kms_err_cause(err), says) != NULL,
	    "\"%s\" does not say \"%s\"", kms_err_cause(err), says);
}

START_TEST(lines_are_taken_in_the_order_asked)
{
	char id[20];

	input("first phrase\nfirst phrase\nid 1\r\nsecond phrase\r\n"
	      "second phrase\nid 2");
	assert_phrase(&new_phrase, "first phrase", 12);
	ck_assert_int_eq(prompt_line(p, "HMK ID", id, sizeof(id)), 0);
	ck_assert_str_eq(id, "id 1");
	assert_phrase(&new_phrase, "second phrase", 13);
	ck_assert_int_eq(prompt_line(p, "KPK ID", id, sizeof(id)), 0);
	ck_assert_str_eq(id, "id 2");
}
END_TEST

START_TEST(the_end_of_input_is_never_an_empty_line)
{
	char id[20];

	input("");
	assert_no_phrase(&new_phrase, KMS_ERR_USAGE, "key passphrase");
	input("only once\n");
	assert_no_phrase(&new_phrase, KMS_ERR_USAGE, "again");
	input("");
	ck_assert_int_eq(prompt_line(p, "HMK ID", id, sizeof(id)),
	    KMS_ERR_USAGE);
}
END_TEST

START_TEST(empty_twice_means_no_phrase_where_that_is_allowed)
{
	struct prompt_ask must = new_phrase;
	struct kms_secret *s = NULL;

	input("\n\n");
	ck_assert_int_eq(prompt_phrase(p, &new_phrase, &s), 0);
	ck_assert_ptr_null(s);
	must.may_be_empty = false;
	input("\n\n");
	assert_no_phrase(&must, KMS_ERR_PHRASE, "key passphrase");
}
END_TEST

START_TEST(a_repeat_that_differs_is_refused)
{
	input("one phrase\none Phrase\n");
	assert_no_phrase(&new_phrase, KMS_ERR_PHRASE, "repeat");
	input("\none phrase\n");
	assert_no_phrase(&new_phrase, KMS_ERR_PHRASE, "repeat");
}
END_TEST

START_TEST(a_phrase_against_the_rules_is_refused)
{
	static const char *const bad[] = {"eleven", " leading blank",
	    "trailing blank ", "umlaut \xc3\xbc here", "a tab\there"};
	char twice[100];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(twice, sizeof(twice), "%s\n%s\n", bad[i], bad[i]);
		input(twice);
		assert_no_phrase(&new_phrase, KMS_ERR_PHRASE, "key passphrase");
		ck_assert_ptr_null(strstr(kms_err_cause(KMS_ERR_PHRASE),
		    bad[i]));
	}
}
END_TEST

START_TEST(the_longest_phrase_is_taken_and_no_longer_one)
{
	static const struct prompt_ask old = {.what = "phrase"};
	char text[1100];

	memset(text, 'x', sizeof(text));
	memcpy(text + 1024, "\r\n", 3);
	input(text);
	text[1024] = 'x';
	assert_phrase(&old, text, 1024);
	memcpy(text + 1025, "\n", 2);
	input(text);
	assert_no_phrase(&old, KMS_ERR_PHRASE, "phrase");
	memset(text, 'x', 1099);
	text[1099] = '\0';
	input(text);
	assert_no_phrase(&old, KMS_ERR_PHRASE, "too long");
}
END_TEST

START_TEST(parts_are_asked_part_repeat_part_and_joined_with_lengths)
{
	struct prompt_ask ask = new_phrase;

	ask.components = 2;
	input("part one\npart one\npart two!\npart two!\n");
	assert_phrase(&ask, "\0\010part one\0\011part two!", 21);
	input("part one\npart one\n\n\n");
	assert_no_phrase(&ask, KMS_ERR_PHRASE, "part 2 of 2");
}
END_TEST

START_TEST(an_id_is_one_line_of_text_that_fits)
{
	char id[5];

	input("12345\n");
	ck_assert_int_eq(prompt_line(p, "ID", id, sizeof(id)), KMS_ERR_USAGE);
	input("1234\n");
	ck_assert_int_eq(prompt_line(p, "ID", id, sizeof(id)), 0);
	ck_assert_str_eq(id, "1234");
}
END_TEST

/* What the terminal showed until want came, or it was silent for 10 s. */
static void
expect(int fd, char *seen, size_t cap, const char *want)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	size_t len = strlen(seen);
	ssize_t n;

	while (strstr(seen, want) == NULL && len + 1 < cap) {
		ck_assert_msg(poll(&pfd, 1, 10000) == 1,
		    "\"%s\" did not come after \"%s\"", want, seen);
		n = read(fd, seen + len, cap - len - 1);
		if (n <= 0)
			break;
		len += (size_t)n;
		seen[len] = '\0';
	}
	ck_assert_ptr_nonnull(strstr(seen, want));
}

/* A process with a terminal of its own that asks for one phrase. */
static pid_t
ask_at_terminal(int *fd)
{
	struct kms_secret *s = NULL;
	pid_t pid = forkpty(fd, NULL, NULL, NULL);

	ck_assert_int_ge(pid, 0);
	if (pid > 0)
		return pid;
	signal(SIGINT, SIG_DFL); /* Check has handlers for these */
	signal(SIGTERM, SIG_DFL);
	if (prompt_open(&p) != 0 || !prompt_is_terminal(p))
		_exit(90);
	if (prompt_phrase(p, &new_phrase, &s) != 0)
		_exit(91);
	_exit(kms_secret_len(s) == 12 ? 0 : 92);
}

static bool
echoes(int fd)
{
	struct termios t;

	ck_assert_int_eq(tcgetattr(fd, &t), 0);
	return (t.c_lflag & ECHO) != 0;
}

START_TEST(a_terminal_is_asked_without_echo_and_left_as_it_was)
{
	char seen[500] = "";
	int fd, status;
	pid_t pid = ask_at_terminal(&fd);

	expect(fd, seen, sizeof(seen), "key passphrase: ");
	ck_assert(!echoes(fd));
	ck_assert_int_eq(write(fd, "typed phrase\n", 13), 13);
	expect(fd, seen, sizeof(seen), "again: ");
	ck_assert_int_eq(write(fd, "typed phrase\n", 13), 13);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_ptr_null(strstr(seen, "typed"));
	ck_assert(echoes(fd));
	close(fd);
}
END_TEST

START_TEST(a_signal_at_the_prompt_ends_us_with_echo_back_on)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		char seen[500] = "";
		int fd, status;
		pid_t pid = ask_at_terminal(&fd);

		expect(fd, seen, sizeof(seen), "key passphrase: ");
		ck_assert_int_eq(kill(pid, signals[i]), 0);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFSIGNALED(status));
		ck_assert_int_eq(WTERMSIG(status), signals[i]);
		ck_assert(echoes(fd));
		close(fd);
	}
}
END_TEST

TCase *
prompt_case(void)
{
	TCase *t = tcase_create("prompt");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, lines_are_taken_in_the_order_asked);
	tcase_add_test(t, the_end_of_input_is_never_an_empty_line);
	tcase_add_test(t, empty_twice_means_no_phrase_where_that_is_allowed);
	tcase_add_test(t, a_repeat_that_differs_is_refused);
	tcase_add_test(t, a_phrase_against_the_rules_is_refused);
	tcase_add_test(t, the_longest_phrase_is_taken_and_no_longer_one);
	tcase_add_test(t,
	    parts_are_asked_part_repeat_part_and_joined_with_lengths);
	tcase_add_test(t, an_id_is_one_line_of_text_that_fits);
	tcase_add_test(t, a_terminal_is_asked_without_echo_and_left_as_it_was);
	tcase_add_test(t, a_signal_at_the_prompt_ends_us_with_echo_back_on);
	return t;
}
