/*
 * One attribute: which there are, what a client may do with each, what its
 * value must look like (KMIP 1.4 section 3), and its form on the wire: an
 * Attribute structure of name, index and value (section 2.1.1).
 */
#ifndef KMS_KMIP_ATTR_H
#define KMS_KMIP_ATTR_H

#include "kms/kmip/ttlv.h"

#define KMIP_ATTR_NAME_MAX 255u
#define KMIP_ATTR_VALUE_MAX 8192u
#define KMIP_ATTRS_MAX 256u /* stored with one object */
#define KMIP_NOTE "x-p11kms-volume" /* a tape that a client wrote: op_note */

/* What a client may do; nothing: the server's own. */
enum kmip_attr_flags {
	KMIP_ATTR_MANY = 1,   /* several instances, told apart by index */
	KMIP_ATTR_CREATE = 2, /* in Create and Register */
	KMIP_ATTR_ADD = 4,
	KMIP_ATTR_MODIFY = 8,
	KMIP_ATTR_DELETE = 16,
	KMIP_ATTR_FREE = 30, /* the four above */
};

struct kmip_attr_def {
	uint32_t tag; /* KMIP_TAG_CUSTOM_ATTRIBUTE for every x-… and y-… */
	uint8_t type; /* 0: any */
	uint8_t flags;
};

/* A NULL def is an attribute that this server does not know. */
struct kmip_attr {
	const struct kmip_attr_def *def;
	const char *name; /* borrowed, not terminated */
	size_t name_len;
	int32_t index;          /* -1: not given */
	struct kmip_item value; /* type 0: not given */
};

/* NULL for an unknown name. Names are exact (section 3: spelled with blanks). */
const struct kmip_attr_def *kmip_attr_def(const char *name, size_t len);
/* By tag; NULL when there is no such attribute. */
const struct kmip_attr_def *kmip_attr_by_tag(uint32_t tag);
/* The minor version that first has it. */
unsigned kmip_attr_since(const struct kmip_attr_def *);
bool kmip_attr_named(const struct kmip_attr *, const char *name);
bool kmip_attr_same_name(const struct kmip_attr *, const struct kmip_attr *);

/* An Attribute structure; borrowed. INVALID_FIELD, MISSING_DATA (no name). */
int kmip_attr_read(const struct kmip_item *, struct kmip_attr *) KMS_MUST;
/*
 * Known in this version, value there and of the right type and size, index
 * sensible. may: what the client wants to do, one of the flags; what is the
 * server's own is PERMISSION_DENIED. 0: not asked.
 */
int kmip_attr_check(const struct kmip_attr *, unsigned minor, unsigned may)
    KMS_MUST;

/* Does the value meet a Locate criterion? A structure may be given in part:
 * every field that is given must be there (section 4.9). */
bool kmip_attr_meets(const struct kmip_item *criterion,
    const struct kmip_item *value);

/* The text of a child, borrowed; false when there is none. For the fields of
 * Name, Application Specific Information and their like. */
bool kmip_attr_field(const struct kmip_item *value, uint32_t tag,
    struct kmip_item *);

/* Writing. Index 0 is left out: it is what its absence means. */
void kmip_attr_put(struct kms_wr *, const struct kmip_attr *);
void kmip_attr_put_text(struct kms_wr *, uint32_t tag, const char *);
void kmip_attr_put_enum(struct kms_wr *, uint32_t tag, uint32_t);
void kmip_attr_put_int(struct kms_wr *, uint32_t tag, int32_t);
void kmip_attr_put_bool(struct kms_wr *, uint32_t tag, bool);
void kmip_attr_put_date(struct kms_wr *, uint32_t tag, int64_t seconds);
void kmip_attr_put_interval(struct kms_wr *, uint32_t tag, uint32_t seconds);
/* A custom attribute of text. */
void kmip_attr_put_custom(struct kms_wr *, const char *name, const char *value);
/* Name{Name Value, Name Type}. */
void kmip_attr_put_name(struct kms_wr *, const char *name, uint32_t type);

#endif
