/*
 * A drive that lies: stands between an initiator and a vtaped, and answers
 * GOOD to what it never passes on.
 *
 *   liar LISTEN DRIVE deaf N   the N-th SECURITY PROTOCOL OUT of a connection
 *                              and all after it are not passed on
 *   liar LISTEN DRIVE kad N    in the N-th the last byte, which is the tag's,
 *                              is changed
 *
 * Prints "listening" when it is ready; serves one connection at a time, until
 * it is killed.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tape/wire.h"

#define SECURITY_PROTOCOL_OUT 0xb5
#define WAIT_MS 60000

struct liar {
	bool deaf;
	unsigned from, seen; /* SECURITY PROTOCOL OUTs of this connection */
	int drive, client;
	uint8_t *data;
};

static int
answer(struct liar *l, const struct wire_rep *rep, const uint8_t *sense)
{
	uint8_t head[WIRE_REP_HEAD];

	wire_rep_encode(rep, head);
	if (wire_send(l->client, head, sizeof(head), WAIT_MS) < 0 ||
	    wire_send(l->client, sense, rep->sense_len, WAIT_MS) < 0)
		return -1;
	return wire_send(l->client, l->data, rep->len, WAIT_MS);
}

static int
serve_one(struct liar *l)
{
	uint8_t head[WIRE_REQ_HEAD], sense[WIRE_SENSE_MAX];
	struct wire_rep rep = {.kind = WIRE_SCSI};
	size_t got, sense_len;
	struct wire_req q;
	bool lie;

	if (wire_recv(l->client, head, sizeof(head), -1) < 0 ||
	    wire_req_decode(head, &q) < 0 || q.len > WIRE_DATA_MAX)
		return -1;
	if (q.dir == WIRE_OUT &&
	    wire_recv(l->client, l->data, q.len, WAIT_MS) < 0)
		return -1;
	lie = q.cdb[0] == SECURITY_PROTOCOL_OUT && ++l->seen >= l->from;
	if (lie && l->deaf)
		return answer(l, &rep, sense);
	if (lie && l->seen == l->from && q.len > 0)
		l->data[q.len - 1] ^= 1;
	if (wire_exec(l->drive, &q, l->data, l->data, WIRE_DATA_MAX, &got,
		&rep.status, sense, &sense_len, WAIT_MS) < 0)
		return -1;
	rep.kind = q.kind;
	rep.sense_len = (uint8_t)sense_len;
	rep.len = (uint32_t)got;
	return answer(l, &rep, sense);
}

int
main(int argc, char **argv)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct liar l = {.data = malloc(WIRE_DATA_MAX)};

	if (argc != 5 || strlen(argv[1]) >= sizeof(a.sun_path) || !l.data)
		return 2;
	memcpy(a.sun_path, argv[1], strlen(argv[1]));
	l.deaf = strcmp(argv[3], "deaf") == 0;
	l.from = (unsigned)strtoul(argv[4], NULL, 10);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(fd, 4) < 0) {
		perror(argv[1]);
		return 1;
	}
	puts("listening");
	fflush(stdout);
	while ((l.client = accept(fd, NULL, NULL)) >= 0) {
		l.seen = 0;
		l.drive = wire_connect(argv[2]);
		while (l.drive >= 0 && serve_one(&l) == 0)
			;
		close(l.drive);
		close(l.client);
	}
	free(l.data);
	return 1;
}
