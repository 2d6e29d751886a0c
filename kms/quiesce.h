/*
 * Quiescing: while somebody holds the store still, changes are refused so
 * that a copy of its files is not torn; reads and releases go on. Inside a
 * transaction begun with kms_tx_begin_quiesced.
 */
#ifndef KMS_QUIESCE_H
#define KMS_QUIESCE_H

#include "kms/tx.h"

/* One more hold. owner may be NULL; lasts in microseconds, 0: until taken
 * back. *outstanding counts those in force afterwards. LIMIT over 64. */
int kms_quiesce_add(struct kms_tx *, const char *owner, int64_t lasts,
    size_t *outstanding) KMS_MUST;
/*
 * Takes the newest hold back, or that owner's newest. *expired: it had run
 * out before, so that changes may have come in between: the copy may be torn
 * (the hold is gone all the same; commit, then say so). STATE: there is none.
 */
int kms_quiesce_remove(struct kms_tx *, const char *owner, bool *expired,
    size_t *outstanding) KMS_MUST;
/* All of them, within the caller's step: a restored copy was made under
 * somebody's hold, who will never take it back there. */
int kms_quiesce_clear(struct kms_tx *) KMS_MUST;

/* Holds in force now; any transaction. */
int kms_quiesce_count(struct kms_tx *, size_t *outstanding) KMS_MUST;

#endif
