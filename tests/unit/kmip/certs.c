#include "tests/unit/kmip/certs.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static void
must(int good, const char *what)
{
	if (!good)
		fx_die("certificate: %s", what);
}

static EVP_PKEY *
new_key(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	must(key != NULL, "key");
	return key;
}

static void
write_key(const char *file, EVP_PKEY *key)
{
	FILE *f = fopen(file, "w");

	must(f != NULL &&
		PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1,
	    file);
	(void)fchmod(fileno(f), 0600);
	(void)fclose(f);
}

static void
write_cert(const char *file, X509 *cert)
{
	FILE *f = fopen(file, "w");

	must(f != NULL && PEM_write_X509(f, cert) == 1, file);
	(void)fclose(f);
}

static void
add_cn(X509_NAME *name, const char *cn)
{
	if (cn != NULL)
		must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
			 (const unsigned char *)cn, -1, -1, 0) == 1,
		    cn);
}

static void
add_ext(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	if (value == NULL)
		return;
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	must(ext != NULL && X509_add_ext(cert, ext, -1) == 1, value);
	X509_EXTENSION_free(ext);
}

static X509 *
new_cert(long serial, EVP_PKEY *key, long from_s, long to_s)
{
	X509 *cert = X509_new();

	must(cert != NULL && X509_set_version(cert, 2) == 1 &&
		ASN1_INTEGER_set(X509_get_serialNumber(cert), serial) == 1 &&
		X509_gmtime_adj(X509_getm_notBefore(cert), from_s) != NULL &&
		X509_gmtime_adj(X509_getm_notAfter(cert), to_s) != NULL &&
		X509_set_pubkey(cert, key) == 1,
	    "fields");
	return cert;
}

void
authority_new(struct fx *fx, struct authority *ca, const char *name)
{
	X509_NAME *subject;

	memset(ca, 0, sizeof(*ca));
	ca->fx = fx;
	ca->serial = 100;
	ca->key = new_key();
	ca->cert = new_cert(1, ca->key, -86400, 86400);
	subject = X509_get_subject_name(ca->cert);
	add_cn(subject, name);
	must(X509_set_issuer_name(ca->cert, subject) == 1, "issuer");
	add_ext(ca->cert, ca->cert, NID_basic_constraints, "critical,CA:TRUE");
	add_ext(ca->cert, ca->cert, NID_key_usage,
	    "critical,keyCertSign,cRLSign");
	add_ext(ca->cert, ca->cert, NID_subject_key_identifier, "hash");
	must(X509_sign(ca->cert, ca->key, EVP_sha256()) > 0, "sign");
	ca->file = fx_path(fx, "%s.pem", name);
	write_cert(ca->file, ca->cert);
}

void
authority_free(struct authority *ca)
{
	EVP_PKEY_free(ca->key);
	X509_free(ca->cert);
}

void
authority_sign(struct authority *ca, const struct wanted_cert *want,
    struct pem *pem)
{
	EVP_PKEY *key = new_key();
	X509 *cert = new_cert(++ca->serial, key, want->from_s, want->to_s);
	X509_NAME *subject = X509_get_subject_name(cert);

	add_cn(subject, want->cn);
	add_cn(subject, want->cn2);
	must(X509_set_issuer_name(cert, X509_get_subject_name(ca->cert)) == 1,
	    "issuer");
	add_ext(cert, ca->cert, NID_subject_alt_name, want->san);
	add_ext(cert, ca->cert, NID_ext_key_usage, want->eku);
	must(X509_sign(cert, ca->key, EVP_sha256()) > 0, "sign");
	pem->cert = fx_path(ca->fx, "%ld.pem", ca->serial);
	pem->key = fx_path(ca->fx, "%ld.key", ca->serial);
	pem->x509 = cert;
	write_cert(pem->cert, cert);
	write_key(pem->key, key);
	EVP_PKEY_free(key);
}

void
authority_client(struct authority *ca, const char *cn, struct pem *pem)
{
	const struct wanted_cert want = {.cn = cn,
	    .eku = "clientAuth",
	    .from_s = -3600,
	    .to_s = 86400};

	authority_sign(ca, &want, pem);
}

void
authority_server(struct authority *ca, struct pem *pem)
{
	const struct wanted_cert want = {.cn = "kms1",
	    .san = "DNS:localhost,IP:127.0.0.1",
	    .eku = "serverAuth",
	    .from_s = -3600,
	    .to_s = 86400};

	authority_sign(ca, &want, pem);
}

void
pem_free(struct pem *pem)
{
	X509_free(pem->x509);
	pem->x509 = NULL;
}

const char *
authority_crl(struct authority *ca, const char *file, X509 *const *revoked)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *now = ASN1_TIME_set(NULL, time(NULL) - 60);
	ASN1_TIME *later = ASN1_TIME_set(NULL, time(NULL) + 86400);
	const char *path = fx_path(ca->fx, "%s", file);
	FILE *f;

	must(crl != NULL && X509_CRL_set_version(crl, 1) == 1 &&
		X509_CRL_set_issuer_name(crl,
		    X509_get_subject_name(ca->cert)) == 1 &&
		X509_CRL_set1_lastUpdate(crl, now) == 1 &&
		X509_CRL_set1_nextUpdate(crl, later) == 1,
	    "crl");
	for (; *revoked != NULL; revoked++) {
		X509_REVOKED *r = X509_REVOKED_new();

		must(r != NULL &&
			X509_REVOKED_set_serialNumber(r,
			    X509_get_serialNumber(*revoked)) == 1 &&
			X509_REVOKED_set_revocationDate(r, now) == 1 &&
			X509_CRL_add0_revoked(crl, r) == 1,
		    "crl entry");
	}
	must(X509_CRL_sort(crl) == 1 &&
		X509_CRL_sign(crl, ca->key, EVP_sha256()) > 0,
	    "crl");
	f = fopen(path, "w");
	must(f != NULL && PEM_write_X509_CRL(f, crl) == 1, path);
	(void)fclose(f);
	ASN1_TIME_free(now);
	ASN1_TIME_free(later);
	X509_CRL_free(crl);
	return path;
}

X509 *
cert_with_nul(struct authority *ca)
{
	static const unsigned char name[] = "media01.example.com\0.evil.org";
	EVP_PKEY *key = new_key();
	X509 *cert = new_cert(++ca->serial, key, -3600, 3600);

	must(X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
		 MBSTRING_UTF8, name, sizeof(name) - 1, -1, 0) == 1,
	    "name with NUL");
	EVP_PKEY_free(key);
	return cert;
}
