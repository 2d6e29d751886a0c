/* Attributes of an object: read, added, modified, deleted (KMIP 1.4 sections
 * 4.12 to 4.16). Some are the record's own (Name, Object Group, dates that
 * move it), the others lie stored beside it. */
#include <string.h>

#include "kms/key.h"
#include "kms/kmip/op.h"
#include "kms/kmip/reason.h"

#define TAG(id) KMIP_TAG_##id
#define USEC 1000000

/* --- reading ------------------------------------------------------------ */

/* Is the attribute one of those asked for by name (all when none was)? */
static bool
is_wanted(const struct kmip_item *payload, const struct kmip_attr *a)
{
	struct kms_rd rd;
	struct kmip_item item;
	bool any = false;

	kmip_ttlv_walk(&rd, payload);
	while (kmip_ttlv_next(&rd, &item)) {
		if (item.tag != TAG(ATTRIBUTE_NAME))
			continue;
		any = true;
		if (item.len == a->name_len &&
		    memcmp(item.value, a->name, item.len) == 0)
			return true;
	}
	return !any;
}

static void
put_attributes(struct kmip_work *w, const struct kmip_item *list)
{
	struct kms_rd rd;
	struct kmip_item item;
	struct kmip_attr a;

	kmip_ttlv_walk(&rd, list);
	while (kmip_ttlv_next(&rd, &item))
		if (kmip_attr_read(&item, &a) == 0 &&
		    is_wanted(&w->call->payload, &a))
			kmip_ttlv_put_item(&w->out, TAG(ATTRIBUTE), &item);
}

/* Each name once: instances of one attribute follow one another. */
static void
put_names(struct kmip_work *w, const struct kmip_item *list)
{
	struct kms_rd rd, before;
	struct kmip_item item, earlier;
	struct kmip_attr a, b;
	bool again;

	kmip_ttlv_walk(&rd, list);
	while (kmip_ttlv_next(&rd, &item)) {
		if (kmip_attr_read(&item, &a) != 0)
			continue;
		again = false;
		kmip_ttlv_walk(&before, list);
		while (!again && kmip_ttlv_next(&before, &earlier) &&
		    earlier.value < item.value)
			again = kmip_attr_read(&earlier, &b) == 0 &&
			    kmip_attr_same_name(&a, &b);
		if (!again)
			kmip_ttlv_put_item(&w->out, TAG(ATTRIBUTE_NAME),
			    &(struct kmip_item){.type = KMIP_TEXT,
				.value = (const uint8_t *)a.name,
				.len = a.name_len});
	}
}

static int
get_list(struct kmip_batch *b, struct kmip_work *w,
    void (*put)(struct kmip_work *, const struct kmip_item *), bool names)
{
	struct kmip_item uid, name, list;
	struct kmip_view v = {0};
	struct kms_wr wr;
	int r;
	const struct kmip_field f[] = {{TAG(UNIQUE_IDENTIFIER), KMIP_TEXT,
					   KMIP_OPTIONAL, &uid},
	    {TAG(ATTRIBUTE_NAME), KMIP_TEXT, KMIP_MANY, &name}};

	kms_wr_grow(&wr, KMIP_MESSAGE_MAX);
	r = kmip_ttlv_fields(&w->call->payload, f, names ? 2 : 1, b->lenient);
	if (r == 0)
		r = kmip_op_load(b, &uid, &v);
	if (r == 0)
		r = kmip_view_attributes(&v, b->minor, &wr, &list);
	if (r == 0) {
		kmip_op_answer_tag(b, w, kmip_view_tag(&v));
		put(w, &list);
	}
	kms_wr_free(&wr);
	kmip_view_clear(&v);
	return r;
}

int
kmip_op_get_attributes(struct kmip_batch *b, struct kmip_work *w)
{
	return get_list(b, w, put_attributes, true);
}

int
kmip_op_get_attribute_list(struct kmip_batch *b, struct kmip_work *w)
{
	return get_list(b, w, put_names, false);
}

/* --- changing: what is the record's own --------------------------------- */

static int
modify_record(struct kmip_batch *b, struct kmip_view *v,
    const struct kms_key_change *change)
{
	uint64_t id = v->rec.id;
	int r;

	r = kms_key_modify(b->tx, v->group, v->rec.u.key.name, change);
	if (r != 0)
		return r;
	b->changed = true;
	kmip_view_clear(v);
	return kmip_op_load_row(b, id, v);
}

/* Dates act when they have come; one that is still to come would need the
 * service to change keys on its own, which it does not. */
static int
set_date(struct kmip_batch *b, struct kmip_view *v, const struct kmip_attr *a)
{
	bool activate = a->def->tag == TAG(ACTIVATION_DATE);
	int64_t when;
	int r;

	r = kmip_ttlv_date(&a->value, &when);
	if (r != 0)
		return r;
	if (kmip_view_state(v) !=
	    (activate ? KMIP_STATE_PRE_ACTIVE : KMIP_STATE_ACTIVE))
		return kmip_fail(PERMISSION_DENIED, "%.*s: the object is %s",
		    (int)a->name_len, a->name,
		    kmip_def_name(KMIP_TABLE_STATE, kmip_view_state(v)));
	if (when > kms_tx_time(b->tx) / USEC)
		return kmip_fail(INVALID_FIELD,
		    "%.*s lies in the future; ask again when it is due",
		    (int)a->name_len, a->name);
	return kmip_op_set_state(b, v, activate ? KMS_ACTIVE : KMS_INACTIVE);
}

static int
set_description(struct kmip_batch *b, struct kmip_view *v,
    const struct kmip_attr *a)
{
	char text[KMS_TEXT_MAX + 1] = "";
	const struct kms_key_change change = {.description = text};
	int r = 0;

	if (a->value.type != 0)
		r = kmip_ttlv_text(&a->value, text, sizeof(text));
	return r == 0 ? modify_record(b, v, &change) : r;
}

/* A Name that the record can bear becomes its name, if it has none yet. */
static int
rename_record(struct kmip_batch *b, struct kmip_view *v,
    const struct kmip_attr *a)
{
	char name[KMS_NAME_MAX + 1];
	const struct kms_key_change change = {.name = name};
	struct kmip_item text, type;
	uint32_t kind = 0;
	int r;

	if (!kmip_attr_field(&a->value, TAG(NAME_VALUE), &text) ||
	    !kmip_ttlv_find(&a->value, TAG(NAME_TYPE), &type))
		return kmip_fail(MISSING_DATA, "Name: Name Value is missing");
	r = kmip_ttlv_text(&text, name, sizeof(name));
	if (r == 0)
		r = kmip_ttlv_enum(&type, &kind);
	if (r == 0)
		r = modify_record(b, v, &change);
	if (r != 0)
		return r;
	v->stored.flags |= KMIP_STORED_NAMED;
	v->stored.flags &= ~(unsigned)KMIP_STORED_URI;
	if (kind == KMIP_NAME_URI)
		v->stored.flags |= KMIP_STORED_URI;
	return kmip_op_save(b, v);
}

static bool
is_first_name(const struct kmip_view *v, const struct kmip_attr *a)
{
	return a->def->tag == TAG(NAME) && a->index <= 0 &&
	    (v->stored.flags & KMIP_STORED_NAMED) != 0;
}

/* --- changing: what is stored ------------------------------------------- */

/* Instances that the record itself is come first. */
static int32_t
least_index(const struct kmip_view *v, const struct kmip_attr *a)
{
	if (a->def->tag == TAG(OBJECT_GROUP))
		return 1;
	if (a->def->tag == TAG(NAME) &&
	    (v->stored.flags & KMIP_STORED_NAMED) != 0)
		return 1;
	return 0;
}

static int
check_reserved(const struct kmip_attr *a)
{
	if (kmip_attr_named(a, KMIP_KEYGROUP) ||
	    kmip_attr_named(a, KMIP_KEYGROUP_OTHER))
		return kmip_fail(PERMISSION_DENIED,
		    "%.*s: follows from the object's group", (int)a->name_len,
		    a->name);
	return 0;
}

/* A label of a group that the client may not use would be a lie about it. */
static int
check_label(const struct kmip_batch *b, const struct kmip_attr *a)
{
	char group[KMS_NAME_MAX + 1];
	int r;

	if (a->def->tag != TAG(OBJECT_GROUP))
		return 0;
	r = kmip_ttlv_text(&a->value, group, sizeof(group));
	if (r == 0 && !kmip_rule_may_use(b->actor->rule, group))
		r = kmip_fail(PERMISSION_DENIED,
		    "Object Group: not one of this client's groups");
	return r;
}

/* --- the three operations ----------------------------------------------- */

struct change {
	struct kmip_item uid, item;
	struct kmip_attr attr;
	struct kmip_view view;
};

static int
begin_change(struct kmip_batch *b, struct kmip_work *w, struct change *c,
    unsigned may)
{
	int r;
	const struct kmip_field f[] = {{TAG(UNIQUE_IDENTIFIER), KMIP_TEXT,
					   KMIP_OPTIONAL, &c->uid},
	    {TAG(ATTRIBUTE), KMIP_STRUCTURE, KMIP_REQUIRED, &c->item}};

	r = kmip_ttlv_fields(&w->call->payload, f, 2, b->lenient);
	if (r == 0)
		r = kmip_attr_read(&c->item, &c->attr);
	if (r == 0)
		r = kmip_attr_check(&c->attr, b->minor, may);
	if (r == 0)
		r = check_reserved(&c->attr);
	if (r == 0)
		r = check_label(b, &c->attr);
	if (r == 0)
		r = kmip_op_load_live(b, &c->uid, &c->view);
	return r;
}

static void
end_change(struct kmip_batch *b, struct kmip_work *w, struct change *c, int r)
{
	if (r == 0) {
		kmip_op_answer_tag(b, w, kmip_view_tag(&c->view));
		kmip_attr_put(&w->out, &c->attr);
	}
	kmip_view_clear(&c->view);
}

static int
add_stored(struct kmip_batch *b, struct change *c)
{
	struct kmip_attr *a = &c->attr;
	struct kmip_stored *s = &c->view.stored;
	int r;

	if ((a->def->flags & KMIP_ATTR_MANY) == 0 &&
	    kmip_stored_find(s, a->name, a->name_len, 0) != NULL)
		return kmip_fail(ILLEGAL_OPERATION,
		    "%.*s: there already; modify it", (int)a->name_len,
		    a->name);
	r = kmip_op_check_unique(b, &c->view, a);
	if (r == 0)
		r = kmip_stored_add(s, a, least_index(&c->view, a), &a->index);
	return r == 0 ? kmip_op_save(b, &c->view) : r;
}

static bool
bears(const struct kmip_attr *a)
{
	char name[KMS_NAME_MAX + 1];
	struct kmip_item text;
	bool good;

	good = kmip_attr_field(&a->value, TAG(NAME_VALUE), &text) &&
	    kmip_ttlv_text(&text, name, sizeof(name)) == 0 &&
	    kms_name_check("Name", name) == 0;
	if (!good)
		kms_err_clear();
	return good;
}

static int
add_name(struct kmip_batch *b, struct change *c)
{
	int r;

	if ((c->view.stored.flags & KMIP_STORED_NAMED) != 0 || !bears(&c->attr))
		return add_stored(b, c);
	r = kmip_op_check_unique(b, &c->view, &c->attr);
	return r == 0 ? rename_record(b, &c->view, &c->attr) : r;
}

int
kmip_op_add_attribute(struct kmip_batch *b, struct kmip_work *w)
{
	struct change c = {.attr = {.def = NULL}};
	int r;

	r = begin_change(b, w, &c, KMIP_ATTR_ADD);
	if (r == 0 && c.attr.index > 0)
		r = kmip_fail(INVALID_FIELD,
		    "Attribute Index: the service gives it to a new one");
	if (r != 0)
		goto out;
	if (kmip_attr_named(&c.attr, KMIP_NOTE)) {
		r = kmip_op_note(b, &c.view, &c.attr.value);
		goto out;
	}
	switch (c.attr.def->tag) {
	case TAG(ACTIVATION_DATE):
	case TAG(DEACTIVATION_DATE):
		r = set_date(b, &c.view, &c.attr);
		break;
	case TAG(DESCRIPTION):
		r = set_description(b, &c.view, &c.attr);
		break;
	case TAG(NAME):
		r = add_name(b, &c);
		break;
	default:
		r = add_stored(b, &c);
	}
out:
	end_change(b, w, &c, r);
	return r;
}

static int
modify_stored(struct kmip_batch *b, struct change *c)
{
	struct kmip_attr *a = &c->attr, *old;
	int r;

	old = kmip_stored_find(&c->view.stored, a->name, a->name_len, a->index);
	if (old == NULL)
		return kmip_fail(ITEM_NOT_FOUND,
		    "%.*s: the object has no such attribute to modify",
		    (int)a->name_len, a->name);
	r = kmip_op_check_unique(b, &c->view, a);
	if (r != 0)
		return r;
	old->value = a->value;
	return kmip_op_save(b, &c->view);
}

/* The group is what the object belongs to: modifying it moves the object. */
static int
move_object(struct kmip_batch *b, struct change *c)
{
	char group[KMS_NAME_MAX + 1];
	const struct kms_key_change change = {.move_to = group};
	int r;

	r = kmip_ttlv_text(&c->attr.value, group, sizeof(group));
	return r == 0 ? modify_record(b, &c->view, &change) : r;
}

int
kmip_op_modify_attribute(struct kmip_batch *b, struct kmip_work *w)
{
	struct change c = {.attr = {.def = NULL}};
	int r;

	r = begin_change(b, w, &c, KMIP_ATTR_MODIFY);
	if (r != 0)
		goto out;
	switch (c.attr.def->tag) {
	case TAG(ACTIVATION_DATE):
	case TAG(DEACTIVATION_DATE):
		r = set_date(b, &c.view, &c.attr);
		break;
	case TAG(DESCRIPTION):
		r = set_description(b, &c.view, &c.attr);
		break;
	case TAG(NAME):
		if (is_first_name(&c.view, &c.attr)) {
			r = kmip_op_check_unique(b, &c.view, &c.attr);
			if (r == 0)
				r = rename_record(b, &c.view, &c.attr);
			break;
		}
		r = modify_stored(b, &c);
		break;
	case TAG(OBJECT_GROUP):
		r = c.attr.index <= 0 ? move_object(b, &c)
				      : modify_stored(b, &c);
		break;
	default:
		r = modify_stored(b, &c);
	}
out:
	end_change(b, w, &c, r);
	return r;
}

/* Name and index alone, or (as some clients send) a whole Attribute. */
static int
read_delete(struct kmip_batch *b, struct kmip_work *w, struct change *c)
{
	struct kmip_item name, index;
	int r;
	const struct kmip_field f[] = {{TAG(UNIQUE_IDENTIFIER), KMIP_TEXT,
					   KMIP_OPTIONAL, &c->uid},
	    {TAG(ATTRIBUTE_NAME), KMIP_TEXT, KMIP_REQUIRED, &name},
	    {TAG(ATTRIBUTE_INDEX), KMIP_INTEGER, KMIP_OPTIONAL, &index}};

	r = kmip_ttlv_fields(&w->call->payload, f, 3, b->lenient);
	if (r != 0)
		return r;
	c->attr.name = (const char *)name.value;
	c->attr.name_len = name.len;
	c->attr.def = kmip_attr_def(c->attr.name, name.len);
	c->attr.index = 0;
	if (index.type != 0)
		r = kmip_ttlv_int(&index, &c->attr.index);
	if (r == 0 && (c->attr.def == NULL || name.len > KMIP_ATTR_NAME_MAX))
		r = kmip_fail(ITEM_NOT_FOUND,
		    "the object has no such attribute");
	if (r == 0 && (c->attr.def->flags & KMIP_ATTR_DELETE) == 0)
		r = kmip_fail(PERMISSION_DENIED,
		    "%.*s: not for the client to delete", (int)c->attr.name_len,
		    c->attr.name);
	return r == 0 ? check_reserved(&c->attr) : r;
}

static int
delete_stored(struct kmip_batch *b, struct change *c)
{
	struct kmip_attr *a = &c->attr, *old;
	struct kmip_attr gone;
	int r;

	old = kmip_stored_find(&c->view.stored, a->name, a->name_len, a->index);
	if (old == NULL)
		return kmip_fail(ITEM_NOT_FOUND,
		    "%.*s: the object has no such attribute", (int)a->name_len,
		    a->name);
	gone = *old;
	kmip_stored_remove(&c->view.stored, old);
	r = kmip_op_save(b, &c->view);
	a->value = gone.value;
	return r;
}

/* The record keeps its name, for there is no record without one; it is just
 * no Name any more. */
static int
delete_first_name(struct kmip_batch *b, struct change *c)
{
	c->view.stored.flags &= ~(unsigned)KMIP_STORED_NAMED;
	return kmip_op_save(b, &c->view);
}

int
kmip_op_delete_attribute(struct kmip_batch *b, struct kmip_work *w)
{
	struct change c = {.attr = {.def = NULL}};
	int r;

	r = read_delete(b, w, &c);
	if (r == 0)
		r = kmip_op_load_live(b, &c.uid, &c.view);
	if (r != 0)
		goto out;
	if (is_first_name(&c.view, &c.attr))
		r = delete_first_name(b, &c);
	else if (c.attr.def->tag == TAG(DESCRIPTION))
		r = set_description(b, &c.view, &c.attr);
	else if (c.attr.def->tag == TAG(OBJECT_GROUP) && c.attr.index == 0)
		r = kmip_fail(PERMISSION_DENIED,
		    "Object Group: an object is always in one; move it by "
		    "Modify Attribute");
	else
		r = delete_stored(b, &c);
out:
	end_change(b, w, &c, r);
	return r;
}
