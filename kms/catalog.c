#include "kms/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "kms/logbook.h"
#include "kms/siphash.h"
#include "kms/table.h"

struct kms_catalog {
	struct kms_catalog_entry *entry; /* owned */
	size_t n, cap;
	struct kms_table table; /* hash to index */
	struct kms_siphash_key key;
};

int
kms_catalog_new(struct kms_catalog **out)
{
	struct kms_catalog *c = calloc(1, sizeof(*c));
	int r;

	*out = NULL;
	if (c == NULL)
		return kms_fail(KMS_ERR_MEMORY, "catalog: out of memory");
	r = kms_random(&c->key, sizeof(c->key));
	if (r == 0)
		*out = c;
	else
		kms_catalog_free(&c);
	return r;
}

void
kms_catalog_free(struct kms_catalog **cp)
{
	if (cp == NULL || *cp == NULL)
		return;
	kms_table_free(&(*cp)->table);
	free((*cp)->entry);
	free(*cp);
	*cp = NULL;
}

/* --- folding ----------------------------------------------------------- */

static const char *
drive_of_unnamed(const struct kms_catalog_entry *e)
{
	return e->volume[0] == '\0' && e->medium[0] == '\0' ? e->drive : "";
}

static bool
is_same(const struct kms_catalog_entry *a, const struct kms_catalog_entry *b)
{
	return kms_tag_equal(&a->tag, &b->tag) &&
	    strcmp(a->volume, b->volume) == 0 &&
	    strcmp(a->medium, b->medium) == 0 &&
	    strcmp(drive_of_unnamed(a), drive_of_unnamed(b)) == 0;
}

static uint32_t
hash_of(const struct kms_catalog *c, const struct kms_catalog_entry *e)
{
	uint8_t text[KMS_TAG_MAX + 3 * (KMS_DRIVE_TEXT + 1)] = {0};
	uint64_t out[2];
	uint8_t *p = text;

	memcpy(p, e->tag.b, e->tag.len);
	p += KMS_TAG_MAX;
	memcpy(p, e->volume, strlen(e->volume));
	p += KMS_DRIVE_TEXT + 1;
	memcpy(p, e->medium, strlen(e->medium));
	p += KMS_DRIVE_TEXT + 1;
	memcpy(p, drive_of_unnamed(e), strlen(drive_of_unnamed(e)));
	kms_siphash(&c->key, text, sizeof(text), out);
	return (uint32_t)out[0];
}

static struct kms_catalog_entry *
find(const struct kms_catalog *c, const struct kms_catalog_entry *e,
    uint32_t hash)
{
	struct kms_table_walk walk;
	uint32_t i;

	if (c->n == 0)
		return NULL;
	for (i = kms_table_first(&c->table, hash, &walk); i != KMS_TABLE_NONE;
	     i = kms_table_next(&c->table, &walk))
		if (is_same(&c->entry[i], e))
			return &c->entry[i];
	return NULL;
}

static int
make_room(struct kms_catalog *c)
{
	size_t cap = c->cap == 0 ? 64 : c->cap * 2;
	struct kms_catalog_entry *entry;
	int r;

	if (c->n < c->cap)
		return 0;
	r = kms_table_reserve(&c->table, cap);
	if (r != 0)
		return r;
	entry = realloc(c->entry, cap * sizeof(*entry));
	if (entry == NULL)
		return kms_fail(KMS_ERR_MEMORY, "catalog: out of memory");
	c->entry = entry;
	c->cap = cap;
	return 0;
}

static void
merge(struct kms_catalog_entry *old, const struct kms_catalog_entry *e)
{
	old->loads += e->loads;
	old->written |= e->written;
	if (e->first < old->first)
		old->first = e->first;
	if (e->last < old->last)
		return;
	old->last = e->last;
	memcpy(old->drive, e->drive, sizeof(old->drive));
}

int
kms_catalog_add(struct kms_catalog *c, const struct kms_catalog_entry *e)
{
	uint32_t hash = hash_of(c, e);
	struct kms_catalog_entry *old = find(c, e, hash);
	int r;

	if (old != NULL) {
		merge(old, e);
		return 0;
	}
	r = make_room(c);
	if (r != 0)
		return r;
	c->entry[c->n] = *e;
	kms_table_insert(&c->table, hash, (uint32_t)c->n);
	c->n++;
	return 0;
}

/* --- the log ----------------------------------------------------------- */

static int
fold(void *catalog, const struct kms_release_entry *release)
{
	struct kms_catalog_entry e = {.tag = release->tag,
	    .first = release->time,
	    .last = release->time,
	    .loads = 1,
	    .written = release->use == KMS_USE_WRITE ||
		release->use == KMS_USE_NOTE};

	if (release->drive[0] == '\0' && release->volume[0] == '\0' &&
	    release->medium[0] == '\0')
		return 0;
	memcpy(e.volume, release->volume, sizeof(e.volume));
	memcpy(e.medium, release->medium, sizeof(e.medium));
	memcpy(e.drive, release->drive, sizeof(e.drive));
	return kms_catalog_add(catalog, &e);
}

int
kms_catalog_load(struct kms_catalog *c, struct kms_store *s,
    const struct kms_actor *actor, bool *complete)
{
	struct kms_release_log_report report;
	struct kms_release_log *log = NULL;
	struct kms_tx *tx = NULL;
	int r;

	r = kms_tx_begin(s, actor, KMS_READ, &tx);
	if (r != 0)
		return r;
	*complete = s->log_restart_id == 0;
	r = kms_logbook_reader(s, &log, &report);
	kms_tx_abort(&tx);
	if (r == 0)
		r = kms_release_log_scan(log, fold, c, NULL);
	kms_release_log_close(&log);
	return r;
}

int
kms_catalog_each(const struct kms_catalog *c, const struct kms_tag *tag,
    const char *volume, int (*each)(void *, const struct kms_catalog_entry *),
    void *ctx)
{
	const struct kms_catalog_entry *e;
	size_t i;
	int r = 0;

	for (i = 0; i < c->n && r == 0; i++) {
		e = &c->entry[i];
		if (tag != NULL && !kms_tag_equal(tag, &e->tag))
			continue;
		if (volume != NULL && strcmp(volume, e->volume) != 0 &&
		    strcmp(volume, e->medium) != 0)
			continue;
		r = each(ctx, e);
	}
	return r;
}

/* --- ever released ----------------------------------------------------- */

struct search {
	const struct kms_tag *tag;
	bool found;
};

/* Prelive too: a client that fetched it may have encrypted with it. And a
 * tape that was noted was written with it, whatever its state is now. */
static int
was_released(void *arg, const struct kms_release_entry *e)
{
	struct search *search = arg;

	if (kms_tag_equal(&e->tag, search->tag) &&
	    (e->state == KMS_ACTIVE || e->state == KMS_PRELIVE ||
		e->use == KMS_USE_NOTE))
		search->found = true;
	return 0;
}

int
kms_catalog_released(struct kms_store *s, const struct kms_tag *tag,
    bool *released)
{
	struct search search = {.tag = tag};
	const struct kms_directory_row *row;
	struct kms_release_log *log;
	int r;

	*released = true;
	row = kms_directory_by_tag(s->dir, tag);
	if (row == NULL || row->id < s->log_restart_id)
		return 0;
	r = kms_logbook_get(s, &log);
	if (r == 0)
		r = kms_release_log_scan(log, was_released, &search, NULL);
	if (r == KMS_ERR_NOTFOUND || r == KMS_ERR_DAMAGED) {
		kms_err_clear();
		return 0;
	}
	*released = search.found;
	return r;
}
