/*
 * The system calls that libvtape-preload.so answers. Each looks whether path
 * or descriptor is ours, and else passes the call on.
 */
#include "tape/virtual/preload.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

/* Set once, before main or by the first call that comes earlier. */
static struct vtp_real real;
static pthread_once_t real_once = PTHREAD_ONCE_INIT;

/* ISO C has no way from an object pointer to a function. */
static void
symbol(const char *name, void *to)
{
	void *p = dlsym(RTLD_NEXT, name);

	memcpy(to, &p, sizeof(p));
}

static void
real_find(void)
{
	symbol("openat", &real.openat);
	symbol("close", &real.close);
	symbol("read", &real.read);
	symbol("write", &real.write);
	symbol("ioctl", &real.ioctl);
	symbol("fstat", &real.fstat);
	symbol("fstatat", &real.fstatat);
	symbol("lseek", &real.lseek);
	symbol("access", &real.access);
	symbol("_exit", &real.exit);
}

const struct vtp_real *
vtp_real(void)
{
	pthread_once(&real_once, real_find);
	return &real;
}

static int
open_any(int dir, const char *path, int flags, mode_t mode)
{
	enum vtp_kind kind;

	if (vtp_path_kind(path, &kind))
		return vtp_open(kind, flags);
	return vtp_real()->openat(dir, path, flags, mode);
}

static mode_t
mode_of(int flags, va_list ap)
{
	bool has = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;

	return has ? va_arg(ap, mode_t) : 0;
}

PUBLIC int
open(const char *path, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	mode_t mode = mode_of(flags, ap);
	va_end(ap);
	return open_any(AT_FDCWD, path, flags, mode);
}

PUBLIC int
open64(const char *path, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	mode_t mode = mode_of(flags, ap);
	va_end(ap);
	return open_any(AT_FDCWD, path, flags, mode);
}

PUBLIC int
openat(int dir, const char *path, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	mode_t mode = mode_of(flags, ap);
	va_end(ap);
	return open_any(dir, path, flags, mode);
}

PUBLIC int
openat64(int dir, const char *path, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	mode_t mode = mode_of(flags, ap);
	va_end(ap);
	return open_any(dir, path, flags, mode);
}

PUBLIC int
creat(const char *path, mode_t mode)
{
	return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

PUBLIC int
creat64(const char *path, mode_t mode)
{
	return creat(path, mode);
}

/* What programs built with _FORTIFY_SOURCE call. */
int __open_2(const char *, int);
int __open64_2(const char *, int);
int __openat_2(int, const char *, int);
int __openat64_2(int, const char *, int);
ssize_t __read_chk(int, void *, size_t, size_t);

PUBLIC int
__open_2(const char *path, int flags)
{
	return open_any(AT_FDCWD, path, flags, 0);
}

PUBLIC int
__open64_2(const char *path, int flags)
{
	return open_any(AT_FDCWD, path, flags, 0);
}

PUBLIC int
__openat_2(int dir, const char *path, int flags)
{
	return open_any(dir, path, flags, 0);
}

PUBLIC int
__openat64_2(int dir, const char *path, int flags)
{
	return open_any(dir, path, flags, 0);
}

PUBLIC int
close(int fd)
{
	bool ours;
	int n = vtp_close(fd, &ours);

	return ours ? n : vtp_real()->close(fd);
}

PUBLIC ssize_t
read(int fd, void *buf, size_t len)
{
	struct vtp_node *node = vtp_lock(fd);

	if (!node)
		return vtp_real()->read(fd, buf, len);
	ssize_t n = vtp_st_read(node, buf, len);
	vtp_unlock(node);
	return n;
}

PUBLIC ssize_t
__read_chk(int fd, void *buf, size_t len, size_t room)
{
	if (len > room) {
		errno = EFAULT;
		return -1;
	}
	return read(fd, buf, len);
}

PUBLIC ssize_t
write(int fd, const void *buf, size_t len)
{
	struct vtp_node *node = vtp_lock(fd);

	if (!node)
		return vtp_real()->write(fd, buf, len);
	ssize_t n = vtp_st_write(node, buf, len);
	vtp_unlock(node);
	return n;
}

PUBLIC int
ioctl(int fd, unsigned long request, ...)
{
	struct vtp_node *node = vtp_lock(fd);
	va_list ap;

	va_start(ap, request);
	void *arg = va_arg(ap, void *);
	va_end(ap);
	if (!node)
		return vtp_real()->ioctl(fd, request, arg);
	int n = vtp_st_ioctl(node, request, arg);
	vtp_unlock(node);
	return n;
}

/* The kernel lets lseek pass and do nothing. */
static off_t
seek_any(int fd, off_t offset, int whence)
{
	struct vtp_node *node = vtp_lock(fd);

	if (!node)
		return vtp_real()->lseek(fd, offset, whence);
	vtp_unlock(node);
	return 0;
}

PUBLIC off_t
lseek(int fd, off_t offset, int whence)
{
	return seek_any(fd, offset, whence);
}

PUBLIC off64_t
lseek64(int fd, off64_t offset, int whence)
{
	return seek_any(fd, offset, whence);
}

PUBLIC int
fstat(int fd, struct stat *st)
{
	struct vtp_node *node = vtp_lock(fd);

	if (!node)
		return vtp_real()->fstat(fd, st);
	vtp_stat(node->kind, st);
	vtp_unlock(node);
	return 0;
}

static int
stat_any(int dir, const char *path, struct stat *st, int flags)
{
	enum vtp_kind kind;

	if (!vtp_path_kind(path, &kind))
		return vtp_real()->fstatat(dir, path, st, flags);
	vtp_stat(kind, st);
	return 0;
}

PUBLIC int
stat(const char *path, struct stat *st)
{
	return stat_any(AT_FDCWD, path, st, 0);
}

PUBLIC int
lstat(const char *path, struct stat *st)
{
	return stat_any(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

PUBLIC int
fstatat(int dir, const char *path, struct stat *st, int flags)
{
	return stat_any(dir, path, st, flags);
}

/* The same layout where off_t has 64 bits; copied, never cast. */
static int
to_stat64(int n, const struct stat *st, struct stat64 *st64)
{
	_Static_assert(sizeof(*st) == sizeof(*st64), "64-bit off_t");
	if (n == 0)
		memcpy(st64, st, sizeof(*st64));
	return n;
}

PUBLIC int
fstat64(int fd, struct stat64 *st64)
{
	struct stat st;
	int n = fstat(fd, &st);

	return to_stat64(n, &st, st64);
}

PUBLIC int
stat64(const char *path, struct stat64 *st64)
{
	struct stat st;
	int n = stat(path, &st);

	return to_stat64(n, &st, st64);
}

PUBLIC int
lstat64(const char *path, struct stat64 *st64)
{
	struct stat st;
	int n = lstat(path, &st);

	return to_stat64(n, &st, st64);
}

PUBLIC int
fstatat64(int dir, const char *path, struct stat64 *st64, int flags)
{
	struct stat st;
	int n = fstatat(dir, path, &st, flags);

	return to_stat64(n, &st, st64);
}

PUBLIC int
access(const char *path, int mode)
{
	enum vtp_kind kind;

	if (!vtp_path_kind(path, &kind))
		return vtp_real()->access(path, mode);
	return 0;
}

/* A shell's children leave by this door, past every destructor. */
PUBLIC void
_exit(int status)
{
	vtp_close_all();
	vtp_real()->exit(status);
}

PUBLIC void
_Exit(int status)
{
	_exit(status);
}

__attribute__((destructor)) static void
at_end(void)
{
	vtp_close_all();
}
