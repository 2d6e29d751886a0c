/* Every key against the token, and the counts. */
#include <stdio.h>
#include <string.h>

#include "kms/directory.h"
#include "kms/stats.h"
#include "kms/store_impl.h"
#include "kms/verify.h"
#include "tests/unit/kms/stores.h"

static void
count(void *arg, uint64_t done, uint64_t all)
{
	uint64_t *last = arg;

	ck_assert_uint_eq(done, *last + 1);
	ck_assert_uint_le(done, all);
	*last = done;
}

START_TEST(a_good_store_is_counted_and_every_key_opened)
{
	struct kms_secret *phrase = secret_of("a group's passphrase");
	struct kms_verify_report report;
	struct kms_seed seed;
	struct stores t;
	struct kms_tx *tx;
	uint64_t done = 0;

	stores_new(&t, false);
	ok(kms_material_seed(t.store, phrase, &seed));
	stores_write(&t, &tx);
	ok(kms_group_add(tx, "ENCR_a", NULL, &seed));
	ok(kms_tx_commit(&tx));
	add_key(&t, "ENCR_a", "one", KMS_ACTIVE, NULL);
	add_key(&t, "ENCR_a", "two", KMS_ACTIVE, NULL);
	add_key(&t, "ENCR_a", "three", KMS_PRELIVE, NULL);
	stores_write(&t, &tx);
	ok(kms_key_delete(tx, "ENCR_a", "three", false, NULL));
	ok(kms_tx_commit(&tx));
	ok(kms_verify(t.store, &report, count, &done));
	ck_assert_uint_eq(report.groups, 1);
	ck_assert_uint_eq(report.keys, 2);
	ck_assert_uint_eq(report.tombstones, 1);
	ck_assert_uint_eq(report.unwrapped, 3); /* two keys and a seed */
	ck_assert_uint_eq(report.bad, 0);
	ck_assert_uint_eq(report.rows, done);
	ck_assert_uint_eq(report.rows,
	    report.groups + report.keys + report.audits + 1);
	ck_assert_int_eq(report.anchor, KMS_ANCHOR_KEPT);
	kms_secret_free(&phrase);
	stores_end(&t);
}
END_TEST

/* A record whose wrapped bytes were wrong when it was sealed: what a failing
 * token might have given. */
static void
spoil(struct stores *t, const char *name, size_t at)
{
	const struct kms_step step = {.event = KMS_EVENT_KEY_MODIFY};
	struct kms_record record;
	struct kms_key_view view;
	struct kms_tx *tx;

	stores_write(t, &tx);
	ok(kms_key_view(tx, "ENCR_a", name, &view));
	ok(kms_tx_get(tx, view.id, &record));
	record.u.key.wrapped.bytes[at] ^= 1;
	ok(kms_tx_step(tx, &step));
	ok(kms_tx_put(tx, &record));
	ok(kms_tx_commit(&tx));
	kms_record_clear(&record);
}

START_TEST(a_key_that_the_token_does_not_open_is_named)
{
	struct kms_verify_report report;
	const struct kms_purpose purpose = {.use = KMS_USE_READ};
	struct kms_secret *key = NULL;
	struct kms_tag tag;
	struct stores t;
	char row[32];

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_key(&t, "ENCR_a", "one", KMS_ACTIVE, NULL);
	add_key(&t, "ENCR_a", "bad", KMS_ACTIVE, &tag);
	add_key(&t, "ENCR_a", "worse", KMS_ACTIVE, NULL);
	spoil(&t, "bad", 3);
	spoil(&t, "worse", 30);
	snprintf(row, sizeof(row), "row %llu",
	    (unsigned long long)kms_directory_by_tag(t.store->dir, &tag)->id);
	fails(kms_verify(t.store, &report, NULL, NULL), KMS_ERR_DAMAGED, row);
	ck_assert_uint_eq(report.bad, 2);
	ck_assert_uint_eq(report.unwrapped, 1);
	fails(kms_release(t.store, &t.actor, &tag, &purpose, &key),
	    KMS_ERR_DAMAGED, row);
	ck_assert_ptr_null(key);
	stores_end(&t);
}
END_TEST

START_TEST(a_token_that_goes_away_is_no_finding)
{
	struct kms_verify_report report;
	struct stores t;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_key(&t, "ENCR_a", "one", KMS_ACTIVE, NULL);
	soft_sealer_control(t.sealer)->away = true;
	fails(kms_verify(t.store, &report, NULL, NULL), KMS_ERR_TOKEN, NULL);
	ck_assert_uint_eq(report.bad, 0);
	stores_end(&t);
}
END_TEST

START_TEST(the_counts_are_those_of_the_records)
{
	struct kms_secret *phrase = secret_of("a key's passphrase");
	struct kms_key_new new = {.group = "ENCR_a",
	    .state = KMS_PRELIVE,
	    .event = KMS_EVENT_KEY_CREATE};
	struct kms_material m;
	struct kms_key_view view;
	struct kms_stats s;
	struct stores t;
	struct kms_tx *tx;
	bool held;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_group(&t, "ENCR_b");
	add_key(&t, "ENCR_a", "one", KMS_ACTIVE, NULL);
	add_key(&t, "ENCR_a", "two", KMS_ACTIVE, NULL);
	add_key(&t, "ENCR_a", "gone", KMS_PRELIVE, NULL);
	ok(kms_material_phrase(t.store, phrase, &m));
	new.material = &m;
	stores_write(&t, &tx);
	ok(kms_key_add(tx, &new, &view, &held));
	ok(kms_key_delete(tx, "ENCR_a", "gone", true, "why"));
	ok(kms_tx_commit(&tx));
	stores_read(&t, &tx);
	ok(kms_stats(tx, &s));
	kms_tx_abort(&tx);
	ck_assert_uint_eq(s.groups, 2);
	ck_assert_uint_eq(s.keys, 3);
	ck_assert_uint_eq(s.by_state[KMS_ACTIVE], 1);
	ck_assert_uint_eq(s.by_state[KMS_INACTIVE], 1);
	ck_assert_uint_eq(s.by_state[KMS_PRELIVE], 1);
	ck_assert_uint_eq(s.unrecoverable, 2);
	ck_assert_uint_eq(s.waived, 3); /* the deleted one too */
	ck_assert_uint_eq(s.forced, 1);
	ck_assert_uint_eq(s.quiesced, 0);
	ck_assert_int_eq(s.last_backup, 0);
	ck_assert_uint_eq(s.generation, kms_store_generation(t.store));
	kms_secret_free(&phrase);
	stores_end(&t);
}
END_TEST

TCase *
test_verify(void)
{
	TCase *tc = tcase_create("verify");

	tcase_set_timeout(tc, 60);

	tcase_add_test(tc, a_good_store_is_counted_and_every_key_opened);
	tcase_add_test(tc, a_key_that_the_token_does_not_open_is_named);
	tcase_add_test(tc, a_token_that_goes_away_is_no_finding);
	tcase_add_test(tc, the_counts_are_those_of_the_records);
	return tc;
}
