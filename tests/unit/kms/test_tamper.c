/* Whatever is done to the file: the answers as before, or none. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kms/quiesce.h"
#include "kms/verify.h"
#include "tests/lib/soft_token.h"
#include "tests/unit/kms/stores.h"

/* --- every byte ------------------------------------------------------- */

struct known {
	struct kms_tag tag[2];
	uint8_t key[2][32];
};

static void
fetch(struct stores *t, const struct kms_tag *tag, uint8_t out[32])
{
	struct kms_secret *key = NULL;

	ok(kms_release_fetch(t->store, tag, &key));
	memcpy(out, kms_secret_bytes(key), 32);
	kms_secret_free(&key);
}

static void
learn(struct stores *t, struct known *known)
{
	add_group(t, "ENCR_a");
	add_key(t, "ENCR_a", "one", KMS_ACTIVE, &known->tag[0]);
	add_key(t, "ENCR_a", "two", KMS_ACTIVE, &known->tag[1]);
	fetch(t, &known->tag[0], known->key[0]);
	fetch(t, &known->tag[1], known->key[1]);
}

static int
see_key(void *arg, const struct kms_key_view *view)
{
	const struct known *known = arg;
	bool second = kms_tag_equal(&view->key.tag, &known->tag[1]);

	ck_assert(second || kms_tag_equal(&view->key.tag, &known->tag[0]));
	ck_assert_str_eq(view->key.name, second ? "two" : "one");
	ck_assert_int_eq(view->key.state, second ? KMS_ACTIVE : KMS_INACTIVE);
	return 0;
}

static void
answers_as_before(struct stores *t, struct known *known)
{
	struct kms_tx *tx;
	uint8_t key[32];
	int i;

	for (i = 0; i < 2; i++) {
		fetch(t, &known->tag[i], key);
		ck_assert_mem_eq(key, known->key[i], 32);
	}
	stores_read(t, &tx);
	ok(kms_key_list(tx, NULL, see_key, known));
	kms_tx_abort(&tx);
}

static void
is_a_refusal(int r)
{
	switch (r) {
	case KMS_ERR_DAMAGED:
	case KMS_ERR_VERSION:
	case KMS_ERR_MASTER:
	case KMS_ERR_TOKEN:
	case KMS_ERR_ROLLBACK:
		return;
	default:
		ck_abort_msg("%s: %s", kms_err_name(r), kms_err_cause(r));
	}
}

static void
flip(const char *path, size_t at)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= (uint8_t)(1u << (at % 8));
	ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
	close(fd);
}

/* One bit of every byte, the loop cut into parts so that each is short. */
#define PARTS 8
START_TEST(one_flipped_bit_changes_no_answer)
{
	struct saved saved;
	struct known known;
	struct stores t;
	size_t i, refused = 0;
	int r;

	stores_new(&t, false);
	learn(&t, &known);
	stores_close(&t);
	save_file(t.fx, t.path, &saved);
	for (i = (size_t)_i; i < saved.len; i += PARTS * FX_STEP) {
		flip(t.path, i);
		r = kms_store_open(&t.options, &t.store);
		if (r == 0) {
			answers_as_before(&t, &known);
			stores_close(&t);
		} else {
			is_a_refusal(r);
			refused++;
		}
		flip(t.path, i);
	}
	/* The control: there is something to find, and it was all put back. */
	ck_assert_uint_gt(refused, 100 / FX_STEP);
	stores_open(&t);
	answers_as_before(&t, &known);
	stores_end(&t);
}
END_TEST

/* --- rows ------------------------------------------------------------- */

/* Rows of learn(): 1 root, 2 audit of creation, 3 group, 4 its audit, 5 the
 * first key, … The first key was active, so it has an older version too. */
static const char *const swaps[] = {
    "DELETE FROM rows WHERE id = 5",
    "DELETE FROM rows WHERE id = 2",
    "DELETE FROM rows WHERE id = 1",
    "UPDATE rows SET id = 500 WHERE id = 5",
    "INSERT INTO rows SELECT 500, kind, generation, sealed FROM rows "
    "WHERE id = 5",
    "UPDATE rows SET kind = 5 WHERE id = 5",
    "UPDATE rows SET generation = generation + 1 WHERE id = 3",
    "UPDATE rows SET generation = generation - 1 WHERE id = 5",
    "UPDATE rows SET sealed = (SELECT sealed FROM rows WHERE id = 2) "
    "WHERE id = 4",
    "CREATE TEMP TABLE x AS SELECT * FROM rows WHERE id IN (2, 4);"
    "UPDATE rows SET (kind, generation, sealed) = (SELECT kind, generation, "
    "sealed FROM x WHERE x.id = 6 - rows.id) WHERE id IN (2, 4)",
    "UPDATE rows SET sealed = zeroblob(length(sealed)) WHERE id = 1",
    "UPDATE rows SET sealed = substr(sealed, 1, 20) WHERE id = 5",
};
#define SWAPS ((int)(sizeof(swaps) / sizeof(swaps[0])))

START_TEST(rows_that_were_tampered_with_are_refused_at_open)
{
	struct known known;
	struct stores t;

	stores_new(&t, false);
	learn(&t, &known);
	stores_close(&t);
	run_sql(t.path, swaps[_i]);
	stores_refused(&t, KMS_ERR_DAMAGED);
	stores_end(&t);
}
END_TEST

START_TEST(rows_that_were_tampered_with_are_refused_by_a_running_process)
{
	struct kms_secret *key = NULL;
	struct kms_tx *tx = NULL;
	struct known known;
	struct saved saved;
	struct stores t;

	stores_new(&t, false);
	learn(&t, &known);
	save_file(t.fx, t.path, &saved);
	run_sql(t.path, swaps[_i]);
	fails(kms_release_fetch(t.store, &known.tag[0], &key), KMS_ERR_DAMAGED,
	    NULL);
	ck_assert_ptr_null(key);
	fails(kms_tx_begin(t.store, &t.actor, KMS_READ, &tx), KMS_ERR_DAMAGED,
	    NULL);
	fails(kms_tx_begin(t.store, &t.actor, KMS_WRITE, &tx), KMS_ERR_DAMAGED,
	    NULL);
	/* Mended, it answers again without a restart. */
	put_back(t.path, &saved, false);
	answers_as_before(&t, &known);
	stores_end(&t);
}
END_TEST

static void
keep_row(struct stores *t, const char *table, int id)
{
	char sql[128];

	snprintf(sql, sizeof(sql),
	    "ATTACH '%s' AS k; CREATE TABLE k.%s AS SELECT * FROM rows WHERE "
	    "id = %d",
	    fx_path(t->fx, "kept"), table, id);
	run_sql(t->path, sql);
}

static void
put_row_back(struct stores *t, const char *table)
{
	char sql[128];

	snprintf(sql, sizeof(sql),
	    "ATTACH '%s' AS k; REPLACE INTO rows SELECT * FROM k.%s",
	    fx_path(t->fx, "kept"), table);
	run_sql(t->path, sql);
}

/* The older version is well sealed; root and sum alone tell. */
START_TEST(a_row_replaced_by_an_older_version_of_itself_is_refused)
{
	struct kms_tx *tx = NULL;
	struct kms_tag tag;
	struct stores t;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_key(&t, "ENCR_a", "one", KMS_ACTIVE, &tag);
	keep_row(&t, "old", 5);
	stores_write(&t, &tx);
	ok(kms_key_set_state(tx, "ENCR_a", "one", KMS_INACTIVE));
	ok(kms_tx_commit(&tx));
	put_row_back(&t, "old");
	fails(kms_tx_begin(t.store, &t.actor, KMS_READ, &tx), KMS_ERR_DAMAGED,
	    NULL);
	stores_close(&t);
	stores_refused(&t, KMS_ERR_DAMAGED);
	stores_end(&t);
}
END_TEST

START_TEST(an_older_root_with_its_rows_is_not_taken_for_a_change)
{
	struct kms_tx *tx = NULL;
	struct stores t;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	keep_row(&t, "old", 1);
	add_group(&t, "ENCR_b");
	put_row_back(&t, "old");
	fails(kms_tx_begin(t.store, &t.actor, KMS_READ, &tx), KMS_ERR_ROLLBACK,
	    "older by 1");
	stores_close(&t);
	stores_refused(&t, KMS_ERR_DAMAGED); /* root and rows disagree */
	stores_end(&t);
}
END_TEST

/* --- the whole file --------------------------------------------------- */

START_TEST(an_older_store_is_refused_with_the_number_of_changes_lost)
{
	struct saved old;
	struct stores t;
	uint64_t lost;
	char name[32];
	int i;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	stores_close(&t);
	save_file(t.fx, t.path, &old);
	stores_open(&t);
	for (i = 0; i < 7; i++) {
		snprintf(name, sizeof(name), "ENCR_later%d", i);
		add_group(&t, name);
	}
	stores_close(&t);
	put_back(t.path, &old, false);
	stores_refused(&t, KMS_ERR_ROLLBACK);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_ROLLBACK),
	    "older by 7 changes"));
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_ROLLBACK),
	    "-acceptrestore"));
	fails(kms_setup_accept(&t.options, &t.actor, "", &lost), KMS_ERR_USAGE,
	    "reason");
	stores_refused(&t, KMS_ERR_ROLLBACK);
	ok(kms_setup_accept(&t.options, &t.actor, "disk lost", &lost));
	ck_assert_uint_eq(lost, 7);
	stores_open(&t);
	stores_end(&t);
}
END_TEST

START_TEST(the_store_that_a_restore_superseded_is_refused_for_ever)
{
	struct saved old, new;
	struct stores t;
	uint64_t lost;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	stores_close(&t);
	save_file(t.fx, t.path, &old);
	stores_open(&t);
	add_group(&t, "ENCR_b");
	stores_close(&t);
	save_file(t.fx, t.path, &new);
	put_back(t.path, &old, false);
	ok(kms_setup_accept(&t.options, &t.actor, "drill", &lost));
	ck_assert_uint_eq(lost, 1);
	put_back(t.path, &new, false);
	stores_refused(&t, KMS_ERR_ROLLBACK);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_ROLLBACK),
	    "superseded"));
	/* How many changes that would give up cannot be told. */
	ok(kms_setup_accept(&t.options, &t.actor, "the other", &lost));
	stores_open(&t);
	stores_end(&t);
}
END_TEST

START_TEST(whoever_still_runs_the_old_history_is_told_who_ended_it)
{
	struct kms_secret *key = NULL;
	struct kms_tx *tx = NULL;
	struct known known;
	struct saved old;
	struct stores t;
	uint64_t lost;

	stores_new(&t, false);
	add_group(&t, "ENCR_0");
	save_file(t.fx, t.path, &old);
	learn(&t, &known);
	put_back(t.path, &old, false);
	ok(kms_setup_accept(&t.options, &t.actor, "drill", &lost));
	fails(kms_release_fetch(t.store, &known.tag[0], &key), KMS_ERR_ROLLBACK,
	    "superseded");
	fails(kms_tx_begin(t.store, &t.actor, KMS_WRITE, &tx), KMS_ERR_ROLLBACK,
	    "superseded");
	stores_end(&t);
}
END_TEST

START_TEST(an_older_file_under_a_running_process_is_refused)
{
	struct kms_secret *key = NULL;
	struct kms_tx *tx = NULL;
	struct known known;
	struct saved old, new;
	struct stores t;

	stores_new(&t, false);
	add_group(&t, "ENCR_0");
	save_file(t.fx, t.path, &old);
	learn(&t, &known);
	save_file(t.fx, t.path, &new);
	put_back(t.path, &old, _i == 0);
	fails(kms_release_fetch(t.store, &known.tag[0], &key), KMS_ERR_ROLLBACK,
	    "older by");
	fails(kms_tx_begin(t.store, &t.actor, KMS_WRITE, &tx), KMS_ERR_ROLLBACK,
	    "older by");
	/* A change is not written into a file that lost its name. */
	put_back(t.path, &new, _i == 0);
	answers_as_before(&t, &known);
	add_group(&t, "ENCR_more");
	stores_close(&t);
	stores_open(&t);
	stores_end(&t);
}
END_TEST

START_TEST(another_store_of_the_same_generation_is_refused)
{
	struct saved store, token, one;
	struct stores t;

	stores_new(&t, true);
	stores_close(&t);
	save_file(t.fx, t.path, &store);
	save_file(t.fx, t.token_path, &token);
	stores_open(&t);
	add_group(&t, "ENCR_a");
	stores_close(&t);
	save_file(t.fx, t.path, &one);
	/* Back to the start, token and all, and on another way. */
	put_back(t.path, &store, false);
	put_back(t.token_path, &token, true);
	stores_open(&t);
	add_group(&t, "ENCR_b");
	stores_close(&t);
	put_back(t.path, &one, false);
	stores_refused(&t, KMS_ERR_ROLLBACK);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_ROLLBACK),
	    "same generation 2"));
	stores_end(&t);
}
END_TEST

/* --- the anchor ------------------------------------------------------- */

START_TEST(a_crash_between_commit_and_anchor_heals_at_open)
{
	struct soft_control *c;
	struct stores t;

	stores_new(&t, false);
	c = soft_sealer_control(t.sealer);
	c->put_fails = true; /* as if killed there: the change is durable */
	add_group(&t, "ENCR_a");
	c->put_fails = false;
	stores_close(&t);
	c->puts = 0;
	stores_open(&t);
	ck_assert_uint_eq(c->puts, 1);
	stores_close(&t);
	c->puts = 0;
	stores_open(&t);
	ck_assert_uint_eq(c->puts, 0);
	stores_end(&t);
}
END_TEST

START_TEST(the_anchor_is_never_two_changes_behind)
{
	struct soft_control *c;
	struct stores t;
	struct kms_tx *tx;

	stores_new(&t, false);
	c = soft_sealer_control(t.sealer);
	c->put_fails = true;
	add_group(&t, "ENCR_a");
	stores_write(&t, &tx);
	ok(kms_group_add(tx, "ENCR_b", NULL, NULL));
	fails(kms_tx_commit(&tx), KMS_ERR_TOKEN, NULL);
	stores_close(&t);
	stores_open(&t); /* proven, if not healed: it may be read */
	stores_write(&t, &tx);
	ok(kms_group_add(tx, "ENCR_b", NULL, NULL));
	fails(kms_tx_commit(&tx), KMS_ERR_TOKEN, NULL);
	c->put_fails = false;
	add_group(&t, "ENCR_b");
	stores_close(&t);
	stores_open(&t);
	ck_assert_uint_eq(kms_store_generation(t.store), 3);
	stores_end(&t);
}
END_TEST

START_TEST(an_anchor_that_is_gone_is_refused_until_accepted)
{
	static struct soft_token token;
	struct stores t;
	uint64_t lost;

	stores_new(&t, true);
	stores_close(&t);
	ok(soft_token_open(&token, t.token_path));
	if (_i == 0)
		token.nanchors = 0;
	else
		token.anchor[0].anchor.bytes[20] ^= 1;
	ok(soft_token_save(&token));
	stores_refused(&t, KMS_ERR_ROLLBACK);
	ok(kms_setup_accept(&t.options, &t.actor, "hsm replaced", &lost));
	stores_open(&t);
	stores_end(&t);
}
END_TEST

START_TEST(the_highest_valid_anchor_counts)
{
	static struct soft_token token;
	struct stores t;

	stores_new(&t, true);
	ok(soft_token_open(&token, t.token_path));
	token.anchor[1] = token.anchor[0]; /* the one a kill left */
	add_group(&t, "ENCR_a");
	stores_close(&t);
	ok(soft_token_load(&token));
	token.anchor[token.nanchors++] = token.anchor[1];
	token.anchor[token.nanchors] = token.anchor[0];
	token.anchor[token.nanchors++].anchor.bytes[40] ^= 1;
	ok(soft_token_save(&token));
	stores_open(&t);
	add_group(&t, "ENCR_b"); /* and is cleared up */
	ok(soft_token_load(&token));
	ck_assert_uint_eq(token.nanchors, 1);
	stores_end(&t);
}
END_TEST

START_TEST(a_token_that_was_set_back_is_noticed)
{
	struct saved old;
	struct stores t;

	stores_new(&t, true);
	save_file(t.fx, t.token_path, &old);
	add_group(&t, "ENCR_a");
	add_group(&t, "ENCR_b");
	stores_close(&t);
	put_back(t.token_path, &old, true);
	stores_refused(&t, KMS_ERR_ROLLBACK);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_ROLLBACK),
	    "token was set back"));
	stores_end(&t);
}
END_TEST

START_TEST(without_anchor_a_rollback_is_not_noticed_and_the_store_says_so)
{
	struct saved old;
	struct stores t;
	uint64_t lost;

	stores_begin(&t, false);
	soft_sealer_control(t.sealer)->no_anchor = true;
	ok(stores_create(&t));
	stores_open(&t);
	ck_assert_int_eq(kms_store_anchor(t.store), KMS_ANCHOR_NONE);
	save_file(t.fx, t.path, &old);
	add_group(&t, "ENCR_a");
	stores_close(&t);
	put_back(t.path, &old, false);
	stores_open(&t);
	stores_close(&t);
	fails(kms_setup_accept(&t.options, &t.actor, "why", &lost),
	    KMS_ERR_STATE, "nothing to accept");
	stores_end(&t);
}
END_TEST

START_TEST(a_store_that_needs_no_acceptance_is_left_alone)
{
	struct stores t;
	uint64_t lost;

	stores_new(&t, false);
	stores_close(&t);
	fails(kms_setup_accept(&t.options, &t.actor, "why", &lost),
	    KMS_ERR_STATE, "nothing to accept");
	stores_open(&t);
	ck_assert_uint_eq(kms_store_generation(t.store), 1);
	stores_end(&t);
}
END_TEST

START_TEST(an_accepted_copy_is_not_quiesced_by_the_hold_it_was_made_under)
{
	struct kms_tx *tx = NULL;
	struct saved copy;
	struct stores t;
	size_t n;
	uint64_t lost;

	stores_new(&t, false);
	ok(kms_tx_begin_quiesced(t.store, &t.actor, &tx));
	ok(kms_quiesce_add(tx, "backup", 0, &n));
	ok(kms_tx_commit(&tx));
	save_file(t.fx, t.path, &copy);
	fails(kms_tx_begin(t.store, &t.actor, KMS_WRITE, &tx), KMS_ERR_QUIESCED,
	    "backup");
	ok(kms_tx_begin_quiesced(t.store, &t.actor, &tx));
	ok(kms_quiesce_add(tx, "another", 0, &n));
	ok(kms_tx_commit(&tx));
	stores_close(&t);
	put_back(t.path, &copy, false);
	ok(kms_setup_accept(&t.options, &t.actor, "restored", &lost));
	stores_open(&t);
	add_group(&t, "ENCR_a");
	stores_end(&t);
}
END_TEST

/* --- a copy read where it lies ---------------------------------------- */

START_TEST(a_copy_opened_for_reading_reports_its_age_and_moves_nothing)
{
	struct kms_tx *tx = NULL;
	struct saved old;
	struct stores t;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	save_file(t.fx, t.path, &old);
	add_group(&t, "ENCR_b");
	add_group(&t, "ENCR_c");
	stores_close(&t);
	fx_write(fx_path(t.fx, "copy"), old.p, old.len, 0400);
	t.options.path = fx_path(t.fx, "copy");
	t.options.readonly = true;
	soft_sealer_control(t.sealer)->puts = 0;
	stores_open(&t);
	ck_assert_int_eq(kms_store_anchor(t.store), KMS_ANCHOR_OLDER);
	ck_assert_uint_eq(kms_store_behind(t.store), 2);
	fails(kms_tx_begin(t.store, &t.actor, KMS_WRITE, &tx), KMS_ERR_STATE,
	    "reading");
	stores_close(&t);
	ck_assert_uint_eq(soft_sealer_control(t.sealer)->puts, 0);
	t.options.path = t.path;
	t.options.readonly = false;
	stores_open(&t);
	stores_end(&t);
}
END_TEST

TCase *
test_tamper(void)
{
	TCase *tc = tcase_create("tamper");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, one_flipped_bit_changes_no_answer, 0, PARTS);
	tcase_add_loop_test(tc,
	    rows_that_were_tampered_with_are_refused_at_open, 0, SWAPS);
	tcase_add_loop_test(tc,
	    rows_that_were_tampered_with_are_refused_by_a_running_process, 0,
	    SWAPS);
	tcase_add_test(tc,
	    a_row_replaced_by_an_older_version_of_itself_is_refused);
	tcase_add_test(tc,
	    an_older_root_with_its_rows_is_not_taken_for_a_change);
	tcase_add_test(tc,
	    an_older_store_is_refused_with_the_number_of_changes_lost);
	tcase_add_test(tc,
	    the_store_that_a_restore_superseded_is_refused_for_ever);
	tcase_add_test(tc,
	    whoever_still_runs_the_old_history_is_told_who_ended_it);
	tcase_add_loop_test(tc,
	    an_older_file_under_a_running_process_is_refused, 0, 2);
	tcase_add_test(tc, another_store_of_the_same_generation_is_refused);
	tcase_add_test(tc, a_crash_between_commit_and_anchor_heals_at_open);
	tcase_add_test(tc, the_anchor_is_never_two_changes_behind);
	tcase_add_loop_test(tc,
	    an_anchor_that_is_gone_is_refused_until_accepted, 0, 2);
	tcase_add_test(tc, the_highest_valid_anchor_counts);
	tcase_add_test(tc, a_token_that_was_set_back_is_noticed);
	tcase_add_test(tc,
	    without_anchor_a_rollback_is_not_noticed_and_the_store_says_so);
	tcase_add_test(tc, a_store_that_needs_no_acceptance_is_left_alone);
	tcase_add_test(tc,
	    an_accepted_copy_is_not_quiesced_by_the_hold_it_was_made_under);
	tcase_add_test(tc,
	    a_copy_opened_for_reading_reports_its_age_and_moves_nothing);
	return tc;
}
