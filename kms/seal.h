/*
 * Row ⇄ sealed bytes: slot(2) | nonce(12) | ciphertext | tag(16), AES-256-GCM
 * under HKDF-SHA256(file key, "p11kms/1/row"), AAD store UUID | format(2) |
 * kind(2) | id(8) | generation(8) | slot(2). slot: the HMK slot whose file
 * key seals it, so that two can be open during a rotation.
 */
#ifndef KMS_SEAL_H
#define KMS_SEAL_H

#include "kms/base/crypt.h"
#include "kms/record.h"
#include "kms/rows.h"

#define KMS_SEAL_OVERHEAD (2u + KMS_GCM_IV + KMS_GCM_TAG)

struct kms_seal; /* one thread at a time */

int kms_seal_new(const uint8_t uuid[16], struct kms_seal **) KMS_MUST;
/* Adds the file key of an HMK slot; the last added as current seals. */
int kms_seal_add(struct kms_seal *, uint16_t slot,
    const struct kms_secret *file_key, bool current) KMS_MUST;
/* From here on that slot's key seals. INTERNAL when it was not added. */
int kms_seal_use(struct kms_seal *, uint16_t slot) KMS_MUST;
/* The slot whose file key sealed a row; 0 when it is too short. */
uint16_t kms_seal_slot(const struct kms_row *);
void kms_seal_free(struct kms_seal **);

/* out gets the sealed bytes; tag (16 bytes) goes to directory and root. */
int kms_seal_row(struct kms_seal *, const struct kms_row *where,
    const void *plain, size_t, struct kms_wr *out, uint8_t tag[16]) KMS_MUST;
/* plain: room for row->len bytes; *len what it holds. DAMAGED names the row. */
int kms_seal_open(struct kms_seal *, const struct kms_row *, uint8_t *plain,
    size_t *len) KMS_MUST;
/* The GCM tag as it lies in the sealed bytes; NULL when too short. */
const uint8_t *kms_seal_tag(const struct kms_row *);

#endif
