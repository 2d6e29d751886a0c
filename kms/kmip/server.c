#include "kms/kmip/server.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kms/base/log.h"
#include "kms/base/thread.h"
#include "kms/kmip/server_impl.h"

#define MESSAGE_MS 10000u
#define IDLE_MS 3600000u
#define WATCH_MS 250

int64_t
kmip_server_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- the watcher: accepts, and ends what took too long ------------------- */

static void
peer_text(const struct sockaddr_storage *a, socklen_t len, char *out)
{
	char host[PEER_TEXT - 8], port[8];

	if (getnameinfo((const struct sockaddr *)a, len, host, sizeof(host),
		port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		(void)snprintf(out, PEER_TEXT, "?");
	else
		(void)snprintf(out, PEER_TEXT, "%s:%s", host, port);
}

/* Room for a new client: when all is taken, who has been silent longest must
 * go. False when nobody is idle. */
static bool
make_room(struct kmip_server *s)
{
	struct conn *c, *oldest = NULL;
	bool room;

	(void)pthread_mutex_lock(&s->lock);
	room = s->open < s->limit;
	for (c = room ? NULL : s->first; c != NULL; c = c->next)
		if (atomic_load(&c->idle) &&
		    (oldest == NULL ||
			atomic_load(&c->deadline) <
			    atomic_load(&oldest->deadline)))
			oldest = c;
	if (oldest != NULL) {
		(void)shutdown(oldest->fd, SHUT_RDWR);
		atomic_store(&oldest->idle, false);
		room = true;
	}
	(void)pthread_mutex_unlock(&s->lock);
	return room;
}

static void
accept_some(struct kmip_server *s, int listener)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	char peer[PEER_TEXT];
	const int on = 1;
	int fd;

	fd = accept4(listener, (struct sockaddr *)&a, &len,
	    SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	peer_text(&a, len, peer);
	if (!make_room(s)) {
		atomic_fetch_add(&s->service->metrics.refused, 1);
		kms_log(KMS_LOG_WARN, "kmip.full", "peer=%s connections=%u",
		    peer, s->limit);
		(void)close(fd);
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (kmip_conn_open(s, fd, peer) != 0)
		kms_log(KMS_LOG_WARN, "kmip.accept", "peer=%s reason=\"%s\"",
		    peer, kms_err_cause(KMS_ERR_IO));
}

static void
end_expired(struct kmip_server *s)
{
	int64_t now = kmip_server_now();
	struct conn *c;

	(void)pthread_mutex_lock(&s->lock);
	for (c = s->first; c != NULL; c = c->next) {
		bool idle = atomic_load(&c->idle);

		if (atomic_load(&c->deadline) > now && !(s->draining && idle))
			continue;
		(void)shutdown(c->fd, SHUT_RDWR);
		atomic_store(&c->deadline, INT64_MAX);
		if (!idle)
			atomic_fetch_add(&s->service->metrics.expired, 1);
	}
	(void)pthread_mutex_unlock(&s->lock);
}

static bool
is_draining(struct kmip_server *s)
{
	bool draining;

	(void)pthread_mutex_lock(&s->lock);
	draining = s->draining;
	(void)pthread_mutex_unlock(&s->lock);
	return draining;
}

static void *
watch(void *ctx)
{
	struct kmip_server *s = ctx;
	struct pollfd p[LISTEN_MAX + 2];
	eventfd_t n;
	size_t i;

	p[0] = (struct pollfd){.fd = s->stop, .events = POLLIN};
	p[1] = (struct pollfd){.fd = s->wake, .events = POLLIN};
	for (i = 0; i < s->nlisten; i++)
		p[i + 2] = (struct pollfd){.fd = s->listen[i],
		    .events = POLLIN};
	for (;;) {
		nfds_t count = is_draining(s) ? 2 : (nfds_t)(2 + s->nlisten);

		if (poll(p, count, WATCH_MS) < 0 && errno != EINTR)
			return NULL;
		if (p[0].revents != 0)
			return NULL;
		if (p[1].revents != 0)
			(void)eventfd_read(s->wake, &n);
		for (i = 2; i < count; i++)
			if ((p[i].revents & POLLIN) != 0)
				accept_some(s, p[i].fd);
		end_expired(s);
	}
}

/* --- workers ------------------------------------------------------------ */

static void *
work(void *ctx)
{
	struct worker *w = ctx;
	struct epoll_event e;
	int n;

	for (;;) {
		n = epoll_wait(w->server->epoll, &e, 1, -1);
		if (n < 0 && errno != EINTR)
			return NULL;
		if (n < 1)
			continue;
		if (e.data.ptr == NULL)
			return NULL;
		kmip_conn_turn(w->server, e.data.ptr,
		    kms_secret_fill(w->bench));
	}
}

static int
make_workers(struct kmip_server *s, unsigned workers)
{
	int r = 0;

	s->worker = calloc(workers, sizeof(*s->worker));
	if (s->worker == NULL)
		return kms_fail(KMS_ERR_MEMORY, "server: out of memory");
	while (r == 0 && s->benches < workers) {
		s->worker[s->benches].server = s;
		r = kms_secret_new(LOCKED_MAX, &s->worker[s->benches].bench);
		if (r == 0)
			s->benches++;
	}
	return r;
}

static int
start_threads(struct kmip_server *s)
{
	int r = 0;

	while (r == 0 && s->workers < s->benches) {
		struct worker *w = &s->worker[s->workers];

		r = kms_thread_start(&w->thread, work, w);
		if (r == 0)
			s->workers++;
	}
	if (r == 0) {
		r = kms_thread_start(&s->watcher, watch, s);
		s->watching = r == 0;
	}
	if (r != 0)
		return kms_fail(KMS_ERR_MEMORY, "server threads: %s",
		    strerror(r));
	return 0;
}

static int
make_events(struct kmip_server *s)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};

	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->stop = eventfd(0, EFD_CLOEXEC);
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->epoll < 0 || s->stop < 0 || s->wake < 0 ||
	    epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->stop, &e) != 0)
		return kms_fail(KMS_ERR_IO, "epoll: %s", strerror(errno));
	return 0;
}

static unsigned
or_default(unsigned v, unsigned otherwise)
{
	return v == 0 ? otherwise : v;
}

int
kmip_server_start(const struct kmip_server_options *o, struct kmip_server **out)
{
	struct kmip_server *s;
	pthread_condattr_t attr;
	unsigned workers = or_default(o->workers, KMIP_WORKERS_DEFAULT);
	int r;

	*out = NULL;
	if (workers > KMIP_WORKERS_MAX)
		return kms_fail(KMS_ERR_CONFIG, "workers: %u; at most %u",
		    workers, KMIP_WORKERS_MAX);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return kms_fail(KMS_ERR_MEMORY, "server: out of memory");
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&s->empty, &attr);
	(void)pthread_condattr_destroy(&attr);
	s->epoll = s->stop = s->wake = -1;
	s->service = o->service;
	s->message_ms = or_default(o->message_ms, MESSAGE_MS);
	s->idle_ms = or_default(o->idle_ms, IDLE_MS);
	s->limit = or_default(o->connections, KMIP_CONNECTIONS_DEFAULT);
	s->rules = kmip_rules_hold(o->rules);
	r = kmip_tls_server(&o->tls, &s->tls);
	if (r == 0)
		r = make_events(s);
	if (r == 0)
		r = kmip_listen_open(s, o);
	if (r == 0)
		r = make_workers(s, workers);
	if (r == 0)
		r = start_threads(s);
	if (r != 0) {
		kmip_server_free(&s);
		return r;
	}
	*out = s;
	return 0;
}

int
kmip_server_reload(struct kmip_server *s, const struct kmip_tls_options *o,
    struct kmip_rules *rules)
{
	struct kmip_tls *tls = NULL, *old;
	struct kmip_rules *old_rules;
	int r;

	r = kmip_tls_server(o, &tls);
	if (r != 0)
		return r;
	(void)pthread_mutex_lock(&s->lock);
	old = s->tls;
	old_rules = s->rules;
	s->tls = tls;
	s->rules = kmip_rules_hold(rules);
	s->conf++;
	(void)pthread_mutex_unlock(&s->lock);
	kmip_tls_drop(&old);
	kmip_rules_drop(&old_rules);
	return 0;
}

/* Waits until no connection is left; false when the time is over. */
static bool
wait_empty(struct kmip_server *s, unsigned wait_ms)
{
	struct timespec until;
	bool empty;
	int r = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	(void)pthread_mutex_lock(&s->lock);
	while (s->open > 0 && r == 0)
		r = pthread_cond_timedwait(&s->empty, &s->lock, &until);
	empty = s->open == 0;
	(void)pthread_mutex_unlock(&s->lock);
	return empty;
}

int
kmip_server_drain(struct kmip_server *s, unsigned wait_ms)
{
	(void)pthread_mutex_lock(&s->lock);
	s->draining = true;
	(void)pthread_mutex_unlock(&s->lock);
	(void)eventfd_write(s->wake, 1);
	if (wait_empty(s, wait_ms))
		return 0;
	return kms_fail(KMS_ERR_TIMEOUT,
	    "clients were still served after %u ms", wait_ms);
}

static void
close_fds(struct kmip_server *s)
{
	size_t i;

	for (i = 0; i < s->nlisten; i++)
		(void)close(s->listen[i]);
	if (s->epoll >= 0)
		(void)close(s->epoll);
	if (s->stop >= 0)
		(void)close(s->stop);
	if (s->wake >= 0)
		(void)close(s->wake);
}

void
kmip_server_free(struct kmip_server **sp)
{
	struct kmip_server *s;
	unsigned i;

	if (sp == NULL || *sp == NULL)
		return;
	s = *sp;
	*sp = NULL;
	if (s->stop >= 0)
		(void)eventfd_write(s->stop, 1);
	for (i = 0; i < s->workers; i++)
		(void)pthread_join(s->worker[i].thread, NULL);
	for (i = 0; i < s->benches; i++)
		kms_secret_free(&s->worker[i].bench);
	if (s->watching)
		(void)pthread_join(s->watcher, NULL);
	while (s->first != NULL)
		kmip_conn_close(s, s->first);
	close_fds(s);
	free(s->worker);
	kmip_tls_drop(&s->tls);
	kmip_rules_drop(&s->rules);
	(void)pthread_cond_destroy(&s->empty);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

/* Beside a worker's bench: the request's keys and its answer at work. */
#define WORK_LOCKED LOCKED_MAX
#define BASE_LOCKED (256u * 1024u)

size_t
kmip_server_heap(unsigned workers)
{
	size_t need = BASE_LOCKED + PARTS_LOCKED_MAX +
	    (size_t)workers * (LOCKED_MAX + WORK_LOCKED);
	size_t heap = 4096;

	while (heap < need)
		heap *= 2;
	return heap;
}

int
kmip_server_days_left(struct kmip_server *s)
{
	int days;

	(void)pthread_mutex_lock(&s->lock);
	days = kmip_tls_days_left(s->tls);
	(void)pthread_mutex_unlock(&s->lock);
	return days;
}
