/*
 * Secret bytes on OpenSSL's secure heap: locked, not dumped, wiped. One
 * type, so that a secret cannot be passed where bytes are expected without
 * somebody writing kms_secret_bytes(), which can be searched for.
 */
#ifndef KMS_BASE_SECRET_H
#define KMS_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kms/base/err.h"

struct kms_secret;

#define KMS_KEY_LEN 32u /* every symmetric key here is AES-256 */

enum kms_secret_mode {
	KMS_SECRET_LOCKED,   /* not lockable is KMS_ERR_LIMIT */
	KMS_SECRET_OPTIONAL, /* not lockable is a warning */
	KMS_SECRET_PLAIN, /* malloc, so that ASan and valgrind see overruns */
};

/*
 * Once, at start, before any other thread. bytes: size of the heap, a power
 * of two from 4096 on. KMS_ERR_LIMIT names RLIMIT_MEMLOCK when memory cannot be locked.
 * A forked child inherits the heap but not the lock (mlock(2)).
 */
int kms_secret_init(size_t bytes, enum kms_secret_mode) KMS_MUST;
/* True when secrets really lie in locked memory. */
bool kms_secret_locked(void);

/* Zeroed. Heap full: KMS_ERR_LIMIT, never malloc. len 0 is allowed. */
int kms_secret_new(size_t len, struct kms_secret **) KMS_MUST;
/* Copies buf and wipes it, also on failure. */
int kms_secret_from(void *buf, size_t len, struct kms_secret **) KMS_MUST;
/* A second copy: only where two owners must live on. */
int kms_secret_dup(const struct kms_secret *, struct kms_secret **) KMS_MUST;
/* Moves ownership and nulls the source. */
struct kms_secret *kms_secret_take(struct kms_secret **);

const uint8_t *kms_secret_bytes(const struct kms_secret *);
uint8_t *kms_secret_fill(struct kms_secret *);
size_t kms_secret_len(const struct kms_secret *);
/* Shortens; the bytes cut off are wiped. Longer is KMS_ERR_INTERNAL. */
int kms_secret_truncate(struct kms_secret *, size_t len) KMS_MUST;

/* Constant time for equal lengths. */
bool kms_secret_equal(const struct kms_secret *, const struct kms_secret *);

/* Wipes and nulls; NULL and NULL content are accepted. */
void kms_secret_free(struct kms_secret **);

#endif
