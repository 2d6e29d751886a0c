/* Inside of rows_sqlite*.c: what the two share. Nobody else includes it. */
#ifndef KMS_ROWS_SQLITE_H
#define KMS_ROWS_SQLITE_H

#include <sqlite3.h>

#include "kms/rows.h"

#define KMS_ROWS_PATH 512u /* SQLite's own limit on unix */
#define KMS_ROWS_STAMP 16  /* bytes by which SQLite knows the file's version */

enum kms_rows_stmt {
	STMT_BEGIN_READ,
	STMT_BEGIN_WRITE,
	STMT_COMMIT,
	STMT_ROLLBACK,
	STMT_TOUCH,
	STMT_VERSION,
	STMT_HEADER1,
	STMT_HEADER2,
	STMT_PUT_HEADER1,
	STMT_PUT_HEADER2,
	STMT_GET,
	STMT_PUT,
	STMT_SCAN_ALL,
	STMT_SCAN_ABOVE,
	STMT_COUNT,
};

struct kms_rows {
	sqlite3 *db;
	sqlite3_stmt *stmt[STMT_COUNT]; /* prepared when first needed */
	bool readonly;
	bool dead;        /* a commit or a sync failed: only close is left */
	bool sync_failed; /* what is read back proves nothing */
	int64_t seen;     /* data_version of the view last taken in */
	bool stamped;     /* the next is that view's */
	uint8_t stamp[KMS_ROWS_STAMP];
	uint8_t *got; /* sealed bytes of the last kms_rows_get */
	char journal[KMS_ROWS_PATH];
	char path[KMS_ROWS_PATH];
};

/* SQLite's code as one of ours; the only translation. Notes what is final. */
int kms_rows_fail(struct kms_rows *, int rc, const char *what);
/* Runs one of the statements that return nothing. */
int kms_rows_run(struct kms_rows *, enum kms_rows_stmt, const char *what)
    KMS_MUST;

/* Is it there, a regular file, and (strict) private to us? */
int kms_rows_check_file(const char *path, bool strict) KMS_MUST;
int kms_rows_make_file(const char *path) KMS_MUST;
int kms_rows_real_path(const char *path, char out[KMS_ROWS_PATH]) KMS_MUST;
int kms_rows_journal_path(const char *path, char out[KMS_ROWS_PATH]) KMS_MUST;

/* An empty journal with its directory entry synced, so that no commit depends
 * on SQLite's own sync of the directory, whose failure it ignores. */
int kms_rows_journal(const char *journal) KMS_MUST;

#endif
