#include "bench/talk.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define TAG(id) KMIP_TAG_##id
#define SECONDS 1.0
#define ROUNDS 5u

/* --- certificate: one for all, its own authority ------------------------- */

static char cert_path[1100], key_path[1100];

static void
add_ext(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (ext == NULL || X509_add_ext(cert, ext, -1) != 1)
		bench_die("certificate", KMS_ERR_INTERNAL);
	X509_EXTENSION_free(ext);
}

void
talk_make_cert(const char *dir)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	FILE *f;

	(void)X509_set_version(cert, 2);
	(void)ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	(void)X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	(void)X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	(void)X509_set_pubkey(cert, key);
	(void)X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
	    MBSTRING_UTF8, (const unsigned char *)"bench", -1, -1, 0);
	(void)X509_set_issuer_name(cert, X509_get_subject_name(cert));
	add_ext(cert, NID_basic_constraints, "critical,CA:TRUE");
	add_ext(cert, NID_subject_alt_name, "IP:127.0.0.1");
	(void)X509_sign(cert, key, EVP_sha256());
	(void)snprintf(cert_path, sizeof(cert_path), "%s/bench.pem", dir);
	(void)snprintf(key_path, sizeof(key_path), "%s/bench.key", dir);
	(void)umask(077);
	f = fopen(cert_path, "w");
	if (f == NULL || PEM_write_X509(f, cert) != 1 || fclose(f) != 0)
		bench_die(cert_path, KMS_ERR_IO);
	f = fopen(key_path, "w");
	if (f == NULL ||
	    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) != 1 ||
	    fclose(f) != 0)
		bench_die(key_path, KMS_ERR_IO);
	X509_free(cert);
	EVP_PKEY_free(key);
}

struct kmip_tls_options
talk_tls_options(void)
{
	return (struct kmip_tls_options){.cert = cert_path,
	    .key = key_path,
	    .ca = cert_path};
}

/* --- a number of threads for a second ------------------------------------ */

struct crew {
	void (*work)(void *ctx, unsigned me, unsigned turn);
	void *ctx;
	atomic_bool stop;
	atomic_ulong done;
};

struct hand {
	struct crew *crew;
	unsigned me;
	pthread_t thread;
};

static void *
toil(void *arg)
{
	struct hand *h = arg;
	unsigned turn;

	for (turn = 0; !atomic_load(&h->crew->stop); turn++) {
		h->crew->work(h->crew->ctx, h->me, turn);
		atomic_fetch_add(&h->crew->done, 1);
	}
	return NULL;
}

/* Calls a second, by so many at once. */
double
talk_rate(void (*work)(void *, unsigned, unsigned), void *ctx, unsigned n)
{
	static struct hand hands[WIRE_MAX];
	struct crew crew = {.work = work, .ctx = ctx};
	struct timespec second = {.tv_sec = (time_t)SECONDS};
	double start = bench_now(), spent;
	unsigned long done;
	unsigned i;

	for (i = 0; i < n; i++) {
		hands[i] = (struct hand){.crew = &crew, .me = i};
		if (pthread_create(&hands[i].thread, NULL, toil, &hands[i]))
			bench_die("thread", KMS_ERR_MEMORY);
	}
	(void)nanosleep(&second, NULL);
	atomic_store(&crew.stop, true);
	done = atomic_load(&crew.done);
	spent = bench_now() - start;
	for (i = 0; i < n; i++)
		(void)pthread_join(hands[i].thread, NULL);
	return (double)done / spent;
}

double
talk_median_rate(void (*work)(void *, unsigned, unsigned), void *ctx,
    unsigned n)
{
	double v[ROUNDS];
	unsigned i;

	for (i = 0; i < ROUNDS; i++)
		v[i] = talk_rate(work, ctx, n);
	return bench_median(v, ROUNDS);
}

/* --- clients ------------------------------------------------------------- */

void
talk_open(struct talk *w, unsigned port, unsigned n)
{
	const struct kmip_tls_options o = talk_tls_options();
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	unsigned i;

	bench_must("tls", kmip_tls_client(&o, &w->tls));
	for (i = 0; i < n; i++) {
		w->fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(w->fd[i], (struct sockaddr *)&a, sizeof(a)) != 0)
			bench_die("connect", KMS_ERR_IO);
		bench_must("link",
		    kmip_link_new(w->tls, w->fd[i], "127.0.0.1", &w->link[i]));
		if (kmip_link_shake(w->link[i]) != KMIP_IO_DONE)
			bench_die("handshake", KMS_ERR_IO);
	}
}

void
talk_close(struct talk *w, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		kmip_link_free(&w->link[i]);
		(void)close(w->fd[i]);
	}
	kmip_tls_drop(&w->tls);
	free(w->many);
	w->many = NULL;
}

static void
read_full(struct kmip_link *link, uint8_t *p, size_t len)
{
	size_t n;

	while (len > 0) {
		if (kmip_link_read(link, p, len, &n) != KMIP_IO_DONE)
			bench_die("read", KMS_ERR_IO);
		p += n;
		len -= n;
	}
}

size_t
talk_exchange(struct talk *w, unsigned me, const void *request, size_t len,
    uint8_t *out, size_t cap)
{
	static const uint8_t good[16] = {0x42, 0, 0x7f, 5, 0, 0, 0, 4};
	size_t n, size;

	if (kmip_link_write(w->link[me], request, len, &n) != KMIP_IO_DONE)
		bench_die("write", KMS_ERR_IO);
	read_full(w->link[me], out, 8);
	size = kms_get32(out + 4);
	if (size > cap - 8)
		bench_die("answer", KMS_ERR_LIMIT);
	read_full(w->link[me], out + 8, size);
	if (memmem(out, size + 8, good, sizeof(good)) == NULL)
		bench_die("answer", KMS_ERR_DENIED);
	return size + 8;
}

void
talk_ask(void *wire, unsigned me, unsigned turn)
{
	struct talk *w = wire;
	const uint8_t *request = w->request;
	uint8_t out[4096];

	if (w->many != NULL)
		request = w->many[((size_t)turn * 7919 + me * 104729) %
		    w->nmany];
	(void)talk_exchange(w, me, request, w->request_len, out, sizeof(out));
}

/* --- requests ------------------------------------------------------------ */

size_t
talk_put_request(uint8_t *out, size_t cap, uint32_t op,
    const struct kms_wr *payload)
{
	static struct kmip_request req;
	struct kms_wr wr;

	memset(&req, 0, sizeof(req));
	req.minor = 2;
	req.n = 1;
	req.call[0].op = op;
	req.call[0].payload = (struct kmip_item){.type = KMIP_STRUCTURE,
	    .value = payload->p,
	    .len = payload->len};
	kms_wr_fixed(&wr, out, cap);
	kmip_msg_put_request(&wr, &req);
	bench_must("request", wr.err);
	return wr.len;
}

static void
fill(struct talk *w, size_t n)
{
	w->many = calloc(n, sizeof(*w->many));
	w->nmany = n;
	if (w->many == NULL)
		bench_die("requests", KMS_ERR_MEMORY);
}

void
talk_fill_gets(struct talk *w, char (*uid)[KMS_TAG_TEXT], size_t n)
{
	struct kms_wr payload;
	size_t i;

	fill(w, n);
	for (i = 0; i < n; i++) {
		kms_wr_grow(&payload, 256);
		kmip_ttlv_put_text(&payload, TAG(UNIQUE_IDENTIFIER), uid[i]);
		w->request_len = talk_put_request(w->many[i],
		    sizeof(w->many[i]), KMIP_OP_GET, &payload);
		kms_wr_free(&payload);
	}
}

void
talk_fill_locates(struct talk *w, char (*name)[TALK_NAME], size_t n)
{
	struct kms_wr payload;
	size_t i;

	fill(w, n);
	for (i = 0; i < n; i++) {
		kms_wr_grow(&payload, 256);
		kmip_attr_put_name(&payload, name[i],
		    KMIP_NAME_UNINTERPRETED_TEXT_STRING);
		w->request_len = talk_put_request(w->many[i],
		    sizeof(w->many[i]), KMIP_OP_LOCATE, &payload);
		kms_wr_free(&payload);
	}
}
