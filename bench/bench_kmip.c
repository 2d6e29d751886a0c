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
#include <unistd.h>

#include "bench/served.h"
#include "kms/base/log.h"
#include "kms/release.h"

#define CALLERS SERVED_WORKERS
#define MEMORY_KIB (96L * 1024)
#define RECORD 256u
#define ROUNDS 5u
#define PAIRS 10u
#define FEW 100u
#define AREA (1u << 20)

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
	const struct kmip_tls_options o = talk_tls_options();
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

static double
lowest(double a, double b)
{
	return a < b ? a : b;
}

/* What is compared, measured one after the other within a round, so that a
 * machine that is busy now and then is busy for all. */
enum { ECHO, UNWRAP, APPEND, RELEASE, GET, KINDS };

struct sides {
	struct echo *echo;
	struct floors floors;
	struct talk echoed, got;
	double rate[KINDS][ROUNDS];
	double release[ROUNDS], get[ROUNDS]; /* against their floors */
};

static void
sides_begin(struct sides *x, struct served *s, const char *dir)
{
	x->echo = calloc(1, sizeof(*x->echo));
	x->echo->in = 152; /* a Get and its answer, in bytes */
	x->echo->out = 368;
	x->floors.b = &s->b;
	x->floors.tags = s->tags;
	x->floors.n = s->n;
	x->floors.fd = open_area(dir);
	x->echoed.request = calloc(1, x->echo->in);
	x->echoed.request_len = x->echo->in;
	talk_open(&x->echoed, echo_start(x->echo), CALLERS);
	served_open_gets(s, &x->got, CALLERS);
}

static void
sides_round(struct sides *x, unsigned i)
{
	double disk, floor;

	x->rate[ECHO][i] = talk_rate(talk_ask, &x->echoed, CALLERS);
	x->rate[UNWRAP][i] = talk_rate(unwrap_once, &x->floors, CALLERS);
	x->rate[RELEASE][i] = talk_rate(release_once, &x->floors, CALLERS);
	x->rate[GET][i] = talk_rate(talk_ask, &x->got, CALLERS);
	disk = talk_rate(append_group, &x->floors, 1) * CALLERS;
	x->rate[APPEND][i] = disk;
	floor = lowest(x->rate[UNWRAP][i], disk);
	x->release[i] = x->rate[RELEASE][i] / floor;
	floor = lowest(floor, x->rate[ECHO][i]);
	x->get[i] = x->rate[GET][i] / floor;
}

static void
sides_end(struct sides *x)
{
	(void)close(x->floors.fd);
	talk_close(&x->echoed, CALLERS);
	talk_close(&x->got, CALLERS);
	free(x->echoed.request);
}

static bool
ratio(const char *what, double *ratios, unsigned n, double bound)
{
	double v = bench_median(ratios, n);

	printf("%s: ratio %.3f, median of %u rounds, %.3f to %.3f (at least "
	       "%.2f)%s\n",
	    what, v, n, ratios[0], ratios[n - 1], bound,
	    v >= bound ? "" : " MISSED");
	return v >= bound;
}

static bool
against_floors(struct served *s, const char *dir)
{
	static const char *const name[KINDS] = {"TLS echo", "token unwrap",
	    "append", "release", "get"};
	static const unsigned others[] = {1, 4, 64};
	static struct sides x;
	bool good;
	unsigned i;

	sides_begin(&x, s, dir);
	for (i = 0; i < ROUNDS; i++)
		sides_round(&x, i);
	sides_end(&x);
	for (i = 0; i < KINDS; i++)
		printf("%s at %u: %.0f/s\n", name[i], CALLERS,
		    bench_median(x.rate[i], ROUNDS));
	good = ratio("release, 16 callers", x.release, ROUNDS, 0.7);
	good = ratio("get, 16 connections", x.get, ROUNDS, 0.6) && good;
	for (i = 0; i < 3; i++)
		printf("get, %u connections: %.0f/s\n", others[i],
		    served_rate(s, served_open_gets, others[i]));
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

/* Right after its first requests, in a process that did nothing else. */
static bool
memory(struct served *s)
{
	struct talk gets = {.request = NULL}, locates = {.request = NULL};
	long kib;

	served_open_gets(s, &gets, CALLERS);
	served_open_locates(s, &locates, CALLERS);
	kib = resident_kib();
	talk_close(&gets, CALLERS);
	talk_close(&locates, CALLERS);
	printf("memory with %zu keys of five attributes: %ld KiB, with both "
	       "ends of %u connections (at most %ld)%s; index %zu KiB\n",
	    s->n, kib, 2 * CALLERS, MEMORY_KIB,
	    kib <= MEMORY_KIB ? "" : " MISSED",
	    kmip_index_memory(s->service->index) / 1024);
	return kib <= MEMORY_KIB;
}

static double
growth_once(struct talk *few, struct talk *many, bool few_first, double *a,
    double *b)
{
	if (few_first)
		*b = talk_rate(talk_ask, few, CALLERS);
	*a = talk_rate(talk_ask, many, CALLERS);
	if (!few_first)
		*b = talk_rate(talk_ask, few, CALLERS);
	return *a / *b;
}

/* Both stores in turn, as above, and whoever was first is second next time. */
static bool
grown(const char *what, struct served *small, struct served *large,
    void (*open)(struct served *, struct talk *, unsigned))
{
	struct talk few = {.request = NULL}, many = {.request = NULL};
	double a[PAIRS], b[PAIRS], ratios[PAIRS];
	unsigned i;

	open(small, &few, CALLERS);
	open(large, &many, CALLERS);
	for (i = 0; i < PAIRS; i++)
		ratios[i] = growth_once(&few, &many, i % 2 == 1, &a[i], &b[i]);
	talk_close(&few, CALLERS);
	talk_close(&many, CALLERS);
	printf("%s: %.0f/s at %zu keys, %.0f/s at %zu\n", what,
	    bench_median(a, PAIRS), large->n, bench_median(b, PAIRS), small->n);
	return ratio(what, ratios, PAIRS, 0.9);
}

int
main(int argc, char **argv)
{
	size_t many = argc > 2 ? strtoul(argv[2], NULL, 10) : 100000;
	static struct served small, large;
	bool good;

	if (argc < 2 || many <= FEW) {
		fprintf(stderr, "usage: bench_kmip DIR [RECORDS]\n");
		return 2;
	}
	kms_log_open("bench_kmip", true, false, KMS_LOG_ERROR);
	bench_must("memory", kms_secret_init(1u << 22, KMS_SECRET_OPTIONAL));
	talk_make_cert(argv[1]);
	served_fill(argv[1], many);
	served_fill(argv[1], FEW);
	served_open(&large, argv[1], many);
	good = memory(&large);
	served_open(&small, argv[1], FEW);
	good = against_floors(&small, argv[1]) && good;
	good = grown("get", &small, &large, served_open_gets) && good;
	good = grown("locate", &small, &large, served_open_locates) && good;
	served_end(&small);
	served_end(&large);
	return good ? 0 : 1;
}
