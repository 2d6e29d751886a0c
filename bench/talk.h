/* What the benches of the key service share: clients over TLS, many at once,
 * and the requests they send. Whatever fails ends the program. */
#ifndef BENCH_TALK_H
#define BENCH_TALK_H

#include "bench/common.h"
#include "kms/kmip/server.h"

#define WIRE_MAX 64u  /* connections */
#define TALK_NAME 32u /* bytes of a name, at most */

/* bench.pem and bench.key in DIR: one certificate for all, its own
 * authority. */
void talk_make_cert(const char *dir);
struct kmip_tls_options talk_tls_options(void);

/* Calls a second, by n threads at once for a second; me is 0 to n - 1. */
double talk_rate(void (*work)(void *, unsigned me, unsigned turn), void *ctx,
    unsigned n);
/* The median of five. */
double talk_median_rate(void (*work)(void *, unsigned, unsigned), void *ctx,
    unsigned n);

struct talk {
	struct kmip_tls *tls;
	int fd[WIRE_MAX];
	struct kmip_link *link[WIRE_MAX];
	uint8_t *request; /* sent by all, unless many */
	size_t request_len;
	uint8_t (*many)[256]; /* one of these, all of one length */
	size_t nmany;
};

/* The requests before or after it; close frees them, if many. */
void talk_open(struct talk *, unsigned port, unsigned n);
void talk_close(struct talk *, unsigned n);
/* One request and its whole answer, to be called by talk_rate. A refusal ends
 * the program, so that none counts for speed. */
void talk_ask(void *wire, unsigned me, unsigned turn);
/* The same for one request of any kind; the answer's bytes. */
size_t talk_exchange(struct talk *, unsigned me, const void *request,
    size_t len, uint8_t *out, size_t cap);

/* A message of one item, KMIP 1.2. */
size_t talk_put_request(uint8_t *out, size_t cap, uint32_t op,
    const struct kms_wr *payload);
/* n requests: Get by identifier; Locate by name, all names of one length. */
void talk_fill_gets(struct talk *, char (*uid)[KMS_TAG_TEXT], size_t n);
void talk_fill_locates(struct talk *, char (*name)[TALK_NAME], size_t n);

#endif
