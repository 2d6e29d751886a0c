/* Rotation of either master key: every key stays the same, whatever it is
 * interrupted by. */
#include <unistd.h>

#include "kms/backup.h"
#include "kms/verify.h"
#include "tests/unit/kms/failing.h"
#include "tests/unit/kms/rotated.h"

START_TEST(every_key_is_the_same_under_a_new_master_key)
{
	enum kms_role role = rotated_role(_i);
	struct stores t;
	struct keys k;

	rotated_begin(&t, &k, false);
	ok(rotated_rotate(&t, role));
	rotated_current_is(&t, role, "second");
	rotated_same_keys(&t, &k);
	add_group(&t, "ENCR_b");
	stores_close(&t);
	stores_open(&t);
	rotated_current_is(&t, role, "second");
	rotated_same_keys(&t, &k);
	ck_assert_uint_eq(soft_sealer_count(t.sealer), 3);
	stores_end(&t);
}
END_TEST

START_TEST(the_old_key_goes_only_after_a_backup_under_the_new_one)
{
	enum kms_role role = rotated_role(_i);
	struct kms_backup_options options;
	struct kms_verify_report report;
	struct kms_backup b;
	struct stores t;
	struct keys k;
	unsigned n;

	rotated_begin(&t, &k, false);
	stores_close(&t);
	t.options.policy.backup_same_device = true;
	stores_open(&t);
	options = (struct kms_backup_options){.path = fx_path(t.fx, "1.db")};
	ok(kms_backup_make(t.store, &t.actor, &options, &b, &report));
	ok(rotated_rotate(&t, role));
	fails(kms_rewrap_retire(t.store, &t.actor, "due", &n), KMS_ERR_GATE,
	    "-backup");
	ck_assert_uint_eq(soft_sealer_count(t.sealer), 3);
	options.path = fx_path(t.fx, "2.db");
	ok(kms_backup_make(t.store, &t.actor, &options, &b, &report));
	fails(kms_rewrap_retire(t.store, &t.actor, "", &n), KMS_ERR_USAGE,
	    "-reason");
	ok(kms_rewrap_retire(t.store, &t.actor, "due", &n));
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(soft_sealer_count(t.sealer), 2);
	rotated_same_keys(&t, &k);
	stores_close(&t);
	stores_open(&t);
	rotated_same_keys(&t, &k);
	stores_end(&t);
}
END_TEST

/* A store whose random key a backup and the owner's word bring back. */
static void
begin_covered(struct stores *t, struct kms_key_view *view)
{
	struct kms_backup_options options;
	struct kms_verify_report report;
	struct kms_material material;
	const struct kms_key_new new = {.group = "ENCR_a",
	    .state = KMS_ACTIVE,
	    .event = KMS_EVENT_KEY_CREATE,
	    .material = &material};
	struct kms_backup b;
	struct kms_tx *tx;
	bool held;

	stores_new(t, false);
	stores_close(t);
	t->options.policy.backup_same_device = true;
	stores_open(t);
	ok(kms_backup_attest_hsm(t->store, &t->actor, "test"));
	add_group(t, "ENCR_a");
	ok(kms_material_random(t->store, &material));
	stores_write(t, &tx);
	ok(kms_key_add(tx, &new, view, &held));
	ok(kms_tx_commit(&tx));
	options = (struct kms_backup_options){.path = fx_path(t->fx, "1.db")};
	ok(kms_backup_make(t->store, &t->actor, &options, &b, &report));
}

static void
served(struct stores *t, const struct kms_tag *tag, int expected)
{
	const struct kms_purpose write = {.use = KMS_USE_WRITE};
	struct kms_secret *key = NULL;

	ck_assert_int_eq(kms_release(t->store, &t->actor, tag, &write, &key),
	    expected);
	kms_secret_free(&key);
}

START_TEST(a_rotation_makes_earlier_backups_count_for_no_key)
{
	struct kms_key_view view;
	struct stores t;

	begin_covered(&t, &view);
	served(&t, &view.key.tag, 0);
	ok(rotated_rotate(&t, KMS_ROLE_KPK));
	served(&t, &view.key.tag, KMS_ERR_GATE);
	stores_end(&t);
}
END_TEST

/* Half of its rows are under a key that nobody vouched for. */
START_TEST(a_backup_in_the_middle_of_a_rotation_needs_both_keys)
{
	enum kms_role role = rotated_role(_i);
	struct kms_backup_options options;
	struct kms_verify_report report;
	struct kms_key_view view;
	struct kms_backup b;
	struct stores t;

	begin_covered(&t, &view);
	soft_sealer_control(t.sealer)->put_fails = true;
	ck_assert_int_ne(rotated_rotate(&t, role), 0);
	soft_sealer_control(t.sealer)->put_fails = false;
	options = (struct kms_backup_options){.path = fx_path(t.fx, "2.db")};
	ok(kms_backup_make(t.store, &t.actor, &options, &b, &report));
	served(&t, &view.key.tag, KMS_ERR_GATE);
	stores_end(&t);
}
END_TEST

/* Fails where the key has been made and the first row is to move. */
START_TEST(a_rotation_under_way_is_not_mixed_with_another)
{
	const struct kms_setup_master third = {.id = "third"};
	struct kms_rewrap job = {.role = KMS_ROLE_KPK, .want = &third};
	struct kms_slot slot;
	struct stores t;
	struct keys k;

	rotated_begin(&t, &k, false);
	soft_sealer_control(t.sealer)->put_fails = true;
	ck_assert_int_ne(rotated_rotate(&t, KMS_ROLE_KPK), 0);
	soft_sealer_control(t.sealer)->put_fails = false;
	ok(kms_store_slot(t.store, KMS_ROLE_KPK, &slot));
	ck_assert_str_eq(slot.id, "KPK 1");
	fails(kms_rewrap(t.store, &t.actor, &job), KMS_ERR_STATE, "second");
	ok(rotated_rotate(&t, KMS_ROLE_KPK));
	ok(kms_rewrap(t.store, &t.actor, &job));
	rotated_current_is(&t, KMS_ROLE_KPK, "third");
	rotated_same_keys(&t, &k);
	stores_end(&t);
}
END_TEST

/* A run behind the change that ended it must not make a third key. */
START_TEST(a_rotation_that_ended_is_not_begun_anew)
{
	struct kms_secret *phrase = secret_of("the second master's phrase");
	struct kms_secret *wrong = secret_of("another master's phrase");
	struct kms_setup_master want = {.id = "second", .phrase = phrase};
	struct kms_rewrap job = {.role = rotated_role(_i), .want = &want};
	struct stores t;
	struct keys k;

	rotated_begin(&t, &k, false);
	ok(kms_rewrap(t.store, &t.actor, &job));
	ck_assert(!job.was_done && !job.resumed);
	ck_assert_uint_ge(job.moved, ROTATED_KEYS);
	ok(kms_rewrap(t.store, &t.actor, &job));
	ck_assert(job.was_done);
	ck_assert_uint_eq(job.moved, 0);
	want.phrase = wrong;
	fails(kms_rewrap(t.store, &t.actor, &job), KMS_ERR_AUTH, "second");
	want.phrase = NULL; /* born in the token: another key, the same ID */
	fails(kms_rewrap(t.store, &t.actor, &job), KMS_ERR_EXISTS, "second");
	want.id = "third";
	ok(kms_rewrap(t.store, &t.actor, &job));
	want.id = "second"; /* superseded, and still in the header */
	fails(kms_rewrap(t.store, &t.actor, &job), KMS_ERR_EXISTS, "second");
	ck_assert_uint_eq(soft_sealer_count(t.sealer), 4);
	rotated_same_keys(&t, &k);
	kms_secret_free(&phrase);
	kms_secret_free(&wrong);
	stores_end(&t);
}
END_TEST

START_TEST(one_phrase_is_not_taken_for_both_master_keys)
{
	struct kms_secret *phrase = secret_of("the phrase of both of them");
	struct kms_setup_master want = {.id = "second", .phrase = phrase};
	struct kms_rewrap job = {.role = KMS_ROLE_HMK, .want = &want};
	struct stores t;

	stores_new(&t, false);
	ok(kms_rewrap(t.store, &t.actor, &job));
	job.role = KMS_ROLE_KPK;
	fails(kms_rewrap(t.store, &t.actor, &job), KMS_ERR_PHRASE, "same");
	ck_assert_uint_eq(soft_sealer_count(t.sealer), 3);
	kms_secret_free(&phrase);
	stores_end(&t);
}
END_TEST

/* The data keys move in the token, and are proven there. */
START_TEST(a_rotation_asks_the_token_for_no_data_key)
{
	struct stores t;
	struct keys k;

	rotated_begin(&t, &k, false);
	soft_sealer_control(t.sealer)->unwraps = 0;
	ok(rotated_rotate(&t, KMS_ROLE_KPK));
	ck_assert_uint_eq(soft_sealer_control(t.sealer)->unwraps, 0);
	stores_end(&t);
}
END_TEST

/* A group's seed, like a key, is wrapped before its change begins. */
START_TEST(what_was_wrapped_before_a_rotation_ended_is_not_taken)
{
	struct kms_secret *phrase = secret_of("the phrase of a group");
	struct kms_group_change change = {0};
	struct kms_seed seed;
	struct kms_tx *tx;
	struct stores t;
	struct keys k;

	rotated_begin(&t, &k, false);
	ok(kms_material_seed(t.store, phrase, &seed));
	kms_secret_free(&phrase);
	ok(rotated_rotate(&t, KMS_ROLE_KPK));
	change.seed = &seed;
	stores_write(&t, &tx);
	fails(kms_group_add(tx, "ENCR_b", NULL, &seed), KMS_ERR_BUSY,
	    "rotated");
	fails(kms_group_modify(tx, "ENCR_a", &change), KMS_ERR_BUSY, "rotated");
	kms_tx_abort(&tx);
	stores_end(&t);
}
END_TEST

/* As a token says it that has lost the key since the store was opened. */
static int
rewrap_of_lost_key(struct kms_sealer *s, const struct kms_slot *from,
    const struct kms_slot *to, struct kms_wrapped *w, size_t n)
{
	(void)s;
	(void)to;
	(void)w;
	(void)n;
	return kms_fail(KMS_ERR_NOTFOUND,
	    "master key '%s': is not in the token", from->id);
}

START_TEST(a_master_key_lost_meanwhile_is_the_tokens_fault)
{
	struct kms_sealer *lost;
	unsigned calls = 0;
	struct stores t, u;
	struct keys k;

	rotated_begin(&t, &k, false);
	u = t;
	lost = failing_new(t.sealer, FAILING_NEVER, 0, &calls);
	lost->rewrap = rewrap_of_lost_key;
	u.options.sealer = lost;
	u.store = NULL;
	stores_open(&u);
	fails(rotated_rotate(&u, KMS_ROLE_KPK), KMS_ERR_TOKEN, "'KPK 1'");
	stores_close(&u);
	ok(rotated_rotate(&t, KMS_ROLE_KPK));
	rotated_same_keys(&t, &k);
	lost->close(&lost);
	stores_end(&t);
}
END_TEST

/* Another process, while this one makes its key in the token. */
static struct stores *other;

static enum kms_role other_role;

static int
make_late(struct kms_sealer *s, const struct kms_secret *master,
    struct kms_slot *slot)
{
	(void)s;
	ok(rotated_rotate(other, other_role));
	return other->sealer->make(other->sealer, master, slot);
}

START_TEST(two_rotations_at_once_lose_no_master_key)
{
	enum kms_role mine = rotated_role(_i / 2);
	struct kms_sealer *late;
	unsigned calls = 0;
	struct stores t, u;
	struct keys k;

	rotated_begin(&t, &k, false);
	u = t;
	late = failing_new(t.sealer, FAILING_NEVER, 0, &calls);
	late->make = make_late;
	u.options.sealer = late;
	u.store = NULL;
	stores_open(&u);
	other = &t;
	other_role = rotated_role(_i % 2);
	fails(rotated_rotate(&u, mine), KMS_ERR_BUSY, "another process");
	stores_close(&u);
	stores_close(&t);
	stores_open(&t);
	rotated_same_keys(&t, &k);
	ok(rotated_rotate(&t, mine));
	rotated_current_is(&t, mine, "second");
	rotated_current_is(&t, other_role, "second");
	rotated_same_keys(&t, &k);
	late->close(&late);
	stores_end(&t);
}
END_TEST

TCase *
test_rewrap(void)
{
	TCase *tc = tcase_create("rewrap");

	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, every_key_is_the_same_under_a_new_master_key, 0,
	    2);
	tcase_add_loop_test(tc,
	    the_old_key_goes_only_after_a_backup_under_the_new_one, 0, 2);
	tcase_add_test(tc, a_rotation_makes_earlier_backups_count_for_no_key);
	tcase_add_loop_test(tc,
	    a_backup_in_the_middle_of_a_rotation_needs_both_keys, 0, 2);
	tcase_add_test(tc, a_rotation_under_way_is_not_mixed_with_another);
	tcase_add_loop_test(tc, a_rotation_that_ended_is_not_begun_anew, 0, 2);
	tcase_add_test(tc, one_phrase_is_not_taken_for_both_master_keys);
	tcase_add_test(tc, a_rotation_asks_the_token_for_no_data_key);
	tcase_add_test(tc,
	    what_was_wrapped_before_a_rotation_ended_is_not_taken);
	tcase_add_test(tc, a_master_key_lost_meanwhile_is_the_tokens_fault);
	tcase_add_loop_test(tc, two_rotations_at_once_lose_no_master_key, 0, 4);
	return tc;
}
