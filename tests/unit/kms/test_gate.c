/* What may be lost is not served; what was used is not deleted. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/kms/stores.h"

/* A key as made, without the waiver that add_key gives. */
static int
add_raw(struct stores *t, const char *name, const struct kms_material *m,
    enum kms_state state, struct kms_key_view *view)
{
	const struct kms_key_new new = {.group = "ENCR_a",
	    .name = name,
	    .state = state,
	    .event = KMS_EVENT_KEY_CREATE,
	    .material = m};
	struct kms_tx *tx;
	bool held;
	int r;

	stores_write(t, &tx);
	r = kms_key_add(tx, &new, view, &held);
	if (r == 0)
		return kms_tx_commit(&tx);
	kms_tx_abort(&tx);
	return r;
}

static int
try_release(struct stores *t, const struct kms_tag *tag, enum kms_use use)
{
	const struct kms_purpose purpose = {.use = use};
	struct kms_secret *key = NULL;
	int r;

	r = kms_release(t->store, &t->actor, tag, &purpose, &key);
	ck_assert((key != NULL) == (r == 0));
	kms_secret_free(&key);
	return r;
}

static void
waive(struct stores *t, const char *name)
{
	const struct kms_key_change change = {.allowserve = true,
	    .reason = "a pilot"};
	struct kms_tx *tx;

	stores_write(t, &tx);
	ok(kms_key_modify(tx, "ENCR_a", name, &change));
	ok(kms_tx_commit(&tx));
}

START_TEST(a_random_key_is_not_served_until_waived)
{
	const struct kms_key_change bare = {.allowserve = true};
	struct kms_material m;
	struct kms_key_view view;
	struct stores t;
	struct kms_tx *tx;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	ok(kms_material_random(t.store, &m));
	ok(add_raw(&t, "k", &m, KMS_ACTIVE, &view));
	ck_assert_int_eq(view.gate.recoverable, KMS_RECOVERABLE_NONE);
	ck_assert(view.gate.needs_token); /* master keys born in the token */
	ck_assert(!view.gate.waived);
	fails(try_release(&t, &m.tag, KMS_USE_WRITE), KMS_ERR_GATE,
	    "-allowserve");
	fails(try_release(&t, &m.tag, KMS_USE_CLIENT), KMS_ERR_GATE, "-backup");
	ok(try_release(&t, &m.tag, KMS_USE_READ));
	ok(try_release(&t, &m.tag, KMS_USE_EXPORT));
	stores_write(&t, &tx);
	fails(kms_key_modify(tx, "ENCR_a", "k", &bare), KMS_ERR_USAGE,
	    "reason");
	kms_tx_abort(&tx);
	waive(&t, "k");
	ok(try_release(&t, &m.tag, KMS_USE_WRITE));
	stores_read(&t, &tx);
	ok(kms_key_view(tx, "ENCR_a", "k", &view));
	ck_assert(view.gate.waived);
	kms_tx_abort(&tx);
	stores_end(&t);
}
END_TEST

START_TEST(keys_of_phrases_are_served_at_once)
{
	struct kms_secret *phrase = secret_of("phrase of key or group");
	struct kms_material own, group;
	struct kms_group_change change = {0};
	struct kms_key_view view;
	struct kms_seed seed;
	struct stores t;
	struct kms_tx *tx;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	ok(kms_material_seed(t.store, phrase, &seed));
	change.seed = &seed;
	stores_write(&t, &tx);
	ok(kms_group_modify(tx, "ENCR_a", &change));
	ok(kms_tx_commit(&tx));
	ok(kms_material_phrase(t.store, phrase, &own));
	ok(kms_material_group(t.store, "ENCR_a", &group));
	ok(add_raw(&t, "own", &own, KMS_ACTIVE, &view));
	ck_assert_str_eq(kms_recoverable_name(view.gate.recoverable),
	    "passphrase");
	ck_assert(!view.gate.needs_token);
	ok(try_release(&t, &own.tag, KMS_USE_WRITE));
	ok(add_raw(&t, "group", &group, KMS_ACTIVE, &view));
	ck_assert_str_eq(kms_recoverable_name(view.gate.recoverable), "group");
	ok(try_release(&t, &group.tag, KMS_USE_WRITE));
	kms_secret_free(&phrase);
	stores_end(&t);
}
END_TEST

START_TEST(the_gate_can_be_switched_off)
{
	struct kms_material m;
	struct kms_key_view view;
	struct stores t;

	stores_begin(&t, false);
	t.options.policy.serve_gate = false;
	ok(stores_create(&t));
	stores_open(&t);
	add_group(&t, "ENCR_a");
	ok(kms_material_random(t.store, &m));
	ok(add_raw(&t, "k", &m, KMS_ACTIVE, &view));
	ok(try_release(&t, &m.tag, KMS_USE_WRITE));
	stores_end(&t);
}
END_TEST

START_TEST(a_key_that_is_served_is_not_displaced_by_one_that_is_not)
{
	struct kms_secret *phrase = secret_of("a phrase of its own");
	struct kms_material good, bad;
	struct kms_key_view view;
	struct stores t;
	struct kms_tx *tx;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	ok(kms_material_phrase(t.store, phrase, &good));
	ok(kms_material_random(t.store, &bad));
	ok(add_raw(&t, "good", &good, KMS_ACTIVE, &view));
	fails(add_raw(&t, "bad", &bad, KMS_ACTIVE, &view), KMS_ERR_GATE,
	    "without a key that is served");
	ok(add_raw(&t, "bad", &bad, KMS_PRELIVE, &view));
	stores_write(&t, &tx);
	fails(kms_key_set_state(tx, "ENCR_a", "bad", KMS_ACTIVE), KMS_ERR_GATE,
	    NULL);
	kms_tx_abort(&tx);
	ok(try_release(&t, &good.tag, KMS_USE_WRITE));
	waive(&t, "bad");
	stores_write(&t, &tx);
	ok(kms_key_set_state(tx, "ENCR_a", "bad", KMS_ACTIVE));
	ok(kms_tx_commit(&tx));
	kms_secret_free(&phrase);
	stores_end(&t);
}
END_TEST

START_TEST(an_unservable_key_may_follow_an_unservable_one)
{
	struct kms_material one, two;
	struct kms_key_view view;
	struct stores t;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	ok(kms_material_random(t.store, &one));
	ok(kms_material_random(t.store, &two));
	ok(add_raw(&t, "one", &one, KMS_ACTIVE, &view));
	ok(add_raw(&t, "two", &two, KMS_ACTIVE, &view));
	stores_end(&t);
}
END_TEST

START_TEST(needs_token_is_false_where_both_masters_have_phrases)
{
	struct kms_material m;
	struct kms_key_view view;
	struct stores t;

	stores_begin(&t, false);
	stores_create_of_phrases(&t);
	stores_open(&t);
	add_group(&t, "ENCR_a");
	ok(kms_material_random(t.store, &m));
	ok(add_raw(&t, "k", &m, KMS_PRELIVE, &view));
	ck_assert_int_eq(view.gate.recoverable, KMS_RECOVERABLE_NONE);
	ck_assert(!view.gate.needs_token);
	stores_end(&t);
}
END_TEST

/* --- delete ----------------------------------------------------------- */

static void
terminate(struct stores *t, const char *name)
{
	struct kms_tx *tx;
	enum kms_state s;

	stores_write(t, &tx);
	for (s = KMS_INACTIVE; s <= KMS_TERMINATED; s++)
		ok(kms_key_set_state(tx, "ENCR_a", name, s));
	ok(kms_tx_commit(&tx));
}

static int delete (struct stores *t, const char *name, bool force,
    const char *reason)
{
	struct kms_tx *tx;
	int r;

	stores_write(t, &tx);
	r = kms_key_delete(tx, "ENCR_a", name, force, reason);
	if (r == 0)
		return kms_tx_commit(&tx);
	kms_tx_abort(&tx);
	return r;
}

START_TEST(a_key_that_was_released_while_active_is_deleted_by_force_only)
{
	struct kms_tag tag;
	struct stores t;
	uint8_t key[32];

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_key(&t, "ENCR_a", "k", KMS_ACTIVE, &tag);
	release_bytes(&t, &tag, KMS_USE_WRITE, key);
	terminate(&t, "k");
	stores_close(&t);
	stores_open(&t);
	fails(delete (&t, "k", false, NULL), KMS_ERR_GATE, "-force");
	fails(delete (&t, "k", true, NULL), KMS_ERR_USAGE, "reason");
	ok(delete (&t, "k", true, "all its tapes are gone"));
	stores_end(&t);
}
END_TEST

START_TEST(a_key_that_a_tape_was_noted_for_is_deleted_by_force_only)
{
	const struct kms_purpose tape = {.volume = "V00001"};
	const struct kms_purpose unnamed = {.volume = "", .drive = "D1"};
	struct kms_tag tag;
	struct stores t;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_key(&t, "ENCR_a", "k", KMS_ACTIVE, &tag);
	terminate(&t, "k");
	fails(kms_release_tape(t.store, &t.actor, &tag, &unnamed),
	    KMS_ERR_USAGE, "-volume");
	/* whatever its state is by now */
	ok(kms_release_tape(t.store, &t.actor, &tag, &tape));
	fails(delete (&t, "k", false, NULL), KMS_ERR_GATE, "-force");
	tag.b[5] ^= 1;
	fails(kms_release_tape(t.store, &t.actor, &tag, &tape),
	    KMS_ERR_NOTFOUND, "not in this store");
	stores_end(&t);
}
END_TEST

START_TEST(a_key_that_only_read_is_deleted_without_force)
{
	struct kms_tag never, inactive;
	struct stores t;
	struct kms_tx *tx;
	uint8_t key[32];

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_key(&t, "ENCR_a", "inactive", KMS_ACTIVE, &inactive);
	add_key(&t, "ENCR_a", "never", KMS_ACTIVE, &never);
	release_bytes(&t, &inactive, KMS_USE_READ, key);
	terminate(&t, "never");
	ok(delete (&t, "never", false, NULL));
	stores_write(&t, &tx);
	ok(kms_key_set_state(tx, "ENCR_a", "inactive", KMS_DEPRECATED));
	ok(kms_key_set_state(tx, "ENCR_a", "inactive", KMS_TERMINATED));
	ok(kms_tx_commit(&tx));
	ok(delete (&t, "inactive", false, NULL));
	stores_end(&t);
}
END_TEST

START_TEST(where_the_log_is_lost_every_older_key_counts_as_released)
{
	struct stores t;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_key(&t, "ENCR_a", "old", KMS_ACTIVE, NULL);
	terminate(&t, "old");
	stores_close(&t);
	ck_assert_int_eq(remove(t.log_path), 0);
	stores_open(&t);
	fails(delete (&t, "old", false, NULL), KMS_ERR_GATE, "lost");
	add_key(&t, "ENCR_a", "new", KMS_ACTIVE, NULL); /* begins a new log */
	terminate(&t, "new");
	fails(delete (&t, "old", false, NULL), KMS_ERR_GATE, "lost");
	ok(delete (&t, "new", false, NULL));
	stores_close(&t);
	stores_open(&t);
	fails(delete (&t, "old", false, NULL), KMS_ERR_GATE, "lost");
	stores_end(&t);
}
END_TEST

START_TEST(the_delete_gate_can_be_switched_off)
{
	struct kms_tag tag;
	struct stores t;
	uint8_t key[32];

	stores_begin(&t, false);
	t.options.policy.delete_gate = false;
	ok(stores_create(&t));
	stores_open(&t);
	add_group(&t, "ENCR_a");
	add_key(&t, "ENCR_a", "k", KMS_ACTIVE, &tag);
	release_bytes(&t, &tag, KMS_USE_WRITE, key);
	terminate(&t, "k");
	ok(delete (&t, "k", false, NULL));
	stores_end(&t);
}
END_TEST

TCase *
test_gate(void)
{
	TCase *tc = tcase_create("gate");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_random_key_is_not_served_until_waived);
	tcase_add_test(tc, keys_of_phrases_are_served_at_once);
	tcase_add_test(tc, the_gate_can_be_switched_off);
	tcase_add_test(tc,
	    a_key_that_is_served_is_not_displaced_by_one_that_is_not);
	tcase_add_test(tc, an_unservable_key_may_follow_an_unservable_one);
	tcase_add_test(tc,
	    needs_token_is_false_where_both_masters_have_phrases);
	tcase_add_test(tc,
	    a_key_that_was_released_while_active_is_deleted_by_force_only);
	tcase_add_test(tc,
	    a_key_that_a_tape_was_noted_for_is_deleted_by_force_only);
	tcase_add_test(tc, a_key_that_only_read_is_deleted_without_force);
	tcase_add_test(tc,
	    where_the_log_is_lost_every_older_key_counts_as_released);
	tcase_add_test(tc, the_delete_gate_can_be_switched_off);
	return tc;
}
