#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kms/base/file.h"
#include "tests/lib/fixture.h"
#include "tests/unit/base/tests.h"

static struct fx *fx;

static void
setup(void)
{
	secrets_on();
	umask(022);
	fx = fx_new();
}

static void
teardown(void)
{
	fx_free(&fx);
}

static const char *
file_of(const char *name, const char *text, mode_t mode)
{
	const char *path = fx_path(fx, "%s", name);

	fx_write(path, text, strlen(text), mode);
	return path;
}

static int
open_private(const char *path)
{
	int r, fd = 77;

	r = kms_file_open(path, O_RDONLY, true, &fd);
	if (r == 0)
		close(fd);
	else
		ck_assert_int_eq(fd, -1);
	return r;
}

static size_t
entries(void)
{
	DIR *d = opendir(fx_path(fx, "%s", "."));
	size_t n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2;
}

START_TEST(a_private_file_has_no_group_or_other_bits)
{
	const char *path = file_of("pin", "1234", 0600);
	mode_t m;

	for (m = 0; m < 0100; m++) {
		ck_assert_int_eq(chmod(path, 0600 | m), 0);
		ck_assert_int_eq(open_private(path),
		    m == 0 ? 0 : KMS_ERR_CONFIG);
	}
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_CONFIG), "chmod"));
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_CONFIG), path));
	ck_assert_int_eq(chmod(path, 0400), 0);
	ck_assert_int_eq(open_private(path), 0);
}
END_TEST

START_TEST(a_file_that_is_not_private_may_be_open_to_all)
{
	const char *path = file_of("conf", "x", 0644);
	int fd;

	ck_assert_int_eq(kms_file_open(path, O_RDONLY, false, &fd), 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	close(fd);
}
END_TEST

START_TEST(a_private_file_belongs_to_us_or_root)
{
	const char *path = file_of("pin", "1234", 0600);

	if (geteuid() != 0)
		return; /* only root can give a file away */
	ck_assert_int_eq(chown(path, 65534, (gid_t)-1), 0);
	ck_assert_int_eq(open_private(path), KMS_ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_CONFIG), "65534"));
	ck_assert_int_eq(seteuid(65534), 0);
	ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(a_symbolic_link_is_refused)
{
	const char *link = fx_path(fx, "link"), *path;
	int fd;

	path = file_of("pin", "1234", 0600);
	ck_assert_int_eq(symlink(path, link), 0);
	ck_assert_int_eq(open_private(link), KMS_ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_CONFIG),
	    "symbolic link"));
	ck_assert_int_eq(kms_file_open(link, O_RDONLY, false, &fd),
	    KMS_ERR_CONFIG);
	ck_assert_int_eq(kms_file_lock(link, 0, &fd), KMS_ERR_CONFIG);
	ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(only_regular_files_are_opened_and_a_fifo_does_not_hang)
{
	const char *path = fx_path(fx, "fifo");
	int fd;

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(open_private(path), KMS_ERR_CONFIG);
	ck_assert_int_eq(open_private(fx_path(fx, "%s", ".")), KMS_ERR_CONFIG);
	ck_assert_int_eq(kms_file_open("/dev/null", O_RDONLY, false, &fd),
	    KMS_ERR_CONFIG);
}
END_TEST

START_TEST(a_missing_file_is_not_found)
{
	uint8_t b;
	size_t len;
	struct kms_secret *s;
	const char *path = fx_path(fx, "none");

	ck_assert_int_eq(open_private(path), KMS_ERR_NOTFOUND);
	ck_assert_int_eq(kms_file_read(path, 1, &b, &len), KMS_ERR_NOTFOUND);
	ck_assert_int_eq(kms_file_read_secret(path, 1, &s), KMS_ERR_NOTFOUND);
	ck_assert_ptr_null(s);
	ck_assert_int_eq(open_private(fx_path(fx, "none/deeper")),
	    KMS_ERR_NOTFOUND);
}
END_TEST

START_TEST(a_file_is_read_up_to_its_limit)
{
	const char *path = file_of("f", "12345", 0600);
	char buf[8];
	size_t len;

	memset(buf, 'z', sizeof(buf));
	ck_assert_int_eq(kms_file_read(path, 5, buf, &len), 0);
	ck_assert_uint_eq(len, 5);
	ck_assert_mem_eq(buf, "12345zzz", 8);
	ck_assert_int_eq(kms_file_read(path, 4, buf, &len), KMS_ERR_LIMIT);
	ck_assert_int_eq(kms_file_read(path, 8, buf, &len), 0);
	ck_assert_uint_eq(len, 5);
}
END_TEST

START_TEST(a_secret_is_read_whole_or_not_at_all)
{
	const char *path = file_of("pin", "12345", 0600);
	struct kms_secret *s;

	ck_assert_int_eq(kms_file_read_secret(path, 5, &s), 0);
	ck_assert_uint_eq(kms_secret_len(s), 5);
	ck_assert_mem_eq(kms_secret_bytes(s), "12345", 5);
	kms_secret_free(&s);
	ck_assert_int_eq(kms_file_read_secret(path, 4, &s), KMS_ERR_LIMIT);
	ck_assert_ptr_null(s);
	ck_assert_int_eq(chmod(path, 0640), 0);
	ck_assert_int_eq(kms_file_read_secret(path, 5, &s), KMS_ERR_CONFIG);
	ck_assert_ptr_null(s);
}
END_TEST

START_TEST(an_empty_secret_file_is_an_empty_secret)
{
	struct kms_secret *s;

	ck_assert_int_eq(kms_file_read_secret(file_of("pin", "", 0600), 5, &s),
	    0);
	ck_assert_uint_eq(kms_secret_len(s), 0);
	kms_secret_free(&s);
}
END_TEST

START_TEST(a_directory_open_to_others_is_refused)
{
	const char *dir = fx_path(fx, "d"), *path = fx_path(fx, "d/kms.db");
	mode_t m;

	ck_assert_int_eq(mkdir(dir, 0700), 0);
	for (m = 0; m < 0100; m++) {
		ck_assert_int_eq(chmod(dir, 0700 | m), 0);
		ck_assert_int_eq(kms_file_check_dir(path, true),
		    m == 0 ? 0 : KMS_ERR_CONFIG);
		ck_assert_int_eq(kms_file_check_dir(path, false),
		    (m & 022) == 0 ? 0 : KMS_ERR_CONFIG);
	}
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_CONFIG), "chmod"));
}
END_TEST

START_TEST(a_directory_of_somebody_else_is_refused)
{
	const char *dir = fx_path(fx, "d");

	if (geteuid() != 0)
		return; /* only root can give a directory away */
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	ck_assert_int_eq(chown(dir, 65534, (gid_t)-1), 0);
	ck_assert_int_eq(kms_file_check_dir(fx_path(fx, "d/x"), true),
	    KMS_ERR_CONFIG);
	ck_assert_int_eq(seteuid(65534), 0);
	ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(a_directory_may_be_missing_or_no_directory)
{
	const char *file = file_of("f", "", 0600);

	(void)file;
	ck_assert_int_eq(kms_file_check_dir(fx_path(fx, "none/x"), true),
	    KMS_ERR_NOTFOUND);
	ck_assert_int_eq(kms_file_check_dir(fx_path(fx, "f/x"), true),
	    KMS_ERR_CONFIG);
	ck_assert_int_eq(kms_file_check_dir("/x", false), 0);
}
END_TEST

START_TEST(a_path_too_long_is_refused)
{
	char path[5000];

	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(kms_file_replace(path, "x", 1), KMS_ERR_LIMIT);
	path[4500] = '/';
	ck_assert_int_eq(kms_file_check_dir(path, true), KMS_ERR_LIMIT);
}
END_TEST

START_TEST(replace_makes_and_replaces_a_private_file)
{
	const char *path = fx_path(fx, "f");
	struct stat st;
	size_t len;

	umask(0);
	ck_assert_int_eq(kms_file_replace(path, "one", 3), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(kms_file_replace(path, "second", 6), 0);
	ck_assert_str_eq((char *)fx_read(fx, path, &len), "second");
	ck_assert_int_eq(kms_file_replace(path, "", 0), 0);
	ck_assert_str_eq((char *)fx_read(fx, path, &len), "");
	ck_assert_uint_eq(entries(), 1);
}
END_TEST

START_TEST(replace_replaces_a_link_and_not_what_it_names)
{
	const char *path = file_of("other", "keep", 0600);
	const char *link = fx_path(fx, "f");
	size_t len;

	ck_assert_int_eq(symlink(path, link), 0);
	ck_assert_int_eq(kms_file_replace(link, "new", 3), 0);
	ck_assert_str_eq((char *)fx_read(fx, path, &len), "keep");
	ck_assert_int_eq(open_private(link), 0);
}
END_TEST

START_TEST(a_write_that_fails_leaves_the_old_file_and_nothing_else)
{
	struct rlimit small = {10, 10};
	const char *path = file_of("f", "old", 0600);
	size_t len;

	ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	ck_assert_int_eq(kms_file_replace(path, "twelve bytes", 12),
	    KMS_ERR_IO);
	ck_assert_str_eq((char *)fx_read(fx, path, &len), "old");
	ck_assert_uint_eq(entries(), 1);
}
END_TEST

START_TEST(replace_without_a_directory_is_an_error)
{
	ck_assert_int_eq(kms_file_replace(fx_path(fx, "none/f"), "x", 1),
	    KMS_ERR_IO);
	ck_assert_int_eq(kms_file_sync_dir(fx_path(fx, "none/f")),
	    KMS_ERR_NOTFOUND);
}
END_TEST

START_TEST(remove_takes_what_is_missing)
{
	const char *path = file_of("f", "x", 0600);

	ck_assert_int_eq(kms_file_remove(path), 0);
	ck_assert(!fx_exists(path));
	ck_assert_int_eq(kms_file_remove(path), 0);
	ck_assert_int_eq(kms_file_remove(fx_path(fx, "%s", ".")), KMS_ERR_IO);
}
END_TEST

/* A process that takes the lock, says so on the pipe and keeps it. */
static pid_t
holder(const char *path, int said[2])
{
	pid_t pid;
	int fd;

	ck_assert_int_eq(pipe(said), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(said[0]);
		if (kms_file_lock(path, 5000, &fd) != 0)
			_exit(1);
		if (write(said[1], "k", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(said[1]);
	return pid;
}

START_TEST(a_lock_excludes_another_process_until_it_dies)
{
	const char *path = fx_path(fx, "lock");
	int said[2], fd, status;
	struct stat st;
	char c;
	pid_t pid = holder(path, said);

	ck_assert_int_eq((int)read(said[0], &c, 1), 1);
	ck_assert_int_eq(kms_file_lock(path, 0, &fd), KMS_ERR_BUSY);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(kms_file_lock(path, 30, &fd), KMS_ERR_BUSY);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_BUSY), path));
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(kms_file_lock(path, 10000, &fd), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	kms_file_unlock(&fd);
	ck_assert_int_eq(fd, -1);
	kms_file_unlock(&fd);
	kms_file_unlock(NULL);
}
END_TEST

START_TEST(a_lock_excludes_within_the_process_too)
{
	const char *path = fx_path(fx, "lock");
	int a, b;

	ck_assert_int_eq(kms_file_lock(path, 0, &a), 0);
	ck_assert_int_eq(kms_file_lock(path, 0, &b), KMS_ERR_BUSY);
	kms_file_unlock(&a);
	ck_assert_int_eq(kms_file_lock(path, 0, &b), 0);
	kms_file_unlock(&b);
}
END_TEST

START_TEST(a_lock_waits_for_the_one_before)
{
	const char *path = fx_path(fx, "lock");
	int go[2], a, b, status;
	pid_t pid;

	ck_assert_int_eq(pipe(go), 0);
	ck_assert_int_eq(kms_file_lock(path, 0, &a), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(a);
		if (write(go[1], "k", 1) != 1)
			_exit(1);
		_exit(kms_file_lock(path, 10000, &b) == 0 ? 0 : 2);
	}
	ck_assert_int_eq((int)read(go[0], &status, 1), 1);
	kms_file_unlock(&a);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(what_is_no_file_cannot_be_locked)
{
	const char *path = fx_path(fx, "fifo");
	int fd;

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(kms_file_lock(path, 0, &fd), KMS_ERR_CONFIG);
	ck_assert_int_eq(kms_file_lock(fx_path(fx, "no/lock"), 0, &fd),
	    KMS_ERR_NOTFOUND);
}
END_TEST

/* Many processes add one to a number in a file, each under the lock. */
START_TEST(no_update_under_the_lock_is_lost)
{
	const char *lock = fx_path(fx, "lock"), *path = fx_path(fx, "n");
	unsigned i, j, procs = 4, rounds = 25;
	unsigned long n;
	int status, fd;
	char text[16];
	size_t len;

	fx_write_text(path, "0");
	for (i = 0; i < procs; i++) {
		if (fork() != 0)
			continue;
		for (j = 0; j < rounds; j++) {
			if (kms_file_lock(lock, 20000, &fd) != 0)
				_exit(1);
			if (kms_file_read(path, 15, text, &len) != 0)
				_exit(2);
			text[len] = '\0';
			n = strtoul(text, NULL, 10);
			snprintf(text, sizeof(text), "%lu", n + 1);
			fx_write_text(path, text);
			kms_file_unlock(&fd);
		}
		_exit(0);
	}
	for (i = 0; i < procs; i++) {
		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_str_eq((char *)fx_read(fx, path, &len), "100");
}
END_TEST

Suite *
file_suite(void)
{
	Suite *s = suite_create("file");
	TCase *t = tcase_create("file"), *l = tcase_create("lock");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_private_file_has_no_group_or_other_bits);
	tcase_add_test(t, a_file_that_is_not_private_may_be_open_to_all);
	tcase_add_test(t, a_private_file_belongs_to_us_or_root);
	tcase_add_test(t, a_symbolic_link_is_refused);
	tcase_add_test(t,
	    only_regular_files_are_opened_and_a_fifo_does_not_hang);
	tcase_add_test(t, a_missing_file_is_not_found);
	tcase_add_test(t, a_file_is_read_up_to_its_limit);
	tcase_add_test(t, a_secret_is_read_whole_or_not_at_all);
	tcase_add_test(t, an_empty_secret_file_is_an_empty_secret);
	tcase_add_test(t, a_directory_open_to_others_is_refused);
	tcase_add_test(t, a_directory_of_somebody_else_is_refused);
	tcase_add_test(t, a_directory_may_be_missing_or_no_directory);
	tcase_add_test(t, a_path_too_long_is_refused);
	tcase_add_test(t, replace_makes_and_replaces_a_private_file);
	tcase_add_test(t, replace_replaces_a_link_and_not_what_it_names);
	tcase_add_test(t,
	    a_write_that_fails_leaves_the_old_file_and_nothing_else);
	tcase_add_test(t, replace_without_a_directory_is_an_error);
	tcase_add_test(t, remove_takes_what_is_missing);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(l, setup, teardown);
	tcase_set_timeout(l, 60);
	tcase_add_test(l, a_lock_excludes_another_process_until_it_dies);
	tcase_add_test(l, a_lock_excludes_within_the_process_too);
	tcase_add_test(l, a_lock_waits_for_the_one_before);
	tcase_add_test(l, what_is_no_file_cannot_be_locked);
	tcase_add_test(l, no_update_under_the_lock_is_lost);
	suite_add_tcase(s, l);
	return s;
}
