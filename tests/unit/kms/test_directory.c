#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kms/directory.h"
#include "kms/seal.h"
#include "tests/unit/kms/tests.h"

static struct kms_directory *d;
static uint64_t generation;

static void
setup(void)
{
	const uint64_t count[KMS_KINDS + 1] = {0};

	generation = 1;
	ck_assert_int_eq(kms_directory_new(count, &d), 0);
}

static void
teardown(void)
{
	kms_directory_free(&d);
}

/* A row as sealed: only the GCM tag at its end is looked at. */
static struct kms_row
row_of(uint64_t id, enum kms_kind kind)
{
	static uint8_t sealed[KMS_SEAL_OVERHEAD];

	kms_put64(sealed + sizeof(sealed) - 16, id);
	kms_put64(sealed + sizeof(sealed) - 8, generation);
	return (struct kms_row){.id = id,
	    .generation = generation,
	    .kind = (uint16_t)kind,
	    .sealed = sealed,
	    .len = sizeof(sealed)};
}

static struct kms_record *
group_of(const char *name)
{
	static struct kms_record rec;

	memset(&rec, 0, sizeof(rec));
	rec.kind = KMS_KIND_GROUP;
	snprintf(rec.u.group.name, sizeof(rec.u.group.name), "%s", name);
	return &rec;
}

/* The tag is made of n. */
static struct kms_record *
key_rec(uint64_t group, const char *name, uint32_t n, enum kms_state state)
{
	static struct kms_record rec;

	memset(&rec, 0, sizeof(rec));
	rec.kind = KMS_KIND_KEY;
	rec.u.key.group = group;
	snprintf(rec.u.key.name, sizeof(rec.u.key.name), "%s", name);
	rec.u.key.tag.len = 4;
	kms_put32(rec.u.key.tag.b, n);
	rec.u.key.state = state;
	rec.u.key.origin = KMS_ORIGIN_RANDOM;
	rec.u.key.created = (int64_t)n * 10;
	rec.u.key.slot = 2;
	rec.u.key.wrapped.len = 40;
	rec.u.key.wrapped.bytes[39] = (uint8_t)n;
	rec.u.key.wrapped.kcv[0] = (uint8_t)~n;
	return &rec;
}

static int
load(uint64_t id, enum kms_kind kind, const struct kms_record *rec)
{
	struct kms_row row = row_of(id, kind);

	return kms_directory_load(d, &row, rec);
}

static int
put(uint64_t id, enum kms_kind kind, const struct kms_record *rec,
    struct kms_directory_was *was)
{
	struct kms_row row = row_of(id, kind);

	return kms_directory_put(d, &row, rec, was);
}

static void
load_small(void)
{
	ck_assert_int_eq(load(2, KMS_KIND_GROUP, group_of("ENCR_a")), 0);
	ck_assert_int_eq(load(3, KMS_KIND_AUDIT, NULL), 0);
	ck_assert_int_eq(load(4, KMS_KIND_KEY,
			     key_rec(2, "k1", 1, KMS_INACTIVE)),
	    0);
	ck_assert_int_eq(load(5, KMS_KIND_KEY, key_rec(2, "k2", 2, KMS_ACTIVE)),
	    0);
	ck_assert_int_eq(load(7, KMS_KIND_GROUP, group_of("ENCR_b")), 0);
	ck_assert_int_eq(load(8, KMS_KIND_KEY,
			     key_rec(7, "k1", 3, KMS_PRELIVE)),
	    0);
	ck_assert_int_eq(kms_directory_ready(d), 0);
}

static uint64_t
id_of(const struct kms_directory_row *row)
{
	return row == NULL ? 0 : row->id;
}

static uint64_t
by_tag(uint32_t n)
{
	struct kms_tag tag = {.len = 4};

	kms_put32(tag.b, n);
	return id_of(kms_directory_by_tag(d, &tag));
}

START_TEST(rows_are_found_by_id_tag_name_and_group)
{
	load_small();
	ck_assert_uint_eq(id_of(kms_directory_by_id(d, 3)), 3);
	ck_assert_uint_eq(id_of(kms_directory_by_id(d, 6)), 0);
	ck_assert_uint_eq(by_tag(1), 4);
	ck_assert_uint_eq(by_tag(3), 8);
	ck_assert_uint_eq(by_tag(4), 0);
	ck_assert_uint_eq(id_of(kms_directory_by_name(d, 2, "k1")), 4);
	ck_assert_uint_eq(id_of(kms_directory_by_name(d, 7, "k1")), 8);
	ck_assert_uint_eq(id_of(kms_directory_by_name(d, 7, "k2")), 0);
	ck_assert_uint_eq(id_of(kms_directory_by_name(d, 3, "k1")), 0);
	ck_assert_uint_eq(id_of(kms_directory_group_by_name(d, "ENCR_b")), 7);
	ck_assert_uint_eq(id_of(kms_directory_group_by_name(d, "ENCR_")), 0);
	ck_assert_uint_eq(id_of(kms_directory_active(d, 2)), 5);
	ck_assert_uint_eq(id_of(kms_directory_active(d, 7)), 0);
	ck_assert_uint_eq(id_of(kms_directory_active(d, 4)), 0);
}
END_TEST

START_TEST(a_key_answers_what_a_release_needs)
{
	const struct kms_directory_row *row;
	const struct kms_directory_key *key;
	struct kms_wrapped w;

	load_small();
	row = kms_directory_by_id(d, 5);
	key = kms_directory_key(d, row);
	ck_assert_ptr_nonnull(key);
	kms_directory_wrapped(key, &w);
	ck_assert_uint_eq(w.len, 40);
	ck_assert_uint_eq(w.bytes[39], 2);
	ck_assert_uint_eq(w.kcv[0], 0xfd);
	ck_assert_uint_eq(key->slot, 2);
	ck_assert_uint_eq(key->state, KMS_ACTIVE);
	ck_assert_uint_eq(key->group, 2);
	ck_assert_int_eq(key->created, 20);
	ck_assert_uint_eq(kms_get64(row->gcm), 5);
	ck_assert_ptr_null(kms_directory_key(d, kms_directory_by_id(d, 2)));
	ck_assert_ptr_null(kms_directory_group(d, kms_directory_by_id(d, 5)));
}
END_TEST

START_TEST(walks_go_up_by_id_and_stay_in_their_kind_or_group)
{
	static const uint64_t keys[] = {4, 5, 8, 0}, in_a[] = {4, 5, 0};
	const struct kms_directory_row *row = NULL;
	size_t at = 0, i;

	load_small();
	for (i = 0; i < 4; i++)
		ck_assert_uint_eq(id_of(kms_directory_next(d, KMS_KIND_KEY,
				      &at)),
		    keys[i]);
	for (i = 0; i < 3; i++) {
		row = kms_directory_next_in_group(d, 2, row);
		ck_assert_uint_eq(id_of(row), in_a[i]);
	}
	for (at = 0, i = 0; kms_directory_next(d, 0, &at) != NULL; i++)
		;
	ck_assert_uint_eq(i, 6);
	ck_assert_uint_eq(kms_directory_count(d, 0), 6);
	ck_assert_uint_eq(kms_directory_count(d, KMS_KIND_KEY), 3);
	ck_assert_uint_eq(kms_directory_count(d, KMS_KIND_AUDIT), 1);
	ck_assert_uint_eq(kms_directory_count(d, 99), 0);
}
END_TEST

START_TEST(what_no_store_can_hold_is_damage_at_load)
{
	load_small();
	ck_assert_int_eq(load(8, KMS_KIND_AUDIT, NULL), KMS_ERR_DAMAGED);
	ck_assert_int_eq(load(5, KMS_KIND_AUDIT, NULL), KMS_ERR_DAMAGED);
	ck_assert_int_eq(load(9, (enum kms_kind)7, NULL), KMS_ERR_DAMAGED);
	ck_assert_int_eq(load(9, KMS_KIND_ROOT, NULL), KMS_ERR_DAMAGED);
	ck_assert_int_eq(load(9, KMS_KIND_KEY, NULL), KMS_ERR_INTERNAL);
	ck_assert_int_eq(load(9, KMS_KIND_GROUP, group_of("ENCR_a")),
	    KMS_ERR_DAMAGED);
}
END_TEST

START_TEST(a_tag_twice_is_damage_at_load)
{
	load_small();
	ck_assert_int_eq(load(9, KMS_KIND_KEY,
			     key_rec(2, "k9", 2, KMS_PRELIVE)),
	    0);
	ck_assert_int_eq(kms_directory_ready(d), KMS_ERR_DAMAGED);
	assert_cause(KMS_ERR_DAMAGED, "row 9: another key has its tag");
}
END_TEST

START_TEST(a_name_twice_in_a_group_is_damage_at_load)
{
	load_small();
	ck_assert_int_eq(load(9, KMS_KIND_KEY,
			     key_rec(2, "k2", 9, KMS_PRELIVE)),
	    0);
	ck_assert_int_eq(kms_directory_ready(d), KMS_ERR_DAMAGED);
	assert_cause(KMS_ERR_DAMAGED, "row 9: another key of its group");
}
END_TEST

START_TEST(a_key_without_its_group_is_damage_at_load)
{
	load_small();
	ck_assert_int_eq(load(9, KMS_KIND_KEY,
			     key_rec(3, "k9", 9, KMS_PRELIVE)),
	    0);
	ck_assert_int_eq(kms_directory_ready(d), KMS_ERR_DAMAGED);
	assert_cause(KMS_ERR_DAMAGED, "row 9: a key whose group is missing");
}
END_TEST

START_TEST(keys_that_moved_to_a_younger_group_are_in_its_list)
{
	static const uint64_t want[] = {2, 3, 5, 0};
	const struct kms_directory_row *row = NULL;
	size_t i;

	ck_assert_int_eq(load(2, KMS_KIND_KEY, key_rec(4, "a", 1, KMS_ACTIVE)),
	    0);
	ck_assert_int_eq(load(3, KMS_KIND_KEY,
			     key_rec(4, "b", 2, KMS_INACTIVE)),
	    0);
	ck_assert_int_eq(load(4, KMS_KIND_GROUP, group_of("g")), 0);
	ck_assert_int_eq(load(5, KMS_KIND_KEY,
			     key_rec(4, "c", 3, KMS_INACTIVE)),
	    0);
	ck_assert_int_eq(kms_directory_ready(d), 0);
	for (i = 0; i < 4; i++) {
		row = kms_directory_next_in_group(d, 4, row);
		ck_assert_uint_eq(id_of(row), want[i]);
	}
	ck_assert_uint_eq(id_of(kms_directory_active(d, 4)), 2);
}
END_TEST

START_TEST(a_put_that_is_refused_changes_nothing)
{
	struct kms_directory_was was;

	load_small();
	ck_assert_int_eq(put(9, KMS_KIND_KEY, key_rec(2, "k9", 3, KMS_PRELIVE),
			     &was),
	    KMS_ERR_EXISTS);
	assert_cause(KMS_ERR_EXISTS, "tag");
	ck_assert_int_eq(put(9, KMS_KIND_KEY, key_rec(2, "k1", 9, KMS_PRELIVE),
			     &was),
	    KMS_ERR_EXISTS);
	assert_cause(KMS_ERR_EXISTS, "name");
	ck_assert_int_eq(put(9, KMS_KIND_GROUP, group_of("ENCR_a"), &was),
	    KMS_ERR_EXISTS);
	ck_assert_int_eq(put(7, KMS_KIND_GROUP, group_of("ENCR_a"), &was),
	    KMS_ERR_EXISTS);
	ck_assert_int_eq(put(9, KMS_KIND_KEY, key_rec(3, "k9", 9, KMS_PRELIVE),
			     &was),
	    KMS_ERR_INTERNAL);
	ck_assert_int_eq(put(6, KMS_KIND_AUDIT, NULL, &was), KMS_ERR_INTERNAL);
	ck_assert_int_eq(put(2, KMS_KIND_TOMBSTONE, NULL, &was),
	    KMS_ERR_INTERNAL);
	ck_assert_uint_eq(kms_directory_count(d, 0), 6);
	ck_assert_uint_eq(by_tag(3), 8);
}
END_TEST

START_TEST(the_newest_active_key_is_the_groups)
{
	load_small();
	ck_assert_int_eq(put(9, KMS_KIND_KEY, key_rec(2, "k9", 9, KMS_ACTIVE),
			     NULL),
	    0);
	ck_assert_uint_eq(id_of(kms_directory_active(d, 2)), 9);
	ck_assert_int_eq(put(4, KMS_KIND_KEY, key_rec(2, "k1", 1, KMS_ACTIVE),
			     NULL),
	    0);
	ck_assert_uint_eq(id_of(kms_directory_active(d, 2)), 9);
	ck_assert_int_eq(put(9, KMS_KIND_KEY, key_rec(2, "k9", 9, KMS_INACTIVE),
			     NULL),
	    0);
	ck_assert_uint_eq(id_of(kms_directory_active(d, 2)), 5);
	ck_assert_int_eq(put(5, KMS_KIND_TOMBSTONE, NULL, NULL), 0);
	ck_assert_uint_eq(id_of(kms_directory_active(d, 2)), 4);
}
END_TEST

START_TEST(a_name_cut_at_its_bound_finds_nothing)
{
	char longest[KMS_NAME_MAX + 10];

	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	load_small();
	ck_assert_ptr_null(kms_directory_by_name(d, 2, longest));
	ck_assert_ptr_null(kms_directory_group_by_name(d, longest));
}
END_TEST

START_TEST(too_many_rows_are_refused_before_memory_is_asked_for)
{
	uint64_t count[KMS_KINDS + 1] = {0};
	struct kms_directory *big;

	count[KMS_KIND_AUDIT] = UINT64_MAX;
	ck_assert_int_eq(kms_directory_new(count, &big), KMS_ERR_LIMIT);
	ck_assert_ptr_null(big);
}
END_TEST

/* --- against a model ---------------------------------------------------- */

#define IDS 3000u
#define GROUPS 12u
#define NAMES 400u

/* What the directory should hold, as naively as can be. */
static struct model {
	enum kms_kind kind;
	uint64_t generation, group;
	uint32_t tag, name;
	enum kms_state state;
} model[IDS + 1];
static uint64_t last;

static const char *
name_of(uint32_t n)
{
	static char text[16];

	snprintf(text, sizeof(text), "n%u", n);
	return text;
}

static struct kms_record *
rec_of(const struct model *m)
{
	if (m->kind == KMS_KIND_GROUP)
		return group_of(name_of(m->name));
	if (m->kind == KMS_KIND_KEY)
		return key_rec(m->group, name_of(m->name), m->tag, m->state);
	return NULL;
}

static uint64_t
some_group(void)
{
	uint64_t id, found = 0, seen = 0;

	for (id = 2; id <= last; id++)
		if (model[id].kind == KMS_KIND_GROUP &&
		    (uint64_t)random() % ++seen == 0)
			found = id;
	return found;
}

static bool
model_takes(uint64_t id, const struct model *m)
{
	uint64_t i;

	for (i = 2; i <= last; i++) {
		if (i == id || model[i].kind != m->kind)
			continue;
		if (m->kind == KMS_KIND_GROUP && model[i].name == m->name)
			return false;
		if (m->kind == KMS_KIND_KEY &&
		    (model[i].tag == m->tag ||
			(model[i].group == m->group &&
			    model[i].name == m->name)))
			return false;
	}
	for (i = 2; i <= last && id <= last &&
	     model[id].kind == KMS_KIND_GROUP && m->kind != KMS_KIND_GROUP;
	     i++)
		if (model[i].kind == KMS_KIND_KEY && model[i].group == id)
			return false;
	return m->kind != KMS_KIND_KEY || m->group != 0;
}

static void
assert_key_found(uint64_t id)
{
	const struct model *m = &model[id];
	const struct kms_directory_key *key;

	ck_assert_uint_eq(by_tag(m->tag), id);
	ck_assert_uint_eq(id_of(kms_directory_by_name(d, m->group,
			      name_of(m->name))),
	    id);
	key = kms_directory_key(d, kms_directory_by_id(d, id));
	ck_assert_uint_eq(key->state, m->state);
	ck_assert_uint_eq(key->group, m->group);
	ck_assert_uint_eq(key->wrapped[39], (uint8_t)m->tag);
}

static void
assert_group_found(uint64_t id)
{
	const struct kms_directory_row *row = NULL;
	const struct kms_directory_group *g;
	uint64_t i, active = 0, keys = 0;

	ck_assert_uint_eq(id_of(kms_directory_group_by_name(d,
			      name_of(model[id].name))),
	    id);
	g = kms_directory_group(d, kms_directory_by_id(d, id));
	for (i = 2; i <= last; i++) {
		if (model[i].kind != KMS_KIND_KEY || model[i].group != id)
			continue;
		row = kms_directory_next_in_group(d, id, row);
		ck_assert_uint_eq(id_of(row), i);
		keys++;
		if (model[i].state == KMS_ACTIVE)
			active = i;
	}
	if (keys > 0)
		ck_assert_ptr_null(kms_directory_next_in_group(d, id, row));
	ck_assert_uint_eq(g->keys, keys);
	ck_assert_uint_eq(id_of(kms_directory_active(d, id)), active);
}

static void
assert_like_model(void)
{
	const struct kms_directory_row *row;
	uint64_t id, count[KMS_KINDS + 1] = {0};
	size_t at = 0;

	for (id = 2; id <= last; id++) {
		row = kms_directory_next(d, 0, &at);
		ck_assert_uint_eq(id_of(row), id);
		ck_assert_uint_eq(row->kind, model[id].kind);
		ck_assert_uint_eq(row->generation, model[id].generation);
		count[model[id].kind]++;
		if (model[id].kind == KMS_KIND_KEY)
			assert_key_found(id);
		else if (model[id].kind == KMS_KIND_GROUP)
			assert_group_found(id);
	}
	ck_assert_ptr_null(kms_directory_next(d, 0, &at));
	for (id = 2; id <= KMS_KINDS; id++)
		ck_assert_uint_eq(kms_directory_count(d, (unsigned)id),
		    count[id]);
}

/* A change that may or may not be possible. */
static struct model
some_change(uint64_t *id)
{
	struct model m = {.generation = ++generation};
	uint32_t dice = (uint32_t)random() % 100;

	*id = last + 1;
	if (last > 1 && (dice < 60 || last == IDS))
		*id = 2 + (uint64_t)random() % (last - 1);
	m.kind = KMS_KIND_KEY;
	if (dice % 10 == 0)
		m.kind = KMS_KIND_TOMBSTONE;
	if (dice % 10 == 1)
		m.kind = KMS_KIND_AUDIT;
	if (last < GROUPS || dice == 2)
		m.kind = KMS_KIND_GROUP;
	if (*id <= last && model[*id].kind == KMS_KIND_KEY && dice % 10 > 1)
		m.kind = KMS_KIND_KEY;
	m.name = (uint32_t)random() % NAMES;
	m.tag = (uint32_t)random() % 4000;
	m.state = (enum kms_state)(1 + random() % 5);
	m.group = some_group();
	if (*id <= last && m.kind == KMS_KIND_KEY &&
	    model[*id].kind == KMS_KIND_KEY && dice % 2 == 0) {
		m.name = model[*id].name;
		m.tag = model[*id].tag;
		m.group = model[*id].group;
	}
	return m;
}

/* Some changes, all taken back when undone; the model never sees those. */
static void
change(bool undone)
{
	static struct kms_directory_was was[8];
	static struct model before[8];
	uint64_t id[8], last_before = last;
	size_t n, i;
	int r;

	for (n = 0; n < 8;) {
		struct model m = some_change(&id[n]);
		bool takes = model_takes(id[n], &m);

		r = put(id[n], m.kind, rec_of(&m), &was[n]);
		ck_assert_msg((r == 0) == takes, "row %u: %d, %s",
		    (unsigned)id[n], r, kms_err_cause(r));
		if (r != 0)
			continue;
		if (id[n] > last)
			last = id[n];
		before[n] = model[id[n]];
		model[id[n]] = m;
		n++;
	}
	for (i = n; undone && i > 0; i--) {
		kms_directory_undo(d, &was[i - 1], id[i - 1]);
		model[id[i - 1]] = before[i - 1];
	}
	if (undone)
		last = last_before;
}

START_TEST(the_directory_is_what_a_list_is_after_100000_changes)
{
	size_t n;

	srandom(7);
	last = 1;
	for (n = 0; n < 12500; n++) {
		change(n % 3 == 0);
		if (n % 500 == 0)
			assert_like_model();
	}
	assert_like_model();
	ck_assert_uint_gt(kms_directory_count(d, KMS_KIND_KEY), 100);
}
END_TEST

START_TEST(loading_gives_what_putting_gave)
{
	uint64_t count[KMS_KINDS + 1] = {0}, id, last_generation;
	size_t n;

	srandom(11);
	last = 1;
	for (n = 0; n < 600; n++)
		change(false);
	kms_directory_free(&d);
	ck_assert_int_eq(kms_directory_new(count, &d), 0);
	last_generation = generation;
	for (id = 2; id <= last; id++) {
		generation = model[id].generation;
		ck_assert_int_eq(load(id, model[id].kind, rec_of(&model[id])),
		    0);
	}
	generation = last_generation;
	ck_assert_int_eq(kms_directory_ready(d), 0);
	assert_like_model();
	for (n = 0; n < 200; n++)
		change(n % 2 == 0);
	assert_like_model();
}
END_TEST

START_TEST(puts_within_a_reserve_take_no_memory)
{
	size_t before;
	uint64_t i;

	load_small();
	ck_assert_int_eq(kms_directory_reserve(d, 5000), 0);
	before = kms_directory_memory(d);
	for (i = 0; i < 2500; i++) {
		ck_assert_int_eq(put(9 + 2 * i, KMS_KIND_AUDIT, NULL, NULL), 0);
		ck_assert_int_eq(put(10 + 2 * i, KMS_KIND_KEY,
				     key_rec(2, name_of((uint32_t)i + 100),
					 (uint32_t)i + 100, KMS_PRELIVE),
				     NULL),
		    0);
	}
	ck_assert_uint_eq(kms_directory_memory(d), before);
}
END_TEST

Suite *
directory_suite(void)
{
	Suite *s = suite_create("directory");
	TCase *t = tcase_create("directory");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, rows_are_found_by_id_tag_name_and_group);
	tcase_add_test(t, a_key_answers_what_a_release_needs);
	tcase_add_test(t, walks_go_up_by_id_and_stay_in_their_kind_or_group);
	tcase_add_test(t, what_no_store_can_hold_is_damage_at_load);
	tcase_add_test(t, a_tag_twice_is_damage_at_load);
	tcase_add_test(t, a_name_twice_in_a_group_is_damage_at_load);
	tcase_add_test(t, a_key_without_its_group_is_damage_at_load);
	tcase_add_test(t, keys_that_moved_to_a_younger_group_are_in_its_list);
	tcase_add_test(t, a_put_that_is_refused_changes_nothing);
	tcase_add_test(t, the_newest_active_key_is_the_groups);
	tcase_add_test(t, a_name_cut_at_its_bound_finds_nothing);
	tcase_add_test(t, too_many_rows_are_refused_before_memory_is_asked_for);
	tcase_add_test(t, the_directory_is_what_a_list_is_after_100000_changes);
	tcase_add_test(t, loading_gives_what_putting_gave);
	tcase_add_test(t, puts_within_a_reserve_take_no_memory);
	suite_add_tcase(s, t);
	return s;
}
