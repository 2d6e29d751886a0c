/*
 * Locate (KMIP 1.4 section 4.9).
 *
 * Where to look comes from the narrowest criterion that an index knows. What
 * is found there is read and compared with all criteria, unless the index has
 * proven the only one: then nothing is read, and the time it takes does not
 * grow with the store. Newest active objects come first.
 */
#include <stdlib.h>
#include <string.h>

#include "kms/key.h"
#include "kms/kmip/match.h"
#include "kms/kmip/op.h"
#include "kms/kmip/reason.h"
#include "kms/kmip/term.h"

#define TAG(id) KMIP_TAG_##id
/* Rows read in one go; others get their turn in between. */
#define CHUNK 256u

struct search {
	struct kmip_batch *b;
	struct kmip_match match;
	uint32_t storage;    /* mask */
	size_t most, offset; /* most: identifiers wanted */
	bool first_only;
	struct kmip_ids ids;   /* candidates */
	struct kms_tag *found; /* most of them; owned */
	size_t nfound;
	size_t total;  /* that meet the criteria */
	bool complete; /* all candidates were looked at */
};

/* --- criteria ----------------------------------------------------------- */

/* Attributes of the payload, or within a Template-Attribute as FortiGate and
 * other 1.0 clients send them. */
static int
add_criteria(struct search *s, const struct kmip_item *structure)
{
	struct kms_rd rd;
	struct kmip_item item;
	int r = 0;

	kmip_ttlv_walk(&rd, structure);
	while (r == 0 && kmip_ttlv_next(&rd, &item))
		if (item.tag == TAG(ATTRIBUTE))
			r = kmip_match_add(&s->match, &item);
	return r;
}

static int
read_count(const struct kmip_item *item, const char *what, size_t *v)
{
	int32_t n;
	int r;

	if (item->type == 0)
		return 0;
	r = kmip_ttlv_int(item, &n);
	if (r == 0 && n < 0)
		r = kmip_fail(INVALID_FIELD, "%s: %d", what, n);
	if (r == 0)
		*v = (size_t)n;
	return r;
}

static int
read_member(struct search *s, const struct kmip_item *item)
{
	uint32_t v;
	int r;

	if (item->type == 0)
		return 0;
	r = kmip_ttlv_enum(item, &v);
	if (r == 0 && kmip_def_name(KMIP_TABLE_GROUP_MEMBER, v) == NULL)
		r = kmip_fail(INVALID_FIELD, "Object Group Member %u", v);
	s->match.fresh = r == 0 && v == KMIP_MEMBER_GROUP_MEMBER_FRESH;
	s->first_only = r == 0 && v == KMIP_MEMBER_GROUP_MEMBER_DEFAULT;
	return r;
}

static int
read_search(struct search *s, const struct kmip_item *payload)
{
	struct kmip_item most, offset, storage, member, attr, template;
	int32_t mask = (int32_t)KMIP_STORAGE_ONLINE;
	int r;
	const struct kmip_field f[] = {{TAG(MAXIMUM_ITEMS), KMIP_INTEGER,
					   KMIP_OPTIONAL, &most},
	    {TAG(OFFSET_ITEMS), KMIP_INTEGER, KMIP_OPTIONAL, &offset},
	    {TAG(STORAGE_STATUS_MASK), KMIP_INTEGER, KMIP_OPTIONAL, &storage},
	    {TAG(OBJECT_GROUP_MEMBER), KMIP_ENUM, KMIP_OPTIONAL, &member},
	    {TAG(ATTRIBUTE), KMIP_STRUCTURE, KMIP_MANY, &attr},
	    {TAG(TEMPLATE_ATTRIBUTE), KMIP_STRUCTURE, KMIP_OPTIONAL,
		&template}};

	s->most = KMIP_LOCATE_MAX;
	r = kmip_ttlv_fields(payload, f, sizeof(f) / sizeof(f[0]),
	    s->b->lenient);
	if (r == 0)
		r = read_count(&most, "Maximum Items", &s->most);
	if (r == 0)
		r = read_count(&offset, "Offset Items", &s->offset);
	if (r == 0 && storage.type != 0)
		r = kmip_ttlv_int(&storage, &mask);
	s->storage = (uint32_t)mask;
	if (r == 0)
		r = read_member(s, &member);
	if (r == 0)
		r = add_criteria(s, payload);
	if (r == 0 && template.type != 0)
		r = add_criteria(s, &template);
	if (s->first_only)
		s->most = 1;
	if (s->most > KMIP_LOCATE_MAX)
		s->most = KMIP_LOCATE_MAX;
	return r;
}

/* --- where to look ------------------------------------------------------ */

static int
look_by_uid(struct search *s, const struct kmip_attr *a)
{
	const struct kms_directory_row *row;
	struct kms_tag tag;

	if (kmip_op_tag(s->b, &a->value, &tag) != 0)
		return 0; /* nobody's */
	row = kms_directory_by_tag(kms_tx_directory(s->b->tx), &tag);
	return row == NULL ? 0 : kmip_ids_add(&s->ids, row->id);
}

/* Keys of the group's records; with many of them and one wanted that is
 * active, the directory knows it without a walk. */
static int
look_by_group(struct search *s, const struct kmip_item *text)
{
	const struct kms_directory *d = kms_tx_directory(s->b->tx);
	const struct kms_directory_row *g, *row = NULL;
	char name[KMS_NAME_MAX + 1];
	int r = 0;

	if (kmip_ttlv_text(text, name, sizeof(name)) != 0)
		return 0;
	g = kms_directory_group_by_name(d, name);
	if (g == NULL)
		return 0;
	while (r == 0 &&
	    (row = kms_directory_next_in_group(d, g->id, row)) != NULL)
		r = kmip_ids_add(&s->ids, row->id);
	return r;
}

static int
look_everywhere(struct search *s)
{
	const struct kms_directory *d = kms_tx_directory(s->b->tx);
	const struct kms_directory_row *row;
	size_t at = 0;
	int r = 0;

	while (r == 0 &&
	    (row = kms_directory_next(d, KMS_KIND_KEY, &at)) != NULL)
		r = kmip_ids_add(&s->ids, row->id);
	return r;
}

static int
look_by(struct search *s, const struct kmip_attr *a)
{
	struct kmip_sought t;
	int r = 0;

	if (a->def->tag == TAG(UNIQUE_IDENTIFIER))
		return look_by_uid(s, a);
	if (kmip_term_is_keygroup(a))
		return look_by_group(s, &a->value);
	if (a->def->tag == TAG(OBJECT_GROUP))
		r = look_by_group(s, &a->value);
	if (r == 0 && kmip_term_of(a, &t))
		r = kmip_op_find_term(s->b, &t, &s->ids);
	return r;
}

static int
collect(struct search *s)
{
	const struct kmip_attr *best = NULL;
	unsigned rank, best_rank = 0;
	size_t i;

	for (i = 0; i < s->match.n; i++) {
		rank = kmip_term_rank(&s->match.want[i]);
		if (rank == 0 || (best != NULL && rank >= best_rank))
			continue;
		best = &s->match.want[i];
		best_rank = rank;
	}
	return best == NULL ? look_everywhere(s) : look_by(s, best);
}

/* What the directory can tell, before a row is read. */
static bool
may_match(const struct search *s, const struct kms_directory_key *key)
{
	bool archived = key->state == KMS_DEPRECATED ||
	    key->state == KMS_TERMINATED;
	uint32_t state;
	size_t i;

	if ((s->storage &
		(archived ? KMIP_STORAGE_ARCHIVAL : KMIP_STORAGE_ONLINE)) == 0)
		return false;
	for (i = 0; i < s->match.n; i++) {
		if (s->match.want[i].def->tag != TAG(STATE))
			continue;
		state = kms_get32(s->match.want[i].value.value);
		if (state == KMIP_STATE_ACTIVE && key->state != KMS_ACTIVE)
			return false;
		if (state == KMIP_STATE_PRE_ACTIVE && key->state != KMS_PRELIVE)
			return false;
	}
	return true;
}

/* Drops what cannot be meant; then the active ones first, newest first. */
static int
order(struct search *s)
{
	const struct kms_directory *d = kms_tx_directory(s->b->tx);
	const struct kms_directory_row *row;
	const struct kms_directory_key *key;
	struct kmip_ids rest = {0};
	size_t i, n = 0;
	int r = 0;

	kmip_ids_sort(&s->ids);
	for (i = 0; r == 0 && i < s->ids.n; i++) {
		row = kms_directory_by_id(d, s->ids.id[i]);
		key = row == NULL ? NULL : kms_directory_key(d, row);
		if (key == NULL || !may_match(s, key))
			continue;
		if (key->state == KMS_ACTIVE)
			s->ids.id[n++] = row->id;
		else
			r = kmip_ids_add(&rest, row->id);
	}
	s->ids.n = n;
	for (i = 0; r == 0 && i < rest.n; i++)
		r = kmip_ids_add(&s->ids, rest.id[i]);
	kmip_ids_clear(&rest);
	return r;
}

/* --- comparing ---------------------------------------------------------- */

static int
look_at(struct search *s, uint64_t id)
{
	struct kmip_view v = {0};
	bool yes = false;
	int r;

	r = kmip_op_load_row(s->b, id, &v);
	if (r == 0)
		r = kmip_match_meets(&s->match, &v, &yes);
	if (r == KMIP_ERR(ITEM_NOT_FOUND) || r == KMIP_VIEW_UNREADABLE)
		r = 0; /* another client's, gone meanwhile, or not to be told */
	if (r == 0 && yes && s->total++ >= s->offset && s->nfound < s->most)
		s->found[s->nfound++] = *kmip_view_tag(&v);
	kmip_view_clear(&v);
	return r;
}

/* A long list is read in pieces, so that changes are not held up; in a
 * transaction that writes nobody else waits for less. */
static int
breathe(struct kmip_batch *b)
{
	if (b->writing)
		return 0;
	kms_tx_abort(&b->tx);
	return kms_tx_begin(b->service->store, &b->actor->base, KMS_READ,
	    &b->tx);
}

static int
make_found(struct search *s)
{
	size_t n = s->ids.n < s->most ? s->ids.n : s->most;

	s->found = calloc(n + 1, sizeof(*s->found));
	return s->found != NULL
	    ? 0
	    : kms_fail(KMS_ERR_MEMORY, "Locate: out of memory");
}

static int
compare_all(struct search *s)
{
	/* the number of all is worth something from KMIP 1.3 on */
	bool count = s->b->minor >= 3 && s->ids.n <= KMIP_LOCATE_MAX;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < s->ids.n; i++) {
		if (!count && s->nfound == s->most)
			break;
		if (i > 0 && i % CHUNK == 0)
			r = breathe(s->b);
		if (r == 0)
			r = look_at(s, s->ids.id[i]);
	}
	s->complete = i == s->ids.n;
	return r;
}

/* --- without reading ---------------------------------------------------- */

/* One criterion that the index proves, and at most the type of the object. */
static bool
is_simple(const struct search *s, struct kmip_sought *t)
{
	size_t i, proven = 0;

	for (i = 0; i < s->match.n; i++) {
		if (s->match.want[i].def->tag == TAG(OBJECT_TYPE))
			continue;
		if (proven++ > 0 || !kmip_term_proves(&s->match.want[i], t))
			return false;
	}
	return proven == 1 && !s->match.fresh;
}

/* Tags made by p11kms name symmetric keys; what others name, the record says.
 * False when that must be read. */
static bool
compare_type(const struct search *s, const struct kms_tag *tag, bool *yes)
{
	size_t i;

	*yes = true;
	for (i = 0; i < s->match.n; i++) {
		const struct kmip_attr *a = &s->match.want[i];

		if (a->def->tag != TAG(OBJECT_TYPE))
			continue;
		if (kms_tag_kind(tag) == KMS_TAG_FOREIGN)
			return false;
		*yes = *yes &&
		    kms_get32(a->value.value) == KMIP_OBJECT_SYMMETRIC_KEY;
	}
	return true;
}

/* All candidates, told apart by the directory alone; false when one's record
 * must be read. */
static bool
take_all(struct search *s)
{
	const struct kms_directory *d = kms_tx_directory(s->b->tx);
	const struct kms_directory_key *key;
	char group[KMS_NAME_MAX + 1];
	bool yes;
	size_t i;

	for (i = 0; i < s->ids.n; i++) {
		key = kms_directory_key(d,
		    kms_directory_by_id(d, s->ids.id[i]));
		if (!kms_tx_knows_group(s->b->tx, key->group, group) ||
		    !compare_type(s, &key->tag, &yes))
			return false;
		if (!yes || !kmip_rule_may_use(s->b->actor->rule, group))
			continue;
		if (s->total++ >= s->offset && s->nfound < s->most)
			s->found[s->nfound++] = key->tag;
	}
	s->complete = true;
	return true;
}

static void
begin_again(struct search *s)
{
	s->ids.n = 0;
	s->nfound = s->total = 0;
	s->complete = false;
	free(s->found);
	s->found = NULL;
}

/* No row is read, so no view of the file is needed either. */
static int
look_only(struct search *s, bool *done)
{
	struct kmip_batch *b = s->b;
	struct kmip_sought t;
	int r;

	*done = false;
	if (b->tx != NULL || !is_simple(s, &t))
		return 0;
	r = kms_tx_begin(b->service->store, &b->actor->base, KMS_LOOK, &b->tx);
	if (r != 0)
		return r;
	if (kmip_index_is_current(b->service->index, kms_tx_directory(b->tx))) {
		r = kmip_index_find(b->service->index, kms_tx_directory(b->tx),
		    &t, &s->ids);
		if (r == 0)
			r = order(s);
		if (r == 0 && s->ids.n <= KMIP_LOCATE_MAX) {
			r = make_found(s);
			*done = r == 0 && take_all(s);
		}
	}
	kms_tx_abort(&b->tx);
	if (!*done)
		begin_again(s);
	return r;
}

static int
read_through(struct search *s)
{
	struct kmip_batch *b = s->b;
	int r = 0;

	if (b->tx == NULL)
		r = kms_tx_begin(b->service->store, &b->actor->base, KMS_READ,
		    &b->tx);
	if (r == 0)
		r = collect(s);
	if (r == 0)
		r = order(s);
	if (r == 0)
		r = make_found(s);
	return r == 0 ? compare_all(s) : r;
}

/* --- the answer --------------------------------------------------------- */

/* The placeholder is for exactly one (section 4.9). */
static void
answer(struct search *s, struct kmip_work *w)
{
	size_t each = kmip_ttlv_space(KMS_TAG_TEXT - 1), i;
	size_t fits = s->b->room / each;
	char text[KMS_TAG_TEXT];

	if (s->b->minor >= 3 && s->complete) {
		kmip_ttlv_put_int(&w->out, TAG(LOCATED_ITEMS),
		    (int32_t)s->total);
		fits = fits > 0 ? fits - 1 : 0;
	}
	s->b->placeholder[0] = '\0';
	for (i = 0; i < s->nfound && i < fits; i++) {
		kms_tag_text(&s->found[i], text);
		kmip_ttlv_put_text(&w->out, TAG(UNIQUE_IDENTIFIER), text);
	}
	if (i == 1)
		memcpy(s->b->placeholder, text, sizeof(text));
}

int
kmip_op_locate(struct kmip_batch *b, struct kmip_work *w)
{
	bool done = false;
	struct search *s;
	int r;

	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return kms_fail(KMS_ERR_MEMORY, "Locate: out of memory");
	s->b = b;
	s->match.minor = b->minor;
	r = read_search(s, &w->call->payload);
	if (r == 0)
		r = look_only(s, &done);
	if (r == 0 && !done)
		r = read_through(s);
	if (r == 0)
		answer(s, w);
	kmip_ids_clear(&s->ids);
	free(s->found);
	free(s);
	return r;
}
