#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "tests/unit/kms/faults.h"
#include "tests/unit/kms/rows_rig.h"
#include "tests/unit/kms/stores.h"
#include "tests/unit/kms/tests.h"

START_TEST(what_was_committed_is_there_after_reopening)
{
	struct kms_row row;
	struct kms_wr body;
	uint8_t hash[32];
	unsigned copy;

	rows_reopen();
	for (copy = 1; copy <= 2; copy++) {
		kms_wr_grow(&body, 100);
		ok(kms_rows_header(rows, copy, &body, hash));
		ck_assert(body.len == 6 && memcmp(body.p, "header", 6) == 0);
		ck_assert(hash[0] == 1 && hash[1] == 2);
		kms_wr_free(&body);
	}
	ok(kms_rows_get(rows, 2, &row));
	ck_assert(row.id == 2 && row.generation == 1 && row.kind == 3 &&
	    row.len == 100 && row.sealed[99] == 63);
	fails(kms_rows_get(rows, 4, &row), KMS_ERR_NOTFOUND, "row 4");
	fails(kms_rows_get(rows, UINT64_MAX, &row), KMS_ERR_NOTFOUND, NULL);
	ck_assert_uint_eq(rows_count(rows), 3);
}
END_TEST

START_TEST(what_was_not_committed_is_not)
{
	struct kms_row row;

	ok(kms_rows_begin_write(rows));
	rows_put(2, 2);
	rows_put(4, 2);
	kms_rows_end(rows);
	kms_rows_end(rows); /* once too often is nothing */
	ok(kms_rows_get(rows, 2, &row));
	ck_assert_uint_eq(row.generation, 1);
	ck_assert_uint_eq(rows_count(rows), 3);
}
END_TEST

START_TEST(a_put_replaces_and_a_scan_goes_up_by_id)
{
	struct rows_seen all = {0}, above = {0};

	ok(kms_rows_begin_write(rows));
	rows_put(9, 2);
	rows_put(5, 2);
	rows_put(2, 3);
	ok(kms_rows_commit(rows));
	ok(kms_rows_scan(rows, 0, rows_see, &all));
	ck_assert_uint_eq(all.n, 5);
	ck_assert(all.id[0] == 1 && all.id[1] == 2 && all.id[2] == 3 &&
	    all.id[3] == 5 && all.id[4] == 9);
	ck_assert_uint_eq(all.generation[1], 3);
	ok(kms_rows_scan(rows, 1, rows_see, &above));
	ck_assert_uint_eq(above.n, 3);
	ck_assert(above.id[0] == 2 && above.id[1] == 5 && above.id[2] == 9);
	above.n = 0;
	ok(kms_rows_scan(rows, 3, rows_see, &above));
	ok(kms_rows_scan(rows, UINT64_MAX, rows_see, &above));
	ck_assert_uint_eq(above.n, 0);
}
END_TEST

static int
stop_at_two(void *ctx, const struct kms_row *row)
{
	struct kms_row other;

	(void)ctx;
	ok(kms_rows_get(rows, 3, &other)); /* between two rows of a scan */
	return row->id == 2 ? kms_fail(KMS_ERR_GATE, "two") : 0;
}

START_TEST(a_scan_stops_at_the_first_error)
{
	fails(kms_rows_scan(rows, 0, stop_at_two, NULL), KMS_ERR_GATE, "two");
	ck_assert_uint_eq(rows_count(rows), 3);
}
END_TEST

START_TEST(only_writers_in_a_transaction_put)
{
	struct kms_rows *reader = rows_open_as(path, false, true, 0);

	fails(rows_put_size(rows, 4, 2, 1), KMS_ERR_INTERNAL, "transaction");
	fails(kms_rows_begin_write(reader), KMS_ERR_INTERNAL, NULL);
	kms_rows_close(&reader);
	ok(kms_rows_begin_write(rows));
	fails(rows_put_size(rows, 0, 2, 1), KMS_ERR_LIMIT, NULL);
	fails(rows_put_size(rows, UINT64_MAX, 2, 1), KMS_ERR_LIMIT, NULL);
	fails(rows_put_size(rows, 4, UINT64_MAX, 1), KMS_ERR_LIMIT, NULL);
	kms_rows_end(rows);
}
END_TEST

START_TEST(a_row_of_a_megabyte_is_held)
{
	uint8_t *big = calloc(1, KMS_SEALED_MAX + 1);
	struct kms_row row = {.id = 4,
	    .generation = 2,
	    .kind = 6,
	    .sealed = big,
	    .len = KMS_SEALED_MAX + 1};

	ok(kms_rows_begin_write(rows));
	fails(kms_rows_put(rows, &row), KMS_ERR_LIMIT, NULL);
	row.len--;
	ok(kms_rows_put(rows, &row));
	ok(kms_rows_commit(rows));
	ok(kms_rows_get(rows, 4, &row));
	ck_assert_uint_eq(row.len, KMS_SEALED_MAX);
	free(big);
}
END_TEST

/* --- others ------------------------------------------------------------ */

START_TEST(a_second_writer_is_told_busy)
{
	struct kms_rows *other = rows_open_as(path, false, false, 20);

	ok(kms_rows_begin_write(rows));
	fails(kms_rows_begin_write(other), KMS_ERR_BUSY, "in use");
	ck_assert_uint_eq(rows_count(other), 3); /* readers still read */
	kms_rows_end(rows);
	ok(kms_rows_begin_write(other));
	kms_rows_end(other);
	kms_rows_close(&other);
}
END_TEST

START_TEST(a_commit_that_a_reader_holds_up_may_be_tried_again)
{
	struct kms_rows *reader = rows_open_as(path, false, false, 20), *writer;

	writer = rows_open_as(path, false, false, 20);
	ok(kms_rows_begin_read(reader));
	ok(kms_rows_begin_write(writer));
	ok(rows_put_size(writer, 4, 2, 100));
	fails(kms_rows_commit(writer), KMS_ERR_BUSY, NULL);
	fails(kms_rows_commit(writer), KMS_ERR_BUSY, NULL);
	ck_assert_uint_eq(rows_count(reader), 3);
	kms_rows_end(reader);
	ok(kms_rows_commit(writer));
	ck_assert_uint_eq(rows_count(reader), 4);
	kms_rows_close(&reader);
	kms_rows_close(&writer);
}
END_TEST

START_TEST(others_changes_are_noticed_until_they_were_seen)
{
	struct kms_rows *other = rows_open_as(path, false, false, 1000);
	bool changed;

	ok(kms_rows_begin_write(rows));
	rows_put(4, 2);
	ok(kms_rows_commit(rows));
	ok(kms_rows_changed(rows, &changed));
	ck_assert(!changed); /* our own */
	ok(kms_rows_begin_read(other));
	ok(kms_rows_changed(other, &changed));
	ck_assert(changed);
	ok(kms_rows_changed(other, &changed));
	ck_assert(changed);
	ok(kms_rows_seen(other));
	ok(kms_rows_changed(other, &changed));
	ck_assert(!changed);
	kms_rows_end(other);
	kms_rows_close(&other);
}
END_TEST

static pid_t
in_child(void (*fn)(uint64_t), uint64_t arg)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid != 0)
		return pid;
	rows = NULL; /* the parent's: SQLite does not survive a fork */
	fn(arg);
	_exit(0);
}

static void
wait_for(pid_t pid)
{
	int st;

	ck_assert_int_eq(waitpid(pid, &st, 0), pid);
	ck_assert(WIFEXITED(st) && WEXITSTATUS(st) == 0);
}

static void
add_every_second(uint64_t first)
{
	struct kms_rows_options opt = {.path = path, .wait_ms = 60000};
	struct kms_rows *r;
	uint64_t i;

	if (kms_rows_open(&opt, &r) != 0)
		_exit(1);
	for (i = first; i < first + 40; i += 2)
		if (kms_rows_begin_write(r) != 0 ||
		    rows_put_size(r, i, i, 200) != 0 || kms_rows_commit(r) != 0)
			_exit(2);
	kms_rows_close(&r);
}

START_TEST(two_processes_lose_nothing)
{
	pid_t a, b;

	kms_rows_close(&rows);
	a = in_child(add_every_second, 10);
	b = in_child(add_every_second, 11);
	wait_for(a);
	wait_for(b);
	rows_reopen();
	ck_assert_uint_eq(rows_count(rows), 43);
}
END_TEST

/* More than the page cache holds, so that SQLite must write the file. */
static void
die_in_the_middle(uint64_t unused)
{
	struct kms_rows_options opt = {.path = path, .wait_ms = 1000};
	struct kms_rows *r;
	uint64_t i;

	(void)unused;
	if (kms_rows_open(&opt, &r) != 0 || kms_rows_begin_write(r) != 0)
		_exit(1);
	for (i = 1; i < 2000; i++)
		if (rows_put_size(r, i, 2, 4000) != 0)
			_exit(2);
	raise(SIGKILL);
}

static void
leave_hot_journal(void)
{
	struct stat st;
	pid_t pid;
	int status;

	kms_rows_close(&rows);
	pid = in_child(die_in_the_middle, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ck_assert_int_eq(stat(fx_path(fx, "kms.db-journal"), &st), 0);
	ck_assert_int_gt(st.st_size, 512);
}

START_TEST(what_a_killed_writer_left_is_rolled_back_at_open)
{
	leave_hot_journal();
	rows_reopen();
	ck_assert_uint_eq(rows_count(rows), 3);
	ok(kms_rows_begin_write(rows));
	rows_put(4, 2);
	ok(kms_rows_commit(rows));
	ck_assert_uint_eq(rows_count(rows), 4);
}
END_TEST

START_TEST(an_unfinished_change_cannot_be_read_without_rolling_it_back)
{
	leave_hot_journal();
	fails(rows_try_open(path, false, true), KMS_ERR_IO,
	    "unfinished change");
	fails(kms_rows_install(path, fx_path(fx, "other.db")), KMS_ERR_STATE,
	    "unfinished change");
	rows_reopen();
	ck_assert_uint_eq(rows_count(rows), 3);
}
END_TEST

/* --- a kill under an open connection ------------------------------------ */

/* The file may grow by a page, and takes more: the kill comes after page 1,
 * with its new counter, was written, and before the commit ended. */
static void
die_in_the_commit(uint64_t size)
{
	struct kms_rows_options opt = {.path = path, .wait_ms = 1000};
	struct rlimit limit = {size + 4096, size + 4096};
	struct kms_rows *r;
	uint64_t i;

	if (kms_rows_open(&opt, &r) != 0 || kms_rows_begin_write(r) != 0)
		_exit(1);
	for (i = 3; i < 8; i++)
		if (rows_put_size(r, i, 2, 4000) != 0)
			_exit(2);
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
		_exit(3);
	_exit(kms_rows_commit(r) == 0 ? 4 : 6);
}

/* Forked before the parent opens, for SQLite does not survive a fork; goes on
 * when told. */
static pid_t
die_later(void (*how)(uint64_t), uint64_t arg, int *go)
{
	int fd[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(fd), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(fd[1]);
		if (read(fd[0], &c, 1) == 1)
			how(arg);
		_exit(5);
	}
	close(fd[0]);
	*go = fd[1];
	return pid;
}

static void
let_die(pid_t pid, int go, int how)
{
	int status;

	ck_assert_int_eq(write(go, "x", 1), 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), how);
	close(go);
}

static void
commit_another(uint64_t id)
{
	struct kms_rows *other = rows_open_as(path, false, false, 1000);

	ok(kms_rows_begin_write(other));
	ok(rows_put_size(other, id, 3, 100));
	ok(kms_rows_commit(other));
	kms_rows_close(&other);
}

static void
survive(void (*die)(uint64_t), uint64_t arg, int how)
{
	bool changed;
	pid_t pid;
	int go;

	kms_rows_close(&rows);
	pid = die_later(die, arg, &go);
	rows = rows_open_as(path, false, false, 1000);
	let_die(pid, go, how);
	ok(kms_rows_changed(rows, &changed));
	ok(kms_rows_begin_read(rows));
	ck_assert_uint_eq(rows_count(rows), 3);
	ok(kms_rows_seen(rows));
	kms_rows_end(rows);
	ok(kms_rows_changed(rows, &changed));
	ck_assert(!changed);
	/* the counter that the killed one wrote, once more */
	commit_another(4);
	ok(kms_rows_changed(rows, &changed));
	ck_assert(changed);
	ck_assert_uint_eq(rows_count(rows), 4);
}

START_TEST(a_writer_killed_in_its_commit_hides_no_later_one)
{
	uint8_t before[16], after[16];
	const uint8_t *file;
	struct stat st;
	size_t len;
	pid_t pid;
	int go;

	ck_assert_int_eq(stat(path, &st), 0);
	/* it does die there: the file says that it was written */
	kms_rows_close(&rows);
	file = fx_read(fx, path, &len);
	memcpy(before, file + 24, sizeof(before));
	pid = die_later(die_in_the_commit, (uint64_t)st.st_size, &go);
	let_die(pid, go, SIGXFSZ);
	file = fx_read(fx, path, &len);
	memcpy(after, file + 24, sizeof(after));
	ck_assert_mem_ne(before, after, sizeof(after));
	rows_reopen();
	ck_assert_uint_eq(rows_count(rows), 3);
	survive(die_in_the_commit, (uint64_t)st.st_size, SIGXFSZ);
}
END_TEST

START_TEST(a_writer_killed_before_its_commit_hides_no_later_one)
{
	survive(die_in_the_middle, 0, SIGKILL);
}
END_TEST

START_TEST(others_changes_are_noticed_after_our_own)
{
	bool changed;
	uint64_t i;

	for (i = 4; i < 8; i += 2) {
		ok(kms_rows_begin_write(rows));
		rows_put(i, 2);
		ok(kms_rows_commit(rows));
		commit_another(i + 1);
		ok(kms_rows_changed(rows, &changed));
		ck_assert(changed);
		ok(kms_rows_begin_read(rows));
		ok(kms_rows_seen(rows));
		kms_rows_end(rows);
		ok(kms_rows_begin_write(rows));
		rows_put(i, 4);
		ok(kms_rows_changed(rows, &changed));
		ck_assert(!changed);
		kms_rows_end(rows);
		ok(kms_rows_changed(rows, &changed));
		ck_assert(!changed);
	}
}
END_TEST

/* --- a failing disk ---------------------------------------------------- */

START_TEST(a_refused_sync_is_final_for_the_connection)
{
	unsigned nth;
	size_t n;
	int r = 0;

	for (nth = 1;; nth++) {
		ok(kms_rows_begin_write(rows));
		rows_put(10 + nth, 2);
		fault_sync(nth);
		r = kms_rows_commit(rows);
		fault_sync(0);
		if (r == 0)
			break;
		fails(r, KMS_ERR_IO, "refused a sync");
		ck_assert(kms_rows_sync_failed(rows));
		kms_rows_end(rows);
		fails(kms_rows_begin_read(rows), KMS_ERR_IO, "open the store");
		fails(kms_rows_begin_write(rows), KMS_ERR_IO, NULL);
		rows_reopen();
		n = rows_count(rows); /* before or after, never between */
		ck_assert(n >= 3 && n <= 3 + nth);
	}
	ck_assert_uint_ge(nth, 3); /* journal, file, journal's end */
	ck_assert(!kms_rows_sync_failed(rows));
}
END_TEST

static int no_space;

static ssize_t
full_pwrite(int fd, const void *p, size_t n, off_t at)
{
	if (no_space) {
		errno = ENOSPC;
		return -1;
	}
	return pwrite(fd, p, n, at);
}

START_TEST(a_full_disk_is_named_and_nothing_is_changed)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	ck_assert_int_eq(vfs->xSetSystemCall(vfs, "pwrite64",
			     (sqlite3_syscall_ptr)full_pwrite),
	    SQLITE_OK);
	ck_assert_int_eq(vfs->xSetSystemCall(vfs, "pwrite",
			     (sqlite3_syscall_ptr)full_pwrite),
	    SQLITE_OK);
	ok(kms_rows_begin_write(rows));
	no_space = 1;
	fails(rows_put_size(rows, 4, 2, 100), KMS_ERR_IO, "disk full");
	no_space = 0;
	kms_rows_end(rows);
	ck_assert_uint_eq(rows_count(rows), 3);
	ok(kms_rows_begin_write(rows));
	rows_put(4, 2);
	no_space = 1;
	fails(kms_rows_commit(rows), KMS_ERR_IO, "disk full");
	no_space = 0;
	kms_rows_end(rows);
	ck_assert(!kms_rows_sync_failed(rows));
	rows_reopen();
	ck_assert_uint_eq(rows_count(rows), 3);
}
END_TEST

Suite *
rows_suite(void)
{
	Suite *s = suite_create("rows");
	TCase *t = tcase_create("rows");

	tcase_add_checked_fixture(t, rows_setup, rows_teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, what_was_committed_is_there_after_reopening);
	tcase_add_test(t, what_was_not_committed_is_not);
	tcase_add_test(t, a_put_replaces_and_a_scan_goes_up_by_id);
	tcase_add_test(t, a_scan_stops_at_the_first_error);
	tcase_add_test(t, only_writers_in_a_transaction_put);
	tcase_add_test(t, a_row_of_a_megabyte_is_held);
	tcase_add_test(t, a_second_writer_is_told_busy);
	tcase_add_test(t, a_commit_that_a_reader_holds_up_may_be_tried_again);
	tcase_add_test(t, others_changes_are_noticed_until_they_were_seen);
	tcase_add_test(t, others_changes_are_noticed_after_our_own);
	tcase_add_test(t, two_processes_lose_nothing);
	tcase_add_test(t, what_a_killed_writer_left_is_rolled_back_at_open);
	tcase_add_test(t,
	    an_unfinished_change_cannot_be_read_without_rolling_it_back);
	tcase_add_test(t, a_writer_killed_in_its_commit_hides_no_later_one);
	tcase_add_test(t, a_writer_killed_before_its_commit_hides_no_later_one);
	tcase_add_test(t, a_refused_sync_is_final_for_the_connection);
	tcase_add_test(t, a_full_disk_is_named_and_nothing_is_changed);
	suite_add_tcase(s, t);
	suite_add_tcase(s, test_rows_file());
	return s;
}
