#include "kms/backup_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kms/base/file.h"
#include "kms/base/log.h"
#include "kms/header.h"
#include "kms/store.h"

#define CHUNK 65536u
#define PATH_TEXT 2048u /* a backup path of 1,023 bytes, and a name */

static int
check_free(const char *path)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return 0;
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		return kms_fail(KMS_ERR_USAGE,
		    "%s: is a device; a backup on a tape that needs this store "
		    "would be lost with it: name a file on a disk",
		    path);
	return kms_fail(KMS_ERR_EXISTS, "%s: exists already; name a new file",
	    path);
}

/* The directory that holds path, whole and without links; free(3) it. */
static int
find_dir(const char *path, char **dir)
{
	const char *slash = strrchr(path, '/');
	char *asked = slash == NULL ? strdup(".")
				    : strndup(path, (size_t)(slash - path) + 1);
	int r = 0;

	*dir = NULL;
	if (asked == NULL)
		return kms_fail(KMS_ERR_MEMORY, "backup: out of memory");
	*dir = realpath(asked, NULL);
	if (*dir == NULL && errno == ENOENT)
		r = kms_fail(KMS_ERR_NOTFOUND,
		    "%s: no such directory; make it or mount it", asked);
	else if (*dir == NULL)
		r = kms_fail(KMS_ERR_IO,
		    "%s: %s; name a directory of the store's owner", asked,
		    strerror(errno));
	free(asked);
	return r;
}

int
kms_backup_place(const char *asked, char *path, size_t cap)
{
	const char *slash = strrchr(asked, '/');
	char log[PATH_TEXT], *dir = NULL;
	int n, r;

	r = find_dir(asked, &dir);
	if (r != 0)
		return r;
	n = snprintf(path, cap, "%s/%s", strcmp(dir, "/") == 0 ? "" : dir,
	    slash == NULL ? asked : slash + 1);
	if (n < 0 || (size_t)n >= cap)
		r = kms_fail(KMS_ERR_LIMIT,
		    "%s: the whole path is over %zu bytes; name a shorter one",
		    asked, cap - 1);
	else
		r = check_free(path);
	if (r == 0 && strcmp(dir, "/dev") == 0)
		r = kms_fail(KMS_ERR_USAGE,
		    "%s: is below /dev; name a file on a disk", asked);
	if (r == 0)
		r = kms_store_log_path(path, log, sizeof(log));
	if (r == 0)
		r = check_free(log);
	free(dir);
	return r;
}

static int
write_all(int fd, const uint8_t *p, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
pour(int from, int to, const char *path)
{
	uint8_t *chunk;
	ssize_t n = 0;
	int r = 0;

	chunk = malloc(CHUNK);
	if (chunk == NULL)
		return kms_fail(KMS_ERR_MEMORY, "backup: out of memory");
	do {
		n = read(from, chunk, CHUNK);
		if (n > 0 && write_all(to, chunk, (size_t)n) != 0)
			n = -1;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0 || fsync(to) != 0)
		r = kms_fail(KMS_ERR_IO, "%s: %s", path,
		    errno == EFBIG ? "disk full" : strerror(errno));
	free(chunk);
	return r;
}

int
kms_backup_copy_log(const char *log, const char *backup)
{
	char path[PATH_TEXT];
	int r, from = -1, to;

	r = kms_file_open(log, O_RDONLY, true, &from);
	if (r == KMS_ERR_NOTFOUND) {
		kms_err_clear();
		return 0;
	}
	if (r == 0)
		r = kms_store_log_path(backup, path, sizeof(path));
	if (r != 0)
		goto out;
	to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	    0600);
	if (to < 0) {
		r = kms_fail(KMS_ERR_IO, "%s: %s", path, strerror(errno));
		goto out;
	}
	r = pour(from, to, path);
	close(to);
	if (r == 0)
		r = kms_file_sync_dir(path);
	else
		(void)unlink(path);
out:
	if (from >= 0)
		close(from);
	return r;
}

/* UUID-GENERATION.db, and nothing else: 0 for any other name. */
static unsigned long long
generation_of(const char *name, const char *uuid)
{
	unsigned long long generation;
	char *end;

	if (strncmp(name, uuid, 36) != 0 || name[36] != '-' || name[37] < '1' ||
	    name[37] > '9')
		return 0;
	errno = 0;
	generation = strtoull(name + 37, &end, 10);
	return errno == 0 && strcmp(end, ".db") == 0 ? generation : 0;
}

static int
newest_first(const void *a, const void *b)
{
	unsigned long long x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x < y) - (x > y);
}

static void
drop(const char *dir, const char *uuid, unsigned long long generation)
{
	char path[PATH_TEXT], log[PATH_TEXT];
	int n, r;

	n = snprintf(path, sizeof(path), "%s/%s-%llu.db", dir, uuid,
	    generation);
	if (n < 0 || (size_t)n >= sizeof(path))
		return;
	r = kms_store_log_path(path, log, sizeof(log));
	if (r == 0)
		r = kms_file_remove(path);
	if (r == 0)
		r = kms_file_remove(log);
	if (r != 0)
		kms_log(KMS_LOG_WARN, "backup.prune", "cause=\"%s\"",
		    kms_err_cause(r));
}

/* The generations there are, owned by the caller; NULL when there are none. */
static unsigned long long *
list(const char *dir, const char *uuid, size_t *n)
{
	unsigned long long *all = NULL, *more, generation;
	const struct dirent *e;
	DIR *d;

	*n = 0;
	d = opendir(dir);
	if (d == NULL)
		return NULL;
	while ((e = readdir(d)) != NULL) {
		generation = generation_of(e->d_name, uuid);
		if (generation == 0)
			continue;
		more = reallocarray(all, *n + 1, sizeof(*all));
		if (more == NULL)
			break;
		all = more;
		all[(*n)++] = generation;
	}
	closedir(d);
	return all;
}

void
kms_backup_prune(const char *dir, const uint8_t uuid[16], unsigned keep,
    uint64_t generation)
{
	unsigned long long *all;
	char text[37];
	size_t n, i, from = 0;

	if (keep == 0)
		return;
	kms_uuid_text(uuid, text);
	all = list(dir, text, &n);
	if (all == NULL)
		return;
	qsort(all, n, sizeof(*all), newest_first);
	while (from < n && all[from] > generation)
		from++;
	for (i = from + keep; i < n; i++)
		drop(dir, text, all[i]);
	free(all);
}
