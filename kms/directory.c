#include "kms/directory_impl.h"

#include <assert.h>
#include <string.h>

#include "kms/seal.h"

/* --- a group's list of keys -------------------------------------------- */

uint64_t
kms_directory_key_id(const struct kms_directory *d, uint32_t k)
{
	return d->row[d->key[k].row].id;
}

/* The key that key k comes behind in its group's list; NONE: it is the first.
 * A new one is the last, and a replaced one goes where it was: a rotation
 * replaces every key, and must not look for each among all. */
static uint32_t
find_before(const struct kms_directory *d, uint32_t g, uint32_t k)
{
	uint64_t id = kms_directory_key_id(d, k);
	uint32_t before = d->gap_prev, next;

	if (d->gap_group == g &&
	    (before == NONE || kms_directory_key_id(d, before) < id)) {
		next = before == NONE ? d->group[g].first : d->key[before].next;
		if (next == NONE || kms_directory_key_id(d, next) > id)
			return before;
	}
	before = d->group[g].last;
	while (before != NONE && kms_directory_key_id(d, before) > id)
		before = d->key[before].prev;
	return before;
}

void
kms_directory_list_insert(struct kms_directory *d, uint32_t g, uint32_t k)
{
	struct kms_directory_group *group = &d->group[g];
	struct kms_directory_key *key = &d->key[k];
	uint32_t before = find_before(d, g, k);

	key->prev = before;
	key->next = before == NONE ? group->first : d->key[before].next;
	if (key->prev == NONE)
		group->first = k;
	else
		d->key[key->prev].next = k;
	if (key->next == NONE)
		group->last = k;
	else
		d->key[key->next].prev = k;
	group->keys++;
	group->by_state[key->state]++;
	if (key->state == KMS_ACTIVE &&
	    (group->active == NONE ||
		kms_directory_key_id(d, k) >
		    kms_directory_key_id(d, group->active)))
		group->active = k;
}

static void
list_remove(struct kms_directory *d, uint32_t g, uint32_t k)
{
	struct kms_directory_group *group = &d->group[g];
	const struct kms_directory_key *key = &d->key[k];
	uint32_t a;

	d->gap_group = g;
	d->gap_prev = key->prev;
	group->keys--;
	group->by_state[key->state]--;
	if (group->active == k) {
		a = group->by_state[KMS_ACTIVE] == 0 ? NONE : key->prev;
		while (a != NONE && d->key[a].state != KMS_ACTIVE)
			a = d->key[a].prev;
		group->active = a;
	}
	if (key->prev == NONE)
		group->first = key->next;
	else
		d->key[key->prev].next = key->next;
	if (key->next == NONE)
		group->last = key->prev;
	else
		d->key[key->next].prev = key->prev;
}

/* --- entries ----------------------------------------------------------- */

static uint32_t
take_key(struct kms_directory *d)
{
	uint32_t k = d->free_key;

	if (k == NONE) {
		assert(d->keys < d->keys_cap);
		return d->keys++;
	}
	d->free_key = d->key[k].next;
	return k;
}

static uint32_t
take_group(struct kms_directory *d)
{
	uint32_t g = d->free_group;

	if (g == NONE) {
		assert(d->groups < d->groups_cap);
		return d->groups++;
	}
	d->free_group = d->group[g].first;
	return g;
}

void
kms_directory_fill_key(const struct kms_directory *d,
    const struct kms_key *from, struct kms_directory_key *to)
{
	to->group = from->group;
	to->created = from->created;
	kms_directory_hash_name(d, from->group, from->name, to->name);
	memcpy(to->wrapped, from->wrapped.bytes, sizeof(to->wrapped));
	memcpy(to->kcv, from->wrapped.kcv, sizeof(to->kcv));
	to->wrapped_len = (uint8_t)from->wrapped.len;
	to->flags = from->flags;
	to->slot = from->slot;
	to->state = (uint8_t)from->state;
	to->origin = (uint8_t)from->origin;
	to->tag = from->tag;
	to->row = to->next = to->prev = NONE;
}

void
kms_directory_fill_row(struct kms_directory_row *to, const struct kms_row *row)
{
	to->id = row->id;
	to->generation = row->generation;
	memcpy(to->gcm, kms_seal_tag(row), sizeof(to->gcm));
	to->kind = (uint8_t)row->kind;
	to->extra = NONE;
}

/* What a row brings, before it is entered. */
struct news {
	struct kms_directory_row row;
	struct kms_directory_key key;
	uint64_t group_name[2];
};

int
kms_directory_check_row(const struct kms_row *row, const struct kms_record *rec)
{
	bool wants_record = row->kind == KMS_KIND_GROUP ||
	    row->kind == KMS_KIND_KEY;

	if (row->kind <= KMS_KIND_ROOT || row->kind > KMS_KINDS ||
	    row->id <= KMS_ROOT_ID || kms_seal_tag(row) == NULL)
		return kms_fail(KMS_ERR_DAMAGED,
		    "row %llu: kind %u, which is none",
		    (unsigned long long)row->id, row->kind);
	if (wants_record && (rec == NULL || rec->kind != row->kind))
		return kms_fail(KMS_ERR_INTERNAL,
		    "directory: row %llu without its record",
		    (unsigned long long)row->id);
	return 0;
}

static int
make_news(const struct kms_directory *d, const struct kms_row *row,
    const struct kms_record *rec, struct news *news)
{
	int r;

	r = kms_directory_check_row(row, rec);
	if (r != 0)
		return r;
	kms_directory_fill_row(&news->row, row);
	if (row->kind == KMS_KIND_KEY)
		kms_directory_fill_key(d, &rec->u.key, &news->key);
	else if (row->kind == KMS_KIND_GROUP)
		kms_directory_hash_name(d, 0, rec->u.group.name,
		    news->group_name);
	return 0;
}

static void
enter_key(struct kms_directory *d, uint32_t i,
    const struct kms_directory_key *key)
{
	uint32_t k = take_key(d);

	d->row[i].extra = k;
	d->key[k] = *key;
	d->key[k].row = i;
	kms_table_insert(&d->by_tag, kms_directory_hash_tag(d, &key->tag), k);
	kms_table_insert(&d->by_name, (uint32_t)key->name[0], k);
	kms_directory_list_insert(d, kms_directory_group_of(d, key->group), k);
}

void
kms_directory_enter_group(struct kms_directory *d, uint32_t i,
    const uint64_t name[2])
{
	uint32_t g = take_group(d);

	d->row[i].extra = g;
	d->group[g] = (struct kms_directory_group){
	    .name = {name[0], name[1]},
	    .row = i,
	    .first = NONE,
	    .last = NONE,
	    .active = NONE,
	};
	kms_table_insert(&d->by_group, (uint32_t)name[0], g);
}

/* Enters row i, which is in no table, as what the news say. */
static void
enter(struct kms_directory *d, uint32_t i, const struct news *news)
{
	d->row[i] = news->row;
	d->count[news->row.kind]++;
	if (news->row.kind == KMS_KIND_KEY)
		enter_key(d, i, &news->key);
	else if (news->row.kind == KMS_KIND_GROUP)
		kms_directory_enter_group(d, i, news->group_name);
}

/* Takes row i out of every table. */
static void
leave(struct kms_directory *d, uint32_t i)
{
	struct kms_directory_row *row = &d->row[i];
	uint32_t x = row->extra;

	d->count[row->kind]--;
	if (row->kind == KMS_KIND_KEY) {
		list_remove(d, kms_directory_group_of(d, d->key[x].group), x);
		kms_table_remove(&d->by_tag,
		    kms_directory_hash_tag(d, &d->key[x].tag), x);
		kms_table_remove(&d->by_name, (uint32_t)d->key[x].name[0], x);
		d->key[x].next = d->free_key;
		d->free_key = x;
	} else if (row->kind == KMS_KIND_GROUP) {
		kms_table_remove(&d->by_group, (uint32_t)d->group[x].name[0],
		    x);
		d->group[x].first = d->free_group;
		d->free_group = x;
	}
	row->extra = NONE;
}

/* A group stays where its keys find it; only its name and row change. */
static void
rename_group(struct kms_directory *d, uint32_t i, const struct news *news)
{
	uint32_t g = d->row[i].extra;

	kms_table_remove(&d->by_group, (uint32_t)d->group[g].name[0], g);
	d->group[g].name[0] = news->group_name[0];
	d->group[g].name[1] = news->group_name[1];
	kms_table_insert(&d->by_group, (uint32_t)news->group_name[0], g);
	d->row[i] = news->row;
	d->row[i].extra = g;
}

static void
replace(struct kms_directory *d, uint32_t i, const struct news *news)
{
	if (d->row[i].kind == KMS_KIND_GROUP &&
	    news->row.kind == KMS_KIND_GROUP) {
		rename_group(d, i, news);
		return;
	}
	leave(d, i);
	enter(d, i, news);
}

/* --- changes ----------------------------------------------------------- */

/* May the news be entered at row i (NONE: a new one)? */
static int
check_news(const struct kms_directory *d, uint32_t i, const struct news *news)
{
	unsigned long long id = news->row.id;
	const struct kms_directory_row *old = i == NONE ? NULL : &d->row[i];
	uint32_t x, own;

	own = old == NULL ? NONE : old->extra;

	if (old == NULL && d->rows > 0 && d->row != NULL &&
	    id <= d->row[d->rows - 1].id)
		return kms_fail(KMS_ERR_INTERNAL,
		    "row %llu: a new row below the last", id);
	if (old != NULL && old->kind == KMS_KIND_GROUP &&
	    news->row.kind != KMS_KIND_GROUP && d->group[own].keys > 0)
		return kms_fail(KMS_ERR_INTERNAL,
		    "row %llu: a group that still has keys", id);
	if (news->row.kind == KMS_KIND_GROUP) {
		x = kms_directory_find_group(d, news->group_name);
		if (x != NONE && x != own)
			return kms_fail(KMS_ERR_EXISTS,
			    "a group of that name exists already; give another "
			    "name");
	}
	if (news->row.kind != KMS_KIND_KEY)
		return 0;
	if (kms_directory_group_of(d, news->key.group) == NONE)
		return kms_fail(KMS_ERR_INTERNAL,
		    "row %llu: a key whose group is missing", id);
	x = kms_directory_find_tag(d, kms_directory_hash_tag(d, &news->key.tag),
	    &news->key.tag);
	if (x != NONE && x != own)
		return kms_fail(KMS_ERR_EXISTS,
		    "a key of that tag exists already; p11kmsutil -listkeys "
		    "-tag shows it");
	x = kms_directory_find_name(d, news->key.name);
	if (x != NONE && x != own)
		return kms_fail(KMS_ERR_EXISTS,
		    "a key of that name exists already in its group; give "
		    "another name");
	return 0;
}

static void
remember(const struct kms_directory *d, uint32_t i,
    struct kms_directory_was *was)
{
	if (was == NULL)
		return;
	memset(was, 0, sizeof(*was));
	if (i == NONE)
		return;
	was->existed = true;
	was->row = d->row[i];
	if (was->row.kind == KMS_KIND_KEY)
		was->key = d->key[was->row.extra];
	else if (was->row.kind == KMS_KIND_GROUP)
		memcpy(was->group_name, d->group[was->row.extra].name,
		    sizeof(was->group_name));
}

static void
note_change(struct kms_directory *d, uint64_t id)
{
	d->changed[d->changes++ % KMS_DIRECTORY_CHANGES] = id;
}

int
kms_directory_put(struct kms_directory *d, const struct kms_row *row,
    const struct kms_record *rec, struct kms_directory_was *was)
{
	struct news news = {0};
	uint32_t i;
	int r;

	r = make_news(d, row, rec, &news);
	if (r != 0)
		return r;
	i = kms_directory_find_id(d, row->id);
	r = check_news(d, i, &news);
	if (r == 0)
		r = kms_directory_reserve(d, 1);
	if (r != 0)
		return r;
	remember(d, i, was);
	note_change(d, row->id);
	if (i != NONE) {
		replace(d, i, &news);
		return 0;
	}
	i = d->rows++;
	enter(d, i, &news);
	return 0;
}

void
kms_directory_undo(struct kms_directory *d, const struct kms_directory_was *was,
    uint64_t id)
{
	struct news news = {.row = was->row, .key = was->key};
	uint32_t i = kms_directory_find_id(d, id);

	assert(i != NONE);
	note_change(d, id);
	if (was->existed) {
		memcpy(news.group_name, was->group_name,
		    sizeof(news.group_name));
		replace(d, i, &news);
		return;
	}
	assert(i == d->rows - 1);
	leave(d, i);
	d->rows--;
}
