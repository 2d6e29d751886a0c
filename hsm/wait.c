#include "hsm/wait.h"

/* None of these can fail on Linux with default attributes. */
void
hsm_wait_init(pthread_mutex_t *m, pthread_cond_t *c)
{
	pthread_condattr_t a;

	(void)pthread_condattr_init(&a);
	(void)pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	(void)pthread_cond_init(c, &a);
	(void)pthread_mutex_init(m, NULL);
	(void)pthread_condattr_destroy(&a);
}

struct timespec
hsm_wait_deadline(unsigned ms)
{
	struct timespec t = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += (time_t)(ms / 1000);
	t.tv_nsec += (long)(ms % 1000) * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000L;
	}
	return t;
}

void
hsm_wait_nap(unsigned ms)
{
	struct timespec t = {
	    .tv_sec = (time_t)(ms / 1000),
	    .tv_nsec = (long)(ms % 1000) * 1000000L,
	};

	(void)nanosleep(&t, NULL);
}
