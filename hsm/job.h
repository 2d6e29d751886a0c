/*
 * One operation on the token, and the retry rule.
 *
 * After any token error the session is closed, the keys are found again in a
 * fresh one and proven; still bad: everything is torn down and loaded anew,
 * with one login, once. What then still fails is the answer.
 */
#ifndef HSM_JOB_H
#define HSM_JOB_H

#include "hsm/keyring.h"
#include "hsm/token.h"

struct hsm_job {
	/* May run up to three times; what it creates it first looks for. */
	int (*run)(struct hsm_job *, struct hsm_session *);
	/* The master keys it uses, or NULL: they are found and proven again. */
	const struct kms_slot *slot, *to;
	bool alone; /* no other call to the token meanwhile */
	/* What it looks for was there before: not found, the token may have
	 * been away, and shows a session from before nothing. */
	bool expects;
};

int hsm_job_run(struct hsm_token *, struct hsm_keyring *, struct hsm_job *)
    KMS_MUST;
/* For what creates and destroys: under the token's lock, and not killed by a
 * signal half-way. */
int hsm_job_run_locked(struct hsm_token *, struct hsm_keyring *,
    struct hsm_job *) KMS_MUST;

#endif
