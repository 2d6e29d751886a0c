#include "kms/kmip/term.h"

#include "kms/kmip/view.h"

#define TAG(id) KMIP_TAG_##id

bool
kmip_term_is_keygroup(const struct kmip_attr *a)
{
	return (kmip_attr_named(a, KMIP_KEYGROUP) ||
		   kmip_attr_named(a, KMIP_KEYGROUP_OTHER)) &&
	    a->value.type == KMIP_TEXT;
}

bool
kmip_term_of(const struct kmip_attr *a, struct kmip_sought *t)
{
	*t = (struct kmip_sought){.second = {.value = a->value.value}};
	switch (a->def->tag) {
	case TAG(APPLICATION_SPECIFIC_INFORMATION):
		t->term = KMIP_TERM_APPLICATION;
		return kmip_attr_field(&a->value, TAG(APPLICATION_NAMESPACE),
			   &t->first) &&
		    kmip_attr_field(&a->value, TAG(APPLICATION_DATA),
			&t->second);
	case TAG(NAME):
		t->term = KMIP_TERM_NAME;
		return kmip_attr_field(&a->value, TAG(NAME_VALUE), &t->first);
	case TAG(ALTERNATIVE_NAME):
		t->term = KMIP_TERM_ALTERNATIVE;
		return kmip_attr_field(&a->value, TAG(ALTERNATIVE_NAME_VALUE),
		    &t->first);
	case TAG(OBJECT_GROUP):
		t->term = KMIP_TERM_GROUP;
		t->first = a->value;
		return true;
	case TAG(CUSTOM_ATTRIBUTE):
		t->term = KMIP_TERM_CUSTOM;
		t->first = (struct kmip_item){.value = (const uint8_t *)a->name,
		    .len = a->name_len};
		t->second = a->value;
		return true;
	}
	return false;
}

unsigned
kmip_term_rank(const struct kmip_attr *a)
{
	struct kmip_sought t;

	if (a->def->tag != TAG(UNIQUE_IDENTIFIER) && !kmip_term_of(a, &t))
		return 0;
	switch (a->def->tag) {
	case TAG(UNIQUE_IDENTIFIER):
		return 1;
	case TAG(APPLICATION_SPECIFIC_INFORMATION):
		return 2;
	case TAG(NAME):
		return 3;
	case TAG(ALTERNATIVE_NAME):
		return 4;
	case TAG(CUSTOM_ATTRIBUTE):
		if (kmip_term_is_keygroup(a))
			return 6;
		return kmip_attr_named(a, KMIP_APPLICATION) ? 0 : 5;
	case TAG(OBJECT_GROUP):
		return 7;
	}
	return 0;
}

/* A value and perhaps its type, nothing else: that is what an entry of the
 * index is about. */
static bool
is_typed(const struct kmip_attr *a, uint32_t value_tag, uint32_t type_tag,
    struct kmip_sought *t)
{
	size_t values = 0, types = 0;
	struct kmip_item item;
	struct kms_rd rd;

	kmip_ttlv_walk(&rd, &a->value);
	while (kmip_ttlv_next(&rd, &item)) {
		if (item.tag == value_tag) {
			values++;
		} else if (item.tag == type_tag && item.type == KMIP_ENUM) {
			t->detail = kms_get32(item.value);
			if (t->detail == 0)
				return false;
			types++;
		} else {
			return false;
		}
	}
	return values == 1 && types <= 1;
}

static bool
is_pair(const struct kmip_attr *a)
{
	struct kmip_item item;
	struct kms_rd rd;
	size_t n = 0;

	kmip_ttlv_walk(&rd, &a->value);
	while (kmip_ttlv_next(&rd, &item))
		n++;
	return n == 2; /* the two that were sought and found */
}

bool
kmip_term_proves(const struct kmip_attr *a, struct kmip_sought *t)
{
	if (!kmip_term_of(a, t))
		return false;
	switch (t->term) {
	case KMIP_TERM_APPLICATION:
		return is_pair(a);
	case KMIP_TERM_NAME:
		return is_typed(a, TAG(NAME_VALUE), TAG(NAME_TYPE), t);
	case KMIP_TERM_ALTERNATIVE:
		return is_typed(a, TAG(ALTERNATIVE_NAME_VALUE),
		    TAG(ALTERNATIVE_NAME_TYPE), t);
	case KMIP_TERM_CUSTOM:
		t->detail = a->value.type;
		/* those every key answers are in no index */
		return !kmip_term_is_keygroup(a) &&
		    !kmip_attr_named(a, KMIP_APPLICATION);
	case KMIP_TERM_GROUP:
	case KMIP_TERM_DESTROYED:
		break;
	}
	return false;
}
