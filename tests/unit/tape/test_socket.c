#include "tests/unit/tape/suite.h"

#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tape/socket.h"
#include "tape/wire.h"
#include "tests/lib/fixture.h"

/* A drive's end of the socket: answers one command per connection, says
 * nothing to the next, and so on, as the script's letters tell. */
struct peer {
	int listener;
	const char
	    *script; /* g: GOOD and four bytes; x: hangs up; r: rubbish */
	unsigned connections;
	pthread_t thread;
};

static void
answer(int fd, char what)
{
	uint8_t head[WIRE_REQ_HEAD], back[WIRE_REP_HEAD];
	struct wire_rep r = {.kind = WIRE_SCSI};
	struct wire_req q;

	if (wire_recv(fd, head, sizeof(head), 10000) < 0 ||
	    wire_req_decode(head, &q) < 0 || what == 'x')
		return;
	if (what == 's') {
		(void)wire_recv(fd, head, 1, 30000); /* until it gives up */
		return;
	}
	r.len = q.dir == WIRE_IN ? 4 : 0;
	wire_rep_encode(&r, back);
	if (what == 'r')
		back[0] = 'X';
	if (wire_send(fd, back, sizeof(back), 10000) == 0)
		(void)wire_send(fd, "data", r.len, 10000);
}

static void *
peer_run(void *arg)
{
	struct peer *p = arg;

	while (*p->script) {
		int fd = accept(p->listener, NULL, NULL);
		if (fd < 0)
			break;
		p->connections++;
		/* Capital: the connection stays for the next letter. */
		while (*p->script == 'G') {
			answer(fd, 'g');
			p->script++;
		}
		if (*p->script)
			answer(fd, *p->script++);
		close(fd);
	}
	return NULL;
}

static void
peer_start(struct peer *p, const char *path, const char *script)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	memset(p, 0, sizeof(*p));
	p->script = script;
	memcpy(a.sun_path, path, strlen(path));
	p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(p->listener, (const struct sockaddr *)&a,
			     sizeof(a)),
	    0);
	ck_assert_int_eq(listen(p->listener, 4), 0);
	ck_assert_int_eq(pthread_create(&p->thread, NULL, peer_run, p), 0);
}

static void
peer_stop(struct peer *p)
{
	pthread_join(p->thread, NULL);
	close(p->listener);
}

static int
ask_in_time(struct tape_transport *t, uint8_t *in, size_t len, size_t *got,
    unsigned timeout_ms)
{
	struct tape_cmd c = {.cdb_len = 6,
	    .dir = TAPE_IN,
	    .in = in,
	    .len = len,
	    .timeout_ms = timeout_ms};
	struct tape_reply r;

	c.cdb[0] = 0x12;
	int err = t->exec(t, &c, &r);
	*got = r.got;
	return err;
}

static int
ask(struct tape_transport *t, uint8_t *in, size_t len, size_t *got)
{
	return ask_in_time(t, in, len, got, 10000);
}

START_TEST(silence_is_a_time_out_and_a_late_answer_is_not_taken)
{
	struct fx *fx = fx_new();
	struct tape_transport *t;
	uint8_t in[8];
	struct peer p;
	size_t got;

	peer_start(&p, fx_path(fx, "s"), "sg");
	ck_assert_int_eq(tape_socket_open(fx_path(fx, "s"), &t), 0);
	ck_assert_int_eq(ask_in_time(t, in, sizeof(in), &got, 1),
	    KMS_ERR_TIMEOUT);
	ck_assert_int_eq(ask(t, in, sizeof(in), &got), 0);
	t->close(&t);
	peer_stop(&p);
	ck_assert_uint_eq(p.connections, 2);
	fx_free(&fx);
}
END_TEST

START_TEST(nobody_listening_is_not_found)
{
	struct fx *fx = fx_new();
	struct tape_transport *t = (void *)1;

	ck_assert_int_eq(tape_socket_open(fx_path(fx, "none"), &t),
	    KMS_ERR_NOTFOUND);
	ck_assert_ptr_null(t);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_NOTFOUND),
	    "vtaped"));
	fx_free(&fx);
}
END_TEST

START_TEST(the_room_behind_the_answer_is_zero)
{
	struct fx *fx = fx_new();
	struct tape_transport *t;
	uint8_t in[8];
	struct peer p;
	size_t got;

	peer_start(&p, fx_path(fx, "s"), "g");
	ck_assert_int_eq(tape_socket_open(fx_path(fx, "s"), &t), 0);
	memset(in, 0xEE, sizeof(in));
	ck_assert_int_eq(ask(t, in, sizeof(in), &got), 0);
	ck_assert_uint_eq(got, 4);
	ck_assert_mem_eq(in, "data\0\0\0\0", 8);
	t->close(&t);
	ck_assert_ptr_null(t);
	peer_stop(&p);
	fx_free(&fx);
}
END_TEST

START_TEST(a_lost_connection_is_made_anew_for_the_next_command)
{
	struct fx *fx = fx_new();
	struct tape_transport *t;
	uint8_t in[8];
	struct peer p;
	size_t got;

	peer_start(&p, fx_path(fx, "s"), "Gxrg");
	ck_assert_int_eq(tape_socket_open(fx_path(fx, "s"), &t), 0);
	ck_assert_int_eq(ask(t, in, sizeof(in), &got), 0);
	ck_assert_int_eq(ask(t, in, sizeof(in), &got), KMS_ERR_IO);
	ck_assert_uint_eq(got, 0);
	ck_assert_int_eq(ask(t, in, sizeof(in), &got), KMS_ERR_IO);
	ck_assert_int_eq(ask(t, in, sizeof(in), &got), 0);
	t->close(&t);
	peer_stop(&p);
	ck_assert_uint_eq(p.connections, 3);
	fx_free(&fx);
}
END_TEST

START_TEST(a_command_over_the_wires_limit_is_our_own_error)
{
	struct fx *fx = fx_new();
	struct tape_transport *t;
	uint8_t in[4];
	struct peer p;
	size_t got;

	peer_start(&p, fx_path(fx, "s"), "g");
	ck_assert_int_eq(tape_socket_open(fx_path(fx, "s"), &t), 0);
	ck_assert_int_eq(ask(t, in, WIRE_DATA_MAX + 1, &got), KMS_ERR_INTERNAL);
	ck_assert_int_eq(ask(t, in, sizeof(in), &got), 0);
	t->close(&t);
	peer_stop(&p);
	fx_free(&fx);
}
END_TEST

TCase *
socket_tests(void)
{
	TCase *t = tcase_create("socket");

	tcase_add_test(t, silence_is_a_time_out_and_a_late_answer_is_not_taken);
	tcase_add_test(t, nobody_listening_is_not_found);
	tcase_add_test(t, the_room_behind_the_answer_is_zero);
	tcase_add_test(t, a_lost_connection_is_made_anew_for_the_next_command);
	tcase_add_test(t, a_command_over_the_wires_limit_is_our_own_error);
	return t;
}
