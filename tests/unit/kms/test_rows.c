#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "kms/rows.h"
#include "tests/lib/fixture.h"
#include "tests/unit/kms/faults.h"
#include "tests/unit/kms/stores.h"
#include "tests/unit/kms/tests.h"

static struct fx *fx;
static const char *path;
static struct kms_rows *rows;

static struct kms_rows *
open_as(const char *p, bool create, bool readonly, unsigned wait_ms)
{
	struct kms_rows_options opt = {.path = p,
	    .create = create,
	    .readonly = readonly,
	    .wait_ms = wait_ms};
	struct kms_rows *r;

	ok(kms_rows_open(&opt, &r));
	return r;
}

static int
try_open(const char *p, bool create, bool readonly)
{
	struct kms_rows_options opt = {.path = p,
	    .create = create,
	    .readonly = readonly};
	struct kms_rows *r = NULL;
	int rc;

	rc = kms_rows_open(&opt, &r);
	ck_assert((rc == 0) == (r != NULL));
	kms_rows_close(&r);
	return rc;
}

static void
reopen(void)
{
	kms_rows_close(&rows);
	rows = open_as(path, false, false, 10000);
}

static int
put_size(struct kms_rows *r, uint64_t id, uint64_t generation, size_t len)
{
	static uint8_t sealed[4096];
	struct kms_row row = {.id = id,
	    .generation = generation,
	    .kind = 3,
	    .sealed = sealed,
	    .len = len};

	memset(sealed, (int)(id * 31 + generation), len);
	return kms_rows_put(r, &row);
}

static void
put(uint64_t id, uint64_t generation)
{
	ok(put_size(rows, id, generation, 100));
}

static void
setup(void)
{
	umask(022);
	fx = fx_new();
	path = fx_path(fx, "kms.db");
	rows = open_as(path, true, false, 10000);
	ok(kms_rows_begin_write(rows));
	ok(kms_rows_put_header(rows, "header", 6, (const uint8_t[32]){1, 2}));
	put(1, 1);
	put(2, 1);
	put(3, 1);
	ok(kms_rows_commit(rows));
}

static void
teardown(void)
{
	fault_sync(0);
	kms_rows_close(&rows);
	fx_free(&fx);
}

struct seen {
	size_t n;
	uint64_t id[64], generation[64];
};

static int
see(void *ctx, const struct kms_row *row)
{
	struct seen *s = ctx;

	if (s->n < 64) {
		s->id[s->n] = row->id;
		s->generation[s->n] = row->generation;
	}
	ck_assert_uint_eq(row->kind, 3);
	ck_assert_uint_eq(row->sealed[row->len - 1],
	    (uint8_t)(row->id * 31 + row->generation));
	s->n++;
	return 0;
}

static size_t
count(struct kms_rows *r)
{
	struct seen s = {0};

	ok(kms_rows_scan(r, 0, see, &s));
	return s.n;
}

START_TEST(what_was_committed_is_there_after_reopening)
{
	struct kms_row row;
	struct kms_wr body;
	uint8_t hash[32];
	unsigned copy;

	reopen();
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
	ck_assert_uint_eq(count(rows), 3);
}
END_TEST

START_TEST(what_was_not_committed_is_not)
{
	struct kms_row row;

	ok(kms_rows_begin_write(rows));
	put(2, 2);
	put(4, 2);
	kms_rows_end(rows);
	kms_rows_end(rows); /* once too often is nothing */
	ok(kms_rows_get(rows, 2, &row));
	ck_assert_uint_eq(row.generation, 1);
	ck_assert_uint_eq(count(rows), 3);
}
END_TEST

START_TEST(a_put_replaces_and_a_scan_goes_up_by_id)
{
	struct seen all = {0}, above = {0};

	ok(kms_rows_begin_write(rows));
	put(9, 2);
	put(5, 2);
	put(2, 3);
	ok(kms_rows_commit(rows));
	ok(kms_rows_scan(rows, 0, see, &all));
	ck_assert_uint_eq(all.n, 5);
	ck_assert(all.id[0] == 1 && all.id[1] == 2 && all.id[2] == 3 &&
	    all.id[3] == 5 && all.id[4] == 9);
	ck_assert_uint_eq(all.generation[1], 3);
	ok(kms_rows_scan(rows, 1, see, &above));
	ck_assert_uint_eq(above.n, 3);
	ck_assert(above.id[0] == 2 && above.id[1] == 5 && above.id[2] == 9);
	above.n = 0;
	ok(kms_rows_scan(rows, 3, see, &above));
	ok(kms_rows_scan(rows, UINT64_MAX, see, &above));
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
	ck_assert_uint_eq(count(rows), 3);
}
END_TEST

START_TEST(only_writers_in_a_transaction_put)
{
	struct kms_rows *reader = open_as(path, false, true, 0);

	fails(put_size(rows, 4, 2, 1), KMS_ERR_INTERNAL, "transaction");
	fails(kms_rows_begin_write(reader), KMS_ERR_INTERNAL, NULL);
	kms_rows_close(&reader);
	ok(kms_rows_begin_write(rows));
	fails(put_size(rows, 0, 2, 1), KMS_ERR_LIMIT, NULL);
	fails(put_size(rows, UINT64_MAX, 2, 1), KMS_ERR_LIMIT, NULL);
	fails(put_size(rows, 4, UINT64_MAX, 1), KMS_ERR_LIMIT, NULL);
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
	struct kms_rows *other = open_as(path, false, false, 20);

	ok(kms_rows_begin_write(rows));
	fails(kms_rows_begin_write(other), KMS_ERR_BUSY, "in use");
	ck_assert_uint_eq(count(other), 3); /* readers still read */
	kms_rows_end(rows);
	ok(kms_rows_begin_write(other));
	kms_rows_end(other);
	kms_rows_close(&other);
}
END_TEST

START_TEST(a_commit_that_a_reader_holds_up_may_be_tried_again)
{
	struct kms_rows *reader = open_as(path, false, false, 20), *writer;

	writer = open_as(path, false, false, 20);
	ok(kms_rows_begin_read(reader));
	ok(kms_rows_begin_write(writer));
	ok(put_size(writer, 4, 2, 100));
	fails(kms_rows_commit(writer), KMS_ERR_BUSY, NULL);
	fails(kms_rows_commit(writer), KMS_ERR_BUSY, NULL);
	ck_assert_uint_eq(count(reader), 3);
	kms_rows_end(reader);
	ok(kms_rows_commit(writer));
	ck_assert_uint_eq(count(reader), 4);
	kms_rows_close(&reader);
	kms_rows_close(&writer);
}
END_TEST

START_TEST(others_changes_are_noticed_until_they_were_seen)
{
	struct kms_rows *other = open_as(path, false, false, 1000);
	bool changed;

	ok(kms_rows_begin_write(rows));
	put(4, 2);
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
		    put_size(r, i, i, 200) != 0 || kms_rows_commit(r) != 0)
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
	reopen();
	ck_assert_uint_eq(count(rows), 43);
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
		if (put_size(r, i, 2, 4000) != 0)
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
	reopen();
	ck_assert_uint_eq(count(rows), 3);
	ok(kms_rows_begin_write(rows));
	put(4, 2);
	ok(kms_rows_commit(rows));
	ck_assert_uint_eq(count(rows), 4);
}
END_TEST

START_TEST(an_unfinished_change_cannot_be_read_without_rolling_it_back)
{
	leave_hot_journal();
	fails(try_open(path, false, true), KMS_ERR_IO, "unfinished change");
	fails(kms_rows_install(path, fx_path(fx, "other.db")), KMS_ERR_STATE,
	    "unfinished change");
	reopen();
	ck_assert_uint_eq(count(rows), 3);
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
		if (put_size(r, i, 2, 4000) != 0)
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
	struct kms_rows *other = open_as(path, false, false, 1000);

	ok(kms_rows_begin_write(other));
	ok(put_size(other, id, 3, 100));
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
	rows = open_as(path, false, false, 1000);
	let_die(pid, go, how);
	ok(kms_rows_changed(rows, &changed));
	ok(kms_rows_begin_read(rows));
	ck_assert_uint_eq(count(rows), 3);
	ok(kms_rows_seen(rows));
	kms_rows_end(rows);
	ok(kms_rows_changed(rows, &changed));
	ck_assert(!changed);
	/* the counter that the killed one wrote, once more */
	commit_another(4);
	ok(kms_rows_changed(rows, &changed));
	ck_assert(changed);
	ck_assert_uint_eq(count(rows), 4);
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
	reopen();
	ck_assert_uint_eq(count(rows), 3);
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
		put(i, 2);
		ok(kms_rows_commit(rows));
		commit_another(i + 1);
		ok(kms_rows_changed(rows, &changed));
		ck_assert(changed);
		ok(kms_rows_begin_read(rows));
		ok(kms_rows_seen(rows));
		kms_rows_end(rows);
		ok(kms_rows_begin_write(rows));
		put(i, 4);
		ok(kms_rows_changed(rows, &changed));
		ck_assert(!changed);
		kms_rows_end(rows);
		ok(kms_rows_changed(rows, &changed));
		ck_assert(!changed);
	}
}
END_TEST

/* --- the file ---------------------------------------------------------- */

static mode_t
mode_of(const char *p)
{
	struct stat st;

	ck_assert_int_eq(lstat(p, &st), 0);
	return st.st_mode & 07777;
}

START_TEST(file_and_journal_are_ours_alone)
{
	ck_assert_uint_eq(mode_of(path), 0600);
	ck_assert_uint_eq(mode_of(fx_path(fx, "kms.db-journal")), 0600);
}
END_TEST

START_TEST(the_journal_is_there_before_a_change_needs_it)
{
	const char *journal = fx_path(fx, "kms.db-journal");

	ck_assert_int_eq(unlink(journal), 0);
	ok(kms_rows_begin_write(rows));
	ck_assert(fx_exists(journal));
	kms_rows_end(rows);
	ck_assert(fx_exists(journal));
}
END_TEST

START_TEST(a_file_or_directory_open_to_others_is_refused)
{
	ck_assert_int_eq(chmod(path, 0640), 0);
	fails(try_open(path, false, false), KMS_ERR_CONFIG, "chmod 0600");
	ck_assert_int_eq(chmod(path, 0600), 0);
	ck_assert_int_eq(chmod(fx_path(fx, "."), 0750), 0);
	fails(try_open(path, false, false), KMS_ERR_CONFIG, "chmod 0700");
	fails(try_open(fx_path(fx, "new.db"), true, false), KMS_ERR_CONFIG,
	    "chmod 0700");
	ck_assert(!fx_exists(fx_path(fx, "new.db")));
}
END_TEST

START_TEST(a_symbolic_link_is_refused_but_one_to_the_directory_is_not)
{
	const char *link = fx_path(fx, "link.db"), *dir = fx_path(fx, "dir");

	ck_assert_int_eq(symlink(path, link), 0);
	fails(try_open(link, false, false), KMS_ERR_CONFIG, "symbolic link");
	fails(try_open(link, false, true), KMS_ERR_CONFIG, "symbolic link");
	fails(try_open(link, true, false), KMS_ERR_EXISTS, NULL);
	ck_assert_int_eq(symlink(fx_path(fx, "."), dir), 0);
	ok(try_open(fx_path(fx, "dir/kms.db"), false, false));
}
END_TEST

START_TEST(a_missing_file_or_directory_is_not_found)
{
	fails(try_open(fx_path(fx, "none.db"), false, false), KMS_ERR_NOTFOUND,
	    "-createemptydb");
	fails(try_open(fx_path(fx, "none/kms.db"), false, false),
	    KMS_ERR_NOTFOUND, "no such directory");
	fails(try_open(fx_path(fx, "none.db"), false, true), KMS_ERR_NOTFOUND,
	    NULL);
}
END_TEST

START_TEST(an_existing_file_is_never_made_anew)
{
	fails(try_open(path, true, false), KMS_ERR_EXISTS, NULL);
	ck_assert_uint_eq(count(rows), 3);
}
END_TEST

START_TEST(a_path_too_long_is_refused)
{
	char longest[600];

	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	fails(try_open(longest, false, false), KMS_ERR_LIMIT, "path");
}
END_TEST

START_TEST(a_read_only_copy_is_read_where_it_lies)
{
	const char *dir = fx_path(fx, "medium");
	const char *copy = fx_path(fx, "medium/kms.db");
	struct kms_rows *r;

	ck_assert_int_eq(mkdir(dir, 0755), 0);
	ok(kms_rows_copy(rows, copy));
	ck_assert_int_eq(chmod(copy, 0444), 0);
	ck_assert_int_eq(chmod(dir, 0555), 0);
	r = open_as(copy, false, true, 0);
	ok(kms_rows_begin_read(r));
	ck_assert_uint_eq(count(r), 3);
	kms_rows_end(r);
	kms_rows_close(&r);
	ck_assert(!fx_exists(fx_path(fx, "medium/kms.db-journal")));
	ck_assert_int_eq(chmod(dir, 0755), 0);
}
END_TEST

START_TEST(a_copy_is_whole_and_private_and_never_over_a_file)
{
	const char *copy = fx_path(fx, "copy.db");
	struct kms_rows *r;

	ok(kms_rows_begin_read(rows));
	ok(kms_rows_copy(rows, copy));
	kms_rows_end(rows);
	ck_assert_uint_eq(mode_of(copy), 0600);
	ck_assert(!fx_exists(fx_path(fx, "copy.db-journal")));
	fails(kms_rows_copy(rows, copy), KMS_ERR_EXISTS, NULL);
	r = open_as(copy, false, false, 0);
	ck_assert_uint_eq(count(r), 3);
	ok(kms_rows_begin_write(r));
	ok(put_size(r, 9, 9, 10));
	ok(kms_rows_commit(r));
	kms_rows_close(&r);
	ck_assert_uint_eq(count(rows), 3);
}
END_TEST

START_TEST(a_store_is_installed_under_its_name_once)
{
	const char *to = fx_path(fx, "final.db");

	kms_rows_close(&rows);
	ok(kms_rows_install(path, to));
	ck_assert(!fx_exists(path));
	ck_assert(!fx_exists(fx_path(fx, "kms.db-journal")));
	rows = open_as(to, false, false, 0);
	ck_assert_uint_eq(count(rows), 3);
	kms_rows_close(&rows);
	rows = open_as(path, true, false, 0);
	kms_rows_close(&rows);
	fails(kms_rows_install(path, to), KMS_ERR_EXISTS, "exists");
	ck_assert(fx_exists(path));
	ok(kms_rows_remove(path));
	ok(kms_rows_remove(path));
	ck_assert(!fx_exists(path));
}
END_TEST

/* SQLite would roll it into the new store. */
START_TEST(no_store_is_installed_beside_anothers_journal)
{
	const char *to = fx_path(fx, "final.db");

	fx_write_text(fx_path(fx, "final.db-journal"), "hot");
	kms_rows_close(&rows);
	fails(kms_rows_install(path, to), KMS_ERR_EXISTS, "move it away");
	ck_assert(fx_exists(path) && !fx_exists(to));
}
END_TEST

/* --- damage ------------------------------------------------------------ */

static void
patch(off_t at, const void *p, size_t n)
{
	int fd = open(path, O_WRONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, p, n, at), (ssize_t)n);
	close(fd);
}

START_TEST(a_file_that_asks_for_a_write_ahead_log_is_damaged)
{
	uint8_t both[2] = {2, 2};

	kms_rows_close(&rows);
	patch(18, both, 2);
	fails(try_open(path, false, false), KMS_ERR_DAMAGED, "file header");
	fails(try_open(path, false, true), KMS_ERR_DAMAGED, "file header");
	both[0] = 1;
	patch(18, both, 2);
	fails(try_open(path, false, false), KMS_ERR_DAMAGED, NULL);
	ck_assert(!fx_exists(fx_path(fx, "kms.db-wal")));
	ck_assert(!fx_exists(fx_path(fx, "kms.db-shm")));
}
END_TEST

START_TEST(a_newer_format_is_refused_by_its_number)
{
	kms_rows_close(&rows);
	patch(60, (const uint8_t[4]){0, 0, 0, 2}, 4);
	fails(try_open(path, false, false), KMS_ERR_VERSION,
	    "store format 2 is newer than this program's 1");
	patch(60, (const uint8_t[4]){0, 0, 0, 0}, 4);
	fails(try_open(path, false, false), KMS_ERR_DAMAGED, NULL);
}
END_TEST

START_TEST(what_is_no_store_of_ours_is_damaged)
{
	const char *other = fx_path(fx, "other");

	kms_rows_close(&rows);
	patch(68, "else", 4);
	fails(try_open(path, false, false), KMS_ERR_DAMAGED, "not a p11kms");
	fx_write(other, "", 0, 0600);
	fails(try_open(other, false, false), KMS_ERR_DAMAGED, "too short");
	fx_write_text(other,
	    "just some text that goes on and on and on and on "
	    "until it has more than one hundred bytes, which "
	    "is what a file header has");
	ck_assert_int_eq(chmod(other, 0600), 0);
	fails(try_open(other, false, false), KMS_ERR_DAMAGED, "not a p11kms");
	ck_assert_int_eq(mkdir(fx_path(fx, "d"), 0700), 0);
	fails(try_open(fx_path(fx, "d"), false, false), KMS_ERR_CONFIG, NULL);
}
END_TEST

static void
sql(const char *text)
{
	sqlite3 *db;

	kms_rows_close(&rows);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

START_TEST(a_schema_that_is_not_ours_is_damaged)
{
	sql("CREATE TRIGGER t AFTER INSERT ON rows BEGIN DELETE FROM rows; "
	    "END");
	fails(try_open(path, false, false), KMS_ERR_DAMAGED, "its tables");
	sql("DROP TRIGGER t");
	ok(try_open(path, false, false));
	sql("DROP INDEX rows_generation");
	fails(try_open(path, false, false), KMS_ERR_DAMAGED, "its tables");
}
END_TEST

static int
take(void *ctx, const struct kms_row *row)
{
	(void)ctx;
	(void)row;
	return 0;
}

START_TEST(a_row_that_cannot_be_is_damaged)
{
	static const char *const statement[] = {
	    "UPDATE rows SET sealed = x'' WHERE id = 2",
	    "UPDATE rows SET sealed = x'00', kind = 'x' WHERE id = 2",
	    "UPDATE rows SET generation = -1 WHERE id = 2",
	    "UPDATE rows SET generation = 1, kind = 65536 WHERE id = 2",
	    "UPDATE rows SET kind = 0 WHERE id = 2",
	    "UPDATE rows SET kind = 3, id = -2 WHERE id = 2",
	};
	size_t i;

	for (i = 0; i < sizeof(statement) / sizeof(statement[0]); i++) {
		sql(statement[i]);
		reopen();
		fails(kms_rows_scan(rows, 0, take, NULL), KMS_ERR_DAMAGED,
		    "row");
	}
}
END_TEST

START_TEST(a_missing_header_copy_is_damaged_and_the_other_is_read)
{
	struct kms_wr body;
	uint8_t hash[32];

	sql("DELETE FROM header1");
	reopen();
	kms_wr_grow(&body, 100);
	fails(kms_rows_header(rows, 1, &body, hash), KMS_ERR_DAMAGED,
	    "header copy 1");
	ok(kms_rows_header(rows, 2, &body, hash));
	kms_wr_free(&body);
	sql("UPDATE header2 SET sha256 = x'00'");
	reopen();
	kms_wr_grow(&body, 100);
	fails(kms_rows_header(rows, 2, &body, hash), KMS_ERR_DAMAGED, NULL);
	kms_wr_free(&body);
}
END_TEST

/* Rows are proven above; here nothing may crash, hang or write. */
static void
look_at(const char *p)
{
	struct kms_rows_options opt = {.path = p, .wait_ms = 0};
	struct kms_rows *r;
	int rc;

	rc = kms_rows_open(&opt, &r);
	if (rc == 0)
		rc = kms_rows_scan(r, 0, take, NULL);
	if (rc == 0)
		rc = kms_rows_scan(r, 1, take, NULL);
	if (rc != 0 && rc != KMS_ERR_DAMAGED && rc != KMS_ERR_VERSION)
		ck_abort_msg("%s: %s", kms_err_name(rc), kms_err_cause(rc));
	kms_rows_close(&r);
}

START_TEST(no_changed_byte_does_worse_than_be_refused)
{
	const char *mutant = fx_path(fx, "mutant.db");
	uint8_t *bytes;
	size_t len, at, in_page;
	int fd;

	kms_rows_close(&rows);
	bytes = fx_read(fx, path, &len);
	ck_assert_uint_ge(len, 5 * 4096);
	for (at = 0; at < len; at++) {
		in_page = at % 4096;
		if (bytes[at] == 0 && (at > 100 || at % 3 != 0))
			continue;
		if (in_page > 120 && at % 3 != 0)
			continue;
		bytes[at] ^= (uint8_t)(1u << (at % 8));
		fd = open(mutant, O_CREAT | O_WRONLY | O_TRUNC, 0600);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
		close(fd);
		look_at(mutant);
		bytes[at] ^= (uint8_t)(1u << (at % 8));
	}
}
END_TEST

START_TEST(a_file_cut_short_is_refused)
{
	size_t len;

	kms_rows_close(&rows);
	(void)fx_read(fx, path, &len);
	ck_assert_int_eq(truncate(path, (off_t)len - 4096), 0);
	look_at(path);
	ck_assert_int_ne(try_open(path, false, false), 0);
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
		put(10 + nth, 2);
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
		reopen();
		n = count(rows); /* before or after, never between */
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
	fails(put_size(rows, 4, 2, 100), KMS_ERR_IO, "disk full");
	no_space = 0;
	kms_rows_end(rows);
	ck_assert_uint_eq(count(rows), 3);
	ok(kms_rows_begin_write(rows));
	put(4, 2);
	no_space = 1;
	fails(kms_rows_commit(rows), KMS_ERR_IO, "disk full");
	no_space = 0;
	kms_rows_end(rows);
	ck_assert(!kms_rows_sync_failed(rows));
	reopen();
	ck_assert_uint_eq(count(rows), 3);
}
END_TEST

Suite *
rows_suite(void)
{
	Suite *s = suite_create("rows");
	TCase *t = tcase_create("rows"), *f = tcase_create("file");

	tcase_add_checked_fixture(t, setup, teardown);
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
	tcase_add_checked_fixture(f, setup, teardown);
	tcase_set_timeout(f, 120);
	tcase_add_test(f, file_and_journal_are_ours_alone);
	tcase_add_test(f, the_journal_is_there_before_a_change_needs_it);
	tcase_add_test(f, a_file_or_directory_open_to_others_is_refused);
	tcase_add_test(f,
	    a_symbolic_link_is_refused_but_one_to_the_directory_is_not);
	tcase_add_test(f, a_missing_file_or_directory_is_not_found);
	tcase_add_test(f, an_existing_file_is_never_made_anew);
	tcase_add_test(f, a_path_too_long_is_refused);
	tcase_add_test(f, a_read_only_copy_is_read_where_it_lies);
	tcase_add_test(f, a_copy_is_whole_and_private_and_never_over_a_file);
	tcase_add_test(f, a_store_is_installed_under_its_name_once);
	tcase_add_test(f, no_store_is_installed_beside_anothers_journal);
	tcase_add_test(f, a_file_that_asks_for_a_write_ahead_log_is_damaged);
	tcase_add_test(f, a_newer_format_is_refused_by_its_number);
	tcase_add_test(f, what_is_no_store_of_ours_is_damaged);
	tcase_add_test(f, a_schema_that_is_not_ours_is_damaged);
	tcase_add_test(f, a_row_that_cannot_be_is_damaged);
	tcase_add_test(f,
	    a_missing_header_copy_is_damaged_and_the_other_is_read);
	tcase_add_test(f, no_changed_byte_does_worse_than_be_refused);
	tcase_add_test(f, a_file_cut_short_is_refused);
	suite_add_tcase(s, f);
	return s;
}
