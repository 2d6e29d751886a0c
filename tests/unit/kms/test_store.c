/* Opening: whole, or refused with the right name for why. */
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

TCase *
test_store(void)
{
	TCase *tc = tcase_create("store");

	tcase_add_test(tc, a_new_store_opens_and_has_nothing_in_it);
	tcase_add_test(tc, what_was_added_is_there_after_reopening);
	return tc;
}
