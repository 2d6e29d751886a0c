/*
 * Conditions with deadlines on the monotonic clock: a step of the wall clock
 * neither shortens nor lengthens a wait.
 */
#ifndef HSM_WAIT_H
#define HSM_WAIT_H

#include <pthread.h>
#include <time.h>

void hsm_wait_init(pthread_mutex_t *, pthread_cond_t *);
struct timespec hsm_wait_deadline(unsigned ms);
/* For a try again: lets ms go by. */
void hsm_wait_nap(unsigned ms);

#endif
