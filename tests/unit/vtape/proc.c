#include "tests/unit/vtape/proc.h"

#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS 20000
#define WORDS_MAX 16

void
proc_built(char out[PATH_MAX], const char *name)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	ck_assert_int_gt(n, 0);
	self[n] = '\0';
	const char *build = dirname(dirname(self));
	n = snprintf(out, PATH_MAX, "%s/%s", build, name);
	ck_assert_int_lt(n, PATH_MAX);
}

static void
words_make(const char **to, const char *program, const char *const *words)
{
	size_t n = 0;

	to[n++] = program;
	for (size_t i = 0; words[i]; i++) {
		ck_assert_uint_lt(n, WORDS_MAX - 1);
		to[n++] = words[i];
	}
	to[n] = NULL;
}

struct fx_result
proc_vtaped(struct fx *fx, const char *const *words)
{
	char program[PATH_MAX];
	const char *argv[WORDS_MAX];
	struct fx_cmd cmd = {.argv = argv};
	struct fx_result result;

	proc_built(program, "bin/vtaped");
	words_make(argv, program, words);
	fx_run(fx, &cmd, &result);
	return result;
}

void
proc_start(struct proc *p)
{
	char program[PATH_MAX];
	const char *words[] = {"-listen", p->socket, "-cartridge", p->cartridge,
	    NULL};
	const char *argv[WORDS_MAX];
	struct fx_cmd cmd = {.argv = argv};

	proc_built(program, "bin/vtaped");
	words_make(argv, program, words);
	p->pid = fx_start(p->fx, &cmd, "log");
	ck_assert(fx_wait_socket(p->socket, WAIT_MS));
	p->fd = proc_connect(p);
}

struct proc *
proc_new(const char *size)
{
	struct proc *p = calloc(1, sizeof(*p));

	ck_assert_ptr_nonnull(p);
	p->fx = fx_new();
	p->socket = fx_path(p->fx, "drive");
	p->cartridge = fx_path(p->fx, "cart");
	const char *words[] = {"-create", "-cartridge", p->cartridge,
	    "-barcode", "TEST01L8", size ? "-size" : NULL, size, NULL};
	ck_assert_int_eq(proc_vtaped(p->fx, words).status, 0);
	proc_start(p);
	return p;
}

int
proc_stop(struct proc *p, int sig)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	pid_t pid = p->pid;
	p->pid = 0;
	return fx_stop(p->fx, pid, sig);
}

void
proc_free(struct proc *p)
{
	if (p->pid)
		ck_assert_int_eq(proc_stop(p, SIGTERM), 0);
	fx_free(&p->fx);
	free(p);
}

int
proc_connect(struct proc *p)
{
	int fd = wire_connect(p->socket);

	ck_assert_int_ge(fd, 0);
	return fd;
}

bool
proc_try(struct proc *p, int fd, struct cdb cdb, const void *out, size_t n,
    size_t in_cap)
{
	static const uint8_t group[8] = {6, 10, 10, 6, 16, 12, 6, 6};
	struct wire_req q = {
	    .kind = WIRE_SCSI,
	    .cdb_len = group[cdb.b[0] >> 5],
	    .dir = out   ? WIRE_OUT
		: in_cap ? WIRE_IN
			 : WIRE_NONE,
	    .len = (uint32_t)(out ? n : in_cap),
	};

	ck_assert_uint_le(in_cap, sizeof(p->in));
	memcpy(q.cdb, cdb.b, sizeof(q.cdb));
	return wire_exec(fd, &q, out, p->in, in_cap, &p->got, &p->status,
		   p->sense, &p->sense_len, WAIT_MS) == 0;
}

void
proc_good(struct proc *p, struct cdb cdb, const void *out, size_t n,
    size_t in_cap)
{
	ck_assert(proc_try(p, p->fd, cdb, out, n, in_cap));
	ck_assert_msg(p->status == TAPE_GOOD, "%02x: status %02x, %x/%02x/%02x",
	    cdb.b[0], p->status, p->sense[2], p->sense[12], p->sense[13]);
}

void
proc_load(struct proc *p, const struct sde *s)
{
	uint8_t page[256];
	size_t n = sde_encode(s, page);
	struct cdb c = {{0xB5, 0x20, 0, 0x10, 0, 0, 0, 0, 0, (uint8_t)n}};

	proc_good(p, c, page, n, 0);
}

uint64_t
proc_position(struct proc *p)
{
	proc_good(p, (struct cdb){{0x34, 6}}, NULL, 0, 32);
	return kms_get64(p->in + 8);
}

const char *
proc_sh(struct proc *p, int want_status, const char *script)
{
	char library[PATH_MAX], *all, *vtape, *preload;
	struct fx_result r;

	proc_built(library, "lib/libvtape-preload.so");
	ck_assert_int_gt(asprintf(&vtape, "VTAPE=/dev/nst9=%s", p->socket), 0);
	ck_assert_int_gt(asprintf(&preload, "LD_PRELOAD=%s", library), 0);
	ck_assert_int_gt(asprintf(&all, "cd %s && T=/dev/nst9 && %s",
			     fx_path(p->fx, "%s", "."), script),
	    0);
	const char *argv[] = {"/bin/sh", "-c", all, NULL};
	const char *env[] = {vtape, preload, "LC_ALL=C", NULL};
	struct fx_cmd cmd = {.argv = argv, .env = env, .timeout_ms = 60000};
	fx_run(p->fx, &cmd, &r);
	free(all);
	free(vtape);
	free(preload);
	p->err = r.err;
	ck_assert_msg(r.status == want_status, "status %d of '%s': %s",
	    r.status, script, r.err);
	/* A call that slipped past the library would make a file. */
	ck_assert(access("/dev/nst9", F_OK) != 0 || getenv("HAVE_NST9"));
	return r.out;
}
