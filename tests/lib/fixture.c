#include "tests/lib/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/fixture_impl.h"

void
fx_die(const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	fprintf(stderr, "fixture: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (%s)\n", strerror(saved));
	abort();
}

void *
fx_alloc(struct fx *fx, size_t size)
{
	struct fx_kept *k;

	k = calloc(1, sizeof(*k) + size);
	if (k == NULL)
		fx_die("out of memory");
	k->next = fx->kept;
	fx->kept = k;
	return k->bytes;
}

struct fx *
fx_new(void)
{
	const char *top = getenv("TMPDIR");
	struct fx *fx = calloc(1, sizeof(*fx));
	int n;

	if (fx == NULL)
		fx_die("out of memory");
	n = snprintf(fx->dir, sizeof(fx->dir), "%s/p11kms-test.XXXXXX",
	    top != NULL && top[0] == '/' ? top : "/tmp");
	if (n < 0 || (size_t)n >= sizeof(fx->dir) || mkdtemp(fx->dir) == NULL)
		fx_die("mkdtemp %s", fx->dir);
	return fx;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (type == FTW_DNR)
		(void)chmod(path, 0700);
	return remove(path);
}

/* Tests may have taken a directory's permissions away. */
static int
open_up(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)ftw;
	if (S_ISDIR(st->st_mode) && (type == FTW_D || type == FTW_DNR))
		(void)chmod(path, 0700);
	return 0;
}

void
fx_free(struct fx **fxp)
{
	struct fx_kept *k, *next;
	struct fx *fx;

	if (fxp == NULL || *fxp == NULL)
		return;
	fx = *fxp;
	*fxp = NULL;
	fx_kill_all(fx);
	(void)nftw(fx->dir, open_up, 16, FTW_PHYS);
	(void)nftw(fx->dir, remove_one, 16, FTW_PHYS | FTW_DEPTH);
	for (k = fx->kept; k != NULL; k = next) {
		next = k->next;
		free(k);
	}
	free(fx);
}

const char *
fx_path(struct fx *fx, const char *fmt, ...)
{
	char name[NAME_MAX + 1], *path;
	size_t size;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(name))
		fx_die("name too long: %s", name);
	size = strlen(fx->dir) + 1 + (size_t)n + 1;
	path = fx_alloc(fx, size);
	snprintf(path, size, "%s/%s", fx->dir, name);
	return path;
}

void
fx_write(const char *path, const void *p, size_t len, mode_t mode)
{
	FILE *f = fopen(path, "w");

	if (f == NULL || fchmod(fileno(f), mode) != 0 ||
	    fwrite(p, 1, len, f) != len || fclose(f) != 0)
		fx_die("write %s", path);
}

void
fx_write_text(const char *path, const char *text)
{
	fx_write(path, text, strlen(text), 0600);
}

uint8_t *
fx_read(struct fx *fx, const char *path, size_t *len)
{
	FILE *f = fopen(path, "r");
	struct stat st;
	uint8_t *p;

	if (f == NULL || fstat(fileno(f), &st) != 0)
		fx_die("read %s", path);
	p = fx_alloc(fx, (size_t)st.st_size + 1);
	*len = fread(p, 1, (size_t)st.st_size, f);
	if (ferror(f) != 0)
		fx_die("read %s", path);
	fclose(f);
	return p;
}

bool
fx_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

bool
fx_contains(struct fx *fx, const char *path, const void *p, size_t len)
{
	size_t n;
	const uint8_t *all = fx_read(fx, path, &n);

	return memmem(all, n, p, len) != NULL;
}
