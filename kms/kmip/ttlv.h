/*
 * TTLV (KMIP 1.4 section 9.1): tag 3 bytes, type 1, length 4, value padded
 * to a multiple of 8. A message is checked whole, once, before anything in it
 * is looked at; after that, walking cannot leave it.
 */
#ifndef KMS_KMIP_TTLV_H
#define KMS_KMIP_TTLV_H

#include "kms/base/buf.h"
#include "kms/kmip/def.h"

#define KMIP_HEAD 8u /* bytes before a value */
#define KMIP_DEPTH_MAX 16u
#define KMIP_ITEMS_MAX 16384u
#define KMIP_MESSAGE_MAX (1u << 20)

/* One item, borrowed from the message; type 0: absent. */
struct kmip_item {
	uint32_t tag;
	uint8_t type;
	const uint8_t *value;
	size_t len; /* without padding */
};

/*
 * The whole size of the message whose first 8 bytes these are. LIMIT-like
 * refusals are INVALID_MESSAGE: not a structure of that tag, or over max.
 */
int kmip_ttlv_size(const uint8_t head[KMIP_HEAD], uint32_t tag, size_t max,
    size_t *size) KMS_MUST;

/*
 * Exactly one item and nothing after it; lengths, types, Booleans, depth and
 * number of items all through. INVALID_MESSAGE. Padding is not looked at.
 */
int kmip_ttlv_check(const void *, size_t len, struct kmip_item *top) KMS_MUST;

/* Walks a checked structure's children: init once, next until false. Bytes
 * not checked before end the walk early, never beyond them. */
void kmip_ttlv_walk(struct kms_rd *, const struct kmip_item *structure);
bool kmip_ttlv_next(struct kms_rd *, struct kmip_item *);
/* The first child of that tag; false (type 0) when there is none. */
bool kmip_ttlv_find(const struct kmip_item *structure, uint32_t tag,
    struct kmip_item *);

/* What a structure may hold; to gets the (first) item. */
struct kmip_field {
	uint32_t tag;
	uint8_t type; /* 0: any */
	enum { KMIP_OPTIONAL, KMIP_REQUIRED, KMIP_MANY } times;
	struct kmip_item *to; /* NULL: accepted and not looked at */
};
/*
 * Sorts a structure's children into fields (any order is accepted). Missing:
 * MISSING_DATA. A second one, another type, a child not listed: INVALID_FIELD;
 * lenient lets the last pass (a newer minor version, section 11.1).
 */
int kmip_ttlv_fields(const struct kmip_item *structure,
    const struct kmip_field *, size_t n, bool lenient) KMS_MUST;

/* Values. Another type: INVALID_FIELD naming the tag. */
int kmip_ttlv_int(const struct kmip_item *, int32_t *) KMS_MUST;
int kmip_ttlv_enum(const struct kmip_item *, uint32_t *) KMS_MUST;
int kmip_ttlv_bool(const struct kmip_item *, bool *) KMS_MUST;
int kmip_ttlv_date(const struct kmip_item *, int64_t *) KMS_MUST;
/* Copied and terminated; over cap or not plain UTF-8: INVALID_FIELD. */
int kmip_ttlv_text(const struct kmip_item *, char *, size_t cap) KMS_MUST;
/* The tag's name, or its six hex digits, for messages. */
const char *kmip_ttlv_name(const struct kmip_item *, char buf[16]);
/* Same tag, type and value bytes. */
bool kmip_ttlv_equal(const struct kmip_item *, const struct kmip_item *);

/* Writing. A structure is begun and ended; errors stick to the writer. */
size_t kmip_ttlv_begin(struct kms_wr *, uint32_t tag);
void kmip_ttlv_end(struct kms_wr *, size_t begun);
void kmip_ttlv_put_int(struct kms_wr *, uint32_t tag, int32_t);
void kmip_ttlv_put_long(struct kms_wr *, uint32_t tag, int64_t);
void kmip_ttlv_put_enum(struct kms_wr *, uint32_t tag, uint32_t);
void kmip_ttlv_put_bool(struct kms_wr *, uint32_t tag, bool);
void kmip_ttlv_put_text(struct kms_wr *, uint32_t tag, const char *);
void kmip_ttlv_put_bytes(struct kms_wr *, uint32_t tag, const void *, size_t);
void kmip_ttlv_put_date(struct kms_wr *, uint32_t tag, int64_t seconds);
void kmip_ttlv_put_interval(struct kms_wr *, uint32_t tag, uint32_t seconds);
/* An item as it was read, under another tag perhaps; padding is zeros. Its
 * inside, when it is a structure, is copied byte by byte. */
void kmip_ttlv_put_item(struct kms_wr *, uint32_t tag,
    const struct kmip_item *);
/* Bytes an item with a value of len takes. */
size_t kmip_ttlv_space(size_t len);

#endif
