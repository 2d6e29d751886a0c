#include "kms/kmip/metrics.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "kms/base/thread.h"

#define LINE_MAX_BYTES 256u
#define REQUEST_MAX 2048u
#define REQUEST_PIECES 4 /* a client that dribbles is answered early */
#define CLIENT_MS 1000

void
kmip_metrics_init(struct kmip_metrics *m)
{
	memset(m, 0, sizeof(*m));
	atomic_store(&m->token_up, true);
	atomic_store(&m->store_up, true);
}

/* A refusal by rule says nothing about the machinery behind it. */
static void
note_health(struct kmip_metrics *m, int code)
{
	switch (code) {
	case 0:
		atomic_store(&m->store_up, true);
		break;
	case KMS_ERR_TOKEN:
	case KMS_ERR_PIN:
	case KMS_ERR_MASTER:
		atomic_store(&m->token_up, false);
		break;
	case KMS_ERR_IO:
	case KMS_ERR_DAMAGED:
	case KMS_ERR_ROLLBACK:
	case KMS_ERR_VERSION:
		atomic_store(&m->store_up, false);
		break;
	default:
		break;
	}
}

/* These need the token to have answered. */
static bool
uses_token(uint32_t op)
{
	return op == KMIP_OP_GET || op == KMIP_OP_CREATE ||
	    op == KMIP_OP_REGISTER || op == KMIP_OP_RE_KEY ||
	    op == KMIP_OP_ENCRYPT || op == KMIP_OP_DECRYPT;
}

void
kmip_metrics_count(struct kmip_metrics *m, uint32_t op, int code,
    uint64_t micros)
{
	uint32_t i = op < KMIP_METRICS_OPS ? op : 0;

	atomic_fetch_add(code == 0 ? &m->done[i] : &m->failed[i], 1);
	atomic_fetch_add(&m->micros[i], micros);
	note_health(m, code);
	if (code == 0 && uses_token(op))
		atomic_store(&m->token_up, true);
}

static void line(struct kms_wr *, const char *fmt, ...) KMS_PRINTF(2, 3);

static void
line(struct kms_wr *wr, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < sizeof(text))
		kms_wr_bytes(wr, text, (size_t)n);
}

static void
single(struct kms_wr *wr, const char *name, const char *type,
    unsigned long long v)
{
	line(wr, "# TYPE p11kms_%s %s\n", name, type);
	line(wr, "p11kms_%s %llu\n", name, v);
}

static void
operations(struct kmip_metrics *m, struct kms_wr *wr)
{
	const char *name;
	uint32_t i;

	line(wr, "# TYPE p11kms_operations_total counter\n");
	for (i = 0; i < KMIP_METRICS_OPS; i++) {
		unsigned long long done = atomic_load(&m->done[i]);
		unsigned long long failed = atomic_load(&m->failed[i]);

		if (done + failed == 0)
			continue;
		name = kmip_def_name(KMIP_TABLE_OPERATION, i);
		if (name == NULL)
			name = "unknown";
		line(wr,
		    "p11kms_operations_total{operation=\"%s\",result=\"done\"} "
		    "%llu\n",
		    name, done);
		line(wr,
		    "p11kms_operations_total{operation=\"%s\","
		    "result=\"failed\"} %llu\n",
		    name, failed);
		line(wr,
		    "p11kms_operation_microseconds_total{operation=\"%s\"} "
		    "%llu\n",
		    name, (unsigned long long)atomic_load(&m->micros[i]));
	}
}

void
kmip_metrics_text(struct kmip_metrics *m, struct kms_wr *wr)
{
	single(wr, "token_up", "gauge", atomic_load(&m->token_up));
	single(wr, "store_up", "gauge", atomic_load(&m->store_up));
	line(wr, "# TYPE p11kms_certificate_days_left gauge\n");
	line(wr, "p11kms_certificate_days_left %d\n",
	    atomic_load(&m->certificate_days));
	single(wr, "connections", "gauge", atomic_load(&m->open));
	single(wr, "connections_total", "counter", atomic_load(&m->accepted));
	single(wr, "connections_refused_total", "counter",
	    atomic_load(&m->refused));
	single(wr, "connections_expired_total", "counter",
	    atomic_load(&m->expired));
	single(wr, "messages_total", "counter", atomic_load(&m->messages));
	single(wr, "messages_invalid_total", "counter",
	    atomic_load(&m->invalid));
	operations(m, wr);
}

struct kmip_metrics_server {
	struct kmip_metrics *metrics;
	int fd, stop; /* stop: eventfd */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	pthread_t thread;
	bool running;
};

/* Until the blank line; whatever was asked, there is one answer. */
static void
read_request(int fd)
{
	char b[REQUEST_MAX];
	size_t n = 0;
	ssize_t got;
	int pieces;

	for (pieces = 0; pieces < REQUEST_PIECES; pieces++) {
		got = recv(fd, b + n, sizeof(b) - 1 - n, 0);
		if (got <= 0)
			return;
		n += (size_t)got;
		b[n] = '\0';
		if (strstr(b, "\r\n\r\n") != NULL || strstr(b, "\n\n") != NULL)
			return;
	}
}

static void
answer(struct kmip_metrics_server *s, int fd)
{
	static const char head[] = "HTTP/1.0 200 OK\r\n"
				   "Content-Type: text/plain; version=0.0.4\r\n"
				   "Connection: close\r\n\r\n";
	const struct timeval limit = {.tv_sec = CLIENT_MS / 1000};
	struct kms_wr wr;
	size_t at = 0;
	ssize_t n;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	read_request(fd);
	kms_wr_grow(&wr, KMIP_METRICS_TEXT);
	kms_wr_bytes(&wr, head, sizeof(head) - 1);
	kmip_metrics_text(s->metrics, &wr);
	while (wr.err == 0 && at < wr.len) {
		n = send(fd, wr.p + at, wr.len - at, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	kms_wr_free(&wr);
}

static void *
serve(void *ctx)
{
	struct kmip_metrics_server *s = ctx;
	struct pollfd p[2] = {{.fd = s->fd, .events = POLLIN},
	    {.fd = s->stop, .events = POLLIN}};
	int fd;

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return NULL;
		if (p[1].revents != 0)
			return NULL;
		if ((p[0].revents & POLLIN) == 0)
			continue;
		fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		answer(s, fd);
		(void)close(fd);
	}
}

static int
bind_at(struct kmip_metrics_server *s, const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(a.sun_path))
		return kms_fail(KMS_ERR_CONFIG, "metrics: %s: path too long",
		    path);
	strcpy(a.sun_path, path);
	(void)unlink(path);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    chmod(path, 0660) != 0 || listen(s->fd, 8) != 0)
		return kms_fail(KMS_ERR_CONFIG, "metrics: %s: %s", path,
		    strerror(errno));
	strcpy(s->path, path);
	return 0;
}

int
kmip_metrics_listen(struct kmip_metrics *m, const char *path,
    struct kmip_metrics_server **out)
{
	struct kmip_metrics_server *s;
	int r;

	*out = NULL;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return kms_fail(KMS_ERR_MEMORY, "metrics: out of memory");
	s->metrics = m;
	s->fd = -1;
	s->stop = eventfd(0, EFD_CLOEXEC);
	r = s->stop < 0 ? kms_fail(KMS_ERR_IO, "eventfd: %s", strerror(errno))
			: bind_at(s, path);
	if (r == 0 && kms_thread_start(&s->thread, serve, s) != 0)
		r = kms_fail(KMS_ERR_MEMORY, "metrics: no thread");
	if (r != 0) {
		kmip_metrics_close(&s);
		return r;
	}
	s->running = true;
	*out = s;
	return 0;
}

void
kmip_metrics_close(struct kmip_metrics_server **sp)
{
	struct kmip_metrics_server *s;

	if (sp == NULL || *sp == NULL)
		return;
	s = *sp;
	*sp = NULL;
	if (s->running) {
		(void)eventfd_write(s->stop, 1);
		(void)pthread_join(s->thread, NULL);
	}
	if (s->fd >= 0)
		(void)close(s->fd);
	if (s->stop >= 0)
		(void)close(s->stop);
	if (s->path[0] != '\0')
		(void)unlink(s->path);
	free(s);
}
