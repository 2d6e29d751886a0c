/*
 * What server.c (threads, listening, deadlines) and conn.c (one connection)
 * share.
 *
 * Locks: server->lock guards the list of connections, the configuration in
 * force and draining. A connection belongs to the worker that epoll handed
 * it to (EPOLLONESHOT) until that worker arms it again; only deadline and fd
 * are looked at by others, under the lock: the watcher ends a connection by
 * shutdown(2), and its worker then finds it closed.
 */
#ifndef KMS_KMIP_SERVER_IMPL_H
#define KMS_KMIP_SERVER_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "kms/kmip/server.h"

#define PEER_TEXT 64u
#define LISTEN_MAX 16u

/* Bytes of a message that lie in locked memory while they are read; longer
 * ones do not, and may carry no key. */
#define LOCKED_MAX 32768u
/* Of messages half received, over all connections. */
#define PARTS_LOCKED_MAX (512u * 1024u)
#define PARTS_PLAIN_MAX (32u * 1024u * 1024u)

enum phase { PHASE_SHAKE, PHASE_READ, PHASE_WRITE };

struct conn {
	struct conn *next, *prev; /* server->lock */
	int fd;
	/* Stored when it is armed, loaded when a turn begins: what one worker
	 * wrote is seen by the next. (The kernel orders them too, but neither
	 * C11 nor ThreadSanitizer knows.) */
	atomic_uint turns;
	enum phase phase;
	atomic_llong deadline; /* monotonic ms */
	atomic_bool idle;      /* between messages */
	struct kmip_link *link;
	struct kmip_rules *rules; /* held; NULL until let in */
	struct kmip_actor actor;
	unsigned conf; /* number of the configuration it was checked by */
	char peer[PEER_TEXT];

	/* A message half received: its first 8 bytes, then either all of it
	 * in locked memory, or growing. */
	uint8_t head[KMIP_HEAD];
	size_t got, size; /* size 0: the head is not complete */
	struct kms_secret *part;
	struct kms_wr plain;

	struct kmip_reply reply; /* being written */
	size_t written;
};

struct kmip_server {
	struct kmip_service *service;
	unsigned message_ms, idle_ms, limit;

	pthread_mutex_t lock;
	pthread_cond_t empty; /* no connection left */
	struct conn *first;
	unsigned open;
	bool draining;
	unsigned conf;
	struct kmip_tls *tls;
	struct kmip_rules *rules;

	int epoll, stop; /* stop: eventfd, level-triggered for all workers */
	int wake;        /* eventfd: the watcher looks again */
	int listen[LISTEN_MAX];
	size_t nlisten;
	pthread_t watcher;
	struct worker *worker;
	unsigned workers; /* running */
	unsigned benches; /* allocated */
	bool watching;

	atomic_size_t parts_locked, parts_plain;
};

int64_t kmip_server_now(void);

/* Opens what the options say; the sockets are the server's. */
int kmip_listen_open(struct kmip_server *, const struct kmip_server_options *)
    KMS_MUST;

/* A thread, and room for a message that it uses again and again. */
struct worker {
	struct kmip_server *server;
	struct kms_secret *bench; /* LOCKED_MAX */
	pthread_t thread;
};

/* A new connection: listed and armed. Takes fd, also on failure. */
int kmip_conn_open(struct kmip_server *, int fd, const char *peer) KMS_MUST;
/* Goes on with it as far as it goes without waiting, then arms it again or
 * closes it: not to be touched afterwards. */
void kmip_conn_turn(struct kmip_server *, struct conn *, uint8_t *bench);
/* Takes it out of the list and frees all of it. */
void kmip_conn_close(struct kmip_server *, struct conn *);

#endif
