/* The five states of a key record, as NetBackup has them, and one table of
 * the steps between them. Values are on disk for ever. */
#ifndef KMS_STATE_H
#define KMS_STATE_H

#include <stdbool.h>

#include "kms/base/err.h"

enum kms_state {
	KMS_PRELIVE = 1,
	KMS_ACTIVE = 2,
	KMS_INACTIVE = 3,
	KMS_DEPRECATED = 4,
	KMS_TERMINATED = 5,
};
#define KMS_STATES 5u

const char *kms_state_name(enum kms_state);
/* KMS_ERR_USAGE lists the names. */
int kms_state_parse(const char *, enum kms_state *) KMS_MUST;

/* May a record go from one to the other in one step? Same state: yes.
 * KMS_ERR_STATE names the path that would be allowed. */
int kms_state_check(enum kms_state from, enum kms_state to) KMS_MUST;

bool kms_state_encrypts(enum kms_state);
bool kms_state_decrypts(enum kms_state);
bool kms_state_deletable(enum kms_state);

#endif
