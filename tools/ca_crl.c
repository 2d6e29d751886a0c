/* The authority's CRL: made empty, and grown by one certificate at a time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "kms/base/file.h"
#include "tools/ca_impl.h"

#define LOCK_MS 10000u

/* --- the CRL in memory ----------------------------------------------------- */

/* 0: it has none (those of the first versions). */
static int
number_of(const X509_CRL *crl, const char *path, uint64_t *number)
{
	ASN1_INTEGER *n = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
	int r = 0;

	*number = 0;
	if (n != NULL &&
	    (ASN1_INTEGER_get_uint64(number, n) != 1 || *number == UINT64_MAX))
		r = kms_fail(KMS_ERR_CONFIG,
		    "%s: no number can follow that of this CRL; revoke with "
		    "the program that made it",
		    path);
	ASN1_INTEGER_free(n);
	return r;
}

static bool
set_number(X509_CRL *crl, uint64_t number)
{
	ASN1_INTEGER *n = ASN1_INTEGER_new();
	bool good = n != NULL && ASN1_INTEGER_set_uint64(n, number) == 1 &&
	    X509_CRL_add1_ext_i2d(crl, NID_crl_number, n, 0,
		X509V3_ADD_REPLACE) == 1;

	ASN1_INTEGER_free(n);
	return good;
}

/* Which of the authority's keys signed it (RFC 5280 section 5.2.1). */
static bool
set_issuer_key(const struct ca *ca, X509_CRL *crl)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;
	bool good;

	if (X509_CRL_get_ext_by_NID(crl, NID_authority_key_identifier, -1) >= 0)
		return true;
	X509V3_set_ctx(&ctx, ca->cert, NULL, NULL, crl, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, NID_authority_key_identifier,
	    "keyid");
	good = ext != NULL && X509_CRL_add_ext(crl, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return good;
}

/* Numbers, dates and signs it. */
static int
seal(const struct ca *ca, uint64_t number, X509_CRL *crl)
{
	ASN1_TIME *now = X509_gmtime_adj(NULL, -CA_SKEW);
	int r = 0;

	if (now == NULL || !set_number(crl, number) ||
	    !set_issuer_key(ca, crl) ||
	    X509_CRL_set1_lastUpdate(crl, now) != 1 ||
	    X509_CRL_set1_nextUpdate(crl, X509_get0_notAfter(ca->cert)) != 1 ||
	    X509_CRL_sort(crl) != 1 ||
	    X509_CRL_sign(crl, ca->key, EVP_sha256()) <= 0)
		r = ca_ssl_fail("CRL");
	ASN1_TIME_free(now);
	return r;
}

static bool
is_revoked(X509_CRL *crl, X509 *cert)
{
	X509_REVOKED *entry = NULL;

	return X509_CRL_get0_by_cert(crl, &entry, cert) == 1;
}

static int
add(X509_CRL *crl, X509 *cert)
{
	X509_REVOKED *entry = X509_REVOKED_new();
	ASN1_TIME *now = X509_gmtime_adj(NULL, 0);
	int r = 0;

	if (entry == NULL || now == NULL ||
	    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(cert)) !=
		1 ||
	    X509_REVOKED_set_revocationDate(entry, now) != 1 ||
	    X509_CRL_add0_revoked(crl, entry) != 1)
		r = ca_ssl_fail("CRL");
	else
		entry = NULL; /* transferred */
	ASN1_TIME_free(now);
	X509_REVOKED_free(entry);
	return r;
}

/* --- its file -------------------------------------------------------------- */

static int
write_crl(const char *path, X509_CRL *crl)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int r = 0;

	if (bio == NULL || PEM_write_bio_X509_CRL(bio, crl) != 1)
		r = ca_ssl_fail("CRL");
	if (r == 0)
		r = ca_replace(path, bio);
	BIO_free(bio);
	return r;
}

int
ca_crl_create(const struct ca *ca)
{
	X509_CRL *crl = X509_CRL_new();
	char path[CA_PATH_MAX];
	int r;

	r = ca_path(ca->dir, "ca", "crl", path);
	if (r == 0 &&
	    (crl == NULL ||
		X509_CRL_set_version(crl, X509_CRL_VERSION_2) != 1 ||
		X509_CRL_set_issuer_name(crl,
		    X509_get_subject_name(ca->cert)) != 1))
		r = ca_ssl_fail("CRL");
	if (r == 0)
		r = seal(ca, 1, crl);
	if (r == 0)
		r = write_crl(path, crl);
	if (r == 0)
		r = ca_publish(path);
	X509_CRL_free(crl);
	return r;
}

/* A new one in the place of a lost one would let everybody in again whom that
 * one named. */
static int
read_crl(const struct ca *ca, const char *path, X509_CRL **crl)
{
	BIO *bio = BIO_new_file(path, "r");

	*crl = NULL;
	if (bio != NULL)
		*crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
	BIO_free(bio);
	ERR_clear_error();
	if (*crl == NULL)
		return kms_fail(KMS_ERR_CONFIG,
		    "%s: no CRL can be read there; put back the one that names "
		    "whom this authority revoked before",
		    path);
	if (X509_NAME_cmp(X509_CRL_get_issuer(*crl),
		X509_get_subject_name(ca->cert)) == 0 &&
	    X509_CRL_verify(*crl, ca->key) == 1)
		return 0;
	ERR_clear_error();
	return kms_fail(KMS_ERR_CONFIG,
	    "%s: not signed by the ca.key beside it; put back the "
	    "authority's own",
	    path);
}

/* --- the certificate ------------------------------------------------------- */

static int
read_client(const struct ca *ca, const char *name, X509 **cert)
{
	char path[CA_PATH_MAX];
	struct stat st;
	int r;

	*cert = NULL;
	r = ca_check_name(name);
	if (r == 0)
		r = ca_path(ca->dir, name, "pem", path);
	if (r != 0)
		return r;
	if (stat(path, &st) != 0 && errno == ENOENT)
		return kms_fail(KMS_ERR_NOTFOUND,
		    "%s: no client of that name here: there is no %s; bring "
		    "back its certificate, or name another",
		    name, path);
	r = ca_read_cert(path, cert);
	if (r != 0)
		return r;
	if (X509_NAME_cmp(X509_get_issuer_name(*cert),
		X509_get_subject_name(ca->cert)) != 0 ||
	    X509_verify(*cert, ca->key) != 1) {
		ERR_clear_error();
		return kms_fail(KMS_ERR_CONFIG,
		    "%s: not signed by the ca.key beside it; revoke it where "
		    "it was made",
		    path);
	}
	if ((X509_get_extended_key_usage(*cert) & XKU_SSL_CLIENT) == 0)
		return kms_fail(KMS_ERR_USAGE,
		    "%s is no client's certificate; name one that -newclient "
		    "made",
		    path);
	return 0;
}

static int
describe(const X509 *cert, const X509_CRL *crl, struct ca_revocation *out)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
	BIGNUM *n = ASN1_INTEGER_to_BN(serial, NULL);
	char *hex = n != NULL ? BN_bn2hex(n) : NULL;
	struct tm tm = {0};
	int r = 0;

	if (hex == NULL ||
	    ASN1_TIME_to_tm(X509_CRL_get0_nextUpdate(crl), &tm) != 1)
		r = ca_ssl_fail("CRL");
	if (r == 0) {
		(void)snprintf(out->serial, sizeof(out->serial), "%s", hex);
		out->until = (int64_t)timegm(&tm) * 1000000;
	}
	OPENSSL_free(hex);
	BN_free(n);
	return r;
}

/* Whoever revokes at the same time must not read what is about to be
 * replaced: the lock is on ca.key, which never is. */
static int
revoke_locked(const struct ca *ca, X509 *cert, struct ca_revocation *out)
{
	X509_CRL *crl = NULL;
	char path[CA_PATH_MAX];
	int r;

	r = ca_path(ca->dir, "ca", "crl", path);
	if (r == 0)
		r = read_crl(ca, path, &crl);
	if (r == 0)
		r = number_of(crl, path, &out->number);
	if (r == 0 && !is_revoked(crl, cert)) {
		out->changed = true;
		r = add(crl, cert);
	}
	/* Another program's may end sooner. */
	if (r == 0 &&
	    (out->number == 0 || X509_CRL_get0_nextUpdate(crl) == NULL ||
		ASN1_TIME_compare(X509_CRL_get0_nextUpdate(crl),
		    X509_get0_notAfter(ca->cert)) < 0))
		out->changed = true;
	if (r == 0 && out->changed) {
		r = seal(ca, ++out->number, crl);
		if (r == 0)
			r = write_crl(path, crl);
	}
	if (r == 0)
		r = ca_publish(path); /* also what a killed run left private */
	if (r == 0)
		r = describe(cert, crl, out);
	X509_CRL_free(crl);
	return r;
}

int
ca_revoke(struct ca *ca, const char *name, struct ca_revocation *out)
{
	char key[CA_PATH_MAX];
	X509 *cert = NULL;
	int r, fd = -1;

	*out = (struct ca_revocation){0};
	r = read_client(ca, name, &cert);
	if (r == 0)
		r = ca_path(ca->dir, "ca", "key", key);
	if (r == 0)
		r = kms_file_lock(key, LOCK_MS, &fd);
	if (r == 0)
		r = revoke_locked(ca, cert, out);
	kms_file_unlock(&fd);
	X509_free(cert);
	return r;
}
