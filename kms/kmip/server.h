/*
 * The listener: TLS connections, each at the hands of one worker only while
 * there is something to do for it. A client that is slow, silent or gone
 * costs a file descriptor until its deadline, never a worker.
 *
 * Threads: one accepts and watches deadlines, workers (as many as configured)
 * shake hands, read, answer and write. All of them block every signal: those
 * are the program's business, which calls reload, drain and free.
 */
#ifndef KMS_KMIP_SERVER_H
#define KMS_KMIP_SERVER_H

#include "kms/kmip/authz.h"
#include "kms/kmip/batch.h"
#include "kms/kmip/tls.h"

#define KMIP_WORKERS_DEFAULT 16u
#define KMIP_WORKERS_MAX 256u
#define KMIP_CONNECTIONS_DEFAULT 512u

struct kmip_server;

struct kmip_server_options {
	struct kmip_service *service; /* borrowed; outlives the server */
	struct kmip_tls_options tls;  /* read here, not kept */
	struct kmip_rules *rules;     /* held */
	/* "ADDRESS:PORT …", an IPv6 address in brackets; or sockets that
	 * listen already (socket activation), which are then the server's. */
	const char *listen;
	const int *fds;
	size_t nfds;
	unsigned workers, connections; /* 0: the defaults */
	/* Milliseconds. 0: 10 s for a handshake or one message, in or out;
	 * an hour between messages. */
	unsigned message_ms, idle_ms;
};

/* Listens and serves when it returns 0. CONFIG names address or file. */
int kmip_server_start(const struct kmip_server_options *, struct kmip_server **)
    KMS_MUST;
/* New certificates, CRL and rules for all that comes: connections that are
 * open are verified again at their next message. After an error everything
 * stays as it was. */
int kmip_server_reload(struct kmip_server *, const struct kmip_tls_options *,
    struct kmip_rules *) KMS_MUST;
/* Accepts no more, finishes what it began, waits for that at most so long;
 * TIMEOUT: some were cut off. */
int kmip_server_drain(struct kmip_server *, unsigned wait_ms) KMS_MUST;
/* Ends connections and threads (drain first to be polite). */
void kmip_server_free(struct kmip_server **);

/* Bytes of the heap for secrets that so many workers and their clients take
 * at most (a power of two, for kms_secret_init). */
size_t kmip_server_heap(unsigned workers);

/* The port of the first listening socket: for listen = "…:0". */
unsigned kmip_server_port(const struct kmip_server *);
/* Days until the server's certificate ends. */
int kmip_server_days_left(struct kmip_server *);

#endif
