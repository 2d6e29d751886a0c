/*
 * A whole kms_sealer without a token: real AES key wrap (RFC 3394) under
 * master keys in memory. For tests of everything above the sealer; nothing
 * in it is safe against whoever reads the process or the file.
 */
#ifndef TESTS_LIB_SOFT_SEALER_H
#define TESTS_LIB_SOFT_SEALER_H

#include "kms/base/sealer.h"

/*
 * path NULL: keys die with it. Else they are kept in that file and every
 * process that opens it shares them (PATH.lock is the token's lock,
 * PATH.busy guards each change). The caller closes it by sealer->close.
 */
int soft_sealer_new(const char *path, struct kms_sealer **) KMS_MUST;

/* Faults, switched by the test; counts, for it to read. */
struct soft_control {
	bool away;      /* every call is KMS_ERR_TOKEN */
	bool no_anchor; /* takes no data objects: NOTFOUND */
	bool put_fails; /* anchor_put is KMS_ERR_TOKEN and changes nothing */
	unsigned no_ciphers; /* sealer->ciphers without these */
	unsigned wraps, unwraps, puts, crypts;
};

struct soft_control *soft_sealer_control(struct kms_sealer *);

/* A key as the token's owner would have made it: to adopt, or to trip over
 * (extractable; a second one of the same CKA_ID). */
struct soft_planted {
	enum kms_role role;
	const char *label;
	const uint8_t *cka_id;
	size_t cka_id_len;
	const uint8_t *key; /* 32 bytes; NULL: random */
	bool extractable;
};

int soft_sealer_plant(struct kms_sealer *, const struct soft_planted *)
    KMS_MUST;

/* How many master keys the token holds. */
size_t soft_sealer_count(struct kms_sealer *);

#endif
