/* A certificate authority made in the test, and what it signs. */
#ifndef TESTS_UNIT_KMIP_CERTS_H
#define TESTS_UNIT_KMIP_CERTS_H

#include <openssl/x509.h>

#include "tests/lib/fixture.h"

struct authority {
	struct fx *fx;
	EVP_PKEY *key;
	X509 *cert;
	long serial;
	const char *file; /* PEM */
};

struct wanted_cert {
	const char *cn, *cn2; /* NULL: none */
	const char *san;      /* "DNS:…,IP:…"; NULL: none */
	const char *eku;      /* "serverAuth", "clientAuth"; NULL: none */
	long from_s, to_s;    /* from now */
};

/* PEM files of one certificate; they live as long as the fixture. */
struct pem {
	const char *cert, *key;
	X509 *x509; /* owned */
};

void authority_new(struct fx *, struct authority *, const char *name);
void authority_free(struct authority *);
void authority_sign(struct authority *, const struct wanted_cert *,
    struct pem *);
/* A client's or server's usual one; a day old, a day left. */
void authority_client(struct authority *, const char *cn, struct pem *);
void authority_server(struct authority *, struct pem *);
void pem_free(struct pem *);
/* A CRL that names these serials' certificates; NULL ends the list. */
const char *authority_crl(struct authority *, const char *file,
    X509 *const *revoked);

/* A name with a NUL in it, which no text form can express. */
X509 *cert_with_nul(struct authority *);

#endif
