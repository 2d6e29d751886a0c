#include "hsm/job.h"

#include "hsm/ckr.h"

static int
attempt(struct hsm_token *t, struct hsm_job *j, struct hsm_session *s)
{
	struct hsm_pool *pool = hsm_token_pool(t);
	int r;

	r = hsm_pool_acquire(pool, j->alone, s);
	if (r != 0)
		return r;
	r = j->run(j, s);
	hsm_pool_release(pool, s);
	return r;
}

/* Could another session, other handles or a fresh load answer otherwise? With
 * a stale handle that means another key, any refusal may come of that. */
static bool
is_worth_another(const struct hsm_job *j, int r, const struct hsm_session *s)
{
	if (r == 0)
		return false;
	if (s->rv == CKR_OK && j->expects && r == KMS_ERR_NOTFOUND)
		return true;
	if (s->rv == CKR_OK)
		return j->slot != NULL &&
		    (r == KMS_ERR_AUTH || r == KMS_ERR_MASTER ||
			r == KMS_ERR_NOTFOUND || r == KMS_ERR_TOKEN);
	switch (hsm_ckr_class(s->rv)) {
	case HSM_CKR_PIN:
		return false;
	case HSM_CKR_REFUSED:
		return j->slot != NULL;
	case HSM_CKR_STALE:
	case HSM_CKR_AWAY:
		break;
	}
	return true;
}

/* The keys were found again and, where that could be, proven: so it is the
 * wrapped key that is bad; or a key was never there. */
static bool
is_verdict(struct hsm_keyring *k, const struct hsm_job *j, int r)
{
	bool known;

	if (j->slot == NULL)
		return false;
	known = hsm_keyring_is_known(k, j->slot);
	return known ? r == KMS_ERR_AUTH
		     : r == KMS_ERR_NOTFOUND || r == KMS_ERR_MASTER;
}

static void
forget(struct hsm_keyring *k, const struct hsm_job *j)
{
	if (j->slot != NULL)
		hsm_keyring_forget(k, j->slot);
	if (j->to != NULL)
		hsm_keyring_forget(k, j->to);
}

int
hsm_job_run(struct hsm_token *t, struct hsm_keyring *k, struct hsm_job *j)
{
	struct hsm_session s;
	int r;

	r = attempt(t, j, &s);
	if (!is_worth_another(j, r, &s))
		return r;
	if (s.rv == CKR_OK || hsm_ckr_class(s.rv) != HSM_CKR_AWAY) {
		forget(k, j);
		r = attempt(t, j, &s);
		if (!is_worth_another(j, r, &s) || is_verdict(k, j, r))
			return r;
	}
	r = hsm_token_reload(t, s.generation);
	return r != 0 ? r : attempt(t, j, &s);
}

int
hsm_job_run_locked(struct hsm_token *t, struct hsm_keyring *k,
    struct hsm_job *j)
{
	struct hsm_lock *lock = hsm_token_lock(t);
	sigset_t old;
	int r;

	r = hsm_lock_enter(lock);
	if (r != 0)
		return r;
	hsm_signals_block(&old);
	r = hsm_job_run(t, k, j);
	hsm_signals_restore(&old);
	hsm_lock_leave(lock);
	return r;
}
