#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "kms/base/crypt.h"
#include "kms/base/log.h"
#include "kms/kmip/reason.h"
#include "kms/kmip/server_impl.h"

/* Messages answered in one turn before others are looked after. */
#define TURN_MAX 16u

/* What to do with the connection after a step. */
enum next { NEXT_STEP, NEXT_WAIT_READ, NEXT_WAIT_WRITE, NEXT_CLOSE };

static void
set_deadline(struct kmip_server *s, struct conn *c, bool idle)
{
	unsigned ms = idle ? s->idle_ms : s->message_ms;

	atomic_store(&c->idle, idle);
	atomic_store(&c->deadline, kmip_server_now() + ms);
}

static enum next
wait_or_close(enum kmip_io io)
{
	switch (io) {
	case KMIP_IO_READ:
		return NEXT_WAIT_READ;
	case KMIP_IO_WRITE:
		return NEXT_WAIT_WRITE;
	case KMIP_IO_DONE:
		return NEXT_STEP;
	case KMIP_IO_CLOSED:
	case KMIP_IO_FAILED:
		break;
	}
	return NEXT_CLOSE;
}

/* --- who it is ---------------------------------------------------------- */

/* Finds the rule for the certificate, by the configuration now in force. */
static int
let_in(struct kmip_server *s, struct conn *c)
{
	const struct kmip_rule *rule;
	struct kmip_rules *rules;
	struct kmip_tls *tls;
	bool again = c->rules != NULL;
	int r = 0;

	(void)pthread_mutex_lock(&s->lock);
	c->conf = s->conf;
	rules = kmip_rules_hold(s->rules);
	tls = kmip_tls_hold(s->tls);
	(void)pthread_mutex_unlock(&s->lock);
	if (again || kmip_link_is_resumed(c->link))
		r = kmip_link_check(c->link, tls);
	if (r == 0)
		r = kmip_rules_match(rules, kmip_link_peer(c->link), &rule);
	kmip_tls_drop(&tls);
	if (r != 0) {
		kmip_rules_drop(&rules);
		return r;
	}
	kmip_rules_drop(&c->rules);
	c->rules = rules;
	kmip_actor_init(&c->actor, rule, c->peer);
	return 0;
}

static void
log_refused(struct kmip_server *s, const struct conn *c, int code)
{
	atomic_fetch_add(&s->service->metrics.refused, 1);
	kms_log(KMS_LOG_WARN, "kmip.refused", "peer=%s reason=\"%s\"", c->peer,
	    kms_err_cause(code));
}

static enum next
step_shake(struct kmip_server *s, struct conn *c)
{
	enum kmip_io io = kmip_link_shake(c->link);
	int r;

	if (io == KMIP_IO_FAILED)
		log_refused(s, c, kmip_link_error(c->link));
	if (io != KMIP_IO_DONE)
		return wait_or_close(io);
	r = let_in(s, c);
	if (r != 0) {
		log_refused(s, c, r);
		return NEXT_CLOSE;
	}
	kms_log(KMS_LOG_DEBUG, "kmip.connected", "peer=%s client=%s", c->peer,
	    kmip_rule_name(c->actor.rule));
	c->phase = PHASE_READ;
	set_deadline(s, c, true);
	return NEXT_STEP;
}

/* --- reading a message -------------------------------------------------- */

static void
forget_message(struct kmip_server *s, struct conn *c)
{
	if (c->part != NULL)
		atomic_fetch_sub(&s->parts_locked, c->size);
	if (c->plain.grows)
		atomic_fetch_sub(&s->parts_plain, c->size);
	kms_secret_free(&c->part);
	kms_wr_free(&c->plain);
	c->got = c->size = 0;
}

/* Counted before it is taken, so that no crowd of slow clients can have more
 * together. */
static int
budget(atomic_size_t *used, size_t n, size_t most)
{
	if (atomic_fetch_add(used, n) + n <= most)
		return 0;
	atomic_fetch_sub(used, n);
	return kms_fail(KMS_ERR_LIMIT, "too many messages are half received");
}

/* The rest of the message comes later: what is there of it moves from the
 * worker's bench to the connection. */
static int
keep_part(struct kmip_server *s, struct conn *c, const uint8_t *bench)
{
	int r;

	if (c->size == 0 || c->part != NULL || c->plain.grows)
		return 0;
	r = budget(&s->parts_locked, c->size, PARTS_LOCKED_MAX);
	if (r != 0)
		return r;
	r = kms_secret_new(c->size, &c->part);
	if (r != 0) {
		atomic_fetch_sub(&s->parts_locked, c->size);
		return r;
	}
	memcpy(kms_secret_fill(c->part), bench, c->got);
	return 0;
}

/* The head is there: how much follows, and where it will lie. */
static int
begin_message(struct kmip_server *s, struct conn *c, uint8_t *bench)
{
	int r;

	r = kmip_ttlv_size(c->head, KMIP_TAG_REQUEST_MESSAGE, KMIP_MESSAGE_MAX,
	    &c->size);
	if (r != 0)
		return r;
	if (c->size <= LOCKED_MAX) {
		memcpy(bench, c->head, KMIP_HEAD);
		return 0;
	}
	r = budget(&s->parts_plain, c->size, PARTS_PLAIN_MAX);
	if (r != 0)
		return r;
	kms_wr_grow(&c->plain, KMIP_MESSAGE_MAX);
	kms_wr_bytes(&c->plain, c->head, KMIP_HEAD);
	return 0;
}

/* Some more of the head, or of the message, wherever it lies. */
static enum kmip_io
read_some(struct conn *c, uint8_t *bench)
{
	enum kmip_io io;
	size_t n;

	if (c->size == 0) {
		io = kmip_link_read(c->link, c->head + c->got,
		    KMIP_HEAD - c->got, &n);
	} else if (c->plain.grows) {
		size_t left = c->size - c->got;

		io = kmip_link_read(c->link, bench,
		    left < LOCKED_MAX ? left : LOCKED_MAX, &n);
		if (io == KMIP_IO_DONE)
			kms_wr_bytes(&c->plain, bench, n);
	} else {
		uint8_t *to = c->part == NULL ? bench
					      : kms_secret_fill(c->part);

		io = kmip_link_read(c->link, to + c->got, c->size - c->got, &n);
	}
	c->got += n;
	return io;
}

static int
answer(struct kmip_server *s, struct conn *c, const uint8_t *bench)
{
	struct kmip_message m = {.p = bench, .len = c->size, .locked = true};
	unsigned conf;
	int r;

	if (c->part != NULL) {
		m.p = kms_secret_bytes(c->part);
	} else if (c->plain.grows) {
		m.locked = false;
		m.p = c->plain.p;
		if (c->plain.err != 0)
			return c->plain.err;
	}
	(void)pthread_mutex_lock(&s->lock);
	conf = s->conf;
	(void)pthread_mutex_unlock(&s->lock);
	if (conf != c->conf) {
		r = let_in(s, c);
		if (r != 0) {
			log_refused(s, c, r);
			return r;
		}
	}
	return kmip_batch_run(s->service, &c->actor, &m, &c->reply);
}

static enum next
step_read(struct kmip_server *s, struct conn *c, uint8_t *bench)
{
	enum kmip_io io;
	int r = 0;

	for (;;) {
		bool first = c->got == 0;

		io = read_some(c, bench);
		if (io != KMIP_IO_DONE)
			break;
		if (first)
			set_deadline(s, c, false);
		if (c->size == 0 && c->got == KMIP_HEAD)
			r = begin_message(s, c, bench);
		if (r != 0)
			return NEXT_CLOSE;
		if (c->size != 0 && c->got == c->size)
			break;
	}
	if (io == KMIP_IO_READ || io == KMIP_IO_WRITE)
		r = keep_part(s, c, bench);
	if (r != 0 || io != KMIP_IO_DONE) {
		kms_wipe(bench, c->got < LOCKED_MAX ? c->got : LOCKED_MAX);
		return r != 0 ? NEXT_CLOSE : wait_or_close(io);
	}
	/* the client has done its part: the time is ours now */
	atomic_store(&c->deadline, INT64_MAX);
	r = answer(s, c, bench);
	kms_wipe(bench, c->size < LOCKED_MAX ? c->size : LOCKED_MAX);
	forget_message(s, c);
	if (r != 0)
		return NEXT_CLOSE;
	c->phase = PHASE_WRITE;
	c->written = 0;
	set_deadline(s, c, false);
	return NEXT_STEP;
}

/* --- and its answer ----------------------------------------------------- */

static enum next
step_write(struct kmip_server *s, struct conn *c)
{
	const uint8_t *p;
	size_t len, n;
	enum kmip_io io;
	bool draining;

	p = kmip_reply_bytes(&c->reply, &len);
	while (c->written < len) {
		io = kmip_link_write(c->link, p + c->written, len - c->written,
		    &n);
		if (io != KMIP_IO_DONE)
			return wait_or_close(io);
		c->written += n;
	}
	kmip_reply_clear(&c->reply);
	c->phase = PHASE_READ;
	set_deadline(s, c, true);
	(void)pthread_mutex_lock(&s->lock);
	draining = s->draining;
	(void)pthread_mutex_unlock(&s->lock);
	return draining ? NEXT_CLOSE : NEXT_STEP;
}

/* Under the lock, because whoever gets it next may close it at once: not
 * before we are out of epoll_ctl. */
static void
arm(struct kmip_server *s, struct conn *c, uint32_t events)
{
	struct epoll_event e = {.events = events | EPOLLONESHOT, .data.ptr = c};
	int fd = c->fd, r;

	(void)pthread_mutex_lock(&s->lock);
	atomic_fetch_add(&c->turns, 1);
	r = epoll_ctl(s->epoll, EPOLL_CTL_MOD, fd, &e);
	(void)pthread_mutex_unlock(&s->lock);
	if (r != 0)
		kmip_conn_close(s, c);
}

void
kmip_conn_turn(struct kmip_server *s, struct conn *c, uint8_t *bench)
{
	enum next next = NEXT_STEP;
	unsigned answered = 0;

	(void)atomic_load(&c->turns);
	while (next == NEXT_STEP && answered < TURN_MAX) {
		switch (c->phase) {
		case PHASE_SHAKE:
			next = step_shake(s, c);
			break;
		case PHASE_READ:
			next = step_read(s, c, bench);
			break;
		case PHASE_WRITE:
			next = step_write(s, c);
			answered++;
			break;
		}
	}
	switch (next) {
	case NEXT_WAIT_READ:
		arm(s, c, EPOLLIN);
		break;
	case NEXT_WAIT_WRITE:
		arm(s, c, EPOLLOUT);
		break;
	case NEXT_STEP:
		/* More may lie in TLS's own buffer, where epoll does not see
		 * it; that a socket can be written, it sees soon. */
		arm(s, c, EPOLLIN | EPOLLOUT);
		break;
	case NEXT_CLOSE:
		kmip_conn_close(s, c);
		break;
	}
}

static void
list_in(struct kmip_server *s, struct conn *c)
{
	c->next = s->first;
	if (s->first != NULL)
		s->first->prev = c;
	s->first = c;
	s->open++;
}

static void
list_out(struct kmip_server *s, struct conn *c)
{
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		s->first = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	s->open--;
	if (s->open == 0)
		(void)pthread_cond_broadcast(&s->empty);
}

int
kmip_conn_open(struct kmip_server *s, int fd, const char *peer)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLONESHOT};
	struct kmip_tls *tls = NULL;
	struct conn *c;
	int r;

	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		(void)close(fd);
		return kms_fail(KMS_ERR_MEMORY, "connection: out of memory");
	}
	c->fd = fd;
	(void)snprintf(c->peer, sizeof(c->peer), "%s", peer);
	set_deadline(s, c, false);
	(void)pthread_mutex_lock(&s->lock);
	tls = kmip_tls_hold(s->tls);
	list_in(s, c);
	(void)pthread_mutex_unlock(&s->lock);
	atomic_fetch_add(&s->service->metrics.accepted, 1);
	atomic_fetch_add(&s->service->metrics.open, 1);
	r = kmip_link_new(tls, fd, NULL, &c->link);
	e.data.ptr = c;
	(void)pthread_mutex_lock(&s->lock);
	atomic_fetch_add(&c->turns, 1);
	if (r == 0 && epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e) != 0)
		r = kms_fail(KMS_ERR_IO, "epoll: %s", strerror(errno));
	(void)pthread_mutex_unlock(&s->lock);
	if (r != 0)
		kmip_conn_close(s, c);
	kmip_tls_drop(&tls);
	return r;
}

void
kmip_conn_close(struct kmip_server *s, struct conn *c)
{
	forget_message(s, c);
	kmip_reply_clear(&c->reply);
	kmip_link_free(&c->link);
	kmip_rules_drop(&c->rules);
	(void)pthread_mutex_lock(&s->lock);
	(void)close(c->fd);
	list_out(s, c);
	(void)pthread_mutex_unlock(&s->lock);
	atomic_fetch_sub(&s->service->metrics.open, 1);
	free(c);
}
