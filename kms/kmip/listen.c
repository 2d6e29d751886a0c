/* Where the server listens: addresses of the configuration, or sockets that
 * were handed over. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kms/kmip/server_impl.h"

#define BACKLOG 128
#define ADDRESS_MAX 256u
#define LIST_MAX 2048u

/* "host:port" or "[v6]:port" in place; port NULL when there is none. */
static void
split_address(char *text, char **host, char **port)
{
	char *colon = strrchr(text, ':');

	*host = text;
	*port = NULL;
	if (text[0] == '[') {
		char *end = strchr(text, ']');

		if (end == NULL)
			return;
		*host = text + 1;
		*end = '\0';
		colon = end[1] == ':' ? end + 1 : NULL;
	}
	if (colon != NULL) {
		*colon = '\0';
		*port = colon + 1;
	}
}

/* getaddrinfo takes 99999 and makes another port of it. */
static bool
is_port(const char *port)
{
	char *end;
	unsigned long v = strtoul(port, &end, 10);

	return port[0] >= '0' && port[0] <= '9' && *end == '\0' && v <= 65535;
}

static int
listen_on(const struct addrinfo *ai, int *out)
{
	const int on = 1;
	int fd;

	*out = -1;
	fd = socket(ai->ai_family,
	    ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, ai->ai_protocol);
	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ai->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
		    sizeof(on));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 ||
	    listen(fd, BACKLOG) != 0) {
		(void)close(fd);
		return -1;
	}
	*out = fd;
	return 0;
}

static int
listen_at(struct kmip_server *s, const char *address)
{
	const struct addrinfo hint = {.ai_flags = AI_PASSIVE,
	    .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL, *ai;
	char text[ADDRESS_MAX], *host, *port;
	int r;

	(void)snprintf(text, sizeof(text), "%s", address);
	split_address(text, &host, &port);
	if (port != NULL && !is_port(port))
		return kms_fail(KMS_ERR_CONFIG, "listen %s: no such port",
		    address);
	r = getaddrinfo(host[0] == '\0' ? NULL : host,
	    port == NULL ? KMIP_PORT : port, &hint, &list);
	if (r != 0)
		return kms_fail(KMS_ERR_CONFIG, "listen %s: %s", address,
		    gai_strerror(r));
	r = 0;
	for (ai = list; ai != NULL && r == 0; ai = ai->ai_next) {
		if (s->nlisten == LISTEN_MAX)
			r = kms_fail(KMS_ERR_CONFIG,
			    "listen: more than %u addresses", LISTEN_MAX);
		else if (listen_on(ai, &s->listen[s->nlisten]) != 0)
			r = kms_fail(KMS_ERR_CONFIG, "listen %s: %s", address,
			    strerror(errno));
		else
			s->nlisten++;
	}
	freeaddrinfo(list);
	return r;
}

int
kmip_listen_open(struct kmip_server *s, const struct kmip_server_options *o)
{
	char list[LIST_MAX], *word, *save = NULL;
	size_t i;
	int r = 0;

	if (o->nfds > LISTEN_MAX)
		return kms_fail(KMS_ERR_CONFIG, "listen: more than %u sockets",
		    LISTEN_MAX);
	for (i = 0; i < o->nfds; i++) {
		s->listen[s->nlisten++] = o->fds[i];
		(void)fcntl(o->fds[i], F_SETFL, O_NONBLOCK);
	}
	if (o->nfds > 0)
		return 0;
	if (o->listen == NULL || strlen(o->listen) >= sizeof(list))
		return kms_fail(KMS_ERR_CONFIG, "listen: no address");
	strcpy(list, o->listen);
	for (word = strtok_r(list, " \t,", &save); word != NULL && r == 0;
	     word = strtok_r(NULL, " \t,", &save))
		r = listen_at(s, word);
	if (r == 0 && s->nlisten == 0)
		r = kms_fail(KMS_ERR_CONFIG, "listen: no address");
	return r;
}

unsigned
kmip_server_port(const struct kmip_server *s)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	char port[NI_MAXSERV];

	if (getsockname(s->listen[0], (struct sockaddr *)&a, &len) != 0 ||
	    getnameinfo((struct sockaddr *)&a, len, NULL, 0, port, sizeof(port),
		NI_NUMERICSERV) != 0)
		return 0;
	return (unsigned)strtoul(port, NULL, 10);
}
