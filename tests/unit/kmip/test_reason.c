#include "kms/kmip/reason.h"
#include "tests/unit/kmip/kmip_tests.h"

#include <string.h>

START_TEST(a_reason_asked_for_is_the_reason_given)
{
	int r = kmip_fail(INDEX_OUT_OF_BOUNDS, "index 7 of 3");

	ck_assert_int_lt(r, 0);
	ck_assert_uint_eq(kmip_reason_of(r), KMIP_REASON_INDEX_OUT_OF_BOUNDS);
	ck_assert_str_eq(kmip_reason_text(r), "index 7 of 3");
	r = kmip_fail(GENERAL_FAILURE, "so");
	ck_assert_uint_eq(kmip_reason_of(r), KMIP_REASON_GENERAL_FAILURE);
	ck_assert_uint_eq(kmip_reason_of(0), KMIP_REASON_NONE);
}
END_TEST

START_TEST(the_clients_own_mistakes_are_explained)
{
	int r = kms_fail(KMS_ERR_GATE, "ENCR_a: not recoverable yet");

	ck_assert_uint_eq(kmip_reason_of(r), KMIP_REASON_PERMISSION_DENIED);
	ck_assert_str_eq(kmip_reason_text(r), "ENCR_a: not recoverable yet");
	r = kms_fail(KMS_ERR_USAGE, "key name: over 255 bytes");
	ck_assert_uint_eq(kmip_reason_of(r), KMIP_REASON_INVALID_FIELD);
}
END_TEST

START_TEST(the_servers_inside_is_not_told)
{
	static const int inside[] = {KMS_ERR_INTERNAL, KMS_ERR_IO,
	    KMS_ERR_CONFIG, KMS_ERR_TOKEN, KMS_ERR_PIN, KMS_ERR_DAMAGED,
	    KMS_ERR_ROLLBACK, KMS_ERR_MASTER, KMS_ERR_NOTFOUND,
	    KMS_ERR_QUIESCED, KMS_ERR_BUSY};
	size_t i;

	for (i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
		int r = kms_fail(inside[i], "/var/lib/p11kms/kms.db");

		ck_assert_ptr_null(strstr(kmip_reason_text(r), "/var"));
		ck_assert_uint_gt(strlen(kmip_reason_text(r)), 0);
	}
}
END_TEST

START_TEST(what_passes_by_itself_is_marked)
{
	ck_assert(kmip_reason_is_passing(KMS_ERR_TOKEN));
	ck_assert(kmip_reason_is_passing(KMS_ERR_BUSY));
	ck_assert(kmip_reason_is_passing(KMS_ERR_QUIESCED));
	ck_assert(!kmip_reason_is_passing(KMS_ERR_GATE));
	ck_assert(!kmip_reason_is_passing(KMIP_ERR(ITEM_NOT_FOUND)));
}
END_TEST

TCase *
test_reason(void)
{
	TCase *t = tcase_create("reason");

	tcase_add_test(t, a_reason_asked_for_is_the_reason_given);
	tcase_add_test(t, the_clients_own_mistakes_are_explained);
	tcase_add_test(t, the_servers_inside_is_not_told);
	tcase_add_test(t, what_passes_by_itself_is_marked);
	return t;
}
