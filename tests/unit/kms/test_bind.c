/* Keys that come back into a new token, and stores put back in place. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kms/backup.h"
#include "kms/base/file.h"
#include "kms/derive.h"
#include "kms/prove.h"
#include "kms/rewrap.h"
#include "kms/verify.h"
#include "tests/unit/kms/stores.h"

static struct kms_setup_bound bound;

static void
begin(struct stores *t, struct kms_tag *tag, uint8_t key[32])
{
	stores_begin(t, false);
	stores_create_of_phrases(t);
	stores_open(t);
	add_group(t, "ENCR_a");
	add_key(t, "ENCR_a", "k", KMS_ACTIVE, tag);
	release_bytes(t, tag, KMS_USE_READ, key);
	stores_close(t);
}

/* The token is lost; an empty one takes its place. */
static void
new_token(struct stores *t)
{
	t->sealer->close(&t->sealer);
	ok(soft_sealer_new(NULL, &t->sealer));
	t->options.sealer = t->sealer;
}

static int
reset(struct stores *t, enum kms_role role, const char *text)
{
	struct kms_secret *phrase = secret_of(text);
	int r = kms_setup_reset(&t->options, &t->actor, role, phrase, &bound);

	kms_secret_free(&phrase);
	return r;
}

static void
same_key(struct stores *t, const struct kms_tag *tag, const uint8_t key[32])
{
	uint8_t now[32];

	stores_open(t);
	release_bytes(t, tag, KMS_USE_READ, now);
	ck_assert_mem_eq(now, key, 32);
	stores_close(t);
}

START_TEST(both_keys_come_back_from_their_phrases_and_every_key_is_identical)
{
	struct kms_tag tag;
	struct stores t;
	uint8_t key[32];

	begin(&t, &tag, key);
	new_token(&t);
	stores_refused(&t, KMS_ERR_TOKEN);
	ok(reset(&t, KMS_ROLE_HMK, HMK_PHRASE));
	ck_assert(!bound.complete);
	ck_assert_msg(strstr(bound.missing, "-resetkpk") != NULL, "%s",
	    bound.missing);
	ok(reset(&t, KMS_ROLE_KPK, KPK_PHRASE));
	ck_assert_msg(bound.complete, "%s", bound.missing);
	ck_assert_uint_eq(soft_sealer_count(t.sealer), 2);
	same_key(&t, &tag, key);
	stores_end(&t);
}
END_TEST

START_TEST(a_wrong_phrase_changes_nothing)
{
	struct kms_tag tag;
	struct stores t;
	uint8_t key[32];

	begin(&t, &tag, key);
	new_token(&t);
	fails(reset(&t, KMS_ROLE_HMK, HMK_PHRASE "x"), KMS_ERR_AUTH,
	    "nothing was changed");
	fails(reset(&t, KMS_ROLE_KPK, KPK_PHRASE), KMS_ERR_TOKEN, "first");
	ck_assert_uint_eq(soft_sealer_count(t.sealer), 0);
	ok(reset(&t, KMS_ROLE_HMK, HMK_PHRASE));
	fails(reset(&t, KMS_ROLE_KPK, HMK_PHRASE), KMS_ERR_AUTH, NULL);
	ck_assert_uint_eq(soft_sealer_count(t.sealer), 1);
	stores_end(&t);
}
END_TEST

START_TEST(a_key_that_is_there_is_left_alone)
{
	struct kms_tag tag;
	struct stores t;
	uint8_t key[32];

	begin(&t, &tag, key);
	ok(reset(&t, KMS_ROLE_HMK, HMK_PHRASE));
	ck_assert(bound.was_there);
	ck_assert(bound.complete);
	same_key(&t, &tag, key);
	stores_end(&t);
}
END_TEST

/* As soon as rows have moved the token is gone. */
static void
go_away(void *sealer, enum kms_rewrap_stage stage, uint64_t done, uint64_t all)
{
	(void)done;
	(void)all;
	if (stage == KMS_REWRAP_MOVE)
		soft_sealer_control(sealer)->away = true;
}

START_TEST(in_the_middle_of_a_rotation_both_keys_come_back)
{
	enum kms_role role = _i == 0 ? KMS_ROLE_HMK : KMS_ROLE_KPK;
	struct kms_secret *phrase = secret_of("a phrase for the next");
	const struct kms_setup_master want = {.id = "next", .phrase = phrase};
	struct kms_rewrap job = {.role = role, .want = &want};
	struct kms_tag tag;
	struct stores t;
	uint8_t key[32];

	begin(&t, &tag, key);
	stores_open(&t);
	job.progress = go_away;
	job.arg = t.sealer;
	ck_assert_int_ne(kms_rewrap(t.store, &t.actor, &job), 0);
	ck_assert_uint_gt(job.moved, 0);
	job.progress = NULL;
	stores_close(&t);
	new_token(&t);
	ok(reset(&t, KMS_ROLE_HMK, HMK_PHRASE));
	if (role == KMS_ROLE_HMK)
		ok(reset(&t, role, "a phrase for the next"));
	ok(reset(&t, KMS_ROLE_KPK, KPK_PHRASE));
	if (role == KMS_ROLE_KPK) {
		ck_assert(!bound.complete);
		fails(reset(&t, role, "some other phrase"), KMS_ERR_AUTH,
		    "next");
		ok(reset(&t, role, "a phrase for the next"));
	}
	ck_assert_msg(bound.complete, "%s", bound.missing);
	same_key(&t, &tag, key);
	stores_open(&t);
	ok(kms_rewrap(t.store, &t.actor, &job));
	ck_assert(job.resumed);
	stores_close(&t);
	same_key(&t, &tag, key);
	kms_secret_free(&phrase);
	stores_end(&t);
}
END_TEST

START_TEST(keys_born_in_the_token_have_no_phrase)
{
	struct stores t;

	stores_new(&t, false);
	stores_close(&t);
	fails(reset(&t, KMS_ROLE_HMK, HMK_PHRASE), KMS_ERR_STATE, "own backup");
	stores_end(&t);
}
END_TEST

START_TEST(a_store_moved_to_another_token_must_be_bound_to_it)
{
	struct kms_tag tag;
	struct kms_slot slot;
	struct stores t;
	uint8_t key[32];
	char label[33], serial[17];

	begin(&t, &tag, key);
	fails(kms_setup_rebind(&t.options, &t.actor), KMS_ERR_STATE, "already");
	new_token(&t);
	ok(reset(&t, KMS_ROLE_HMK, HMK_PHRASE));
	ok(reset(&t, KMS_ROLE_KPK, KPK_PHRASE));
	stores_open(&t);
	ok(kms_store_slot(t.store, KMS_ROLE_KPK, &slot));
	t.sealer->name(t.sealer, label, serial);
	ck_assert_str_eq(slot.token_serial, serial);
	ck_assert_int_eq(kms_store_anchor(t.store), KMS_ANCHOR_KEPT);
	stores_end(&t);
}
END_TEST

START_TEST(a_token_that_takes_no_anchor_is_bound_all_the_same)
{
	struct kms_tag tag;
	struct stores t;
	uint8_t key[32];

	begin(&t, &tag, key);
	new_token(&t);
	soft_sealer_control(t.sealer)->no_anchor = true;
	ok(reset(&t, KMS_ROLE_HMK, HMK_PHRASE));
	ok(reset(&t, KMS_ROLE_KPK, KPK_PHRASE));
	ck_assert_msg(bound.complete, "%s", bound.missing);
	stores_open(&t);
	ck_assert_int_eq(kms_store_anchor(t.store), KMS_ANCHOR_NONE);
	add_group(&t, "ENCR_b");
	stores_close(&t);
	same_key(&t, &tag, key);
	stores_end(&t);
}
END_TEST

/* --- restore ---------------------------------------------------------- */

static const char *
back_up(struct stores *t)
{
	const char *path = fx_path(t->fx, "copy.db");
	const struct kms_backup_options options = {.path = path};
	struct kms_verify_report report;
	struct kms_backup b;

	stores_open(t);
	ok(kms_backup_make(t->store, &t->actor, &options, &b, &report));
	add_group(t, "ENCR_later");
	stores_close(t);
	return path;
}

static int
restore(struct stores *t, const char *from)
{
	return kms_setup_restore(&t->options, &t->actor, from, "disk died",
	    &bound);
}

START_TEST(a_backup_is_restored_in_one_step_where_the_token_is_left)
{
	struct kms_group_view view;
	const char *copy;
	struct kms_tag tag;
	struct kms_tx *tx;
	struct stores t;
	uint8_t key[32];

	begin(&t, &tag, key);
	copy = back_up(&t);
	fails(restore(&t, copy), KMS_ERR_EXISTS, "not touched");
	ck_assert_int_eq(unlink(t.path), 0);
	ok(restore(&t, copy));
	ck_assert(bound.complete);
	same_key(&t, &tag, key);
	stores_open(&t);
	stores_read(&t, &tx);
	fails(kms_group_view(tx, "ENCR_later", &view), KMS_ERR_NOTFOUND, NULL);
	kms_tx_abort(&tx);
	stores_end(&t);
}
END_TEST

START_TEST(what_a_killed_restore_left_does_not_stop_the_next)
{
	const char *copy;
	struct kms_tag tag;
	struct stores t;
	uint8_t key[32];

	begin(&t, &tag, key);
	copy = back_up(&t);
	ck_assert_int_eq(unlink(t.path), 0);
	ck_assert_int_eq(unlink(t.log_path), 0);
	fx_write_text(fx_path(t.fx, "kms.db.restore"), "half");
	fx_write_text(fx_path(t.fx, "kms.db.restore.log"), "half");
	ok(restore(&t, copy));
	ck_assert(bound.complete);
	ck_assert(!fx_exists(fx_path(t.fx, "kms.db.restore.log")));
	same_key(&t, &tag, key);
	stores_end(&t);
}
END_TEST

START_TEST(two_restores_at_once_do_not_share_a_file)
{
	const char *copy;
	struct kms_tag tag;
	struct stores t;
	uint8_t key[32];
	int fd;

	begin(&t, &tag, key);
	copy = back_up(&t);
	ck_assert_int_eq(unlink(t.path), 0);
	ok(kms_file_lock(fx_path(t.fx, "kms.db.restore.lock"), 0, &fd));
	fails(restore(&t, copy), KMS_ERR_BUSY, "another process");
	kms_file_unlock(&fd);
	ok(restore(&t, copy));
	same_key(&t, &tag, key);
	stores_end(&t);
}
END_TEST

START_TEST(without_the_token_it_is_installed_and_the_resets_do_the_rest)
{
	const char *copy;
	struct kms_tag tag;
	struct stores t;
	uint8_t key[32];

	begin(&t, &tag, key);
	copy = back_up(&t);
	ck_assert_int_eq(unlink(t.path), 0);
	ck_assert_int_eq(unlink(t.log_path), 0);
	new_token(&t);
	ok(restore(&t, copy));
	ck_assert(!bound.complete);
	ck_assert(fx_exists(t.log_path));
	ok(reset(&t, KMS_ROLE_HMK, HMK_PHRASE));
	ok(reset(&t, KMS_ROLE_KPK, KPK_PHRASE));
	ck_assert_msg(bound.complete, "%s", bound.missing);
	same_key(&t, &tag, key);
	stores_end(&t);
}
END_TEST

START_TEST(a_backup_older_than_the_move_to_this_token_is_bound_to_it_too)
{
	const char *copy;
	struct kms_tag tag;
	struct stores t;
	uint8_t key[32];

	begin(&t, &tag, key);
	copy = back_up(&t);
	new_token(&t);
	ok(reset(&t, KMS_ROLE_HMK, HMK_PHRASE));
	ok(reset(&t, KMS_ROLE_KPK, KPK_PHRASE));
	ck_assert_int_eq(unlink(t.path), 0);
	ok(restore(&t, copy));
	ck_assert(bound.complete);
	same_key(&t, &tag, key);
	stores_end(&t);
}
END_TEST

START_TEST(a_damaged_backup_is_not_installed)
{
	const char *copy;
	struct saved whole;
	struct kms_tag tag;
	struct stores t;
	uint8_t key[32];

	begin(&t, &tag, key);
	copy = back_up(&t);
	ck_assert_int_eq(unlink(t.path), 0);
	save_file(t.fx, copy, &whole);
	whole.p[whole.len - 100] ^= 1;
	run_sql(copy,
	    "UPDATE rows SET sealed = zeroblob(length(sealed)) WHERE id = 3");
	ck_assert_int_eq(restore(&t, copy), KMS_ERR_DAMAGED);
	ck_assert(!fx_exists(t.path));
	ok(kms_setup_restore(&t.options, &t.actor, copy, "", &bound) ==
		    KMS_ERR_USAGE
		? 0
		: KMS_ERR_INTERNAL);
	stores_end(&t);
}
END_TEST

/* --- proof ------------------------------------------------------------ */

START_TEST(a_master_key_is_proven_on_the_host_by_what_it_wrapped)
{
	struct kms_secret
	    *right = secret_of("0123456789abcdef0123456789abcdef");
	struct kms_secret
	    *wrong = secret_of("0123456789abcdef0123456789abcdeF");
	struct kms_secret *out = NULL;
	struct kms_wrapped w = {.len = 40};

	memset(w.bytes, 0, sizeof(w.bytes));
	fails(kms_prove_unwrap(right, KMS_MECH_AES_KW, &w, &out), KMS_ERR_AUTH,
	    NULL);
	w.len = 8;
	fails(kms_prove_unwrap(right, KMS_MECH_AES_KW, &w, &out),
	    KMS_ERR_DAMAGED, NULL);
	w.len = 40;
	fails(kms_prove_unwrap(wrong, KMS_MECH_AES_GCM, &w, NULL),
	    KMS_ERR_DAMAGED, NULL);
	ck_assert_ptr_null(out);
	kms_secret_free(&right);
	kms_secret_free(&wrong);
}
END_TEST

TCase *
test_bind(void)
{
	TCase *tc = tcase_create("bind");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc,
	    both_keys_come_back_from_their_phrases_and_every_key_is_identical);
	tcase_add_test(tc, a_wrong_phrase_changes_nothing);
	tcase_add_test(tc, a_key_that_is_there_is_left_alone);
	tcase_add_loop_test(tc, in_the_middle_of_a_rotation_both_keys_come_back,
	    0, 2);
	tcase_add_test(tc, keys_born_in_the_token_have_no_phrase);
	tcase_add_test(tc, a_store_moved_to_another_token_must_be_bound_to_it);
	tcase_add_test(tc, a_token_that_takes_no_anchor_is_bound_all_the_same);
	tcase_add_test(tc,
	    a_backup_is_restored_in_one_step_where_the_token_is_left);
	tcase_add_test(tc, two_restores_at_once_do_not_share_a_file);
	tcase_add_test(tc, what_a_killed_restore_left_does_not_stop_the_next);
	tcase_add_test(tc,
	    without_the_token_it_is_installed_and_the_resets_do_the_rest);
	tcase_add_test(tc,
	    a_backup_older_than_the_move_to_this_token_is_bound_to_it_too);
	tcase_add_test(tc, a_damaged_backup_is_not_installed);
	tcase_add_test(tc,
	    a_master_key_is_proven_on_the_host_by_what_it_wrapped);
	return tc;
}
