#include "kms/base/secret.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <openssl/crypto.h>

#include "kms/base/log.h"

/* OpenSSL deals out powers of two from this size on. A key and its length are
 * 40 bytes: 64. */
#define HEAP_PIECE 32u
#define HEAP_LEAST 4096u

struct kms_secret {
	size_t len;
	uint8_t bytes[];
};

/* Set once by kms_secret_init before there are threads. */
static struct {
	bool ready, plain, locked;
} heap;

static int
not_locked(size_t bytes, enum kms_secret_mode mode)
{
	struct rlimit lim = {0};

	(void)getrlimit(RLIMIT_MEMLOCK, &lim);
	if (mode == KMS_SECRET_OPTIONAL) {
		kms_log(KMS_LOG_WARN, "memory.unlocked",
		    "bytes=%zu memlock=%llu", bytes,
		    (unsigned long long)lim.rlim_cur);
		return 0;
	}
	(void)CRYPTO_secure_malloc_done();
	return kms_fail(KMS_ERR_LIMIT,
	    "memory for secrets: %zu bytes cannot be locked, RLIMIT_MEMLOCK "
	    "is %llu; raise it (ulimit -l, LimitMEMLOCK=) or set "
	    "memory_lock = optional",
	    bytes, (unsigned long long)lim.rlim_cur);
}

int
kms_secret_init(size_t bytes, enum kms_secret_mode mode)
{
	int r;

	if (heap.ready)
		return kms_fail(KMS_ERR_INTERNAL, "secret heap: set up twice");
	if (mode == KMS_SECRET_PLAIN) {
		heap.plain = heap.ready = true;
		return 0;
	}
	/* OpenSSL aborts on these */
	if (bytes < HEAP_LEAST || (bytes & (bytes - 1)) != 0)
		return kms_fail(KMS_ERR_INTERNAL,
		    "secret heap: %zu bytes are no power of two", bytes);
	/* 1: locked and not dumped; 2: made, but not so; 0: not made */
	r = CRYPTO_secure_malloc_init(bytes, HEAP_PIECE);
	if (r == 0)
		return kms_fail(KMS_ERR_LIMIT,
		    "memory for secrets: no heap of %zu bytes", bytes);
	heap.locked = r == 1;
	if (!heap.locked) {
		r = not_locked(bytes, mode);
		if (r != 0)
			return r;
	}
	heap.ready = true;
	return 0;
}

bool
kms_secret_locked(void)
{
	return heap.ready && heap.locked;
}

int
kms_secret_new(size_t len, struct kms_secret **out)
{
	struct kms_secret *s;
	size_t size;

	*out = NULL;
	if (!heap.ready)
		return kms_fail(KMS_ERR_INTERNAL, "secret heap: not set up");
	if (len > SIZE_MAX / 2)
		return kms_fail(KMS_ERR_LIMIT, "secret of %zu bytes", len);
	size = sizeof(*s) + len;
	s = heap.plain ? calloc(1, size)
		       : CRYPTO_secure_zalloc(size, __FILE__, __LINE__);
	if (s == NULL)
		return kms_fail(KMS_ERR_LIMIT,
		    "memory for secrets is used up (%zu bytes wanted)", len);
	s->len = len;
	*out = s;
	return 0;
}

int
kms_secret_from(void *buf, size_t len, struct kms_secret **out)
{
	int r;

	r = kms_secret_new(len, out);
	if (r == 0 && len > 0)
		memcpy((*out)->bytes, buf, len);
	OPENSSL_cleanse(buf, len);
	return r;
}

int
kms_secret_dup(const struct kms_secret *s, struct kms_secret **out)
{
	int r;

	r = kms_secret_new(s->len, out);
	if (r == 0)
		memcpy((*out)->bytes, s->bytes, s->len);
	return r;
}

struct kms_secret *
kms_secret_take(struct kms_secret **from)
{
	struct kms_secret *s = *from;

	*from = NULL;
	return s;
}

const uint8_t *
kms_secret_bytes(const struct kms_secret *s)
{
	return s->bytes;
}

uint8_t *
kms_secret_fill(struct kms_secret *s)
{
	return s->bytes;
}

size_t
kms_secret_len(const struct kms_secret *s)
{
	return s->len;
}

int
kms_secret_truncate(struct kms_secret *s, size_t len)
{
	if (len > s->len)
		return kms_fail(KMS_ERR_INTERNAL,
		    "secret of %zu bytes cut to %zu", s->len, len);
	OPENSSL_cleanse(s->bytes + len, s->len - len);
	s->len = len;
	return 0;
}

bool
kms_secret_equal(const struct kms_secret *a, const struct kms_secret *b)
{
	return a->len == b->len &&
	    CRYPTO_memcmp(a->bytes, b->bytes, a->len) == 0;
}

void
kms_secret_free(struct kms_secret **sp)
{
	struct kms_secret *s;

	if (sp == NULL || *sp == NULL)
		return;
	s = kms_secret_take(sp);
	OPENSSL_cleanse(s->bytes, s->len);
	if (heap.plain)
		free(s);
	else
		CRYPTO_secure_free(s, __FILE__, __LINE__);
}
