#include "tests/unit/kmip/site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
site_begin(struct site *s)
{
	memset(s, 0, sizeof(*s));
	world_begin(&s->w);
	world_open(&s->w);
	authority_new(s->w.fx, &s->ca, "ca");
	authority_new(s->w.fx, &s->other_ca, "other-ca");
	authority_server(&s->ca, &s->server);
	authority_client(&s->ca, "media01.example.com", &s->client);
	s->options = (struct kmip_server_options){.service = s->w.service,
	    .tls = {.cert = s->server.cert,
		.key = s->server.key,
		.ca = s->ca.file},
	    .rules = s->w.rules,
	    .listen = "127.0.0.1:0",
	    .workers = 2,
	    .message_ms = 20000};
}

void
site_start(struct site *s)
{
	ok(kmip_server_start(&s->options, &s->srv));
	(void)snprintf(s->address, sizeof(s->address), "127.0.0.1:%u",
	    kmip_server_port(s->srv));
}

void
site_end(struct site *s)
{
	kmip_server_free(&s->srv);
	pem_free(&s->server);
	pem_free(&s->client);
	authority_free(&s->ca);
	authority_free(&s->other_ca);
	world_end(&s->w);
}

int
site_client(struct site *s, const struct pem *pem, struct kmip_client **c)
{
	const struct kmip_client_options o = {.servers = s->address,
	    .tls = {.cert = pem->cert, .key = pem->key, .ca = s->ca.file},
	    .wait_ms = 20000};

	return kmip_client_open(&o, c);
}

int
site_ask(struct kmip_client *c)
{
	struct kmip_request *req = calloc(1, sizeof(*req));
	struct kmip_response *res = calloc(1, sizeof(*res));
	int r;

	req->minor = 1;
	req->n = 1;
	req->call[0].op = KMIP_OP_DISCOVER_VERSIONS;
	req->call[0].payload.type = KMIP_STRUCTURE;
	r = kmip_client_call(c, req, res);
	if (r == 0)
		r = kmip_client_check(c, res, 0);
	free(req);
	free(res);
	return r;
}

int
site_try(struct site *s, const struct pem *pem)
{
	struct kmip_client *c = NULL;
	int r = site_client(s, pem, &c);

	if (r == 0)
		r = site_ask(c);
	kmip_client_close(&c);
	return r;
}
