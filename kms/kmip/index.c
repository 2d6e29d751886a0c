#include "kms/kmip/index.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kms/base/crypt.h"
#include "kms/base/log.h"
#include "kms/siphash.h"

#define TAG(id) KMIP_TAG_##id
#define NONE UINT32_MAX
#define BUCKETS_MIN 1024u
#define ENTRIES_MAX (UINT32_MAX / 2)

/* A term of one version of a row; a later version makes it stale, which the
 * directory tells. Nothing is ever taken out of the middle. */
struct entry {
	uint64_t hash[2], id, generation;
	uint32_t next, detail;
};

struct kmip_index {
	pthread_mutex_t lock; /* all below but key */
	struct kms_siphash_key key;
	struct entry *entry;
	size_t n, cap;
	uint32_t *bucket; /* cap of them or more: a power of two */
	size_t buckets;
	bool built;
	uint64_t epoch, seen; /* of the directory */
};

int
kmip_index_new(struct kmip_index **out)
{
	struct kmip_index *ix;
	int r;

	*out = NULL;
	ix = calloc(1, sizeof(*ix));
	if (ix == NULL)
		return kms_fail(KMS_ERR_MEMORY, "index: out of memory");
	(void)pthread_mutex_init(&ix->lock, NULL);
	r = kms_random(&ix->key, sizeof(ix->key));
	if (r != 0) {
		kmip_index_free(&ix);
		return r;
	}
	*out = ix;
	return 0;
}

void
kmip_index_free(struct kmip_index **ixp)
{
	struct kmip_index *ix;

	if (ixp == NULL || *ixp == NULL)
		return;
	ix = *ixp;
	*ixp = NULL;
	free(ix->entry);
	free(ix->bucket);
	(void)pthread_mutex_destroy(&ix->lock);
	free(ix);
}

/* Kind and parts become one short string: their own hashes. */
static void
hash_of(const struct kmip_index *ix, const struct kmip_sought *t,
    uint64_t out[2])
{
	uint64_t parts[5] = {(uint64_t)t->term};

	kms_siphash(&ix->key, t->first.value, t->first.len, parts + 1);
	kms_siphash(&ix->key, t->second.value, t->second.len, parts + 3);
	kms_siphash(&ix->key, parts, sizeof(parts), out);
}

/* --- the table ---------------------------------------------------------- */

static void
link_entry(struct kmip_index *ix, uint32_t i)
{
	uint32_t *head = &ix->bucket[ix->entry[i].hash[0] & (ix->buckets - 1)];

	ix->entry[i].next = *head;
	*head = i;
}

static int
rehash(struct kmip_index *ix, size_t buckets)
{
	uint32_t *bucket;
	size_t i;

	bucket = malloc(buckets * sizeof(*bucket));
	if (bucket == NULL)
		return kms_fail(KMS_ERR_MEMORY, "index: out of memory");
	free(ix->bucket);
	ix->bucket = bucket;
	ix->buckets = buckets;
	for (i = 0; i < buckets; i++)
		bucket[i] = NONE;
	for (i = 0; i < ix->n; i++)
		link_entry(ix, (uint32_t)i);
	return 0;
}

static int
grow(struct kmip_index *ix)
{
	size_t cap = ix->cap + ix->cap / 2 + BUCKETS_MIN;
	struct entry *entry;

	if (cap > ENTRIES_MAX)
		return kms_fail(KMS_ERR_LIMIT, "index of over %u terms",
		    ENTRIES_MAX);
	entry = realloc(ix->entry, cap * sizeof(*entry));
	if (entry == NULL)
		return kms_fail(KMS_ERR_MEMORY, "index: out of memory");
	ix->entry = entry;
	ix->cap = cap;
	if (ix->buckets >= cap)
		return 0;
	return rehash(ix, ix->buckets == 0 ? BUCKETS_MIN : ix->buckets * 2);
}

static bool
is_stale(const struct entry *e, const struct kms_directory *d)
{
	const struct kms_directory_row *row = kms_directory_by_id(d, e->id);

	return row == NULL || row->generation != e->generation;
}

/* Called when the array is full: makes room by dropping what is stale, or
 * else by growing. */
static int
make_room(struct kmip_index *ix, const struct kms_directory *d)
{
	size_t i, kept = 0;

	for (i = 0; i < ix->n; i++)
		if (!is_stale(&ix->entry[i], d))
			ix->entry[kept++] = ix->entry[i];
	ix->n = kept;
	if (kept > ix->cap / 4 * 3)
		return grow(ix);
	return ix->buckets == 0 ? grow(ix) : rehash(ix, ix->buckets);
}

struct adding {
	struct kmip_index *ix;
	const struct kms_directory *dir;
	uint64_t id, generation;
};

static int
add(struct adding *a, const struct kmip_sought *t)
{
	struct kmip_index *ix = a->ix;
	struct entry *e;
	int r = 0;

	if (ix->n == ix->cap)
		r = make_room(ix, a->dir);
	if (r != 0)
		return r;
	e = &ix->entry[ix->n];
	*e = (struct entry){.id = a->id,
	    .generation = a->generation,
	    .detail = t->detail};
	hash_of(ix, t, e->hash);
	link_entry(ix, (uint32_t)ix->n++);
	return 0;
}

/* --- terms of a record -------------------------------------------------- */

static struct kmip_item
bytes(const void *p, size_t len)
{
	return (struct kmip_item){.value = p, .len = len};
}

static int
add_typed(struct adding *a, enum kmip_term term, const struct kmip_attr *attr,
    uint32_t value_tag, uint32_t type_tag)
{
	struct kmip_sought t = {.term = term, .second = bytes("", 0)};
	struct kmip_item type;

	if (!kmip_attr_field(&attr->value, value_tag, &t.first))
		return 0;
	if (kmip_ttlv_find(&attr->value, type_tag, &type) &&
	    type.type == KMIP_ENUM)
		t.detail = kms_get32(type.value);
	return add(a, &t);
}

static int
add_application(struct adding *a, const struct kmip_attr *attr)
{
	struct kmip_sought t = {.term = KMIP_TERM_APPLICATION};

	if (!kmip_attr_field(&attr->value, TAG(APPLICATION_NAMESPACE),
		&t.first) ||
	    !kmip_attr_field(&attr->value, TAG(APPLICATION_DATA), &t.second))
		return 0;
	return add(a, &t);
}

static int
add_attr(struct adding *a, const struct kmip_attr *attr)
{
	struct kmip_sought t = {.second = bytes("", 0)};

	if (attr->def == NULL)
		return 0;
	switch (attr->def->tag) {
	case TAG(NAME):
		return add_typed(a, KMIP_TERM_NAME, attr, TAG(NAME_VALUE),
		    TAG(NAME_TYPE));
	case TAG(ALTERNATIVE_NAME):
		return add_typed(a, KMIP_TERM_ALTERNATIVE, attr,
		    TAG(ALTERNATIVE_NAME_VALUE), TAG(ALTERNATIVE_NAME_TYPE));
	case TAG(APPLICATION_SPECIFIC_INFORMATION):
		return add_application(a, attr);
	case TAG(OBJECT_GROUP):
		t.term = KMIP_TERM_GROUP;
		t.first = attr->value;
		return add(a, &t);
	case TAG(CUSTOM_ATTRIBUTE):
		t.term = KMIP_TERM_CUSTOM;
		t.first = bytes(attr->name, attr->name_len);
		t.second = attr->value;
		t.detail = attr->value.type;
		return add(a, &t);
	}
	return 0;
}

/* It came with an import, or from a newer program. Nobody finds it by its
 * attributes then, and all others are found. */
static int
pass_over(const struct kms_key *key, int why)
{
	char tag[KMS_TAG_TEXT], name[KMS_LOG_QUOTED], cause[KMS_LOG_QUOTED];

	kms_tag_text(&key->tag, tag);
	kms_log(KMS_LOG_WARN, "kmip.unreadable", "tag=%s key=%s cause=%s", tag,
	    kms_log_quote(name, sizeof(name), key->name),
	    kms_log_quote(cause, sizeof(cause), kms_err_cause(why)));
	kms_err_clear();
	return 0;
}

static int
add_key(struct adding *a, const struct kms_key *key)
{
	struct kmip_sought name = {.term = KMIP_TERM_NAME,
	    .first = bytes(key->name, strlen(key->name)),
	    .second = bytes("", 0),
	    .detail = KMIP_NAME_UNINTERPRETED_TEXT_STRING};
	struct kmip_stored s;
	size_t i;
	int r;

	r = kmip_stored_decode(&s, key->attrs, key->attrs_len);
	if (r == KMS_ERR_DAMAGED || r == KMS_ERR_VERSION)
		return pass_over(key, r);
	if (r != 0)
		return r;
	if ((s.flags & KMIP_STORED_URI) != 0)
		name.detail = KMIP_NAME_URI;
	if ((s.flags & KMIP_STORED_NAMED) != 0)
		r = add(a, &name);
	for (i = 0; r == 0 && i < s.n; i++)
		r = add_attr(a, &s.attr[i]);
	kmip_stored_clear(&s);
	return r;
}

static int
add_row(struct kmip_index *ix, struct kms_tx *tx, const struct kms_directory *d,
    const struct kms_directory_row *row)
{
	struct adding a = {.ix = ix,
	    .dir = d,
	    .id = row->id,
	    .generation = row->generation};
	struct kmip_sought tag = {.term = KMIP_TERM_DESTROYED};
	struct kms_record rec;
	int r;

	if (row->kind != KMS_KIND_KEY && row->kind != KMS_KIND_TOMBSTONE)
		return 0;
	r = kms_tx_get(tx, row->id, &rec);
	if (r != 0)
		return r;
	if (rec.kind == KMS_KIND_KEY) {
		r = add_key(&a, &rec.u.key);
	} else if (rec.u.tombstone.tag.len > 0) {
		tag.first = bytes(rec.u.tombstone.tag.b,
		    rec.u.tombstone.tag.len);
		tag.second = bytes("", 0);
		r = add(&a, &tag);
	}
	kms_record_clear(&rec);
	return r;
}

/* --- keeping up --------------------------------------------------------- */

static int
build(struct kmip_index *ix, struct kms_tx *tx, const struct kms_directory *d)
{
	static const unsigned kinds[] = {KMS_KIND_KEY, KMS_KIND_TOMBSTONE};
	const struct kms_directory_row *row;
	size_t i, at;
	int r = 0;

	ix->built = false;
	ix->n = 0;
	if (ix->buckets > 0)
		r = rehash(ix, ix->buckets);
	for (i = 0; r == 0 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		at = 0;
		while (r == 0 &&
		    (row = kms_directory_next(d, kinds[i], &at)) != NULL)
			r = add_row(ix, tx, d, row);
	}
	if (r != 0)
		return r;
	ix->built = true;
	ix->epoch = kms_directory_epoch(d);
	ix->seen = kms_directory_changes(d);
	return 0;
}

static int
follow(struct kmip_index *ix, struct kms_tx *tx, const struct kms_directory *d)
{
	uint64_t last = kms_directory_changes(d), id;
	const struct kms_directory_row *row;
	int r;

	for (; ix->seen < last; ix->seen++) {
		if (!kms_directory_change(d, ix->seen, &id))
			return build(ix, tx, d);
		row = kms_directory_by_id(d, id);
		r = row == NULL ? 0 : add_row(ix, tx, d, row);
		if (r != 0)
			return r;
	}
	return 0;
}

int
kmip_index_update(struct kmip_index *ix, struct kms_tx *tx)
{
	const struct kms_directory *d = kms_tx_directory(tx);
	int r;

	(void)pthread_mutex_lock(&ix->lock);
	if (!ix->built || ix->epoch != kms_directory_epoch(d))
		r = build(ix, tx, d);
	else
		r = follow(ix, tx, d);
	(void)pthread_mutex_unlock(&ix->lock);
	return r;
}

/* --- finding ------------------------------------------------------------ */

int
kmip_ids_add(struct kmip_ids *ids, uint64_t id)
{
	uint64_t *p;
	size_t cap;

	if (ids->n == ids->cap) {
		cap = ids->cap == 0 ? 16 : ids->cap * 2;
		p = realloc(ids->id, cap * sizeof(*p));
		if (p == NULL)
			return kms_fail(KMS_ERR_MEMORY, "list: out of memory");
		ids->id = p;
		ids->cap = cap;
	}
	ids->id[ids->n++] = id;
	return 0;
}

static int
newer_first(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

void
kmip_ids_sort(struct kmip_ids *ids)
{
	size_t i, n = 0;

	if (ids->n == 0)
		return;
	qsort(ids->id, ids->n, sizeof(*ids->id), newer_first);
	for (i = 0; i < ids->n; i++)
		if (n == 0 || ids->id[n - 1] != ids->id[i])
			ids->id[n++] = ids->id[i];
	ids->n = n;
}

void
kmip_ids_clear(struct kmip_ids *ids)
{
	free(ids->id);
	*ids = (struct kmip_ids){0};
}

/* What no update has seen yet; all there is, when it is more than the
 * directory remembers. */
static int
add_pending(const struct kmip_index *ix, const struct kms_directory *d,
    struct kmip_ids *ids)
{
	uint64_t n, last = kms_directory_changes(d), id;
	const struct kms_directory_row *row;
	size_t at = 0;
	int r = 0;

	for (n = ix->seen; r == 0 && n < last; n++) {
		if (!kms_directory_change(d, n, &id))
			break;
		r = kmip_ids_add(ids, id);
	}
	if (r != 0 || n == last)
		return r;
	while (r == 0 && (row = kms_directory_next(d, 0, &at)) != NULL)
		r = kmip_ids_add(ids, row->id);
	return r;
}

static bool
is_hit(const struct entry *e, const uint64_t hash[2], uint32_t detail)
{
	return e->hash[0] == hash[0] && e->hash[1] == hash[1] &&
	    (detail == 0 || e->detail == detail);
}

int
kmip_index_find(struct kmip_index *ix, const struct kms_directory *d,
    const struct kmip_sought *t, struct kmip_ids *ids)
{
	const struct entry *e;
	uint64_t hash[2];
	uint32_t i;
	int r;

	hash_of(ix, t, hash);
	(void)pthread_mutex_lock(&ix->lock);
	r = add_pending(ix, d, ids);
	i = ix->buckets == 0 ? NONE : ix->bucket[hash[0] & (ix->buckets - 1)];
	for (; i != NONE && r == 0; i = e->next) {
		e = &ix->entry[i];
		if (is_hit(e, hash, t->detail) && !is_stale(e, d))
			r = kmip_ids_add(ids, e->id);
	}
	(void)pthread_mutex_unlock(&ix->lock);
	return r;
}

bool
kmip_index_is_current(struct kmip_index *ix, const struct kms_directory *d)
{
	bool current;

	(void)pthread_mutex_lock(&ix->lock);
	current = ix->built && ix->epoch == kms_directory_epoch(d) &&
	    ix->seen == kms_directory_changes(d);
	(void)pthread_mutex_unlock(&ix->lock);
	return current;
}

size_t
kmip_index_memory(struct kmip_index *ix)
{
	size_t n;

	(void)pthread_mutex_lock(&ix->lock);
	n = sizeof(*ix) + ix->cap * sizeof(*ix->entry) +
	    ix->buckets * sizeof(*ix->bucket);
	(void)pthread_mutex_unlock(&ix->lock);
	return n;
}
