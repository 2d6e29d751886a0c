#include <string.h>

#include "kms/policy.h"
#include "tests/lib/mutate.h"
#include "tests/unit/kms/tests.h"

static const uint8_t salt[24] = {1, 2, 3};

START_TEST(a_tag_made_here_is_kind_cost_check_salt)
{
	const uint8_t kcv[8] = {0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8};
	char text[KMS_TAG_TEXT];
	struct kms_tag tag;

	ck_assert_int_eq(kms_tag_make(&tag, KMS_TAG_PHRASE, 21, salt), 0);
	kms_tag_set_check(&tag, kcv);
	kms_tag_text(&tag, text);
	ck_assert_str_eq(text,
	    "b115c1c2c3c4c5c6010203000000000000000000000000000000000000000000");
	ck_assert(kms_tag_kind(&tag) == KMS_TAG_PHRASE);
	ck_assert_uint_eq(kms_tag_cost(&tag), 21);
}
END_TEST

START_TEST(the_check_is_the_first_six_bytes_of_the_check_value)
{
	uint8_t kcv[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	struct kms_tag tag, zero;
	size_t i;

	ck_assert_int_eq(kms_tag_make(&tag, KMS_TAG_RANDOM, 0, salt), 0);
	kms_tag_set_check(&tag, kcv);
	for (i = 0; i < 8; i++) {
		kcv[i] ^= 1;
		ck_assert(kms_tag_checks(&tag, kcv) == (i >= 6));
		kcv[i] ^= 1;
	}
	kms_tag_zero_check(&tag, &zero);
	ck_assert_int_eq(kms_tag_make(&tag, KMS_TAG_RANDOM, 0, salt), 0);
	ck_assert(kms_tag_equal(&tag, &zero));
}
END_TEST

START_TEST(a_cost_out_of_range_is_neither_made_nor_believed)
{
	struct kms_tag tag;
	unsigned cost;

	for (cost = 0; cost < 256; cost++) {
		bool fits = cost >= KMS_KDF_COST_MIN &&
		    cost <= KMS_KDF_COST_MAX;

		ck_assert_int_eq(kms_tag_make(&tag, KMS_TAG_GROUP, cost, salt),
		    fits ? 0 : KMS_ERR_LIMIT);
		ck_assert_int_eq(kms_tag_make(&tag, KMS_TAG_RANDOM, cost, salt),
		    cost == 0 ? 0 : KMS_ERR_LIMIT);
		ck_assert_int_eq(kms_tag_make(&tag, KMS_TAG_PHRASE, 21, salt),
		    0);
		tag.b[1] = (uint8_t)cost;
		ck_assert(kms_tag_kind(&tag) ==
		    (fits ? KMS_TAG_PHRASE : KMS_TAG_FOREIGN));
	}
}
END_TEST

START_TEST(every_other_tag_is_foreign)
{
	struct kms_tag tag;
	unsigned kind;

	ck_assert_int_eq(kms_tag_make(&tag, KMS_TAG_PHRASE, 21, salt), 0);
	for (kind = 0; kind < 256; kind++) {
		tag.b[0] = (uint8_t)kind;
		ck_assert((kms_tag_kind(&tag) == KMS_TAG_FOREIGN) ==
		    (kind != KMS_TAG_PHRASE && kind != KMS_TAG_GROUP));
	}
	tag.b[0] = KMS_TAG_PHRASE;
	tag.len = 31;
	ck_assert(kms_tag_kind(&tag) == KMS_TAG_FOREIGN);
	ck_assert_uint_eq(kms_tag_cost(&tag), 0);
}
END_TEST

START_TEST(a_tag_has_1_to_32_bytes)
{
	uint8_t b[33] = {9};
	struct kms_tag tag;

	ck_assert_int_eq(kms_tag_from(&tag, b, 0), KMS_ERR_USAGE);
	ck_assert_int_eq(kms_tag_from(&tag, b, 33), KMS_ERR_USAGE);
	ck_assert_int_eq(kms_tag_from(&tag, b, 1), 0);
	ck_assert_int_eq(kms_tag_from(&tag, b, 32), 0);
}
END_TEST

START_TEST(a_tag_is_typed_with_blanks_dashes_and_either_case)
{
	struct kms_tag a, b;

	ck_assert_int_eq(kms_tag_parse(&a, "B1-15 aBcD"), 0);
	ck_assert_int_eq(kms_tag_parse(&b, "b115abcd"), 0);
	ck_assert(kms_tag_equal(&a, &b));
	ck_assert_int_eq(kms_tag_parse(&a, ""), KMS_ERR_USAGE);
	ck_assert_int_eq(kms_tag_parse(&a, "b1x"), KMS_ERR_USAGE);
	ck_assert_int_eq(kms_tag_parse(&a, "b11"), KMS_ERR_USAGE);
	ck_assert_int_eq(kms_tag_parse(&a,
			     "000102030405060708090a0b0c0d0e0f1011121314151617"
			     "18191a1b1c1d1e1f20"),
	    KMS_ERR_USAGE);
	assert_cause(KMS_ERR_USAGE, "key tag");
	ck_assert_uint_eq(a.len, 0);
}
END_TEST

START_TEST(tags_of_other_length_are_not_equal)
{
	struct kms_tag a = {.len = 1, .b = {7}}, b = {.len = 2, .b = {7}};

	ck_assert(!kms_tag_equal(&a, &b));
	b.len = 1;
	ck_assert(kms_tag_equal(&a, &b));
	b.b[0] = 8;
	ck_assert(!kms_tag_equal(&a, &b));
}
END_TEST

static void
decode_mutant(void *ctx, const struct mutant *m)
{
	uint8_t again[64];
	struct kms_tag tag;
	struct kms_rd rd;
	struct kms_wr wr;

	(void)ctx;
	kms_rd_init(&rd, m->p, m->len);
	kms_tag_decode(&tag, &rd);
	if (kms_rd_end(&rd, "tag") != 0)
		return;
	kms_wr_fixed(&wr, again, sizeof(again));
	kms_tag_encode(&tag, &wr);
	ck_assert_uint_eq(wr.len, m->len);
	ck_assert_msg(memcmp(again, m->p, m->len) == 0, "%s", m->what);
}

START_TEST(a_changed_encoding_is_refused_or_encodes_the_same_again)
{
	uint8_t b[64];
	struct kms_tag tag;
	struct kms_wr wr;

	ck_assert_int_eq(kms_tag_make(&tag, KMS_TAG_PHRASE, 21, salt), 0);
	kms_wr_fixed(&wr, b, sizeof(b));
	kms_tag_encode(&tag, &wr);
	ck_assert_int_eq(kms_wr_check(&wr, "tag"), 0);
	ck_assert_uint_gt(mutate(b, wr.len, decode_mutant, NULL), 250);
}
END_TEST

Suite *
tag_suite(void)
{
	Suite *s = suite_create("tag");
	TCase *t = tcase_create("tag");

	tcase_add_test(t, a_tag_made_here_is_kind_cost_check_salt);
	tcase_add_test(t, the_check_is_the_first_six_bytes_of_the_check_value);
	tcase_add_test(t, a_cost_out_of_range_is_neither_made_nor_believed);
	tcase_add_test(t, every_other_tag_is_foreign);
	tcase_add_test(t, a_tag_has_1_to_32_bytes);
	tcase_add_test(t, a_tag_is_typed_with_blanks_dashes_and_either_case);
	tcase_add_test(t, tags_of_other_length_are_not_equal);
	tcase_add_test(t,
	    a_changed_encoding_is_refused_or_encodes_the_same_again);
	suite_add_tcase(s, t);
	return s;
}
