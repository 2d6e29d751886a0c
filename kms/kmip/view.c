#include "kms/kmip/view.h"

#include <string.h>

#include "kms/kmip/reason.h"

#define TAG(id) KMIP_TAG_##id
#define RNG_UNSPECIFIED 1u

void
kmip_view_clear(struct kmip_view *v)
{
	kmip_stored_clear(&v->stored);
	kms_record_clear(&v->rec);
	memset(v, 0, sizeof(*v));
}

bool
kmip_view_is_destroyed(const struct kmip_view *v)
{
	return v->rec.kind == KMS_KIND_TOMBSTONE;
}

const struct kms_tag *
kmip_view_tag(const struct kmip_view *v)
{
	return kmip_view_is_destroyed(v) ? &v->rec.u.tombstone.tag
					 : &v->rec.u.key.tag;
}

const char *
kmip_view_name(const struct kmip_view *v)
{
	return kmip_view_is_destroyed(v) ? v->rec.u.tombstone.name
					 : v->rec.u.key.name;
}

static int
unreadable(const struct kmip_view *v)
{
	char tag[KMS_TAG_TEXT];

	kms_tag_text(kmip_view_tag(v), tag);
	return kmip_fail(GENERAL_FAILURE,
	    "object %s ('%.80s'): its KMIP attributes are not readable; its key "
	    "can be fetched, nothing else",
	    tag, kmip_view_name(v));
}

int
kmip_view_take(struct kmip_view *v, struct kms_record *rec, const char *group)
{
	const void *attrs = NULL;
	size_t len = 0;
	int r;

	memset(v, 0, sizeof(*v));
	v->rec = *rec;
	memset(rec, 0, sizeof(*rec));
	strncpy(v->group, group, sizeof(v->group) - 1);
	if (v->rec.kind == KMS_KIND_KEY) {
		attrs = v->rec.u.key.attrs;
		len = v->rec.u.key.attrs_len;
	} else if (v->rec.kind == KMS_KIND_TOMBSTONE) {
		attrs = v->rec.u.tombstone.attrs;
		len = v->rec.u.tombstone.attrs_len;
	} else {
		kms_record_clear(&v->rec);
		return kms_fail(KMS_ERR_DAMAGED, "not a key record");
	}
	r = kmip_stored_decode(&v->stored, attrs, len);
	if (r == KMS_ERR_DAMAGED || r == KMS_ERR_VERSION)
		r = unreadable(v);
	if (r != 0)
		kms_record_clear(&v->rec);
	return r;
}

enum kmip_state
kmip_view_state(const struct kmip_view *v)
{
	bool compromised = kmip_stored_get(&v->stored, TAG(COMPROMISE_DATE)) !=
	    NULL;

	if (kmip_view_is_destroyed(v))
		return compromised ? KMIP_STATE_DESTROYED_COMPROMISED
				   : KMIP_STATE_DESTROYED;
	if (compromised)
		return KMIP_STATE_COMPROMISED;
	switch (v->rec.u.key.state) {
	case KMS_PRELIVE:
		return KMIP_STATE_PRE_ACTIVE;
	case KMS_ACTIVE:
		return KMIP_STATE_ACTIVE;
	case KMS_INACTIVE:
	case KMS_DEPRECATED:
	case KMS_TERMINATED:
		break;
	}
	return KMIP_STATE_DEACTIVATED;
}

bool
kmip_view_is_archived(const struct kmip_view *v)
{
	return !kmip_view_is_destroyed(v) &&
	    (v->rec.u.key.state == KMS_DEPRECATED ||
		v->rec.u.key.state == KMS_TERMINATED);
}

bool
kmip_view_is_fresh(const struct kmip_view *v)
{
	return (v->stored.flags & KMIP_STORED_FETCHED) == 0 &&
	    (kmip_view_is_destroyed(v) ||
		(v->rec.u.key.flags & KMS_KEY_EVER_ACTIVE) == 0);
}

static int64_t
seconds(int64_t us)
{
	return us / 1000000;
}

static void
put_date(struct kms_wr *wr, uint32_t tag, int64_t us)
{
	if (us != 0)
		kmip_attr_put_date(wr, tag, seconds(us));
}

static void
put_identity(const struct kmip_view *v, struct kms_wr *wr)
{
	const struct kmip_stored *s = &v->stored;
	char uid[KMS_TAG_TEXT];

	kms_tag_text(kmip_view_tag(v), uid);
	kmip_attr_put_text(wr, TAG(UNIQUE_IDENTIFIER), uid);
	if ((s->flags & KMIP_STORED_NAMED) != 0)
		kmip_attr_put_name(wr, kmip_view_name(v),
		    (s->flags & KMIP_STORED_URI) != 0
			? KMIP_NAME_URI
			: KMIP_NAME_UNINTERPRETED_TEXT_STRING);
	kmip_attr_put_enum(wr, TAG(OBJECT_TYPE), s->type);
	if (s->algorithm != 0)
		kmip_attr_put_enum(wr, TAG(CRYPTOGRAPHIC_ALGORITHM),
		    s->algorithm);
	if (s->bits != 0)
		kmip_attr_put_int(wr, TAG(CRYPTOGRAPHIC_LENGTH),
		    (int32_t)s->bits);
	kmip_attr_put_int(wr, TAG(CRYPTOGRAPHIC_USAGE_MASK), (int32_t)s->mask);
	kmip_attr_put_interval(wr, TAG(LEASE_TIME), KMIP_LEASE_SECONDS);
	kmip_attr_put_enum(wr, TAG(STATE), kmip_view_state(v));
}

/* Of a destroyed object only what was stored is left, and its two dates. */
static void
put_dates(const struct kmip_view *v, unsigned minor, struct kms_wr *wr)
{
	const struct kms_key *k = &v->rec.u.key;
	const struct kms_tombstone *t = &v->rec.u.tombstone;
	bool destroyed = kmip_view_is_destroyed(v);
	int64_t created = destroyed ? t->created : k->created;

	put_date(wr, TAG(INITIAL_DATE), created);
	if (minor >= 2 &&
	    kmip_stored_get(&v->stored, TAG(ORIGINAL_CREATION_DATE)) == NULL)
		put_date(wr, TAG(ORIGINAL_CREATION_DATE), created);
	put_date(wr, TAG(LAST_CHANGE_DATE),
	    destroyed ? t->deleted : k->modified);
	if (destroyed) {
		put_date(wr, TAG(DESTROY_DATE), t->deleted);
		return;
	}
	put_date(wr, TAG(ACTIVATION_DATE), k->activated);
	put_date(wr, TAG(DEACTIVATION_DATE), k->deactivated);
}

static bool
has_custom(const struct kmip_stored *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (kmip_attr_named(&s->attr[i], name))
			return true;
	return false;
}

static void
put_group(const struct kmip_view *v, struct kms_wr *wr)
{
	kmip_attr_put_text(wr, TAG(OBJECT_GROUP), v->group);
	kmip_attr_put_custom(wr, KMIP_KEYGROUP, v->group);
	kmip_attr_put_custom(wr, KMIP_KEYGROUP_OTHER, v->group);
	if (!has_custom(&v->stored, KMIP_APPLICATION))
		kmip_attr_put_custom(wr, KMIP_APPLICATION,
		    KMIP_APPLICATION_VALUE);
}

static void
put_rng(struct kms_wr *wr)
{
	size_t at = kmip_ttlv_begin(wr, TAG(ATTRIBUTE)), in;

	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME),
	    kmip_def_name(KMIP_TABLE_TAG, TAG(RANDOM_NUMBER_GENERATOR)));
	in = kmip_ttlv_begin(wr, TAG(ATTRIBUTE_VALUE));
	kmip_ttlv_put_enum(wr, TAG(RNG_ALGORITHM), RNG_UNSPECIFIED);
	kmip_ttlv_end(wr, in);
	kmip_ttlv_end(wr, at);
}

static void
put_by_version(const struct kmip_view *v, unsigned minor, struct kms_wr *wr)
{
	bool destroyed = kmip_view_is_destroyed(v);
	unsigned origin = destroyed ? v->rec.u.tombstone.origin
				    : v->rec.u.key.origin;

	if (minor >= 1)
		kmip_attr_put_bool(wr, TAG(FRESH), kmip_view_is_fresh(v));
	if (minor >= 3 && origin != KMS_ORIGIN_IMPORT)
		put_rng(wr);
	if (minor < 4)
		return;
	if (!destroyed && v->rec.u.key.description[0] != '\0')
		kmip_attr_put_text(wr, TAG(DESCRIPTION),
		    v->rec.u.key.description);
	kmip_attr_put_bool(wr, TAG(SENSITIVE), false);
	kmip_attr_put_bool(wr, TAG(ALWAYS_SENSITIVE), false);
	kmip_attr_put_bool(wr, TAG(EXTRACTABLE), true);
	kmip_attr_put_bool(wr, TAG(NEVER_EXTRACTABLE), false);
}

/* Key Format Type in a Digest came with KMIP 1.1 (section 3.17). */
static void
put_digest_10(const struct kmip_attr *a, struct kms_wr *wr)
{
	size_t at = kmip_ttlv_begin(wr, TAG(ATTRIBUTE)), in;
	struct kms_rd rd;
	struct kmip_item item;

	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME),
	    kmip_def_name(KMIP_TABLE_TAG, TAG(DIGEST)));
	in = kmip_ttlv_begin(wr, TAG(ATTRIBUTE_VALUE));
	kmip_ttlv_walk(&rd, &a->value);
	while (kmip_ttlv_next(&rd, &item))
		if (item.tag != TAG(KEY_FORMAT_TYPE))
			kmip_ttlv_put_item(wr, item.tag, &item);
	kmip_ttlv_end(wr, in);
	kmip_ttlv_end(wr, at);
}

static void
put_stored(const struct kmip_view *v, unsigned minor, struct kms_wr *wr)
{
	const struct kmip_stored *s = &v->stored;
	size_t i;

	for (i = 0; i < s->n; i++) {
		const struct kmip_attr *a = &s->attr[i];

		if (a->def == NULL || kmip_attr_since(a->def) > minor)
			continue;
		if (minor == 0 && a->def->tag == TAG(DIGEST))
			put_digest_10(a, wr);
		else
			kmip_attr_put(wr, a);
	}
}

void
kmip_view_put(const struct kmip_view *v, unsigned minor, struct kms_wr *wr)
{
	put_identity(v, wr);
	put_dates(v, minor, wr);
	put_group(v, wr);
	put_by_version(v, minor, wr);
	put_stored(v, minor, wr);
}

int
kmip_view_attributes(const struct kmip_view *v, unsigned minor,
    struct kms_wr *wr, struct kmip_item *list)
{
	int r;

	kmip_view_put(v, minor, wr);
	r = kms_wr_check(wr, "attributes");
	*list = (struct kmip_item){.type = KMIP_STRUCTURE,
	    .value = wr->p,
	    .len = wr->len};
	return r;
}
