#include "kms/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kms/key_impl.h"

static struct kms_directory *
dir_of(struct kms_tx *tx)
{
	return kms_tx_store(tx)->dir;
}

/* --- look-up ---------------------------------------------------------- */

static int
find(struct kms_tx *tx, const char *group, const char *name,
    const struct kms_directory_row **row)
{
	uint64_t id = 0;
	int r;

	r = kms_group_id(tx, group, &id);
	if (r != 0)
		return r;
	*row = kms_directory_by_name(dir_of(tx), id, name);
	if (*row == NULL)
		return kms_fail(KMS_ERR_NOTFOUND,
		    "key '%s' does not exist in group '%s'; list them with "
		    "p11kmsutil -listkeys -kgname %s",
		    name, group, group);
	return 0;
}

int
kms_key_get(struct kms_tx *tx, const char *group, const char *name,
    struct kms_record *record)
{
	const struct kms_directory_row *row = NULL;
	int r;

	*record = (struct kms_record){0};
	r = find(tx, group, name, &row);
	return r == 0 ? kms_tx_get(tx, row->id, record) : r;
}

/* attrs stay with the record. */
void
kms_key_show(struct kms_tx *tx, const struct kms_record *record,
    const char *group, struct kms_key_view *view)
{
	const struct kms_gate_key facts = {.origin = record->u.key.origin,
	    .flags = record->u.key.flags,
	    .slot = record->u.key.slot,
	    .id = record->id};

	memset(view, 0, sizeof(*view));
	view->id = record->id;
	view->generation = record->generation;
	memcpy(view->group, group, strnlen(group, KMS_NAME_MAX));
	view->key = record->u.key;
	view->key.attrs = NULL;
	view->key.attrs_len = 0;
	kms_gate_look(kms_tx_store(tx), &facts, &view->gate);
}

/* group NULL: looked up. */
static int
view_row(struct kms_tx *tx, uint64_t id, const char *group,
    struct kms_key_view *view)
{
	char name[KMS_NAME_MAX + 1];
	struct kms_record record;
	int r;

	r = kms_tx_get(tx, id, &record);
	if (r == 0 && group == NULL)
		r = kms_tx_group_name(tx, record.u.key.group, name);
	if (r == 0)
		kms_key_show(tx, &record, group == NULL ? name : group, view);
	kms_record_clear(&record);
	return r;
}

int
kms_key_view(struct kms_tx *tx, const char *group, const char *name,
    struct kms_key_view *view)
{
	const struct kms_directory_row *row = NULL;
	int r;

	r = find(tx, group, name, &row);
	return r == 0 ? view_row(tx, row->id, group, view) : r;
}

int
kms_key_view_tag(struct kms_tx *tx, const struct kms_tag *tag,
    struct kms_key_view *view)
{
	const struct kms_directory_row *row;
	char text[KMS_TAG_TEXT];

	row = kms_directory_by_tag(dir_of(tx), tag);
	if (row != NULL)
		return view_row(tx, row->id, NULL, view);
	kms_tag_text(tag, text);
	return kms_fail(KMS_ERR_NOTFOUND,
	    "no key of tag %s; list them with p11kmsutil -listkeys", text);
}

int
kms_key_active(struct kms_tx *tx, const char *group, struct kms_key_view *view)
{
	const struct kms_directory_row *row;
	uint64_t id = 0;
	int r;

	r = kms_group_id(tx, group, &id);
	if (r != 0)
		return r;
	row = kms_directory_active(dir_of(tx), id);
	if (row == NULL)
		return kms_fail(KMS_ERR_NOTFOUND,
		    "%s: no active key; create one with p11kmsutil -createkey "
		    "-kgname %s -activate",
		    group, group);
	return view_row(tx, row->id, group, view);
}

/* --- list ------------------------------------------------------------- */

struct listing {
	struct kms_tx *tx;
	const struct kms_key_filter *filter;
	int (*each)(void *, const struct kms_key_view *);
	void *arg;
	uint64_t group; /* whose name is at hand; 0: nobody's */
	char group_name[KMS_NAME_MAX + 1];
	struct kms_key_view view;
};

/* Keys of a group follow one another mostly: its name is read once. */
static int
list_row(struct listing *l, const struct kms_directory_row *row)
{
	const struct kms_directory_key *key;
	int r = 0;

	key = kms_directory_key(dir_of(l->tx), row);
	if (l->filter->active_only && key->state != KMS_ACTIVE)
		return 0;
	if (key->group != l->group)
		r = kms_tx_group_name(l->tx, key->group, l->group_name);
	if (r != 0)
		return r;
	l->group = key->group;
	r = view_row(l->tx, row->id, l->group_name, &l->view);
	return r == 0 ? l->each(l->arg, &l->view) : r;
}

static int
list_all(struct listing *l)
{
	const struct kms_directory_row *row;
	size_t at = 0;
	int r = 0;

	while (r == 0 &&
	    (row = kms_directory_next(dir_of(l->tx), KMS_KIND_KEY, &at)) !=
		NULL)
		r = list_row(l, row);
	return r;
}

static int
list_group(struct listing *l, uint64_t group)
{
	const struct kms_directory_row *row = NULL;
	int r = 0;

	while (r == 0 &&
	    (row = kms_directory_next_in_group(dir_of(l->tx), group, row)) !=
		NULL)
		r = list_row(l, row);
	return r;
}

static int
list_one(struct listing *l)
{
	const struct kms_key_filter *f = l->filter;
	const struct kms_directory_row *row = NULL;
	char text[KMS_TAG_TEXT];
	uint64_t group = 0;
	int r = 0;

	if (f->tag == NULL)
		r = find(l->tx, f->group, f->name, &row);
	else if (f->group != NULL)
		r = kms_group_id(l->tx, f->group, &group);
	if (r == 0 && f->tag != NULL)
		row = kms_directory_by_tag(dir_of(l->tx), f->tag);
	if (r != 0)
		return r;
	if (row != NULL &&
	    (group == 0 ||
		kms_directory_key(dir_of(l->tx), row)->group == group))
		return list_row(l, row);
	kms_tag_text(f->tag, text);
	return kms_fail(KMS_ERR_NOTFOUND,
	    "no key of tag %s%s%s; p11kmsutil -recoverkey brings one back",
	    text, f->group == NULL ? "" : " in group ",
	    f->group == NULL ? "" : f->group);
}

int
kms_key_list(struct kms_tx *tx, const struct kms_key_filter *filter,
    int (*each)(void *, const struct kms_key_view *), void *arg)
{
	static const struct kms_key_filter all = {0};
	struct listing l = {.tx = tx,
	    .filter = filter == NULL ? &all : filter,
	    .each = each,
	    .arg = arg};
	uint64_t group = 0;
	int r;

	if (l.filter->tag != NULL ||
	    (l.filter->name != NULL && l.filter->group != NULL))
		return list_one(&l);
	if (l.filter->name != NULL)
		return kms_fail(KMS_ERR_USAGE,
		    "a key name needs its group: -kgname");
	if (l.filter->group == NULL)
		return list_all(&l);
	r = kms_group_id(tx, l.filter->group, &group);
	return r == 0 ? list_group(&l, group) : r;
}

/* --- add -------------------------------------------------------------- */

int
kms_key_check_name(struct kms_tx *tx, uint64_t group, const char *group_name_,
    const char *name)
{
	int r;

	r = kms_name_check("key name", name);
	if (r == 0 && kms_directory_by_name(dir_of(tx), group, name) != NULL)
		r = kms_fail(KMS_ERR_EXISTS,
		    "key '%s' exists already in group '%s'; choose another "
		    "name",
		    name, group_name_);
	return r;
}

int
kms_key_check_room(struct kms_tx *tx, uint64_t group, const char *group_name_)
{
	unsigned most = kms_store_policy(kms_tx_store(tx))->max_keys_per_group;
	const struct kms_directory *dir = dir_of(tx);
	const struct kms_directory_group *g;

	g = kms_directory_group(dir, kms_directory_by_id(dir, group));
	if (g == NULL || most == 0 || g->keys < most)
		return 0;
	return kms_fail(KMS_ERR_LIMIT,
	    "group '%s' holds %u keys, no more are allowed ([limits] "
	    "keys_per_group); raise it, or delete one",
	    group_name_, g->keys);
}

/* GROUP-GENERATION; a second key of the same change gets a number more. */
static int
default_name(struct kms_tx *tx, uint64_t group, const char *group_name_,
    char name[KMS_NAME_MAX + 1])
{
	unsigned long long generation = kms_tx_generation(tx);
	unsigned i;
	int n;

	for (i = 1; i < 1000000; i++) {
		n = i == 1 ? snprintf(name, KMS_NAME_MAX + 1, "%s-%llu",
				 group_name_, generation)
			   : snprintf(name, KMS_NAME_MAX + 1, "%s-%llu-%u",
				 group_name_, generation, i);
		if (n < 0 || n > (int)KMS_NAME_MAX)
			break;
		if (kms_directory_by_name(dir_of(tx), group, name) == NULL)
			return 0;
	}
	return kms_fail(KMS_ERR_USAGE,
	    "no key name can be made from that of group '%s'; give one with "
	    "-keyname",
	    group_name_);
}

/* The tag is there already: the same key is no error, another one is. */
static int
answer_held(struct kms_tx *tx, const struct kms_directory_row *row,
    const struct kms_material *m, struct kms_key_view *view)
{
	char text[KMS_TAG_TEXT];
	int r;

	r = view_row(tx, row->id, NULL, view);
	if (r != 0)
		return r;
	if (kms_equal(view->key.wrapped.kcv, m->wrapped.kcv,
		sizeof(m->wrapped.kcv)))
		return 0;
	kms_tag_text(&m->tag, text);
	return kms_fail(KMS_ERR_EXISTS,
	    "tag %s is held by key '%s' of group '%s', and that is another "
	    "key; nothing was changed",
	    text, view->key.name, view->group);
}

static void
set_past(struct kms_key *k, const struct kms_key_past *past)
{
	if (past->created != 0)
		k->created = past->created;
	if (past->activated == 0)
		return;
	k->flags |= KMS_KEY_EVER_ACTIVE;
	k->activated = past->activated;
	k->deactivated = past->deactivated;
}

static int
fill_key(struct kms_tx *tx, const struct kms_key_new *new, uint64_t group,
    struct kms_key *k)
{
	int r;

	k->group = group;
	k->tag = new->material->tag;
	k->origin = new->material->origin;
	k->slot = new->material->slot;
	k->wrapped = new->material->wrapped;
	k->created = kms_tx_time(tx);
	kms_key_enter_state(tx, k, new->state);
	if (new->rotating)
		k->flags |= KMS_KEY_ROTATING;
	if (new->past != NULL)
		set_past(k, new->past);
	if (new->past != NULL || new->event == KMS_EVENT_KEY_RECOVER)
		k->flags |= KMS_KEY_ELSEWHERE;
	if (new->name == NULL) {
		r = default_name(tx, group, new->group, k->name);
	} else {
		r = kms_key_check_name(tx, group, new->group, new->name);
		if (r == 0)
			memcpy(k->name, new->name, strlen(new->name) + 1);
	}
	if (r == 0 && new->description != NULL)
		r = kms_text_check("description", new->description);
	if (r == 0 && new->description != NULL)
		memcpy(k->description, new->description,
		    strlen(new->description) + 1);
	return r;
}

/* The attributes are lent for the put alone. */
static int
put_new(struct kms_tx *tx, struct kms_record *record,
    const struct kms_key_new *new)
{
	struct kms_key *k = &record->u.key;
	uint8_t *copy = NULL;
	int r;

	if (new->attrs_len > 0) {
		copy = malloc(new->attrs_len);
		if (copy == NULL)
			return kms_fail(KMS_ERR_MEMORY,
			    "attributes: out of memory");
		memcpy(copy, new->attrs, new->attrs_len);
	}
	k->attrs = copy;
	k->attrs_len = new->attrs_len;
	r = kms_tx_put(tx, record);
	k->attrs = NULL;
	k->attrs_len = 0;
	free(copy);
	return r;
}

int
kms_key_add(struct kms_tx *tx, const struct kms_key_new *new,
    struct kms_key_view *view, bool *held)
{
	struct kms_record record = {.kind = KMS_KIND_KEY};
	struct kms_key *k = &record.u.key;
	const struct kms_step step = {.event = new->event,
	    .group = new->group,
	    .subject = k->name,
	    .tag = &new->material->tag};
	const struct kms_directory_row *there;
	uint64_t group = 0;
	bool displaces;
	int r;

	*held = false;
	displaces = new->state ==
	    KMS_ACTIVE &&kms_key_displaces(new->group, new->keep_others);
	there = kms_directory_by_tag(dir_of(tx), &new->material->tag);
	if (there != NULL) {
		*held = true;
		return answer_held(tx, there, new->material, view);
	}
	r = kms_group_id(tx, new->group, &group);
	if (r == 0)
		r = kms_tx_check_slot(tx, new->material->slot);
	if (r == 0)
		r = kms_key_check_room(tx, group, new->group);
	if (r == 0)
		r = fill_key(tx, new, group, k);
	if (r == 0 && displaces)
		r = kms_key_check_activation(tx, k, 0);
	if (r == 0)
		r = kms_tx_step(tx, &step);
	if (r == 0 && displaces)
		r = kms_key_demote_active(tx, group, new->group, 0);
	if (r == 0)
		r = put_new(tx, &record, new);
	if (r == 0)
		kms_key_show(tx, &record, new->group, view);
	return r;
}
