#include "tests/unit/tape/suite.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tape/wire.h"

static const uint8_t request[WIRE_REQ_HEAD] = {'V', 'T', '1', 1, 12, 1, 0, 0,
    0x00, 0x00, 0x10, 0x00, 0xA2, 0x20, 0x00, 0x21, 0, 0, 0, 0, 0x10, 0, 0, 0,
    0, 0, 0, 0};
static const uint8_t reply[WIRE_REP_HEAD] = {'V', 'T', '1', 1, 0x02, 18, 0, 0,
    0x00, 0x00, 0x00, 0x00};

START_TEST(heads_both_ways)
{
	uint8_t back[WIRE_REQ_HEAD];
	struct wire_req q;
	struct wire_rep r;

	ck_assert_int_eq(wire_req_decode(request, &q), 0);
	ck_assert_uint_eq(q.kind, WIRE_SCSI);
	ck_assert_uint_eq(q.cdb_len, 12);
	ck_assert_uint_eq(q.dir, WIRE_IN);
	ck_assert_uint_eq(q.len, 4096);
	ck_assert_uint_eq(q.cdb[0], 0xA2);
	wire_req_encode(&q, back);
	ck_assert_mem_eq(back, request, sizeof(request));
	ck_assert_int_eq(wire_rep_decode(reply, &r), 0);
	ck_assert_uint_eq(r.status, 2);
	ck_assert_uint_eq(r.sense_len, 18);
	wire_rep_encode(&r, back);
	ck_assert_mem_eq(back, reply, sizeof(reply));
}
END_TEST

static void
pair(int fd[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd),
	    0);
}

START_TEST(end_of_file_is_epipe)
{
	uint8_t b[4];
	int fd[2];

	pair(fd);
	ck_assert_int_eq(wire_send(fd[0], "ab", 2, 1000), 0);
	close(fd[0]);
	ck_assert_int_eq(wire_recv(fd[1], b, 4, 1000), -1);
	ck_assert_int_eq(errno, EPIPE);
	close(fd[1]);
}
END_TEST

START_TEST(silence_is_etimedout)
{
	uint8_t b;
	int fd[2];

	pair(fd);
	ck_assert_int_eq(wire_recv(fd[0], &b, 1, 1), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

START_TEST(a_full_socket_is_etimedout)
{
	static uint8_t much[4 * 1024 * 1024];
	int fd[2];

	pair(fd);
	ck_assert_int_eq(wire_send(fd[0], much, sizeof(much), 1), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

START_TEST(a_closed_peer_is_an_error_not_a_signal)
{
	int fd[2];

	pair(fd);
	close(fd[1]);
	ck_assert_int_eq(wire_send(fd[0], "a", 1, 1000), -1);
	ck_assert_int_eq(errno, EPIPE);
	close(fd[0]);
}
END_TEST

struct writer {
	int fd;
	const uint8_t *p;
	size_t len;
};

static void *
write_all(void *arg)
{
	struct writer *w = arg;

	(void)wire_send(w->fd, w->p, w->len, 30000);
	return NULL;
}

START_TEST(a_large_block_passes_whole)
{
	static uint8_t out[3 * 1024 * 1024], in[sizeof(out)];
	pthread_t t;
	int fd[2];

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 31 >> 3);
	pair(fd);
	struct writer w = {fd[0], out, sizeof(out)};
	ck_assert_int_eq(pthread_create(&t, NULL, write_all, &w), 0);
	ck_assert_int_eq(wire_recv(fd[1], in, sizeof(in), 30000), 0);
	pthread_join(t, NULL);
	ck_assert_mem_eq(in, out, sizeof(out));
	close(fd[0]);
	close(fd[1]);
}
END_TEST

/* Answers prepared bytes to one command sent; returns wire_exec's result. */
static int
exchange(const void *answer, size_t len, uint8_t dir, size_t cap, size_t *got)
{
	struct wire_req q = {.kind = WIRE_SCSI,
	    .cdb_len = 6,
	    .dir = dir,
	    .len = dir == WIRE_NONE ? 0 : (uint32_t)cap};
	uint8_t in[64] = {0}, sense[WIRE_SENSE_MAX], status;
	size_t sense_len;
	int fd[2];

	pair(fd);
	ck_assert_int_eq(wire_send(fd[1], answer, len, 1000), 0);
	int r = wire_exec(fd[0], &q, in, in, cap, got, &status, sense,
	    &sense_len, 1);
	close(fd[0]);
	close(fd[1]);
	return r;
}

START_TEST(a_reply_over_the_room_is_refused)
{
	static const uint8_t nine[WIRE_REP_HEAD + 9] = {'V', 'T', '1', 1, 0, 0,
	    0, 0, 0, 0, 0, 9};
	size_t got;

	ck_assert_int_eq(exchange(nine, sizeof(nine), WIRE_IN, 8, &got), -1);
	ck_assert_int_eq(errno, EPROTO);
	ck_assert_int_eq(exchange(nine, sizeof(nine), WIRE_IN, 9, &got), 0);
	ck_assert_uint_eq(got, 9);
	ck_assert_int_eq(exchange(nine, sizeof(nine), WIRE_NONE, 0, &got), -1);
	ck_assert_int_eq(errno, EPROTO);
}
END_TEST

START_TEST(another_protocol_is_refused)
{
	size_t got;

	ck_assert_int_eq(exchange("SSH-2.0-Open", WIRE_REP_HEAD, WIRE_NONE, 0,
			     &got),
	    -1);
	ck_assert_int_eq(errno, EPROTO);
	ck_assert_int_eq(exchange("VT1\2\0\0\0\0\0\0\0\0", WIRE_REP_HEAD,
			     WIRE_NONE, 0, &got),
	    -1);
	ck_assert_int_eq(errno, EPROTO);
}
END_TEST

START_TEST(a_cut_reply_is_no_reply)
{
	static const uint8_t cut[WIRE_REP_HEAD + 3] = {'V', 'T', '1', 1, 0, 0,
	    0, 0, 0, 0, 0, 9};
	size_t got;

	for (size_t n = 0; n < sizeof(cut); n++) {
		ck_assert_int_eq(exchange(cut, n, WIRE_IN, 9, &got), -1);
		ck_assert_int_eq(errno, ETIMEDOUT);
	}
}
END_TEST

START_TEST(paths_that_cannot_be_are_refused)
{
	char longest[200];

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ck_assert_int_eq(wire_connect(longest), -1);
	ck_assert_int_eq(errno, ENAMETOOLONG);
	ck_assert_int_eq(wire_connect(""), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(wire_connect("/nonexistent/socket"), -1);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

TCase *
wire_tests(void)
{
	TCase *t = tcase_create("wire");

	tcase_add_test(t, heads_both_ways);
	tcase_add_test(t, end_of_file_is_epipe);
	tcase_add_test(t, silence_is_etimedout);
	tcase_add_test(t, a_full_socket_is_etimedout);
	tcase_add_test(t, a_closed_peer_is_an_error_not_a_signal);
	tcase_add_test(t, a_large_block_passes_whole);
	tcase_add_test(t, a_reply_over_the_room_is_refused);
	tcase_add_test(t, another_protocol_is_refused);
	tcase_add_test(t, a_cut_reply_is_no_reply);
	tcase_add_test(t, paths_that_cannot_be_are_refused);
	return t;
}
