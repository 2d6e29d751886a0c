/* The directory against a list that does the same, over many changes. */
#include <stdlib.h>

#include "tests/unit/kms/directory_rig.h"
#include "tests/unit/kms/tests.h"

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

static struct kms_record *
rec_of(const struct model *m)
{
	if (m->kind == KMS_KIND_GROUP)
		return group_rec(directory_name(m->name));
	if (m->kind == KMS_KIND_KEY)
		return key_rec(m->group, directory_name(m->name), m->tag,
		    m->state);
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

	ck_assert_uint_eq(directory_by_tag(m->tag), id);
	ck_assert_uint_eq(directory_id(kms_directory_by_name(directory,
			      m->group, directory_name(m->name))),
	    id);
	key = kms_directory_key(directory, kms_directory_by_id(directory, id));
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

	ck_assert_uint_eq(directory_id(kms_directory_group_by_name(directory,
			      directory_name(model[id].name))),
	    id);
	g = kms_directory_group(directory, kms_directory_by_id(directory, id));
	for (i = 2; i <= last; i++) {
		if (model[i].kind != KMS_KIND_KEY || model[i].group != id)
			continue;
		row = kms_directory_next_in_group(directory, id, row);
		ck_assert_uint_eq(directory_id(row), i);
		keys++;
		if (model[i].state == KMS_ACTIVE)
			active = i;
	}
	if (keys > 0)
		ck_assert_ptr_null(kms_directory_next_in_group(directory, id,
		    row));
	ck_assert_uint_eq(g->keys, keys);
	ck_assert_uint_eq(directory_id(kms_directory_active(directory, id)),
	    active);
}

static void
assert_like_model(void)
{
	const struct kms_directory_row *row;
	uint64_t id, count[KMS_KINDS + 1] = {0};
	size_t at = 0;

	for (id = 2; id <= last; id++) {
		row = kms_directory_next(directory, 0, &at);
		ck_assert_uint_eq(directory_id(row), id);
		ck_assert_uint_eq(row->kind, model[id].kind);
		ck_assert_uint_eq(row->generation, model[id].generation);
		count[model[id].kind]++;
		if (model[id].kind == KMS_KIND_KEY)
			assert_key_found(id);
		else if (model[id].kind == KMS_KIND_GROUP)
			assert_group_found(id);
	}
	ck_assert_ptr_null(kms_directory_next(directory, 0, &at));
	for (id = 2; id <= KMS_KINDS; id++)
		ck_assert_uint_eq(kms_directory_count(directory, (unsigned)id),
		    count[id]);
}

/* A change that may or may not be possible. */
static struct model
some_change(uint64_t *id)
{
	struct model m = {.generation = ++directory_generation};
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

		r = directory_put(id[n], m.kind, rec_of(&m), &was[n]);
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
		kms_directory_undo(directory, &was[i - 1], id[i - 1]);
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
	ck_assert_uint_gt(kms_directory_count(directory, KMS_KIND_KEY), 100);
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
	kms_directory_free(&directory);
	ck_assert_int_eq(kms_directory_new(count, &directory), 0);
	last_generation = directory_generation;
	for (id = 2; id <= last; id++) {
		directory_generation = model[id].generation;
		ck_assert_int_eq(directory_load(id, model[id].kind,
				     rec_of(&model[id])),
		    0);
	}
	directory_generation = last_generation;
	ck_assert_int_eq(kms_directory_ready(directory), 0);
	assert_like_model();
	for (n = 0; n < 200; n++)
		change(n % 2 == 0);
	assert_like_model();
}
END_TEST

TCase *
test_directory_model(void)
{
	TCase *t = tcase_create("directory");

	tcase_add_checked_fixture(t, directory_setup, directory_teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, the_directory_is_what_a_list_is_after_100000_changes);
	tcase_add_test(t, loading_gives_what_putting_gave);
	return t;
}
