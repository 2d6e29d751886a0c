/*
 * What an initiator may send to a virtual drive: any bytes over its socket.
 * The drive, reset and with a fresh tape for each input, must go on
 * answering the next one.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tape/sense.h"
#include "tape/virtual/server.h"
#include "tape/wire.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/fixture.h"

#define PATIENCE_MS 10000

/* A running drive; one of each kind lives as long as the process. */
struct rig {
	struct fx *fx;
	const char *socket, *tape;
	struct vt_label label;
	struct vt_drive *drive;
	struct vt_server *server;
	pthread_t thread;
	int stop[2];
};

#define KINDS 4u
static struct rig rigs[KINDS];

static const struct vt_options kinds[KINDS] = {
    {.generation = 4, .serial = "FUZZ0"},
    {.generation = 8, .serial = "FUZZ1", .lenient = true},
    {.generation = 5, .serial = "FUZZ2", .fixed_kads = true},
    {.generation = 9, .serial = "FUZZ3", .library_owns_keys = true},
};

static void *
serve(void *arg)
{
	struct rig *r = arg;

	fuzz_must(vt_server_run(r->server, r->stop[0]) == 0, "it serves");
	/* Told to stop by its initiator: that one waits for the end. */
	vt_server_close(&r->server);
	return NULL;
}

static void
rig_stop(struct rig *r)
{
	if (!r->fx)
		return;
	fuzz_must(write(r->stop[1], "x", 1) == 1, "a stop");
	pthread_join(r->thread, NULL);
	vt_drive_free(&r->drive);
	close(r->stop[0]);
	close(r->stop[1]);
	fx_free(&r->fx);
}

static void
rigs_stop(void)
{
	for (size_t i = 0; i < KINDS; i++)
		rig_stop(&rigs[i]);
}

static void
rig_start(struct rig *r, const struct vt_options *o)
{
	r->fx = fx_new();
	r->socket = fx_path(r->fx, "s");
	r->tape = fx_path(r->fx, "tape");
	r->label = (struct vt_label){.generation = o->generation,
	    .capacity = 1u << 20,
	    .barcode = "FUZZ01"};
	fuzz_must(pipe(r->stop) == 0, "a pipe");
	fuzz_must(vt_drive_new(o, &r->drive) == 0, "a drive");
	fuzz_must(vt_server_open(r->socket, r->drive, &r->server) == 0,
	    "a server");
	fuzz_must(pthread_create(&r->thread, NULL, serve, r) == 0, "a thread");
}

/* An operator's hand; false when nobody is there. */
static bool
operate(const struct rig *r, enum wire_kind kind, const char *path)
{
	struct wire_req q = {.kind = (uint8_t)kind};
	uint8_t sense[WIRE_SENSE_MAX], status;
	size_t got, sense_len;

	q.dir = path ? WIRE_OUT : WIRE_NONE;
	q.len = path ? (uint32_t)strlen(path) : 0;
	int fd = wire_connect(r->socket);
	if (fd < 0)
		return false;
	int n = wire_exec(fd, &q, path, NULL, 0, &got, &status, sense,
	    &sense_len, PATIENCE_MS);
	close(fd);
	return n == 0 && (status == TAPE_GOOD || kind == WIRE_EJECT);
}

/* Reset, and a blank tape in. The last input may have stopped the drive. */
static struct rig *
rig_fresh(uint8_t kind)
{
	static bool once;
	struct rig *r = &rigs[kind % KINDS];

	if (!once)
		atexit(rigs_stop);
	once = true;
	if (r->fx && !operate(r, WIRE_RESET, NULL))
		rig_stop(r);
	if (!r->fx)
		rig_start(r, &kinds[kind % KINDS]);
	fuzz_must(operate(r, WIRE_EJECT, NULL), "it ejects");
	unlink(r->tape);
	fuzz_must(vt_cartridge_create(r->tape, &r->label) == 0, "a tape");
	fuzz_must(operate(r, WIRE_INSERT, r->tape), "it takes a tape");
	return r;
}

/* Sends all while reading all, so that neither side waits for the other. */
static void
pump(int fd, const uint8_t *p, size_t len)
{
	uint8_t drain[4096];

	for (;;) {
		struct pollfd f = {.fd = fd, .events = POLLIN};
		if (len > 0)
			f.events |= POLLOUT;
		fuzz_must(poll(&f, 1, PATIENCE_MS) > 0, "it does not hang");
		if (f.revents & POLLOUT && len > 0) {
			ssize_t n = send(fd, p, len,
			    MSG_NOSIGNAL | MSG_DONTWAIT);
			if (n < 0 && errno != EAGAIN)
				return;
			p += n > 0 ? n : 0;
			len -= n > 0 ? (size_t)n : 0;
			if (len == 0)
				shutdown(fd, SHUT_WR);
		}
		if (f.revents & (POLLIN | POLLHUP | POLLERR)) {
			ssize_t n = recv(fd, drain, sizeof(drain),
			    MSG_DONTWAIT);
			if (n == 0 || (n < 0 && errno != EAGAIN))
				return;
		}
	}
}

/* A new initiator asks for the status page; the drive may have been told to
 * stop (nobody listens then). */
static void
still_answers(const char *socket)
{
	struct wire_req q = {.kind = WIRE_SCSI,
	    .cdb_len = 12,
	    .dir = WIRE_IN,
	    .len = 256};
	uint8_t in[256], sense[WIRE_SENSE_MAX], status;
	struct tape_sense s;
	size_t got, sense_len;

	int fd = wire_connect(socket);
	if (fd < 0)
		return;
	q.cdb[0] = 0xA2;
	q.cdb[1] = 0x20;
	q.cdb[3] = 0x20;
	q.cdb[8] = 1;
	int r = wire_exec(fd, &q, NULL, in, sizeof(in), &got, &status, sense,
	    &sense_len, PATIENCE_MS);
	fuzz_must(r == 0 || errno != ETIMEDOUT, "it answers in time");
	fuzz_must(r != 0 || status != TAPE_CHECK ||
		tape_sense_decode(sense, sense_len, &s),
	    "its sense has a format");
	close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	if (len == 0)
		return 0;
	const struct rig *r = rig_fresh(p[0]);
	int fd = wire_connect(r->socket);
	fuzz_must(fd >= 0, "a connection");
	if (len > 1)
		pump(fd, p + 1, len - 1);
	close(fd);
	still_answers(r->socket);
	return 0;
}
