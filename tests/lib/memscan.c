/*
 * Preloaded into a program, it looks for secrets in that program's own memory:
 * when standard output is flushed, which is the last thing our tools do, and
 * before another program is spawned. With MEMSCAN_SEND=1 also whenever it sends
 * to a socket: a drive's key must be there then, which shows that the search
 * finds keys.
 *
 *   MEMSCAN       a file of needles, "NAME HEX" a line, each byte of HEX
 *                 exclusive-ored with 5Ah, so that this library's own copy
 *                 is never what it finds
 *   MEMSCAN_OUT   appended: "flush NAME COUNT", "spawn …", "send …"
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MASK 0x5au
#define NEEDLES 16u
#define NEEDLE_MAX 128u

static struct needle {
	char name[32];
	uint8_t masked[NEEDLE_MAX];
	size_t len, count;
} needle[NEEDLES];
static size_t needles;

static void
load_needles(const char *path)
{
	char line[2 * NEEDLE_MAX + 64], hex[2 * NEEDLE_MAX + 1];
	FILE *f = fopen(path, "re");
	struct needle *n;
	unsigned byte;

	while (f && needles < NEEDLES && fgets(line, sizeof(line), f)) {
		n = &needle[needles];
		if (sscanf(line, "%31s %256s", n->name, hex) != 2)
			continue;
		for (n->len = 0; sscanf(hex + 2 * n->len, "%2x", &byte) == 1;
		     n->len++)
			n->masked[n->len] = (uint8_t)byte;
		needles++;
	}
	if (f)
		fclose(f);
}

static bool
is_here(const struct needle *n, const volatile uint8_t *p, size_t left)
{
	if (n->len > left)
		return false;
	for (size_t i = 0; i < n->len; i++)
		if ((p[i] ^ MASK) != n->masked[i])
			return false;
	return true;
}

static void
scan_region(uintptr_t from, uintptr_t to)
{
	const volatile uint8_t *p = (const volatile uint8_t *)from;

	for (size_t i = 0; i < to - from; i++)
		for (size_t k = 0; k < needles; k++)
			if ((p[i] ^ MASK) == needle[k].masked[0] &&
			    is_here(&needle[k], p + i, to - from - i))
				needle[k].count++;
}

static void
scan_all(void)
{
	unsigned long from, to;
	char *line = NULL, perm[5];
	FILE *maps = fopen("/proc/self/maps", "re");
	size_t cap = 0;

	while (maps && getline(&line, &cap, maps) > 0) {
		if (sscanf(line, "%lx-%lx %4s", &from, &to, perm) == 3 &&
		    perm[0] == 'r' && perm[1] == 'w')
			scan_region(from, to);
	}
	free(line);
	if (maps)
		fclose(maps);
}

static void
scan(const char *when)
{
	const char *path = getenv("MEMSCAN"), *out = getenv("MEMSCAN_OUT");
	char line[100];
	int fd, len;

	if (!path || !out)
		return;
	if (needles == 0)
		load_needles(path);
	for (size_t k = 0; k < needles; k++)
		needle[k].count = 0;
	scan_all();
	fd = open(out, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	for (size_t k = 0; fd >= 0 && k < needles; k++) {
		len = snprintf(line, sizeof(line), "%s %s %zu\n", when,
		    needle[k].name, needle[k].count);
		if (write(fd, line, (size_t)len) != len)
			abort();
	}
	close(fd);
}

int
fflush(FILE *f)
{
	static int (*real)(FILE *);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "fflush");
	if (f == stdout)
		scan("flush");
	return real(f);
}

ssize_t
send(int fd, const void *p, size_t len, int flags)
{
	static ssize_t (*real)(int, const void *, size_t, int);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "send");
	if (getenv("MEMSCAN_SEND"))
		scan("send");
	return real(fd, p, len, flags);
}

typedef int spawn(pid_t *, const char *, const posix_spawn_file_actions_t *,
    const posix_spawnattr_t *, char *const *, char *const *);

int
posix_spawnp(pid_t *pid, const char *file,
    const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
    char *const *argv, char *const *envp)
{
	static spawn *real;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "posix_spawnp");
	scan("spawn");
	return real(pid, file, actions, attr, argv, envp);
}

int
posix_spawn(pid_t *pid, const char *file,
    const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
    char *const *argv, char *const *envp)
{
	static spawn *real;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "posix_spawn");
	scan("spawn");
	return real(pid, file, actions, attr, argv, envp);
}
