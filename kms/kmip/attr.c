#include "kms/kmip/attr.h"

#include <string.h>

#include "kms/kmip/reason.h"

#define TAG(id) KMIP_TAG_##id
#define MANY KMIP_ATTR_MANY
#define CREATE KMIP_ATTR_CREATE
#define ADD KMIP_ATTR_ADD
#define MODIFY KMIP_ATTR_MODIFY
#define FREE KMIP_ATTR_FREE

/* Section 3, less what is for certificates, leases to count, and templates. */
static const struct kmip_attr_def defs[] = {
    {TAG(UNIQUE_IDENTIFIER), KMIP_TEXT, 0},
    {TAG(NAME), KMIP_STRUCTURE, MANY | FREE},
    {TAG(OBJECT_TYPE), KMIP_ENUM, 0},
    {TAG(CRYPTOGRAPHIC_ALGORITHM), KMIP_ENUM, CREATE},
    {TAG(CRYPTOGRAPHIC_LENGTH), KMIP_INTEGER, CREATE},
    {TAG(CRYPTOGRAPHIC_PARAMETERS), KMIP_STRUCTURE, MANY | FREE},
    {TAG(DIGEST), KMIP_STRUCTURE, MANY},
    {TAG(OPERATION_POLICY_NAME), KMIP_TEXT, FREE},
    {TAG(CRYPTOGRAPHIC_USAGE_MASK), KMIP_INTEGER, CREATE},
    {TAG(LEASE_TIME), KMIP_INTERVAL, 0},
    {TAG(STATE), KMIP_ENUM, 0},
    {TAG(INITIAL_DATE), KMIP_DATE, 0},
    {TAG(ACTIVATION_DATE), KMIP_DATE, CREATE | ADD | MODIFY},
    {TAG(PROCESS_START_DATE), KMIP_DATE, CREATE | ADD | MODIFY},
    {TAG(PROTECT_STOP_DATE), KMIP_DATE, CREATE | ADD | MODIFY},
    {TAG(DEACTIVATION_DATE), KMIP_DATE, CREATE | ADD | MODIFY},
    {TAG(DESTROY_DATE), KMIP_DATE, 0},
    {TAG(COMPROMISE_OCCURRENCE_DATE), KMIP_DATE, 0},
    {TAG(COMPROMISE_DATE), KMIP_DATE, 0},
    {TAG(REVOCATION_REASON), KMIP_STRUCTURE, 0},
    {TAG(ARCHIVE_DATE), KMIP_DATE, 0},
    {TAG(OBJECT_GROUP), KMIP_TEXT, MANY | FREE},
    {TAG(FRESH), KMIP_BOOL, 0},
    {TAG(LINK), KMIP_STRUCTURE, MANY | FREE},
    {TAG(APPLICATION_SPECIFIC_INFORMATION), KMIP_STRUCTURE, MANY | FREE},
    {TAG(CONTACT_INFORMATION), KMIP_TEXT, FREE},
    {TAG(LAST_CHANGE_DATE), KMIP_DATE, 0},
    {TAG(ALTERNATIVE_NAME), KMIP_STRUCTURE, MANY | FREE},
    {TAG(ORIGINAL_CREATION_DATE), KMIP_DATE, CREATE},
    {TAG(RANDOM_NUMBER_GENERATOR), KMIP_STRUCTURE, 0},
    {TAG(DESCRIPTION), KMIP_TEXT, FREE},
    {TAG(COMMENT), KMIP_TEXT, FREE},
    {TAG(SENSITIVE), KMIP_BOOL, CREATE},
    {TAG(ALWAYS_SENSITIVE), KMIP_BOOL, 0},
    {TAG(EXTRACTABLE), KMIP_BOOL, CREATE},
    {TAG(NEVER_EXTRACTABLE), KMIP_BOOL, 0},
};
#define DEFS (sizeof(defs) / sizeof(defs[0]))

/* Section 3.33: x- is the client's, y- the server's. */
static const struct kmip_attr_def custom_client = {TAG(CUSTOM_ATTRIBUTE), 0,
    MANY | FREE};
static const struct kmip_attr_def custom_server = {TAG(CUSTOM_ATTRIBUTE), 0,
    MANY};

const struct kmip_attr_def *
kmip_attr_by_tag(uint32_t tag)
{
	size_t i;

	for (i = 0; i < DEFS; i++)
		if (defs[i].tag == tag)
			return &defs[i];
	return tag == TAG(CUSTOM_ATTRIBUTE) ? &custom_client : NULL;
}

const struct kmip_attr_def *
kmip_attr_def(const char *name, size_t len)
{
	size_t i;

	if (len > 2 && memcmp(name, "x-", 2) == 0)
		return &custom_client;
	if (len > 2 && memcmp(name, "y-", 2) == 0)
		return &custom_server;
	for (i = 0; i < DEFS; i++) {
		const char *s = kmip_def_name(KMIP_TABLE_TAG, defs[i].tag);

		if (strlen(s) == len && memcmp(s, name, len) == 0)
			return &defs[i];
	}
	return NULL;
}

unsigned
kmip_attr_since(const struct kmip_attr_def *def)
{
	return kmip_def_since(KMIP_TABLE_TAG, def->tag);
}

bool
kmip_attr_named(const struct kmip_attr *a, const char *name)
{
	return strlen(name) == a->name_len &&
	    memcmp(name, a->name, a->name_len) == 0;
}

bool
kmip_attr_same_name(const struct kmip_attr *a, const struct kmip_attr *b)
{
	return a->name_len == b->name_len &&
	    memcmp(a->name, b->name, a->name_len) == 0;
}

int
kmip_attr_read(const struct kmip_item *item, struct kmip_attr *a)
{
	struct kmip_item name, index;
	int r;
	const struct kmip_field f[] = {
	    {TAG(ATTRIBUTE_NAME), KMIP_TEXT, KMIP_REQUIRED, &name},
	    {TAG(ATTRIBUTE_INDEX), KMIP_INTEGER, KMIP_OPTIONAL, &index},
	    {TAG(ATTRIBUTE_VALUE), 0, KMIP_OPTIONAL, &a->value},
	};

	memset(a, 0, sizeof(*a));
	r = kmip_ttlv_fields(item, f, sizeof(f) / sizeof(f[0]), false);
	if (r != 0)
		return r;
	if (name.len == 0 || name.len > KMIP_ATTR_NAME_MAX ||
	    !kms_utf8((const char *)name.value, name.len))
		return kmip_fail(INVALID_FIELD,
		    "Attribute Name: not 1 to %u bytes of UTF-8",
		    KMIP_ATTR_NAME_MAX);
	a->name = (const char *)name.value;
	a->name_len = name.len;
	a->def = kmip_attr_def(a->name, a->name_len);
	a->index = -1;
	if (index.type == 0)
		return 0;
	r = kmip_ttlv_int(&index, &a->index);
	if (r == 0 && a->index < 0)
		r = kmip_fail(INVALID_FIELD, "Attribute Index below 0");
	return r;
}

/* The two fields of a structure; texts not empty. */
static int
check_pair(const struct kmip_attr *a, struct kmip_field f[2], bool both)
{
	struct kmip_item item[2];
	size_t i;
	int r;

	f[0].to = &item[0];
	f[1].to = &item[1];
	f[0].times = KMIP_REQUIRED;
	f[1].times = both ? KMIP_REQUIRED : KMIP_OPTIONAL;
	r = kmip_ttlv_fields(&a->value, f, 2, false);
	for (i = 0; r == 0 && i < 2; i++)
		if (item[i].type == KMIP_TEXT && item[i].len == 0)
			r = kmip_fail(INVALID_FIELD, "%.*s: an empty text",
			    (int)a->name_len, a->name);
	f[0].to = f[1].to = NULL;
	return r;
}

static int
check_structure(const struct kmip_attr *a)
{
	struct kmip_field name[] = {{TAG(NAME_VALUE), KMIP_TEXT, 0, NULL},
	    {TAG(NAME_TYPE), KMIP_ENUM, 0, NULL}};
	struct kmip_field alternative[] = {{TAG(ALTERNATIVE_NAME_VALUE),
					       KMIP_TEXT, 0, NULL},
	    {TAG(ALTERNATIVE_NAME_TYPE), KMIP_ENUM, 0, NULL}};
	struct kmip_field application[] = {{TAG(APPLICATION_NAMESPACE),
					       KMIP_TEXT, 0, NULL},
	    {TAG(APPLICATION_DATA), KMIP_TEXT, 0, NULL}};
	struct kmip_field link[] = {{TAG(LINK_TYPE), KMIP_ENUM, 0, NULL},
	    {TAG(LINKED_OBJECT_IDENTIFIER), KMIP_TEXT, 0, NULL}};

	switch (a->def->tag) {
	case TAG(NAME):
		return check_pair(a, name, true);
	case TAG(ALTERNATIVE_NAME):
		return check_pair(a, alternative, true);
	case TAG(APPLICATION_SPECIFIC_INFORMATION):
		return check_pair(a, application, true);
	case TAG(LINK):
		return check_pair(a, link, true);
	}
	return 0;
}

static int
check_enum(const struct kmip_attr *a)
{
	enum kmip_table table;
	uint32_t v = kms_get32(a->value.value);

	if (!kmip_def_table(a->def->tag, &table) || kmip_def_is_vendor(v) ||
	    kmip_def_name(table, v) != NULL)
		return 0;
	return kmip_fail(INVALID_FIELD, "%.*s: no such value as %u",
	    (int)a->name_len, a->name, v);
}

static int
check_value(const struct kmip_attr *a)
{
	if (a->value.type == 0)
		return kmip_fail(MISSING_DATA, "%.*s: Attribute Value missing",
		    (int)a->name_len, a->name);
	if (a->def->type != 0 && a->value.type != a->def->type)
		return kmip_fail(INVALID_FIELD, "%.*s: not of type %s",
		    (int)a->name_len, a->name,
		    kmip_def_type_name(a->def->type));
	if (a->value.len > KMIP_ATTR_VALUE_MAX)
		return kmip_fail(INVALID_FIELD, "%.*s: over %u bytes",
		    (int)a->name_len, a->name, KMIP_ATTR_VALUE_MAX);
	if (a->value.type == KMIP_STRUCTURE)
		return check_structure(a);
	if (a->value.type == KMIP_ENUM)
		return check_enum(a);
	return 0;
}

int
kmip_attr_check(const struct kmip_attr *a, unsigned minor, unsigned may)
{
	if (a->def == NULL || kmip_attr_since(a->def) > minor)
		return kmip_fail(INVALID_FIELD,
		    "%.*s: no attribute of this service in KMIP 1.%u",
		    (int)a->name_len, a->name, minor);
	if (may != 0 && (a->def->flags & may) == 0)
		return kmip_fail(PERMISSION_DENIED,
		    "%.*s: not for the client to set", (int)a->name_len,
		    a->name);
	if (a->index > 0 && (a->def->flags & MANY) == 0)
		return kmip_fail(INDEX_OUT_OF_BOUNDS,
		    "%.*s: has one instance only", (int)a->name_len, a->name);
	return check_value(a);
}

bool
kmip_attr_field(const struct kmip_item *value, uint32_t tag,
    struct kmip_item *item)
{
	return kmip_ttlv_find(value, tag, item) && item->type == KMIP_TEXT;
}

bool
kmip_attr_meets(const struct kmip_item *want, const struct kmip_item *value)
{
	struct kms_rd wants, has;
	struct kmip_item w, v;

	if (want->type != value->type)
		return false;
	if (want->type != KMIP_STRUCTURE)
		return want->len == value->len &&
		    memcmp(want->value, value->value, want->len) == 0;
	kmip_ttlv_walk(&wants, want);
	while (kmip_ttlv_next(&wants, &w)) {
		kmip_ttlv_walk(&has, value);
		do {
			if (!kmip_ttlv_next(&has, &v))
				return false;
		} while (!kmip_ttlv_equal(&w, &v));
	}
	return true;
}

static void
put_text(struct kms_wr *wr, uint32_t tag, const char *s, size_t len)
{
	const struct kmip_item text = {.type = KMIP_TEXT,
	    .value = (const uint8_t *)s,
	    .len = len};

	kmip_ttlv_put_item(wr, tag, &text);
}

void
kmip_attr_put(struct kms_wr *wr, const struct kmip_attr *a)
{
	size_t at = kmip_ttlv_begin(wr, TAG(ATTRIBUTE));

	put_text(wr, TAG(ATTRIBUTE_NAME), a->name, a->name_len);
	if (a->index > 0)
		kmip_ttlv_put_int(wr, TAG(ATTRIBUTE_INDEX), a->index);
	if (a->value.type != 0)
		kmip_ttlv_put_item(wr, TAG(ATTRIBUTE_VALUE), &a->value);
	kmip_ttlv_end(wr, at);
}

/* An Attribute structure up to its value. */
static size_t
begin(struct kms_wr *wr, uint32_t tag)
{
	size_t at = kmip_ttlv_begin(wr, TAG(ATTRIBUTE));

	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME),
	    kmip_def_name(KMIP_TABLE_TAG, tag));
	return at;
}

void
kmip_attr_put_text(struct kms_wr *wr, uint32_t tag, const char *v)
{
	size_t at = begin(wr, tag);

	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_VALUE), v);
	kmip_ttlv_end(wr, at);
}

void
kmip_attr_put_enum(struct kms_wr *wr, uint32_t tag, uint32_t v)
{
	size_t at = begin(wr, tag);

	kmip_ttlv_put_enum(wr, TAG(ATTRIBUTE_VALUE), v);
	kmip_ttlv_end(wr, at);
}

void
kmip_attr_put_int(struct kms_wr *wr, uint32_t tag, int32_t v)
{
	size_t at = begin(wr, tag);

	kmip_ttlv_put_int(wr, TAG(ATTRIBUTE_VALUE), v);
	kmip_ttlv_end(wr, at);
}

void
kmip_attr_put_bool(struct kms_wr *wr, uint32_t tag, bool v)
{
	size_t at = begin(wr, tag);

	kmip_ttlv_put_bool(wr, TAG(ATTRIBUTE_VALUE), v);
	kmip_ttlv_end(wr, at);
}

void
kmip_attr_put_date(struct kms_wr *wr, uint32_t tag, int64_t v)
{
	size_t at = begin(wr, tag);

	kmip_ttlv_put_date(wr, TAG(ATTRIBUTE_VALUE), v);
	kmip_ttlv_end(wr, at);
}

void
kmip_attr_put_interval(struct kms_wr *wr, uint32_t tag, uint32_t v)
{
	size_t at = begin(wr, tag);

	kmip_ttlv_put_interval(wr, TAG(ATTRIBUTE_VALUE), v);
	kmip_ttlv_end(wr, at);
}

void
kmip_attr_put_custom(struct kms_wr *wr, const char *name, const char *v)
{
	size_t at = kmip_ttlv_begin(wr, TAG(ATTRIBUTE));

	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME), name);
	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_VALUE), v);
	kmip_ttlv_end(wr, at);
}

void
kmip_attr_put_name(struct kms_wr *wr, const char *name, uint32_t type)
{
	size_t at = begin(wr, TAG(NAME)), in;

	in = kmip_ttlv_begin(wr, TAG(ATTRIBUTE_VALUE));
	kmip_ttlv_put_text(wr, TAG(NAME_VALUE), name);
	kmip_ttlv_put_enum(wr, TAG(NAME_TYPE), type);
	kmip_ttlv_end(wr, in);
	kmip_ttlv_end(wr, at);
}
