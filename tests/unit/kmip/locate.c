#include "tests/unit/kmip/locate.h"

#include <stdlib.h>
#include <string.h>

#define TAG(id) KMIP_TAG_##id

void
locate_take(const struct talk *t, struct found *f)
{
	struct kmip_item item;
	size_t i;

	talk_ok(t, 0);
	f->n = talk_count(t, 0, TAG(UNIQUE_IDENTIFIER));
	ck_assert_uint_le(f->n, 40);
	for (i = 0; i < f->n; i++)
		talk_uid(t, 0, i, f->uid[i]);
	f->located = -1;
	if (talk_field(t, 0, TAG(LOCATED_ITEMS), &item))
		f->located = (int32_t)kms_get32(item.value);
}

static void
locate_once(struct world *w, unsigned minor, criteria *fn, const char *arg,
    bool reading, struct found *f)
{
	struct talk t;
	struct kms_wr *wr;

	memset(f, 0, sizeof(*f));
	talk_begin(&t, minor);
	wr = talk_item(&t, KMIP_OP_LOCATE);
	fn(wr, arg);
	if (reading) /* met by all, and in no index */
		kmip_attr_put_int(wr, TAG(CRYPTOGRAPHIC_USAGE_MASK), 0);
	talk_send(w, &t);
	locate_take(&t, f);
	talk_end(&t);
}

void
locate(struct world *w, unsigned minor, criteria *fn, const char *arg,
    struct found *f)
{
	struct found read, again;

	locate_once(w, minor, fn, arg, true, &read);
	locate_once(w, minor, fn, arg, false, f);
	locate_once(w, minor, fn, arg, false, &again);
	ck_assert_mem_eq(&read, f, sizeof(read));
	ck_assert_mem_eq(&again, f, sizeof(again));
}

void
by_nothing(struct kms_wr *wr, const char *arg)
{
	(void)wr;
	(void)arg;
}

void
by_name(struct kms_wr *wr, const char *name)
{
	kmip_attr_put_name(wr, name, KMIP_NAME_UNINTERPRETED_TEXT_STRING);
}

void
by_group(struct kms_wr *wr, const char *group)
{
	kmip_attr_put_text(wr, TAG(OBJECT_GROUP), group);
}

void
by_keygroup_active(struct kms_wr *wr, const char *group)
{
	kmip_attr_put_custom(wr, "x-keygroup", group);
	kmip_attr_put_enum(wr, TAG(STATE), KMIP_STATE_ACTIVE);
}

void
by_template(struct kms_wr *wr, const char *name)
{
	size_t at;

	kmip_ttlv_put_int(wr, TAG(MAXIMUM_ITEMS), 1);
	at = kmip_ttlv_begin(wr, TAG(TEMPLATE_ATTRIBUTE));
	by_name(wr, name);
	kmip_ttlv_end(wr, at);
}

void
by_kad(struct kms_wr *wr, const char *data)
{
	kmip_attr_put_enum(wr, TAG(OBJECT_TYPE), KMIP_OBJECT_SYMMETRIC_KEY);
	put_application(wr, "LIBRARY-LTO", data);
}

/* Bytes as those of the text, which it is not. */
void
by_bytes(struct kms_wr *wr, const char *barcode)
{
	size_t at = kmip_ttlv_begin(wr, TAG(ATTRIBUTE));

	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME), "x-Barcode");
	kmip_ttlv_put_bytes(wr, TAG(ATTRIBUTE_VALUE), barcode, strlen(barcode));
	kmip_ttlv_end(wr, at);
}

void
by_uri(struct kms_wr *wr, const char *name)
{
	kmip_attr_put_name(wr, name, KMIP_NAME_URI);
}

/* Whatever its type. */
void
by_name_value(struct kms_wr *wr, const char *name)
{
	size_t at = kmip_ttlv_begin(wr, TAG(ATTRIBUTE)), in;

	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME), "Name");
	in = kmip_ttlv_begin(wr, TAG(ATTRIBUTE_VALUE));
	kmip_ttlv_put_text(wr, TAG(NAME_VALUE), name);
	kmip_ttlv_end(wr, in);
	kmip_ttlv_end(wr, at);
}

void
by_secret_kad(struct kms_wr *wr, const char *data)
{
	kmip_attr_put_enum(wr, TAG(OBJECT_TYPE), KMIP_OBJECT_SECRET_DATA);
	put_application(wr, "LIBRARY-LTO", data);
}

void
by_barcode(struct kms_wr *wr, const char *barcode)
{
	kmip_attr_put_custom(wr, "x-Barcode", barcode);
}

void
by_alternative(struct kms_wr *wr, const char *value)
{
	put_alternative(wr, value);
}

void
by_uid(struct kms_wr *wr, const char *uid)
{
	kmip_attr_put_text(wr, TAG(UNIQUE_IDENTIFIER), uid);
}

void
by_mask(struct kms_wr *wr, const char *arg)
{
	kmip_attr_put_int(wr, TAG(CRYPTOGRAPHIC_USAGE_MASK),
	    arg == NULL ? (int)KMIP_MASK_ENCRYPT : (int)KMIP_MASK_WRAP);
}

void
by_length(struct kms_wr *wr, const char *bits)
{
	kmip_attr_put_int(wr, TAG(CRYPTOGRAPHIC_LENGTH), atoi(bits));
}

/* Part of a structure: the namespace alone. */
void
by_namespace(struct kms_wr *wr, const char *name_space)
{
	size_t at = kmip_ttlv_begin(wr, TAG(ATTRIBUTE)), in;

	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME),
	    "Application Specific Information");
	in = kmip_ttlv_begin(wr, TAG(ATTRIBUTE_VALUE));
	kmip_ttlv_put_text(wr, TAG(APPLICATION_NAMESPACE), name_space);
	kmip_ttlv_end(wr, in);
	kmip_ttlv_end(wr, at);
}
