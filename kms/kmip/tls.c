#include "kms/kmip/tls.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "kms/base/file.h"
#include "kms/base/secret.h"
#include "kms/kmip/tls_impl.h"

#define KEY_FILE_MAX 65536u
#define SESSION_SECONDS 300

/*
 * ECDHE first; then what the KMIP 1.x profiles ask of every server (section
 * 3.2, TLS 1.2): RSA key exchange with AES-CBC and SHA-256, which is all that
 * older tape libraries offer. Nothing with SHA-1 or less than 128 bits.
 */
static const char ciphers12[] =
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:ECDHE-ECDSA-AES256-SHA384:"
    "ECDHE-RSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA256:"
    "ECDHE-RSA-AES128-SHA256:AES256-GCM-SHA384:AES128-GCM-SHA256:"
    "AES256-SHA256:AES128-SHA256";

int
kmip_tls_fail(int code, const char *what)
{
	unsigned long e = ERR_peek_last_error();
	const char *reason = e == 0 ? NULL : ERR_reason_error_string(e);

	ERR_clear_error();
	return kms_fail(code, "%s: %s", what,
	    reason == NULL ? "failed" : reason);
}

/* A PEM key with a passphrase of its own would be asked for on a terminal. */
static int
no_passphrase(char *buf, int size, int rwflag, void *ctx)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)ctx;
	return -1;
}

static int
load_key_file(SSL_CTX *ctx, const char *path)
{
	struct kms_secret *pem = NULL;
	EVP_PKEY *pkey = NULL;
	BIO *bio = NULL;
	int r;

	r = kms_file_read_secret(path, KEY_FILE_MAX, &pem);
	if (r != 0)
		goto out;
	bio = BIO_new_mem_buf(kms_secret_bytes(pem), (int)kms_secret_len(pem));
	if (bio != NULL)
		pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	if (pkey == NULL || SSL_CTX_use_PrivateKey(ctx, pkey) != 1) {
		r = kmip_tls_fail(KMS_ERR_CONFIG, path);
		goto out;
	}
	r = 0;
out:
	EVP_PKEY_free(pkey);
	BIO_free(bio);
	kms_secret_free(&pem);
	return r;
}

static int
load_own(SSL_CTX *ctx, const struct kmip_tls_options *o)
{
	int r = 0;

	if (SSL_CTX_use_certificate_chain_file(ctx, o->cert) != 1)
		return kmip_tls_fail(KMS_ERR_CONFIG, o->cert);
	if (o->pkey == NULL)
		r = load_key_file(ctx, o->key);
	else if (SSL_CTX_use_PrivateKey(ctx, o->pkey) != 1)
		r = kmip_tls_fail(KMS_ERR_CONFIG, "TLS key in the token");
	if (r == 0 && SSL_CTX_check_private_key(ctx) != 1)
		r = kmip_tls_fail(KMS_ERR_CONFIG, o->cert);
	return r;
}

static int
load_peers(SSL_CTX *ctx, const struct kmip_tls_options *o)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	X509_LOOKUP *lookup;

	if (SSL_CTX_load_verify_locations(ctx, o->ca, NULL) != 1)
		return kmip_tls_fail(KMS_ERR_CONFIG, o->ca);
	SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(o->ca));
	if (o->crl == NULL)
		return 0;
	lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
	if (lookup == NULL ||
	    X509_load_crl_file(lookup, o->crl, X509_FILETYPE_PEM) < 1)
		return kmip_tls_fail(KMS_ERR_CONFIG, o->crl);
	if (X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK) != 1)
		return kmip_tls_fail(KMS_ERR_INTERNAL, o->crl);
	return 0;
}

/*
 * The session context is what lets a verified client resume at all; sessions
 * die with their context, so a reload ends those of revoked certificates.
 */
static int
set_rules(SSL_CTX *ctx)
{
	static const unsigned char id[] = "p11kms";

	(void)SSL_CTX_set_options(ctx,
	    SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
		SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_CLEANSE_PLAINTEXT |
		SSL_OP_IGNORE_UNEXPECTED_EOF);
	(void)SSL_CTX_set_mode(ctx,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_verify(ctx,
	    SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	(void)SSL_CTX_set_timeout(ctx, SESSION_SECONDS);
	(void)SSL_CTX_set_num_tickets(ctx, 1);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, ciphers12) != 1 ||
	    SSL_CTX_set_dh_auto(ctx, 1) != 1 ||
	    SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1) != 1)
		return kmip_tls_fail(KMS_ERR_INTERNAL, "TLS context");
	return 0;
}

static int
make(const struct kmip_tls_options *o, const SSL_METHOD *method,
    struct kmip_tls **out)
{
	struct kmip_tls *tls = NULL;
	int r;

	*out = NULL;
	if (o->cert == NULL || o->ca == NULL ||
	    (o->key == NULL && o->pkey == NULL))
		return kms_fail(KMS_ERR_CONFIG,
		    "TLS: certificate, key and CA are all needed");
	tls = calloc(1, sizeof(*tls));
	if (tls == NULL)
		return kms_fail(KMS_ERR_MEMORY, "TLS: out of memory");
	(void)pthread_mutex_init(&tls->lock, NULL);
	tls->holders = 1;
	tls->ctx = SSL_CTX_new(method);
	tls->bio = kmip_link_bio();
	if (tls->ctx == NULL || tls->bio == NULL) {
		r = kmip_tls_fail(KMS_ERR_INTERNAL, "TLS context");
		goto out;
	}
	r = set_rules(tls->ctx);
	if (r == 0)
		r = load_own(tls->ctx, o);
	if (r == 0)
		r = load_peers(tls->ctx, o);
	if (r != 0)
		goto out;
	*out = tls;
	tls = NULL; /* transferred */
out:
	kmip_tls_drop(&tls);
	return r;
}

int
kmip_tls_server(const struct kmip_tls_options *o, struct kmip_tls **out)
{
	return make(o, TLS_server_method(), out);
}

int
kmip_tls_client(const struct kmip_tls_options *o, struct kmip_tls **out)
{
	int r = make(o, TLS_client_method(), out);

	if (r == 0)
		SSL_CTX_set_verify((*out)->ctx, SSL_VERIFY_PEER, NULL);
	return r;
}

struct kmip_tls *
kmip_tls_hold(struct kmip_tls *tls)
{
	(void)pthread_mutex_lock(&tls->lock);
	tls->holders++;
	(void)pthread_mutex_unlock(&tls->lock);
	return tls;
}

void
kmip_tls_drop(struct kmip_tls **tp)
{
	struct kmip_tls *tls;
	unsigned left;

	if (tp == NULL || *tp == NULL)
		return;
	tls = *tp;
	*tp = NULL;
	(void)pthread_mutex_lock(&tls->lock);
	left = --tls->holders;
	(void)pthread_mutex_unlock(&tls->lock);
	if (left > 0)
		return;
	SSL_CTX_free(tls->ctx);
	BIO_meth_free(tls->bio);
	(void)pthread_mutex_destroy(&tls->lock);
	free(tls);
}

int
kmip_tls_days_left(const struct kmip_tls *tls)
{
	const X509 *cert = SSL_CTX_get0_certificate(tls->ctx);
	int days = 0, secs = 0;

	if (cert == NULL ||
	    ASN1_TIME_diff(&days, &secs, NULL, X509_get0_notAfter(cert)) != 1)
		return -1;
	return secs < 0 && days == 0 ? -1 : days;
}
