/* A backup counts when it was opened again and verified, and only then makes
 * a random key recoverable. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kms/backup.h"
#include "kms/quiesce.h"
#include "kms/stats.h"
#include "tests/unit/kms/stores.h"

static const struct kms_purpose to_write = {.use = KMS_USE_WRITE};

/* Both master keys from phrases, a directory for backups, and one group. */
static void
begin(struct stores *t)
{
	stores_begin(t, false);
	stores_create_of_phrases(t);
	ck_assert_int_eq(mkdir(fx_path(t->fx, "b"), 0700), 0);
	t->options.policy.backup_path = fx_path(t->fx, "b");
	t->options.policy.backup_same_device = true;
	stores_open(t);
	add_group(t, "ENCR_a");
}

/* Random, active, not waived. */
static void
add_random(struct stores *t, const char *name, struct kms_tag *tag)
{
	struct kms_material material;
	const struct kms_key_new new = {.group = "ENCR_a",
	    .name = name,
	    .state = KMS_ACTIVE,
	    .event = KMS_EVENT_KEY_CREATE,
	    .material = &material};
	struct kms_key_view view;
	struct kms_tx *tx;
	bool held;

	ok(kms_material_random(t->store, &material));
	stores_write(t, &tx);
	ok(kms_key_add(tx, &new, &view, &held));
	ok(kms_tx_commit(&tx));
	*tag = view.key.tag;
}

static int
make(struct stores *t, const char *path, unsigned keep, struct kms_backup *b)
{
	const struct kms_backup_options options = {.path = path, .keep = keep};
	struct kms_verify_report report;

	return kms_backup_make(t->store, &t->actor, &options, b, &report);
}

static int
write_with(struct stores *t, const struct kms_tag *tag)
{
	struct kms_secret *key = NULL;
	int r = kms_release(t->store, &t->actor, tag, &to_write, &key);

	kms_secret_free(&key);
	return r;
}

START_TEST(a_random_key_is_served_only_after_a_backup_that_holds_it)
{
	struct kms_backup b;
	struct kms_tag tag;
	struct stores t;

	begin(&t);
	ok(make(&t, NULL, 0, &b));
	add_random(&t, "late", &tag);
	fails(write_with(&t, &tag), KMS_ERR_GATE, "-backup");
	ok(make(&t, NULL, 0, &b));
	ok(write_with(&t, &tag));
	stores_close(&t);
	stores_open(&t);
	ok(write_with(&t, &tag));
	stores_end(&t);
}
END_TEST

START_TEST(a_backup_on_the_same_device_does_not_count_unless_allowed)
{
	struct kms_backup b;
	struct kms_tag tag;
	struct stores t;

	begin(&t);
	add_random(&t, "k", &tag);
	ok(make(&t, NULL, 0, &b));
	ck_assert(!b.other_device);
	ok(write_with(&t, &tag));
	stores_close(&t);
	t.options.policy.backup_same_device = false;
	stores_open(&t);
	fails(write_with(&t, &tag), KMS_ERR_GATE, NULL);
	stores_end(&t);
}
END_TEST

START_TEST(with_masters_born_in_the_token_the_hsm_must_be_attested_too)
{
	struct kms_key_view view;
	struct kms_backup b;
	struct kms_tag tag;
	struct kms_tx *tx;
	struct stores t;

	stores_begin(&t, false);
	ok(stores_create(&t));
	ck_assert_int_eq(mkdir(fx_path(t.fx, "b"), 0700), 0);
	t.options.policy.backup_path = fx_path(t.fx, "b");
	t.options.policy.backup_same_device = true;
	stores_open(&t);
	add_group(&t, "ENCR_a");
	add_random(&t, "k", &tag);
	ok(make(&t, NULL, 0, &b));
	fails(write_with(&t, &tag), KMS_ERR_GATE, NULL);
	fails(kms_backup_attest_hsm(t.store, &t.actor, ""), KMS_ERR_USAGE,
	    "-reason");
	ok(kms_backup_attest_hsm(t.store, &t.actor, "vault copy 7"));
	ok(write_with(&t, &tag));
	stores_read(&t, &tx);
	ok(kms_key_view_tag(tx, &tag, &view));
	ck_assert_int_eq(view.gate.recoverable, KMS_RECOVERABLE_BACKUP);
	ck_assert(view.gate.needs_token);
	kms_tx_abort(&tx);
	stores_end(&t);
}
END_TEST

START_TEST(the_copy_opens_and_holds_every_key)
{
	struct kms_store_options copy;
	struct kms_store *again;
	struct kms_backup b;
	struct kms_tag tag;
	struct stores t;
	uint8_t one[32], two[32];

	begin(&t);
	add_random(&t, "k", &tag);
	ok(make(&t, fx_path(t.fx, "b/mine.db"), 0, &b));
	ck_assert(fx_exists(fx_path(t.fx, "b/mine.log")));
	ok(write_with(&t, &tag));
	release_bytes(&t, &tag, KMS_USE_READ, one);
	copy = t.options;
	copy.path = fx_path(t.fx, "b/mine.db");
	copy.readonly = true;
	ok(kms_store_open(&copy, &again));
	ck_assert_int_eq(kms_store_anchor(again), KMS_ANCHOR_OLDER);
	{
		struct kms_secret *key = NULL;

		ok(kms_release_fetch(again, &tag, &key));
		memcpy(two, kms_secret_bytes(key), 32);
		kms_secret_free(&key);
	}
	ck_assert_mem_eq(one, two, 32);
	kms_store_close(&again);
	stores_end(&t);
}
END_TEST

START_TEST(it_never_writes_over_a_file_nor_to_a_device)
{
	struct kms_backup b;
	struct stores t;

	begin(&t);
	fx_write_text(fx_path(t.fx, "b/x.db"), "here first");
	fails(make(&t, fx_path(t.fx, "b/x.db"), 0, &b), KMS_ERR_EXISTS, "x.db");
	fails(make(&t, "/dev/null", 0, &b), KMS_ERR_USAGE, "device");
	fails(make(&t, "/dev/backup.db", 0, &b), KMS_ERR_USAGE, "/dev");
	fails(make(&t, fx_path(t.fx, "no/x.db"), 0, &b), KMS_ERR_NOTFOUND,
	    "directory");
	ck_assert(fx_contains(t.fx, fx_path(t.fx, "b/x.db"), "here first", 10));
	stores_end(&t);
}
END_TEST

/* The store fits, its log does not any more. */
START_TEST(a_disk_full_behind_the_store_is_named_and_leaves_nothing)
{
	struct rlimit was, now;
	struct kms_backup b;
	struct stores t;
	struct stat st;
	const char *path;

	begin(&t);
	path = fx_path(t.fx, "b/full.db");
	ck_assert_int_eq(stat(t.path, &st), 0);
	ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &was), 0);
	now = was;
	now.rlim_cur = (rlim_t)st.st_size;
	ck_assert_int_eq(stat(t.log_path, &st), 0);
	ck_assert_int_gt(st.st_size, (off_t)now.rlim_cur);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &now), 0);
	errno = ENOENT; /* of something else, long ago */
	fails(make(&t, path, 0, &b), KMS_ERR_IO, "full.log: disk full");
	ck_assert_int_ne(access(path, F_OK), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &was), 0);
	ok(make(&t, path, 0, &b));
	stores_end(&t);
}
END_TEST

START_TEST(it_keeps_the_newest_and_removes_the_rest)
{
	struct kms_backup b[3];
	struct stores t;
	unsigned i;

	begin(&t);
	for (i = 0; i < 3; i++)
		ok(make(&t, NULL, 2, &b[i]));
	ck_assert(!fx_exists(b[0].path));
	ck_assert(fx_exists(b[1].path));
	ck_assert(fx_exists(b[2].path));
	stores_end(&t);
}
END_TEST

/* A file under the name of a backup of that generation. */
static void
leave(struct stores *t, uint64_t generation)
{
	struct kms_header *header = malloc(sizeof(*header));
	char uuid[37];

	ck_assert_ptr_nonnull(header);
	kms_store_header(t->store, header);
	kms_uuid_text(header->uuid, uuid);
	free(header);
	fx_write_text(fx_path(t->fx, "b/%s-%llu.db", uuid,
			  (unsigned long long)generation),
	    "left");
}

START_TEST(backups_of_a_history_given_up_do_not_push_out_the_new_one)
{
	struct kms_backup b;
	struct stores t;
	uint64_t i;

	begin(&t);
	for (i = 100; i < 104; i++)
		leave(&t, i);
	ok(make(&t, NULL, 2, &b));
	ck_assert(fx_exists(b.path));
	stores_end(&t);
}
END_TEST

/* Killed between its file's name and its record, or left by a history given
 * up: never counted, and never written over. */
START_TEST(a_file_under_its_name_does_not_stop_it)
{
	struct kms_backup b;
	struct stores t;
	uint64_t i;

	begin(&t);
	for (i = 1; i < 20; i++)
		leave(&t, i);
	ok(make(&t, NULL, 0, &b));
	ck_assert_uint_ge(b.generation, 20);
	ck_assert(fx_exists(b.path));
	stores_end(&t);
}
END_TEST

/* Another process, when the first one's copy is made and not yet verified. */
static void
make_another(void *stores, uint64_t done, uint64_t all)
{
	struct stores *t = stores;
	struct kms_backup b;

	(void)all;
	if (done == 1)
		fails(make(t, NULL, 0, &b), KMS_ERR_BUSY, "another backup");
}

START_TEST(two_at_once_do_not_share_a_file)
{
	struct kms_backup_options options = {.progress = make_another};
	struct kms_verify_report report;
	struct kms_backup b;
	struct stores t, u;

	begin(&t);
	u = t;
	u.store = NULL;
	u.options.wait_ms = 20;
	stores_open(&u);
	options.arg = &u;
	ok(kms_backup_make(t.store, &t.actor, &options, &b, &report));
	ck_assert(fx_exists(b.path));
	ok(make(&u, NULL, 0, &b));
	stores_close(&u);
	stores_end(&t);
}
END_TEST

START_TEST(a_quiesced_store_is_not_backed_up_because_recording_is_a_change)
{
	struct kms_backup b;
	struct kms_tx *tx;
	struct stores t;
	size_t n;

	begin(&t);
	ok(kms_tx_begin_quiesced(t.store, &t.actor, &tx));
	ok(kms_quiesce_add(tx, "copy job", 0, &n));
	ok(kms_tx_commit(&tx));
	fails(make(&t, fx_path(t.fx, "b/q.db"), 0, &b), KMS_ERR_QUIESCED,
	    "copy job");
	ck_assert(!fx_exists(fx_path(t.fx, "b/q.db")));
	stores_end(&t);
}
END_TEST

START_TEST(a_store_set_back_knows_of_no_younger_backup)
{
	struct kms_backup b;
	struct saved before;
	struct kms_tag tag;
	struct stores t;
	uint64_t lost;

	begin(&t);
	add_random(&t, "k", &tag);
	save_file(t.fx, t.path, &before);
	ok(make(&t, NULL, 0, &b));
	ok(write_with(&t, &tag));
	stores_close(&t);
	put_back(t.path, &before, true);
	stores_refused(&t, KMS_ERR_ROLLBACK);
	ok(kms_setup_accept(&t.options, &t.actor, "test", &lost));
	ck_assert_uint_eq(lost, 1);
	stores_open(&t);
	fails(write_with(&t, &tag), KMS_ERR_GATE, NULL);
	stores_end(&t);
}
END_TEST

static int
count(void *arg, const struct kms_backup *b)
{
	(void)b;
	++*(unsigned *)arg;
	return 0;
}

START_TEST(every_backup_is_on_record)
{
	struct kms_stats stats;
	struct kms_backup b;
	struct kms_tx *tx;
	struct stores t;
	unsigned n = 0;

	begin(&t);
	ok(make(&t, NULL, 0, &b));
	ok(make(&t, NULL, 0, &b));
	stores_read(&t, &tx);
	ok(kms_backup_list(tx, count, &n));
	ck_assert_uint_eq(n, 2);
	ok(kms_stats(tx, &stats));
	ck_assert_int_eq(stats.last_backup, b.time);
	kms_tx_abort(&tx);
	stores_end(&t);
}
END_TEST

TCase *
test_backup(void)
{
	TCase *tc = tcase_create("backup");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc,
	    a_random_key_is_served_only_after_a_backup_that_holds_it);
	tcase_add_test(tc,
	    a_backup_on_the_same_device_does_not_count_unless_allowed);
	tcase_add_test(tc,
	    with_masters_born_in_the_token_the_hsm_must_be_attested_too);
	tcase_add_test(tc, the_copy_opens_and_holds_every_key);
	tcase_add_test(tc, it_never_writes_over_a_file_nor_to_a_device);
	tcase_add_test(tc,
	    a_disk_full_behind_the_store_is_named_and_leaves_nothing);
	tcase_add_test(tc, it_keeps_the_newest_and_removes_the_rest);
	tcase_add_test(tc,
	    backups_of_a_history_given_up_do_not_push_out_the_new_one);
	tcase_add_test(tc, two_at_once_do_not_share_a_file);
	tcase_add_test(tc, a_file_under_its_name_does_not_stop_it);
	tcase_add_test(tc,
	    a_quiesced_store_is_not_backed_up_because_recording_is_a_change);
	tcase_add_test(tc, a_store_set_back_knows_of_no_younger_backup);
	tcase_add_test(tc, every_backup_is_on_record);
	return tc;
}
