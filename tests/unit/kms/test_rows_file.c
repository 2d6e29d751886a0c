#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "tests/unit/kms/rows_rig.h"
#include "tests/unit/kms/stores.h"
#include "tests/unit/kms/tests.h"
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
	fails(rows_try_open(path, false, false), KMS_ERR_CONFIG, "chmod 0600");
	ck_assert_int_eq(chmod(path, 0600), 0);
	ck_assert_int_eq(chmod(fx_path(fx, "."), 0750), 0);
	fails(rows_try_open(path, false, false), KMS_ERR_CONFIG, "chmod 0700");
	fails(rows_try_open(fx_path(fx, "new.db"), true, false), KMS_ERR_CONFIG,
	    "chmod 0700");
	ck_assert(!fx_exists(fx_path(fx, "new.db")));
}
END_TEST

START_TEST(a_symbolic_link_is_refused_but_one_to_the_directory_is_not)
{
	const char *link = fx_path(fx, "link.db"), *dir = fx_path(fx, "dir");

	ck_assert_int_eq(symlink(path, link), 0);
	fails(rows_try_open(link, false, false), KMS_ERR_CONFIG,
	    "symbolic link");
	fails(rows_try_open(link, false, true), KMS_ERR_CONFIG,
	    "symbolic link");
	fails(rows_try_open(link, true, false), KMS_ERR_EXISTS, NULL);
	ck_assert_int_eq(symlink(fx_path(fx, "."), dir), 0);
	ok(rows_try_open(fx_path(fx, "dir/kms.db"), false, false));
}
END_TEST

START_TEST(a_missing_file_or_directory_is_not_found)
{
	fails(rows_try_open(fx_path(fx, "none.db"), false, false),
	    KMS_ERR_NOTFOUND, "-createemptydb");
	fails(rows_try_open(fx_path(fx, "none/kms.db"), false, false),
	    KMS_ERR_NOTFOUND, "no such directory");
	fails(rows_try_open(fx_path(fx, "none.db"), false, true),
	    KMS_ERR_NOTFOUND, NULL);
}
END_TEST

START_TEST(an_existing_file_is_never_made_anew)
{
	fails(rows_try_open(path, true, false), KMS_ERR_EXISTS, NULL);
	ck_assert_uint_eq(rows_count(rows), 3);
}
END_TEST

START_TEST(a_path_too_long_is_refused)
{
	char longest[600];

	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	fails(rows_try_open(longest, false, false), KMS_ERR_LIMIT, "path");
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
	r = rows_open_as(copy, false, true, 0);
	ok(kms_rows_begin_read(r));
	ck_assert_uint_eq(rows_count(r), 3);
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
	r = rows_open_as(copy, false, false, 0);
	ck_assert_uint_eq(rows_count(r), 3);
	ok(kms_rows_begin_write(r));
	ok(rows_put_size(r, 9, 9, 10));
	ok(kms_rows_commit(r));
	kms_rows_close(&r);
	ck_assert_uint_eq(rows_count(rows), 3);
}
END_TEST

START_TEST(a_store_is_installed_under_its_name_once)
{
	const char *to = fx_path(fx, "final.db");

	kms_rows_close(&rows);
	ok(kms_rows_install(path, to));
	ck_assert(!fx_exists(path));
	ck_assert(!fx_exists(fx_path(fx, "kms.db-journal")));
	rows = rows_open_as(to, false, false, 0);
	ck_assert_uint_eq(rows_count(rows), 3);
	kms_rows_close(&rows);
	rows = rows_open_as(path, true, false, 0);
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
	fails(rows_try_open(path, false, false), KMS_ERR_DAMAGED,
	    "file header");
	fails(rows_try_open(path, false, true), KMS_ERR_DAMAGED, "file header");
	both[0] = 1;
	patch(18, both, 2);
	fails(rows_try_open(path, false, false), KMS_ERR_DAMAGED, NULL);
	ck_assert(!fx_exists(fx_path(fx, "kms.db-wal")));
	ck_assert(!fx_exists(fx_path(fx, "kms.db-shm")));
}
END_TEST

START_TEST(a_newer_format_is_refused_by_its_number)
{
	kms_rows_close(&rows);
	patch(60, (const uint8_t[4]){0, 0, 0, 2}, 4);
	fails(rows_try_open(path, false, false), KMS_ERR_VERSION,
	    "store format 2 is newer than this program's 1");
	patch(60, (const uint8_t[4]){0, 0, 0, 0}, 4);
	fails(rows_try_open(path, false, false), KMS_ERR_DAMAGED, NULL);
}
END_TEST

START_TEST(what_is_no_store_of_ours_is_damaged)
{
	const char *other = fx_path(fx, "other");

	kms_rows_close(&rows);
	patch(68, "else", 4);
	fails(rows_try_open(path, false, false), KMS_ERR_DAMAGED,
	    "not a p11kms");
	fx_write(other, "", 0, 0600);
	fails(rows_try_open(other, false, false), KMS_ERR_DAMAGED, "too short");
	fx_write_text(other,
	    "just some text that goes on and on and on and on "
	    "until it has more than one hundred bytes, which "
	    "is what a file header has");
	ck_assert_int_eq(chmod(other, 0600), 0);
	fails(rows_try_open(other, false, false), KMS_ERR_DAMAGED,
	    "not a p11kms");
	ck_assert_int_eq(mkdir(fx_path(fx, "d"), 0700), 0);
	fails(rows_try_open(fx_path(fx, "d"), false, false), KMS_ERR_CONFIG,
	    NULL);
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
	fails(rows_try_open(path, false, false), KMS_ERR_DAMAGED, "its tables");
	sql("DROP TRIGGER t");
	ok(rows_try_open(path, false, false));
	sql("DROP INDEX rows_generation");
	fails(rows_try_open(path, false, false), KMS_ERR_DAMAGED, "its tables");
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
		rows_reopen();
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
	rows_reopen();
	kms_wr_grow(&body, 100);
	fails(kms_rows_header(rows, 1, &body, hash), KMS_ERR_DAMAGED,
	    "header copy 1");
	ok(kms_rows_header(rows, 2, &body, hash));
	kms_wr_free(&body);
	sql("UPDATE header2 SET sha256 = x'00'");
	rows_reopen();
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
	ck_assert_int_ne(rows_try_open(path, false, false), 0);
}
END_TEST
TCase *
test_rows_file(void)
{
	TCase *f = tcase_create("file");

	tcase_add_checked_fixture(f, rows_setup, rows_teardown);
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
	return f;
}
