/* A store with three keys, whose master key becomes "second". */
#ifndef TESTS_UNIT_KMS_ROTATED_H
#define TESTS_UNIT_KMS_ROTATED_H

#include "kms/rewrap.h"
#include "tests/unit/kms/stores.h"

#define ROTATED_KEYS 3u

struct keys {
	struct kms_tag tag[ROTATED_KEYS];
	uint8_t key[ROTATED_KEYS][32];
};

extern const struct kms_setup_master rotated_second;
void rotated_begin(struct stores *t, struct keys *k, bool shared);
void rotated_same_keys(struct stores *t, const struct keys *k);
void rotated_current_is(struct stores *t, enum kms_role role, const char *id);
int rotated_rotate(struct stores *t, enum kms_role role);
enum kms_role rotated_role(int i);

#endif
