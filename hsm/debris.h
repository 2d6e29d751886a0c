/*
 * Half-made objects: a create that was killed leaves an object that still
 * lacks class, CKA_ID, value or label (on SoftHSM even CKA_TOKEN is false
 * yet). They are told from other people's objects by what was there before: an
 * object already on that list is never touched.
 *
 * On a session that is alone (hsm_pool_acquire): another thread's data key in
 * the making would look the same.
 */
#ifndef HSM_DEBRIS_H
#define HSM_DEBRIS_H

#include <stdint.h>

#include "hsm/object.h"

/*
 * A fingerprint of each half-made object now in the token. Two that look alike
 * have the same one, and are then alike in all that we can read of them.
 * KMS_ERR_LIMIT: more than cap.
 */
int hsm_debris_list(struct hsm_session *, uint8_t (*)[32], size_t cap,
    size_t *n) KMS_MUST;

/* Destroys the half-made objects that are not on the list; of several alike,
 * as many as there are more than on the list. Under the token's lock. */
int hsm_debris_sweep(struct hsm_session *, const uint8_t (*)[32], size_t n,
    size_t *swept) KMS_MUST;

#endif
