#include "kms/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_NAP_MS 5u /* flock(2) has no deadline of its own */

static int
io_fail(const char *what, const char *path)
{
	return kms_fail(KMS_ERR_IO, "%s: %s: %s", path, what, strerror(errno));
}

/* The part before the last slash; "." and "/" where there is none. */
static int
dir_of(const char *path, char dir[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	size_t n;

	if (slash == NULL) {
		path = ".";
		n = 1;
	} else {
		n = slash == path ? 1 : (size_t)(slash - path);
	}
	if (n >= PATH_MAX)
		return kms_fail(KMS_ERR_LIMIT, "path of over %d bytes",
		    PATH_MAX - 1);
	memcpy(dir, path, n);
	dir[n] = '\0';
	return 0;
}

static int
open_dir_of(const char *path, int flags, char dir[PATH_MAX], int *fd)
{
	int r;

	r = dir_of(path, dir);
	if (r != 0)
		return r;
	*fd = open(dir, flags | O_DIRECTORY | O_CLOEXEC);
	if (*fd >= 0)
		return 0;
	if (errno == ENOENT)
		return kms_fail(KMS_ERR_NOTFOUND,
		    "%s: no such directory; make it (mode 0700)", dir);
	if (errno == ENOTDIR)
		return kms_fail(KMS_ERR_CONFIG, "%s: not a directory", dir);
	return io_fail("open", dir);
}

int
kms_file_check_dir(const char *path, bool strict)
{
	char dir[PATH_MAX];
	mode_t bad = strict ? 077 : 022;
	struct stat st;
	int r, fd = -1;

	r = open_dir_of(path, O_PATH, dir, &fd);
	if (r != 0)
		return r;
	if (fstat(fd, &st) != 0)
		r = io_fail("stat", dir);
	else if (st.st_uid != geteuid() && st.st_uid != 0)
		r = kms_fail(KMS_ERR_CONFIG,
		    "%s: belongs to uid %u, not to uid %u; give it to the "
		    "right owner (chown)",
		    dir, (unsigned)st.st_uid, (unsigned)geteuid());
	else if ((st.st_mode & bad) != 0)
		r = kms_fail(KMS_ERR_CONFIG,
		    "%s: mode %04o is too open; chmod %s %s", dir,
		    (unsigned)(st.st_mode & 07777), strict ? "0700" : "go-w",
		    dir);
	close(fd);
	return r;
}

static int
open_fail(const char *path)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
		return kms_fail(KMS_ERR_NOTFOUND, "%s: no such file", path);
	case ELOOP:
		return kms_fail(KMS_ERR_CONFIG,
		    "%s: is a symbolic link; name the file itself", path);
	default:
		return io_fail("open", path);
	}
}

static int
check_file(int fd, const char *path, bool private)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return io_fail("stat", path);
	if (!S_ISREG(st.st_mode))
		return kms_fail(KMS_ERR_CONFIG, "%s: not a regular file", path);
	if (!private)
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

/* O_NONBLOCK: opening a FIFO put there must fail, not wait for a writer. It
 * means nothing for regular files, and no other is let through. */
int
kms_file_open(const char *path, int flags, bool private, int *fd)
{
	int r, f;

	*fd = -1;
	f = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (f < 0)
		return open_fail(path);
	r = check_file(f, path, private);
	if (r != 0) {
		close(f);
		return r;
	}
	*fd = f;
	return 0;
}

/* Reads up to end of file; one byte more than max is LIMIT. */
static int
read_all(int fd, const char *path, uint8_t *buf, size_t max, size_t *len)
{
	uint8_t over;
	ssize_t n;

	*len = 0;
	for (;;) {
		n = *len < max ? read(fd, buf + *len, max - *len)
			       : read(fd, &over, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return io_fail("read", path);
		if (n == 0)
			return 0;
		if (*len == max)
			return kms_fail(KMS_ERR_LIMIT, "%s: over %zu bytes",
			    path, max);
		*len += (size_t)n;
	}
}

int
kms_file_read_secret(const char *path, size_t max, struct kms_secret **out)
{
	struct kms_secret *s = NULL;
	struct stat st;
	size_t len;
	int r, fd = -1;

	*out = NULL;
	r = kms_file_open(path, O_RDONLY, true, &fd);
	if (r != 0)
		goto out;
	if (fstat(fd, &st) != 0) {
		r = io_fail("stat", path);
		goto out;
	}
	if ((uintmax_t)st.st_size > max) {
		r = kms_fail(KMS_ERR_LIMIT, "%s: over %zu bytes", path, max);
		goto out;
	}
	r = kms_secret_new((size_t)st.st_size, &s);
	if (r != 0)
		goto out;
	r = read_all(fd, path, kms_secret_fill(s), (size_t)st.st_size, &len);
	if (r == 0)
		r = kms_secret_truncate(s, len);
	if (r == 0)
		*out = kms_secret_take(&s);
out:
	kms_secret_free(&s);
	if (fd >= 0)
		close(fd);
	return r;
}

int
kms_file_read(const char *path, size_t max, void *buf, size_t *len)
{
	int r, fd;

	*len = 0;
	r = kms_file_open(path, O_RDONLY, false, &fd);
	if (r != 0)
		return r;
	r = read_all(fd, path, buf, max, len);
	close(fd);
	return r;
}

static int
write_all(int fd, const char *path, const uint8_t *p, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return io_fail("write", path);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* A name of its own for each writer: two at once must not share a half. */
static int
make_beside(const char *path, char tmp[PATH_MAX], int *fd)
{
	int n;

	n = snprintf(tmp, PATH_MAX, "%s.XXXXXX", path);
	if (n < 0 || n >= PATH_MAX)
		return kms_fail(KMS_ERR_LIMIT, "path of over %d bytes",
		    PATH_MAX - 8);
	*fd = mkostemp(tmp, O_CLOEXEC);
	if (*fd < 0)
		return io_fail("create", tmp);
	return 0;
}

int
kms_file_replace(const char *path, const void *p, size_t len)
{
	char tmp[PATH_MAX];
	int r, fd = -1;

	r = make_beside(path, tmp, &fd);
	if (r != 0)
		return r;
	r = write_all(fd, tmp, p, len);
	if (r == 0 && fsync(fd) != 0)
		r = io_fail("fsync", tmp);
	if (close(fd) != 0 && r == 0)
		r = io_fail("close", tmp);
	if (r == 0 && rename(tmp, path) != 0)
		r = io_fail("rename", tmp);
	if (r != 0) {
		(void)unlink(tmp);
		return r;
	}
	return kms_file_sync_dir(path);
}

int
kms_file_sync_dir(const char *path)
{
	char dir[PATH_MAX];
	int r, fd = -1;

	r = open_dir_of(path, O_RDONLY, dir, &fd);
	if (r != 0)
		return r;
	if (fsync(fd) != 0)
		r = io_fail("fsync", dir);
	close(fd);
	return r;
}

int
kms_file_remove(const char *path)
{
	if (unlink(path) != 0) {
		if (errno == ENOENT)
			return 0;
		return io_fail("unlink", path);
	}
	return kms_file_sync_dir(path);
}

static int64_t
now_ms(void)
{
	struct timespec t = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Is the locked file still the one that path names? A cleaner of temporary
 * files may have removed it between open and lock. */
static bool
still_named(const char *path, int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && lstat(path, &b) == 0 &&
	    a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* One try: 0, BUSY, or what opening failed with. */
static int
lock_once(const char *path, int *out)
{
	int r, fd;

	fd = open(path,
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
	    0600);
	if (fd < 0)
		return open_fail(path);
	r = check_file(fd, path, false);
	if (r != 0)
		goto out;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		r = errno == EWOULDBLOCK || errno == EINTR
		    ? KMS_ERR_BUSY
		    : io_fail("flock", path);
	else if (!still_named(path, fd))
		r = KMS_ERR_BUSY;
	if (r != 0)
		goto out;
	*out = fd;
	fd = -1; /* transferred */
out:
	if (fd >= 0)
		close(fd);
	return r;
}

int
kms_file_lock(const char *path, unsigned wait_ms, int *fd)
{
	const struct timespec nap = {.tv_nsec = LOCK_NAP_MS * 1000000L};
	int64_t deadline = now_ms() + wait_ms;
	int r;

	*fd = -1;
	while ((r = lock_once(path, fd)) == KMS_ERR_BUSY) {
		if (now_ms() >= deadline)
			return kms_fail(KMS_ERR_BUSY,
			    "%s: locked by another process for over %u ms; "
			    "try again",
			    path, wait_ms);
		(void)nanosleep(&nap, NULL);
	}
	return r;
}

void
kms_file_unlock(int *fd)
{
	if (fd == NULL || *fd < 0)
		return;
	close(*fd);
	*fd = -1;
}
