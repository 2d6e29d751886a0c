/* The only door: nothing leaves that may not, and nothing unrecorded. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kms/logbook.h"
#include "kms/store_impl.h"
#include "kms/trail.h"
#include "kms/verify.h"
#include "tests/unit/kms/stores.h"

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
with_key(struct stores *t, struct kms_tag *tag)
{
	stores_new(t, false);
	add_group(t, "ENCR_a");
	add_key(t, "ENCR_a", "k", KMS_ACTIVE, tag);
}

static void
set_state(struct stores *t, enum kms_state state)
{
	struct kms_tx *tx;

	stores_write(t, &tx);
	ok(kms_key_set_state(tx, "ENCR_a", "k", state));
	ok(kms_tx_commit(&tx));
}

/* --- state and actor -------------------------------------------------- */

START_TEST(the_state_says_what_a_key_is_released_for)
{
	/* write, read, client, export; from prelive on */
	static const char *const allowed[] = {"..ce", "wrce", ".rce", "...e",
	    "...e"};
	static const enum kms_use uses[] = {KMS_USE_WRITE, KMS_USE_READ,
	    KMS_USE_CLIENT, KMS_USE_EXPORT};
	struct kms_tag tag;
	struct stores t;
	size_t s, u;
	int r;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_key(&t, "ENCR_a", "k", KMS_PRELIVE, &tag);
	for (s = 0; s < 5; s++) {
		if (s > 0)
			set_state(&t, (enum kms_state)(s + 1));
		for (u = 0; u < 4; u++) {
			r = try_release(&t, &tag, uses[u]);
			if (allowed[s][u] != '.')
				ok(r);
			else
				fails(r, KMS_ERR_STATE, "-state");
		}
	}
	stores_end(&t);
}
END_TEST

START_TEST(the_groups_active_key_is_released_with_its_tag)
{
	const struct kms_purpose purpose = {.use = KMS_USE_WRITE};
	struct kms_tag tag, released;
	struct kms_secret *key = NULL;
	struct stores t;
	uint8_t bytes[32];

	with_key(&t, &tag);
	add_group(&t, "ENCR_b");
	ok(kms_release_active(t.store, &t.actor, "ENCR_a", &purpose, &released,
	    &key));
	ck_assert(kms_tag_equal(&tag, &released));
	release_bytes(&t, &tag, KMS_USE_READ, bytes);
	ck_assert_mem_eq(bytes, kms_secret_bytes(key), 32);
	kms_secret_free(&key);
	fails(kms_release_active(t.store, &t.actor, "ENCR_b", &purpose,
		  &released, &key),
	    KMS_ERR_NOTFOUND, "no active key; create one");
	fails(kms_release_active(t.store, &t.actor, "ENCR_c", &purpose,
		  &released, &key),
	    KMS_ERR_NOTFOUND, "does not exist");
	stores_end(&t);
}
END_TEST

/* --- overtaken -------------------------------------------------------- */

/* Another process, as the token comes to it: a store of its own on the same
 * files, which changes the key while the first one's release is under way. */
static struct {
	int (*unwrap)(struct kms_sealer *, const struct kms_slot *,
	    const struct kms_wrapped *, struct kms_secret **);
	struct stores *first;
	void (*change)(struct stores *);
} meddler;

static int
meddle(struct kms_sealer *z, const struct kms_slot *slot,
    const struct kms_wrapped *in, struct kms_secret **out)
{
	struct stores other = *meddler.first;

	z->unwrap = meddler.unwrap;
	ok(soft_sealer_new(other.token_path, &other.sealer));
	other.options.sealer = other.sealer;
	stores_open(&other);
	meddler.change(&other);
	stores_close(&other);
	other.sealer->close(&other.sealer);
	return z->unwrap(z, slot, in, out);
}

static void
meddle_with(struct stores *t, void (*change)(struct stores *))
{
	meddler.unwrap = t->sealer->unwrap;
	meddler.first = t;
	meddler.change = change;
	t->sealer->unwrap = meddle;
}

static void
revoke_it(struct stores *t)
{
	set_state(t, KMS_INACTIVE);
	set_state(t, KMS_DEPRECATED);
}

static void
activate_next(struct stores *t)
{
	add_key(t, "ENCR_a", "next", KMS_ACTIVE, NULL);
}

START_TEST(a_key_revoked_while_it_was_released_is_not_served)
{
	struct kms_tag tag;
	struct stores t;

	stores_new(&t, true);
	add_group(&t, "ENCR_a");
	add_key(&t, "ENCR_a", "k", KMS_ACTIVE, &tag);
	meddle_with(&t, revoke_it);
	fails(try_release(&t, &tag, KMS_USE_READ), KMS_ERR_STATE, "deprecated");
	stores_end(&t);
}
END_TEST

START_TEST(a_key_replaced_while_it_was_released_gives_way_to_the_next)
{
	const struct kms_purpose purpose = {.use = KMS_USE_WRITE};
	struct kms_secret *key = NULL;
	struct kms_tag tag, released;
	struct stores t;

	stores_new(&t, true);
	add_group(&t, "ENCR_a");
	add_key(&t, "ENCR_a", "k", KMS_ACTIVE, &tag);
	meddle_with(&t, activate_next);
	ok(kms_release_active(t.store, &t.actor, "ENCR_a", &purpose, &released,
	    &key));
	ck_assert(!kms_tag_equal(&tag, &released));
	kms_secret_free(&key);
	ck_assert_int_eq(try_release(&t, &released, KMS_USE_WRITE), 0);
	ck_assert_int_eq(try_release(&t, &tag, KMS_USE_WRITE), KMS_ERR_STATE);
	ck_assert_int_eq(try_release(&t, &tag, KMS_USE_READ), 0);
	stores_end(&t);
}
END_TEST

/* --- actor ------------------------------------------------------------ */

static bool
may_only_a(const struct kms_actor *actor, enum kms_event e, const char *g)
{
	(void)actor;
	return e == KMS_EVENT_RELEASE && strcmp(g, "ENCR_a") == 0;
}

START_TEST(an_actor_gets_keys_of_its_groups_only)
{
	struct kms_tag a, b;
	struct stores t;

	with_key(&t, &a);
	add_group(&t, "ENCR_b");
	add_key(&t, "ENCR_b", "k", KMS_ACTIVE, &b);
	t.actor.may = may_only_a;
	ok(try_release(&t, &a, KMS_USE_WRITE));
	fails(try_release(&t, &b, KMS_USE_WRITE), KMS_ERR_DENIED, "ENCR_b");
	stores_end(&t);
}
END_TEST

static void
revoke_as_anybody(struct stores *t)
{
	t->actor.may = NULL;
	revoke_it(t);
}

static void
retire_as_anybody(struct stores *t)
{
	t->actor.may = NULL;
	set_state(t, KMS_INACTIVE);
}

/* Its group's name is known from a first release, so no view is taken. */
static void
with_limited_actor(struct stores *t, struct kms_tag *tag)
{
	stores_new(t, true);
	add_group(t, "ENCR_a");
	add_key(t, "ENCR_a", "k", KMS_ACTIVE, tag);
	t->actor.may = may_only_a;
	ok(try_release(t, tag, KMS_USE_CLIENT));
}

START_TEST(nor_is_it_served_to_an_actor_of_some_groups)
{
	struct kms_tag tag;
	struct stores t;

	with_limited_actor(&t, &tag);
	meddle_with(&t, revoke_as_anybody);
	fails(try_release(&t, &tag, KMS_USE_CLIENT), KMS_ERR_STATE,
	    "deprecated");
	stores_end(&t);
}
END_TEST

START_TEST(a_change_that_still_permits_a_release_does_not_repeat_it)
{
	struct released log;
	struct kms_tag tag;
	struct stores t;

	with_limited_actor(&t, &tag);
	meddle_with(&t, retire_as_anybody);
	ok(try_release(&t, &tag, KMS_USE_CLIENT));
	released(&t, &log);
	ck_assert_uint_eq(log.n, 2); /* once each */
	stores_end(&t);
}
END_TEST

static void
rename_group(struct stores *t)
{
	struct kms_group_change change = {.name = "ENCR_z"};
	struct kms_tx *tx;

	stores_write(t, &tx);
	ok(kms_group_modify(tx, "ENCR_a", &change));
	ok(kms_tx_commit(&tx));
}

START_TEST(a_group_renamed_is_asked_for_by_its_new_name)
{
	struct kms_tag tag;
	struct stores t;

	with_key(&t, &tag);
	t.actor.may = may_only_a;
	ok(try_release(&t, &tag, KMS_USE_CLIENT));
	t.actor.may = NULL;
	rename_group(&t);
	t.actor.may = may_only_a;
	fails(try_release(&t, &tag, KMS_USE_CLIENT), KMS_ERR_DENIED, "ENCR_z");
	stores_end(&t);
}
END_TEST

START_TEST(a_tag_that_is_not_held_is_explained)
{
	static const struct {
		enum kms_tag_kind kind;
		const char *word;
	} kinds[] = {{KMS_TAG_RANDOM, "random"},
	    {KMS_TAG_PHRASE, "its own passphrase"},
	    {KMS_TAG_GROUP, "its group's passphrase"},
	    {KMS_TAG_FOREIGN, "-importkey"}};
	uint8_t salt[24] = {7};
	struct kms_tag tag;
	struct stores t;
	size_t i;

	stores_new(&t, false);
	for (i = 0; i < 4; i++) {
		if (kinds[i].kind == KMS_TAG_FOREIGN)
			ok(kms_tag_from(&tag, "stenc", 5));
		else
			ok(kms_tag_make(&tag, kinds[i].kind,
			    kinds[i].kind == KMS_TAG_RANDOM ? 0 : 21, salt));
		fails(try_release(&t, &tag, KMS_USE_READ), KMS_ERR_NOTFOUND,
		    kinds[i].word);
	}
	stores_end(&t);
}
END_TEST

/* --- recorded --------------------------------------------------------- */

START_TEST(every_release_is_recorded_and_no_refusal_is)
{
	const struct kms_purpose purpose = {.use = KMS_USE_WRITE,
	    .drive = "HU1234",
	    .volume = "VOL001"};
	struct kms_secret *key;
	struct kms_tag tag;
	struct stores t;
	struct released seen;

	with_key(&t, &tag);
	ok(kms_release(t.store, &t.actor, &tag, &purpose, &key));
	kms_secret_free(&key);
	released(&t, &seen);
	ck_assert_uint_eq(seen.n, 1);
	ck_assert(kms_tag_equal(&seen.last.tag, &tag));
	ck_assert_int_eq(seen.last.use, KMS_USE_WRITE);
	ck_assert_int_eq(seen.last.state, KMS_ACTIVE);
	ck_assert_str_eq(seen.last.drive, "HU1234");
	ck_assert_str_eq(seen.last.volume, "VOL001");
	ck_assert_uint_eq(seen.last.generation, kms_store_generation(t.store));
	set_state(&t, KMS_INACTIVE);
	fails(try_release(&t, &tag, KMS_USE_WRITE), KMS_ERR_STATE, NULL);
	soft_sealer_control(t.sealer)->away = true;
	fails(try_release(&t, &tag, KMS_USE_READ), KMS_ERR_TOKEN, NULL);
	soft_sealer_control(t.sealer)->away = false;
	released(&t, &seen);
	ck_assert_uint_eq(seen.n, 1);
	stores_end(&t);
}
END_TEST

/* The descriptor that this process has the log open by. */
static int
log_fd(const char *path)
{
	struct stat want, st;
	int fd;

	ck_assert_int_eq(stat(path, &want), 0);
	for (fd = 3; fd < 256; fd++) {
		if (fstat(fd, &st) == 0 && st.st_ino == want.st_ino &&
		    st.st_dev == want.st_dev)
			return fd;
	}
	ck_abort_msg("log is not open");
}

START_TEST(what_cannot_be_recorded_is_not_released)
{
	struct kms_tag tag;
	struct stores t;
	struct released seen;
	int fd, ro;

	with_key(&t, &tag);
	ok(try_release(&t, &tag, KMS_USE_WRITE));
	/* Writing to it fails from now on, as on a disk that is full or
	 * mounted for reading. */
	fd = log_fd(t.log_path);
	ro = open(t.log_path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(ro, 0);
	ck_assert_int_eq(dup2(ro, fd), fd);
	close(ro);
	fails(try_release(&t, &tag, KMS_USE_WRITE), KMS_ERR_IO,
	    "could not be recorded");
	fails(try_release(&t, &tag, KMS_USE_READ), KMS_ERR_IO, NULL);
	stores_close(&t);
	stores_open(&t);
	ok(try_release(&t, &tag, KMS_USE_WRITE));
	released(&t, &seen);
	ck_assert_uint_eq(seen.n, 2);
	stores_end(&t);
}
END_TEST

START_TEST(a_log_that_cannot_be_opened_stops_releases)
{
	struct kms_tag tag;
	struct stores t;

	with_key(&t, &tag);
	stores_close(&t);
	ck_assert_int_eq(chmod(t.log_path, 0644), 0);
	stores_open(&t);
	fails(try_release(&t, &tag, KMS_USE_WRITE), KMS_ERR_CONFIG, "0600");
	ck_assert_int_eq(chmod(t.log_path, 0600), 0);
	ok(try_release(&t, &tag, KMS_USE_WRITE));
	stores_end(&t);
}
END_TEST

static size_t
count_logs(struct stores *t)
{
	const struct dirent *e;
	DIR *d = opendir(fx_path(t->fx, "."));
	size_t n = 0;

	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d)) != NULL)
		n += strncmp(e->d_name, "kms.log", 7) == 0;
	closedir(d);
	return n;
}

START_TEST(a_lost_log_is_set_aside_and_a_new_one_begun)
{
	struct kms_tag tag;
	struct saved early;
	struct stores t;
	struct released seen;
	uint64_t generation;

	with_key(&t, &tag);
	save_file(t.fx, t.log_path, &early);
	ok(try_release(&t, &tag, KMS_USE_WRITE));
	set_state(&t, KMS_INACTIVE); /* the root knows of the release */
	generation = kms_store_generation(t.store);
	stores_close(&t);
	if (_i == 0) /* cut */
		put_back(t.log_path, &early, false);
	else if (_i == 1) /* gone */
		ck_assert_int_eq(remove(t.log_path), 0);
	else /* not ours */
		fx_write_text(t.log_path, "rubbish");
	ck_assert_int_eq(chmod(fx_path(t.fx, "."), 0700), 0);
	if (_i == 2)
		ck_assert_int_eq(chmod(t.log_path, 0600), 0);
	stores_open(&t);
	ok(try_release(&t, &tag, KMS_USE_READ));
	released(&t, &seen);
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_uint_eq(kms_store_generation(t.store), generation + 1);
	ck_assert_uint_eq(count_logs(&t), _i == 1 ? 1 : 2);
	stores_close(&t);
	stores_open(&t);
	ok(try_release(&t, &tag, KMS_USE_READ));
	ck_assert_uint_eq(kms_store_generation(t.store), generation + 1);
	stores_end(&t);
}
END_TEST

START_TEST(a_log_removed_under_a_running_process_is_begun_anew)
{
	struct kms_tag tag;
	struct stores t;
	struct released seen;

	with_key(&t, &tag);
	ok(try_release(&t, &tag, KMS_USE_WRITE));
	ck_assert_int_eq(remove(t.log_path), 0);
	ok(try_release(&t, &tag, KMS_USE_WRITE));
	ck_assert(fx_exists(t.log_path));
	released(&t, &seen);
	ck_assert_uint_eq(seen.n, 1);
	stores_end(&t);
}
END_TEST

/* As logrotate's copytruncate does, or an attacker: the root knows of none of
 * the releases, only this process does. */
START_TEST(a_log_cut_under_a_running_process_is_lost_and_counted)
{
	const struct kms_trail_filter all = {0};
	static const off_t size[] = {0, 10, 64, 100};
	struct kms_trail_report report;
	struct kms_tag tag;
	struct stores t;
	struct released seen;

	with_key(&t, &tag);
	ok(try_release(&t, &tag, KMS_USE_WRITE));
	ok(try_release(&t, &tag, KMS_USE_WRITE));
	ck_assert_int_eq(truncate(t.log_path, size[_i % 4]), 0);
	if (_i < 4)
		ok(try_release(&t, &tag, KMS_USE_WRITE));
	else
		set_state(&t, KMS_INACTIVE);
	released(&t, &seen);
	ck_assert_uint_eq(seen.n, _i < 4 ? 1 : 0);
	ck_assert_uint_eq(count_logs(&t), 2);
	ok(kms_trail_walk(t.store, &t.actor, &all, NULL, NULL, &report));
	ck_assert_uint_eq(report.lost_logs, 1);
	ck_assert_uint_eq(report.lost_records, 2);
	stores_end(&t);
}
END_TEST

START_TEST(drive_and_volume_are_bounded)
{
	char text[KMS_DRIVE_TEXT + 2];
	struct kms_purpose purpose = {.use = KMS_USE_WRITE, .drive = text};
	struct kms_secret *key = NULL;
	struct kms_tag tag;
	struct stores t;

	with_key(&t, &tag);
	memset(text, 'd', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	fails(kms_release(t.store, &t.actor, &tag, &purpose, &key),
	    KMS_ERR_USAGE, "drive");
	ck_assert_ptr_null(key);
	text[KMS_DRIVE_TEXT] = '\0';
	ok(kms_release(t.store, &t.actor, &tag, &purpose, &key));
	kms_secret_free(&key);
	stores_end(&t);
}
END_TEST

TCase *
test_release(void)
{
	TCase *tc = tcase_create("release");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_state_says_what_a_key_is_released_for);
	tcase_add_test(tc, the_groups_active_key_is_released_with_its_tag);
	tcase_add_test(tc, a_key_revoked_while_it_was_released_is_not_served);
	tcase_add_test(tc,
	    a_key_replaced_while_it_was_released_gives_way_to_the_next);
	tcase_add_test(tc, an_actor_gets_keys_of_its_groups_only);
	tcase_add_test(tc, nor_is_it_served_to_an_actor_of_some_groups);
	tcase_add_test(tc,
	    a_change_that_still_permits_a_release_does_not_repeat_it);
	tcase_add_test(tc, a_group_renamed_is_asked_for_by_its_new_name);
	tcase_add_test(tc, a_tag_that_is_not_held_is_explained);
	tcase_add_test(tc, every_release_is_recorded_and_no_refusal_is);
	tcase_add_test(tc, what_cannot_be_recorded_is_not_released);
	tcase_add_test(tc, a_log_that_cannot_be_opened_stops_releases);
	tcase_add_loop_test(tc, a_lost_log_is_set_aside_and_a_new_one_begun, 0,
	    3);
	tcase_add_test(tc, a_log_removed_under_a_running_process_is_begun_anew);
	tcase_add_loop_test(tc,
	    a_log_cut_under_a_running_process_is_lost_and_counted, 0, 8);
	tcase_add_test(tc, drive_and_volume_are_bounded);
	return tc;
}
