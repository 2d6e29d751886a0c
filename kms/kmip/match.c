#include "kms/kmip/match.h"

#include "kms/kmip/reason.h"

#define TAG(id) KMIP_TAG_##id

int
kmip_match_add(struct kmip_match *m, const struct kmip_item *item)
{
	struct kmip_attr *a = &m->want[m->n];
	int r;

	if (m->n == KMIP_CRITERIA_MAX)
		return kmip_fail(INVALID_FIELD, "more than %u criteria",
		    KMIP_CRITERIA_MAX);
	r = kmip_attr_read(item, a);
	if (r != 0)
		return r;
	if (a->def == NULL || kmip_attr_since(a->def) > m->minor)
		return kmip_fail(INVALID_FIELD,
		    "%.*s: no attribute of this service in KMIP 1.%u",
		    (int)a->name_len, a->name, m->minor);
	if (a->value.type == 0 || a->value.len > KMIP_ATTR_VALUE_MAX ||
	    (a->def->type != 0 && a->value.type != a->def->type))
		return kmip_fail(INVALID_FIELD,
		    "%.*s: without a value, or not of its type",
		    (int)a->name_len, a->name);
	m->n++;
	return 0;
}

/* Two dates of one name span a range (section 4.9). */
static bool
date_meets(const struct kmip_match *m, const struct kmip_attr *want,
    int64_t value)
{
	int64_t low = (int64_t)kms_get64(want->value.value), high = low, v;
	size_t i;

	for (i = 0; i < m->n; i++) {
		if (!kmip_attr_same_name(&m->want[i], want) ||
		    m->want[i].value.type != KMIP_DATE)
			continue;
		v = (int64_t)kms_get64(m->want[i].value.value);
		low = v < low ? v : low;
		high = v > high ? v : high;
	}
	return low <= value && value <= high;
}

static bool
value_meets(const struct kmip_match *m, const struct kmip_attr *want,
    const struct kmip_item *value)
{
	if (want->value.type == KMIP_DATE && value->type == KMIP_DATE)
		return date_meets(m, want, (int64_t)kms_get64(value->value));
	if (want->def->tag == TAG(CRYPTOGRAPHIC_USAGE_MASK) &&
	    value->type == KMIP_INTEGER)
		return (kms_get32(want->value.value) &
			   ~kms_get32(value->value)) == 0;
	return kmip_attr_meets(&want->value, value);
}

static bool
has(const struct kmip_match *m, const struct kmip_item *list,
    const struct kmip_attr *want)
{
	struct kms_rd rd;
	struct kmip_item item;
	struct kmip_attr a;

	kmip_ttlv_walk(&rd, list);
	while (kmip_ttlv_next(&rd, &item))
		if (kmip_attr_read(&item, &a) == 0 &&
		    kmip_attr_same_name(&a, want) &&
		    value_meets(m, want, &a.value))
			return true;
	return false;
}

int
kmip_match_meets(const struct kmip_match *m, const struct kmip_view *v,
    bool *yes)
{
	struct kmip_item list;
	struct kms_wr wr;
	size_t i;
	int r;

	*yes = false;
	if (kmip_view_is_destroyed(v) || (m->fresh && !kmip_view_is_fresh(v)))
		return 0;
	kms_wr_grow(&wr, KMIP_MESSAGE_MAX);
	r = kmip_view_attributes(v, KMIP_MINOR_MAX, &wr, &list);
	*yes = r == 0;
	for (i = 0; r == 0 && i < m->n && *yes; i++)
		*yes = has(m, &list, &m->want[i]);
	kms_wr_free(&wr);
	return r;
}
