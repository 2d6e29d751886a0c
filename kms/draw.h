/* Random bytes of token and host together: neither generator has to be
 * trusted alone. For salts, names and keys that the host makes. */
#ifndef KMS_DRAW_H
#define KMS_DRAW_H

#include "kms/base/sealer.h"

int kms_draw(struct kms_sealer *, uint8_t *, size_t) KMS_MUST;
/* KMS_KEY_LEN bytes. */
int kms_draw_secret(struct kms_sealer *, struct kms_secret **) KMS_MUST;

#endif
