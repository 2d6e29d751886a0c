/*
 * A key before it is a record: tag, wrapped bytes, origin. Slow work (KDF,
 * token), done with no transaction open.
 */
#ifndef KMS_MATERIAL_H
#define KMS_MATERIAL_H

#include "kms/record.h"
#include "kms/store.h"

struct kms_material {
	struct kms_tag tag;
	struct kms_wrapped wrapped;
	uint16_t slot; /* KPK */
	enum kms_origin origin;
};

/* Born in the token; salt is C_GenerateRandom ⊕ RAND_priv_bytes. */
int kms_material_random(struct kms_store *, struct kms_material *) KMS_MUST;
/* New key of its own phrase (checked by the caller). */
int kms_material_phrase(struct kms_store *, const struct kms_secret *phrase,
    struct kms_material *) KMS_MUST;
/* New key of the group's phrase; NOTFOUND when the group has none. */
int kms_material_group(struct kms_store *, const char *group,
    struct kms_material *) KMS_MUST;
/* Again, from phrase and tag: AUTH "phrase or tag is wrong"; USAGE for a
 * random or foreign tag, saying that no phrase exists. B1 and B3. */
int kms_material_recover(struct kms_store *, const struct kms_secret *phrase,
    const struct kms_tag *, struct kms_material *) KMS_MUST;
/* The same for a B3 tag whose group's seed was derived before (many keys of
 * one phrase cost one KDF). */
int kms_material_recover_seed(struct kms_store *, const struct kms_secret *seed,
    const struct kms_tag *, struct kms_material *) KMS_MUST;
/* Foreign bytes under a foreign tag. */
int kms_material_import(struct kms_store *, const struct kms_secret *key,
    const struct kms_tag *, struct kms_material *) KMS_MUST;

/* A new seed for a group from its phrase. */
int kms_material_seed(struct kms_store *, const struct kms_secret *phrase,
    struct kms_seed *) KMS_MUST;

#endif
