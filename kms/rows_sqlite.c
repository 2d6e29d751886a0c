#include "kms/rows_sqlite.h"

#include <stdlib.h>
#include <string.h>

#include "kms/base/crypt.h"

/* In the file's header (SQLite's file format, section 1.3): change counter,
 * size, free pages. */
#define STAMP_AT 24

static const char *const sql[STMT_COUNT] = {
    [STMT_BEGIN_READ] = "BEGIN",
    [STMT_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [STMT_COMMIT] = "COMMIT",
    [STMT_ROLLBACK] = "ROLLBACK",
    /* BEGIN alone takes no view; the first read does. */
    [STMT_TOUCH] = "SELECT count(*) FROM header1",
    [STMT_VERSION] = "PRAGMA data_version",
    [STMT_HEADER1] = "SELECT body, sha256 FROM header1 WHERE id = 1",
    [STMT_HEADER2] = "SELECT body, sha256 FROM header2 WHERE id = 1",
    [STMT_PUT_HEADER1] =
	"INSERT OR REPLACE INTO header1(id, body, sha256) VALUES(1, ?1, ?2)",
    [STMT_PUT_HEADER2] =
	"INSERT OR REPLACE INTO header2(id, body, sha256) VALUES(1, ?1, ?2)",
    [STMT_GET] = "SELECT id, kind, generation, sealed FROM rows WHERE id = ?1",
    [STMT_PUT] = ("INSERT INTO rows(id, kind, generation, sealed) "
		  "VALUES(?1, ?2, ?3, ?4) ON CONFLICT(id) DO UPDATE SET "
		  "kind = excluded.kind, generation = excluded.generation, "
		  "sealed = excluded.sealed"),
    [STMT_SCAN_ALL] =
	"SELECT id, kind, generation, sealed FROM rows ORDER BY id",
    /* The few ids by index, then their rows: no blob is ever sorted. */
    [STMT_SCAN_ABOVE] =
	("SELECT id, kind, generation, sealed FROM rows WHERE id IN (SELECT "
	 "id FROM rows INDEXED BY rows_generation WHERE generation > ?1) "
	 "ORDER BY id"),
};

/* First match wins; extended codes stand before the primary ones. why NULL:
 * SQLite's own words. */
static const struct {
	int rc, mask, code;
	const char *why;
} meaning[] = {
    {SQLITE_IOERR_FSYNC, ~0, KMS_ERR_IO,
	"the disk refused a sync; check it, then start again"},
    {SQLITE_IOERR_DIR_FSYNC, ~0, KMS_ERR_IO,
	"the disk refused a sync; check it, then start again"},
    {SQLITE_IOERR_CORRUPTFS, ~0, KMS_ERR_DAMAGED, NULL},
    {SQLITE_IOERR_NOMEM, ~0, KMS_ERR_MEMORY, NULL},
    {SQLITE_READONLY_ROLLBACK, ~0, KMS_ERR_IO,
	"holds an unfinished change; open it once for writing"},
    {SQLITE_CANTOPEN_SYMLINK, ~0, KMS_ERR_CONFIG,
	"is a symbolic link; name the file itself"},
    {SQLITE_CORRUPT, 0xff, KMS_ERR_DAMAGED, NULL},
    {SQLITE_NOTADB, 0xff, KMS_ERR_DAMAGED, NULL},
    /* so it calls a schema or a file format that it cannot read */
    {SQLITE_ERROR, 0xff, KMS_ERR_DAMAGED, NULL},
    {SQLITE_MISMATCH, 0xff, KMS_ERR_DAMAGED, NULL},
    {SQLITE_CONSTRAINT, 0xff, KMS_ERR_DAMAGED, NULL},
    {SQLITE_BUSY, 0xff, KMS_ERR_BUSY, "in use by another process; try again"},
    {SQLITE_LOCKED, 0xff, KMS_ERR_BUSY, "in use by another process; try again"},
    {SQLITE_NOMEM, 0xff, KMS_ERR_MEMORY, NULL},
    {SQLITE_TOOBIG, 0xff, KMS_ERR_LIMIT, NULL},
    {SQLITE_MISUSE, 0xff, KMS_ERR_INTERNAL, NULL},
    {SQLITE_FULL, 0xff, KMS_ERR_IO, "disk full"},
    {0, 0, KMS_ERR_IO, NULL}, /* everything else */
};

int
kms_rows_fail(struct kms_rows *rows, int rc, const char *what)
{
	int sys = sqlite3_system_errno(rows->db);
	const char *why;
	size_t i = 0;

	while ((rc & meaning[i].mask) != meaning[i].rc)
		i++;
	if (rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC)
		rows->dead = rows->sync_failed = true;
	why = meaning[i].why;
	if (why == NULL)
		why = sqlite3_errmsg(rows->db);
	if (meaning[i].code == KMS_ERR_IO && meaning[i].why == NULL && sys != 0)
		return kms_fail(KMS_ERR_IO, "%s: %s: %s (%s)", rows->path, what,
		    why, strerror(sys));
	return kms_fail(meaning[i].code, "%s: %s: %s", rows->path, what, why);
}

static int
check_alive(const struct kms_rows *rows)
{
	if (rows->dead)
		return kms_fail(KMS_ERR_IO,
		    "%s: a write failed before; open the store again",
		    rows->path);
	return 0;
}

static int
prepare(struct kms_rows *rows, enum kms_rows_stmt which, sqlite3_stmt **out)
{
	int rc;

	*out = rows->stmt[which];
	if (*out != NULL)
		return 0;
	rc = sqlite3_prepare_v3(rows->db, sql[which], -1,
	    SQLITE_PREPARE_PERSISTENT, &rows->stmt[which], NULL);
	if (rc != SQLITE_OK)
		return kms_rows_fail(rows, rc, "prepare");
	*out = rows->stmt[which];
	return 0;
}

const char *
kms_rows_path(const struct kms_rows *rows)
{
	return rows->path;
}

int
kms_rows_run(struct kms_rows *rows, enum kms_rows_stmt which, const char *what)
{
	sqlite3_stmt *st;
	int r, rc;

	r = prepare(rows, which, &st);
	if (r != 0)
		return r;
	do {
		rc = sqlite3_step(st);
	} while (rc == SQLITE_ROW);
	if (rc != SQLITE_DONE)
		r = kms_rows_fail(rows, rc, what);
	(void)sqlite3_reset(st); /* repeats step's code */
	return r;
}

/* --- header ------------------------------------------------------------ */

static int
take_header(struct kms_rows *rows, sqlite3_stmt *st, unsigned copy,
    struct kms_wr *body, uint8_t sha256[32])
{
	size_t len, hash_len;

	if (sqlite3_column_type(st, 0) != SQLITE_BLOB ||
	    sqlite3_column_type(st, 1) != SQLITE_BLOB)
		return kms_fail(KMS_ERR_DAMAGED, "%s: header copy %u",
		    rows->path, copy);
	len = (size_t)sqlite3_column_bytes(st, 0);
	hash_len = (size_t)sqlite3_column_bytes(st, 1);
	if (hash_len != KMS_SHA256_LEN)
		return kms_fail(KMS_ERR_DAMAGED, "%s: header copy %u: no hash",
		    rows->path, copy);
	memcpy(sha256, sqlite3_column_blob(st, 1), hash_len);
	kms_wr_bytes(body, sqlite3_column_blob(st, 0), len);
	return kms_wr_check(body, "header");
}

int
kms_rows_header(struct kms_rows *rows, unsigned copy, struct kms_wr *body,
    uint8_t sha256[32])
{
	sqlite3_stmt *st;
	int r, rc;

	r = check_alive(rows);
	if (r == 0)
		r = prepare(rows, copy == 1 ? STMT_HEADER1 : STMT_HEADER2, &st);
	if (r != 0)
		return r;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		r = take_header(rows, st, copy, body, sha256);
	else if (rc == SQLITE_DONE)
		r = kms_fail(KMS_ERR_DAMAGED, "%s: header copy %u is missing",
		    rows->path, copy);
	else
		r = kms_rows_fail(rows, rc, "read header");
	(void)sqlite3_reset(st);
	return r;
}

static int
put_header(struct kms_rows *rows, enum kms_rows_stmt which, const void *body,
    size_t len, const uint8_t sha256[32])
{
	sqlite3_stmt *st;
	int r;

	r = prepare(rows, which, &st);
	if (r != 0)
		return r;
	(void)sqlite3_bind_blob(st, 1, body, (int)len, SQLITE_STATIC);
	(void)sqlite3_bind_blob(st, 2, sha256, (int)KMS_SHA256_LEN,
	    SQLITE_STATIC);
	r = kms_rows_run(rows, which, "write header");
	(void)sqlite3_clear_bindings(st);
	return r;
}

int
kms_rows_put_header(struct kms_rows *rows, const void *body, size_t len,
    const uint8_t sha256[32])
{
	int r;

	r = check_alive(rows);
	if (r == 0 && len > KMS_SEALED_MAX)
		r = kms_fail(KMS_ERR_LIMIT, "header of %zu bytes", len);
	if (r == 0)
		r = put_header(rows, STMT_PUT_HEADER1, body, len, sha256);
	if (r == 0)
		r = put_header(rows, STMT_PUT_HEADER2, body, len, sha256);
	return r;
}

/* --- views and transactions -------------------------------------------- */

static int
data_version(struct kms_rows *rows, int64_t *version)
{
	sqlite3_stmt *st;
	int r, rc;

	r = check_alive(rows);
	if (r == 0)
		r = prepare(rows, STMT_VERSION, &st);
	if (r != 0)
		return r;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*version = sqlite3_column_int64(st, 0);
	else
		r = kms_rows_fail(rows, rc, "data_version");
	(void)sqlite3_reset(st);
	return r;
}

/* Through SQLite's own descriptor: to close another one on the same file would
 * drop its locks. */
static bool
read_stamp(struct kms_rows *rows, uint8_t stamp[KMS_ROWS_STAMP])
{
	sqlite3_file *file = NULL;

	return sqlite3_file_control(rows->db, "main", SQLITE_FCNTL_FILE_POINTER,
		   &file) == SQLITE_OK &&
	    file != NULL && file->pMethods != NULL &&
	    file->pMethods->xRead(file, stamp, KMS_ROWS_STAMP, STAMP_AT) ==
	    SQLITE_OK;
}

/* Only while a view holds off every writer, and none of our own changes can
 * be in the file, is the stamp that of what was committed. */
static void
take_stamp(struct kms_rows *rows)
{
	rows->stamped = sqlite3_txn_state(rows->db, "main") ==
		SQLITE_TXN_READ &&
	    read_stamp(rows, rows->stamp);
}

/*
 * True: what was committed last is what the stamp was taken of. No lock is
 * taken, so the file may be in the middle of another's commit. Still, what
 * SQLite asks under its lock, with ten system calls, one of them tells:
 *
 * - A commit writes page 1 with its counter one higher, always, before it
 *   truncates the journal, which is what makes it one. So after any commit
 *   that has ended the stamp differs: by this, and no more, SQLite itself
 *   knows whether what it has cached of a file is valid.
 * - A commit that is under way, or was cut short by a kill, has written page
 *   1 or not. If it has, the stamp differs, and the question is asked under
 *   the lock, which waits, or rolls back. If it has not, no commit has ended,
 *   and the one under way comes after this answer.
 * - Rolled back, page 1 gets the old stamp again, and all other pages what
 *   they held under it. A stamp that was never committed is not remembered:
 *   see take_stamp.
 * - Another file under the same name is for the store to notice.
 */
static bool
is_unwritten(struct kms_rows *rows)
{
	uint8_t now[KMS_ROWS_STAMP];

	return rows->stamped && read_stamp(rows, now) &&
	    memcmp(now, rows->stamp, sizeof(now)) == 0;
}

static int
compare_version(struct kms_rows *rows, bool *changed)
{
	int64_t version = 0;
	int r;

	r = data_version(rows, &version);
	if (r != 0)
		return r;
	*changed = version != rows->seen;
	if (!*changed)
		take_stamp(rows); /* the writer was this connection */
	return 0;
}

int
kms_rows_changed(struct kms_rows *rows, bool *changed)
{
	int r;

	*changed = false;
	r = check_alive(rows);
	if (r != 0 || is_unwritten(rows))
		return r;
	if (!sqlite3_get_autocommit(rows->db))
		return compare_version(rows, changed);
	r = kms_rows_begin_read(rows);
	if (r == 0) {
		r = compare_version(rows, changed);
		kms_rows_end(rows);
	}
	return r;
}

int
kms_rows_seen(struct kms_rows *rows)
{
	int64_t version = 0;
	int r;

	r = data_version(rows, &version);
	if (r == 0) {
		rows->seen = version;
		take_stamp(rows);
	}
	return r;
}

int
kms_rows_begin_read(struct kms_rows *rows)
{
	int r;

	r = check_alive(rows);
	if (r == 0)
		r = kms_rows_run(rows, STMT_BEGIN_READ, "begin");
	if (r != 0)
		return r;
	r = kms_rows_run(rows, STMT_TOUCH, "read");
	if (r != 0)
		kms_rows_end(rows);
	return r;
}

int
kms_rows_begin_write(struct kms_rows *rows)
{
	int r;

	r = check_alive(rows);
	if (r == 0 && rows->readonly)
		r = kms_fail(KMS_ERR_INTERNAL, "%s: opened for reading",
		    rows->path);
	if (r == 0)
		r = kms_rows_run(rows, STMT_BEGIN_WRITE, "begin");
	if (r != 0)
		return r;
	r = kms_rows_journal(rows->journal);
	if (r != 0)
		kms_rows_end(rows);
	return r;
}

int
kms_rows_commit(struct kms_rows *rows)
{
	int r;

	r = check_alive(rows);
	if (r != 0)
		return r;
	r = kms_rows_run(rows, STMT_COMMIT, "commit");
	if (r == 0 || (r == KMS_ERR_BUSY && !sqlite3_get_autocommit(rows->db)))
		return r;
	rows->dead = true;
	return r == KMS_ERR_IO ? r : kms_fail_add(KMS_ERR_IO, "commit failed");
}

bool
kms_rows_sync_failed(const struct kms_rows *rows)
{
	return rows->sync_failed;
}

/* SQLite rolls back by itself after some errors; a second ROLLBACK would be
 * an error. One that fails leaves the journal for the next who opens. */
void
kms_rows_end(struct kms_rows *rows)
{
	if (rows == NULL)
		return;
	if (!sqlite3_get_autocommit(rows->db) &&
	    kms_rows_run(rows, STMT_ROLLBACK, "rollback") != 0)
		rows->dead = true;
}

/* --- rows -------------------------------------------------------------- */

int
kms_rows_put(struct kms_rows *rows, const struct kms_row *row)
{
	sqlite3_stmt *st;
	int r;

	r = check_alive(rows);
	if (r != 0)
		return r;
	if (row->id == 0 || row->id > INT64_MAX ||
	    row->generation > INT64_MAX || row->len > KMS_SEALED_MAX)
		return kms_fail(KMS_ERR_LIMIT, "row %llu: out of bounds",
		    (unsigned long long)row->id);
	if (sqlite3_get_autocommit(rows->db))
		return kms_fail(KMS_ERR_INTERNAL, "put outside a transaction");
	r = prepare(rows, STMT_PUT, &st);
	if (r != 0)
		return r;
	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)row->id);
	(void)sqlite3_bind_int64(st, 2, row->kind);
	(void)sqlite3_bind_int64(st, 3, (sqlite3_int64)row->generation);
	(void)sqlite3_bind_blob(st, 4, row->sealed, (int)row->len,
	    SQLITE_STATIC);
	r = kms_rows_run(rows, STMT_PUT, "write row");
	(void)sqlite3_clear_bindings(st);
	return r;
}

/* Types are not looked at: what SQLite makes of a text or a real is a number
 * or bytes that the seal proves, or refuses, like any other. */
static int
take_row(struct kms_rows *rows, sqlite3_stmt *st, struct kms_row *row)
{
	sqlite3_int64 id = sqlite3_column_int64(st, 0);
	sqlite3_int64 kind = sqlite3_column_int64(st, 1);
	sqlite3_int64 generation = sqlite3_column_int64(st, 2);

	if (id < 1 || kind < 1 || kind > UINT16_MAX || generation < 0)
		return kms_fail(KMS_ERR_DAMAGED, "%s: row %lld is not a row",
		    rows->path, (long long)id);
	row->id = (uint64_t)id;
	row->kind = (uint16_t)kind;
	row->generation = (uint64_t)generation;
	row->sealed = sqlite3_column_blob(st, 3);
	row->len = (size_t)sqlite3_column_bytes(st, 3);
	if (row->sealed == NULL || row->len > KMS_SEALED_MAX)
		return kms_fail(KMS_ERR_DAMAGED, "%s: row %lld: %zu bytes",
		    rows->path, (long long)id, row->len);
	return 0;
}

int
kms_rows_scan(struct kms_rows *rows, uint64_t above,
    int (*each)(void *, const struct kms_row *), void *ctx)
{
	enum kms_rows_stmt which = above == 0 ? STMT_SCAN_ALL : STMT_SCAN_ABOVE;
	struct kms_row row;
	sqlite3_stmt *st;
	int r, rc;

	r = check_alive(rows);
	if (r == 0 && above > INT64_MAX)
		return 0;
	if (r == 0)
		r = prepare(rows, which, &st);
	if (r != 0)
		return r;
	if (above != 0)
		(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)above);
	while (r == 0 && (rc = sqlite3_step(st)) != SQLITE_DONE) {
		if (rc != SQLITE_ROW)
			r = kms_rows_fail(rows, rc, "read rows");
		if (r == 0)
			r = take_row(rows, st, &row);
		if (r == 0)
			r = each(ctx, &row);
	}
	(void)sqlite3_reset(st);
	return r;
}

/* A copy, so that no statement stays open and holds the file's lock. */
static int
keep(struct kms_rows *rows, struct kms_row *row)
{
	uint8_t *p = realloc(rows->got, row->len + 1);

	if (p == NULL)
		return kms_fail(KMS_ERR_MEMORY, "row: out of memory");
	memcpy(p, row->sealed, row->len);
	rows->got = p;
	row->sealed = p;
	return 0;
}

int
kms_rows_get(struct kms_rows *rows, uint64_t id, struct kms_row *row)
{
	sqlite3_stmt *st;
	int r, rc;

	r = check_alive(rows);
	if (r == 0 && id > INT64_MAX)
		r = kms_fail(KMS_ERR_NOTFOUND, "row: no such id");
	if (r == 0)
		r = prepare(rows, STMT_GET, &st);
	if (r != 0)
		return r;
	(void)sqlite3_bind_int64(st, 1, (sqlite3_int64)id);
	rc = sqlite3_step(st);
	if (rc == SQLITE_DONE)
		r = kms_fail(KMS_ERR_NOTFOUND, "%s: row %llu is missing",
		    rows->path, (unsigned long long)id);
	else if (rc != SQLITE_ROW)
		r = kms_rows_fail(rows, rc, "read row");
	if (r == 0)
		r = take_row(rows, st, row);
	if (r == 0)
		r = keep(rows, row);
	(void)sqlite3_reset(st);
	return r;
}
