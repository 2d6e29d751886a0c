/* Opening: whole, or refused with the right name for why. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kms/verify.h"
#include "tests/unit/kms/stores.h"

START_TEST(a_new_store_opens_and_has_nothing_in_it)
{
	struct kms_group_view view;
	struct stores t;
	struct kms_tx *tx;

	stores_new(&t, false);
	ck_assert_uint_eq(kms_store_generation(t.store), 1);
	ck_assert_int_eq(kms_store_anchor(t.store), KMS_ANCHOR_KEPT);
	stores_read(&t, &tx);
	fails(kms_group_view(tx, "ENCR_a", &view), KMS_ERR_NOTFOUND,
	    "-createkg");
	kms_tx_abort(&tx);
	stores_end(&t);
}
END_TEST

START_TEST(what_was_added_is_there_after_reopening)
{
	struct kms_key_view view;
	uint8_t a[32], b[32];
	struct kms_tag tag;
	struct stores t;
	struct kms_tx *tx;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_key(&t, "ENCR_a", "first", KMS_ACTIVE, &tag);
	release_bytes(&t, &tag, KMS_USE_WRITE, a);
	stores_close(&t);
	stores_open(&t);
	stores_read(&t, &tx);
	ok(kms_key_view(tx, "ENCR_a", "first", &view));
	ck_assert(kms_tag_equal(&view.key.tag, &tag));
	ck_assert_int_eq(view.key.state, KMS_ACTIVE);
	kms_tx_abort(&tx);
	release_bytes(&t, &tag, KMS_USE_READ, b);
	ck_assert_mem_eq(a, b, 32);
	stores_end(&t);
}
END_TEST

/* --- the token's keys ------------------------------------------------- */

static void
slot_of(struct stores *t, enum kms_role role, struct kms_slot *slot)
{
	stores_open(t);
	ok(kms_store_slot(t->store, role, slot));
	stores_close(t);
}

static void
plant(struct stores *t, const struct kms_slot *slot, bool extractable)
{
	const struct soft_planted p = {.role = slot->role,
	    .label = "planted",
	    .cka_id = slot->cka_id,
	    .cka_id_len = slot->cka_id_len,
	    .extractable = extractable};

	ok(soft_sealer_plant(t->sealer, &p));
}

static const enum kms_role roles[] = {KMS_ROLE_HMK, KMS_ROLE_KPK};

START_TEST(a_master_key_that_is_gone_is_a_missing_token)
{
	struct kms_slot slot;
	struct stores t;

	stores_new(&t, false);
	stores_close(&t);
	slot_of(&t, roles[_i], &slot);
	ok(t.sealer->drop(t.sealer, &slot));
	stores_refused(&t, KMS_ERR_TOKEN);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_TOKEN), slot.id));
	stores_end(&t);
}
END_TEST

START_TEST(a_master_key_of_another_value_is_refused_by_name)
{
	struct kms_slot slot;
	struct stores t;

	stores_new(&t, false);
	stores_close(&t);
	slot_of(&t, roles[_i], &slot);
	ok(t.sealer->drop(t.sealer, &slot));
	plant(&t, &slot, false);
	stores_refused(&t, KMS_ERR_MASTER);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_MASTER), slot.id));
	stores_end(&t);
}
END_TEST

START_TEST(a_second_master_key_of_the_same_id_is_refused)
{
	struct kms_slot slot;
	struct stores t;

	stores_new(&t, false);
	stores_close(&t);
	slot_of(&t, roles[_i], &slot);
	plant(&t, &slot, false);
	stores_refused(&t, KMS_ERR_MASTER);
	stores_end(&t);
}
END_TEST

START_TEST(an_extractable_master_key_is_refused)
{
	struct kms_slot slot;
	struct stores t;

	stores_new(&t, false);
	stores_close(&t);
	slot_of(&t, roles[_i], &slot);
	ok(t.sealer->drop(t.sealer, &slot));
	plant(&t, &slot, true);
	stores_refused(&t, KMS_ERR_MASTER);
	stores_end(&t);
}
END_TEST

START_TEST(a_token_that_is_away_is_status_5)
{
	struct stores t;

	stores_new(&t, false);
	stores_close(&t);
	soft_sealer_control(t.sealer)->away = true;
	stores_refused(&t, KMS_ERR_TOKEN);
	soft_sealer_control(t.sealer)->away = false;
	stores_open(&t);
	stores_end(&t);
}
END_TEST

START_TEST(opening_asks_the_token_for_little)
{
	struct soft_control *c;
	struct stores t;
	unsigned i;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	for (i = 0; i < 20; i++)
		add_key(&t, "ENCR_a", NULL, KMS_ACTIVE, NULL);
	stores_close(&t);
	c = soft_sealer_control(t.sealer);
	c->unwraps = c->wraps = c->puts = 0;
	stores_open(&t);
	ck_assert_uint_eq(c->unwraps, 2); /* file key, KPK's proof */
	ck_assert_uint_eq(c->wraps, 0);
	ck_assert_uint_eq(c->puts, 0);
	stores_end(&t);
}
END_TEST

/* --- the header ------------------------------------------------------- */

static void
break_header(struct stores *t, int copy)
{
	char sql[128];

	snprintf(sql, sizeof(sql),
	    "UPDATE header%d SET body = zeroblob(length(body))", copy);
	run_sql(t->path, sql);
}

START_TEST(either_good_copy_of_the_header_serves)
{
	struct kms_verify_report report;
	struct kms_header *h = calloc(1, sizeof(*h));
	struct stores t;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_key(&t, "ENCR_a", NULL, KMS_ACTIVE, NULL);
	ok(kms_verify(t.store, &report, NULL, NULL));
	ck_assert(!report.header_copies_differ);
	stores_close(&t);
	break_header(&t, 1 + _i);
	stores_open(&t);
	ok(kms_verify(t.store, &report, NULL, NULL));
	ck_assert(report.header_copies_differ);
	stores_close(&t);
	ok(kms_store_read_header(t.path, h));
	ck_assert_uint_eq(h->n, 2);
	break_header(&t, 2 - _i);
	stores_refused(&t, KMS_ERR_DAMAGED);
	fails(kms_store_read_header(t.path, h), KMS_ERR_DAMAGED, "header");
	stores_end(&t);
	free(h);
}
END_TEST

START_TEST(a_newer_format_is_refused_by_name)
{
	struct stores t;

	stores_new(&t, false);
	stores_close(&t);
	run_sql(t.path, "PRAGMA user_version = 99");
	stores_refused(&t, KMS_ERR_VERSION);
	stores_end(&t);
}
END_TEST

START_TEST(modes_too_open_are_refused)
{
	struct stores t;

	stores_new(&t, false);
	stores_close(&t);
	ck_assert_int_eq(chmod(t.path, 0644), 0);
	stores_refused(&t, KMS_ERR_CONFIG);
	ck_assert_int_eq(chmod(t.path, 0600), 0);
	ck_assert_int_eq(chmod(fx_path(t.fx, "."), 0755), 0);
	stores_refused(&t, KMS_ERR_CONFIG);
	ck_assert_int_eq(chmod(fx_path(t.fx, "."), 0700), 0);
	stores_open(&t);
	stores_end(&t);
}
END_TEST

/* --- what a thief of the files sees ----------------------------------- */

START_TEST(the_files_show_no_name_tag_or_description)
{
	static const char *const words[] = {"ENCR_payroll", "quarterly",
	    "describes it", "VOL001", "drive-7", "because of"};
	const struct kms_key_change change = {.description = "describes it",
	    .allowserve = true,
	    .reason = "because of"};
	const struct kms_purpose purpose = {.use = KMS_USE_WRITE,
	    .drive = "drive-7",
	    .volume = "VOL001"};
	struct kms_secret *key;
	struct kms_tag tag;
	struct stores t;
	struct kms_tx *tx;
	size_t i;

	stores_new(&t, false);
	add_group(&t, "ENCR_payroll");
	add_key(&t, "ENCR_payroll", "quarterly", KMS_ACTIVE, &tag);
	stores_write(&t, &tx);
	ok(kms_key_modify(tx, "ENCR_payroll", "quarterly", &change));
	ok(kms_tx_commit(&tx));
	ok(kms_release(t.store, &t.actor, &tag, &purpose, &key));
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		ck_assert(!fx_contains(t.fx, t.path, words[i],
		    strlen(words[i])));
		ck_assert(!fx_contains(t.fx, t.log_path, words[i],
		    strlen(words[i])));
	}
	ck_assert(!fx_contains(t.fx, t.path, tag.b, 8));
	ck_assert(!fx_contains(t.fx, t.log_path, tag.b, 8));
	ck_assert(!fx_contains(t.fx, t.path, kms_secret_bytes(key), 8));
	/* The control: what is in clear is found by the same search. */
	ck_assert(fx_contains(t.fx, t.path, "HMK 1", 5));
	kms_secret_free(&key);
	stores_end(&t);
}
END_TEST

TCase *
test_store(void)
{
	TCase *tc = tcase_create("store");

	tcase_set_timeout(tc, 60);

	tcase_add_test(tc, a_new_store_opens_and_has_nothing_in_it);
	tcase_add_test(tc, what_was_added_is_there_after_reopening);
	tcase_add_loop_test(tc, a_master_key_that_is_gone_is_a_missing_token, 0,
	    2);
	tcase_add_loop_test(tc,
	    a_master_key_of_another_value_is_refused_by_name, 0, 2);
	tcase_add_loop_test(tc, a_second_master_key_of_the_same_id_is_refused,
	    0, 2);
	tcase_add_loop_test(tc, an_extractable_master_key_is_refused, 0, 2);
	tcase_add_test(tc, a_token_that_is_away_is_status_5);
	tcase_add_test(tc, opening_asks_the_token_for_little);
	tcase_add_loop_test(tc, either_good_copy_of_the_header_serves, 0, 2);
	tcase_add_test(tc, a_newer_format_is_refused_by_name);
	tcase_add_test(tc, modes_too_open_are_refused);
	tcase_add_test(tc, the_files_show_no_name_tag_or_description);
	return tc;
}
