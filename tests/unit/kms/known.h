/* What a store answered once, to ask it again after something was done to it. */
#ifndef TESTS_UNIT_KMS_KNOWN_H
#define TESTS_UNIT_KMS_KNOWN_H

#include "tests/unit/kms/stores.h"

struct known {
	struct kms_tag tag[2];
	uint8_t key[2][32];
};

void known_learn(struct stores *t, struct known *known);
void known_answers(struct stores *t, struct known *known);

#endif
