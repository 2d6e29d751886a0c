/* What stays of a deleted group or key, in the row that was its own. */
#ifndef KMS_TOMBSTONE_H
#define KMS_TOMBSTONE_H

#include "kms/tx.h"

/*
 * Puts the tombstone of a record in the caller's step: tag, names, times, who
 * and, for KMIP, its attributes. Of a key's wrapped bytes nothing stays.
 * group: the name of a key's group; a group's own is taken from it.
 */
int kms_tombstone_put(struct kms_tx *, const struct kms_record *,
    const char *group) KMS_MUST;

#endif
