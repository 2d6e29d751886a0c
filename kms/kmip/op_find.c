/*
 * Locate (KMIP 1.4 section 4.9).
 *
 * Where to look comes from the narrowest criterion that an index knows; what
 * is found there is read and compared with all criteria, whatever the index
 * said. Newest active objects come first.
 */
#include <stdlib.h>
#include <string.h>

#include "kms/key.h"
#include "kms/kmip/match.h"
#include "kms/kmip/op.h"
#include "kms/kmip/reason.h"

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

static bool
is_keygroup(const struct kmip_attr *a)
{
	return (kmip_attr_named(a, KMIP_KEYGROUP) ||
		   kmip_attr_named(a, KMIP_KEYGROUP_OTHER)) &&
	    a->value.type == KMIP_TEXT;
}

/* How far a criterion narrows the search: the lower the better; 0: it does
 * not, or no index knows. */
static unsigned
narrows(const struct kmip_attr *a)
{
	struct kmip_item x, y;

	switch (a->def->tag) {
	case TAG(UNIQUE_IDENTIFIER):
		return 1;
	case TAG(APPLICATION_SPECIFIC_INFORMATION):
		return kmip_attr_field(&a->value, TAG(APPLICATION_NAMESPACE),
			   &x) &&
			kmip_attr_field(&a->value, TAG(APPLICATION_DATA), &y)
		    ? 2
		    : 0;
	case TAG(NAME):
		return kmip_attr_field(&a->value, TAG(NAME_VALUE), &x) ? 3 : 0;
	case TAG(ALTERNATIVE_NAME):
		return kmip_attr_field(&a->value, TAG(ALTERNATIVE_NAME_VALUE),
			   &x)
		    ? 4
		    : 0;
	case TAG(CUSTOM_ATTRIBUTE):
		if (is_keygroup(a))
			return 6;
		return kmip_attr_named(a, KMIP_APPLICATION) ? 0 : 5;
	case TAG(OBJECT_GROUP):
		return 7;
	}
	return 0;
}

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

static int
look_by_field(struct search *s, const struct kmip_attr *a, enum kmip_term term,
    uint32_t first_tag, uint32_t second_tag)
{
	struct kmip_item first, second = {.value = a->value.value};

	(void)kmip_attr_field(&a->value, first_tag, &first);
	if (second_tag != 0)
		(void)kmip_attr_field(&a->value, second_tag, &second);
	return kmip_op_find_term(s->b, term, &first, &second, &s->ids);
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
	struct kmip_item name = {.value = (const uint8_t *)a->name,
	    .len = a->name_len};
	struct kmip_item none = {.value = a->value.value};
	int r;

	switch (a->def->tag) {
	case TAG(UNIQUE_IDENTIFIER):
		return look_by_uid(s, a);
	case TAG(APPLICATION_SPECIFIC_INFORMATION):
		return look_by_field(s, a, KMIP_TERM_APPLICATION,
		    TAG(APPLICATION_NAMESPACE), TAG(APPLICATION_DATA));
	case TAG(NAME):
		return look_by_field(s, a, KMIP_TERM_NAME, TAG(NAME_VALUE), 0);
	case TAG(ALTERNATIVE_NAME):
		return look_by_field(s, a, KMIP_TERM_ALTERNATIVE,
		    TAG(ALTERNATIVE_NAME_VALUE), 0);
	case TAG(OBJECT_GROUP):
		r = look_by_group(s, &a->value);
		return r != 0 ? r
			      : kmip_op_find_term(s->b, KMIP_TERM_GROUP,
				    &a->value, &none, &s->ids);
	}
	if (is_keygroup(a))
		return look_by_group(s, &a->value);
	return kmip_op_find_term(s->b, KMIP_TERM_CUSTOM, &name, &a->value,
	    &s->ids);
}

static int
collect(struct search *s)
{
	const struct kmip_attr *best = NULL;
	unsigned rank, best_rank = 0;
	size_t i;

	for (i = 0; i < s->match.n; i++) {
		rank = narrows(&s->match.want[i]);
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
	if (r == KMIP_ERR(ITEM_NOT_FOUND))
		r = 0; /* another client's, or gone meanwhile */
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
compare_all(struct search *s)
{
	/* the number of all is worth something from KMIP 1.3 on */
	bool count = s->b->minor >= 3 && s->ids.n <= KMIP_LOCATE_MAX;
	size_t i;
	int r = 0;

	s->found = calloc(s->most + 1, sizeof(*s->found));
	if (s->found == NULL)
		return kms_fail(KMS_ERR_MEMORY, "Locate: out of memory");
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
	struct search *s;
	int r;

	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return kms_fail(KMS_ERR_MEMORY, "Locate: out of memory");
	s->b = b;
	s->match.minor = b->minor;
	r = read_search(s, &w->call->payload);
	if (r == 0)
		r = collect(s);
	if (r == 0)
		r = order(s);
	if (r == 0)
		r = compare_all(s);
	if (r == 0)
		answer(s, w);
	kmip_ids_clear(&s->ids);
	free(s->found);
	free(s);
	return r;
}
