#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kms/base/log.h"
#include "tests/lib/fixture.h"
#include "tests/unit/base/tests.h"

static struct fx *fx;

/* Standard error goes to a file from here on: each test is a process. */
static void
setup(void)
{
	int fd;

	fx = fx_new();
	fd = open(fx_path(fx, "stderr"), O_WRONLY | O_CREAT | O_APPEND, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
	close(fd);
}

static void
teardown(void)
{
	fx_free(&fx);
}

static const char *
written(void)
{
	size_t len;

	return (const char *)fx_read(fx, fx_path(fx, "stderr"), &len);
}

START_TEST(an_event_is_one_line_with_its_name_first)
{
	kms_log_open("p11kms", true, false, KMS_LOG_INFO);
	kms_log(KMS_LOG_INFO, "token.login", "serial=%s", "abc");
	ck_assert_str_eq(written(),
	    "p11kms: info: event=token.login serial=abc\n");
}
END_TEST

START_TEST(lower_levels_are_left_out)
{
	kms_log_open("p11kms", true, false, KMS_LOG_WARN);
	kms_log(KMS_LOG_INFO, "a", "x=1");
	kms_log(KMS_LOG_DEBUG, "b", "x=2");
	kms_log(KMS_LOG_WARN, "c", "x=3");
	kms_log(KMS_LOG_ERROR, "d", "x=4");
	ck_assert_str_eq(written(),
	    "p11kms: warning: event=c x=3\np11kms: error: event=d x=4\n");
}
END_TEST

START_TEST(before_open_warnings_reach_standard_error)
{
	kms_log(KMS_LOG_INFO, "a", "x=1");
	kms_log(KMS_LOG_WARN, "b", "x=2");
	ck_assert_str_eq(written(), "warning: event=b x=2\n");
}
END_TEST

START_TEST(no_name_can_forge_a_line)
{
	kms_log_open("p", true, false, KMS_LOG_INFO);
	kms_log(KMS_LOG_INFO, "key.state", "key=%s",
	    "k\np: info: event=forged\x1b");
	ck_assert_str_eq(written(),
	    "p: info: event=key.state key=k?p: info: event=forged?\n");
}
END_TEST

START_TEST(a_long_text_is_cut_and_still_a_line)
{
	char text[5000];
	const char *line;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	kms_log_open("p", true, false, KMS_LOG_INFO);
	kms_log(KMS_LOG_INFO, "a", "x=%s", text);
	line = written();
	ck_assert_uint_lt(strlen(line), 1200);
	ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
}
END_TEST

START_TEST(nothing_is_written_when_standard_error_is_off)
{
	kms_log_open("p", false, false, KMS_LOG_DEBUG);
	kms_log(KMS_LOG_ERROR, "a", "x=1");
	ck_assert_str_eq(written(), "");
}
END_TEST

Suite *
log_suite(void)
{
	Suite *s = suite_create("log");
	TCase *t = tcase_create("log");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_event_is_one_line_with_its_name_first);
	tcase_add_test(t, lower_levels_are_left_out);
	tcase_add_test(t, before_open_warnings_reach_standard_error);
	tcase_add_test(t, no_name_can_forge_a_line);
	tcase_add_test(t, a_long_text_is_cut_and_still_a_line);
	tcase_add_test(t, nothing_is_written_when_standard_error_is_off);
	suite_add_tcase(s, t);
	return s;
}
