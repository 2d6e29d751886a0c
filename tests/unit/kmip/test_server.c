/* The service over real TLS on the loopback: who is let in, what slow and
 * broken clients cost, how it ends. */
#include "tests/unit/kmip/certs.h"
#include "tests/unit/kmip/world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "kms/catalog.h"
#include "kms/kmip/client.h"
#include "kms/kmip/server.h"

#define TAG(id) KMIP_TAG_##id

/* A world that is served, and certificates for it. */
struct site {
	struct world w;
	struct authority ca, other_ca;
	struct pem server, client;
	struct kmip_server_options options;
	struct kmip_server *srv;
	char address[32];
};

static void
site_begin(struct site *s)
{
	memset(s, 0, sizeof(*s));
	world_begin(&s->w);
	world_open(&s->w);
	authority_new(s->w.fx, &s->ca, "ca");
	authority_new(s->w.fx, &s->other_ca, "other-ca");
	authority_server(&s->ca, &s->server);
	authority_client(&s->ca, "media01.example.com", &s->client);
	s->options = (struct kmip_server_options){.service = s->w.service,
	    .tls = {.cert = s->server.cert,
		.key = s->server.key,
		.ca = s->ca.file},
	    .rules = s->w.rules,
	    .listen = "127.0.0.1:0",
	    .workers = 2,
	    .message_ms = 20000};
}

static void
site_start(struct site *s)
{
	ok(kmip_server_start(&s->options, &s->srv));
	(void)snprintf(s->address, sizeof(s->address), "127.0.0.1:%u",
	    kmip_server_port(s->srv));
}

static void
site_end(struct site *s)
{
	kmip_server_free(&s->srv);
	pem_free(&s->server);
	pem_free(&s->client);
	authority_free(&s->ca);
	authority_free(&s->other_ca);
	world_end(&s->w);
}

static int
client_as(struct site *s, const struct pem *pem, struct kmip_client **c)
{
	const struct kmip_client_options o = {.servers = s->address,
	    .tls = {.cert = pem->cert, .key = pem->key, .ca = s->ca.file},
	    .wait_ms = 20000};

	return kmip_client_open(&o, c);
}

/* One question that everybody with a rule may ask. */
static int
ask(struct kmip_client *c)
{
	struct kmip_request *req = calloc(1, sizeof(*req));
	struct kmip_response *res = calloc(1, sizeof(*res));
	int r;

	req->minor = 1;
	req->n = 1;
	req->call[0].op = KMIP_OP_DISCOVER_VERSIONS;
	req->call[0].payload.type = KMIP_STRUCTURE;
	r = kmip_client_call(c, req, res);
	if (r == 0)
		r = kmip_client_check(c, res, 0);
	free(req);
	free(res);
	return r;
}

/* Connects and asks: 0 when it was let in. */
static int
try_as(struct site *s, const struct pem *pem)
{
	struct kmip_client *c = NULL;
	int r = client_as(s, pem, &c);

	if (r == 0)
		r = ask(c);
	kmip_client_close(&c);
	return r;
}

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

struct wanted_tape {
	const char *volume, *drive;
	bool found;
};

static int
look_at_tape(void *ctx, const struct kms_catalog_entry *e)
{
	struct wanted_tape *want = ctx;

	if (e->written && strcmp(e->volume, want->volume) == 0 &&
	    strcmp(e->drive, want->drive) == 0)
		want->found = true;
	return 0;
}

static bool
catalog_has(struct world *w, const struct kms_tag *tag, const char *volume,
    const char *drive)
{
	struct wanted_tape want = {.volume = volume, .drive = drive};
	struct kms_catalog *catalog;
	bool complete;

	ok(kms_catalog_new(&catalog));
	ok(kms_catalog_load(catalog, w->store, &w->local, &complete));
	ck_assert(complete);
	ok(kms_catalog_each(catalog, tag, NULL, look_at_tape, &want));
	kms_catalog_free(&catalog);
	return want.found;
}

START_TEST(a_client_with_a_rule_is_served)
{
	struct site s;
	struct kmip_client *c = NULL;
	struct kmip_client_key key;
	struct kms_tag tag;
	uint8_t a[32];
	char uid[KMS_TAG_TEXT];
	const struct kmip_client_note note = {.volume = "TAPE01",
	    .drive = "DRIVE7"};

	site_begin(&s);
	site_start(&s);
	create_key(&s.w, "k", "ENCR_pool", 256, uid);
	simple(&s.w, KMIP_OP_ACTIVATE, uid);
	get_bytes(&s.w, uid, a, 32);
	ok(client_as(&s, &s.client, &c));
	ok(kmip_client_active(c, "ENCR_pool", &key));
	ck_assert_str_eq(key.uid, uid);
	ok(kms_tag_parse(&tag, uid));
	ck_assert(kms_tag_equal(&key.tag, &tag));
	ck_assert_mem_eq(kms_secret_bytes(key.key), a, 32);
	kmip_client_key_clear(&key);
	ok(kmip_client_by_tag(c, &tag, &key));
	ck_assert_mem_eq(kms_secret_bytes(key.key), a, 32);
	kmip_client_key_clear(&key);
	ok(kmip_client_tell(c, uid, &note));
	ck_assert(catalog_has(&s.w, &tag, "TAPE01", "DRIVE7"));
	ck_assert_int_eq(kmip_client_active(c, "ENCR_none", &key),
	    KMS_ERR_NOTFOUND);
	memset(&tag, 7, sizeof(tag));
	tag.len = 16;
	ck_assert_int_eq(kmip_client_by_tag(c, &tag, &key), KMS_ERR_NOTFOUND);
	ck_assert_ptr_null(key.key);
	kmip_client_close(&c);
	site_end(&s);
}
END_TEST

START_TEST(certificates_that_do_not_count_are_refused)
{
	struct wanted_cert want = {.cn = "media01.example.com",
	    .eku = "clientAuth",
	    .from_s = -3600,
	    .to_s = 3600};
	struct site s;
	struct pem pem;

	site_begin(&s);
	site_start(&s);
	ok(try_as(&s, &s.client));
	authority_sign(&s.other_ca, &want, &pem);
	ck_assert_int_eq(try_as(&s, &pem), KMS_ERR_IO);
	pem_free(&pem);
	want.to_s = -60; /* expired */
	authority_sign(&s.ca, &want, &pem);
	ck_assert_int_eq(try_as(&s, &pem), KMS_ERR_IO);
	pem_free(&pem);
	want.to_s = 3600;
	want.from_s = 1800; /* not yet */
	authority_sign(&s.ca, &want, &pem);
	ck_assert_int_eq(try_as(&s, &pem), KMS_ERR_IO);
	pem_free(&pem);
	want.from_s = -3600;
	want.eku = "serverAuth"; /* for another purpose */
	authority_sign(&s.ca, &want, &pem);
	ck_assert_int_eq(try_as(&s, &pem), KMS_ERR_IO);
	pem_free(&pem);
	authority_client(&s.ca, "nobody.example.com", &pem); /* no rule */
	ck_assert_int_eq(try_as(&s, &pem), KMS_ERR_IO);
	pem_free(&pem);
	ck_assert_uint_ge(atomic_load(&s.w.service->metrics.refused), 5);
	ok(try_as(&s, &s.client));
	site_end(&s);
}
END_TEST

START_TEST(a_revoked_certificate_is_refused)
{
	struct site s;
	struct pem revoked;
	X509 *list[2] = {NULL, NULL};

	site_begin(&s);
	authority_client(&s.ca, "media01.example.com", &revoked);
	list[0] = revoked.x509;
	s.options.tls.crl = authority_crl(&s.ca, "ca.crl", list);
	site_start(&s);
	ok(try_as(&s, &s.client));
	ck_assert_int_eq(try_as(&s, &revoked), KMS_ERR_IO);
	pem_free(&revoked);
	site_end(&s);
}
END_TEST

START_TEST(a_reload_reaches_connections_that_are_open)
{
	struct kmip_tls_options tls;
	struct kmip_client *c = NULL, *kept = NULL;
	struct site s;
	struct pem second;
	X509 *list[2] = {NULL, NULL};

	site_begin(&s);
	site_start(&s);
	authority_client(&s.ca, "media01.example.com", &second);
	ok(client_as(&s, &second, &c));
	ok(client_as(&s, &s.client, &kept));
	ok(ask(c));
	ok(ask(kept));
	list[0] = second.x509;
	tls = s.options.tls;
	tls.crl = authority_crl(&s.ca, "ca.crl", list);
	ok(kmip_server_reload(s.srv, &tls, s.w.rules));
	ck_assert_int_eq(ask(c), KMS_ERR_IO);
	ok(ask(kept)); /* its connection lives on */
	/* and the rules */
	world_rule(&s.w, "home", "get");
	ok(kmip_server_reload(s.srv, &tls, s.w.rules));
	ok(ask(kept));
	kmip_client_close(&c);
	kmip_client_close(&kept);
	pem_free(&second);
	site_end(&s);
}
END_TEST

START_TEST(a_reload_that_fails_changes_nothing)
{
	struct kmip_tls_options tls;
	struct site s;

	site_begin(&s);
	site_start(&s);
	tls = s.options.tls;
	tls.crl = fx_path(s.w.fx, "missing.crl");
	ck_assert_int_eq(kmip_server_reload(s.srv, &tls, s.w.rules),
	    KMS_ERR_CONFIG);
	ok(try_as(&s, &s.client));
	tls = s.options.tls;
	tls.key = s.client.key; /* of another certificate */
	ck_assert_int_eq(kmip_server_reload(s.srv, &tls, s.w.rules),
	    KMS_ERR_CONFIG);
	ok(try_as(&s, &s.client));
	site_end(&s);
}
END_TEST

START_TEST(the_server_is_checked_by_the_client)
{
	struct site s;
	struct pem wrong;
	struct kmip_client *c = NULL;
	const struct wanted_cert want = {.cn = "kms1",
	    .san = "DNS:kms1.example.com",
	    .eku = "serverAuth",
	    .from_s = -60,
	    .to_s = 3600};
	struct kmip_client_options o;

	site_begin(&s);
	authority_sign(&s.ca, &want, &wrong);
	s.options.tls.cert = wrong.cert;
	s.options.tls.key = wrong.key;
	site_start(&s);
	ck_assert_int_eq(try_as(&s, &s.client), KMS_ERR_IO);
	o = (struct kmip_client_options){.servers = s.address,
	    .tls = {.cert = s.client.cert,
		.key = s.client.key,
		.ca = s.other_ca.file}};
	ck_assert_int_eq(kmip_client_open(&o, &c), KMS_ERR_IO);
	pem_free(&wrong);
	site_end(&s);
}
END_TEST

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
		ok(try_as(&s, &s.client));
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
	ok(client_as(&s, &s.client, &c));
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
		ok(client_as(&s, &s.client, &c[i]));
		ok(ask(c[i]));
	}
	/* whoever had to go connects anew without being told */
	for (i = 0; i < 6; i++) {
		ok(ask(c[i]));
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

	if (client_as(a->s, &a->s->client, &c) != 0) {
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

START_TEST(drain_finishes_and_lets_nobody_in)
{
	struct kmip_client *c = NULL;
	struct site s;
	char address[32];

	site_begin(&s);
	site_start(&s);
	ok(client_as(&s, &s.client, &c));
	ok(ask(c));
	ok(kmip_server_drain(s.srv, 20000)); /* it was idle */
	memcpy(address, s.address, sizeof(address));
	kmip_server_free(&s.srv);
	ck_assert_int_eq(ask(c), KMS_ERR_IO);
	kmip_client_close(&c);
	site_end(&s);
}
END_TEST

START_TEST(several_servers_are_tried_in_order)
{
	struct kmip_client *c = NULL;
	struct kmip_client_options o;
	struct site s;
	char list[96];

	site_begin(&s);
	site_start(&s);
	(void)snprintf(list, sizeof(list), "127.0.0.1:1, %s", s.address);
	o = (struct kmip_client_options){.servers = list,
	    .tls = {.cert = s.client.cert,
		.key = s.client.key,
		.ca = s.ca.file}};
	ok(kmip_client_open(&o, &c));
	ck_assert_str_eq(kmip_client_server(c), s.address);
	ok(ask(c));
	kmip_client_close(&c);
	o.servers = "127.0.0.1:1 127.0.0.1:2";
	ck_assert_int_eq(kmip_client_open(&o, &c), KMS_ERR_IO);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_IO), "127.0.0.1:2"));
	o.servers = "";
	ck_assert_int_eq(kmip_client_open(&o, &c), KMS_ERR_CONFIG);
	site_end(&s);
}
END_TEST

START_TEST(wrong_files_are_named)
{
	struct kmip_server *srv = NULL;
	struct site s;

	site_begin(&s);
	s.options.tls.key = fx_path(s.w.fx, "missing.key");
	ck_assert_int_eq(kmip_server_start(&s.options, &srv), KMS_ERR_NOTFOUND);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_NOTFOUND),
	    "missing.key"));
	s.options.tls.key = s.server.key;
	(void)chmod(s.server.key, 0644); /* for all to read */
	ck_assert_int_eq(kmip_server_start(&s.options, &srv), KMS_ERR_CONFIG);
	(void)chmod(s.server.key, 0600);
	s.options.listen = "127.0.0.1:99999";
	ck_assert_int_eq(kmip_server_start(&s.options, &srv), KMS_ERR_CONFIG);
	s.options.listen = "";
	ck_assert_int_eq(kmip_server_start(&s.options, &srv), KMS_ERR_CONFIG);
	ck_assert_ptr_null(srv);
	site_end(&s);
}
END_TEST

START_TEST(metrics_are_told_on_a_local_socket)
{
	struct kmip_metrics_server *m = NULL;
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct site s;
	static char text[8192];
	size_t n = 0;
	ssize_t got;
	int fd;

	site_begin(&s);
	site_start(&s);
	ok(try_as(&s, &s.client));
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s",
	    fx_path(s.w.fx, "m.sock"));
	ok(kmip_metrics_listen(&s.w.service->metrics, a.sun_path, &m));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&a, sizeof(a)),
	    0);
	ck_assert_int_eq(send(fd, "GET /metrics HTTP/1.0\r\n\r\n", 25, 0), 25);
	while ((got = recv(fd, text + n, sizeof(text) - 1 - n, 0)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	(void)close(fd);
	ck_assert_ptr_nonnull(strstr(text, "HTTP/1.0 200"));
	ck_assert_ptr_nonnull(strstr(text, "p11kms_token_up 1\n"));
	ck_assert_ptr_nonnull(strstr(text,
	    "p11kms_operations_total{operation=\"Discover "
	    "Versions\",result=\"done\"} 1\n"));
	kmip_metrics_close(&m);
	ck_assert(!fx_exists(a.sun_path));
	site_end(&s);
}
END_TEST

START_TEST(identifiers_go_to_tape_and_back)
{
	static const struct {
		const char *uid;
		uint8_t len;
	} good[] = {{"b0ff", 2},
	    {"b000000000000000000000000000000000000000000000000000000000000000",
		32},
	    {"01234567-89ab-cdef-0123-456789abcdef", 16}, {"key-number-17", 13},
	    {"12345", 5}};
	static const char *const bad[] = {"",
	    "an identifier of more than thirty-two bytes",
	    ("b000000000000000000000000000000000000000000000000000000000000000"
	     "00")};
	char back[KMIP_UID_MAX + 1];
	struct kms_tag tag;
	unsigned n;
	size_t i;
	bool found;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ok(kmip_client_tag_of(good[i].uid, &tag));
		ck_assert_uint_eq(tag.len, good[i].len);
		found = false;
		for (n = 0; kmip_client_uid_of(&tag, n, back); n++)
			found = found || strcmp(back, good[i].uid) == 0;
		ck_assert_msg(found, "%s", good[i].uid);
		ck_assert_uint_le(n, 3);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(kmip_client_tag_of(bad[i], &tag),
		    KMS_ERR_USAGE);
}
END_TEST

TCase *
test_server(void)
{
	TCase *t = tcase_create("server");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_client_with_a_rule_is_served);
	tcase_add_test(t, certificates_that_do_not_count_are_refused);
	tcase_add_test(t, a_revoked_certificate_is_refused);
	tcase_add_test(t, a_reload_reaches_connections_that_are_open);
	tcase_add_test(t, a_reload_that_fails_changes_nothing);
	tcase_add_test(t, the_server_is_checked_by_the_client);
	tcase_add_test(t, silent_and_garbage_clients_hold_nobody_up);
	tcase_add_test(t, a_message_in_single_bytes_is_answered);
	tcase_add_test(t, messages_sent_at_once_are_answered_one_by_one);
	tcase_add_test(t, a_message_over_the_limit_ends_the_connection);
	tcase_add_test(t, a_long_message_is_answered_too);
	tcase_add_test(t, a_full_house_makes_room_for_the_next);
	tcase_add_test(t, many_at_once_each_get_their_own);
	tcase_add_test(t, drain_finishes_and_lets_nobody_in);
	tcase_add_test(t, several_servers_are_tried_in_order);
	tcase_add_test(t, wrong_files_are_named);
	tcase_add_test(t, metrics_are_told_on_a_local_socket);
	tcase_add_test(t, identifiers_go_to_tape_and_back);
	return t;
}
