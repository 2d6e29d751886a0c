/* What tls.c and link.c share. */
#ifndef KMS_KMIP_TLS_IMPL_H
#define KMS_KMIP_TLS_IMPL_H

#include <pthread.h>

#include <openssl/ssl.h>

#include "kms/kmip/tls.h"

struct kmip_tls {
	pthread_mutex_t lock; /* of holders alone */
	unsigned holders;
	SSL_CTX *ctx;
	BIO_METHOD *bio;
};

/* How links read and write their sockets; NULL: no memory. */
BIO_METHOD *kmip_link_bio(void);

/* OpenSSL's queue in one line, and the code; the queue is empty then. */
int kmip_tls_fail(int code, const char *what);

#endif
