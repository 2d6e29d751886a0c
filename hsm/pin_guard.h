/*
 * A PIN that failed is not tried again, across restarts: a service that is
 * started again and again with a wrong PIN would lock the token, or, on some
 * HSMs, wipe it.
 *
 * The guard is a file beside the store (0600). It holds the token's serial, a
 * salt, and 16 bits of an HKDF of the PIN: enough to recognise the PIN that
 * failed, too little to find it. It is written "trying" and synced before
 * C_Login, removed when the login succeeds, and set to "failed" when the token
 * says that the PIN is wrong. Left at "trying" by a kill it allows one more
 * login; left so twice, it counts as failed.
 *
 * File: "p11kms guard" (12) | version 2 (1) | state (1: 1 trying, 2 failed) |
 * logins tried (1) | serial (16) | salt (16) | check (2).
 *
 * Call all of it under the token's lock.
 */
#ifndef HSM_PIN_GUARD_H
#define HSM_PIN_GUARD_H

#include <stdbool.h>

#include "hsm/ckr.h"
#include "kms/base/secret.h"

#define HSM_PIN_GUARD_LEN 49u

struct hsm_pin_guard {
	const char *path;
	const char *serial;
	bool typed; /* at a terminal just now: always tried */
	bool retry; /* -retrypin: try once more what is remembered as wrong */
	uint8_t was[HSM_PIN_GUARD_LEN]; /* private: the file before this try */
	size_t was_len;
};

/* KMS_ERR_PIN: this PIN failed before, with what to do; nothing was tried.
 * Not writable: no login. On 0 the file says "trying" and is on disk. */
int hsm_pin_guard_before(struct hsm_pin_guard *, const struct kms_secret *pin)
    KMS_MUST;

/*
 * What C_Login answered. Success removes the guard; a verdict on the PIN makes
 * it "failed"; an answer that came before the PIN was looked at takes this
 * try back; any other answer leaves "trying", for the token may have counted
 * it.
 */
int hsm_pin_guard_after(const struct hsm_pin_guard *, CK_RV) KMS_MUST;

#endif
