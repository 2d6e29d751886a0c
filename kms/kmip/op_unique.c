/* Is what is meant to be unique? Asked within the transaction that writes. */
#include <string.h>

#include "kms/kmip/match.h"
#include "kms/kmip/op.h"
#include "kms/kmip/reason.h"

#define TAG(id) KMIP_TAG_##id

/* Another object's attribute of this name with these fields? */
static int
has_other(struct kmip_batch *b, const struct kmip_ids *ids, uint64_t self,
    const char *group, const struct kmip_attr *want)
{
	struct kmip_match match = {.minor = KMIP_MINOR_MAX};
	struct kmip_view v;
	bool yes = false;
	size_t i;
	int r = 0;

	match.want[match.n++] = *want;
	for (i = 0; r == 0 && !yes && i < ids->n; i++) {
		if (ids->id[i] == self)
			continue;
		r = kmip_op_load_row(b, ids->id[i], &v);
		if (r == 0 && (group == NULL || strcmp(v.group, group) == 0))
			r = kmip_match_meets(&match, &v, &yes);
		if (r == KMIP_ERR(ITEM_NOT_FOUND) || r == KMIP_VIEW_UNREADABLE)
			r = 0; /* another client's, undone, or has none */
		kmip_view_clear(&v);
	}
	if (r == 0 && yes)
		r = kmip_fail(INVALID_FIELD,
		    "%.*s: another object has it already", (int)want->name_len,
		    want->name);
	return r;
}

int
kmip_op_check_unique_in(struct kmip_batch *b, const char *group, uint64_t self,
    const struct kmip_attr *a)
{
	struct kmip_sought t = {.second = {.value = a->value.value}};
	struct kmip_attr want = *a;
	struct kmip_ids ids = {0};
	int r;

	if (a->def->tag == TAG(NAME) &&
	    kmip_attr_field(&a->value, TAG(NAME_VALUE), &t.first)) {
		/* whatever its type: the criterion is this one child, as its
		 * bytes lie there */
		want.value.value = t.first.value - KMIP_HEAD;
		want.value.len = kmip_ttlv_space(t.first.len);
		t.term = KMIP_TERM_NAME;
	} else if (a->def->tag == TAG(APPLICATION_SPECIFIC_INFORMATION) &&
	    kmip_attr_field(&a->value, TAG(APPLICATION_NAMESPACE), &t.first) &&
	    kmip_attr_field(&a->value, TAG(APPLICATION_DATA), &t.second)) {
		group = NULL;
		t.term = KMIP_TERM_APPLICATION;
	} else {
		return 0;
	}
	r = kmip_op_find_term(b, &t, &ids);
	if (r == 0)
		r = has_other(b, &ids, self, group, &want);
	kmip_ids_clear(&ids);
	return r;
}

int
kmip_op_check_unique(struct kmip_batch *b, const struct kmip_view *self,
    const struct kmip_attr *a)
{
	return kmip_op_check_unique_in(b, self->group, self->rec.id, a);
}
