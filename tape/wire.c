#include "tape/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SEND_BUFFER (1024 * 1024)

static const uint8_t magic[3] = {'V', 'T', '1'};

static void
put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

static bool
kind_known(uint8_t kind)
{
	return kind >= WIRE_SCSI && kind <= WIRE_STOP;
}

void
wire_req_encode(const struct wire_req *q, uint8_t out[WIRE_REQ_HEAD])
{
	memset(out, 0, WIRE_REQ_HEAD);
	memcpy(out, magic, sizeof(magic));
	out[3] = q->kind;
	out[4] = q->cdb_len;
	out[5] = q->dir;
	put32(out + 8, q->len);
	memcpy(out + 12, q->cdb, WIRE_CDB_MAX);
}

int
wire_req_decode(const uint8_t in[WIRE_REQ_HEAD], struct wire_req *q)
{
	memset(q, 0, sizeof(*q));
	if (memcmp(in, magic, sizeof(magic)) != 0 || !kind_known(in[3]) ||
	    in[6] != 0 || in[7] != 0)
		return -1;
	if (in[4] > WIRE_CDB_MAX || (in[3] == WIRE_SCSI && in[4] < 6) ||
	    in[5] > WIRE_OUT)
		return -1;
	uint32_t len = get32(in + 8);
	if (len > WIRE_DATA_MAX || (in[5] == WIRE_NONE && len != 0))
		return -1;
	q->kind = in[3];
	q->cdb_len = in[4];
	q->dir = in[5];
	q->len = len;
	memcpy(q->cdb, in + 12, WIRE_CDB_MAX);
	return 0;
}

void
wire_rep_encode(const struct wire_rep *r, uint8_t out[WIRE_REP_HEAD])
{
	memset(out, 0, WIRE_REP_HEAD);
	memcpy(out, magic, sizeof(magic));
	out[3] = r->kind;
	out[4] = r->status;
	out[5] = r->sense_len;
	put32(out + 8, r->len);
}

int
wire_rep_decode(const uint8_t in[WIRE_REP_HEAD], struct wire_rep *r)
{
	memset(r, 0, sizeof(*r));
	if (memcmp(in, magic, sizeof(magic)) != 0 || !kind_known(in[3]) ||
	    in[6] != 0 || in[7] != 0)
		return -1;
	uint32_t len = get32(in + 8);
	if (in[5] > WIRE_SENSE_MAX || len > WIRE_DATA_MAX)
		return -1;
	r->kind = in[3];
	r->status = in[4];
	r->sense_len = in[5];
	r->len = len;
	return 0;
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until fd can move: the deadline survives signals. */
static int
wait_for(int fd, short events, int timeout_ms)
{
	int64_t end = now_ms() + timeout_ms;
	int left = timeout_ms;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = events};
		int n = poll(&p, 1, left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -1;
		if (timeout_ms >= 0) {
			int64_t rest = end - now_ms();
			if (n == 0 || rest <= 0) {
				errno = ETIMEDOUT;
				return -1;
			}
			left = (int)rest;
		}
	}
}

static bool
would_wait(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* Tries first and waits only when nothing moves: a block of a tape is then
 * one system call in the good case. */
int
wire_send(int fd, const void *buf, size_t len, int timeout_ms)
{
	const uint8_t *p = buf;

	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		} else if (n < 0 && would_wait()) {
			if (wait_for(fd, POLLOUT, timeout_ms) < 0)
				return -1;
		} else {
			return -1;
		}
	}
	return 0;
}

int
wire_recv(int fd, void *buf, size_t len, int timeout_ms)
{
	uint8_t *p = buf;

	while (len > 0) {
		ssize_t n = recv(fd, p, len, MSG_DONTWAIT);
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		} else if (n < 0 && would_wait()) {
			if (wait_for(fd, POLLIN, timeout_ms) < 0)
				return -1;
		} else {
			if (n == 0)
				errno = EPIPE;
			return -1;
		}
	}
	return 0;
}

int
wire_connect(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(a.sun_path)) {
		errno = len == 0 ? ENOENT : ENAMETOOLONG;
		return -1;
	}
	memcpy(a.sun_path, path, len);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	/* Room for a usual block, so that sending it is one step; the system
	 * gives what it allows. */
	int room = SEND_BUFFER;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	int n;
	do
		n = connect(fd, (const struct sockaddr *)&a, sizeof(a));
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		int e = errno;
		close(fd);
		errno = e;
		return -1;
	}
	return fd;
}

static int
protocol_error(void)
{
	errno = EPROTO;
	return -1;
}

int
wire_exec(int fd, const struct wire_req *q, const void *out, void *in,
    size_t cap, size_t *got, uint8_t *status, uint8_t *sense, size_t *sense_len,
    int timeout_ms)
{
	uint8_t head[WIRE_REQ_HEAD], back[WIRE_REP_HEAD];
	struct wire_rep r;

	*got = 0;
	*status = 0;
	*sense_len = 0;
	wire_req_encode(q, head);
	if (wire_send(fd, head, sizeof(head), timeout_ms) < 0)
		return -1;
	if (q->dir == WIRE_OUT && wire_send(fd, out, q->len, timeout_ms) < 0)
		return -1;
	if (wire_recv(fd, back, sizeof(back), timeout_ms) < 0)
		return -1;
	if (wire_rep_decode(back, &r) < 0 || r.kind != q->kind)
		return protocol_error();
	if (r.len > (q->dir == WIRE_IN ? cap : 0) || r.len > q->len)
		return protocol_error();
	if (wire_recv(fd, sense, r.sense_len, timeout_ms) < 0)
		return -1;
	if (wire_recv(fd, in, r.len, timeout_ms) < 0)
		return -1;
	*got = r.len;
	*status = r.status;
	*sense_len = r.sense_len;
	return 0;
}

int
wire_ask(const char *path, int timeout_ms)
{
	uint8_t answer = WIRE_ASK_REFUSED;
	int fd = wire_connect(path);

	if (fd < 0)
		return -1;
	int n = wire_recv(fd, &answer, 1, timeout_ms);
	int e = errno;
	close(fd);
	if (n == 0 && answer == WIRE_ASK_LOADED)
		return 0;
	errno = n == 0 ? EACCES : e;
	return -1;
}
