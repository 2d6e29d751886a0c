/*
 * Sessions, one thread at a time each. A session out of the pool is also the
 * read lock on the token: login, re-open and close first drain the pool, for
 * closing under a running call crashes SoftHSM and opencryptoki. A session
 * whose call failed is not put back: it may be left in the middle of an
 * operation for ever.
 */
#ifndef HSM_POOL_H
#define HSM_POOL_H

#include <stdbool.h>

#include <p11-kit/pkcs11.h>

#include "kms/base/err.h"

struct hsm_pool;

/* A session at work. rv remembers the last CK_RV that made a call fail, for
 * the retry rule; generation tells which opening of the token it belongs to:
 * object handles of another generation are void. */
struct hsm_session {
	CK_FUNCTION_LIST *f;
	CK_SESSION_HANDLE h;
	CK_SLOT_ID slot;
	unsigned generation;
	bool alone;
	CK_RV rv;
};

/* Records the failed call, as hsm_ckr_fail does, and remembers rv. */
int hsm_session_fail(struct hsm_session *, CK_RV, const char *call);

/*
 * One more session beside s, outside the pool: for trials that may leave it in
 * the middle of an operation, and whose session objects shall go with it. The
 * caller holds s meanwhile, so that the token is not closed under it. A
 * failure is remembered in s.
 */
int hsm_session_beside(struct hsm_session *s, struct hsm_session *) KMS_MUST;
void hsm_session_close(struct hsm_session *);

/* Empty and drained: hsm_pool_resume starts it. */
int hsm_pool_new(unsigned max, unsigned wait_ms, struct hsm_pool **) KMS_MUST;
/* Drained before; frees. */
void hsm_pool_free(struct hsm_pool **);

/*
 * alone: and no other session is out until this one is back; the caller holds
 * the token's lock, so that no two want it.
 * KMS_ERR_BUSY when all are out, or the pool is drained, for wait_ms.
 * KMS_ERR_TOKEN when the token is away (rv says so) or this is a forked
 * child, which must open its own. On failure *s holds rv and generation.
 */
int hsm_pool_acquire(struct hsm_pool *, bool alone, struct hsm_session *)
    KMS_MUST;
/* Closes it instead when its rv is not CKR_OK. */
void hsm_pool_release(struct hsm_pool *, struct hsm_session *);

/*
 * Waits until no session is out, then closes all and lets none out until
 * resume: the caller alone may use the token. KMS_ERR_BUSY after wait_ms:
 * then nothing is changed.
 */
int hsm_pool_drain(struct hsm_pool *) KMS_MUST;
unsigned hsm_pool_generation(struct hsm_pool *);
/* The next generation begins, on this slot; f NULL: the token is away. */
void hsm_pool_resume(struct hsm_pool *, CK_FUNCTION_LIST *f, CK_SLOT_ID);

#endif
