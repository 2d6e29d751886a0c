/* Opening and closing: the connection hardened, the file proven to be ours. */
#include "kms/rows_sqlite.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kms/base/file.h"

#define APPLICATION_ID 0x7031316B /* "p11k" */
#define FORMAT 1
#define LENGTH_MOST (4 << 20) /* of any value; KMS_SEALED_MAX and room */

/* Offsets in SQLite's file header (its file format, section 1.3). */
#define HEAD_LEN 100
#define HEAD_MAGIC "SQLite format 3"
#define HEAD_WRITE_VERSION 18
#define HEAD_READ_VERSION 19

/* The header's copies lie in tables, and so on pages, of their own. */
static const struct {
	const char *name, *sql;
} schema[] = {
    {"header1",
	"CREATE TABLE header1(id INTEGER PRIMARY KEY, body BLOB NOT NULL, "
	"sha256 BLOB NOT NULL)"},
    {"header2",
	"CREATE TABLE header2(id INTEGER PRIMARY KEY, body BLOB NOT NULL, "
	"sha256 BLOB NOT NULL)"},
    {"rows",
	"CREATE TABLE rows(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, "
	"generation INTEGER NOT NULL, sealed BLOB NOT NULL)"},
    {"rows_generation", "CREATE INDEX rows_generation ON rows(generation)"},
};
#define SCHEMA_OBJECTS (sizeof(schema) / sizeof(schema[0]))

static const struct {
	const char *sql, *answer; /* NULL: none looked for */
	bool writer;
} pragmas[] = {
    {"PRAGMA trusted_schema = OFF", NULL, false},
    {"PRAGMA cell_size_check = ON", NULL, false},
    {"PRAGMA temp_store = MEMORY", NULL, false},
    {"PRAGMA mmap_size = 0", "0", false},
    {"PRAGMA secure_delete = ON", "1", true},
    {"PRAGMA synchronous = EXTRA", NULL, true},
    {"PRAGMA journal_mode = TRUNCATE", "truncate", true},
};

static int
configure(struct kms_rows *rows, unsigned wait_ms)
{
	static const struct {
		int what, on;
	} config[] = {
	    {SQLITE_DBCONFIG_DEFENSIVE, 1},
	    {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
	    {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
	    {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
	    {SQLITE_DBCONFIG_DQS_DML, 0},
	    {SQLITE_DBCONFIG_DQS_DDL, 0},
	};
	size_t i;
	int rc;

	for (i = 0; i < sizeof(config) / sizeof(config[0]); i++) {
		rc = sqlite3_db_config(rows->db, config[i].what, config[i].on,
		    NULL);
		if (rc != SQLITE_OK)
			return kms_rows_fail(rows, rc, "configure");
	}
	(void)sqlite3_limit(rows->db, SQLITE_LIMIT_LENGTH, LENGTH_MOST);
	(void)sqlite3_limit(rows->db, SQLITE_LIMIT_ATTACHED, 0);
	rc = sqlite3_busy_timeout(rows->db, (int)(wait_ms & INT_MAX));
	return rc == SQLITE_OK ? 0 : kms_rows_fail(rows, rc, "configure");
}

/*
 * Read through SQLite's own descriptor, before SQL is: a file that asks for
 * write-ahead logging would get it merely by being looked at, and SQLite
 * only reads a file of a newer write version.
 */
static int
check_head(struct kms_rows *rows)
{
	uint8_t head[HEAD_LEN];
	sqlite3_file *file = NULL;
	int rc;

	rc = sqlite3_file_control(rows->db, "main", SQLITE_FCNTL_FILE_POINTER,
	    &file);
	if (rc != SQLITE_OK || file == NULL || file->pMethods == NULL)
		return kms_rows_fail(rows, rc, "open");
	rc = file->pMethods->xRead(file, head, HEAD_LEN, 0);
	if (rc == SQLITE_IOERR_SHORT_READ)
		return kms_fail(KMS_ERR_DAMAGED,
		    "%s: too short to be a p11kms store; name another file, or "
		    "put a backup back",
		    rows->path);
	if (rc != SQLITE_OK)
		return kms_rows_fail(rows, rc, "read");
	if (memcmp(head, HEAD_MAGIC, sizeof(HEAD_MAGIC)) != 0 ||
	    head[HEAD_WRITE_VERSION] != 1 || head[HEAD_READ_VERSION] != 1)
		return kms_fail(KMS_ERR_DAMAGED,
		    "%s: not a p11kms store, or its file header is damaged; "
		    "name another file, or put a backup back",
		    rows->path);
	return 0;
}

static int
set_pragmas(struct kms_rows *rows)
{
	const char *got;
	sqlite3_stmt *st;
	size_t i;
	int r = 0, rc;

	for (i = 0; i < sizeof(pragmas) / sizeof(pragmas[0]) && r == 0; i++) {
		if (pragmas[i].writer && rows->readonly)
			continue;
		st = NULL;
		rc = sqlite3_prepare_v2(rows->db, pragmas[i].sql, -1, &st,
		    NULL);
		if (rc == SQLITE_OK)
			rc = sqlite3_step(st);
		if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
			r = kms_rows_fail(rows, rc, pragmas[i].sql);
		} else if (pragmas[i].answer != NULL) {
			got = rc == SQLITE_ROW
			    ? (const char *)sqlite3_column_text(st, 0)
			    : NULL;
			if (got == NULL || strcmp(got, pragmas[i].answer) != 0)
				r = kms_fail(KMS_ERR_INTERNAL, "%s: %s gave %s",
				    rows->path, pragmas[i].sql,
				    got ? got : "nothing");
		}
		(void)sqlite3_finalize(st);
	}
	return r;
}

static int
get_number(struct kms_rows *rows, const char *pragma, int64_t *out)
{
	sqlite3_stmt *st = NULL;
	int r = 0, rc;

	rc = sqlite3_prepare_v2(rows->db, pragma, -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(st, 0);
	else
		r = kms_rows_fail(rows, rc, "read");
	(void)sqlite3_finalize(st);
	return r;
}

static int
check_format(struct kms_rows *rows)
{
	int64_t id = 0, format = 0;
	int r;

	r = get_number(rows, "PRAGMA application_id", &id);
	if (r == 0)
		r = get_number(rows, "PRAGMA user_version", &format);
	if (r != 0)
		return r;
	if (id != APPLICATION_ID)
		return kms_fail(KMS_ERR_DAMAGED,
		    "%s: not a p11kms store; name another file, or put a "
		    "backup back",
		    rows->path);
	if (format > FORMAT)
		return kms_fail(KMS_ERR_VERSION,
		    "%s: store format %lld is newer than this program's %d; "
		    "use the newer p11kms",
		    rows->path, (long long)format, FORMAT);
	if (format != FORMAT)
		return kms_fail(KMS_ERR_DAMAGED,
		    "%s: store format %lld never was", rows->path,
		    (long long)format);
	return 0;
}

static bool
is_text(sqlite3_stmt *st, int column, const char *want)
{
	const char *got = (const char *)sqlite3_column_text(st, column);

	return got != NULL && strcmp(got, want) == 0;
}

/* Exactly our tables: no trigger, view or column that somebody added. */
static int
check_schema(struct kms_rows *rows)
{
	sqlite3_stmt *st = NULL;
	size_t n = 0;
	int r = 0, rc;

	rc = sqlite3_prepare_v2(rows->db,
	    "SELECT name, sql FROM sqlite_schema ORDER BY name", -1, &st, NULL);
	if (rc == SQLITE_OK)
		while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
			if (n == SCHEMA_OBJECTS ||
			    !is_text(st, 0, schema[n].name) ||
			    !is_text(st, 1, schema[n].sql))
				break;
			n++;
		}
	if (rc == SQLITE_ROW || (rc == SQLITE_DONE && n != SCHEMA_OBJECTS))
		r = kms_fail(KMS_ERR_DAMAGED,
		    "%s: its tables are not those of a p11kms store",
		    rows->path);
	else if (rc != SQLITE_DONE)
		r = kms_rows_fail(rows, rc, "read");
	(void)sqlite3_finalize(st);
	return r;
}

static int
exec(struct kms_rows *rows, const char *statement)
{
	int rc = sqlite3_exec(rows->db, statement, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : kms_rows_fail(rows, rc, "create");
}

static int
make_schema(struct kms_rows *rows)
{
	char numbers[96];
	size_t i;
	int r;

	snprintf(numbers, sizeof(numbers),
	    "PRAGMA application_id = %d; PRAGMA user_version = %d",
	    APPLICATION_ID, FORMAT);
	r = exec(rows, "PRAGMA page_size = 4096");
	if (r == 0)
		r = kms_rows_begin_write(rows);
	for (i = 0; i < SCHEMA_OBJECTS && r == 0; i++)
		r = exec(rows, schema[i].sql);
	if (r == 0)
		r = exec(rows, numbers);
	if (r == 0)
		r = kms_rows_commit(rows);
	if (r != 0)
		kms_rows_end(rows);
	return r;
}

static int
check_place(const struct kms_rows_options *opt)
{
	int r;

	if (opt->readonly)
		return kms_rows_check_file(opt->path, false);
	r = kms_file_check_dir(opt->path, true);
	if (r == 0)
		r = opt->create ? kms_rows_make_file(opt->path)
				: kms_rows_check_file(opt->path, true);
	return r;
}

/* In one view: each statement on its own would lock and unlock the file. */
static int
check_content(struct kms_rows *rows)
{
	int r;

	r = kms_rows_run(rows, STMT_BEGIN_READ, "begin");
	if (r == 0)
		r = check_format(rows);
	if (r == 0)
		r = check_schema(rows);
	if (r == 0)
		r = kms_rows_seen(rows);
	kms_rows_end(rows);
	return r;
}

static int
open_db(struct kms_rows *rows, const struct kms_rows_options *opt)
{
	int flags = SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX |
	    SQLITE_OPEN_EXRESCODE;
	int r, rc;

	flags |= opt->readonly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
	rc = sqlite3_open_v2(rows->path, &rows->db, flags, NULL);
	if (rc != SQLITE_OK)
		return kms_rows_fail(rows, rc, "open");
	r = configure(rows, opt->wait_ms);
	if (r == 0 && !opt->create)
		r = check_head(rows);
	if (r == 0)
		r = set_pragmas(rows);
	if (r == 0 && opt->create)
		r = make_schema(rows);
	return r != 0 ? r : check_content(rows);
}

int
kms_rows_open(const struct kms_rows_options *opt, struct kms_rows **out)
{
	struct kms_rows *rows = NULL;
	bool made = false;
	int r;

	*out = NULL;
	rows = calloc(1, sizeof(*rows));
	if (rows == NULL) {
		r = kms_fail(KMS_ERR_MEMORY, "store: out of memory");
		goto out;
	}
	rows->readonly = opt->readonly;
	r = kms_rows_real_path(opt->path, rows->path);
	if (r == 0)
		r = kms_rows_journal_path(rows->path, rows->journal);
	if (r == 0)
		r = check_place(opt);
	if (r != 0)
		goto out;
	made = opt->create;
	r = open_db(rows, opt);
	if (r == 0 && made)
		r = kms_file_sync_dir(rows->path);
	if (r != 0)
		goto out;
	*out = rows;
	rows = NULL; /* transferred */
out:
	kms_rows_close(&rows);
	if (r != 0 && made)
		(void)unlink(opt->path);
	return r;
}

void
kms_rows_close(struct kms_rows **rp)
{
	struct kms_rows *rows;
	size_t i;

	if (rp == NULL || *rp == NULL)
		return;
	rows = *rp;
	for (i = 0; i < STMT_COUNT; i++)
		(void)sqlite3_finalize(rows->stmt[i]);
	(void)sqlite3_close(rows->db);
	free(rows->got);
	free(rows);
	*rp = NULL;
}
