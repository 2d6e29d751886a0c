/* A world that is served over TLS on the loopback, and its clients. */
#ifndef TESTS_UNIT_KMIP_SITE_H
#define TESTS_UNIT_KMIP_SITE_H

#include "kms/kmip/client.h"
#include "kms/kmip/server.h"
#include "tests/unit/kmip/certs.h"
#include "tests/unit/kmip/world.h"

/* A world that is served, and certificates for it. */
struct site {
	struct world w;
	struct authority ca, other_ca;
	struct pem server, client;
	struct kmip_server_options options;
	struct kmip_server *srv;
	char address[32];
};

void site_begin(struct site *s);
void site_start(struct site *s);
void site_end(struct site *s);
int site_client(struct site *s, const struct pem *pem, struct kmip_client **c);
/* One question that everybody with a rule may ask. */
int site_ask(struct kmip_client *c);
/* Connects and asks: 0 when it was let in. */
int site_try(struct site *s, const struct pem *pem);

#endif
