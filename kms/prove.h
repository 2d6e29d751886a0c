/*
 * A master key on the host, for as long as it takes to prove it against what
 * it wrapped: a phrase that brings a key back is known to be right before
 * anything is put into the token.
 */
#ifndef KMS_PROVE_H
#define KMS_PROVE_H

#include "kms/base/sealer.h"

/*
 * Unwraps as the token would with that mechanism (RFC 3394, RFC 5649, GCM,
 * CBC) and compares the check value. AUTH when it is not that key. out may
 * be NULL: only proven; else the caller owns it.
 */
int kms_prove_unwrap(const struct kms_secret *master, enum kms_mech,
    const struct kms_wrapped *, struct kms_secret **out) KMS_MUST;

#endif
