#include "tools/ca.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "kms/base/file.h"
#include "kms/kmip/tls.h"
#include "tools/ca_impl.h"

#define CA_DAYS 3650u
#define SERIAL_LEN 16u
#define KEY_FILE_MAX 16384u
#define HOST_MAX 253u
#define SAN_MAX 2048u

int
ca_ssl_fail(const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return kms_fail(KMS_ERR_INTERNAL, "%s: %s", what,
	    reason != NULL ? reason : "failed");
}

/* --- files ----------------------------------------------------------------- */

int
ca_path(const char *dir, const char *name, const char *suffix,
    char out[CA_PATH_MAX])
{
	int n = snprintf(out, CA_PATH_MAX, "%s/%s.%s", dir, name, suffix);

	if (n > 0 && n < (int)CA_PATH_MAX)
		return 0;
	return kms_fail(KMS_ERR_USAGE, "%s: the path is too long", dir);
}

static int
check_absent(const char *dir, const char *name, const char *suffix)
{
	char path[CA_PATH_MAX];
	struct stat st;
	int r = ca_path(dir, name, suffix, path);

	if (r == 0 && lstat(path, &st) == 0)
		r = kms_fail(KMS_ERR_EXISTS,
		    "%s exists; it is never overwritten: move it away first, "
		    "or give another name or -path",
		    path);
	return r;
}

int
ca_publish(const char *path)
{
	if (chmod(path, 0644) == 0)
		return 0;
	return kms_fail(KMS_ERR_IO, "%s: %s", path, strerror(errno));
}

int
ca_replace(const char *path, BIO *bio)
{
	char *data = NULL;
	long len = BIO_get_mem_data(bio, &data);

	return kms_file_replace(path, data, (size_t)len);
}

/* What was put into the BIO as a new file. */
static int
write_bio(const struct ca *ca, const char *name, const char *suffix, BIO *bio)
{
	char path[CA_PATH_MAX];
	int r;

	r = check_absent(ca->dir, name, suffix);
	if (r == 0)
		r = ca_path(ca->dir, name, suffix, path);
	return r != 0 ? r : ca_replace(path, bio);
}

static int
write_key(const struct ca *ca, const char *name, EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	int r = 0;

	if (bio == NULL ||
	    PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL,
		NULL) != 1)
		r = ca_ssl_fail("private key");
	if (r == 0)
		r = write_bio(ca, name, "key", bio);
	BIO_free(bio);
	return r;
}

static int
write_cert(const struct ca *ca, const char *name, X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char path[CA_PATH_MAX];
	int r = 0;

	if (bio == NULL || PEM_write_bio_X509(bio, cert) != 1)
		r = ca_ssl_fail("certificate");
	if (r == 0)
		r = write_bio(ca, name, "pem", bio);
	if (r == 0)
		r = ca_path(ca->dir, name, "pem", path);
	if (r == 0)
		r = ca_publish(path);
	BIO_free(bio);
	return r;
}

/* --- certificates ---------------------------------------------------------- */

static int
add_ext(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	int good;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	good = ext != NULL && X509_add_ext(cert, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return good ? 0 : ca_ssl_fail("certificate");
}

static int
set_serial(X509 *cert)
{
	unsigned char b[SERIAL_LEN];
	BIGNUM *n = NULL;
	int good;

	good = RAND_bytes(b, sizeof(b)) == 1;
	b[0] &= 0x7f; /* positive (RFC 5280 section 4.1.2.2) */
	if (good)
		n = BN_bin2bn(b, sizeof(b), NULL);
	good = n != NULL &&
	    BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL;
	BN_free(n);
	return good ? 0 : ca_ssl_fail("serial number");
}

/* All but extensions and signature; issuer NULL: its own. */
static int
new_cert(const char *cn, EVP_PKEY *key, const X509 *issuer, unsigned days,
    X509 **out)
{
	X509 *cert = X509_new();
	X509_NAME *subject;
	int r = 0;

	*out = cert;
	if (cert == NULL)
		return ca_ssl_fail("certificate");
	subject = X509_get_subject_name(cert);
	if (X509_set_version(cert, X509_VERSION_3) != 1 ||
	    X509_gmtime_adj(X509_getm_notBefore(cert), -CA_SKEW) == NULL ||
	    X509_time_adj_ex(X509_getm_notAfter(cert), (int)days, 0, NULL) ==
		NULL ||
	    X509_set_pubkey(cert, key) != 1 ||
	    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
		(const unsigned char *)cn, -1, -1, 0) != 1 ||
	    X509_set_issuer_name(cert,
		issuer != NULL ? X509_get_subject_name(issuer) : subject) != 1)
		r = ca_ssl_fail("certificate");
	return r != 0 ? r : set_serial(cert);
}

static int
new_key(EVP_PKEY **key)
{
	*key = EVP_EC_gen("P-256");
	return *key != NULL ? 0 : ca_ssl_fail("new key");
}

/* --- the authority --------------------------------------------------------- */

static int
make_dir(const char *dir)
{
	/* The keys in it are private by themselves; the service's user must
	 * get to its own. */
	if (mkdir(dir, 0755) == 0 && chmod(dir, 0755) == 0)
		return 0;
	if (errno == EEXIST)
		return 0;
	return kms_fail(KMS_ERR_IO, "%s: %s", dir, strerror(errno));
}

static int
self_sign(struct ca *ca)
{
	char host[HOST_MAX + 1] = "", name[CA_NAME_MAX + 1];
	int r;

	(void)gethostname(host, sizeof(host) - 1);
	(void)snprintf(name, sizeof(name), "p11kms CA %.50s", host);
	r = new_cert(name, ca->key, NULL, CA_DAYS, &ca->cert);
	if (r == 0)
		r = add_ext(ca->cert, ca->cert, NID_basic_constraints,
		    "critical,CA:TRUE,pathlen:0");
	if (r == 0)
		r = add_ext(ca->cert, ca->cert, NID_key_usage,
		    "critical,keyCertSign,cRLSign");
	if (r == 0)
		r = add_ext(ca->cert, ca->cert, NID_subject_key_identifier,
		    "hash");
	if (r == 0 && X509_sign(ca->cert, ca->key, EVP_sha256()) <= 0)
		r = ca_ssl_fail("signature");
	return r;
}

static int
ca_new(const char *dir, struct ca **out)
{
	struct ca *ca = calloc(1, sizeof(*ca));

	*out = ca;
	if (ca == NULL)
		return kms_fail(KMS_ERR_MEMORY, "authority: out of memory");
	if (strlen(dir) >= sizeof(ca->dir))
		return kms_fail(KMS_ERR_USAGE, "%s: the path is too long", dir);
	strcpy(ca->dir, dir);
	return 0;
}

int
ca_create(const char *dir, struct ca **out)
{
	static const char *const suffix[] = {"key", "pem", "crl"};
	struct ca *ca = NULL;
	size_t i;
	int r;

	*out = NULL;
	r = ca_new(dir, &ca);
	if (r == 0)
		r = make_dir(dir);
	for (i = 0; r == 0 && i < 3; i++)
		r = check_absent(dir, "ca", suffix[i]);
	if (r == 0)
		r = new_key(&ca->key);
	if (r == 0)
		r = self_sign(ca);
	if (r == 0)
		r = write_key(ca, "ca", ca->key);
	if (r == 0)
		r = write_cert(ca, "ca", ca->cert);
	if (r == 0)
		r = ca_crl_create(ca);
	if (r == 0) {
		*out = ca;
		ca = NULL; /* transferred */
	}
	ca_free(&ca);
	return r;
}

static int
load_key(struct ca *ca)
{
	struct kms_secret *pem = NULL;
	char path[CA_PATH_MAX];
	BIO *bio = NULL;
	int r;

	r = ca_path(ca->dir, "ca", "key", path);
	if (r == 0)
		r = kms_file_read_secret(path, KEY_FILE_MAX, &pem);
	if (r == KMS_ERR_NOTFOUND)
		r = kms_fail_add(r,
		    "no authority here; make one with p11kms -newca");
	if (r == 0) {
		bio = BIO_new_mem_buf(kms_secret_bytes(pem),
		    (int)kms_secret_len(pem));
		if (bio != NULL)
			ca->key = PEM_read_bio_PrivateKey(bio, NULL, NULL,
			    NULL);
		if (ca->key == NULL)
			r = ca_ssl_fail(path);
	}
	BIO_free(bio);
	kms_secret_free(&pem);
	return r;
}

int
ca_read_cert(const char *path, X509 **cert)
{
	BIO *bio = BIO_new_file(path, "r");

	*cert = NULL;
	if (bio != NULL)
		*cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	return *cert != NULL ? 0 : ca_ssl_fail(path);
}

static int
load_cert(struct ca *ca)
{
	char path[CA_PATH_MAX];
	int r;

	r = ca_path(ca->dir, "ca", "pem", path);
	if (r == 0)
		r = ca_read_cert(path, &ca->cert);
	if (r != 0)
		return r;
	if (X509_check_private_key(ca->cert, ca->key) != 1)
		return kms_fail(KMS_ERR_CONFIG,
		    "%s: not of this ca.key; put back the one that is", path);
	return 0;
}

int
ca_open(const char *dir, struct ca **out)
{
	struct ca *ca = NULL;
	int r;

	*out = NULL;
	r = ca_new(dir, &ca);
	if (r == 0)
		r = load_key(ca);
	if (r == 0)
		r = load_cert(ca);
	if (r == 0) {
		*out = ca;
		ca = NULL; /* transferred */
	}
	ca_free(&ca);
	return r;
}

void
ca_free(struct ca **cp)
{
	struct ca *ca = cp != NULL ? *cp : NULL;

	if (ca == NULL)
		return;
	EVP_PKEY_free(ca->key);
	X509_free(ca->cert);
	free(ca);
	*cp = NULL;
}

/* --- what it signs --------------------------------------------------------- */

/* A file's name, and nothing that a configuration or a shell reads otherwise. */
int
ca_check_name(const char *name)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	size_t len = strlen(name);

	if (len > 0 && len <= CA_NAME_MAX && strspn(name, set) == len &&
	    name[0] != '.' && name[0] != '-' && strcmp(name, "ca") != 0)
		return 0;
	return kms_fail(KMS_ERR_USAGE,
	    "'%.80s' is no name for a certificate here: letters, digits, '.', "
	    "'-', '_', at most %u",
	    name, CA_NAME_MAX);
}

/* "a,10.0.0.1" → "DNS:a,IP:10.0.0.1" */
static int
san_of(const char *hosts, char out[SAN_MAX])
{
	char host[HOST_MAX + 1];
	size_t at = 0, n;

	out[0] = '\0';
	for (;; hosts += n) {
		hosts += strspn(hosts, ", \t");
		n = strcspn(hosts, ", \t");
		if (n == 0)
			break;
		if (n > HOST_MAX)
			return kms_fail(KMS_ERR_USAGE,
			    "-host: a name too long");
		memcpy(host, hosts, n);
		host[n] = '\0';
		if (!kmip_link_is_address(host) &&
		    strspn(host,
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			"0123456789.-*") != n)
			return kms_fail(KMS_ERR_USAGE,
			    "-host: '%s' is neither a name nor an address",
			    host);
		at += (size_t)snprintf(out + at, SAN_MAX - at, "%s%s:%s",
		    at > 0 ? "," : "",
		    kmip_link_is_address(host) ? "IP" : "DNS", host);
		if (at >= SAN_MAX)
			return kms_fail(KMS_ERR_USAGE, "-host: too many");
	}
	return at > 0 ? 0 : kms_fail(KMS_ERR_USAGE, "-host: no name");
}

int
ca_check(const struct ca_wanted *want)
{
	char san[SAN_MAX];
	int r = ca_check_name(want->name);

	return r == 0 && want->hosts != NULL ? san_of(want->hosts, san) : r;
}

static int
extend(const struct ca *ca, const struct ca_wanted *want, X509 *cert)
{
	char san[SAN_MAX];
	int r;

	r = add_ext(cert, ca->cert, NID_basic_constraints, "critical,CA:FALSE");
	if (r == 0)
		r = add_ext(cert, ca->cert, NID_key_usage,
		    "critical,digitalSignature");
	if (r == 0)
		r = add_ext(cert, ca->cert, NID_ext_key_usage,
		    want->hosts != NULL ? "serverAuth" : "clientAuth");
	if (r == 0)
		r = add_ext(cert, ca->cert, NID_authority_key_identifier,
		    "keyid");
	if (r == 0 && want->hosts != NULL)
		r = san_of(want->hosts, san);
	if (r == 0 && want->hosts != NULL)
		r = add_ext(cert, ca->cert, NID_subject_alt_name, san);
	return r;
}

int
ca_issue(struct ca *ca, const struct ca_wanted *want)
{
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	int r;

	r = ca_check(want);
	if (r == 0)
		r = check_absent(ca->dir, want->name, "key");
	if (r == 0)
		r = check_absent(ca->dir, want->name, "pem");
	if (r == 0)
		r = new_key(&key);
	if (r == 0)
		r = new_cert(want->name, key, ca->cert, want->days, &cert);
	if (r == 0)
		r = extend(ca, want, cert);
	if (r == 0 && X509_sign(cert, ca->key, EVP_sha256()) <= 0)
		r = ca_ssl_fail("signature");
	if (r == 0)
		r = write_key(ca, want->name, key);
	if (r == 0)
		r = write_cert(ca, want->name, cert);
	EVP_PKEY_free(key);
	X509_free(cert);
	return r;
}
