#include "kms/kmip/make.h"

#include <string.h>
#include <time.h>

#include "kms/kmip/reason.h"

#define TAG(id) KMIP_TAG_##id

/* --- one attribute of the template -------------------------------------- */

static int
twice(const struct kmip_attr *a)
{
	return kmip_fail(INVALID_FIELD, "%.*s: given twice, differently",
	    (int)a->name_len, a->name);
}

/* The first group named is the record's; others are labels beside it. */
static int
take_group(struct kmip_making *m, const struct kmip_rule *rule,
    const struct kmip_attr *a)
{
	char group[KMS_NAME_MAX + 1];
	int r;

	r = kmip_ttlv_text(&a->value, group, sizeof(group));
	if (r == 0)
		r = kms_name_check("group name", group);
	if (r == 0 && !kmip_rule_may_use(rule, group))
		r = kmip_fail(PERMISSION_DENIED,
		    "client '%s' may not use the group '%s'",
		    kmip_rule_name(rule), group);
	if (r != 0)
		return r;
	if (m->group[0] == '\0') {
		memcpy(m->group, group, sizeof(m->group));
		return 0;
	}
	if (strcmp(m->group, group) == 0)
		return 0;
	if (a->def->tag == TAG(CUSTOM_ATTRIBUTE) || m->by == KMIP_MAKING_REKEY)
		return twice(a);
	return kmip_stored_add(&m->stored, a, 1, NULL);
}

/* What a record can bear becomes its name; a longer one stays an attribute. */
static int
take_name(struct kmip_making *m, const struct kmip_attr *a)
{
	struct kmip_item text, type;
	int r;

	if (m->by == KMIP_MAKING_REKEY)
		return kmip_fail(INVALID_FIELD,
		    "Name: goes over from the object that is re-keyed");
	if (m->first_name.def == NULL) {
		m->first_name = *a;
		(void)kmip_attr_field(&a->value, TAG(NAME_VALUE), &text);
		r = kmip_ttlv_text(&text, m->name, sizeof(m->name));
		if (r == 0)
			r = kms_name_check("Name", m->name);
		if (r == 0) {
			m->stored.flags |= KMIP_STORED_NAMED;
			if (kmip_ttlv_find(&a->value, TAG(NAME_TYPE), &type) &&
			    kms_get32(type.value) == KMIP_NAME_URI)
				m->stored.flags |= KMIP_STORED_URI;
			return 0;
		}
		kms_err_clear();
	}
	return kmip_stored_add(&m->stored, a,
	    (m->stored.flags & KMIP_STORED_NAMED) != 0 ? 1 : 0, NULL);
}

static int
take_date(struct kmip_making *m, const struct kmip_attr *a)
{
	int64_t when;
	int r;

	r = kmip_ttlv_date(&a->value, &when);
	if (r != 0)
		return r;
	if (a->def->tag == TAG(DEACTIVATION_DATE) || when > (int64_t)time(NULL))
		return kmip_fail(INVALID_FIELD,
		    "%.*s: this service acts when it is asked, not at a date "
		    "to come",
		    (int)a->name_len, a->name);
	m->activate = true;
	return 0;
}

static int
take_flag(const struct kmip_attr *a, bool must)
{
	bool v;
	int r = kmip_ttlv_bool(&a->value, &v);

	if (r == 0 && v != must)
		r = kmip_fail(INVALID_FIELD,
		    "%.*s: keys are made to be handed out here",
		    (int)a->name_len, a->name);
	return r;
}

static int
take_custom(struct kmip_making *m, const struct kmip_rule *rule,
    const struct kmip_attr *a)
{
	if (kmip_attr_named(a, KMIP_KEYGROUP) ||
	    kmip_attr_named(a, KMIP_KEYGROUP_OTHER))
		return take_group(m, rule, a);
	if (kmip_attr_named(a, KMIP_APPLICATION) &&
	    a->value.type == KMIP_TEXT &&
	    a->value.len == strlen(KMIP_APPLICATION_VALUE) &&
	    memcmp(a->value.value, KMIP_APPLICATION_VALUE, a->value.len) == 0)
		return 0; /* every object says so anyhow */
	return kmip_stored_add(&m->stored, a, 0, NULL);
}

static int
take_number(struct kmip_making *m, const struct kmip_attr *a, uint32_t *to)
{
	uint32_t v = kms_get32(a->value.value);

	if (a->def->tag == TAG(CRYPTOGRAPHIC_LENGTH) &&
	    (v == 0 || v > KMIP_MATERIAL_MAX * 8))
		return kmip_fail(INVALID_FIELD, "Cryptographic Length %u", v);
	if (a->def->tag == TAG(CRYPTOGRAPHIC_USAGE_MASK) &&
	    (v & ~KMIP_MASK_ALL) != 0)
		return kmip_fail(INVALID_FIELD, "Cryptographic Usage Mask %#x",
		    v);
	if (m->by == KMIP_MAKING_REKEY && v != *to)
		return twice(a);
	*to = v;
	return 0;
}

static int
take(struct kmip_making *m, const struct kmip_rule *rule,
    const struct kmip_attr *a)
{
	switch (a->def->tag) {
	case TAG(NAME):
		return take_name(m, a);
	case TAG(OBJECT_GROUP):
		return take_group(m, rule, a);
	case TAG(CUSTOM_ATTRIBUTE):
		return take_custom(m, rule, a);
	case TAG(CRYPTOGRAPHIC_ALGORITHM):
		return take_number(m, a, &m->stored.algorithm);
	case TAG(CRYPTOGRAPHIC_LENGTH):
		return take_number(m, a, &m->stored.bits);
	case TAG(CRYPTOGRAPHIC_USAGE_MASK):
		return take_number(m, a, &m->stored.mask);
	case TAG(ACTIVATION_DATE):
	case TAG(DEACTIVATION_DATE):
		return take_date(m, a);
	case TAG(DESCRIPTION):
		return kmip_ttlv_text(&a->value, m->description,
		    sizeof(m->description));
	case TAG(SENSITIVE):
		return take_flag(a, false);
	case TAG(EXTRACTABLE):
		return take_flag(a, true);
	case TAG(ORIGINAL_CREATION_DATE):
		if (m->by != KMIP_MAKING_REGISTER)
			return kmip_fail(PERMISSION_DENIED,
			    "Original Creation Date: it is made now");
		break;
	}
	if ((a->def->flags & KMIP_ATTR_MANY) == 0 &&
	    kmip_stored_find(&m->stored, a->name, a->name_len, 0) != NULL)
		return twice(a);
	return kmip_stored_add(&m->stored, a, 0, NULL);
}

/* --- the template ------------------------------------------------------- */

static int
settle_group(struct kmip_making *m, const struct kmip_rule *rule)
{
	const char *home;

	if (m->group[0] != '\0')
		return 0;
	home = kmip_rule_home(rule);
	if (home == NULL || strlen(home) > KMS_NAME_MAX)
		return kmip_fail(MISSING_DATA,
		    "name a group (Object Group or %s): the rule of client "
		    "'%s' has only patterns",
		    KMIP_KEYGROUP, kmip_rule_name(rule));
	memcpy(m->group, home, strlen(home) + 1);
	return kms_name_check("group name", m->group);
}

/* Groups first: the others may depend on whose the object is. */
int
kmip_making_template(struct kmip_making *m, const struct kmip_rule *rule,
    const struct kmip_item *template)
{
	struct kms_rd rd;
	struct kmip_item item;
	struct kmip_attr a;
	int r = 0;

	kmip_ttlv_walk(&rd, template);
	while (r == 0 && kmip_ttlv_next(&rd, &item)) {
		if (item.tag == TAG(NAME))
			return kmip_fail(ITEM_NOT_FOUND,
			    "Template-Attribute: there are no templates here");
		if (item.tag != TAG(ATTRIBUTE))
			return kmip_fail(INVALID_FIELD,
			    "Template-Attribute: something other than "
			    "attributes");
		r = kmip_attr_read(&item, &a);
		if (r == 0)
			r = kmip_attr_check(&a, m->minor, KMIP_ATTR_CREATE);
		if (r == 0)
			r = take(m, rule, &a);
	}
	return r == 0 ? settle_group(m, rule) : r;
}

/* --- Register ----------------------------------------------------------- */

/* Key Material is bytes, or for a transparent key a structure of one. */
static int
read_key_value(struct kmip_making *m, const struct kmip_item *value)
{
	struct kmip_item material, key;
	int r;
	const struct kmip_field f[] = {{TAG(KEY_MATERIAL), 0, KMIP_REQUIRED,
					   &material},
	    {TAG(ATTRIBUTE), KMIP_STRUCTURE, KMIP_MANY, NULL}};
	const struct kmip_field in[] = {
	    {TAG(KEY), KMIP_BYTES, KMIP_REQUIRED, &key}};

	if (value->type != KMIP_STRUCTURE)
		return kmip_fail(INVALID_FIELD, "Key Value: not a structure");
	r = kmip_ttlv_fields(value, f, 2, false);
	if (r == 0 &&
	    m->stored.format == KMIP_FORMAT_TRANSPARENT_SYMMETRIC_KEY) {
		r = kmip_ttlv_fields(&material, in, 1, false);
		m->stored.format = KMIP_FORMAT_RAW;
		material = key;
	}
	if (r == 0 && material.type != KMIP_BYTES)
		r = kmip_fail(INVALID_FIELD, "Key Material: not bytes");
	m->bytes = material;
	return r;
}

static int
check_format(const struct kmip_making *m, uint32_t format)
{
	bool secret = m->stored.type == KMIP_OBJECT_SECRET_DATA;

	if (format == KMIP_FORMAT_RAW ||
	    (secret && format == KMIP_FORMAT_OPAQUE) ||
	    (!secret && format == KMIP_FORMAT_TRANSPARENT_SYMMETRIC_KEY))
		return 0;
	return kmip_fail(KEY_FORMAT_TYPE_NOT_SUPPORTED,
	    "Key Format Type %u for this type of object", format);
}

static int
agree(const struct kmip_item *item, uint32_t *with)
{
	uint32_t v;

	if (item->type == 0)
		return 0;
	v = kms_get32(item->value);
	if (*with != 0 && *with != v)
		return kmip_fail(INVALID_FIELD,
		    "Cryptographic Algorithm: one in the object, another in "
		    "the template");
	*with = v;
	return 0;
}

static int
read_key_block(struct kmip_making *m, const struct kmip_item *block)
{
	struct kmip_item format, compression, value, algorithm, bits, wrapping;
	uint32_t v = 0;
	int r;
	const struct kmip_field f[] = {{TAG(KEY_FORMAT_TYPE), KMIP_ENUM,
					   KMIP_REQUIRED, &format},
	    {TAG(KEY_COMPRESSION_TYPE), KMIP_ENUM, KMIP_OPTIONAL, &compression},
	    {TAG(KEY_VALUE), 0, KMIP_REQUIRED, &value},
	    {TAG(CRYPTOGRAPHIC_ALGORITHM), KMIP_ENUM, KMIP_OPTIONAL,
		&algorithm},
	    {TAG(CRYPTOGRAPHIC_LENGTH), KMIP_INTEGER, KMIP_OPTIONAL, &bits},
	    {TAG(KEY_WRAPPING_DATA), KMIP_STRUCTURE, KMIP_OPTIONAL, &wrapping}};

	r = kmip_ttlv_fields(block, f, sizeof(f) / sizeof(f[0]), false);
	if (r == 0 && wrapping.type != 0)
		r = kmip_fail(FEATURE_NOT_SUPPORTED,
		    "Key Wrapping Data: objects are registered in clear, "
		    "within TLS");
	if (r == 0 && compression.type != 0)
		r = kmip_fail(KEY_COMPRESSION_TYPE_NOT_SUPPORTED,
		    "Key Compression Type: for no object here");
	if (r == 0)
		r = kmip_ttlv_enum(&format, &v);
	if (r == 0)
		r = check_format(m, v);
	if (r == 0)
		r = agree(&algorithm, &m->stored.algorithm);
	if (r != 0)
		return r;
	m->stored.format = (uint8_t)v;
	if (bits.type != 0)
		m->object_bits = kms_get32(bits.value);
	return read_key_value(m, &value);
}

static int
read_secret_data(struct kmip_making *m, const struct kmip_item *object)
{
	struct kmip_item type, block;
	int r;
	const struct kmip_field f[] = {{TAG(SECRET_DATA_TYPE), KMIP_ENUM,
					   KMIP_REQUIRED, &type},
	    {TAG(KEY_BLOCK), KMIP_STRUCTURE, KMIP_REQUIRED, &block}};

	r = kmip_ttlv_fields(object, f, 2, false);
	if (r == 0)
		r = kmip_ttlv_enum(&type, &m->stored.subtype);
	return r == 0 ? read_key_block(m, &block) : r;
}

static int
read_opaque(struct kmip_making *m, const struct kmip_item *object)
{
	struct kmip_item type;
	int r;
	const struct kmip_field f[] = {{TAG(OPAQUE_DATA_TYPE), KMIP_ENUM,
					   KMIP_REQUIRED, &type},
	    {TAG(OPAQUE_DATA_VALUE), KMIP_BYTES, KMIP_REQUIRED, &m->bytes}};

	r = kmip_ttlv_fields(object, f, 2, false);
	if (r == 0)
		r = kmip_ttlv_enum(&type, &m->stored.subtype);
	m->stored.format = KMIP_FORMAT_OPAQUE;
	return r;
}

static int
read_symmetric(struct kmip_making *m, const struct kmip_item *object)
{
	struct kmip_item block;
	int r;
	const struct kmip_field f[] = {
	    {TAG(KEY_BLOCK), KMIP_STRUCTURE, KMIP_REQUIRED, &block}};

	r = kmip_ttlv_fields(object, f, 1, false);
	if (r == 0)
		r = read_key_block(m, &block);
	if (r == 0 && m->stored.algorithm == 0)
		r = kmip_fail(MISSING_DATA,
		    "Cryptographic Algorithm is missing");
	return r;
}

static int
read_object(struct kmip_making *m, struct kmip_work *w)
{
	static const struct {
		uint8_t type;
		uint32_t tag;
		int (*read)(struct kmip_making *, const struct kmip_item *);
	} kinds[] = {
	    {KMIP_OBJECT_SYMMETRIC_KEY, TAG(SYMMETRIC_KEY), read_symmetric},
	    {KMIP_OBJECT_SECRET_DATA, TAG(SECRET_DATA), read_secret_data},
	    {KMIP_OBJECT_OPAQUE_OBJECT, TAG(OPAQUE_OBJECT), read_opaque},
	};
	struct kmip_item object;
	size_t i;
	int r;

	/* the caller let through no fourth */
	for (i = 0; i < 2 && kinds[i].type != m->stored.type; i++)
		continue;
	if (!kmip_ttlv_find(&w->call->payload, kinds[i].tag, &object))
		return kmip_fail(MISSING_DATA,
		    "the object itself is missing, or of another type");
	r = kinds[i].read(m, &object);
	if (r == 0 && (m->bytes.len == 0 || m->bytes.len > KMIP_MATERIAL_MAX))
		r = kmip_fail(INVALID_FIELD,
		    "an object of %zu bytes; 1 to %u are kept", m->bytes.len,
		    KMIP_MATERIAL_MAX);
	return r;
}

int
kmip_making_register(struct kmip_making *m, struct kmip_batch *b,
    struct kmip_work *w)
{
	struct kmip_item type, template;
	uint32_t v = 0;
	int r;
	const struct kmip_field f[] = {{TAG(OBJECT_TYPE), KMIP_ENUM,
					   KMIP_REQUIRED, &type},
	    {TAG(TEMPLATE_ATTRIBUTE), KMIP_STRUCTURE, KMIP_REQUIRED, &template},
	    {TAG(SYMMETRIC_KEY), KMIP_STRUCTURE, KMIP_OPTIONAL, NULL},
	    {TAG(SECRET_DATA), KMIP_STRUCTURE, KMIP_OPTIONAL, NULL},
	    {TAG(OPAQUE_OBJECT), KMIP_STRUCTURE, KMIP_OPTIONAL, NULL}};

	/* nothing is assumed of an object that others made */
	m->stored.algorithm = m->stored.bits = m->stored.mask = 0;
	r = kmip_ttlv_fields(&w->call->payload, f, 5, b->lenient);
	if (r == 0)
		r = kmip_ttlv_enum(&type, &v);
	if (r == 0 && v != KMIP_OBJECT_SYMMETRIC_KEY &&
	    v != KMIP_OBJECT_SECRET_DATA && v != KMIP_OBJECT_OPAQUE_OBJECT)
		r = kmip_fail(INVALID_FIELD,
		    "Object Type: Symmetric Key, Secret Data and Opaque "
		    "Object are kept here");
	if (r != 0)
		return r;
	m->stored.type = (uint8_t)v;
	r = kmip_making_template(m, b->actor->rule, &template);
	return r == 0 ? read_object(m, w) : r;
}
