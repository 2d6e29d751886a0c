/* Key groups: for tape named as the volume pool, ENCR_…; any other name is a
 * disk or cloud unit. Names are unique. Everything inside a transaction. */
#ifndef KMS_GROUP_H
#define KMS_GROUP_H

#include "kms/tx.h"

struct kms_group_view {
	uint64_t id;
	char name[KMS_NAME_MAX + 1], description[KMS_TEXT_MAX + 1];
	uint8_t cipher;
	bool has_phrase;
	int64_t created, modified;
	size_t keys;
	char active_key[KMS_NAME_MAX + 1]; /* "" when none; newest when many */
};

/* ENCR_ groups hold at most one active key. */
bool kms_group_is_tape(const char *name);

/* seed NULL: no group phrase. EXISTS, LIMIT, USAGE (name); BUSY: the KPK was
 * rotated since the seed was made, as in modify. */
int kms_group_add(struct kms_tx *, const char *name, const char *description,
    const struct kms_seed *seed) KMS_MUST;
/* NULL leaves as it is; seed: keys made from now on use it. */
struct kms_group_change {
	const char *name, *description;
	const struct kms_seed *seed;
};
int kms_group_modify(struct kms_tx *, const char *name,
    const struct kms_group_change *) KMS_MUST;
/* STATE: not empty (force deletes its prelive and terminated keys), or holds
 * an active, inactive or deprecated key (force does not help). */
int kms_group_delete(struct kms_tx *, const char *name, bool force,
    const char *reason) KMS_MUST;

int kms_group_view(struct kms_tx *, const char *name, struct kms_group_view *)
    KMS_MUST;
/* A group's phrase, as the tags of the keys made from it name it. */
struct kms_group_phrase {
	uint8_t salt[16], cost;
};
/* All it has had, oldest first: keys made from them still need them. */
int kms_group_phrases(struct kms_tx *, const char *name,
    struct kms_group_phrase[KMS_SEEDS_MAX], size_t *n) KMS_MUST;
/* In order of creation. */
int kms_group_list(struct kms_tx *,
    int (*each)(void *, const struct kms_group_view *), void *) KMS_MUST;
/* NOTFOUND "key group 'ENCR_x' does not exist; create it with -createkg". */
int kms_group_id(struct kms_tx *, const char *name, uint64_t *id) KMS_MUST;

#endif
