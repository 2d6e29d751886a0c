/* A group's next key: never at the cost of one that is served, and done once
 * whoever runs it. */
#include <string.h>
#include <sys/stat.h>

#include "kms/rotate.h"
#include "tests/unit/kms/stores.h"

#define HOUR (INT64_C(3600) * 1000000)

static struct kms_rotate_view view;
static struct kms_backup backup;

/* Both masters born in the token; "old" is active and waived. */
static void
begin(struct stores *t)
{
	struct kms_tag tag;

	stores_begin(t, false);
	ok(stores_create(t));
	ck_assert_int_eq(mkdir(fx_path(t->fx, "b"), 0700), 0);
	t->options.policy.backup_path = fx_path(t->fx, "b");
	t->options.policy.backup_same_device = true;
	stores_open(t);
	add_group(t, "ENCR_a");
	add_key(t, "ENCR_a", "old", KMS_ACTIVE, &tag);
}

static int
rotate(struct stores *t, int64_t older_than, bool with_material)
{
	const struct kms_rotate how = {.group = "ENCR_a",
	    .older_than = older_than};
	struct kms_material m;

	if (with_material)
		ok(kms_material_random(t->store, &m));
	return kms_rotate(t->store, &t->actor, &how, with_material ? &m : NULL,
	    &view, &backup);
}

static void
look(struct stores *t, int64_t older_than, enum kms_rotate_step step)
{
	const struct kms_rotate how = {.group = "ENCR_a",
	    .older_than = older_than};

	ok(kms_rotate_look(t->store, &t->actor, &how, &view));
	ck_assert_int_eq(view.step, step);
}

static void
active_is(struct stores *t, const char *name)
{
	struct kms_key_view active;
	struct kms_tx *tx;

	stores_read(t, &tx);
	ok(kms_key_active(tx, "ENCR_a", &active));
	ck_assert_str_eq(active.key.name, name);
	kms_tx_abort(&tx);
}

static size_t
keys(struct stores *t)
{
	struct kms_group_view group;
	struct kms_tx *tx;

	stores_read(t, &tx);
	ok(kms_group_view(tx, "ENCR_a", &group));
	kms_tx_abort(&tx);
	return group.keys;
}

START_TEST(a_random_key_waits_until_a_backup_of_it_counts)
{
	char name[KMS_NAME_MAX + 1];
	struct stores t;

	begin(&t);
	look(&t, 0, KMS_ROTATE_MAKE);
	fails(rotate(&t, 0, true), KMS_ERR_GATE, "-attesthsmbackup");
	ck_assert_uint_ne(backup.generation, 0);
	active_is(&t, "old");
	stores_close(&t);
	stores_open(&t);
	look(&t, 0, KMS_ROTATE_FINISH);
	memcpy(name, view.waiting.key.name, sizeof(name));
	ok(kms_backup_attest_hsm(t.store, &t.actor, "vault copy 7"));
	ok(rotate(&t, 0, false));
	ck_assert_uint_eq(backup.generation, 0); /* one held it already */
	active_is(&t, name);
	ck_assert_uint_eq(keys(&t), 2);
	ck_assert_uint_eq(view.active.key.flags & KMS_KEY_ROTATING, 0);
	look(&t, 0, KMS_ROTATE_MAKE);
	stores_end(&t);
}
END_TEST

START_TEST(with_the_gate_off_it_is_one_step)
{
	struct stores t;

	begin(&t);
	stores_close(&t);
	t.options.policy.serve_gate = false;
	stores_open(&t);
	ok(rotate(&t, 0, true));
	ck_assert_uint_eq(backup.generation, 0);
	active_is(&t, view.active.key.name);
	ck_assert_str_ne(view.active.key.name, "old");
	stores_end(&t);
}
END_TEST

START_TEST(a_key_that_is_young_is_left_alone)
{
	struct stores t;

	begin(&t);
	look(&t, HOUR, KMS_ROTATE_NOTHING);
	ck_assert_str_eq(view.active.key.name, "old");
	/* As when another run rotated after this one had looked. */
	ok(rotate(&t, HOUR, true));
	ck_assert_int_eq(view.step, KMS_ROTATE_NOTHING);
	ck_assert_uint_eq(keys(&t), 1);
	stores_end(&t);
}
END_TEST

START_TEST(two_runs_at_once_leave_one_key_waiting)
{
	struct stores t;

	begin(&t);
	ck_assert_int_eq(rotate(&t, 0, true), KMS_ERR_GATE);
	/* The other run looked before, and has its material too. */
	ck_assert_int_eq(rotate(&t, 0, true), KMS_ERR_GATE);
	ck_assert_uint_eq(keys(&t), 2);
	stores_end(&t);
}
END_TEST

START_TEST(what_others_did_to_the_waiting_key_is_seen)
{
	struct kms_tx *tx;
	struct stores t;

	begin(&t);
	ck_assert_int_eq(rotate(&t, 0, true), KMS_ERR_GATE);
	stores_write(&t, &tx);
	ok(kms_key_delete(tx, "ENCR_a", view.waiting.key.name, false, NULL));
	ok(kms_tx_commit(&tx));
	fails(rotate(&t, 0, false), KMS_ERR_BUSY, "again");
	active_is(&t, "old");
	stores_end(&t);
}
END_TEST

START_TEST(a_waiting_key_that_is_moved_waits_for_no_rotation_there)
{
	struct kms_key_change change = {.move_to = "ENCR_a"};
	struct kms_rotate how = {.group = "ENCR_b"};
	struct kms_material m;
	struct kms_tx *tx;
	struct stores t;

	begin(&t);
	add_group(&t, "ENCR_b");
	ok(kms_material_random(t.store, &m));
	fails(kms_rotate(t.store, &t.actor, &how, &m, &view, &backup),
	    KMS_ERR_GATE, NULL);
	stores_write(&t, &tx);
	ok(kms_key_modify(tx, "ENCR_b", view.waiting.key.name, &change));
	ok(kms_tx_commit(&tx));
	look(&t, 0, KMS_ROTATE_MAKE);
	stores_end(&t);
}
END_TEST

START_TEST(a_failing_backup_names_the_key_that_stays)
{
	struct stores t;

	begin(&t);
	stores_close(&t);
	t.options.policy.backup_path = fx_path(t.fx, "none");
	stores_open(&t);
	fails(rotate(&t, 0, true), KMS_ERR_NOTFOUND, "'old' stays active");
	active_is(&t, "old");
	stores_close(&t);
	t.options.policy.backup_path = NULL;
	stores_open(&t);
	fails(rotate(&t, 0, false), KMS_ERR_USAGE, "'old' stays active");
	active_is(&t, "old");
	stores_end(&t);
}
END_TEST

TCase *
test_rotate(void)
{
	TCase *tc = tcase_create("rotate");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, a_random_key_waits_until_a_backup_of_it_counts);
	tcase_add_test(tc, with_the_gate_off_it_is_one_step);
	tcase_add_test(tc, a_key_that_is_young_is_left_alone);
	tcase_add_test(tc, two_runs_at_once_leave_one_key_waiting);
	tcase_add_test(tc, what_others_did_to_the_waiting_key_is_seen);
	tcase_add_test(tc,
	    a_waiting_key_that_is_moved_waits_for_no_rotation_there);
	tcase_add_test(tc, a_failing_backup_names_the_key_that_stays);
	return tc;
}
