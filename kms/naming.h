/*
 * What a tag's key is called: the release log knows tags alone. Names are
 * those of today; of a deleted key the ones that its tombstone kept.
 */
#ifndef KMS_NAMING_H
#define KMS_NAMING_H

#include "kms/tx.h"

struct kms_naming; /* one thread */

struct kms_name_of {
	char group[KMS_NAME_MAX + 1], key[KMS_NAME_MAX + 1]; /* "": unknown */
	bool held; /* the key is in the store */
};

/* Store and actor are borrowed. */
int kms_naming_new(struct kms_store *, const struct kms_actor *,
    struct kms_naming **) KMS_MUST;
void kms_naming_free(struct kms_naming **);
/* Outside of any transaction: it begins its own. A tag that the store never
 * held is 0 and two empty names. */
int kms_naming_find(struct kms_naming *, const struct kms_tag *,
    struct kms_name_of *) KMS_MUST;

#endif
