/* Rotation of either master key: every key stays the same, whatever it is
 * interrupted by. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kms/backup.h"
#include "kms/rewrap.h"
#include "kms/verify.h"
#include "tests/unit/kms/failing.h"
#include "tests/unit/kms/stores.h"

#define KEYS 3u
static const struct kms_setup_master second = {.id = "second"};

struct keys {
	struct kms_tag tag[KEYS];
	uint8_t key[KEYS][32];
};

static void
begin(struct stores *t, struct keys *k, bool shared)
{
	char name[8];
	unsigned i;

	stores_new(t, shared);
	add_group(t, "ENCR_a");
	for (i = 0; i < KEYS; i++) {
		snprintf(name, sizeof(name), "k%u", i);
		add_key(t, "ENCR_a", name, KMS_ACTIVE, &k->tag[i]);
		release_bytes(t, &k->tag[i], KMS_USE_READ, k->key[i]);
	}
}

static void
same_keys(struct stores *t, const struct keys *k)
{
	struct kms_verify_report report;
	uint8_t now[32];
	unsigned i;

	for (i = 0; i < KEYS; i++) {
		release_bytes(t, &k->tag[i], KMS_USE_READ, now);
		ck_assert_mem_eq(now, k->key[i], 32);
	}
	ok(kms_verify(t->store, &report, NULL, NULL));
	ck_assert_uint_eq(report.bad, 0);
}

static void
current_is(struct stores *t, enum kms_role role, const char *id)
{
	struct kms_slot slot;

	ok(kms_store_slot(t->store, role, &slot));
	ck_assert_str_eq(slot.id, id);
}

static int
rotate(struct stores *t, enum kms_role role)
{
	struct kms_rewrap job = {.role = role, .want = &second};

	return kms_rewrap(t->store, &t->actor, &job);
}

static enum kms_role
role_of(int i)
{
	return i == 0 ? KMS_ROLE_HMK : KMS_ROLE_KPK;
}

START_TEST(every_key_is_the_same_under_a_new_master_key)
{
	enum kms_role role = role_of(_i);
	struct stores t;
	struct keys k;

	begin(&t, &k, false);
	ok(rotate(&t, role));
	current_is(&t, role, "second");
	same_keys(&t, &k);
	add_group(&t, "ENCR_b");
	stores_close(&t);
	stores_open(&t);
	current_is(&t, role, "second");
	same_keys(&t, &k);
	ck_assert_uint_eq(soft_sealer_count(t.sealer), 3);
	stores_end(&t);
}
END_TEST

START_TEST(the_old_key_goes_only_after_a_backup_under_the_new_one)
{
	enum kms_role role = role_of(_i);
	struct kms_backup_options options;
	struct kms_verify_report report;
	struct kms_backup b;
	struct stores t;
	struct keys k;
	unsigned n;

	begin(&t, &k, false);
	stores_close(&t);
	t.options.policy.backup_same_device = true;
	stores_open(&t);
	options = (struct kms_backup_options){.path = fx_path(t.fx, "1.db")};
	ok(kms_backup_make(t.store, &t.actor, &options, &b, &report));
	ok(rotate(&t, role));
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
	same_keys(&t, &k);
	stores_close(&t);
	stores_open(&t);
	same_keys(&t, &k);
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
	ok(rotate(&t, KMS_ROLE_KPK));
	served(&t, &view.key.tag, KMS_ERR_GATE);
	stores_end(&t);
}
END_TEST

/* Half of its rows are under a key that nobody vouched for. */
START_TEST(a_backup_in_the_middle_of_a_rotation_needs_both_keys)
{
	enum kms_role role = role_of(_i);
	struct kms_backup_options options;
	struct kms_verify_report report;
	struct kms_key_view view;
	struct kms_backup b;
	struct stores t;

	begin_covered(&t, &view);
	soft_sealer_control(t.sealer)->put_fails = true;
	ck_assert_int_ne(rotate(&t, role), 0);
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

	begin(&t, &k, false);
	soft_sealer_control(t.sealer)->put_fails = true;
	ck_assert_int_ne(rotate(&t, KMS_ROLE_KPK), 0);
	soft_sealer_control(t.sealer)->put_fails = false;
	ok(kms_store_slot(t.store, KMS_ROLE_KPK, &slot));
	ck_assert_str_eq(slot.id, "KPK 1");
	fails(kms_rewrap(t.store, &t.actor, &job), KMS_ERR_STATE, "second");
	ok(rotate(&t, KMS_ROLE_KPK));
	ok(kms_rewrap(t.store, &t.actor, &job));
	current_is(&t, KMS_ROLE_KPK, "third");
	same_keys(&t, &k);
	stores_end(&t);
}
END_TEST

/* A run behind the change that ended it must not make a third key. */
START_TEST(a_rotation_that_ended_is_not_begun_anew)
{
	struct kms_secret *phrase = secret_of("the second master's phrase");
	struct kms_secret *wrong = secret_of("another master's phrase");
	struct kms_setup_master want = {.id = "second", .phrase = phrase};
	struct kms_rewrap job = {.role = role_of(_i), .want = &want};
	struct stores t;
	struct keys k;

	begin(&t, &k, false);
	ok(kms_rewrap(t.store, &t.actor, &job));
	ck_assert(!job.was_done && !job.resumed);
	ck_assert_uint_ge(job.moved, KEYS);
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
	same_keys(&t, &k);
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

	begin(&t, &k, false);
	soft_sealer_control(t.sealer)->unwraps = 0;
	ok(rotate(&t, KMS_ROLE_KPK));
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

	begin(&t, &k, false);
	ok(kms_material_seed(t.store, phrase, &seed));
	kms_secret_free(&phrase);
	ok(rotate(&t, KMS_ROLE_KPK));
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

	begin(&t, &k, false);
	u = t;
	lost = failing_new(t.sealer, FAILING_NEVER, 0, &calls);
	lost->rewrap = rewrap_of_lost_key;
	u.options.sealer = lost;
	u.store = NULL;
	stores_open(&u);
	fails(rotate(&u, KMS_ROLE_KPK), KMS_ERR_TOKEN, "'KPK 1'");
	stores_close(&u);
	ok(rotate(&t, KMS_ROLE_KPK));
	same_keys(&t, &k);
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
	ok(rotate(other, other_role));
	return other->sealer->make(other->sealer, master, slot);
}

START_TEST(two_rotations_at_once_lose_no_master_key)
{
	enum kms_role mine = role_of(_i / 2);
	struct kms_sealer *late;
	unsigned calls = 0;
	struct stores t, u;
	struct keys k;

	begin(&t, &k, false);
	u = t;
	late = failing_new(t.sealer, FAILING_NEVER, 0, &calls);
	late->make = make_late;
	u.options.sealer = late;
	u.store = NULL;
	stores_open(&u);
	other = &t;
	other_role = role_of(_i % 2);
	fails(rotate(&u, mine), KMS_ERR_BUSY, "another process");
	stores_close(&u);
	stores_close(&t);
	stores_open(&t);
	same_keys(&t, &k);
	ok(rotate(&t, mine));
	current_is(&t, mine, "second");
	current_is(&t, other_role, "second");
	same_keys(&t, &k);
	late->close(&late);
	stores_end(&t);
}
END_TEST

/* --- interrupted ----------------------------------------------------------- */

struct work {
	enum kms_role role;
	void (*prepare)(struct stores *);
	int (*run)(struct kms_store *, const struct kms_actor *, enum kms_role);
	void (*finish)(struct stores *, enum kms_role);
	size_t left; /* master keys in the token in the end */
};

/* The work with the token failing, or the process killed, at its n-th call;
 * then again with a good one. True once n is past the last call. */
static bool
interrupted_at(const struct work *w, enum failing_how how, unsigned n)
{
	struct kms_sealer *inner, *failing;
	unsigned calls = 0;
	struct stores t;
	struct keys k;
	int status = 0;

	begin(&t, &k, true);
	stores_close(&t);
	t.options.policy.backup_same_device = true;
	if (w->prepare != NULL) {
		stores_open(&t);
		w->prepare(&t);
		stores_close(&t);
	}
	inner = t.sealer;
	if (fork() == 0) {
		struct kms_store *s = NULL;
		int r;

		failing = failing_new(inner, how, n, &calls);
		t.options.sealer = failing;
		r = kms_store_open(&t.options, &s);
		if (r == 0)
			r = w->run(s, &t.actor, w->role);
		/* An anchor that was not written fails nothing: it heals. */
		_exit(r == 0 && calls < n ? 0 : 1);
	}
	ck_assert_int_gt(wait(&status), 0);
	/* The token as it lies in its file: the child changed it. */
	inner->close(&inner);
	ok(soft_sealer_new(t.token_path, &t.sealer));
	t.options.sealer = t.sealer;
	stores_open(&t);
	same_keys(&t, &k);
	w->finish(&t, w->role);
	current_is(&t, w->role, "second");
	same_keys(&t, &k);
	ck_assert_uint_eq(soft_sealer_count(t.sealer), w->left);
	stores_end(&t);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int
run_rotation(struct kms_store *s, const struct kms_actor *actor,
    enum kms_role role)
{
	struct kms_rewrap job = {.role = role, .want = &second};

	return kms_rewrap(s, actor, &job);
}

/* Killed behind the last commit it is done already. */
static void
finish_rotation(struct stores *t, enum kms_role role)
{
	struct kms_slot slot;

	ok(kms_store_slot(t->store, role, &slot));
	if (strcmp(slot.id, "second") != 0)
		ok(rotate(t, role));
}

/* Both, so that there is a moment between the first key and the second. */
static void
prepare_retiring(struct stores *t)
{
	struct kms_backup_options options = {.path = fx_path(t->fx, "r.db")};
	struct kms_rewrap job = {.role = KMS_ROLE_HMK, .want = &second};
	static const struct kms_setup_master other_id = {.id = "second KPK"};
	struct kms_verify_report report;
	struct kms_backup b;

	ok(kms_rewrap(t->store, &t->actor, &job));
	job.role = KMS_ROLE_KPK;
	job.want = &other_id;
	ok(kms_rewrap(t->store, &t->actor, &job));
	ok(kms_backup_make(t->store, &t->actor, &options, &b, &report));
	ck_assert_uint_eq(soft_sealer_count(t->sealer), 4);
}

static int
run_retiring(struct kms_store *s, const struct kms_actor *actor,
    enum kms_role role)
{
	unsigned n;

	(void)role;
	return kms_rewrap_retire(s, actor, "due", &n);
}

static void
finish_retiring(struct stores *t, enum kms_role role)
{
	unsigned n;

	(void)role;
	ok(kms_rewrap_retire(t->store, &t->actor, "due", &n));
	ck_assert(n == 0 || n == 2);
	ok(kms_rewrap_retire(t->store, &t->actor, "due", &n));
	ck_assert_uint_eq(n, 0);
}

/* A copy that was opened in time, and is older by a change when it comes to
 * destroying: what is superseded in it may be current where it is not. */
START_TEST(a_store_that_is_not_the_newest_destroys_no_key)
{
	struct stores t, copy;
	struct saved file;
	struct keys k;
	unsigned n;

	begin(&t, &k, false);
	stores_close(&t);
	t.options.policy.backup_same_device = true;
	stores_open(&t);
	prepare_retiring(&t);
	copy = t;
	copy.store = NULL;
	copy.options.path = fx_path(t.fx, "copy.db");
	save_file(t.fx, t.path, &file);
	fx_write(copy.options.path, file.p, file.len, 0600);
	stores_open(&copy);
	add_group(&t, "ENCR_b");
	fails(kms_rewrap_retire(copy.store, &t.actor, "due", &n),
	    KMS_ERR_ROLLBACK, "older by 1 change");
	ck_assert_uint_eq(n, 0);
	ck_assert_uint_eq(soft_sealer_count(t.sealer), 4);
	stores_close(&copy);
	same_keys(&t, &k);
	stores_end(&t);
}
END_TEST

/* HMK, KPK, retiring. */
static void
at_every_call(int i, enum failing_how how)
{
	const struct work rotation = {.role = role_of(i),
	    .run = run_rotation,
	    .finish = finish_rotation,
	    .left = 3};
	static const struct work retiring = {.role = KMS_ROLE_HMK,
	    .prepare = prepare_retiring,
	    .run = run_retiring,
	    .finish = finish_retiring,
	    .left = 2};
	unsigned n = 1;

	for (; !interrupted_at(i < 2 ? &rotation : &retiring, how, n);
	     n += FX_STEP)
		ck_assert_uint_lt(n, 200);
	ck_assert_uint_gt(n, i < 2 ? 20 : 10);
}

START_TEST(a_token_that_fails_at_any_call_loses_nothing)
{
	at_every_call(_i, FAILING_TOKEN);
}
END_TEST

START_TEST(killed_before_any_call_it_is_gone_on_with)
{
	at_every_call(_i, FAILING_KILL_BEFORE);
}
END_TEST

START_TEST(killed_behind_any_call_it_is_gone_on_with)
{
	at_every_call(_i, FAILING_KILL_AFTER);
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
	tcase_add_test(tc, a_store_that_is_not_the_newest_destroys_no_key);
	tcase_add_loop_test(tc, a_token_that_fails_at_any_call_loses_nothing, 0,
	    3);
	tcase_add_loop_test(tc, killed_before_any_call_it_is_gone_on_with, 0,
	    3);
	tcase_add_loop_test(tc, killed_behind_any_call_it_is_gone_on_with, 0,
	    3);
	return tc;
}
