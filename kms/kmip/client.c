#include "kms/kmip/client.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kms/base/secret.h"
#include "kms/kmip/reason.h"

#define WAIT_MS 10000u
#define HOST_MAX 255u
#define SERVERS_MAX 1023u
/* Of a response; it lies in locked memory, for a key may be in it. */
#define RESPONSE_MAX 65536u

struct kmip_client {
	struct kmip_tls *tls;
	char servers[SERVERS_MAX + 1];
	char name[HOST_MAX + 16]; /* the one connected to */
	unsigned wait_ms;
	int fd;
	struct kmip_link *link;
	struct kms_secret *response;
	bool sent; /* all of the last request */
};

static int64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int
wait_for(int fd, short events, int64_t until)
{
	struct pollfd p = {.fd = fd, .events = events};
	int64_t left;
	int n;

	for (;;) {
		left = until - now_ms();
		if (left <= 0)
			return kms_fail(KMS_ERR_TIMEOUT, "no answer in time");
		n = poll(&p, 1, (int)left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return kms_fail(KMS_ERR_IO, "poll: %s",
			    strerror(errno));
	}
}

/* --- connecting --------------------------------------------------------- */

static void
disconnect(struct kmip_client *c)
{
	kmip_link_free(&c->link);
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
}

static int
connect_to(const struct addrinfo *ai, int64_t until, int *out)
{
	const int on = 1;
	int fd, r = 0, err = 0;
	socklen_t len = sizeof(err);

	*out = -1;
	fd = socket(ai->ai_family,
	    ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, ai->ai_protocol);
	if (fd < 0)
		return kms_fail(KMS_ERR_IO, "socket: %s", strerror(errno));
	if (connect(fd, ai->ai_addr, ai->ai_addrlen) != 0) {
		if (errno != EINPROGRESS)
			r = kms_fail(KMS_ERR_IO, "%s", strerror(errno));
		if (r == 0)
			r = wait_for(fd, POLLOUT, until);
		if (r == 0 &&
		    (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0 ||
			err != 0))
			r = kms_fail(KMS_ERR_IO, "%s", strerror(err));
	}
	if (r != 0) {
		(void)close(fd);
		return r;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	*out = fd;
	return 0;
}

static int
open_socket(const char *host, const char *port, int64_t until, int *fd)
{
	const struct addrinfo hint = {.ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL, *ai;
	int r = getaddrinfo(host, port, &hint, &list);

	*fd = -1;
	if (r != 0)
		return kms_fail(KMS_ERR_IO, "%s", gai_strerror(r));
	r = kms_fail(KMS_ERR_IO, "no address");
	for (ai = list; ai != NULL && r != 0; ai = ai->ai_next)
		r = connect_to(ai, until, fd);
	freeaddrinfo(list);
	return r;
}

/* DONE is 0; what is to be waited for is waited for; the rest is an error. */
static int
settle(struct kmip_client *c, enum kmip_io io, int64_t until)
{
	switch (io) {
	case KMIP_IO_DONE:
		return 0;
	case KMIP_IO_READ:
		return wait_for(c->fd, POLLIN, until);
	case KMIP_IO_WRITE:
		return wait_for(c->fd, POLLOUT, until);
	case KMIP_IO_CLOSED:
		return kms_fail(KMS_ERR_IO,
		    "the server closed the connection; its log says why: it "
		    "may have no rule for this client's certificate");
	case KMIP_IO_FAILED:
		break;
	}
	return kmip_link_error(c->link) == KMS_ERR_DENIED
	    ? kms_fail(KMS_ERR_IO, "%s", kms_err_cause(KMS_ERR_DENIED))
	    : KMS_ERR_IO;
}

/* TLS 1.3 ends for the client before the server has looked at its
 * certificate: a refusal shows only at the first answer. */
static int
shake(struct kmip_client *c, const char *host, int64_t until)
{
	enum kmip_io io;
	int r;

	r = kmip_link_new(c->tls, c->fd, host, &c->link);
	if (r != 0)
		return r;
	do {
		io = kmip_link_shake(c->link);
		r = settle(c, io, until);
	} while (r == 0 && io != KMIP_IO_DONE);
	return r;
}

/* One word of the list: "host", "host:port", "[v6]:port". */
static int
split(const char *word, size_t n, char host[HOST_MAX + 1], char port[8])
{
	const char *end = word + n, *colon = NULL;
	size_t len = n;

	if (n > HOST_MAX)
		return kms_fail(KMS_ERR_CONFIG, "servers: a name too long");
	if (word[0] == '[') {
		const char *close = memchr(word, ']', n);

		if (close == NULL)
			return kms_fail(KMS_ERR_CONFIG,
			    "servers: '[' without ']'");
		word++;
		len = (size_t)(close - word);
		if (close + 1 < end && close[1] == ':')
			colon = close + 1;
	} else {
		colon = memchr(word, ':', n);
		if (colon != NULL)
			len = (size_t)(colon - word);
	}
	memcpy(host, word, len);
	host[len] = '\0';
	if (colon == NULL) {
		(void)snprintf(port, 8, "%s", KMIP_PORT);
		return 0;
	}
	n = (size_t)(end - colon - 1);
	if (n < 1 || n > 5 || strspn(colon + 1, "0123456789") < n)
		return kms_fail(KMS_ERR_CONFIG,
		    "servers: %s: the port is no number", host);
	memcpy(port, colon + 1, n);
	port[n] = '\0';
	return 0;
}

static int
connect_one(struct kmip_client *c, const char *word, size_t n)
{
	int64_t until = now_ms() + c->wait_ms;
	char host[HOST_MAX + 1], port[8];
	int r;

	r = split(word, n, host, port);
	if (r != 0)
		return r;
	(void)snprintf(c->name, sizeof(c->name), "%s:%s", host, port);
	r = open_socket(host, port, until, &c->fd);
	if (r == 0)
		r = shake(c, host, until);
	if (r != 0) {
		disconnect(c);
		return kms_fail_add(r, "%s", c->name);
	}
	return 0;
}

/* The first that answers, in the order of the list. */
static int
connect_any(struct kmip_client *c)
{
	const char *word = c->servers;
	char why[384] = "";
	size_t n, used = 0;
	int r = KMS_ERR_CONFIG;

	disconnect(c);
	for (;; word += n) {
		word += strspn(word, " \t,");
		n = strcspn(word, " \t,");
		if (n == 0)
			break;
		r = connect_one(c, word, n);
		if (r == 0)
			return 0;
		if (used < sizeof(why))
			used += (size_t)snprintf(why + used, sizeof(why) - used,
			    "%s%s", used > 0 ? "; " : "", kms_err_cause(r));
	}
	if (used == 0)
		return kms_fail(KMS_ERR_CONFIG, "no KMIP server is named");
	return kms_fail(KMS_ERR_IO, "no KMIP server answers: %s", why);
}

int
kmip_client_open(const struct kmip_client_options *o, struct kmip_client **out)
{
	struct kmip_client *c;
	int r;

	*out = NULL;
	if (o->servers == NULL || strlen(o->servers) > SERVERS_MAX)
		return kms_fail(KMS_ERR_CONFIG,
		    "servers: none, or over %u bytes", SERVERS_MAX);
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return kms_fail(KMS_ERR_MEMORY, "client: out of memory");
	c->fd = -1;
	c->wait_ms = o->wait_ms == 0 ? WAIT_MS : o->wait_ms;
	strcpy(c->servers, o->servers);
	r = kmip_tls_client(&o->tls, &c->tls);
	if (r == 0)
		r = connect_any(c);
	if (r != 0) {
		kmip_client_close(&c);
		return r;
	}
	*out = c;
	return 0;
}

void
kmip_client_close(struct kmip_client **cp)
{
	struct kmip_client *c;

	if (cp == NULL || *cp == NULL)
		return;
	c = *cp;
	*cp = NULL;
	disconnect(c);
	kmip_tls_drop(&c->tls);
	kms_secret_free(&c->response);
	free(c);
}

const char *
kmip_client_server(const struct kmip_client *c)
{
	return c->name;
}

/* --- one message -------------------------------------------------------- */

static int
send_all(struct kmip_client *c, const uint8_t *p, size_t len, int64_t until)
{
	enum kmip_io io;
	size_t n;
	int r = 0;

	while (r == 0 && len > 0) {
		io = kmip_link_write(c->link, p, len, &n);
		r = settle(c, io, until);
		p += n;
		len -= n;
	}
	return r;
}

static int
read_all(struct kmip_client *c, uint8_t *p, size_t len, int64_t until)
{
	enum kmip_io io;
	size_t n;
	int r = 0;

	while (r == 0 && len > 0) {
		io = kmip_link_read(c->link, p, len, &n);
		r = settle(c, io, until);
		p += n;
		len -= n;
	}
	return r;
}

static int
receive(struct kmip_client *c, int64_t until)
{
	uint8_t head[KMIP_HEAD];
	size_t size;
	int r;

	r = read_all(c, head, sizeof(head), until);
	if (r == 0)
		r = kmip_ttlv_size(head, KMIP_TAG_RESPONSE_MESSAGE,
		    RESPONSE_MAX, &size);
	if (r != 0)
		return r;
	r = kms_secret_new(size, &c->response);
	if (r != 0)
		return r;
	memcpy(kms_secret_fill(c->response), head, sizeof(head));
	return read_all(c, kms_secret_fill(c->response) + sizeof(head),
	    size - sizeof(head), until);
}

static int
exchange(struct kmip_client *c, const struct kms_wr *wr)
{
	int64_t until = now_ms() + c->wait_ms;
	int r;

	c->sent = false;
	kms_secret_free(&c->response);
	r = send_all(c, wr->p, wr->len, until);
	c->sent = r == 0;
	if (r == 0)
		r = receive(c, until);
	if (r == KMS_ERR_IO || r == KMS_ERR_TIMEOUT)
		r = kms_fail_add(r, "%s", c->name);
	return r;
}

static bool
only_reads(const struct kmip_request *req)
{
	size_t i;

	for (i = 0; i < req->n; i++) {
		switch (req->call[i].op) {
		case KMIP_OP_LOCATE:
		case KMIP_OP_GET:
		case KMIP_OP_GET_ATTRIBUTES:
		case KMIP_OP_GET_ATTRIBUTE_LIST:
		case KMIP_OP_QUERY:
		case KMIP_OP_DISCOVER_VERSIONS:
			break;
		default:
			return false;
		}
	}
	return true;
}

int
kmip_client_call(struct kmip_client *c, const struct kmip_request *req,
    struct kmip_response *res)
{
	struct kms_wr wr;
	int r;

	memset(res, 0, sizeof(*res));
	kms_wr_grow(&wr, KMIP_MESSAGE_MAX);
	kmip_msg_put_request(&wr, req);
	r = kms_wr_check(&wr, "request");
	if (r == 0 && c->link == NULL)
		r = connect_any(c);
	if (r == 0)
		r = exchange(c, &wr);
	if (r == KMS_ERR_IO && (only_reads(req) || !c->sent)) {
		r = connect_any(c);
		if (r == 0)
			r = exchange(c, &wr);
	}
	if (r == 0)
		r = kmip_msg_read_response(res, kms_secret_bytes(c->response),
		    kms_secret_len(c->response));
	if (r != 0)
		disconnect(c);
	if (kmip_reason_is_given(r)) /* of ours, for what the server sent */
		r = kms_fail_add(KMS_ERR_IO, "%s", c->name);
	kms_wr_free(&wr);
	return r;
}

int
kmip_client_check(const struct kmip_client *c, const struct kmip_response *res,
    size_t item)
{
	const struct kmip_answer *a;
	const char *reason;
	int code = KMS_ERR_IO;

	if (item >= res->n && res->n > 0)
		item = res->n - 1; /* what failed before it */
	if (res->n == 0)
		return kms_fail(KMS_ERR_IO, "%s: an empty answer", c->name);
	a = &res->answer[item];
	if (a->status == KMIP_STATUS_SUCCESS)
		return 0;
	if (a->reason == KMIP_REASON_ITEM_NOT_FOUND)
		code = KMS_ERR_NOTFOUND;
	else if (a->reason == KMIP_REASON_PERMISSION_DENIED)
		code = KMS_ERR_DENIED;
	else if (a->reason == KMIP_REASON_OBJECT_ARCHIVED)
		code = KMS_ERR_STATE;
	reason = kmip_def_name(KMIP_TABLE_REASON, a->reason);
	return kms_fail(code, "%s: %s (%s)", c->name,
	    a->message[0] != '\0' ? a->message : "the server refused",
	    reason == NULL ? "no reason" : reason);
}
