/*
 * The same work by this key service and by PyKMIP's server (Debian's
 * python3-pykmip, which keeps keys in clear in SQLite and records nothing; its
 * database lies in memory, ours and its log on DIR's disk):
 * Get by identifier over 1, 4 and 16 connections, in turn, Locate by name over
 * one, both with so many keys, clients and servers on the same machine.
 *
 *   bench_pykmip DIR [RECORDS]
 */
#include <arpa/inet.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/served.h"
#include "kms/base/log.h"

#define TAG(id) KMIP_TAG_##id
#define START_TRIES 600u /* of 50 ms */
#define LOCATES 1u       /* of which each takes it many seconds */
#define GET_TIMES 20.0
#define LOCATE_TIMES 1000.0

static const unsigned connections[] = {1, 4, 16};
#define WAYS (sizeof(connections) / sizeof(connections[0]))

#define ROUNDS 5u

/* A second; times: ours against theirs of the same round. */
struct gets {
	double theirs[ROUNDS], ours[ROUNDS], times[ROUNDS];
};

/* --- PyKMIP's server ----------------------------------------------------- */

struct other {
	pid_t pid;
	unsigned port;
	char conf[1100], db[64];
};

/* A port that was free a moment ago: its configuration wants a number. */
static unsigned
free_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&a, len) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) != 0)
		bench_die("port", KMS_ERR_IO);
	(void)close(fd);
	return ntohs(a.sin_port);
}

static void
write_conf(struct other *o, const char *dir)
{
	FILE *f;

	(void)snprintf(o->conf, sizeof(o->conf), "%s/pykmip.conf", dir);
	f = fopen(o->conf, "w");
	if (f == NULL ||
	    fprintf(f,
		"[server]\nhostname=127.0.0.1\nport=%u\n"
		"certificate_path=%s/bench.pem\nkey_path=%s/bench.key\n"
		"ca_path=%s/bench.pem\nauth_suite=TLS1.2\npolicy_path=%s\n"
		"enable_tls_client_auth=False\nlogging_level=ERROR\n"
		"database_path=%s\n",
		o->port, dir, dir, dir, dir, o->db) < 0 ||
	    fclose(f) != 0)
		bench_die(o->conf, KMS_ERR_IO);
}

static bool
is_up(unsigned port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool up = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;

	(void)close(fd);
	return up;
}

static void
other_start(struct other *o, const char *dir)
{
	const struct timespec pause = {.tv_nsec = 50000000};
	char log[1100];
	char python[] = "/usr/bin/python3", server[] = "/usr/bin/pykmip-server";
	char f[] = "-f", l[] = "-l";
	char *argv[] = {python, server, f, o->conf, l, log, NULL};
	unsigned i;

	o->port = free_port();
	(void)snprintf(o->db, sizeof(o->db), "/dev/shm/bench_pykmip.%ld.db",
	    (long)getpid());
	write_conf(o, dir);
	(void)snprintf(log, sizeof(log), "%s/pykmip.log", dir);
	if (posix_spawn(&o->pid, argv[0], NULL, NULL, argv, environ) != 0)
		bench_die("pykmip-server", KMS_ERR_IO);
	for (i = 0; i < START_TRIES && !is_up(o->port); i++)
		(void)nanosleep(&pause, NULL);
	if (i == START_TRIES)
		bench_die("pykmip-server does not answer", KMS_ERR_TIMEOUT);
}

static void
other_stop(struct other *o)
{
	(void)kill(o->pid, SIGINT);
	(void)waitpid(o->pid, NULL, 0);
	(void)unlink(o->db);
}

/* --- its keys ------------------------------------------------------------ */

static size_t
put_create(uint8_t *out, size_t cap, const char *name)
{
	struct kms_wr wr;
	size_t at, n;

	kms_wr_grow(&wr, 1024);
	kmip_ttlv_put_enum(&wr, TAG(OBJECT_TYPE), KMIP_OBJECT_SYMMETRIC_KEY);
	at = kmip_ttlv_begin(&wr, TAG(TEMPLATE_ATTRIBUTE));
	kmip_attr_put_enum(&wr, TAG(CRYPTOGRAPHIC_ALGORITHM), KMIP_ALG_AES);
	kmip_attr_put_int(&wr, TAG(CRYPTOGRAPHIC_LENGTH), 256);
	kmip_attr_put_int(&wr, TAG(CRYPTOGRAPHIC_USAGE_MASK),
	    KMIP_MASK_ENCRYPT | KMIP_MASK_DECRYPT);
	kmip_attr_put_name(&wr, name, KMIP_NAME_UNINTERPRETED_TEXT_STRING);
	kmip_ttlv_end(&wr, at);
	n = talk_put_request(out, cap, KMIP_OP_CREATE, &wr);
	kms_wr_free(&wr);
	return n;
}

/* Its identifiers are numbers of few digits; padded, they would be others. */
static void
read_uid(const uint8_t *answer, size_t len, char uid[KMS_TAG_TEXT])
{
	static const uint8_t head[] = {0x42, 0, 0x94, 7};
	const uint8_t *at = memmem(answer, len, head, sizeof(head));
	size_t n = at == NULL ? 0 : kms_get32(at + 4);

	if (n == 0 || n >= KMS_TAG_TEXT)
		bench_die("no identifier", KMS_ERR_INTERNAL);
	memcpy(uid, at + 8, n);
	uid[n] = '\0';
}

static void
create_all(struct other *o, char (*uid)[KMS_TAG_TEXT], char (*name)[TALK_NAME],
    size_t n)
{
	struct talk w = {.request = NULL};
	static uint8_t request[1024], answer[4096];
	size_t i, len;

	talk_open(&w, o->port, 1);
	for (i = 0; i < n; i++) {
		(void)snprintf(name[i], sizeof(name[i]), "key-%012zu", i);
		len = put_create(request, sizeof(request), name[i]);
		len = talk_exchange(&w, 0, request, len, answer,
		    sizeof(answer));
		read_uid(answer, len, uid[i]);
	}
	talk_close(&w, 1);
}

/* --- both ---------------------------------------------------------------- */

/* A few, one by one. */
static double
slow_locates(unsigned port, char (*name)[TALK_NAME], size_t n)
{
	double spent[LOCATES], start;
	struct talk w = {.request = NULL};
	unsigned i;

	talk_fill_locates(&w, name, n);
	talk_open(&w, port, 1);
	for (i = 0; i < LOCATES; i++) {
		start = bench_now();
		talk_ask(&w, 0, i);
		spent[i] = bench_now() - start;
	}
	talk_close(&w, 1);
	return 1 / bench_median(spent, LOCATES);
}

/* Requests of one length only: the last 4,096 keys or fewer. One after the
 * other within a round, so that a machine that is busy is busy for both. */
static void
get_in_turn(const struct other *o, struct served *s, char (*uid)[KMS_TAG_TEXT],
    unsigned n, struct gets *g)
{
	size_t some = s->n < SERVED_TRIED ? s->n : SERVED_TRIED;
	struct talk theirs = {.request = NULL}, ours = {.request = NULL};
	unsigned i;

	talk_fill_gets(&theirs, uid + s->n - some, some);
	talk_open(&theirs, o->port, n);
	served_open_gets(s, &ours, n);
	for (i = 0; i < ROUNDS; i++) {
		g->theirs[i] = talk_rate(talk_ask, &theirs, n);
		g->ours[i] = talk_rate(talk_ask, &ours, n);
		g->times[i] = g->ours[i] / g->theirs[i];
	}
	talk_close(&theirs, n);
	talk_close(&ours, n);
}

static bool
tell_gets(unsigned n, struct gets *g, double least)
{
	double times = bench_median(g->times, ROUNDS);

	printf("get, %u connections: %.0f/s, PyKMIP %.0f/s, %.1f times, "
	       "%.1f to %.1f",
	    n, bench_median(g->ours, ROUNDS), bench_median(g->theirs, ROUNDS),
	    times, g->times[0], g->times[ROUNDS - 1]);
	if (least > 0)
		printf(" (at least %.0f)%s", least,
		    times >= least ? "" : " MISSED");
	printf("\n");
	return times >= least;
}

static bool
compare(const char *what, double ours, double other, double times)
{
	bool holds = ours / other >= times;

	printf("%s: %.4g/s, PyKMIP %.4g/s, %.0f times (at least %.0f)%s\n",
	    what, ours, other, ours / other, times, holds ? "" : " MISSED");
	return holds;
}

static bool
measure(const char *dir, size_t n)
{
	char(*uid)[KMS_TAG_TEXT] = calloc(n, sizeof(*uid));
	char(*name)[TALK_NAME] = calloc(n, sizeof(*name));
	double start, theirs, ours;
	struct other o = {.pid = 0};
	static struct served s;
	struct gets g;
	bool good = true;
	size_t i;

	served_fill(dir, n);
	other_start(&o, dir);
	start = bench_now();
	create_all(&o, uid, name, n);
	printf("PyKMIP: %zu keys created, %.0f/s\n", n,
	    (double)n / (bench_now() - start));
	served_open(&s, dir, n);
	for (i = 0; i < WAYS; i++) {
		get_in_turn(&o, &s, uid, connections[i], &g);
		good = tell_gets(connections[i], &g,
			   i + 1 == WAYS ? GET_TIMES : 0) &&
		    good;
	}
	theirs = slow_locates(o.port, name,
	    n < SERVED_TRIED ? n : SERVED_TRIED);
	other_stop(&o);
	ours = served_rate(&s, served_open_locates, 1);
	good = compare("locate by name, 1 connection", ours, theirs,
		   LOCATE_TIMES) &&
	    good;
	served_end(&s);
	free(uid);
	free(name);
	return good;
}

int
main(int argc, char **argv)
{
	size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 10000;

	if (argc < 2 || n < 100) {
		fprintf(stderr, "usage: bench_pykmip DIR [RECORDS]\n");
		return 2;
	}
	kms_log_open("bench_pykmip", true, false, KMS_LOG_ERROR);
	bench_must("memory", kms_secret_init(1u << 21, KMS_SECRET_OPTIONAL));
	talk_make_cert(argv[1]);
	return measure(argv[1], n) ? 0 : 1;
}
