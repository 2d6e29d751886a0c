/*
 * The token of the soft sealer: master keys and anchors in memory and, when
 * it has a path, in a file that several processes share. Not thread-safe.
 */
#ifndef TESTS_LIB_SOFT_TOKEN_H
#define TESTS_LIB_SOFT_TOKEN_H

#include "kms/base/sealer.h"

#define SOFT_KEYS 16u
#define SOFT_ANCHORS 16u

struct soft_key {
	enum kms_role role;
	uint8_t cka_id[KMS_CKAID_MAX];
	size_t cka_id_len;
	char label[KMS_ID_MAX + 16];
	uint8_t key[KMS_KEY_LEN];
	bool extractable; /* makes it unfit as a master key */
};

struct soft_anchor {
	uint8_t uuid[16];
	struct kms_anchor anchor;
};

struct soft_token {
	const char *path; /* NULL: memory only */
	char serial[17];
	struct soft_key key[SOFT_KEYS];
	size_t nkeys;
	struct soft_anchor anchor[SOFT_ANCHORS];
	size_t nanchors;
};

/* Path is kept, not copied. A missing file is a new token. */
int soft_token_open(struct soft_token *, const char *path) KMS_MUST;
/* What the file holds now; nothing to do in memory. */
int soft_token_load(struct soft_token *) KMS_MUST;
int soft_token_save(const struct soft_token *) KMS_MUST;

/* Keys of this CKA_ID; the last one found in *at, which may be NULL. */
size_t soft_token_find(struct soft_token *, const uint8_t *cka_id, size_t,
    struct soft_key **at);
/* The one key that is to be adopted. NOTFOUND; MASTER: several. */
int soft_token_find_wanted(struct soft_token *, const struct kms_wanted *,
    struct soft_key **) KMS_MUST;
/* As the slot plans it, of the secret or, NULL, of random bytes. */
int soft_token_new_key(const struct kms_secret *, const struct kms_slot *,
    struct soft_key *) KMS_MUST;
int soft_token_add(struct soft_token *, const struct soft_key *) KMS_MUST;
void soft_token_drop(struct soft_token *, const uint8_t *cka_id, size_t);
/* Replaces the anchors of this store. */
int soft_token_set_anchor(struct soft_token *, const uint8_t uuid[16],
    const struct kms_anchor *) KMS_MUST;

/* data NULL: a random key is born here. w is filled only on success. */
int soft_token_wrap(const struct soft_key *master,
    const struct kms_secret *data, struct kms_wrapped *w) KMS_MUST;
/* KMS_ERR_AUTH when it does not unwrap or the check value differs. */
int soft_token_unwrap(const struct soft_key *master, const struct kms_wrapped *,
    struct kms_secret **) KMS_MUST;

#endif
