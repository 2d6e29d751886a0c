/* A sealer in front of another one: at its n-th call it kills the process,
 * before or after the call, or fails instead of it. */
#ifndef TESTS_UNIT_KMS_FAILING_H
#define TESTS_UNIT_KMS_FAILING_H

#include "kms/base/sealer.h"

enum failing_how {
	FAILING_NEVER, /* only counts */
	FAILING_KILL_BEFORE,
	FAILING_KILL_AFTER,
	FAILING_TOKEN, /* KMS_ERR_TOKEN, the call not made */
};

/* inner is borrowed. calls counts on in *calls. */
struct kms_sealer *failing_new(struct kms_sealer *inner, enum failing_how,
    unsigned at, unsigned *calls);

#endif
