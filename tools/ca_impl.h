/* What the files of the small authority share. */
#ifndef TOOLS_CA_IMPL_H
#define TOOLS_CA_IMPL_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "tools/ca.h"

#define CA_SKEW 3600L /* seconds before now, for clocks that differ */

struct ca {
	char dir[CA_PATH_MAX];
	EVP_PKEY *key;
	X509 *cert;
};

/* What OpenSSL says, as INTERNAL; what is put in front. */
int ca_ssl_fail(const char *what) KMS_MUST;
/* A file's name, and nothing that a configuration or a shell reads otherwise;
 * USAGE. */
int ca_check_name(const char *name) KMS_MUST;
int ca_read_cert(const char *path, X509 **) KMS_MUST;
/* The BIO's content is the file from now on; private, unless published. */
int ca_replace(const char *path, BIO *) KMS_MUST;
/* For everybody to read. */
int ca_publish(const char *path) KMS_MUST;

/* The first ca.crl. It names nobody, so that [server] crl can be set from the
 * beginning. */
int ca_crl_create(const struct ca *) KMS_MUST;

#endif
