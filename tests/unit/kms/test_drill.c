/* A drill proves a phrase by what the store holds, and leaves a date. */
#include <string.h>

#include "kms/drill.h"
#include "tests/unit/kms/stores.h"

static void
begin(struct stores *t)
{
	stores_begin(t, false);
	stores_create_of_phrases(t);
	stores_open(t);
}

static int
drill(struct stores *t, enum kms_drill_what what, const char *text)
{
	bool master = what == KMS_DRILL_HMK || what == KMS_DRILL_KPK;
	struct kms_secret *phrase = secret_of(text);
	const struct kms_drill d = {.what = what,
	    .group = master ? NULL : "ENCR_a",
	    .key = what == KMS_DRILL_KEY ? "k" : NULL,
	    .phrase = phrase};
	struct kms_drilled done;
	int r = kms_drill(t->store, &t->actor, &d, &done);

	kms_secret_free(&phrase);
	return r;
}

struct seen {
	unsigned n;
	struct kms_drilled last;
};

static int
see(void *arg, const struct kms_drilled *d)
{
	struct seen *seen = arg;

	seen->n++;
	seen->last = *d;
	return 0;
}

static struct seen
recorded(struct stores *t)
{
	struct seen seen = {.n = 0};
	struct kms_tx *tx;

	stores_read(t, &tx);
	ok(kms_drill_list(tx, see, &seen));
	kms_tx_abort(&tx);
	return seen;
}

START_TEST(a_right_phrase_leaves_its_date_and_nothing_else)
{
	struct kms_slot slot;
	struct stores t;
	struct seen seen;
	uint64_t before;

	begin(&t);
	before = kms_store_generation(t.store);
	ok(drill(&t, KMS_DRILL_HMK, HMK_PHRASE));
	ok(drill(&t, KMS_DRILL_KPK, KPK_PHRASE));
	ck_assert_uint_eq(kms_store_generation(t.store), before + 2);
	stores_close(&t);
	stores_open(&t);
	seen = recorded(&t);
	ck_assert_uint_eq(seen.n, 2);
	ck_assert_uint_eq(seen.last.what, KMS_DRILL_KPK);
	ok(kms_store_slot(t.store, KMS_ROLE_KPK, &slot));
	ck_assert_uint_eq(seen.last.slot, slot.no);
	ck_assert_int_gt(seen.last.time, 0);
	stores_end(&t);
}
END_TEST

START_TEST(a_wrong_phrase_leaves_nothing)
{
	struct stores t;
	uint64_t before;

	begin(&t);
	before = kms_store_generation(t.store);
	fails(drill(&t, KMS_DRILL_HMK, KPK_PHRASE), KMS_ERR_AUTH, "HMK 1");
	fails(drill(&t, KMS_DRILL_KPK, HMK_PHRASE), KMS_ERR_AUTH, "KPK 1");
	ck_assert_uint_eq(kms_store_generation(t.store), before);
	ck_assert_uint_eq(recorded(&t).n, 0);
	stores_end(&t);
}
END_TEST

START_TEST(what_has_no_phrase_cannot_be_drilled)
{
	struct kms_tag tag;
	struct stores t;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_key(&t, "ENCR_a", "k", KMS_ACTIVE, &tag);
	fails(drill(&t, KMS_DRILL_HMK, HMK_PHRASE), KMS_ERR_STATE,
	    "own backup");
	fails(drill(&t, KMS_DRILL_KPK, HMK_PHRASE), KMS_ERR_STATE,
	    "own backup");
	fails(drill(&t, KMS_DRILL_GROUP, HMK_PHRASE), KMS_ERR_STATE,
	    "-keyname");
	fails(drill(&t, KMS_DRILL_KEY, HMK_PHRASE), KMS_ERR_STATE, "backup");
	stores_end(&t);
}
END_TEST

START_TEST(a_group_is_drilled_by_its_newest_phrase)
{
	struct kms_group_change change = {0};
	struct kms_secret *first = secret_of("the group's first phrase");
	struct kms_secret *second = secret_of("the group's second one");
	struct kms_seed seed;
	struct kms_tx *tx;
	struct stores t;

	begin(&t);
	ok(kms_material_seed(t.store, first, &seed));
	stores_write(&t, &tx);
	ok(kms_group_add(tx, "ENCR_a", NULL, &seed));
	ok(kms_tx_commit(&tx));
	ok(drill(&t, KMS_DRILL_GROUP, "the group's first phrase"));
	ok(kms_material_seed(t.store, second, &seed));
	change.seed = &seed;
	stores_write(&t, &tx);
	ok(kms_group_modify(tx, "ENCR_a", &change));
	ok(kms_tx_commit(&tx));
	fails(drill(&t, KMS_DRILL_GROUP, "the group's first phrase"),
	    KMS_ERR_AUTH, "ENCR_a");
	ok(drill(&t, KMS_DRILL_GROUP, "the group's second one"));
	ck_assert_mem_eq(recorded(&t).last.salt, seed.salt, 16);
	kms_secret_free(&first);
	kms_secret_free(&second);
	stores_end(&t);
}
END_TEST

TCase *
test_drill(void)
{
	TCase *tc = tcase_create("drill");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, a_right_phrase_leaves_its_date_and_nothing_else);
	tcase_add_test(tc, a_wrong_phrase_leaves_nothing);
	tcase_add_test(tc, what_has_no_phrase_cannot_be_drilled);
	tcase_add_test(tc, a_group_is_drilled_by_its_newest_phrase);
	return tc;
}
