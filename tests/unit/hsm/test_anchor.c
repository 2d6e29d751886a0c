#include "tests/unit/hsm/tests.h"

#include <string.h>

#include "hsm/object.h"

static const uint8_t uuid[16] = {0xaa, 1, 2, 3};
static const uint8_t other[16] = {0xbb, 1, 2, 3};
static const char label[] = "aa010203000000000000000000000000";

static struct kms_anchor
anchor_of(uint8_t fill, size_t len)
{
	struct kms_anchor a = {.len = len};

	memset(a.bytes, fill, len);
	return a;
}

static void
put(uint8_t fill)
{
	struct kms_anchor a = anchor_of(fill, 120);

	assert_ok(sealer->anchor_put(sealer, uuid, &a));
}

static size_t
get(struct kms_anchor out[4])
{
	size_t n;

	assert_ok(sealer->anchor_get(sealer, uuid, out, 4, &n));
	return n;
}

/* Another one beside it, as a kill leaves it. */
static void
plant(uint8_t fill, bool private)
{
	struct kms_anchor a = anchor_of(fill, 120);
	struct raw r = raw_open();
	struct hsm_template t;
	CK_OBJECT_HANDLE h;

	hsm_template_init(&t);
	hsm_template_number(&t, CKA_CLASS, CKO_DATA);
	hsm_template_bool(&t, CKA_TOKEN, true);
	hsm_template_bool(&t, CKA_PRIVATE, private);
	hsm_template_bytes(&t, CKA_APPLICATION, "p11kms", 6);
	hsm_template_bytes(&t, CKA_LABEL, label, 32);
	hsm_template_bytes(&t, CKA_VALUE, a.bytes, a.len);
	ck_assert_uint_eq(r.f->C_CreateObject(r.h, t.a, t.n, &h), CKR_OK);
}

START_TEST(none_is_none)
{
	struct kms_anchor a[4];

	ck_assert_uint_eq(get(a), 0);
}
END_TEST

START_TEST(the_last_one_put_is_the_one_there_is)
{
	struct kms_anchor a[4];

	put(1);
	put(2);
	ck_assert_uint_eq(get(a), 1);
	ck_assert_uint_eq(a[0].len, 120);
	ck_assert_uint_eq(a[0].bytes[0], 2);
}
END_TEST

START_TEST(it_outlives_the_process)
{
	struct kms_anchor a[4];

	put(7);
	close_sealer();
	open_ok();
	ck_assert_uint_eq(get(a), 1);
	ck_assert_uint_eq(a[0].bytes[119], 7);
}
END_TEST

START_TEST(the_longest_fits)
{
	struct kms_anchor in = anchor_of(3, KMS_ANCHOR_MAX), a[4];

	assert_ok(sealer->anchor_put(sealer, uuid, &in));
	ck_assert_uint_eq(get(a), 1);
	ck_assert_uint_eq(a[0].len, KMS_ANCHOR_MAX);
}
END_TEST

START_TEST(stores_do_not_see_each_others)
{
	struct kms_anchor a[4], theirs = anchor_of(9, 10);

	assert_ok(sealer->anchor_put(sealer, other, &theirs));
	put(1);
	put(2);
	ck_assert_uint_eq(get(a), 1);
	ck_assert_uint_eq(a[0].bytes[0], 2);
}
END_TEST

START_TEST(two_are_both_shown_and_the_next_put_leaves_one)
{
	struct kms_anchor a[4];

	put(1);
	plant(2, true);
	ck_assert_uint_eq(get(a), 2);
	put(3);
	ck_assert_uint_eq(get(a), 1);
	ck_assert_uint_eq(a[0].bytes[0], 3);
}
END_TEST

START_TEST(public_ones_that_anybody_could_make_do_not_count)
{
	struct kms_anchor a[4];

	put(1);
	plant(2, false);
	ck_assert_uint_eq(get(a), 1);
	ck_assert_uint_eq(a[0].bytes[0], 1);
}
END_TEST

START_TEST(a_put_whose_answer_was_lost_is_not_doubled)
{
	struct kms_anchor a[4];

	put(1);
	faults("C_CreateObject:1!=5");
	put(2);
	ck_assert_uint_eq(calls_of("C_CreateObject"), 2);
	ck_assert_uint_eq(get(a), 1);
	ck_assert_uint_eq(a[0].bytes[0], 2);
}
END_TEST

START_TEST(a_put_that_could_not_destroy_is_finished)
{
	struct kms_anchor a[4];

	put(1);
	faults("C_DestroyObject:1=5");
	put(2);
	ck_assert_uint_eq(get(a), 1);
	ck_assert_uint_eq(a[0].bytes[0], 2);
}
END_TEST

/* Found, and gone before it was read, as another process's put leaves it. */
START_TEST(one_replaced_while_it_was_read_is_looked_for_again)
{
	struct kms_anchor a[4];

	put(1);
	faults("C_GetAttributeValue:1=82");
	ck_assert_uint_eq(get(a), 1);
	ck_assert_uint_eq(a[0].bytes[0], 1);
}
END_TEST

START_TEST(a_token_without_data_objects_says_so)
{
	struct kms_anchor a = anchor_of(1, 120);
	unsigned logins = calls_of("C_Login");

	faults("nodata");
	assert_fails(sealer->anchor_put(sealer, uuid, &a), KMS_ERR_NOTFOUND,
	    "takes no data objects");
	ck_assert_uint_eq(calls_of("C_Login"), logins);
}
END_TEST

START_TEST(put_under_the_lock_and_others_wait)
{
	struct kms_anchor a[4];

	assert_ok(sealer->lock(sealer));
	ck_assert_uint_eq(get(a), 0);
	put(1);
	ck_assert_uint_eq(get(a), 1);
	sealer->unlock(sealer);
}
END_TEST

TCase *
anchor_tests(void)
{
	TCase *tc = case_opened("anchor");

	tcase_add_test(tc, none_is_none);
	tcase_add_test(tc, the_last_one_put_is_the_one_there_is);
	tcase_add_test(tc, it_outlives_the_process);
	tcase_add_test(tc, the_longest_fits);
	tcase_add_test(tc, stores_do_not_see_each_others);
	tcase_add_test(tc, two_are_both_shown_and_the_next_put_leaves_one);
	tcase_add_test(tc, public_ones_that_anybody_could_make_do_not_count);
	tcase_add_test(tc, a_put_whose_answer_was_lost_is_not_doubled);
	tcase_add_test(tc, a_put_that_could_not_destroy_is_finished);
	tcase_add_test(tc, one_replaced_while_it_was_read_is_looked_for_again);
	tcase_add_test(tc, a_token_without_data_objects_says_so);
	tcase_add_test(tc, put_under_the_lock_and_others_wait);
	return tc;
}
