/*
 * TLS contexts: 1.2 and 1.3 with certificates on both ends, made from files
 * and never changed afterwards; a reload makes a new one. And one connection
 * over one (link): never blocking, so that a slow peer costs nobody's time.
 */
#ifndef KMS_KMIP_TLS_H
#define KMS_KMIP_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/x509.h>

#include "kms/base/err.h"

struct kmip_tls_options {
	const char *cert; /* PEM, leaf first, then its chain */
	const char *key;  /* PEM, private file; not used when pkey is there */
	EVP_PKEY *pkey; /* a key in the token; borrowed, outlives the context */
	const char *ca; /* PEM: who may sign the other end's certificate */
	const char *crl; /* PEM; NULL: none is asked. Set, it must be there */
};

struct kmip_tls; /* counted; any thread */

/* CONFIG names the file and what is wrong with it. */
int kmip_tls_server(const struct kmip_tls_options *, struct kmip_tls **)
    KMS_MUST;
int kmip_tls_client(const struct kmip_tls_options *, struct kmip_tls **)
    KMS_MUST;
struct kmip_tls *kmip_tls_hold(struct kmip_tls *);
void kmip_tls_drop(struct kmip_tls **);

/* Days until our own certificate ends; below 0: it has. */
int kmip_tls_days_left(const struct kmip_tls *);

struct kmip_link; /* one thread at a time */

enum kmip_io {
	KMIP_IO_DONE,   /* something went through */
	KMIP_IO_READ,   /* nothing until the socket can be read */
	KMIP_IO_WRITE,  /* nothing until it can be written */
	KMIP_IO_CLOSED, /* the other end has gone */
	KMIP_IO_FAILED, /* cause recorded; good for nothing but free */
};

/* An IPv4 or IPv6 address, which a certificate names otherwise than a name. */
bool kmip_link_is_address(const char *host);
/* fd is non-blocking and stays the caller's. host: what the server's
 * certificate must be for (name or address); NULL on a server. */
int kmip_link_new(struct kmip_tls *, int fd, const char *host,
    struct kmip_link **) KMS_MUST;
/* Says goodbye if that does not block, and frees. */
void kmip_link_free(struct kmip_link **);
/* DONE once; the other end's certificate is verified then. */
enum kmip_io kmip_link_shake(struct kmip_link *);
enum kmip_io kmip_link_read(struct kmip_link *, void *, size_t cap, size_t *n);
enum kmip_io kmip_link_write(struct kmip_link *, const void *, size_t len,
    size_t *n);
/* The code that went with FAILED: DENIED for the other end's certificate. */
int kmip_link_error(const struct kmip_link *);
/* The other end's certificate; borrowed; NULL before the handshake. */
X509 *kmip_link_peer(const struct kmip_link *);
/* Was this connection resumed (no certificate was verified in it)? */
bool kmip_link_is_resumed(const struct kmip_link *);
/* Verifies the other end again, now, by this context's CA and CRL: after a
 * reload, and for a resumed connection. DENIED says why not. */
int kmip_link_check(const struct kmip_link *, struct kmip_tls *) KMS_MUST;

#endif
