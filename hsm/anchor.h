/*
 * The store's anchor: opaque bytes in a private data object, labelled with the
 * store's UUID in hex, application "p11kms". Many tokens cannot change a data
 * object (SoftHSM: only its label), so a new one is made before the old ones
 * are destroyed; a kill between leaves two, and the reader takes the higher.
 */
#ifndef HSM_ANCHOR_H
#define HSM_ANCHOR_H

#include "hsm/object.h"
#include "kms/base/sealer.h"

/* All there are, at most cap; none is n = 0. KMS_ERR_NOTFOUND, rv not set:
 * the token takes no data objects. */
int hsm_anchor_get(struct hsm_session *, const uint8_t uuid[16],
    struct kms_anchor *, size_t cap, size_t *n) KMS_MUST;
/* One like it that is there already counts as made: so it may be called again
 * after an answer was lost. Under the token's lock. NOTFOUND as above. */
int hsm_anchor_put(struct hsm_session *, const uint8_t uuid[16],
    const struct kms_anchor *) KMS_MUST;

#endif
