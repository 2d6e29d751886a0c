/* Threads of a library: no signal is theirs to take. */
#ifndef KMS_BASE_THREAD_H
#define KMS_BASE_THREAD_H

#include <pthread.h>

/* As pthread_create, with every signal blocked in the new thread: they are the
 * program's to take. Its errno, 0 when it runs. */
int kms_thread_start(pthread_t *, void *(*run)(void *), void *arg);

#endif
