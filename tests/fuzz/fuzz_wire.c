/*
 * What a peer may send over the virtual drive's socket: heads are exact or
 * refused, and a reply never reaches past its room.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tape/wire.h"
#include "tests/fuzz/fuzz.h"

#define ROOM 64u

static void
request_holds(const uint8_t *p)
{
	uint8_t back[WIRE_REQ_HEAD];
	struct wire_req q;

	if (wire_req_decode(p, &q) < 0)
		return;
	fuzz_must(q.len <= WIRE_DATA_MAX && q.cdb_len <= WIRE_CDB_MAX,
	    "a length over its bound");
	fuzz_must(q.dir <= WIRE_OUT && (q.dir != WIRE_NONE || q.len == 0),
	    "data without direction");
	wire_req_encode(&q, back);
	fuzz_must(memcmp(back, p, sizeof(back)) == 0, "a request changed");
}

static void
reply_holds(const uint8_t *p)
{
	uint8_t back[WIRE_REP_HEAD];
	struct wire_rep r;

	if (wire_rep_decode(p, &r) < 0)
		return;
	fuzz_must(r.len <= WIRE_DATA_MAX && r.sense_len <= WIRE_SENSE_MAX,
	    "a length over its bound");
	wire_rep_encode(&r, back);
	fuzz_must(memcmp(back, p, sizeof(back)) == 0, "a reply changed");
}

/* The bytes as a drive's whole answer to one command. */
static void
exchange_holds(const uint8_t *p, size_t len)
{
	struct wire_req q = {.kind = WIRE_SCSI,
	    .cdb_len = 6,
	    .dir = WIRE_IN,
	    .len = ROOM};
	uint8_t in[ROOM + 1], sense[WIRE_SENSE_MAX], status;
	size_t got, sense_len;
	int fd[2];

	if (len > 4096 || socketpair(AF_UNIX, SOCK_STREAM, 0, fd) < 0)
		return;
	in[ROOM] = 0xA5;
	if (wire_send(fd[1], p, len, 0) == 0 && shutdown(fd[1], SHUT_WR) == 0 &&
	    wire_exec(fd[0], &q, NULL, in, ROOM, &got, &status, sense,
		&sense_len, 0) == 0)
		fuzz_must(got <= ROOM && sense_len <= sizeof(sense),
		    "a reply over its room");
	fuzz_must(in[ROOM] == 0xA5, "a reply behind its room");
	close(fd[0]);
	close(fd[1]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	if (len >= WIRE_REQ_HEAD)
		request_holds(p);
	if (len >= WIRE_REP_HEAD)
		reply_holds(p);
	exchange_holds(p, len);
	return 0;
}
