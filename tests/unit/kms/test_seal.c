#include <string.h>

#include "kms/seal.h"
#include "tests/lib/mutate.h"
#include "tests/unit/kms/tests.h"

static const uint8_t uuid[16] = {0xa0, 1, 2, 3};
static struct kms_seal *seal;
static struct kms_wr out;
static uint8_t tag[16];
static struct kms_row row;

/* One row, sealed under slot 1. */
static void
setup(void)
{
	struct kms_secret *k;

	k = key_of(5);
	ck_assert_int_eq(kms_seal_new(uuid, &seal), 0);
	ck_assert_int_eq(kms_seal_add(seal, 1, k, true), 0);
	kms_secret_free(&k);
	kms_wr_grow(&out, KMS_SEALED_MAX);
	row = (struct kms_row){.id = 7, .generation = 3, .kind = KMS_KIND_KEY};
	ck_assert_int_eq(kms_seal_row(seal, &row, "content", 7, &out, tag), 0);
	row.sealed = out.p;
	row.len = out.len;
}

static void
teardown(void)
{
	kms_seal_free(&seal);
	kms_wr_free(&out);
}

static int
open_row(const struct kms_row *r)
{
	uint8_t plain[128];
	size_t n;
	int rc;

	rc = kms_seal_open(seal, r, plain, &n);
	if (rc == 0)
		ck_assert(n == 7 && memcmp(plain, "content", 7) == 0);
	else
		ck_assert_uint_eq(n, 0);
	return rc;
}

START_TEST(a_row_opens_as_what_was_sealed)
{
	ck_assert_uint_eq(row.len, 7 + KMS_SEAL_OVERHEAD);
	ck_assert_int_eq(open_row(&row), 0);
	ck_assert(memcmp(kms_seal_tag(&row), tag, 16) == 0);
}
END_TEST

START_TEST(every_clear_column_is_bound)
{
	struct kms_row r = row;

	r.id++;
	ck_assert_int_eq(open_row(&r), KMS_ERR_DAMAGED);
	assert_cause(KMS_ERR_DAMAGED, "row 8");
	r = row;
	r.generation--;
	ck_assert_int_eq(open_row(&r), KMS_ERR_DAMAGED);
	r = row;
	r.kind = KMS_KIND_GROUP;
	ck_assert_int_eq(open_row(&r), KMS_ERR_DAMAGED);
}
END_TEST

START_TEST(a_row_of_another_store_does_not_open)
{
	uint8_t other[16] = {0xa1};
	struct kms_secret *k = key_of(5);

	kms_seal_free(&seal);
	ck_assert_int_eq(kms_seal_new(other, &seal), 0);
	ck_assert_int_eq(kms_seal_add(seal, 1, k, true), 0);
	ck_assert_int_eq(open_row(&row), KMS_ERR_DAMAGED);
	kms_secret_free(&k);
}
END_TEST

static void
open_mutant(void *ctx, const struct mutant *m)
{
	struct kms_row r = row;

	(void)ctx;
	r.sealed = m->p;
	r.len = m->len;
	ck_assert_msg(open_row(&r) == KMS_ERR_DAMAGED, "%s", m->what);
}

START_TEST(no_changed_byte_opens)
{
	ck_assert_uint_gt(mutate(row.sealed, row.len, open_mutant, NULL),
	    8 * row.len);
}
END_TEST

START_TEST(equal_rows_never_look_equal)
{
	struct kms_wr again;
	uint8_t tag2[16];

	kms_wr_grow(&again, KMS_SEALED_MAX);
	ck_assert_int_eq(kms_seal_row(seal, &row, "content", 7, &again, tag2),
	    0);
	ck_assert(memcmp(again.p + 2, row.sealed + 2, 12) != 0);
	ck_assert(memcmp(tag, tag2, 16) != 0);
	kms_wr_free(&again);
}
END_TEST

START_TEST(two_file_keys_open_and_the_current_one_seals)
{
	struct kms_secret *k = key_of(6);
	struct kms_row r = row;
	struct kms_wr wr;

	ck_assert_int_eq(kms_seal_add(seal, 9, k, true), 0);
	ck_assert_int_eq(kms_seal_add(seal, 9, k, true), KMS_ERR_INTERNAL);
	kms_wr_grow(&wr, KMS_SEALED_MAX);
	ck_assert_int_eq(kms_seal_row(seal, &r, "content", 7, &wr, tag), 0);
	r.sealed = wr.p;
	r.len = wr.len;
	ck_assert_uint_eq(kms_get16(r.sealed), 9);
	ck_assert_int_eq(open_row(&r), 0);
	ck_assert_int_eq(open_row(&row), 0);
	wr.p[1] = 1; /* the other slot: bound too */
	ck_assert_int_eq(open_row(&r), KMS_ERR_DAMAGED);
	wr.p[1] = 8;
	ck_assert_int_eq(open_row(&r), KMS_ERR_DAMAGED);
	assert_cause(KMS_ERR_DAMAGED, "slot 8, which is not open");
	kms_wr_free(&wr);
	kms_secret_free(&k);
}
END_TEST

START_TEST(nothing_seals_without_a_current_key)
{
	struct kms_secret *k = key_of(6);
	struct kms_wr wr;

	kms_seal_free(&seal);
	ck_assert_int_eq(kms_seal_new(uuid, &seal), 0);
	kms_wr_grow(&wr, KMS_SEALED_MAX);
	ck_assert_int_eq(kms_seal_row(seal, &row, "x", 1, &wr, tag),
	    KMS_ERR_INTERNAL);
	ck_assert_int_eq(kms_seal_add(seal, 1, k, false), 0);
	ck_assert_int_eq(kms_seal_row(seal, &row, "x", 1, &wr, tag),
	    KMS_ERR_INTERNAL);
	kms_secret_free(&k);
}
END_TEST

START_TEST(a_row_over_its_bound_is_not_sealed)
{
	static uint8_t big[KMS_SEALED_MAX];
	struct kms_wr wr;

	kms_wr_grow(&wr, 2 * KMS_SEALED_MAX);
	ck_assert_int_eq(kms_seal_row(seal, &row, big,
			     KMS_SEALED_MAX - KMS_SEAL_OVERHEAD, &wr, tag),
	    0);
	ck_assert_int_eq(kms_seal_row(seal, &row, big,
			     KMS_SEALED_MAX - KMS_SEAL_OVERHEAD + 1, &wr, tag),
	    KMS_ERR_LIMIT);
	kms_wr_free(&wr);
}
END_TEST

/* Opened by hand: HKDF, then GCM with the AAD as documented. */
START_TEST(the_layout_is_the_documented_one)
{
	const struct kms_bytes info = {"p11kms/1/row", 12};
	uint8_t aad[38], plain[7];
	struct kms_secret *file_key = key_of(5), *key;
	struct kms_gcm *gcm;

	memcpy(aad, uuid, 16);
	kms_put16(aad + 16, 1);
	kms_put16(aad + 18, KMS_KIND_KEY);
	kms_put64(aad + 20, 7);
	kms_put64(aad + 28, 3);
	kms_put16(aad + 36, 1);
	ck_assert_int_eq(kms_hkdf(file_key, info, 32, &key), 0);
	ck_assert_int_eq(kms_gcm_new(key, &gcm), 0);
	ck_assert_uint_eq(kms_get16(row.sealed), 1);
	ck_assert_int_eq(kms_gcm_open(gcm, row.sealed + 2,
			     (struct kms_bytes){aad, sizeof(aad)},
			     row.sealed + 14, 7, plain, row.sealed + 21),
	    0);
	ck_assert(memcmp(plain, "content", 7) == 0);
	kms_gcm_free(&gcm);
	kms_secret_free(&key);
	kms_secret_free(&file_key);
}
END_TEST

Suite *
seal_suite(void)
{
	Suite *s = suite_create("seal");
	TCase *t = tcase_create("seal");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_row_opens_as_what_was_sealed);
	tcase_add_test(t, every_clear_column_is_bound);
	tcase_add_test(t, a_row_of_another_store_does_not_open);
	tcase_add_test(t, no_changed_byte_opens);
	tcase_add_test(t, equal_rows_never_look_equal);
	tcase_add_test(t, two_file_keys_open_and_the_current_one_seals);
	tcase_add_test(t, nothing_seals_without_a_current_key);
	tcase_add_test(t, a_row_over_its_bound_is_not_sealed);
	tcase_add_test(t, the_layout_is_the_documented_one);
	suite_add_tcase(s, t);
	return s;
}
