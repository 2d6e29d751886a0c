/*
 * Counters of the service and its health, as Prometheus text on a local
 * socket. Counting never waits: any thread.
 */
#ifndef KMS_KMIP_METRICS_H
#define KMS_KMIP_METRICS_H

#include <stdatomic.h>

#include "kms/base/buf.h"
#include "kms/kmip/def.h"

#define KMIP_METRICS_OPS 64u
#define KMIP_METRICS_TEXT 65536u

struct kmip_metrics {
	atomic_ullong done[KMIP_METRICS_OPS], failed[KMIP_METRICS_OPS];
	atomic_ullong micros[KMIP_METRICS_OPS]; /* time spent, both outcomes */
	atomic_ullong messages, invalid; /* invalid: not readable as KMIP */
	atomic_ullong accepted, refused; /* refused: full, or not let in */
	atomic_ullong expired;           /* closed for being slow */
	atomic_uint open;
	/* Health: the token's last answer, and the store's. */
	atomic_bool token_up, store_up;
	atomic_int certificate_days; /* until the server's own ends */
};

void kmip_metrics_init(struct kmip_metrics *);
/* One batch item. code: 0 or its error, which also tells of the health. */
void kmip_metrics_count(struct kmip_metrics *, uint32_t op, int code,
    uint64_t micros);
/* Prometheus text, version 0.0.4. */
void kmip_metrics_text(struct kmip_metrics *, struct kms_wr *);

struct kmip_metrics_server;

/* Listens at path (0660; a stale socket is replaced) and answers each client
 * over HTTP/1.0, one after the other, each within a second. */
int kmip_metrics_listen(struct kmip_metrics *, const char *path,
    struct kmip_metrics_server **) KMS_MUST;
void kmip_metrics_close(struct kmip_metrics_server **);

#endif
