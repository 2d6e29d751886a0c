#include <string.h>

#include "tests/lib/mutate.h"
#include "tests/unit/kms/tests.h"

static struct kms_root root;
static uint8_t b[KMS_ROOT_MAX];
static size_t n;

static size_t
encode(const struct kms_root *from, uint8_t *out)
{
	struct kms_wr wr;

	kms_wr_fixed(&wr, out, KMS_ROOT_MAX);
	ck_assert_int_eq(kms_root_encode(from, &wr), 0);
	return wr.len;
}

static void
setup(void)
{
	sample_root(&root);
	n = encode(&root, b);
}

static void
teardown(void)
{
	kms_root_clear(&root);
}

static void
assert_same(struct kms_root *a, struct kms_root *c)
{
	ck_assert(kms_secret_equal(a->set_key, c->set_key));
	ck_assert(kms_secret_equal(a->log_key, c->log_key));
	kms_secret_free(&a->set_key);
	kms_secret_free(&a->log_key);
	kms_secret_free(&c->set_key);
	kms_secret_free(&c->log_key);
	ck_assert(memcmp(a, c, sizeof(*a)) == 0);
}

START_TEST(a_root_comes_back_as_it_was)
{
	struct kms_root back;

	ck_assert_int_eq(kms_root_decode(&back, b, n), 0);
	assert_same(&root, &back);
}
END_TEST

START_TEST(a_copy_owns_its_own_keys)
{
	struct kms_root copy;

	ck_assert_int_eq(kms_root_copy(&copy, &root), 0);
	ck_assert_ptr_ne(copy.set_key, root.set_key);
	assert_same(&root, &copy);
}
END_TEST

START_TEST(the_layout_is_the_documented_one)
{
	assert_hex(b, 57,
	    "01"
	    "202122232425262728292a2b2c2d2e2f"
	    "00000000000004d2"
	    "0000000000000063"
	    "00066116b428a009"
	    "0000000000001388"
	    "000000000000004e");
	assert_hex(b + 57 + 64, 48,
	    "0000000000000003"
	    "0000000000000006"
	    "0000000000000009"
	    "000000000000000c"
	    "000000000000000f"
	    "0000000000000012");
	assert_hex(b + 57 + 64 + 48, 16 + 16 + 8 + 16 + 8,
	    "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
	    "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
	    "000000000000004d"
	    "e0e1e2e3e4e5e6e7e8e9eaebecedeeef"
	    "0000000000011170");
	ck_assert_uint_eq(b[233], 0x11); /* set key */
	ck_assert_uint_eq(b[265], 0x22); /* log key */
	assert_hex(b + 297, 5,
	    "02"
	    "0002"
	    "28"
	    "03");
	ck_assert_uint_eq(n, 297 + 1 + (2 + 1 + 40 + 8) + (2 + 1 + 60 + 8));
}
END_TEST

static void
decode_mutant(void *ctx, const struct mutant *m)
{
	uint8_t again[KMS_ROOT_MAX];
	struct kms_root got;
	int r;

	(void)ctx;
	r = kms_root_decode(&got, m->p, m->len);
	if (r != 0) {
		ck_assert_msg(r == KMS_ERR_DAMAGED || r == KMS_ERR_VERSION,
		    "%s: %d", m->what, r);
		ck_assert_ptr_null(got.set_key);
		return;
	}
	ck_assert_msg(encode(&got, again) == m->len &&
		memcmp(again, m->p, m->len) == 0,
	    "%s", m->what);
	kms_root_clear(&got);
}

START_TEST(a_changed_root_is_refused_or_encodes_the_same_again)
{
	ck_assert_uint_gt(mutate(b, n, decode_mutant, NULL), 8 * n);
}
END_TEST

START_TEST(a_newer_root_is_refused_by_its_number)
{
	struct kms_root got;

	b[0] = 2;
	ck_assert_int_eq(kms_root_decode(&got, b, n), KMS_ERR_VERSION);
	assert_cause(KMS_ERR_VERSION, "layout 2 is newer");
}
END_TEST

START_TEST(the_hash_is_that_of_the_encoding)
{
	uint8_t want[32], got[32];

	ck_assert_int_eq(kms_sha256(b, n, want), 0);
	ck_assert_int_eq(kms_root_hash(&root, got), 0);
	ck_assert(memcmp(want, got, 32) == 0);
	root.generation++;
	ck_assert_int_eq(kms_root_hash(&root, got), 0);
	ck_assert(memcmp(want, got, 32) != 0);
}
END_TEST

static void
refuse(void)
{
	struct kms_wr wr;

	kms_wr_fixed(&wr, b, sizeof(b));
	ck_assert_int_eq(kms_root_encode(&root, &wr), KMS_ERR_LIMIT);
	kms_root_clear(&root);
	sample_root(&root);
}

START_TEST(a_root_that_cannot_be_is_not_written)
{
	root.generation = 0;
	refuse();
	root.next_id = 1;
	refuse();
	root.seals = KMS_SEALS_MAX + 1;
	refuse();
	root.nproofs = KMS_SLOTS_MAX + 1;
	refuse();
	root.proof[1].slot = root.proof[0].slot;
	refuse();
	root.proof[0].wrapped.len = 0;
	refuse();
	kms_secret_free(&root.set_key);
	refuse();
	kms_secret_free(&root.log_key);
	refuse();
}
END_TEST

/* --- the multiset hash ------------------------------------------------- */

static struct kms_sum *
new_sum(void)
{
	struct kms_secret *k = key_of(0x33);
	struct kms_sum *sum;

	ck_assert_int_eq(kms_sum_new(k, &sum), 0);
	kms_secret_free(&k);
	return sum;
}

static void
tag_of(uint64_t id, uint8_t tag[16])
{
	memset(tag, (int)(id * 7 % 251), 16);
	kms_put64(tag, id);
}

static void
add_row(struct kms_sum *sum, uint64_t id, uint64_t generation)
{
	uint8_t tag[16];

	tag_of(id, tag);
	ck_assert_int_eq(kms_sum_add(sum, KMS_KIND_KEY, id, generation, tag),
	    0);
}

static void
remove_row(struct kms_sum *sum, uint64_t id, uint64_t generation)
{
	uint8_t tag[16];

	tag_of(id, tag);
	ck_assert_int_eq(kms_sum_remove(sum, KMS_KIND_KEY, id, generation, tag),
	    0);
}

START_TEST(a_sum_of_one_row_is_its_cbc_mac)
{
	struct kms_secret *k = key_of(0x33);
	uint8_t first[16], second[16], got[16];
	struct kms_sum *sum = new_sum();
	struct kms_ecb *ecb;
	size_t i;

	ck_assert_int_eq(kms_ecb_new(k, &ecb), 0);
	kms_put64(first, UINT64_C(3) << 56 | 77);
	kms_put64(first + 8, 5);
	ck_assert_int_eq(kms_ecb_blocks(ecb, first, first, 1), 0);
	tag_of(77, second);
	for (i = 0; i < 16; i++)
		second[i] ^= first[i];
	ck_assert_int_eq(kms_ecb_blocks(ecb, second, second, 1), 0);
	add_row(sum, 77, 5);
	ck_assert_int_eq(kms_sum_get(sum, got), 0);
	ck_assert(memcmp(got, second, 16) == 0);
	kms_sum_free(&sum);
	kms_ecb_free(&ecb);
	kms_secret_free(&k);
}
END_TEST

START_TEST(the_sum_does_not_depend_on_order_or_batches)
{
	struct kms_sum *up = new_sum(), *down = new_sum();
	uint8_t a[16], c[16];
	uint64_t i;

	for (i = 1; i <= 1000; i++) {
		add_row(up, i, i);
		add_row(down, 1001 - i, 1001 - i);
		if (i % 97 == 0)
			ck_assert_int_eq(kms_sum_get(down, c), 0);
	}
	ck_assert_int_eq(kms_sum_get(up, a), 0);
	ck_assert_int_eq(kms_sum_get(down, c), 0);
	ck_assert(memcmp(a, c, 16) == 0);
	kms_sum_free(&up);
	kms_sum_free(&down);
}
END_TEST

START_TEST(what_was_added_can_be_taken_back)
{
	struct kms_sum *sum = new_sum();
	uint8_t zero[16] = {0}, got[16], ten[16];
	uint64_t i;

	for (i = 1; i <= 300; i++)
		add_row(sum, i, 2);
	for (i = 300; i > 10; i--)
		remove_row(sum, i, 2);
	ck_assert_int_eq(kms_sum_get(sum, ten), 0);
	for (i = 10; i > 0; i--)
		remove_row(sum, i, 2);
	ck_assert_int_eq(kms_sum_get(sum, got), 0);
	ck_assert(memcmp(got, zero, 16) == 0);
	for (i = 1; i <= 10; i++)
		remove_row(sum, i, 2); /* below zero, and up again */
	for (i = 1; i <= 20; i++)
		add_row(sum, i > 10 ? i - 10 : i, 2);
	ck_assert_int_eq(kms_sum_get(sum, got), 0);
	ck_assert(memcmp(got, ten, 16) == 0);
	kms_sum_free(&sum);
}
END_TEST

START_TEST(every_part_of_a_row_counts)
{
	struct kms_sum *sum = new_sum();
	uint8_t tag[16] = {9}, base[16], got[16], zero[16] = {0};
	static const struct {
		uint16_t kind;
		uint64_t id, generation;
		uint8_t tag;
	} other[] = {{4, 1, 1, 9}, {3, 2, 1, 9}, {3, 1, 2, 9}, {3, 1, 1, 8}};
	size_t i;

	ck_assert_int_eq(kms_sum_add(sum, 3, 1, 1, tag), 0);
	ck_assert_int_eq(kms_sum_get(sum, base), 0);
	for (i = 0; i < 4; i++) {
		kms_sum_set(sum, zero);
		tag[0] = other[i].tag;
		ck_assert_int_eq(kms_sum_add(sum, other[i].kind, other[i].id,
				     other[i].generation, tag),
		    0);
		ck_assert_int_eq(kms_sum_get(sum, got), 0);
		ck_assert(memcmp(got, base, 16) != 0);
	}
	kms_sum_free(&sum);
}
END_TEST

START_TEST(a_row_that_does_not_fit_its_block_is_refused)
{
	struct kms_sum *sum = new_sum();
	const uint8_t tag[16] = {0};

	ck_assert_int_eq(kms_sum_add(sum, 256, 1, 1, tag), KMS_ERR_LIMIT);
	ck_assert_int_eq(kms_sum_add(sum, 1, UINT64_C(1) << 56, 1, tag),
	    KMS_ERR_LIMIT);
	kms_sum_free(&sum);
}
END_TEST

START_TEST(a_sum_goes_on_from_a_stored_value)
{
	struct kms_sum *sum = new_sum(), *next = new_sum();
	uint8_t a[16], c[16];

	add_row(sum, 1, 1);
	ck_assert_int_eq(kms_sum_get(sum, a), 0);
	kms_sum_set(next, a);
	add_row(sum, 2, 2);
	add_row(next, 2, 2);
	ck_assert_int_eq(kms_sum_get(sum, a), 0);
	ck_assert_int_eq(kms_sum_get(next, c), 0);
	ck_assert(memcmp(a, c, 16) == 0);
	kms_sum_free(&sum);
	kms_sum_free(&next);
}
END_TEST

Suite *
root_suite(void)
{
	Suite *s = suite_create("root");
	TCase *t = tcase_create("root"), *m = tcase_create("sum");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_root_comes_back_as_it_was);
	tcase_add_test(t, a_copy_owns_its_own_keys);
	tcase_add_test(t, the_layout_is_the_documented_one);
	tcase_add_test(t, a_changed_root_is_refused_or_encodes_the_same_again);
	tcase_add_test(t, a_newer_root_is_refused_by_its_number);
	tcase_add_test(t, the_hash_is_that_of_the_encoding);
	tcase_add_test(t, a_root_that_cannot_be_is_not_written);
	suite_add_tcase(s, t);
	tcase_add_test(m, a_sum_of_one_row_is_its_cbc_mac);
	tcase_add_test(m, the_sum_does_not_depend_on_order_or_batches);
	tcase_add_test(m, what_was_added_can_be_taken_back);
	tcase_add_test(m, every_part_of_a_row_counts);
	tcase_add_test(m, a_row_that_does_not_fit_its_block_is_refused);
	tcase_add_test(m, a_sum_goes_on_from_a_stored_value);
	suite_add_tcase(s, m);
	return s;
}
