/*
 * What of a KMIP object lies in its key record beside what every key record
 * has: the record's attrs bytes (doc/FORMATS.md, "KMIP attributes"). A record
 * without them is a tape key made on the command line: AES-256, to encrypt
 * and decrypt, its record's name for its Name.
 *
 * Bytes that are no AES-256 key (Secret Data, Opaque Objects, other lengths)
 * are sealed under the record's own data key, so that the token protects
 * them like any other, and rotation, backup and verification need not know.
 */
#ifndef KMS_KMIP_STORED_H
#define KMS_KMIP_STORED_H

#include "kms/kmip/attr.h"
#include "kms/record.h"

#define KMIP_MATERIAL_MAX 8192u /* bytes of an object other than a data key */
#define KMIP_STORED_OWN 16u

enum kmip_stored_flags {
	KMIP_STORED_NAMED = 1,   /* the record's name is its first Name */
	KMIP_STORED_URI = 2,     /* and of type URI */
	KMIP_STORED_FETCHED = 4, /* known not to be fresh */
};

struct kmip_stored {
	unsigned flags;
	uint8_t type, format;           /* enum kmip_object, enum kmip_format */
	uint32_t algorithm, bits, mask; /* 0: has none */
	uint32_t subtype;               /* Secret Data Type, Opaque Data Type */
	const uint8_t *payload; /* sealed; NULL: the key itself is the object */
	size_t payload_len;
	struct kmip_attr *attr; /* owned array; values borrowed */
	size_t n;
	struct kms_wr own[KMIP_STORED_OWN]; /* values made here */
	size_t nown;
};

/* No attributes, a symmetric key of AES-256; flags NAMED. */
void kmip_stored_init(struct kmip_stored *);
void kmip_stored_clear(struct kmip_stored *);

/* Borrows from attrs. DAMAGED; VERSION for a newer layout. */
int kmip_stored_decode(struct kmip_stored *, const void *attrs, size_t len)
    KMS_MUST;
/* Can they be decoded? Asked before they come in with an import. */
int kmip_stored_check(const void *attrs, size_t len) KMS_MUST;
/* Appends. LIMIT over KMS_ATTRS_MAX. */
int kmip_stored_encode(const struct kmip_stored *, struct kms_wr *) KMS_MUST;

/* The instance of that name and index (-1 is 0); NULL when it is not here. */
struct kmip_attr *kmip_stored_find(struct kmip_stored *, const char *name,
    size_t len, int32_t index);
/* By tag, for those with one instance or none. */
const struct kmip_attr *kmip_stored_get(const struct kmip_stored *,
    uint32_t tag);
/* Adds an instance, of the first free index from least up; borrows name and
 * value. LIMIT over KMIP_ATTRS_MAX. index (may be NULL) gets what it got. */
int kmip_stored_add(struct kmip_stored *, const struct kmip_attr *,
    int32_t least, int32_t *index) KMS_MUST;
void kmip_stored_remove(struct kmip_stored *, struct kmip_attr *);

/* The server's own: set, replacing what was there. */
int kmip_stored_set_date(struct kmip_stored *, uint32_t tag, int64_t seconds)
    KMS_MUST;
int kmip_stored_set_reason(struct kmip_stored *, uint32_t code,
    const struct kmip_item *message) KMS_MUST;
/* One more Link, to the object of that tag. */
int kmip_stored_add_link(struct kmip_stored *, uint32_t type,
    const struct kms_tag *) KMS_MUST;
/* SHA-256 of the object's bytes as they are in their format. */
int kmip_stored_set_digest(struct kmip_stored *, const void *, size_t) KMS_MUST;

/* Seals an object's bytes under the record's data key; the result is owned. */
int kmip_stored_seal(struct kmip_stored *, const struct kms_secret *key,
    const struct kms_tag *, const void *, size_t) KMS_MUST;
/* DAMAGED when it does not open. */
int kmip_stored_open(const struct kmip_stored *, const struct kms_secret *key,
    const struct kms_tag *, struct kms_secret **) KMS_MUST;

#endif
