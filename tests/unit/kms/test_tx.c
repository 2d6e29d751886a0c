/* One change: whole or not at all, seen by everybody, refused while the store
 * is held still. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kms/age.h"
#include "kms/directory.h"
#include "kms/quiesce.h"
#include "kms/stats.h"
#include "kms/store_impl.h"
#include "tests/unit/kms/stores.h"

static bool
has_group(struct stores *t, const char *name)
{
	struct kms_tx *tx;
	uint64_t id;
	int r;

	stores_read(t, &tx);
	r = kms_group_id(tx, name, &id);
	kms_tx_abort(&tx);
	return r == 0;
}

static size_t
audits(struct stores *t)
{
	return kms_directory_count(t->store->dir, KMS_KIND_AUDIT);
}

/* --- steps ------------------------------------------------------------ */

START_TEST(an_aborted_change_leaves_nothing)
{
	struct stores t;
	struct kms_tx *tx;
	uint64_t id;

	stores_new(&t, false);
	stores_write(&t, &tx);
	ok(kms_group_add(tx, "ENCR_a", NULL, NULL));
	ok(kms_group_id(tx, "ENCR_a", &id)); /* sees itself */
	kms_tx_abort(&tx);
	ck_assert(!has_group(&t, "ENCR_a"));
	ck_assert_uint_eq(audits(&t), 1);
	add_group(&t, "ENCR_a"); /* and memory is as it was */
	stores_close(&t);
	stores_open(&t);
	ck_assert_uint_eq(kms_store_generation(t.store), 2);
	stores_end(&t);
}
END_TEST

START_TEST(a_change_of_nothing_is_no_generation)
{
	struct stores t;
	struct kms_tx *tx;

	stores_new(&t, false);
	stores_write(&t, &tx);
	ok(kms_tx_commit(&tx));
	ck_assert_ptr_null(tx);
	ck_assert_uint_eq(kms_store_generation(t.store), 1);
	stores_end(&t);
}
END_TEST

START_TEST(one_step_is_undone_and_the_others_stay)
{
	struct stores t;
	struct kms_tx *tx;

	stores_new(&t, false);
	stores_write(&t, &tx);
	ok(kms_group_add(tx, "ENCR_a", NULL, NULL));
	ok(kms_group_add(tx, "ENCR_b", NULL, NULL));
	ok(kms_tx_undo(tx));
	ok(kms_group_add(tx, "ENCR_c", NULL, NULL));
	ok(kms_tx_commit(&tx));
	ck_assert(has_group(&t, "ENCR_a"));
	ck_assert(!has_group(&t, "ENCR_b"));
	ck_assert(has_group(&t, "ENCR_c"));
	ck_assert_uint_eq(audits(&t), 3); /* creation, a, c */
	stores_close(&t);
	stores_open(&t);
	ck_assert_uint_eq(kms_store_generation(t.store), 2);
	stores_end(&t);
}
END_TEST

START_TEST(a_put_that_failed_cannot_be_committed)
{
	struct kms_record record = {.kind = KMS_KIND_GROUP};
	const struct kms_step step = {.event = KMS_EVENT_GROUP_CREATE};
	struct stores t;
	struct kms_tx *tx;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	stores_write(&t, &tx);
	fails(kms_tx_put(tx, &record), KMS_ERR_INTERNAL, "outside a step");
	ok(kms_tx_step(tx, &step));
	memcpy(record.u.group.name, "ENCR_a", 7);
	record.u.group.cipher = KMS_CIPHER_AES_256;
	fails(kms_tx_put(tx, &record), KMS_ERR_EXISTS, NULL);
	fails(kms_tx_commit(&tx), KMS_ERR_INTERNAL, "failed put");
	stores_write(&t, &tx);
	ok(kms_group_add(tx, "ENCR_b", NULL, NULL));
	ok(kms_tx_step(tx, &step));
	record.id = 0;
	fails(kms_tx_put(tx, &record), KMS_ERR_EXISTS, NULL);
	ok(kms_tx_undo(tx)); /* the step is gone, the rest may be done */
	ok(kms_tx_commit(&tx));
	ck_assert(has_group(&t, "ENCR_b"));
	stores_end(&t);
}
END_TEST

START_TEST(all_rows_of_one_change_carry_its_generation)
{
	const struct kms_directory_row *row;
	struct stores t;
	size_t at = 0;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	while ((row = kms_directory_next(t.store->dir, 0, &at)) != NULL)
		ck_assert_uint_eq(row->generation, row->id == 2 ? 1 : 2);
	stores_end(&t);
}
END_TEST

START_TEST(time_never_goes_back_whatever_the_clock_does)
{
	struct stores t;
	struct kms_tx *tx;
	int64_t last = 0;
	int i;

	stores_new(&t, false);
	/* As if the last change had been made by a clock an hour ahead. */
	t.store->root.time = kms_tx_now() + 3600 * INT64_C(1000000);
	ok(kms_root_hash(&t.store->root, t.store->root_sha256));
	ok(kms_age_put(t.store, &t.store->root));
	last = t.store->root.time;
	for (i = 0; i < 3; i++) {
		stores_write(&t, &tx);
		ck_assert_int_gt(kms_tx_time(tx), last);
		last = kms_tx_time(tx);
		ok(kms_group_add(tx,
		    i == 0       ? "a"
			: i == 1 ? "b"
				 : "c",
		    NULL, NULL));
		ok(kms_tx_commit(&tx));
	}
	stores_end(&t);
}
END_TEST

static bool
may_only_read(const struct kms_actor *actor, enum kms_event e, const char *g)
{
	(void)actor;
	(void)e;
	return strcmp(g, "ENCR_mine") == 0;
}

START_TEST(an_actor_changes_only_what_it_may)
{
	struct stores t;
	struct kms_tx *tx;

	stores_new(&t, false);
	t.actor.may = may_only_read;
	stores_write(&t, &tx);
	fails(kms_group_add(tx, "ENCR_other", NULL, NULL), KMS_ERR_DENIED,
	    "group.create in ENCR_other");
	ok(kms_group_add(tx, "ENCR_mine", NULL, NULL));
	ok(kms_tx_commit(&tx));
	stores_end(&t);
}
END_TEST

/* --- quiesced --------------------------------------------------------- */

static size_t
quiesce(struct stores *t, const char *owner, int64_t lasts)
{
	struct kms_tx *tx;
	size_t n;

	ok(kms_tx_begin_quiesced(t->store, &t->actor, &tx));
	ok(kms_quiesce_add(tx, owner, lasts, &n));
	ok(kms_tx_commit(&tx));
	return n;
}

static size_t
unquiesce(struct stores *t, const char *owner, bool *expired)
{
	struct kms_tx *tx;
	size_t n;

	ok(kms_tx_begin_quiesced(t->store, &t->actor, &tx));
	ok(kms_quiesce_remove(tx, owner, expired, &n));
	ok(kms_tx_commit(&tx));
	return n;
}

START_TEST(changes_are_refused_while_quiesced_and_reads_go_on)
{
	struct kms_stats stats;
	struct kms_tx *tx = NULL;
	struct kms_tag tag;
	struct stores t;
	uint8_t key[32];
	bool expired;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_key(&t, "ENCR_a", "k", KMS_ACTIVE, &tag);
	ck_assert_uint_eq(quiesce(&t, "nightly", 0), 1);
	ck_assert_uint_eq(quiesce(&t, NULL, 0), 2);
	fails(kms_tx_begin(t.store, &t.actor, KMS_WRITE, &tx), KMS_ERR_QUIESCED,
	    "nightly");
	ck_assert_ptr_null(tx);
	stores_close(&t);
	stores_open(&t);
	fails(kms_tx_begin(t.store, &t.actor, KMS_WRITE, &tx), KMS_ERR_QUIESCED,
	    "2 outstanding");
	release_bytes(&t, &tag, KMS_USE_WRITE, key);
	stores_read(&t, &tx);
	ok(kms_stats(tx, &stats));
	ck_assert_uint_eq(stats.quiesced, 2);
	kms_tx_abort(&tx);
	ck_assert_uint_eq(unquiesce(&t, NULL, &expired), 1);
	ck_assert(!expired);
	ck_assert_uint_eq(unquiesce(&t, "nightly", &expired), 0);
	add_group(&t, "ENCR_b");
	stores_end(&t);
}
END_TEST

START_TEST(a_hold_that_expired_no_longer_holds_and_tells_its_owner)
{
	struct kms_tx *tx;
	struct stores t;
	bool expired;
	size_t n;

	stores_new(&t, false);
	quiesce(&t, "late", 1); /* a microsecond */
	add_group(&t, "ENCR_a");
	ck_assert_uint_eq(unquiesce(&t, "late", &expired), 0);
	ck_assert(expired);
	ok(kms_tx_begin_quiesced(t.store, &t.actor, &tx));
	fails(kms_quiesce_remove(tx, "late", &expired, &n), KMS_ERR_STATE,
	    "not quiesced by late");
	kms_tx_abort(&tx);
	stores_end(&t);
}
END_TEST

START_TEST(holds_are_bounded)
{
	struct kms_tx *tx;
	struct stores t;
	size_t i, n;

	stores_new(&t, false);
	ok(kms_tx_begin_quiesced(t.store, &t.actor, &tx));
	for (i = 1; i <= 64; i++) {
		ok(kms_quiesce_add(tx, "again", 0, &n));
		ck_assert_uint_eq(n, i);
	}
	fails(kms_quiesce_add(tx, "again", 0, &n), KMS_ERR_LIMIT, "64");
	kms_tx_abort(&tx);
	stores_end(&t);
}
END_TEST

/* --- several processes ------------------------------------------------ */

/* A second store on the same file, with a sealer of its own on the same
 * token: what another process would have. */
static void
second(struct stores *t, struct stores *other)
{
	*other = *t;
	ok(soft_sealer_new(t->token_path, &other->sealer));
	other->options.sealer = other->sealer;
	ok(kms_store_open(&other->options, &other->store));
}

static void
second_end(struct stores *other)
{
	kms_store_close(&other->store);
	other->sealer->close(&other->sealer);
}

START_TEST(each_sees_the_others_change_at_its_next_answer)
{
	struct stores a, b;
	struct kms_tag tag;
	uint8_t one[32], two[32];
	char name[32];
	int i;

	stores_new(&a, true);
	second(&a, &b);
	for (i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "ENCR_%d", i);
		add_group(i % 2 ? &a : &b, name);
		ck_assert(has_group(&a, name));
		ck_assert(has_group(&b, name));
	}
	add_key(&a, "ENCR_1", "k", KMS_ACTIVE, &tag);
	release_bytes(&b, &tag, KMS_USE_WRITE, one);
	release_bytes(&a, &tag, KMS_USE_WRITE, two);
	ck_assert_mem_eq(one, two, 32);
	second_end(&b);
	stores_end(&a);
}
END_TEST

START_TEST(names_exchanged_by_others_are_followed)
{
	struct kms_key_change to = {.name = "tmp"};
	struct kms_key_view view;
	struct kms_tag one, two;
	struct stores a, b;
	struct kms_tx *tx;

	stores_new(&a, true);
	add_group(&a, "ENCR_a");
	add_key(&a, "ENCR_a", "one", KMS_PRELIVE, &one);
	add_key(&a, "ENCR_a", "two", KMS_PRELIVE, &two);
	second(&a, &b);
	stores_write(&a, &tx);
	ok(kms_key_modify(tx, "ENCR_a", "one", &to));
	to.name = "one";
	ok(kms_key_modify(tx, "ENCR_a", "two", &to));
	to.name = "two";
	ok(kms_key_modify(tx, "ENCR_a", "tmp", &to));
	ok(kms_tx_commit(&tx));
	stores_read(&b, &tx);
	ok(kms_key_view(tx, "ENCR_a", "one", &view));
	ck_assert(kms_tag_equal(&view.key.tag, &two));
	ok(kms_key_view(tx, "ENCR_a", "two", &view));
	ck_assert(kms_tag_equal(&view.key.tag, &one));
	kms_tx_abort(&tx);
	second_end(&b);
	stores_end(&a);
}
END_TEST

START_TEST(a_writer_waits_for_the_other_and_then_is_told_busy)
{
	struct kms_tx *tx = NULL, *late = NULL;
	struct stores a, b;

	stores_new(&a, true);
	a.options.wait_ms = 100;
	second(&a, &b);
	stores_write(&a, &tx);
	fails(kms_tx_begin(b.store, &b.actor, KMS_WRITE, &late), KMS_ERR_BUSY,
	    "try again");
	ok(kms_group_add(tx, "ENCR_a", NULL, NULL));
	ok(kms_tx_commit(&tx));
	add_group(&b, "ENCR_b");
	ck_assert(has_group(&a, "ENCR_b"));
	second_end(&b);
	stores_end(&a);
}
END_TEST

START_TEST(a_commit_that_readers_hold_up_is_busy_and_changes_nothing)
{
	struct kms_tx *reader = NULL, *tx;
	struct stores a, b;

	stores_new(&a, true);
	a.options.wait_ms = 100;
	second(&a, &b);
	stores_read(&b, &reader);
	ok(kms_tx_begin(b.store, &b.actor, KMS_READ, &tx)); /* a second one */
	kms_tx_abort(&tx);
	stores_close(&a);
	stores_open(&a);
	stores_write(&a, &tx);
	ok(kms_group_add(tx, "ENCR_a", NULL, NULL));
	fails(kms_tx_commit(&tx), KMS_ERR_BUSY, NULL);
	kms_tx_abort(&reader);
	ck_assert(!has_group(&a, "ENCR_a"));
	add_group(&a, "ENCR_a");
	ck_assert(has_group(&b, "ENCR_a"));
	second_end(&b);
	stores_end(&a);
}
END_TEST

#define PROCESSES 3
#define CHANGES 8

/* Creates an active key each time: whoever comes second demotes the first. */
static void
change_in_child(struct stores *t, int me)
{
	struct stores mine;
	char name[32];
	int i;

	second(t, &mine);
	for (i = 0; i < CHANGES; i++) {
		snprintf(name, sizeof(name), "p%d-%d", me, i);
		add_key(&mine, "ENCR_a", name, KMS_ACTIVE, NULL);
	}
	second_end(&mine);
	_exit(0);
}

START_TEST(processes_that_change_at_once_lose_nothing_and_leave_one_active)
{
	struct kms_stats stats;
	struct stores t;
	struct kms_tx *tx;
	int i, status;
	pid_t pid;

	stores_new(&t, true);
	add_group(&t, "ENCR_a");
	for (i = 0; i < PROCESSES; i++) {
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0)
			change_in_child(&t, i);
	}
	for (i = 0; i < PROCESSES; i++) {
		ck_assert_int_gt(wait(&status), 0);
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	stores_read(&t, &tx);
	ok(kms_stats(tx, &stats));
	kms_tx_abort(&tx);
	ck_assert_uint_eq(stats.keys, PROCESSES * CHANGES);
	ck_assert_uint_eq(stats.by_state[KMS_ACTIVE], 1);
	ck_assert_uint_eq(stats.generation, 2 + PROCESSES * CHANGES);
	stores_close(&t);
	stores_open(&t);
	stores_end(&t);
}
END_TEST

/* --- threads ---------------------------------------------------------- */

static void *
release_in_thread(void *arg)
{
	struct stores *t = arg;
	struct kms_group_view view;
	const struct kms_purpose purpose = {.use = KMS_USE_WRITE};
	struct kms_secret *key;
	struct kms_tag tag;
	struct kms_tx *tx;
	int i;

	for (i = 0; i < 20; i++) {
		if (kms_release_active(t->store, &t->actor, "ENCR_a", &purpose,
			&tag, &key) != 0)
			return arg;
		kms_secret_free(&key);
		if (kms_tx_begin(t->store, &t->actor, KMS_READ, &tx) != 0 ||
		    kms_group_view(tx, "ENCR_a", &view) != 0)
			return arg;
		kms_tx_abort(&tx);
	}
	return NULL;
}

START_TEST(threads_read_and_release_while_others_change)
{
	pthread_t thread[3];
	struct stores t;
	void *failed;
	size_t i;

	stores_new(&t, true);
	add_group(&t, "ENCR_a");
	add_key(&t, "ENCR_a", NULL, KMS_ACTIVE, NULL);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL,
				     release_in_thread, &t),
		    0);
	for (i = 0; i < 5; i++)
		add_key(&t, "ENCR_a", NULL, KMS_ACTIVE, NULL);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(pthread_join(thread[i], &failed), 0);
		ck_assert_ptr_null(failed);
	}
	stores_end(&t);
}
END_TEST

/* --- a full disk ------------------------------------------------------ */

static void
limit_file_size(rlim_t size)
{
	struct rlimit lim;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &lim), 0);
	lim.rlim_cur = size;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &lim), 0);
}

START_TEST(a_change_that_finds_no_room_is_none_and_the_next_one_works)
{
	char description[1000];
	struct stat st;
	struct stores t;
	struct kms_tx *tx;
	char name[32];
	int i, r = 0;

	stores_new(&t, false);
	memset(description, 'd', sizeof(description));
	description[sizeof(description) - 1] = '\0';
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(stat(t.path, &st), 0);
	limit_file_size((rlim_t)st.st_size);
	stores_write(&t, &tx);
	for (i = 0; i < 50 && r == 0; i++) {
		snprintf(name, sizeof(name), "ENCR_%d", i);
		r = kms_group_add(tx, name, description, NULL);
	}
	ok(r);
	fails(kms_tx_commit(&tx), KMS_ERR_IO, NULL);
	limit_file_size(RLIM_INFINITY);
	ck_assert(!has_group(&t, "ENCR_0"));
	add_group(&t, "ENCR_0");
	stores_close(&t);
	stores_open(&t);
	ck_assert_uint_eq(kms_store_generation(t.store), 2);
	stores_end(&t);
}
END_TEST

TCase *
test_tx(void)
{
	TCase *tc = tcase_create("tx");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, an_aborted_change_leaves_nothing);
	tcase_add_test(tc, a_change_of_nothing_is_no_generation);
	tcase_add_test(tc, one_step_is_undone_and_the_others_stay);
	tcase_add_test(tc, a_put_that_failed_cannot_be_committed);
	tcase_add_test(tc, all_rows_of_one_change_carry_its_generation);
	tcase_add_test(tc, time_never_goes_back_whatever_the_clock_does);
	tcase_add_test(tc, an_actor_changes_only_what_it_may);
	tcase_add_test(tc, changes_are_refused_while_quiesced_and_reads_go_on);
	tcase_add_test(tc,
	    a_hold_that_expired_no_longer_holds_and_tells_its_owner);
	tcase_add_test(tc, holds_are_bounded);
	tcase_add_test(tc, each_sees_the_others_change_at_its_next_answer);
	tcase_add_test(tc, names_exchanged_by_others_are_followed);
	tcase_add_test(tc, a_writer_waits_for_the_other_and_then_is_told_busy);
	tcase_add_test(tc,
	    a_commit_that_readers_hold_up_is_busy_and_changes_nothing);
	tcase_add_test(tc,
	    processes_that_change_at_once_lose_nothing_and_leave_one_active);
	tcase_add_test(tc, threads_read_and_release_while_others_change);
	tcase_add_test(tc,
	    a_change_that_finds_no_room_is_none_and_the_next_one_works);
	return tc;
}
