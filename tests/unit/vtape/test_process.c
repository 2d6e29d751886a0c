#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kms/base/crypt.h"
#include "tests/lib/mutate.h"
#include "tests/unit/vtape/proc.h"
#include "tests/unit/vtape/suite.h"

static void
write_text(struct proc *p, const char *s)
{
	size_t n = strlen(s);

	proc_good(p, (struct cdb){{0x0A, 0, 0, (uint8_t)(n >> 8), (uint8_t)n}},
	    s, n, 0);
}

static void
still_serves(struct proc *p)
{
	proc_good(p, (struct cdb){{0x12, 0, 0, 0, 36}}, NULL, 0, 36);
	ck_assert_mem_eq(p->in + 8, "P11KMS  ", 8);
}

START_TEST(sigterm_ends_it_cleanly)
{
	struct proc *p = proc_new(NULL);
	struct stat st;

	ck_assert_int_eq(stat(p->socket, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	still_serves(p);
	ck_assert_int_eq(proc_stop(p, SIGTERM), 0);
	ck_assert(!fx_exists(p->socket));
	ck_assert(fx_contains(p->fx, fx_path(p->fx, "log"), "listening on ",
	    13));
	proc_free(p);
}
END_TEST

START_TEST(a_live_socket_is_not_taken_and_a_dead_one_is)
{
	struct proc *p = proc_new(NULL);
	const char *words[] = {"-listen", p->socket, NULL};

	struct fx_result r = proc_vtaped(p->fx, words);
	ck_assert_int_eq(r.status, 9);
	still_serves(p);
	proc_stop(p, SIGKILL);
	ck_assert(fx_exists(p->socket));
	proc_start(p);
	still_serves(p);
	proc_free(p);
}
END_TEST

START_TEST(the_key_dies_with_the_process)
{
	struct proc *p = proc_new(NULL);
	struct sde s = sde_load(9, "tag");

	proc_load(p, &s);
	write_text(p, "sealed words");
	proc_good(p, (struct cdb){{0x10, 0, 0, 0, 1}}, NULL, 0, 0);
	proc_stop(p, SIGKILL);
	proc_start(p);
	proc_good(p, (struct cdb){{0xA2, 0x20, 0, 0x20, 0, 0, 0, 0, 1, 0}},
	    NULL, 0, 256);
	ck_assert_mem_eq(p->in + 4, "\0\0\0\0\0\0\0\0", 8);
	ck_assert(proc_try(p, p->fd, (struct cdb){{0x08, 0, 0, 0, 12}}, NULL, 0,
	    12));
	ck_assert_uint_eq(p->sense[2] & 15, 7);
	ck_assert_mem_eq(p->sense + 12, "\x74\x01", 2);
	proc_load(p, &s);
	proc_good(p, (struct cdb){{0x08, 0, 0, 0, 12}}, NULL, 0, 12);
	ck_assert_mem_eq(p->in, "sealed words", 12);
	ck_assert(!fx_contains(p->fx, p->cartridge, "sealed", 6));
	proc_free(p);
}
END_TEST

/* Block n holds its number, and its number again at the end. */
static void
numbered(uint8_t *buf, size_t len, uint32_t n)
{
	memset(buf, (int)(n & 0xFF), len);
	kms_put32(buf, n);
	kms_put32(buf + len - 4, n);
}

/* Sends blocks, every fourth followed by a filemark, and in the end one that
 * is not waited for. Returns how many objects the last filemark covers. */
static uint64_t
write_until(struct proc *p, uint32_t blocks, uint64_t objects)
{
	static uint8_t buf[100000];
	struct cdb w = {{0x0A, 0, sizeof(buf) >> 16, (sizeof(buf) >> 8) & 0xFF,
	    sizeof(buf) & 0xFF}};
	struct wire_req q = {.kind = WIRE_SCSI,
	    .cdb_len = 6,
	    .dir = WIRE_OUT,
	    .len = sizeof(buf)};
	uint8_t head[WIRE_REQ_HEAD];
	uint64_t safe = objects;

	for (uint32_t i = 0; i < blocks; i++) {
		numbered(buf, sizeof(buf), (uint32_t)objects);
		proc_good(p, w, buf, sizeof(buf), 0);
		objects++;
		if (i % 4 != 3)
			continue;
		proc_good(p, (struct cdb){{0x10, 0, 0, 0, 1}}, NULL, 0, 0);
		safe = ++objects;
	}
	memcpy(q.cdb, w.b, sizeof(q.cdb));
	wire_req_encode(&q, head);
	numbered(buf, sizeof(buf), (uint32_t)objects);
	ck_assert_int_eq(wire_send(p->fd, head, sizeof(head), 1000), 0);
	(void)wire_send(p->fd, buf, sizeof(buf), 0);
	return safe;
}

START_TEST(kill_9_loses_nothing_before_the_last_filemark)
{
	struct proc *p = proc_new(NULL);
	struct sde s = sde_load(3, "tag");
	uint64_t safe = 0;

	for (uint32_t round = 1; round <= 8; round++) {
		proc_load(p, &s);
		/* END, to go on behind what there is */
		proc_good(p, (struct cdb){{0x11, 3}}, NULL, 0, 0);
		safe = write_until(p, round * 3, proc_position(p));
		proc_stop(p, SIGKILL);
		proc_start(p);
		proc_load(p, &s);
		uint64_t n = 0;
		for (;; n++) {
			ck_assert(proc_try(p, p->fd,
			    (struct cdb){{0x08, 0, 1, 0x86, 0xA0}}, NULL, 0,
			    100000));
			if (p->status == TAPE_GOOD) {
				ck_assert_uint_eq(kms_get32(p->in), n);
				ck_assert_uint_eq(kms_get32(p->in + 99996), n);
			} else if ((p->sense[2] & 15) == 8) {
				break;
			} else {
				ck_assert_uint_eq(p->sense[2], 0x80);
			}
		}
		ck_assert_uint_ge(n, safe);
	}
	proc_free(p);
}
END_TEST

START_TEST(garbage_ends_only_its_own_connection)
{
	struct proc *p = proc_new(NULL);
	uint8_t noise[4096];
	uint32_t x = 12345;

	for (unsigned round = 0; round < 20; round++) {
		int fd = proc_connect(p);
		for (size_t i = 0; i < sizeof(noise); i++)
			noise[i] = (uint8_t)((x = x * 1664525 + 1013904223) >>
			    24);
		(void)wire_send(fd, noise, sizeof(noise), 1000);
		ck_assert_int_lt(wire_recv(fd, noise, 1, 10000), 0);
		ck_assert(errno == EPIPE || errno == ECONNRESET);
		close(fd);
		still_serves(p);
	}
	proc_free(p);
}
END_TEST

static void
send_mutant(void *ctx, const struct mutant *m)
{
	struct proc *p = ctx;
	uint8_t sink[256];

	/* What is by chance an operator's order to stop is obeyed. */
	if (m->len > 3 && m->p[3] == WIRE_STOP)
		return;
	int fd = proc_connect(p);
	(void)wire_send(fd, m->p, m->len, 1000);
	shutdown(fd, SHUT_WR);
	while (wire_recv(fd, sink, 1, 10000) == 0)
		;
	ck_assert_msg(errno != ETIMEDOUT, "%s", m->what);
	close(fd);
}

START_TEST(no_changed_request_stops_the_drive)
{
	struct proc *p = proc_new(NULL);
	struct wire_req q = {.kind = WIRE_SCSI,
	    .cdb_len = 6,
	    .dir = WIRE_IN,
	    .len = 36,
	    .cdb = {0x12, 0, 0, 0, 36}};
	struct sde s = sde_load(1, "tag");
	uint8_t all[256];

	wire_req_encode(&q, all);
	mutate(all, WIRE_REQ_HEAD, send_mutant, p);
	size_t n = sde_encode(&s, all + WIRE_REQ_HEAD);
	q = (struct wire_req){.kind = WIRE_SCSI,
	    .cdb_len = 12,
	    .dir = WIRE_OUT,
	    .len = (uint32_t)n,
	    .cdb = {0xB5, 0x20, 0, 0x10, 0, 0, 0, 0, 0, (uint8_t)n}};
	wire_req_encode(&q, all);
	mutate(all, WIRE_REQ_HEAD + n, send_mutant, p);
	int fd = proc_connect(p);
	ck_assert(proc_try(p, fd, (struct cdb){{0x12, 0, 0, 0, 36}}, NULL, 0,
	    36));
	close(fd);
	proc_free(p);
}
END_TEST

START_TEST(silent_and_half_heard_clients_hold_nobody_up)
{
	struct proc *p = proc_new(NULL);
	int quiet[200];

	still_serves(p);
	for (size_t i = 0; i < 200; i++) {
		quiet[i] = proc_connect(p);
		if (i % 2)
			(void)wire_send(quiet[i], "VT1", 3, 1000);
	}
	int fd = proc_connect(p);
	ck_assert(proc_try(p, fd, (struct cdb){{0x12, 0, 0, 0, 36}}, NULL, 0,
	    36));
	still_serves(p); /* and who spoke before keeps his place */
	for (size_t i = 0; i < 200; i++)
		close(quiet[i]);
	close(fd);
	proc_free(p);
}
END_TEST

START_TEST(a_client_that_reads_no_reply_holds_nobody_up)
{
	static uint8_t block[1 << 20];
	struct proc *p = proc_new(NULL);
	struct wire_req q = {.kind = WIRE_SCSI,
	    .cdb_len = 6,
	    .dir = WIRE_IN,
	    .len = sizeof(block),
	    .cdb = {0x08, 0, 0x10, 0, 0}};
	uint8_t head[WIRE_REQ_HEAD];

	proc_good(p, (struct cdb){{0x0A, 0, 0x10, 0, 0}}, block, sizeof(block),
	    0);
	proc_good(p, (struct cdb){{0x2B}}, NULL, 0, 0);
	int fd = proc_connect(p);
	wire_req_encode(&q, head);
	ck_assert_int_eq(wire_send(fd, head, sizeof(head), 1000), 0);
	for (int i = 0; i < 10; i++)
		still_serves(p);
	/* It can still have it all. */
	ck_assert_int_eq(wire_recv(fd, head, WIRE_REP_HEAD, 10000), 0);
	ck_assert_uint_eq(head[4], TAPE_GOOD);
	ck_assert_int_eq(wire_recv(fd, block, sizeof(block), 10000), 0);
	close(fd);
	proc_free(p);
}
END_TEST

START_TEST(an_over_long_key_list_is_not_received)
{
	struct proc *p = proc_new(NULL);
	struct wire_req q = {.kind = WIRE_SCSI,
	    .cdb_len = 12,
	    .dir = WIRE_OUT,
	    .len = 8u << 20,
	    .cdb = {0xB5, 0x20, 0, 0x10}};
	uint8_t head[WIRE_REQ_HEAD];

	wire_req_encode(&q, head);
	for (int i = 0; i < 100; i++) {
		int fd = proc_connect(p);
		ck_assert_int_eq(wire_send(fd, head, sizeof(head), 1000), 0);
		ck_assert_int_lt(wire_recv(fd, head, 1, 10000), 0);
		close(fd);
		wire_req_encode(&q, head);
	}
	still_serves(p);
	proc_free(p);
}
END_TEST

START_TEST(the_operator_resets_ejects_and_inserts)
{
	struct proc *p = proc_new(NULL);
	const char *reset[] = {"-reset", "-drive", p->socket, NULL};
	const char *eject[] = {"--eject", "--drive", p->socket, NULL};
	const char *insert[] = {"insert", "-cartridge", p->cartridge, "-drive",
	    p->socket, NULL};
	struct sde s = sde_load(9, "tag");

	proc_load(p, &s);
	ck_assert_int_eq(proc_vtaped(p->fx, reset).status, 0);
	ck_assert(proc_try(p, p->fd, (struct cdb){{0}}, NULL, 0, 0));
	ck_assert_mem_eq(p->sense + 12, "\x29\0", 2);
	ck_assert_int_eq(proc_vtaped(p->fx, eject).status, 0);
	ck_assert_int_eq(proc_vtaped(p->fx, eject).status, 7);
	ck_assert(proc_try(p, p->fd, (struct cdb){{0}}, NULL, 0, 0));
	ck_assert_mem_eq(p->sense + 12, "\x3A\0", 2);
	ck_assert_int_eq(proc_vtaped(p->fx, insert).status, 0);
	struct fx_result r = proc_vtaped(p->fx, insert);
	ck_assert_int_eq(r.status, 7);
	ck_assert_ptr_nonnull(strstr(r.err, "eject it first"));
	ck_assert(proc_try(p, p->fd, (struct cdb){{0}}, NULL, 0, 0));
	ck_assert_mem_eq(p->sense + 12, "\x28\0", 2);
	proc_free(p);
}
END_TEST

START_TEST(the_command_line_keeps_its_contract)
{
	static const struct {
		const char *words[7];
		int status;
	} t[] = {
	    {{"-help"}, 0},
	    {{"-version"}, 0},
	    {{NULL}, 2},
	    {{"-lis", "x"}, 2},
	    {{"-listen"}, 2},
	    {{"-listen", "/tmp/x", "-eject"}, 2},
	    {{"\xE2\x80\x93listen", "/tmp/x"}, 2},
	    {{"-create", "-cartridge", "/nonexistent/x", "-barcode", "A"}, 1},
	    {{"-create", "-cartridge", "x"}, 2},
	    {{"-create", "-cartridge", "x", "-barcode", "a b"}, 2},
	    {{"-listen", "/tmp/x", "-generation", "3"}, 2},
	    {{"-listen", "/tmp/x", "-cartridge", "/nonexistent/x"}, 3},
	    {{"-eject", "-drive", "/nonexistent/x"}, 7},
	    {{"-insert", "-drive", "/x", "-cartridge", "/nonexistent"}, 3},
	};
	struct fx *fx = fx_new();

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct fx_result r = proc_vtaped(fx, t[i].words);
		ck_assert_msg(r.status == t[i].status, "case %zu: %d: %s", i,
		    r.status, r.err);
		ck_assert((r.err_len > 0) == (r.status != 0));
	}
	fx_free(&fx);
}
END_TEST

START_TEST(it_leaves_no_core)
{
	struct proc *p = proc_new(NULL);
	char path[64], line[256];
	bool none = false;

	snprintf(path, sizeof(path), "/proc/%d/limits", (int)p->pid);
	FILE *f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		none |= strncmp(line, "Max core file size        0 ", 28) == 0;
	fclose(f);
	ck_assert(none);
	proc_free(p);
}
END_TEST

/* Does the process hold these bytes in any memory that can be read? */
static bool
memory_holds(pid_t pid, const uint8_t *key, size_t len)
{
	char path[64], line[512];
	unsigned long from, to;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	int mem = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	FILE *maps = fopen(path, "r");
	ck_assert(mem >= 0 && maps);
	while (!found && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx rw", &from, &to) != 2 ||
		    to - from > 64u << 20)
			continue;
		uint8_t *copy = malloc(to - from);
		ck_assert_ptr_nonnull(copy);
		ssize_t n = pread(mem, copy, to - from, (off_t)from);
		found = n > 0 && memmem(copy, (size_t)n, key, len);
		free(copy);
	}
	fclose(maps);
	close(mem);
	return found;
}

START_TEST(a_cleared_key_is_nowhere_in_its_memory)
{
	struct proc *p = proc_new(NULL);
	struct sde off = sde_off();
	uint8_t page[52] = {0, 0x10, 0, 48, 0x40, 0, 2, 3, 1, [19] = 32};
	uint8_t key[16];

	/* The kernel lets only root look into such a process. */
	if (geteuid() == 0) {
		ck_assert_int_eq(kms_random(page + 20, 32), 0);
		memcpy(key, page + 20, sizeof(key));
		proc_good(p,
		    (struct cdb){{0xB5, 0x20, 0, 0x10, 0, 0, 0, 0, 0, 52}},
		    page, 52, 0);
		/* AES's first round keys are the key: it is found. */
		ck_assert(memory_holds(p->pid, key, sizeof(key)));
		write_text(p, "sealed");
		proc_load(p, &off);
		ck_assert(!memory_holds(p->pid, key, sizeof(key)));
	}
	proc_free(p);
}
END_TEST

TCase *
process_tests(void)
{
	TCase *t = tcase_create("process");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, sigterm_ends_it_cleanly);
	tcase_add_test(t, a_live_socket_is_not_taken_and_a_dead_one_is);
	tcase_add_test(t, the_key_dies_with_the_process);
	tcase_add_test(t, kill_9_loses_nothing_before_the_last_filemark);
	tcase_add_test(t, garbage_ends_only_its_own_connection);
	tcase_add_test(t, no_changed_request_stops_the_drive);
	tcase_add_test(t, silent_and_half_heard_clients_hold_nobody_up);
	tcase_add_test(t, a_client_that_reads_no_reply_holds_nobody_up);
	tcase_add_test(t, an_over_long_key_list_is_not_received);
	tcase_add_test(t, the_operator_resets_ejects_and_inserts);
	tcase_add_test(t, the_command_line_keeps_its_contract);
	tcase_add_test(t, it_leaves_no_core);
	tcase_add_test(t, a_cleared_key_is_nowhere_in_its_memory);
	return t;
}
