/*
 * The token's lock file, and signals held off. Every SoftHSM login truncates
 * and rewrites the token's file: a kill there loses the token, and another
 * process starting then does not find it. So all users of a token share one
 * lock (p11kms-SERIAL.lock, 0600) around login, create and destroy, and keep
 * signals out meanwhile.
 *
 * Lock order: this lock, then the session pool. A thread that has a session
 * out of the pool must not ask for the lock.
 */
#ifndef HSM_LOCK_H
#define HSM_LOCK_H

#include <signal.h>

#include "kms/base/err.h"

struct hsm_lock;

/* dir: a directory that all users of the token share. */
int hsm_lock_new(const char *dir, unsigned wait_ms, struct hsm_lock **)
    KMS_MUST;
void hsm_lock_free(struct hsm_lock **);
/* The token's serial, known only once the module is loaded: names the file. */
int hsm_lock_bind(struct hsm_lock *, const char *serial) KMS_MUST;

/* Keeps other processes and this process's other threads out. The thread that
 * holds it may enter again; it leaves as often. KMS_ERR_BUSY after wait_ms. */
int hsm_lock_enter(struct hsm_lock *) KMS_MUST;
void hsm_lock_leave(struct hsm_lock *);

/* All but those a fault raises and SIGKILL; this thread. */
void hsm_signals_block(sigset_t *old);
void hsm_signals_restore(const sigset_t *old);

#endif
