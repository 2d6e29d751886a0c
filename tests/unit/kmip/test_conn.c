/* Connections over real TLS: what slow, broken and many clients cost, and how
 * messages come apart and together. */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/kmip/site.h"

#define TAG(id) KMIP_TAG_##id

static int
raw_socket(struct site *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)kmip_server_port(s->srv)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&a, sizeof(a)),
	    0);
	return fd;
}

/* True when the other end closes within the time. */
static bool
is_closed(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char b[4096];
	ssize_t n;

	for (;;) {
		if (poll(&p, 1, ms) != 1)
			return false;
		n = recv(fd, b, sizeof(b), 0);
		if (n <= 0)
			return true;
	}
}

START_TEST(silent_and_garbage_clients_hold_nobody_up)
{
	struct site s;
	int silent[8], garbage, i;

	site_begin(&s);
	s.options.message_ms = 1000;
	site_start(&s);
	for (i = 0; i < 8; i++)
		silent[i] = raw_socket(&s);
	garbage = raw_socket(&s);
	ck_assert_int_eq(send(garbage, "GET / HTTP/1.0\r\n\r\n", 18,
			     MSG_NOSIGNAL),
	    18);
	/* twice as many of them as there are workers, and more */
	for (i = 0; i < 4; i++)
		ok(site_try(&s, &s.client));
	ck_assert(is_closed(garbage, 20000));
	for (i = 0; i < 8; i++) {
		ck_assert(is_closed(silent[i], 20000));
		(void)close(silent[i]);
	}
	(void)close(garbage);
	site_end(&s);
}
END_TEST

/* A TLS client of our own that sends what it likes. */
static struct kmip_link *
shake(struct site *s, int fd, struct kmip_tls **tls)
{
	const struct kmip_tls_options o = {.cert = s->client.cert,
	    .key = s->client.key,
	    .ca = s->ca.file};
	struct kmip_link *link;

	ok(kmip_tls_client(&o, tls));
	ok(kmip_link_new(*tls, fd, "127.0.0.1", &link)); /* blocking */
	ck_assert_int_eq(kmip_link_shake(link), KMIP_IO_DONE);
	return link;
}

static size_t
discover(uint8_t *out, size_t cap)
{
	struct kmip_request *req = calloc(1, sizeof(*req));
	struct kms_wr wr;

	req->minor = 1;
	req->n = 1;
	req->call[0].op = KMIP_OP_DISCOVER_VERSIONS;
	req->call[0].payload.type = KMIP_STRUCTURE;
	kms_wr_fixed(&wr, out, cap);
	kmip_msg_put_request(&wr, req);
	ck_assert_int_eq(wr.err, 0);
	free(req);
	return wr.len;
}

static void
send_piece(struct kmip_link *link, const uint8_t *p, size_t len)
{
	size_t n;

	ck_assert_int_eq(kmip_link_write(link, p, len, &n), KMIP_IO_DONE);
	ck_assert_uint_eq(n, len);
}

static size_t
read_answer(struct kmip_link *link, uint8_t *out, size_t cap)
{
	size_t got = 0, n, size = KMIP_HEAD;
	enum kmip_io io;

	while (got < size) {
		io = kmip_link_read(link, out + got, size - got, &n);
		if (io != KMIP_IO_DONE)
			return 0;
		got += n;
		if (got == KMIP_HEAD && size == KMIP_HEAD)
			ok(kmip_ttlv_size(out, TAG(RESPONSE_MESSAGE), cap,
			    &size));
	}
	return got;
}

START_TEST(a_message_in_single_bytes_is_answered)
{
	uint8_t msg[256], out[4096];
	struct kmip_response *res = calloc(1, sizeof(*res));
	struct kmip_tls *tls;
	struct kmip_link *link;
	struct site s;
	size_t i, n;
	int fd;

	site_begin(&s);
	site_start(&s);
	fd = raw_socket(&s);
	link = shake(&s, fd, &tls);
	n = discover(msg, sizeof(msg));
	for (i = 0; i < n; i++)
		send_piece(link, msg + i, 1);
	n = read_answer(link, out, sizeof(out));
	ok(kmip_msg_read_response(res, out, n));
	ck_assert_uint_eq(res->answer[0].status, KMIP_STATUS_SUCCESS);
	kmip_link_free(&link);
	kmip_tls_drop(&tls);
	(void)close(fd);
	free(res);
	site_end(&s);
}
END_TEST

START_TEST(messages_sent_at_once_are_answered_one_by_one)
{
	static uint8_t msg[256], all[8192], out[4096];
	struct kmip_tls *tls;
	struct kmip_link *link;
	struct site s;
	size_t i, n;
	int fd;

	site_begin(&s);
	site_start(&s);
	fd = raw_socket(&s);
	link = shake(&s, fd, &tls);
	n = discover(msg, sizeof(msg));
	for (i = 0; i < 40; i++)
		memcpy(all + i * n, msg, n);
	send_piece(link, all, 40 * n);
	for (i = 0; i < 40; i++)
		ck_assert_uint_gt(read_answer(link, out, sizeof(out)), 0);
	kmip_link_free(&link);
	kmip_tls_drop(&tls);
	(void)close(fd);
	site_end(&s);
}
END_TEST

START_TEST(a_message_over_the_limit_ends_the_connection)
{
	static const uint8_t big[8] = {0x42, 0x00, 0x78, 0x01, 0x7f, 0xff, 0xff,
	    0xf8};
	static const uint8_t other[8] = {0x42, 0x00, 0x7b, 0x01, 0x00, 0x00,
	    0x00, 0x08};
	const uint8_t *const what[2] = {big, other};
	uint8_t out[64];
	struct kmip_tls *tls;
	struct kmip_link *link;
	struct site s;
	int fd, i;

	site_begin(&s);
	site_start(&s);
	for (i = 0; i < 2; i++) {
		fd = raw_socket(&s);
		link = shake(&s, fd, &tls);
		send_piece(link, what[i], 8);
		ck_assert_uint_eq(read_answer(link, out, sizeof(out)), 0);
		kmip_link_free(&link);
		kmip_tls_drop(&tls);
		(void)close(fd);
	}
	site_end(&s);
}
END_TEST

/* A request that is longer than what fits into locked memory. */
START_TEST(a_long_message_is_answered_too)
{
	struct kmip_request *req = calloc(1, sizeof(*req));
	struct kmip_response *res = calloc(1, sizeof(*res));
	struct kmip_client *c = NULL;
	struct kms_wr payload;
	struct site s;
	char text[1001];
	size_t i;

	site_begin(&s);
	site_start(&s);
	ok(site_client(&s, &s.client, &c));
	memset(text, 't', 1000);
	text[1000] = '\0';
	kms_wr_grow(&payload, KMIP_MESSAGE_MAX);
	for (i = 0; i < 60; i++)
		kmip_attr_put_custom(&payload, "x-m", text);
	req->minor = 2;
	req->n = 1;
	req->call[0].op = KMIP_OP_LOCATE;
	req->call[0].payload = (struct kmip_item){.type = KMIP_STRUCTURE,
	    .value = payload.p,
	    .len = payload.len};
	ok(kmip_client_call(c, req, res));
	ok(kmip_client_check(c, res, 0));
	kms_wr_free(&payload);
	kmip_client_close(&c);
	free(req);
	free(res);
	site_end(&s);
}
END_TEST

START_TEST(a_full_house_makes_room_for_the_next)
{
	struct kmip_client *c[6] = {NULL};
	struct site s;
	int i;

	site_begin(&s);
	s.options.connections = 4;
	site_start(&s);
	for (i = 0; i < 6; i++) {
		ok(site_client(&s, &s.client, &c[i]));
		ok(site_ask(c[i]));
	}
	/* whoever had to go connects anew without being told */
	for (i = 0; i < 6; i++) {
		ok(site_ask(c[i]));
		kmip_client_close(&c[i]);
	}
	site_end(&s);
}
END_TEST

struct asker {
	struct site *s;
	struct kms_tag tag;
	uint8_t want[32];
	int rounds, failures;
};

static void *
keep_asking(void *ctx)
{
	struct asker *a = ctx;
	struct kmip_client *c = NULL;
	struct kmip_client_key key;
	int i;

	if (site_client(a->s, &a->s->client, &c) != 0) {
		a->failures++;
		return NULL;
	}
	for (i = 0; i < a->rounds; i++) {
		if (kmip_client_by_tag(c, &a->tag, &key) != 0 ||
		    memcmp(kms_secret_bytes(key.key), a->want, 32) != 0)
			a->failures++;
		kmip_client_key_clear(&key);
	}
	kmip_client_close(&c);
	return NULL;
}

START_TEST(many_at_once_each_get_their_own)
{
	enum { N = 8 };
	struct asker a[N];
	pthread_t thread[N];
	struct site s;
	char uid[KMS_TAG_TEXT];
	int i;

	site_begin(&s);
	s.options.workers = 4;
	site_start(&s);
	memset(a, 0, sizeof(a));
	for (i = 0; i < N; i++) {
		create_key(&s.w, NULL, "disk", 256, uid);
		ok(kms_tag_parse(&a[i].tag, uid));
		get_bytes(&s.w, uid, a[i].want, 32);
		a[i].s = &s;
		a[i].rounds = 25;
	}
	for (i = 0; i < N; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, keep_asking,
				     &a[i]),
		    0);
	for (i = 0; i < N; i++) {
		ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
		ck_assert_int_eq(a[i].failures, 0);
	}
	site_end(&s);
}
END_TEST

TCase *
test_conn(void)
{
	TCase *t = tcase_create("conn");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, silent_and_garbage_clients_hold_nobody_up);
	tcase_add_test(t, a_message_in_single_bytes_is_answered);
	tcase_add_test(t, messages_sent_at_once_are_answered_one_by_one);
	tcase_add_test(t, a_message_over_the_limit_ends_the_connection);
	tcase_add_test(t, a_long_message_is_answered_too);
	tcase_add_test(t, a_full_house_makes_room_for_the_next);
	tcase_add_test(t, many_at_once_each_get_their_own);
	return t;
}
