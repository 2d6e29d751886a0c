/* A rotation, or the end of the old key, cut short at any call of the token:
 * gone on with, and no key is lost. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kms/backup.h"
#include "kms/verify.h"
#include "tests/unit/kms/failing.h"
#include "tests/unit/kms/rotated.h"

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

	rotated_begin(&t, &k, true);
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
	rotated_same_keys(&t, &k);
	w->finish(&t, w->role);
	rotated_current_is(&t, w->role, "second");
	rotated_same_keys(&t, &k);
	ck_assert_uint_eq(soft_sealer_count(t.sealer), w->left);
	stores_end(&t);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int
run_rotation(struct kms_store *s, const struct kms_actor *actor,
    enum kms_role role)
{
	struct kms_rewrap job = {.role = role, .want = &rotated_second};

	return kms_rewrap(s, actor, &job);
}

/* Killed behind the last commit it is done already. */
static void
finish_rotation(struct stores *t, enum kms_role role)
{
	struct kms_slot slot;

	ok(kms_store_slot(t->store, role, &slot));
	if (strcmp(slot.id, "second") != 0)
		ok(rotated_rotate(t, role));
}

/* Both, so that there is a moment between the first key and the second. */
static void
prepare_retiring(struct stores *t)
{
	struct kms_backup_options options = {.path = fx_path(t->fx, "r.db")};
	struct kms_rewrap job = {.role = KMS_ROLE_HMK, .want = &rotated_second};
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

	rotated_begin(&t, &k, false);
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
	rotated_same_keys(&t, &k);
	stores_end(&t);
}
END_TEST

/* HMK, KPK, retiring. */
static void
at_every_call(int i, enum failing_how how)
{
	const struct work rotation = {.role = rotated_role(i),
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
test_rewrap_killed(void)
{
	TCase *tc = tcase_create("rewrap");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, a_store_that_is_not_the_newest_destroys_no_key);
	tcase_add_loop_test(tc, a_token_that_fails_at_any_call_loses_nothing, 0,
	    3);
	tcase_add_loop_test(tc, killed_before_any_call_it_is_gone_on_with, 0,
	    3);
	tcase_add_loop_test(tc, killed_behind_any_call_it_is_gone_on_with, 0,
	    3);
	return tc;
}
