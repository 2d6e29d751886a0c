/* The store's file as a file: checked, made, named, removed, copied. */
#include "kms/rows_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kms/base/file.h"

static int
sys_fail(const char *path, const char *what)
{
	return kms_fail(KMS_ERR_IO, "%s: %s: %s", path, what, strerror(errno));
}

/*
 * By name and not by descriptor: closing one of ours would drop the locks
 * that another connection of this process holds (fcntl(2)).
 */
int
kms_rows_check_file(const char *path, bool strict)
{
	struct stat st;

	if (lstat(path, &st) != 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return kms_fail(KMS_ERR_NOTFOUND,
			    "%s: no such store; make one with p11kms "
			    "-createemptydb",
			    path);
		return sys_fail(path, "stat");
	}
	if (!S_ISREG(st.st_mode))
		return kms_fail(KMS_ERR_CONFIG,
		    "%s: is a symbolic link or no regular file; name the "
		    "file itself",
		    path);
	if (!strict)
		return 0;
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return kms_fail(KMS_ERR_CONFIG,
		    "%s: belongs to uid %u, not to uid %u; give it to the "
		    "right owner (chown)",
		    path, (unsigned)st.st_uid, (unsigned)geteuid());
	if ((st.st_mode & 077) != 0)
		return kms_fail(KMS_ERR_CONFIG,
		    "%s: mode %04o is too open; chmod 0600 %s", path,
		    (unsigned)(st.st_mode & 07777), path);
	return 0;
}

static int
too_long(void)
{
	return kms_fail(KMS_ERR_LIMIT, "path of over %u bytes",
	    KMS_ROWS_PATH - 1);
}

/* The directory's real name with the file's: SQLite refuses symbolic links
 * in every part of a path, we only in the last. */
int
kms_rows_real_path(const char *path, char out[KMS_ROWS_PATH])
{
	const char *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;
	char dir[KMS_ROWS_PATH] = ".", *real;
	int n;

	if (strlen(path) >= sizeof(dir))
		return too_long();
	if (slash != NULL)
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path + 1),
		    path);
	real = realpath(dir, NULL);
	if (real == NULL && (errno == ENOENT || errno == ENOTDIR))
		return kms_fail(KMS_ERR_NOTFOUND,
		    "%s: no such directory; make it (mode 0700)", dir);
	if (real == NULL)
		return sys_fail(dir, "resolve");
	n = snprintf(out, KMS_ROWS_PATH, "%s/%s",
	    strcmp(real, "/") == 0 ? "" : real, name);
	free(real);
	return n < 0 || n >= (int)KMS_ROWS_PATH ? too_long() : 0;
}

int
kms_rows_journal_path(const char *path, char out[KMS_ROWS_PATH])
{
	int n = snprintf(out, KMS_ROWS_PATH, "%s-journal", path);

	return n < 0 || n >= (int)KMS_ROWS_PATH ? too_long() : 0;
}

/* Made here, because SQLite would make it readable by others. */
int
kms_rows_make_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	    0600);

	if (fd < 0 && errno == EEXIST)
		return kms_fail(KMS_ERR_EXISTS, "%s: exists already", path);
	if (fd < 0)
		return sys_fail(path, "create");
	close(fd);
	return 0;
}

int
kms_rows_journal(const char *journal)
{
	int r;

	if (access(journal, F_OK) == 0)
		return 0;
	r = kms_rows_make_file(journal);
	if (r != 0 && r != KMS_ERR_EXISTS)
		return r;
	return kms_file_sync_dir(journal);
}

/* How long the journal is: above zero it may be hot. */
static int
journal_size(const char *journal, off_t *size)
{
	struct stat st;

	*size = 0;
	if (lstat(journal, &st) == 0) {
		*size = st.st_size;
		return 0;
	}
	return errno == ENOENT ? 0 : sys_fail(journal, "stat");
}

static int
rename_new(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	/* A file system without that flag: link(2) never replaces either. */
	if (errno == EINVAL && link(from, to) == 0)
		return unlink(from) == 0 ? 0 : sys_fail(from, "unlink");
	if (errno == EEXIST)
		return kms_fail(KMS_ERR_EXISTS, "%s: exists already", to);
	return sys_fail(to, "rename");
}

int
kms_rows_install(const char *from, const char *to)
{
	char fj[KMS_ROWS_PATH], tj[KMS_ROWS_PATH];
	off_t from_size, to_size;
	int r;

	r = kms_rows_journal_path(from, fj);
	if (r == 0)
		r = kms_rows_journal_path(to, tj);
	if (r == 0)
		r = journal_size(fj, &from_size);
	if (r == 0)
		r = journal_size(tj, &to_size);
	if (r != 0)
		return r;
	if (from_size > 0)
		return kms_fail(KMS_ERR_STATE,
		    "%s: holds an unfinished change; open it first", from);
	if (to_size > 0)
		return kms_fail(KMS_ERR_EXISTS,
		    "%s: an earlier store left it; move it away", tj);
	r = kms_file_remove(fj);
	if (r == 0)
		r = rename_new(from, to);
	if (r == 0)
		r = kms_file_sync_dir(to);
	return r;
}

int
kms_rows_remove(const char *path)
{
	char journal[KMS_ROWS_PATH];
	int r;

	r = kms_rows_journal_path(path, journal);
	if (r == 0)
		r = kms_file_remove(journal);
	if (r == 0)
		r = kms_file_remove(path);
	return r;
}

/* Whole, in one step: a reader's lock is held and nobody writes meanwhile. */
static int
copy_pages(struct kms_rows *rows, const char *path)
{
	struct kms_rows to = {0};
	sqlite3_backup *b = NULL;
	int r = 0, rc;

	memcpy(to.path, path, strlen(path) + 1);
	rc = sqlite3_open_v2(path, &to.db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX |
		SQLITE_OPEN_EXRESCODE,
	    NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(to.db,
		    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL,
		    NULL, NULL);
	if (rc == SQLITE_OK) {
		b = sqlite3_backup_init(to.db, "main", rows->db, "main");
		rc = b == NULL ? sqlite3_extended_errcode(to.db)
			       : sqlite3_backup_step(b, -1);
	}
	if (b != NULL && sqlite3_backup_finish(b) == SQLITE_OK &&
	    rc == SQLITE_DONE)
		rc = SQLITE_OK;
	if (rc != SQLITE_OK)
		r = kms_rows_fail(&to, rc, "copy");
	if (sqlite3_close(to.db) != SQLITE_OK && r == 0)
		r = kms_fail(KMS_ERR_IO, "%s: close", path);
	return r;
}

static int
sync_file(const char *path)
{
	int r, fd;

	r = kms_file_open(path, O_RDWR, true, &fd);
	if (r != 0)
		return r;
	if (fsync(fd) != 0)
		r = sys_fail(path, "fsync");
	close(fd);
	return r;
}

int
kms_rows_copy(struct kms_rows *rows, const char *path)
{
	char real[KMS_ROWS_PATH];
	int r;

	r = kms_rows_real_path(path, real);
	if (r == 0)
		r = kms_rows_make_file(real);
	if (r != 0)
		return r;
	r = copy_pages(rows, real);
	if (r == 0)
		r = sync_file(real);
	if (r == 0)
		r = kms_file_sync_dir(real);
	if (r != 0)
		(void)unlink(real);
	return r;
}
