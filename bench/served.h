/* A key service over a store of n keys, each with five attributes, in this
 * process; and what it does in a second. */
#ifndef BENCH_SERVED_H
#define BENCH_SERVED_H

#include "bench/talk.h"

#define SERVED_WORKERS 16u
#define SERVED_TRIED 4096u /* keys that the requests go round */

struct served {
	struct bench b;
	struct kms_tag *tags;
	size_t n;
	struct kmip_service *service;
	struct kmip_rules *rules;
	struct kmip_server *server;
};

/* Makes the store, in a process of its own: what filling takes of memory is
 * not the service's. Before any served_open. */
void served_fill(const char *dir, size_t n);
void served_open(struct served *, const char *dir, size_t n);
void served_end(struct served *);

/* Connections, and requests that go round the keys: Get by identifier, Locate
 * by name. talk_close ends them. */
void served_open_gets(struct served *, struct talk *, unsigned connections);
void served_open_locates(struct served *, struct talk *, unsigned connections);
/* Either, requests a second: the median of five seconds. */
double served_rate(struct served *,
    void (*open)(struct served *, struct talk *, unsigned), unsigned);

#endif
