/*
 * The store's clear header: enough to re-create both master keys from their
 * phrases with nothing else but this file (doc/FORMATS.md §2). It is stored
 * twice, each copy with its SHA-256; the root holds the hash too.
 */
#ifndef KMS_HEADER_H
#define KMS_HEADER_H

#include "kms/base/buf.h"
#include "kms/base/sealer.h"

#define KMS_HEADER_VERSION 1u
#define KMS_SLOTS_MAX 32u
#define KMS_HEADER_MAX 32768u

struct kms_header_slot {
	struct kms_slot slot;
	struct kms_wrapped file_key; /* HMK only; else len 0 */
};

struct kms_header {
	uint8_t uuid[16];
	int64_t created;
	bool anchor; /* false: the token takes no data object */
	struct kms_header_slot slot[KMS_SLOTS_MAX];
	size_t n;
};

int kms_header_encode(const struct kms_header *, struct kms_wr *) KMS_MUST;
/* KMS_ERR_DAMAGED; KMS_ERR_VERSION "format 2 is newer than this program". */
int kms_header_decode(struct kms_header *, const void *, size_t) KMS_MUST;
int kms_header_hash(const void *, size_t, uint8_t out[32]) KMS_MUST;

/* A wrapped key as it lies in header, records and root: len(1) | bytes | check
 * value(8), or len 0 alone. */
void kms_wrapped_encode(const struct kms_wrapped *, struct kms_wr *);
void kms_wrapped_decode(struct kms_wrapped *, struct kms_rd *);

/* The slot of that role and place; NULL when there is none. Borrowed. */
struct kms_header_slot *kms_header_find(struct kms_header *, enum kms_role,
    enum kms_slot_place);
struct kms_header_slot *kms_header_by_no(struct kms_header *, uint16_t no);
/* A number not used yet. */
uint16_t kms_header_next_no(const struct kms_header *);

/* "passphrase", "token", "adopted"; "aes-key-wrap", … for -info. */
const char *kms_slot_origin_name(enum kms_slot_origin);
const char *kms_mech_name(enum kms_mech);
const char *kms_role_name(enum kms_role); /* "HMK", "KPK" */
void kms_uuid_text(const uint8_t uuid[16], char out[37]);

#endif
