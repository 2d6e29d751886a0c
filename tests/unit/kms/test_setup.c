/* createemptydb: what it makes, what it refuses, and what is left when it is
 * killed anywhere. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kms/derive.h"
#include "tests/unit/kms/failing.h"
#include "tests/unit/kms/stores.h"

static const struct kms_setup_master hmk_born = {.id = "HMK 1"};
static const struct kms_setup_master kpk_born = {.id = "KPK 1"};

static void
nothing_left(struct stores *t)
{
	ck_assert_uint_eq(soft_sealer_count(t->sealer), 0);
	ck_assert(!fx_exists(t->path));
	ck_assert(!fx_exists(t->log_path));
	ck_assert(!fx_exists(fx_path(t->fx, "kms.db.new")));
	ck_assert(!fx_exists(fx_path(t->fx, "kms.db.new-journal")));
}

/* One store that works, exactly two keys, no leftovers. */
static void
all_there(struct stores *t)
{
	struct kms_tag tag;
	uint8_t key[32];

	ck_assert_uint_eq(soft_sealer_count(t->sealer), 2);
	ck_assert(!fx_exists(fx_path(t->fx, "kms.db.new")));
	ck_assert(!fx_exists(fx_path(t->fx, "kms.db.new.draft")));
	ck_assert(!fx_exists(fx_path(t->fx, "kms.db.new-journal")));
	stores_open(t);
	ck_assert_uint_eq(kms_store_generation(t->store), 1);
	add_group(t, "ENCR_a");
	add_key(t, "ENCR_a", NULL, KMS_ACTIVE, &tag);
	release_bytes(t, &tag, KMS_USE_WRITE, key);
	stores_close(t);
	stores_open(t);
	stores_close(t);
}

/* --- made ------------------------------------------------------------- */

START_TEST(two_keys_and_a_store_are_made)
{
	struct kms_slot hmk, kpk;
	struct stores t;

	stores_begin(&t, false);
	ok(stores_create(&t));
	stores_open(&t);
	ok(kms_store_slot(t.store, KMS_ROLE_HMK, &hmk));
	ok(kms_store_slot(t.store, KMS_ROLE_KPK, &kpk));
	ck_assert_str_eq(hmk.id, "HMK 1");
	ck_assert_str_eq(kpk.id, "KPK 1");
	ck_assert_int_eq(hmk.origin, KMS_SLOT_TOKEN);
	ck_assert_uint_ne(hmk.no, kpk.no);
	ck_assert_str_eq(hmk.token_label, "soft");
	stores_close(&t);
	all_there(&t);
	stores_end(&t);
}
END_TEST

START_TEST(an_existing_store_is_not_touched)
{
	struct saved before, after;
	struct stores t;

	stores_new(&t, false);
	stores_close(&t);
	save_file(t.fx, t.path, &before);
	fails(stores_create(&t), KMS_ERR_EXISTS, "kms.db");
	save_file(t.fx, t.path, &after);
	ck_assert_uint_eq(before.len, after.len);
	ck_assert_mem_eq(before.p, after.p, before.len);
	ck_assert_uint_eq(soft_sealer_count(t.sealer), 2);
	stores_open(&t);
	stores_end(&t);
}
END_TEST

START_TEST(a_release_log_of_another_store_is_not_touched)
{
	struct stores t;

	stores_begin(&t, false);
	fx_write_text(t.log_path, "evidence");
	fails(stores_create(&t), KMS_ERR_EXISTS, "kms.log");
	ck_assert(fx_contains(t.fx, t.log_path, "evidence", 8));
	ck_assert_int_eq(unlink(t.log_path), 0);
	nothing_left(&t);
	stores_end(&t);
}
END_TEST

START_TEST(both_phrases_the_same_are_refused)
{
	struct kms_secret *a = secret_of("one long passphrase");
	struct kms_secret *b = secret_of("one long passphrase");
	const struct kms_setup_master hmk = {.id = "h", .phrase = a};
	const struct kms_setup_master kpk = {.id = "k", .phrase = b};
	struct stores t;

	stores_begin(&t, false);
	fails(kms_setup_create(&t.options, &t.actor, &hmk, &kpk),
	    KMS_ERR_PHRASE, "same passphrase");
	nothing_left(&t);
	kms_secret_free(&a);
	kms_secret_free(&b);
	stores_end(&t);
}
END_TEST

START_TEST(keys_from_phrases_are_made_again_from_them)
{
	struct kms_secret *a = secret_of("the phrase of the HMK");
	struct kms_secret *b = secret_of("the phrase of the KPK");
	const struct kms_setup_master hmk = {.id = "h", .phrase = a};
	const struct kms_setup_master kpk = {.id = "k",
	    .phrase = b,
	    .components = 3};
	struct kms_secret *again = NULL;
	struct kms_slot slot[2];
	struct stores t;
	int i;

	stores_begin(&t, false);
	ok(kms_setup_create(&t.options, &t.actor, &hmk, &kpk));
	stores_open(&t);
	ok(kms_store_slot(t.store, KMS_ROLE_HMK, &slot[0]));
	ok(kms_store_slot(t.store, KMS_ROLE_KPK, &slot[1]));
	stores_close(&t);
	ck_assert_uint_eq(slot[1].components, 3);
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(slot[i].origin, KMS_SLOT_PASSPHRASE);
		ok(kms_derive_master(i == 0 ? a : b, &slot[i], &again));
		ok(t.sealer->drop(t.sealer, &slot[i]));
		ok(t.sealer->make(t.sealer, again, &slot[i]));
		kms_secret_free(&again);
	}
	stores_open(&t);
	kms_secret_free(&a);
	kms_secret_free(&b);
	stores_end(&t);
}
END_TEST

START_TEST(bad_ids_directories_and_costs_are_refused_and_leave_nothing)
{
	const struct kms_setup_master empty = {.id = ""};
	struct kms_secret *a = secret_of("the phrase of the HMK");
	const struct kms_setup_master phrase = {.id = "h", .phrase = a};
	struct stores t;

	stores_begin(&t, false);
	fails(kms_setup_create(&t.options, &t.actor, &empty, &kpk_born),
	    KMS_ERR_USAGE, "HMK ID");
	fails(kms_setup_create(&t.options, &t.actor, &hmk_born, &empty),
	    KMS_ERR_USAGE, "KPK ID");
	t.options.policy.kdf_cost = 10;
	fails(kms_setup_create(&t.options, &t.actor, &phrase, &kpk_born),
	    KMS_ERR_CONFIG, "kdf_cost");
	t.options.path = fx_path(t.fx, "missing/kms.db");
	fails(stores_create(&t), KMS_ERR_NOTFOUND, "directory");
	t.options.path = t.path;
	nothing_left(&t);
	kms_secret_free(&a);
	stores_end(&t);
}
END_TEST

/* --- adopted ---------------------------------------------------------- */

static void
plant(struct stores *t, enum kms_role role, const char *label, uint8_t id)
{
	const struct soft_planted p = {.role = role,
	    .label = label,
	    .cka_id = &id,
	    .cka_id_len = 1};

	ok(soft_sealer_plant(t->sealer, &p));
}

START_TEST(keys_made_by_the_tokens_owner_are_taken_over)
{
	const struct kms_wanted a = {.role = KMS_ROLE_HMK, .label = "ours h"};
	const struct kms_wanted b = {.role = KMS_ROLE_KPK,
	    .cka_id = (const uint8_t *)"\x02",
	    .cka_id_len = 1};
	const struct kms_setup_master hmk = {.id = "H", .wanted = &a};
	const struct kms_setup_master kpk = {.id = "K", .wanted = &b};
	struct kms_slot slot;
	struct stores t;

	stores_begin(&t, false);
	plant(&t, KMS_ROLE_HMK, "ours h", 1);
	plant(&t, KMS_ROLE_KPK, "ours k", 2);
	ok(kms_setup_create(&t.options, &t.actor, &hmk, &kpk));
	stores_open(&t);
	ok(kms_store_slot(t.store, KMS_ROLE_HMK, &slot));
	ck_assert_int_eq(slot.origin, KMS_SLOT_ADOPTED);
	ck_assert_str_eq(slot.id, "H");
	ck_assert_uint_eq(slot.cka_id[0], 1);
	stores_close(&t);
	all_there(&t);
	stores_end(&t);
}
END_TEST

START_TEST(one_key_is_not_adopted_for_both)
{
	const struct kms_wanted a = {.role = KMS_ROLE_HMK, .label = "ours"};
	const struct kms_wanted b = {.role = KMS_ROLE_KPK, .label = "ours"};
	const struct kms_setup_master hmk = {.id = "H", .wanted = &a};
	const struct kms_setup_master kpk = {.id = "K", .wanted = &b};
	struct stores t;

	stores_begin(&t, false);
	plant(&t, KMS_ROLE_HMK, "ours", 1);
	fails(kms_setup_create(&t.options, &t.actor, &hmk, &kpk),
	    KMS_ERR_MASTER, "same key");
	ck_assert_uint_eq(soft_sealer_count(t.sealer), 1);
	ck_assert(!fx_exists(t.path));
	ck_assert(!fx_exists(fx_path(t.fx, "kms.db.new")));
	stores_end(&t);
}
END_TEST

START_TEST(an_adopted_key_is_never_destroyed_by_a_failed_run)
{
	const struct kms_wanted a = {.role = KMS_ROLE_HMK, .label = "ours"};
	const struct kms_setup_master hmk = {.id = "H", .wanted = &a};
	struct kms_sealer *real;
	unsigned calls, at = 0;
	struct stores t;
	int r;

	stores_begin(&t, false);
	plant(&t, KMS_ROLE_HMK, "ours", 1);
	real = t.sealer;
	do {
		calls = 0;
		t.options.sealer = failing_new(real, FAILING_TOKEN, ++at,
		    &calls);
		r = kms_setup_create(&t.options, &t.actor, &hmk, &kpk_born);
		t.options.sealer->close(&t.options.sealer);
		ck_assert_uint_ge(soft_sealer_count(real), 1);
	} while (r != 0);
	ck_assert_uint_gt(at, 15);
	t.options.sealer = real;
	all_there(&t);
	stores_end(&t);
}
END_TEST

/* --- cut short -------------------------------------------------------- */

/* In a process of its own; true when it came to its end. */
static bool
create_in_child(struct stores *t, enum failing_how how, unsigned at)
{
	unsigned calls = 0;
	int status;
	pid_t pid;

	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		t->options.sealer = failing_new(t->sealer, how, at, &calls);
		_exit(stores_create(t) == 0 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return false;
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	return true;
}

static void
kill_at_every_call(enum failing_how how)
{
	bool ended = false;
	struct stores t;
	unsigned at;

	for (at = 1; !ended; at += FX_STEP) {
		stores_begin(&t, true);
		ended = create_in_child(&t, how, at);
		if (!ended)
			ok(stores_create(&t));
		all_there(&t);
		stores_end(&t);
	}
	ck_assert_uint_gt(at, 15);
}

START_TEST(killed_before_any_call_of_the_token_it_is_finished_by_the_next_run)
{
	kill_at_every_call(FAILING_KILL_BEFORE);
}
END_TEST

START_TEST(killed_after_any_call_of_the_token_it_is_finished_by_the_next_run)
{
	kill_at_every_call(FAILING_KILL_AFTER);
}
END_TEST

START_TEST(killed_twice_it_is_finished_by_the_third_run)
{
	struct stores t;
	unsigned at;

	for (at = 3; at < 16; at += 2) {
		stores_begin(&t, true);
		ck_assert(!create_in_child(&t, FAILING_KILL_AFTER, at));
		ck_assert(!create_in_child(&t, FAILING_KILL_AFTER, 18 - at));
		ok(stores_create(&t));
		all_there(&t);
		stores_end(&t);
	}
}
END_TEST

START_TEST(an_error_at_any_call_of_the_token_leaves_nothing_behind)
{
	struct kms_sealer *real;
	unsigned calls, at = 0;
	struct stores t;
	int r;

	stores_begin(&t, false);
	real = t.sealer;
	do {
		calls = 0;
		t.options.sealer = failing_new(real, FAILING_TOKEN, ++at,
		    &calls);
		r = stores_create(&t);
		t.options.sealer->close(&t.options.sealer);
		if (r != 0) {
			ck_assert_int_eq(r, KMS_ERR_TOKEN);
			nothing_left(&t);
		}
	} while (r != 0);
	ck_assert_uint_gt(at, 15);
	t.options.sealer = real;
	all_there(&t);
	stores_end(&t);
}
END_TEST

/* Runs it under ptrace(2) and kills it at its n-th stop at a system call;
 * false when it had ended before. */
static bool
kill_at_syscall(struct stores *t, unsigned n)
{
	unsigned stops = 0;
	int status;
	pid_t pid;

	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(2);
		raise(SIGSTOP);
		_exit(stores_create(t) == 0 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	while (WIFSTOPPED(status) && stops < n) {
		stops++;
		ck_assert_int_eq(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	}
	if (!WIFSTOPPED(status)) {
		ck_assert(WIFEXITED(status));
		ck_assert_int_eq(WEXITSTATUS(status), 0);
		return false;
	}
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return true;
}

/* A prime stride, another start each time: entries and returns alike. */
#define STRIDE 29
#define STARTS 4
START_TEST(killed_at_a_system_call_it_is_finished_by_the_next_run)
{
	unsigned n = 1 + (unsigned)_i * (STRIDE / STARTS);
	bool killed = true;
	struct stores t;

	for (; killed; n += STRIDE * FX_STEP) {
		stores_begin(&t, true);
		killed = kill_at_syscall(&t, n);
		if (killed && !fx_exists(t.path))
			ok(stores_create(&t));
		all_there(&t);
		stores_end(&t);
	}
	ck_assert_uint_gt(n, 300);
}
END_TEST

/* --- leftovers that are not ------------------------------------------- */

START_TEST(a_copy_of_a_store_in_use_under_that_name_costs_it_nothing)
{
	struct saved copy;
	struct stores t;
	const char *moved;

	stores_new(&t, false);
	stores_close(&t);
	save_file(t.fx, t.path, &copy); /* young: generation 1 */
	stores_open(&t);
	add_group(&t, "ENCR_a");
	stores_close(&t);
	moved = fx_path(t.fx, "elsewhere.db");
	ck_assert_int_eq(rename(t.path, moved), 0);
	fx_write(fx_path(t.fx, "kms.db.new"), copy.p, copy.len, 0600);
	fails(stores_create(&t), KMS_ERR_EXISTS, "in use");
	ck_assert_uint_eq(soft_sealer_count(t.sealer), 2);
	save_file(t.fx, moved, &copy); /* grown */
	fx_write(fx_path(t.fx, "kms.db.new"), copy.p, copy.len, 0600);
	fails(stores_create(&t), KMS_ERR_EXISTS, "changes in it");
	ck_assert_uint_eq(soft_sealer_count(t.sealer), 2);
	stores_end(&t);
}
END_TEST

START_TEST(a_damaged_leftover_is_not_thrown_away)
{
	struct stores t;

	stores_begin(&t, false);
	fx_write(fx_path(t.fx, "kms.db.new"), "rubbish", 7, 0600);
	fails(stores_create(&t), KMS_ERR_DAMAGED, "may name keys");
	ck_assert(fx_exists(fx_path(t.fx, "kms.db.new")));
	stores_end(&t);
}
END_TEST

START_TEST(a_leftover_of_another_token_is_named)
{
	struct stores t, other;

	stores_begin(&t, true);
	ck_assert(!create_in_child(&t, FAILING_KILL_AFTER, 12));
	ck_assert(fx_exists(fx_path(t.fx, "kms.db.new")));
	stores_begin(&other, false);
	t.options.sealer = other.sealer;
	fails(stores_create(&t), KMS_ERR_EXISTS, "run it again there");
	t.options.sealer = t.sealer;
	ok(stores_create(&t));
	all_there(&t);
	stores_end(&other);
	stores_end(&t);
}
END_TEST

TCase *
test_setup(void)
{
	TCase *tc = tcase_create("setup");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, two_keys_and_a_store_are_made);
	tcase_add_test(tc, an_existing_store_is_not_touched);
	tcase_add_test(tc, a_release_log_of_another_store_is_not_touched);
	tcase_add_test(tc, both_phrases_the_same_are_refused);
	tcase_add_test(tc, keys_from_phrases_are_made_again_from_them);
	tcase_add_test(tc,
	    bad_ids_directories_and_costs_are_refused_and_leave_nothing);
	tcase_add_test(tc, keys_made_by_the_tokens_owner_are_taken_over);
	tcase_add_test(tc, one_key_is_not_adopted_for_both);
	tcase_add_test(tc, an_adopted_key_is_never_destroyed_by_a_failed_run);
	tcase_add_test(tc,
	    killed_before_any_call_of_the_token_it_is_finished_by_the_next_run);
	tcase_add_test(tc,
	    killed_after_any_call_of_the_token_it_is_finished_by_the_next_run);
	tcase_add_test(tc, killed_twice_it_is_finished_by_the_third_run);
	tcase_add_test(tc,
	    an_error_at_any_call_of_the_token_leaves_nothing_behind);
	tcase_add_loop_test(tc,
	    killed_at_a_system_call_it_is_finished_by_the_next_run, 0, STARTS);
	tcase_add_test(tc,
	    a_copy_of_a_store_in_use_under_that_name_costs_it_nothing);
	tcase_add_test(tc, a_damaged_leftover_is_not_thrown_away);
	tcase_add_test(tc, a_leftover_of_another_token_is_named);
	return tc;
}
