#include "kms/latch.h"

#include <time.h>

int64_t
kms_latch_now(void)
{
	struct timespec t = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct timespec
kms_latch_at(int64_t ms)
{
	return (struct timespec){
	    .tv_sec = (time_t)(ms / 1000),
	    .tv_nsec = (long)(ms % 1000) * 1000000,
	};
}

int
kms_latch_cond(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	int r;

	r = pthread_condattr_init(&attr);
	if (r == 0) {
		r = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
		if (r == 0)
			r = pthread_cond_init(cond, &attr);
		(void)pthread_condattr_destroy(&attr);
	}
	return r == 0 ? 0 : kms_fail(KMS_ERR_MEMORY, "condition: no memory");
}

int
kms_latch_init(struct kms_latch *l)
{
	*l = (struct kms_latch){0};
	if (pthread_mutex_init(&l->mutex, NULL) != 0)
		return kms_fail(KMS_ERR_MEMORY, "mutex: no memory");
	return kms_latch_cond(&l->moved);
}

void
kms_latch_destroy(struct kms_latch *l)
{
	(void)pthread_cond_destroy(&l->moved);
	(void)pthread_mutex_destroy(&l->mutex);
}

bool
kms_latch_share(struct kms_latch *l, int64_t deadline)
{
	const struct timespec t = kms_latch_at(deadline);
	bool got;
	int r = 0;

	pthread_mutex_lock(&l->mutex);
	while ((l->alone || l->waiting > 0) && r == 0)
		r = pthread_cond_timedwait(&l->moved, &l->mutex, &t);
	got = !l->alone && l->waiting == 0;
	if (got)
		l->sharing++;
	pthread_mutex_unlock(&l->mutex);
	return got;
}

bool
kms_latch_alone(struct kms_latch *l, int64_t deadline)
{
	const struct timespec t = kms_latch_at(deadline);
	bool got;
	int r = 0;

	pthread_mutex_lock(&l->mutex);
	l->waiting++;
	while ((l->alone || l->sharing > 0) && r == 0)
		r = pthread_cond_timedwait(&l->moved, &l->mutex, &t);
	l->waiting--;
	got = !l->alone && l->sharing == 0;
	if (got)
		l->alone = true;
	else
		pthread_cond_broadcast(&l->moved); /* sharers waited for us */
	pthread_mutex_unlock(&l->mutex);
	return got;
}

void
kms_latch_leave(struct kms_latch *l)
{
	pthread_mutex_lock(&l->mutex);
	if (l->alone)
		l->alone = false;
	else
		l->sharing--;
	if (l->sharing == 0)
		pthread_cond_broadcast(&l->moved);
	pthread_mutex_unlock(&l->mutex);
}
