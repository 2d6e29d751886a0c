/*
 * Exactly one token, loaded and logged in, and brought back after it was
 * away. The PIN's rules (guard, final try, one login) are all kept here.
 */
#ifndef HSM_TOKEN_H
#define HSM_TOKEN_H

#include "hsm/lock.h"
#include "hsm/pin.h"
#include "hsm/pool.h"

struct hsm_options {
	const char *uri;        /* [token] uri */
	const char *lock_dir;   /* [token] lock_dir; NULL: /run/lock */
	const char *guard_path; /* pin.guard, beside the store */
	hsm_pin_ask *ask;       /* NULL: there is no terminal. May be called
				 * again when the token must be re-opened. */
	void *ask_arg;
	bool retry_pin;    /* -retrypin: for the first login only */
	unsigned wait_ms;  /* for locks and sessions; 0: 10 seconds */
	unsigned sessions; /* at most so many; 0: 4 */
};

/* What the token says of itself, for -tokeninfo and -doctor. */
struct hsm_info {
	char label[33], serial[17], model[17], manufacturer[33];
	char firmware[12]; /* "2.6" */
	bool login_required, pin_pad, pin_set;
	bool pin_count_low, pin_final_try, pin_locked, pin_to_be_changed;
	bool write_protected;
};

struct hsm_token;

/*
 * Loads the module, finds the token, logs in under the token's lock. "Not
 * found" is tried a few times: another process's login may be rewriting the
 * token's file. KMS_ERR_PIN: wrong, refused by the guard, locked, or on its
 * final try, which is never spent. KMS_ERR_TOKEN: not there.
 */
int hsm_token_open(const struct hsm_options *, struct hsm_token **) KMS_MUST;
/* As open, but without PIN and login. */
int hsm_token_peek(const struct hsm_options *, struct hsm_info *) KMS_MUST;
/* Not while other threads use it. In a forked child it only frees. */
void hsm_token_close(struct hsm_token **);

/*
 * Full teardown and open again, with one login, unless somebody else did so
 * since generation. All sessions and handles of before are void. The caller
 * has no session out. Another serial under the same name is refused: that is
 * another token. On failure the token is away until a reload succeeds.
 */
int hsm_token_reload(struct hsm_token *, unsigned generation) KMS_MUST;

/* Borrowed, as long as the token lives. */
struct hsm_pool *hsm_token_pool(struct hsm_token *);
struct hsm_lock *hsm_token_lock(struct hsm_token *);
const char *hsm_token_label(const struct hsm_token *);
const char *hsm_token_serial(const struct hsm_token *);

/* Asked anew: PIN flags change. */
int hsm_token_info(const struct hsm_token *, struct hsm_session *,
    struct hsm_info *) KMS_MUST;

#endif
