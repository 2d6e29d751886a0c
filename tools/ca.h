/*
 * A small certificate authority in one directory, for a site that has none:
 * an EC P-256 key (ca.key, 0600), its certificate and its CRL, and the
 * certificates it signs. A site with an authority of its own uses that.
 */
#ifndef TOOLS_CA_H
#define TOOLS_CA_H

#include <stdbool.h>
#include <stdint.h>

#include "kms/base/err.h"

#define CA_PATH_MAX 1024u
#define CA_NAME_MAX 64u

struct ca;

/* Makes the directory where it is missing, then ca.key, ca.pem and ca.crl.
 * EXISTS: never over a file. */
int ca_create(const char *dir, struct ca **) KMS_MUST;
/* NOTFOUND: says how to make one. */
int ca_open(const char *dir, struct ca **) KMS_MUST;
void ca_free(struct ca **);

struct ca_wanted {
	const char *name; /* common name, and NAME.key, NAME.pem */
	/* A server's names and addresses, commas between; NULL: a client. */
	const char *hosts;
	unsigned days;
};
/* Before anything is made: USAGE. */
int ca_check(const struct ca_wanted *) KMS_MUST;
/* A fresh key (0600) and its certificate beside the authority's. USAGE: a
 * name that is no file's, a host that is none. EXISTS. */
int ca_issue(struct ca *, const struct ca_wanted *) KMS_MUST;

struct ca_revocation {
	bool changed;    /* false: it was revoked and the CRL good already */
	char serial[43]; /* hex */
	uint64_t number; /* of the CRL */
	int64_t until;   /* when the CRL expires, microseconds */
};
/*
 * Names NAME.pem in ca.crl for ever. The CRL counts as long as the authority:
 * who reads it refuses everybody once it has expired, and nothing here would
 * renew it in time. NOTFOUND: no such certificate. USAGE: no client's.
 */
int ca_revoke(struct ca *, const char *name, struct ca_revocation *) KMS_MUST;

/* "DIR/NAME.SUFFIX" into out. USAGE: too long. */
int ca_path(const char *dir, const char *name, const char *suffix,
    char out[CA_PATH_MAX]) KMS_MUST;

#endif
