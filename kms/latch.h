/*
 * A lock that many share or one holds alone, waited for until a deadline on
 * a clock that nobody sets. Who wants it alone goes before who would share
 * it, so a change is not kept waiting by readers that keep coming. Not
 * recursive. (pthread_rwlock_clock* would do the same, unseen by
 * ThreadSanitizer.)
 */
#ifndef KMS_LATCH_H
#define KMS_LATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "kms/base/err.h"

struct kms_latch {
	pthread_mutex_t mutex;
	pthread_cond_t moved;
	unsigned sharing, waiting; /* waiting to have it alone */
	bool alone;
};

/* Milliseconds on that clock, and as the pthread functions take them. */
int64_t kms_latch_now(void);
struct timespec kms_latch_at(int64_t ms);
/* A condition variable that waits by it. */
int kms_latch_cond(pthread_cond_t *) KMS_MUST;

int kms_latch_init(struct kms_latch *) KMS_MUST;
void kms_latch_destroy(struct kms_latch *);

/* False when the deadline passed. */
bool kms_latch_share(struct kms_latch *, int64_t deadline);
bool kms_latch_alone(struct kms_latch *, int64_t deadline);
/* Whichever of the two the caller has. */
void kms_latch_leave(struct kms_latch *);

#endif
