/*
 * What KMIP costs beside its floors, in one run over the loopback, clients and
 * service on the same machine:
 *   echo    a TLS server that answers messages of the same sizes
 *   unwrap  the token alone, by as many threads
 *   append  one write and fdatasync for as many records as there are callers
 *   release kms_release by 16 callers, without TLS and KMIP
 *   get     KMIP Get over mutual TLS at 1, 4, 16 and 64 connections
 * then Get and Locate at 100 keys against 100,000, and the memory it takes.
 *
 *   bench_kmip DIR [RECORDS]
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "bench/common.h"
#include "kms/base/log.h"
#include "kms/group.h"
#include "kms/key.h"
#include "kms/kmip/server.h"
#include "kms/release.h"

#define TAG(id) KMIP_TAG_##id
#define CALLERS 16u
#define CONNECTIONS_MAX 64u
#define SECONDS 1.0
#define ROUNDS 5u
#define RECORD 256u
#define AREA (1u << 20)

/* --- certificate: one for all, its own authority ------------------------- */

static char cert_path[1100], key_path[1100];

static void
add_ext(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (ext == NULL || X509_add_ext(cert, ext, -1) != 1)
		bench_die("certificate", KMS_ERR_INTERNAL);
	X509_EXTENSION_free(ext);
}

static void
make_cert(const char *dir)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	FILE *f;

	(void)X509_set_version(cert, 2);
	(void)ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	(void)X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	(void)X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	(void)X509_set_pubkey(cert, key);
	(void)X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
	    MBSTRING_UTF8, (const unsigned char *)"bench", -1, -1, 0);
	(void)X509_set_issuer_name(cert, X509_get_subject_name(cert));
	add_ext(cert, NID_basic_constraints, "critical,CA:TRUE");
	add_ext(cert, NID_subject_alt_name, "IP:127.0.0.1");
	(void)X509_sign(cert, key, EVP_sha256());
	(void)snprintf(cert_path, sizeof(cert_path), "%s/bench.pem", dir);
	(void)snprintf(key_path, sizeof(key_path), "%s/bench.key", dir);
	(void)umask(077);
	f = fopen(cert_path, "w");
	if (f == NULL || PEM_write_X509(f, cert) != 1 || fclose(f) != 0)
		bench_die(cert_path, KMS_ERR_IO);
	f = fopen(key_path, "w");
	if (f == NULL ||
	    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) != 1 ||
	    fclose(f) != 0)
		bench_die(key_path, KMS_ERR_IO);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static struct kmip_tls_options
tls_options(void)
{
	return (struct kmip_tls_options){.cert = cert_path,
	    .key = key_path,
	    .ca = cert_path};
}

/* --- a number of threads for a second ------------------------------------ */

struct crew {
	void (*work)(void *ctx, unsigned me, unsigned turn);
	void *ctx;
	atomic_bool stop;
	atomic_ulong done;
};

struct hand {
	struct crew *crew;
	unsigned me;
	pthread_t thread;
};

static void *
toil(void *arg)
{
	struct hand *h = arg;
	unsigned turn;

	for (turn = 0; !atomic_load(&h->crew->stop); turn++) {
		h->crew->work(h->crew->ctx, h->me, turn);
		atomic_fetch_add(&h->crew->done, 1);
	}
	return NULL;
}

/* Calls a second, by so many at once. */
static double
rate(void (*work)(void *, unsigned, unsigned), void *ctx, unsigned n)
{
	static struct hand hands[CONNECTIONS_MAX];
	struct crew crew = {.work = work, .ctx = ctx};
	struct timespec second = {.tv_sec = (time_t)SECONDS};
	double start = bench_now(), spent;
	unsigned long done;
	unsigned i;

	for (i = 0; i < n; i++) {
		hands[i] = (struct hand){.crew = &crew, .me = i};
		if (pthread_create(&hands[i].thread, NULL, toil, &hands[i]))
			bench_die("thread", KMS_ERR_MEMORY);
	}
	(void)nanosleep(&second, NULL);
	atomic_store(&crew.stop, true);
	done = atomic_load(&crew.done);
	spent = bench_now() - start;
	for (i = 0; i < n; i++)
		(void)pthread_join(hands[i].thread, NULL);
	return (double)done / spent;
}

static double
best_of(void (*work)(void *, unsigned, unsigned), void *ctx, unsigned n)
{
	double v[ROUNDS];
	unsigned i;

	for (i = 0; i < ROUNDS; i++)
		v[i] = rate(work, ctx, n);
	return bench_median(v, ROUNDS);
}

/* --- clients ------------------------------------------------------------- */

struct wire {
	struct kmip_tls *tls;
	int fd[CONNECTIONS_MAX];
	struct kmip_link *link[CONNECTIONS_MAX];
	uint8_t *request; /* sent by all, unless many */
	size_t request_len;
	uint8_t (*many)[256]; /* one of these, all of one length */
	size_t nmany;
};

static void
wire_open(struct wire *w, unsigned port, unsigned n)
{
	const struct kmip_tls_options o = tls_options();
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	unsigned i;

	bench_must("tls", kmip_tls_client(&o, &w->tls));
	for (i = 0; i < n; i++) {
		w->fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(w->fd[i], (struct sockaddr *)&a, sizeof(a)) != 0)
			bench_die("connect", KMS_ERR_IO);
		bench_must("link",
		    kmip_link_new(w->tls, w->fd[i], "127.0.0.1", &w->link[i]));
		if (kmip_link_shake(w->link[i]) != KMIP_IO_DONE)
			bench_die("handshake", KMS_ERR_IO);
	}
}

static void
wire_close(struct wire *w, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		kmip_link_free(&w->link[i]);
		(void)close(w->fd[i]);
	}
	kmip_tls_drop(&w->tls);
}

static void
read_full(struct kmip_link *link, uint8_t *p, size_t len)
{
	size_t n;

	while (len > 0) {
		if (kmip_link_read(link, p, len, &n) != KMIP_IO_DONE)
			bench_die("read", KMS_ERR_IO);
		p += n;
		len -= n;
	}
}

/* One request and its whole answer; the status of its only item is looked
 * at, so that no refusal counts for speed. */
static void
ask(void *ctx, unsigned me, unsigned turn)
{
	static const uint8_t good[16] = {0x42, 0, 0x7f, 5, 0, 0, 0, 4};
	struct wire *w = ctx;
	const uint8_t *request = w->request;
	uint8_t out[4096];
	size_t n, size;

	if (w->many != NULL)
		request = w->many[((size_t)turn * 7919 + me * 104729) %
		    w->nmany];
	if (kmip_link_write(w->link[me], request, w->request_len, &n) !=
	    KMIP_IO_DONE)
		bench_die("write", KMS_ERR_IO);
	read_full(w->link[me], out, 8);
	size = kms_get32(out + 4);
	if (size > sizeof(out) - 8)
		bench_die("answer", KMS_ERR_LIMIT);
	read_full(w->link[me], out + 8, size);
	if (memmem(out, size + 8, good, sizeof(good)) == NULL)
		bench_die("answer", KMS_ERR_DENIED);
}

/* --- floor: echo ---------------------------------------------------------- */

struct echo {
	int listener;
	struct kmip_tls *tls;
	size_t in, out;
};

static void *
echo_one(void *arg)
{
	static _Thread_local uint8_t b[4096];
	struct echo *e = ((struct echo **)arg)[0];
	int fd = (int)(intptr_t)((void **)arg)[1];
	struct kmip_link *link;
	size_t n, got;

	free(arg);
	bench_must("link", kmip_link_new(e->tls, fd, NULL, &link));
	if (kmip_link_shake(link) != KMIP_IO_DONE)
		bench_die("echo handshake", KMS_ERR_IO);
	for (;;) {
		for (got = 0; got < e->in; got += n)
			if (kmip_link_read(link, b + got, e->in - got, &n) !=
			    KMIP_IO_DONE)
				goto out;
		memset(b, 0, sizeof(b));
		kms_put32(b + 4, (uint32_t)e->out - 8);
		memcpy(b + 16, "\x42\0\x7f\5\0\0\0\4\0\0\0\0\0\0\0\0", 16);
		if (kmip_link_write(link, b, e->out, &n) != KMIP_IO_DONE)
			break;
	}
out:
	kmip_link_free(&link);
	(void)close(fd);
	return NULL;
}

static void *
echo_accept(void *arg)
{
	struct echo *e = arg;
	pthread_t t;

	for (;;) {
		void **both;
		int fd = accept(e->listener, NULL, NULL);

		if (fd < 0)
			return NULL;
		both = calloc(2, sizeof(*both));
		both[0] = e;
		both[1] = (void *)(intptr_t)fd;
		if (pthread_create(&t, NULL, echo_one, both) != 0)
			bench_die("echo", KMS_ERR_MEMORY);
		(void)pthread_detach(t);
	}
}

static unsigned
echo_start(struct echo *e)
{
	const struct kmip_tls_options o = tls_options();
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	pthread_t t;

	bench_must("tls", kmip_tls_server(&o, &e->tls));
	e->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(e->listener, (struct sockaddr *)&a, len) != 0 ||
	    listen(e->listener, 64) != 0 ||
	    getsockname(e->listener, (struct sockaddr *)&a, &len) != 0 ||
	    pthread_create(&t, NULL, echo_accept, e) != 0)
		bench_die("echo", KMS_ERR_IO);
	(void)pthread_detach(t);
	return ntohs(a.sin_port);
}

/* --- floors: token, disk; and the library ------------------------------- */

struct floors {
	struct bench *b;
	struct kms_tag *tags;
	size_t n;
	int fd;
	off_t at;
};

static void
unwrap_once(void *ctx, unsigned me, unsigned turn)
{
	struct floors *f = ctx;
	struct kms_sealer *s = f->b->sealer;
	struct kms_secret *key;

	(void)me;
	(void)turn;
	bench_must("unwrap",
	    s->unwrap(s, &f->b->kpk, &f->b->material.wrapped, &key));
	kms_secret_free(&key);
}

/* What group commit can at best be: all callers' records in one sync. */
static void
append_group(void *ctx, unsigned me, unsigned turn)
{
	static uint8_t records[CALLERS * RECORD];
	struct floors *f = ctx;

	(void)me;
	(void)turn;
	if (pwrite(f->fd, records, sizeof(records), f->at) !=
		(ssize_t)sizeof(records) ||
	    fdatasync(f->fd) != 0)
		bench_die("append", KMS_ERR_IO);
	f->at = (f->at + (off_t)sizeof(records)) % (off_t)AREA;
}

static void
release_once(void *ctx, unsigned me, unsigned turn)
{
	const struct kms_purpose purpose = {.use = KMS_USE_CLIENT};
	struct floors *f = ctx;
	struct kms_secret *key;
	size_t i = ((size_t)turn * 7919 + me * 104729) % f->n;

	bench_must("release",
	    kms_release(f->b->store, &f->b->actor, &f->tags[i], &purpose,
		&key));
	kms_secret_free(&key);
}

static int
open_area(const char *dir)
{
	static const uint8_t zeros[4096];
	char path[1100];
	size_t i;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/append", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	for (i = 0; fd >= 0 && i < AREA / sizeof(zeros); i++)
		if (write(fd, zeros, sizeof(zeros)) != sizeof(zeros))
			bench_die(path, KMS_ERR_IO);
	if (fd < 0 || fsync(fd) != 0)
		bench_die(path, KMS_ERR_IO);
	return fd;
}

/* --- requests ------------------------------------------------------------ */

static size_t
put_request(uint8_t *out, size_t cap, uint32_t op, const struct kms_wr *payload)
{
	static struct kmip_request req;
	struct kms_wr wr;

	memset(&req, 0, sizeof(req));
	req.minor = 2;
	req.n = 1;
	req.call[0].op = op;
	req.call[0].payload = (struct kmip_item){.type = KMIP_STRUCTURE,
	    .value = payload->p,
	    .len = payload->len};
	kms_wr_fixed(&wr, out, cap);
	kmip_msg_put_request(&wr, &req);
	bench_must("request", wr.err);
	return wr.len;
}

static void
fill_gets(struct wire *w, const struct kms_tag *tags, size_t n)
{
	char uid[KMS_TAG_TEXT];
	struct kms_wr payload;
	size_t i;

	w->many = calloc(n, sizeof(*w->many));
	w->nmany = n;
	for (i = 0; i < n; i++) {
		kms_tag_text(&tags[i], uid);
		kms_wr_grow(&payload, 256);
		kmip_ttlv_put_text(&payload, TAG(UNIQUE_IDENTIFIER), uid);
		w->request_len = put_request(w->many[i], sizeof(w->many[i]),
		    KMIP_OP_GET, &payload);
		kms_wr_free(&payload);
	}
}

/* Names as bench_fill gives them: the first eight bytes of the salt. */
static void
fill_locates(struct wire *w, const struct kms_tag *tags, size_t n)
{
	char name[32];
	struct kms_wr payload;
	size_t i;

	w->many = calloc(n, sizeof(*w->many));
	w->nmany = n;
	for (i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "%016llx",
		    (unsigned long long)kms_get64(tags[i].b + 8));
		kms_wr_grow(&payload, 256);
		kmip_attr_put_name(&payload, name,
		    KMIP_NAME_UNINTERPRETED_TEXT_STRING);
		w->request_len = put_request(w->many[i], sizeof(w->many[i]),
		    KMIP_OP_LOCATE, &payload);
		kms_wr_free(&payload);
	}
}

/* --- a service over a store of n keys ----------------------------------- */

struct service {
	struct bench b;
	struct kms_tag *tags;
	size_t n;
	struct kmip_service *service;
	struct kmip_rules *rules;
	struct kmip_server *server;
};

static void
service_begin(struct service *s, const char *dir, size_t n)
{
	static const struct kmip_rule_text rule = {"bench", "bench", "*", "*"};
	struct kmip_server_options o = {.tls = tls_options(),
	    .listen = "127.0.0.1:0",
	    .workers = CALLERS};
	char name[32];

	(void)snprintf(name, sizeof(name), "kmip-%zu", n);
	bench_begin(&s->b, dir, name);
	s->n = n;
	s->tags = bench_fill(&s->b, n);
	bench_must("service",
	    kmip_service_open(s->b.store, false, &s->service));
	bench_must("rules", kmip_rules_new(&s->rules));
	bench_must("rule", kmip_rules_add(s->rules, &rule));
	o.service = s->service;
	o.rules = s->rules;
	bench_must("server", kmip_server_start(&o, &s->server));
}

static void
service_end(struct service *s)
{
	kmip_server_free(&s->server);
	kmip_service_close(&s->service);
	kmip_rules_drop(&s->rules);
	free(s->tags);
	bench_end(&s->b);
}

static double
served(struct service *s,
    void (*fill)(struct wire *, const struct kms_tag *, size_t),
    unsigned connections)
{
	struct wire w = {.request = NULL};
	double v;

	fill(&w, s->tags, s->n < 4096 ? s->n : 4096);
	wire_open(&w, kmip_server_port(s->server), connections);
	ask(&w, 0, 0); /* what is made on first use is not counted */
	v = best_of(ask, &w, connections);
	wire_close(&w, connections);
	free(w.many);
	return v;
}

static bool
line(const char *what, double v, double floor, double bound)
{
	bool holds = v / floor >= bound;

	printf("%s: %.0f/s, floor %.0f/s, ratio %.3f (at least %.2f)%s\n", what,
	    v, floor, v / floor, bound, holds ? "" : " MISSED");
	return holds;
}

static double
lowest(double a, double b)
{
	return a < b ? a : b;
}

static bool
against_floors(struct service *s, const char *dir)
{
	static const unsigned others[] = {1, 4, 64};
	struct echo *e = calloc(1, sizeof(*e));
	struct floors f = {.b = &s->b, .tags = s->tags, .n = s->n};
	struct wire w = {.request = NULL};
	double echo, unwrap, append, release, get;
	bool good;
	size_t i;

	e->in = 152; /* a Get and its answer, in bytes */
	e->out = 368;
	w.request = calloc(1, e->in);
	w.request_len = e->in;
	wire_open(&w, echo_start(e), CALLERS);
	f.fd = open_area(dir);
	echo = best_of(ask, &w, CALLERS);
	wire_close(&w, CALLERS);
	free(w.request);
	unwrap = best_of(unwrap_once, &f, CALLERS);
	append = best_of(append_group, &f, 1) * CALLERS;
	release = best_of(release_once, &f, CALLERS);
	get = served(s, fill_gets, CALLERS);
	printf("floors at %u: TLS echo %.0f/s, token unwrap %.0f/s, append "
	       "%.0f/s\n",
	    CALLERS, echo, unwrap, append);
	good = line("release, 16 callers", release, lowest(unwrap, append),
	    0.7);
	good = line("get, 16 connections", get,
		   lowest(echo, lowest(unwrap, append)), 0.6) &&
	    good;
	for (i = 0; i < 3; i++)
		printf("get, %u connections: %.0f/s\n", others[i],
		    served(s, fill_gets, others[i]));
	(void)close(f.fd);
	return good;
}

static long
resident_kib(void)
{
	char text[4096];
	const char *at;
	FILE *f = fopen("/proc/self/status", "r");
	size_t n = f == NULL ? 0 : fread(text, 1, sizeof(text) - 1, f);

	if (f != NULL)
		(void)fclose(f);
	text[n] = '\0';
	at = strstr(text, "VmRSS:");
	return at == NULL ? 0 : strtol(at + 6, NULL, 10);
}

int
main(int argc, char **argv)
{
	size_t many = argc > 2 ? strtoul(argv[2], NULL, 10) : 100000;
	static struct service small, large;
	double get, locate;
	long before;
	bool good;

	if (argc < 2 || many < 100) {
		fprintf(stderr, "usage: bench_kmip DIR [RECORDS]\n");
		return 2;
	}
	kms_log_open("bench_kmip", true, false, KMS_LOG_ERROR);
	bench_must("memory", kms_secret_init(1u << 21, KMS_SECRET_OPTIONAL));
	make_cert(argv[1]);
	service_begin(&small, argv[1], 100);
	good = against_floors(&small, argv[1]);
	get = served(&small, fill_gets, CALLERS);
	locate = served(&small, fill_locates, CALLERS);
	service_end(&small);
	before = resident_kib();
	service_begin(&large, argv[1], many);
	printf("%zu keys, against 100:\n", many);
	good = line("get", served(&large, fill_gets, CALLERS), get, 0.9) &&
	    good;
	good = line("locate", served(&large, fill_locates, CALLERS), locate,
		   0.9) &&
	    good;
	printf("memory: %ld KiB more; index %zu KiB\n", resident_kib() - before,
	    kmip_index_memory(large.service->index) / 1024);
	service_end(&large);
	return good ? 0 : 1;
}
