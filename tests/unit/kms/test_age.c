/* An older store, another one, a lost anchor: noticed, and refused until it is
 * accepted. */
#include <stdio.h>
#include <string.h>

#include "kms/quiesce.h"
#include "tests/lib/soft_token.h"
#include "tests/unit/kms/known.h"
#include "tests/unit/kms/stores.h"

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
	ck_assert_uint_eq(lost, KMS_SETUP_LOST_UNKNOWN);
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
	known_learn(&t, &known);
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
	known_learn(&t, &known);
	save_file(t.fx, t.path, &new);
	put_back(t.path, &old, _i == 0);
	fails(kms_release_fetch(t.store, &known.tag[0], &key), KMS_ERR_ROLLBACK,
	    "older by");
	fails(kms_tx_begin(t.store, &t.actor, KMS_WRITE, &tx), KMS_ERR_ROLLBACK,
	    "older by");
	/* A change is not written into a file that lost its name. */
	put_back(t.path, &new, _i == 0);
	known_answers(&t, &known);
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
	ck_assert_uint_eq(lost, KMS_SETUP_LOST_UNKNOWN);
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
test_age(void)
{
	TCase *tc = tcase_create("age");

	tcase_set_timeout(tc, 120);
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
