/* Key records: added once, found by name and tag, moved through their states
 * one step at a time. */
#include <stdio.h>
#include <string.h>

#include "kms/directory.h"
#include "kms/store_impl.h"
#include "tests/unit/kms/stores.h"

static enum kms_state
state_of(struct stores *t, const char *group, const char *name)
{
	struct kms_key_view view;
	struct kms_tx *tx;

	stores_read(t, &tx);
	ok(kms_key_view(tx, group, name, &view));
	kms_tx_abort(&tx);
	return view.key.state;
}

static int
set_state(struct stores *t, const char *name, enum kms_state state)
{
	struct kms_tx *tx;
	int r;

	stores_write(t, &tx);
	r = kms_key_set_state(tx, "ENCR_a", name, state);
	if (r == 0)
		return kms_tx_commit(&tx);
	kms_tx_abort(&tx);
	return r;
}

/* --- states ----------------------------------------------------------- */

/* may[from - 1][to - 1] */
static const bool may[5][5] = {
    /* prelive    */ {true, true, false, false, false},
    /* active     */ {false, true, true, false, false},
    /* inactive   */ {false, true, true, true, false},
    /* deprecated */ {false, false, true, true, true},
    /* terminated */ {false, false, false, true, true},
};

START_TEST(states_are_left_by_adjacent_steps_only)
{
	enum kms_state from = (enum kms_state)(_i + 1), s;
	struct stores t;
	char name[16];
	int r;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	for (s = KMS_PRELIVE; s <= KMS_TERMINATED; s++) {
		enum kms_state at;

		snprintf(name, sizeof(name), "k%d", (int)s);
		add_key(&t, "ENCR_a", name, KMS_PRELIVE, NULL);
		for (at = KMS_ACTIVE; at <= from; at++)
			ok(set_state(&t, name, at));
		r = set_state(&t, name, s);
		if (may[_i][s - 1]) {
			ok(r);
			ck_assert_int_eq(state_of(&t, "ENCR_a", name), s);
		} else {
			fails(r, KMS_ERR_STATE, name);
			ck_assert_int_eq(state_of(&t, "ENCR_a", name), from);
		}
	}
	stores_end(&t);
}
END_TEST

START_TEST(activating_one_key_makes_the_other_inactive)
{
	static const char *const groups[] = {"ENCR_a", "server:volume"};
	const char *group = groups[_i];
	struct kms_key_view view;
	struct stores t;
	struct kms_tx *tx;

	stores_new(&t, false);
	add_group(&t, group);
	add_key(&t, group, "one", KMS_ACTIVE, NULL);
	add_key(&t, group, "two", KMS_ACTIVE, NULL);
	ck_assert_int_eq(state_of(&t, group, "one"), KMS_INACTIVE);
	stores_read(&t, &tx);
	ok(kms_key_active(tx, group, &view));
	ck_assert_str_eq(view.key.name, "two");
	ck_assert_int_ne(view.key.activated, 0);
	ok(kms_key_view(tx, group, "one", &view));
	ck_assert_int_ne(view.key.deactivated, 0);
	kms_tx_abort(&tx);
	stores_write(&t, &tx);
	ok(kms_key_set_state(tx, group, "one", KMS_ACTIVE));
	ok(kms_tx_commit(&tx));
	ck_assert_int_eq(state_of(&t, group, "two"), KMS_INACTIVE);
	stores_end(&t);
}
END_TEST

START_TEST(a_demotion_has_its_own_audit_row)
{
	struct kms_record record;
	struct stores t;
	struct kms_tx *tx;
	uint64_t last;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_key(&t, "ENCR_a", "one", KMS_ACTIVE, NULL);
	add_key(&t, "ENCR_a", "two", KMS_PRELIVE, NULL);
	ok(set_state(&t, "two", KMS_ACTIVE));
	last = t.store->root.next_id - 1;
	stores_read(&t, &tx);
	ok(kms_tx_get(tx, last, &record));
	ck_assert_str_eq(record.u.audit.subject, "two");
	ck_assert_str_eq(record.u.audit.reason, "active");
	ck_assert_str_eq(record.u.audit.group, "ENCR_a");
	ck_assert_str_ne(record.u.audit.who.name, "");
	ok(kms_tx_get(tx, last - 1, &record));
	ck_assert_str_eq(record.u.audit.subject, "one");
	ck_assert_str_eq(record.u.audit.reason, "inactive");
	kms_tx_abort(&tx);
	stores_end(&t);
}
END_TEST

/* --- adding ----------------------------------------------------------- */

static int
add(struct stores *t, const char *group, const char *name,
    const struct kms_material *m, struct kms_key_view *view, bool *held)
{
	const struct kms_key_new new = {.group = group,
	    .name = name,
	    .state = KMS_INACTIVE,
	    .event = KMS_EVENT_KEY_RECOVER,
	    .material = m};
	struct kms_tx *tx;
	int r;

	stores_write(t, &tx);
	r = kms_key_add(tx, &new, view, held);
	if (r == 0)
		return kms_tx_commit(&tx);
	kms_tx_abort(&tx);
	return r;
}

START_TEST(a_key_that_is_held_already_is_not_added_twice)
{
	struct kms_material m;
	struct kms_key_view view;
	struct stores t;
	uint64_t generation;
	bool held;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	ok(kms_material_random(t.store, &m));
	ok(add(&t, "ENCR_a", "one", &m, &view, &held));
	ck_assert(!held);
	generation = kms_store_generation(t.store);
	ok(add(&t, "ENCR_a", "again", &m, &view, &held));
	ck_assert(held);
	ck_assert_str_eq(view.key.name, "one");
	ck_assert_uint_eq(kms_store_generation(t.store), generation);
	stores_end(&t);
}
END_TEST

START_TEST(another_key_under_a_tag_that_is_taken_is_an_error)
{
	struct kms_material one, two;
	struct kms_key_view view;
	struct stores t;
	bool held;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	ok(kms_material_random(t.store, &one));
	ok(kms_material_random(t.store, &two));
	ok(add(&t, "ENCR_a", "one", &one, &view, &held));
	two.tag = one.tag;
	fails(add(&t, "ENCR_a", "two", &two, &view, &held), KMS_ERR_EXISTS,
	    "'one'");
	stores_end(&t);
}
END_TEST

START_TEST(names_are_unique_in_their_group_and_made_up_when_not_given)
{
	struct kms_material m[4];
	struct kms_key_view view;
	struct stores t;
	size_t i;
	bool held;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_group(&t, "ENCR_b");
	for (i = 0; i < 4; i++)
		ok(kms_material_random(t.store, &m[i]));
	ok(add(&t, "ENCR_a", "one", &m[0], &view, &held));
	fails(add(&t, "ENCR_a", "one", &m[1], &view, &held), KMS_ERR_EXISTS,
	    "another name");
	ok(add(&t, "ENCR_b", "one", &m[1], &view, &held));
	ok(add(&t, "ENCR_a", NULL, &m[2], &view, &held));
	ck_assert_str_eq(view.key.name, "ENCR_a-6");
	fails(add(&t, "ENCR_c", NULL, &m[3], &view, &held), KMS_ERR_NOTFOUND,
	    "-createkg");
	stores_end(&t);
}
END_TEST

START_TEST(two_unnamed_keys_of_one_change_get_two_names)
{
	struct kms_material m[2];
	struct kms_key_new new = {.group = "ENCR_a",
	    .state = KMS_PRELIVE,
	    .event = KMS_EVENT_KEY_CREATE};
	struct kms_key_view view;
	struct stores t;
	struct kms_tx *tx;
	bool held;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	ok(kms_material_random(t.store, &m[0]));
	ok(kms_material_random(t.store, &m[1]));
	stores_write(&t, &tx);
	new.material = &m[0];
	ok(kms_key_add(tx, &new, &view, &held));
	ck_assert_str_eq(view.key.name, "ENCR_a-3");
	new.material = &m[1];
	ok(kms_key_add(tx, &new, &view, &held));
	ck_assert_str_eq(view.key.name, "ENCR_a-3-2");
	ok(kms_tx_commit(&tx));
	stores_end(&t);
}
END_TEST

START_TEST(the_number_of_keys_is_limited_when_the_site_says_so)
{
	struct kms_key_change move = {.move_to = "ENCR_a"};
	struct kms_material m;
	struct kms_key_view view;
	struct stores t;
	struct kms_tx *tx;
	bool held;

	stores_begin(&t, false);
	t.options.policy.max_keys_per_group = 2;
	ok(stores_create(&t));
	stores_open(&t);
	add_group(&t, "ENCR_a");
	add_group(&t, "ENCR_b");
	add_key(&t, "ENCR_a", "one", KMS_PRELIVE, NULL);
	add_key(&t, "ENCR_a", "two", KMS_PRELIVE, NULL);
	add_key(&t, "ENCR_b", "three", KMS_PRELIVE, NULL);
	ok(kms_material_random(t.store, &m));
	fails(add(&t, "ENCR_a", "four", &m, &view, &held), KMS_ERR_LIMIT,
	    "keys_per_group");
	stores_write(&t, &tx);
	fails(kms_key_modify(tx, "ENCR_b", "three", &move), KMS_ERR_LIMIT,
	    NULL);
	kms_tx_abort(&tx);
	stores_end(&t);
}
END_TEST

/* --- phrases ---------------------------------------------------------- */

START_TEST(a_key_of_a_phrase_comes_back_from_phrase_and_tag)
{
	struct kms_secret *phrase = secret_of("a phrase for one key");
	struct kms_secret *wrong = secret_of("a phrase for one kez");
	struct kms_material made, again, random;
	struct kms_key_view view;
	uint8_t before[32], after[32];
	struct stores t;
	struct kms_tx *tx;
	bool held;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	ok(kms_material_phrase(t.store, phrase, &made));
	ck_assert_int_eq(kms_tag_kind(&made.tag), KMS_TAG_PHRASE);
	ok(add(&t, "ENCR_a", "k", &made, &view, &held));
	release_bytes(&t, &made.tag, KMS_USE_READ, before);
	ok(set_state(&t, "k", KMS_DEPRECATED));
	ok(set_state(&t, "k", KMS_TERMINATED));
	stores_write(&t, &tx);
	ok(kms_key_delete(tx, "ENCR_a", "k", true, "test"));
	ok(kms_tx_commit(&tx));
	fails(kms_material_recover(t.store, wrong, &made.tag, &again),
	    KMS_ERR_AUTH, "phrase or tag is wrong");
	ok(kms_material_recover(t.store, phrase, &made.tag, &again));
	ok(add(&t, "ENCR_a", "k", &again, &view, &held));
	ck_assert(!held);
	ck_assert_int_eq(view.gate.recoverable, KMS_RECOVERABLE_PASSPHRASE);
	release_bytes(&t, &made.tag, KMS_USE_READ, after);
	ck_assert_mem_eq(before, after, 32);
	ok(kms_material_random(t.store, &random));
	fails(kms_material_recover(t.store, phrase, &random.tag, &again),
	    KMS_ERR_USAGE, NULL);
	kms_secret_free(&phrase);
	kms_secret_free(&wrong);
	stores_end(&t);
}
END_TEST

START_TEST(a_foreign_key_keeps_its_bytes_and_its_tag)
{
	struct kms_secret *key = secret_of("0123456789abcdef0123456789abcdef");
	struct kms_secret *brief = secret_of("0123456789abcdef");
	struct kms_material m;
	struct kms_key_view view;
	uint8_t out[32];
	struct kms_tag tag;
	struct stores t;
	bool held;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	ok(kms_tag_from(&tag, "stenc", 5));
	fails(kms_material_import(t.store, brief, &tag, &m), KMS_ERR_USAGE,
	    "16 bytes");
	ok(kms_material_import(t.store, key, &tag, &m));
	ok(add(&t, "ENCR_a", "foreign", &m, &view, &held));
	ck_assert_int_eq(view.key.origin, KMS_ORIGIN_IMPORT);
	ck_assert_int_eq(view.gate.recoverable, KMS_RECOVERABLE_NONE);
	release_bytes(&t, &tag, KMS_USE_READ, out);
	ck_assert_mem_eq(out, "0123456789abcdef0123456789abcdef", 32);
	kms_secret_free(&key);
	kms_secret_free(&brief);
	stores_end(&t);
}
END_TEST

/* --- changing, moving, deleting --------------------------------------- */

START_TEST(renaming_and_moving_keep_tag_and_key)
{
	const struct kms_key_change change = {.name = "new",
	    .description = "d",
	    .move_to = "ENCR_b",
	    .set_state = true,
	    .state = KMS_ACTIVE};
	struct kms_key_view view;
	uint8_t before[32], after[32];
	struct kms_tag tag;
	struct stores t;
	struct kms_tx *tx;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_group(&t, "ENCR_b");
	add_key(&t, "ENCR_a", "old", KMS_ACTIVE, &tag);
	ok(set_state(&t, "old", KMS_INACTIVE));
	release_bytes(&t, &tag, KMS_USE_READ, before);
	stores_write(&t, &tx);
	ok(kms_key_modify(tx, "ENCR_a", "old", &change));
	ok(kms_tx_commit(&tx));
	stores_close(&t);
	stores_open(&t);
	stores_read(&t, &tx);
	ok(kms_key_view_tag(tx, &tag, &view));
	ck_assert_str_eq(view.group, "ENCR_b");
	ck_assert_str_eq(view.key.name, "new");
	ck_assert_str_eq(view.key.description, "d");
	fails(kms_key_view(tx, "ENCR_a", "old", &view), KMS_ERR_NOTFOUND,
	    "-listkeys");
	kms_tx_abort(&tx);
	release_bytes(&t, &tag, KMS_USE_WRITE, after);
	ck_assert_mem_eq(before, after, 32);
	stores_end(&t);
}
END_TEST

START_TEST(an_active_key_does_not_move_to_where_one_is_active)
{
	const struct kms_key_change move = {.move_to = "ENCR_b"};
	struct stores t;
	struct kms_tx *tx;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_group(&t, "ENCR_b");
	add_key(&t, "ENCR_a", "one", KMS_ACTIVE, NULL);
	add_key(&t, "ENCR_b", "two", KMS_ACTIVE, NULL);
	stores_write(&t, &tx);
	fails(kms_key_modify(tx, "ENCR_a", "one", &move), KMS_ERR_STATE,
	    "inactive first");
	kms_tx_abort(&tx);
	stores_end(&t);
}
END_TEST

START_TEST(a_deleted_key_leaves_a_tombstone_without_its_bytes)
{
	struct kms_record record;
	struct kms_key_view view;
	struct kms_tag tag;
	struct stores t;
	struct kms_tx *tx;
	uint64_t id;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_key(&t, "ENCR_a", "gone", KMS_PRELIVE, &tag);
	stores_write(&t, &tx);
	ok(kms_key_view(tx, "ENCR_a", "gone", &view));
	id = view.id;
	ok(kms_key_delete(tx, "ENCR_a", "gone", false, NULL));
	ok(kms_tx_commit(&tx));
	stores_close(&t);
	stores_open(&t);
	stores_read(&t, &tx);
	ok(kms_tx_get(tx, id, &record));
	ck_assert_int_eq(record.kind, KMS_KIND_TOMBSTONE);
	ck_assert(kms_tag_equal(&record.u.tombstone.tag, &tag));
	ck_assert_str_eq(record.u.tombstone.name, "gone");
	ck_assert_str_eq(record.u.tombstone.group, "ENCR_a");
	ck_assert_str_ne(record.u.tombstone.who.name, "");
	kms_record_clear(&record);
	fails(kms_key_view_tag(tx, &tag, &view), KMS_ERR_NOTFOUND, NULL);
	kms_tx_abort(&tx);
	stores_end(&t);
}
END_TEST

START_TEST(only_prelive_and_terminated_keys_are_deleted)
{
	enum kms_state to = (enum kms_state)(_i + 1), at;
	struct stores t;
	struct kms_tx *tx;
	int r;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_key(&t, "ENCR_a", "k", KMS_PRELIVE, NULL);
	for (at = KMS_ACTIVE; at <= to; at++)
		ok(set_state(&t, "k", at));
	stores_write(&t, &tx);
	r = kms_key_delete(tx, "ENCR_a", "k", true, "why");
	if (to == KMS_PRELIVE || to == KMS_TERMINATED)
		ok(r);
	else
		fails(r, KMS_ERR_STATE, kms_state_name(to));
	kms_tx_abort(&tx);
	stores_end(&t);
}
END_TEST

/* --- listing ---------------------------------------------------------- */

static int
see(void *arg, const struct kms_key_view *view)
{
	strcat(arg, view->group + 5);
	strcat(arg, view->key.name);
	strcat(arg, " ");
	return 0;
}

static const char *
list(struct stores *t, const struct kms_key_filter *filter)
{
	static char names[256];
	struct kms_tx *tx;

	names[0] = '\0';
	stores_read(t, &tx);
	ok(kms_key_list(tx, filter, see, names));
	kms_tx_abort(&tx);
	return names;
}

START_TEST(keys_are_listed_in_the_order_of_their_creation)
{
	struct kms_key_filter f = {0};
	struct kms_tag tag;
	struct stores t;
	struct kms_tx *tx;
	char out[16];

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_group(&t, "ENCR_b");
	add_key(&t, "ENCR_b", "3", KMS_ACTIVE, NULL);
	add_key(&t, "ENCR_a", "2", KMS_PRELIVE, NULL);
	add_key(&t, "ENCR_b", "1", KMS_ACTIVE, &tag);
	ck_assert_str_eq(list(&t, NULL), "b3 a2 b1 ");
	f.group = "ENCR_b";
	ck_assert_str_eq(list(&t, &f), "b3 b1 ");
	f.active_only = true;
	ck_assert_str_eq(list(&t, &f), "b1 ");
	f.name = "3";
	ck_assert_str_eq(list(&t, &f), "");
	f = (struct kms_key_filter){.tag = &tag};
	ck_assert_str_eq(list(&t, &f), "b1 ");
	f.group = "ENCR_a";
	stores_read(&t, &tx);
	fails(kms_key_list(tx, &f, see, out), KMS_ERR_NOTFOUND, "ENCR_a");
	f = (struct kms_key_filter){.name = "3"};
	fails(kms_key_list(tx, &f, see, out), KMS_ERR_USAGE, "-kgname");
	f = (struct kms_key_filter){.group = "ENCR_c"};
	fails(kms_key_list(tx, &f, see, out), KMS_ERR_NOTFOUND, "ENCR_c");
	kms_tx_abort(&tx);
	stores_end(&t);
}
END_TEST

TCase *
test_key(void)
{
	TCase *tc = tcase_create("key");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, states_are_left_by_adjacent_steps_only, 0, 5);
	tcase_add_loop_test(tc, activating_one_key_makes_the_other_inactive, 0,
	    2);
	tcase_add_test(tc, a_demotion_has_its_own_audit_row);
	tcase_add_test(tc, a_key_that_is_held_already_is_not_added_twice);
	tcase_add_test(tc, another_key_under_a_tag_that_is_taken_is_an_error);
	tcase_add_test(tc,
	    names_are_unique_in_their_group_and_made_up_when_not_given);
	tcase_add_test(tc, two_unnamed_keys_of_one_change_get_two_names);
	tcase_add_test(tc, the_number_of_keys_is_limited_when_the_site_says_so);
	tcase_add_test(tc, a_key_of_a_phrase_comes_back_from_phrase_and_tag);
	tcase_add_test(tc, a_foreign_key_keeps_its_bytes_and_its_tag);
	tcase_add_test(tc, renaming_and_moving_keep_tag_and_key);
	tcase_add_test(tc, an_active_key_does_not_move_to_where_one_is_active);
	tcase_add_test(tc, a_deleted_key_leaves_a_tombstone_without_its_bytes);
	tcase_add_loop_test(tc, only_prelive_and_terminated_keys_are_deleted, 0,
	    5);
	tcase_add_test(tc, keys_are_listed_in_the_order_of_their_creation);
	return tc;
}
