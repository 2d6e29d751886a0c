#include "kms/kmip/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "kms/kmip/tls_impl.h"

#define NAME_MAX_BYTES 256u

struct kmip_link {
	struct kmip_tls *tls; /* held */
	SSL *ssl;
	X509 *peer; /* owned; set when the handshake is done */
	bool client, broken;
	int fd, error;
};

/* --- the socket ---------------------------------------------------------- */

/*
 * OpenSSL's own socket BIO writes with write(2), and a peer that has gone then
 * costs the process a SIGPIPE. This one does not.
 */
static int
bio_result(BIO *bio, ssize_t n, int direction)
{
	BIO_clear_retry_flags(bio);
	if (n < 0 &&
	    (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		BIO_set_flags(bio, direction | BIO_FLAGS_SHOULD_RETRY);
	return (int)n;
}

static int
bio_write(BIO *bio, const char *p, int len)
{
	const struct kmip_link *link = BIO_get_data(bio);

	return bio_result(bio, send(link->fd, p, (size_t)len, MSG_NOSIGNAL),
	    BIO_FLAGS_WRITE);
}

static int
bio_read(BIO *bio, char *p, int len)
{
	const struct kmip_link *link = BIO_get_data(bio);

	return bio_result(bio, recv(link->fd, p, (size_t)len, 0),
	    BIO_FLAGS_READ);
}

static long
bio_ctrl(BIO *bio, int cmd, long num, void *p)
{
	(void)bio;
	(void)num;
	(void)p;
	return cmd == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD *
kmip_link_bio(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
	    "p11kms socket");

	if (m != NULL && BIO_meth_set_write(m, bio_write) == 1 &&
	    BIO_meth_set_read(m, bio_read) == 1 &&
	    BIO_meth_set_ctrl(m, bio_ctrl) == 1)
		return m;
	BIO_meth_free(m);
	return NULL;
}

static int
attach(struct kmip_link *link)
{
	BIO *bio = BIO_new(link->tls->bio);

	if (bio == NULL)
		return kmip_tls_fail(KMS_ERR_MEMORY, "connection");
	BIO_set_data(bio, link);
	BIO_set_init(bio, 1);
	SSL_set_bio(link->ssl, bio, bio); /* owns it */
	return 0;
}

/* --- the link ------------------------------------------------------------ */

bool
kmip_link_is_address(const char *host)
{
	unsigned char b[16];

	return inet_pton(AF_INET, host, b) == 1 ||
	    inet_pton(AF_INET6, host, b) == 1;
}

/* The server must be who was asked for: name or address (RFC 6125). */
static int
expect_host(SSL *ssl, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	char name[NAME_MAX_BYTES]; /* OpenSSL's macro takes no const */

	(void)snprintf(name, sizeof(name), "%s", host);
	if (kmip_link_is_address(host)) {
		if (X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1)
			return 0;
	} else if (SSL_set1_host(ssl, host) == 1 &&
	    SSL_set_tlsext_host_name(ssl, name) == 1) {
		return 0;
	}
	return kmip_tls_fail(KMS_ERR_INTERNAL, "TLS host name");
}

int
kmip_link_new(struct kmip_tls *tls, int fd, const char *host,
    struct kmip_link **out)
{
	struct kmip_link *link;
	int r;

	*out = NULL;
	link = calloc(1, sizeof(*link));
	if (link == NULL)
		return kms_fail(KMS_ERR_MEMORY, "connection: out of memory");
	link->tls = kmip_tls_hold(tls);
	link->client = host != NULL;
	link->fd = fd;
	link->ssl = SSL_new(tls->ctx);
	r = link->ssl == NULL ? kmip_tls_fail(KMS_ERR_MEMORY, "connection")
			      : attach(link);
	if (r == 0 && host != NULL)
		r = expect_host(link->ssl, host);
	if (r != 0) {
		kmip_link_free(&link);
		return r;
	}
	if (link->client)
		SSL_set_connect_state(link->ssl);
	else
		SSL_set_accept_state(link->ssl);
	*out = link;
	return 0;
}

void
kmip_link_free(struct kmip_link **lp)
{
	struct kmip_link *link;

	if (lp == NULL || *lp == NULL)
		return;
	link = *lp;
	*lp = NULL;
	if (link->ssl != NULL && !link->broken &&
	    SSL_is_init_finished(link->ssl))
		(void)SSL_shutdown(link->ssl);
	ERR_clear_error();
	SSL_free(link->ssl);
	X509_free(link->peer);
	kmip_tls_drop(&link->tls);
	free(link);
}

/* What SSL_get_error makes of a call that did not go through. */
static enum kmip_io
not_done(struct kmip_link *link, int ret, const char *what)
{
	long verify;

	switch (SSL_get_error(link->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
		return KMIP_IO_READ;
	case SSL_ERROR_WANT_WRITE:
		return KMIP_IO_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return KMIP_IO_CLOSED;
	case SSL_ERROR_SYSCALL:
		link->broken = true;
		ERR_clear_error();
		return KMIP_IO_CLOSED;
	}
	link->broken = true;
	verify = SSL_get_verify_result(link->ssl);
	if (verify != X509_V_OK && !SSL_is_init_finished(link->ssl)) {
		ERR_clear_error();
		link->error = kms_fail(KMS_ERR_DENIED, "%s: certificate: %s",
		    what, X509_verify_cert_error_string(verify));
	} else {
		link->error = kmip_tls_fail(KMS_ERR_IO, what);
	}
	return KMIP_IO_FAILED;
}

enum kmip_io
kmip_link_shake(struct kmip_link *link)
{
	int n;

	ERR_clear_error();
	n = SSL_do_handshake(link->ssl);
	if (n != 1)
		return not_done(link, n, "TLS handshake");
	link->peer = SSL_get1_peer_certificate(link->ssl);
	if (link->peer != NULL)
		return KMIP_IO_DONE;
	link->broken = true;
	link->error = kms_fail(KMS_ERR_DENIED, "TLS handshake: no certificate");
	return KMIP_IO_FAILED;
}

enum kmip_io
kmip_link_read(struct kmip_link *link, void *p, size_t cap, size_t *n)
{
	int ret;

	*n = 0;
	ERR_clear_error();
	ret = SSL_read_ex(link->ssl, p, cap, n);
	return ret == 1 ? KMIP_IO_DONE : not_done(link, ret, "TLS read");
}

enum kmip_io
kmip_link_write(struct kmip_link *link, const void *p, size_t len, size_t *n)
{
	int ret;

	*n = 0;
	ERR_clear_error();
	ret = SSL_write_ex(link->ssl, p, len, n);
	return ret == 1 ? KMIP_IO_DONE : not_done(link, ret, "TLS write");
}

int
kmip_link_error(const struct kmip_link *link)
{
	return link->error;
}

X509 *
kmip_link_peer(const struct kmip_link *link)
{
	return link->peer;
}

bool
kmip_link_is_resumed(const struct kmip_link *link)
{
	return SSL_session_reused(link->ssl) == 1;
}

int
kmip_link_check(const struct kmip_link *link, struct kmip_tls *tls)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int r;

	if (ctx == NULL ||
	    X509_STORE_CTX_init(ctx, SSL_CTX_get_cert_store(tls->ctx),
		link->peer, SSL_get_peer_cert_chain(link->ssl)) != 1 ||
	    X509_STORE_CTX_set_default(ctx,
		link->client ? "ssl_server" : "ssl_client") != 1) {
		r = kmip_tls_fail(KMS_ERR_MEMORY, "certificate");
		goto out;
	}
	r = 0;
	if (X509_verify_cert(ctx) != 1)
		r = kms_fail(KMS_ERR_DENIED, "certificate: %s",
		    X509_verify_cert_error_string(
			X509_STORE_CTX_get_error(ctx)));
	ERR_clear_error();
out:
	X509_STORE_CTX_free(ctx);
	return r;
}
