#include <stdlib.h>
#include <string.h>

#include "kms/base/buf.h"
#include "tests/lib/mutate.h"
#include "tests/unit/base/tests.h"

static const uint8_t sample[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
    0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12};

/* Exactly n bytes, so that ASan sees a read of one more. */
static uint8_t *
exactly(size_t n)
{
	uint8_t *p = malloc(n > 0 ? n : 1);

	ck_assert_ptr_nonnull(p);
	ck_assert_uint_le(n, sizeof(sample));
	memcpy(p, sample, n);
	return p;
}

START_TEST(integers_are_read_big_endian)
{
	struct kms_rd rd;

	kms_rd_init(&rd, sample, sizeof(sample));
	ck_assert_uint_eq(kms_rd_u8(&rd), 0x01);
	ck_assert_uint_eq(kms_rd_u16(&rd), 0x0203);
	ck_assert_uint_eq(kms_rd_u24(&rd), 0x040506);
	ck_assert_uint_eq(kms_rd_u32(&rd), 0x0708090a);
	ck_assert_uint_eq(kms_rd_left(&rd), 8);
	ck_assert(kms_rd_u64(&rd) == UINT64_C(0x0b0c0d0e0f101112));
	ck_assert_int_eq(kms_rd_end(&rd, "sample"), 0);
}
END_TEST

static uint64_t
read_wide(struct kms_rd *rd, int width)
{
	switch (width) {
	case 1:
		return kms_rd_u8(rd);
	case 2:
		return kms_rd_u16(rd);
	case 3:
		return kms_rd_u24(rd);
	case 4:
		return kms_rd_u32(rd);
	default:
		return kms_rd_u64(rd);
	}
}

START_TEST(no_integer_is_read_past_the_end)
{
	const int widths[] = {1, 2, 3, 4, 8};
	struct kms_rd rd;
	uint8_t *p;
	size_t w, n;

	for (w = 0; w < 5; w++)
		for (n = 0; n < (size_t)widths[w]; n++) {
			p = exactly(n);
			kms_rd_init(&rd, p, n);
			ck_assert(read_wide(&rd, widths[w]) == 0);
			ck_assert(rd.bad);
			ck_assert_uint_eq(kms_rd_left(&rd), 0);
			free(p);
		}
}
END_TEST

START_TEST(a_failed_read_fails_all_that_follow)
{
	uint8_t out[4] = {9, 9, 9, 9};
	struct kms_rd rd, sub;
	char text[8] = "old";

	kms_rd_init(&rd, sample, sizeof(sample));
	ck_assert_ptr_null(kms_rd_bytes(&rd, sizeof(sample) + 1));
	ck_assert_uint_eq(kms_rd_u8(&rd), 0);
	ck_assert_ptr_null(kms_rd_bytes(&rd, 0));
	kms_rd_copy(&rd, out, sizeof(out));
	ck_assert_mem_eq(out, "\0\0\0\0", 4);
	kms_rd_str(&rd, text, sizeof(text));
	ck_assert_str_eq(text, "");
	kms_rd_sub(&rd, 1, &sub);
	ck_assert(sub.bad);
	ck_assert_uint_eq(kms_rd_left(&rd), 0);
	ck_assert_int_eq(kms_rd_check(&rd, "row"), KMS_ERR_DAMAGED);
	ck_assert_str_eq(kms_err_cause(KMS_ERR_DAMAGED), "row: truncated");
	ck_assert_int_eq(kms_rd_end(&rd, "row"), KMS_ERR_DAMAGED);
}
END_TEST

START_TEST(a_huge_count_does_not_wrap_around)
{
	struct kms_rd rd;

	kms_rd_init(&rd, sample, sizeof(sample));
	kms_rd_skip(&rd, 4);
	ck_assert_ptr_null(kms_rd_bytes(&rd, SIZE_MAX));
	kms_rd_init(&rd, sample, sizeof(sample));
	kms_rd_skip(&rd, 4);
	kms_rd_skip(&rd, SIZE_MAX - 3);
	ck_assert(rd.bad);
}
END_TEST

START_TEST(an_empty_input_has_no_bytes_and_no_error)
{
	struct kms_rd rd;
	uint8_t out;

	kms_rd_init(&rd, NULL, 0);
	ck_assert_ptr_nonnull(kms_rd_bytes(&rd, 0));
	kms_rd_copy(&rd, &out, 0);
	ck_assert_int_eq(kms_rd_end(&rd, "nothing"), 0);
	ck_assert_uint_eq(kms_rd_u8(&rd), 0);
	ck_assert_int_eq(kms_rd_check(&rd, "nothing"), KMS_ERR_DAMAGED);
}
END_TEST

START_TEST(what_is_left_over_is_an_error_at_the_end)
{
	struct kms_rd rd;

	kms_rd_init(&rd, sample, 3);
	(void)kms_rd_u8(&rd);
	ck_assert_int_eq(kms_rd_check(&rd, "row"), 0);
	ck_assert_int_eq(kms_rd_end(&rd, "row"), KMS_ERR_DAMAGED);
	ck_assert_str_eq(kms_err_cause(KMS_ERR_DAMAGED),
	    "row: 2 bytes too many");
}
END_TEST

START_TEST(a_sub_reader_ends_where_it_was_told)
{
	struct kms_rd rd, sub;

	kms_rd_init(&rd, sample, 6);
	kms_rd_sub(&rd, 2, &sub);
	ck_assert_uint_eq(kms_rd_u16(&sub), 0x0102);
	ck_assert_int_eq(kms_rd_end(&sub, "inner"), 0);
	ck_assert_uint_eq(kms_rd_u8(&sub), 0);
	ck_assert(sub.bad);
	ck_assert(!rd.bad);
	ck_assert_uint_eq(kms_rd_u32(&rd), 0x03040506);
	ck_assert_int_eq(kms_rd_end(&rd, "outer"), 0);
}
END_TEST

START_TEST(text_must_fit_and_hold_no_nul)
{
	static const uint8_t ok[] = {0, 3, 'a', 'b', 'c'};
	static const uint8_t nul[] = {0, 3, 'a', 0, 'c'};
	static const uint8_t cut[] = {0, 4, 'a', 'b', 'c'};
	struct kms_rd rd;
	char text[4];

	kms_rd_init(&rd, ok, sizeof(ok));
	kms_rd_str(&rd, text, 4);
	ck_assert_str_eq(text, "abc");
	ck_assert_int_eq(kms_rd_end(&rd, "text"), 0);
	kms_rd_init(&rd, ok, sizeof(ok));
	kms_rd_str(&rd, text, 3);
	ck_assert(rd.bad);
	ck_assert_str_eq(text, "");
	kms_rd_init(&rd, nul, sizeof(nul));
	kms_rd_str(&rd, text, 4);
	ck_assert(rd.bad);
	kms_rd_init(&rd, cut, sizeof(cut));
	kms_rd_str(&rd, text, 4);
	ck_assert(rd.bad);
	kms_rd_init(&rd, ok, sizeof(ok));
	kms_rd_str(&rd, text, 0);
	ck_assert(rd.bad);
}
END_TEST

START_TEST(what_is_written_is_read_back)
{
	struct kms_wr wr;
	struct kms_rd rd;
	char text[16];

	kms_wr_grow(&wr, 1000);
	kms_wr_u8(&wr, 0xfe);
	kms_wr_u16(&wr, 0xfedc);
	kms_wr_u24(&wr, 0xfedcba);
	kms_wr_u32(&wr, 0xfedcba98);
	kms_wr_u64(&wr, UINT64_C(0xfedcba9876543210));
	kms_wr_zero(&wr, 2);
	kms_wr_str(&wr, "ENCR_a");
	kms_wr_bytes(&wr, "xyz", 3);
	ck_assert_int_eq(kms_wr_check(&wr, "row"), 0);
	ck_assert_uint_eq(wr.len, 31);
	kms_rd_init(&rd, wr.p, wr.len);
	ck_assert_uint_eq(kms_rd_u8(&rd), 0xfe);
	ck_assert_uint_eq(kms_rd_u16(&rd), 0xfedc);
	ck_assert_uint_eq(kms_rd_u24(&rd), 0xfedcba);
	ck_assert_uint_eq(kms_rd_u32(&rd), 0xfedcba98);
	ck_assert(kms_rd_u64(&rd) == UINT64_C(0xfedcba9876543210));
	ck_assert_uint_eq(kms_rd_u16(&rd), 0);
	kms_rd_str(&rd, text, sizeof(text));
	ck_assert_str_eq(text, "ENCR_a");
	ck_assert_mem_eq(kms_rd_bytes(&rd, 3), "xyz", 3);
	ck_assert_int_eq(kms_rd_end(&rd, "row"), 0);
	kms_wr_free(&wr);
	ck_assert_ptr_null(wr.p);
	kms_wr_free(&wr);
}
END_TEST

START_TEST(a_fixed_writer_never_writes_past_its_end)
{
	uint8_t p[5] = {0, 0, 0, 0, 0x77};
	struct kms_wr wr;

	kms_wr_fixed(&wr, p, 4);
	kms_wr_u24(&wr, 0x010203);
	kms_wr_u16(&wr, 0x0405);
	ck_assert_int_eq(wr.err, KMS_ERR_LIMIT);
	kms_wr_u8(&wr, 6);
	ck_assert_int_eq(kms_wr_check(&wr, "page"), KMS_ERR_LIMIT);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_LIMIT), "page"));
	ck_assert_mem_eq(p, "\x01\x02\x03\x00\x77", 5);
	ck_assert_uint_eq(wr.len, 3);
	kms_wr_free(&wr);
	ck_assert_mem_eq(p, "\x01\x02\x03\x00\x77", 5);
}
END_TEST

START_TEST(a_growing_writer_grows_to_its_maximum_and_no_further)
{
	struct kms_wr wr;
	size_t i;

	kms_wr_grow(&wr, 5000);
	for (i = 0; i < 5000; i++)
		kms_wr_u8(&wr, (uint8_t)i);
	ck_assert_int_eq(kms_wr_check(&wr, "row"), 0);
	for (i = 0; i < 5000; i++)
		ck_assert_uint_eq(wr.p[i], (uint8_t)i);
	kms_wr_u8(&wr, 0);
	ck_assert_int_eq(kms_wr_check(&wr, "row"), KMS_ERR_LIMIT);
	ck_assert_uint_eq(wr.len, 5000);
	kms_wr_free(&wr);
	kms_wr_grow(&wr, 10);
	kms_wr_zero(&wr, SIZE_MAX);
	ck_assert_int_eq(wr.err, KMS_ERR_LIMIT);
	kms_wr_free(&wr);
}
END_TEST

START_TEST(memory_that_cannot_be_had_is_an_error_not_a_crash)
{
	struct kms_wr wr;

	kms_wr_grow(&wr, SIZE_MAX);
	kms_wr_zero(&wr, (size_t)1 << 50);
	ck_assert_int_eq(kms_wr_check(&wr, "row"), KMS_ERR_MEMORY);
	kms_wr_u8(&wr, 1);
	ck_assert_uint_eq(wr.len, 0);
	kms_wr_free(&wr);
}
END_TEST

START_TEST(a_reservation_holds_the_length_of_what_follows)
{
	size_t a, b, c, d;
	struct kms_wr wr;

	kms_wr_grow(&wr, 100);
	a = kms_wr_reserve(&wr, 4);
	b = kms_wr_reserve(&wr, 3);
	c = kms_wr_reserve(&wr, 2);
	d = kms_wr_reserve(&wr, 1);
	kms_wr_bytes(&wr, "zz", 2);
	kms_wr_fill(&wr, d, 1);
	kms_wr_fill(&wr, c, 2);
	kms_wr_bytes(&wr, "yy", 2);
	kms_wr_fill(&wr, b, 3);
	kms_wr_fill(&wr, a, 4);
	ck_assert_int_eq(kms_wr_check(&wr, "row"), 0);
	assert_hex(wr.p, wr.len,
	    "0000000a000007000302"
	    "7a7a7979");
	kms_wr_free(&wr);
}
END_TEST

START_TEST(a_length_over_its_field_is_a_limit)
{
	static const size_t most[] = {0, 0xff, 0xffff};
	struct kms_wr wr;
	size_t n, at;

	for (n = 1; n <= 2; n++) {
		kms_wr_grow(&wr, 100000);
		at = kms_wr_reserve(&wr, n);
		kms_wr_zero(&wr, most[n]);
		kms_wr_fill(&wr, at, n);
		ck_assert_int_eq(wr.err, 0);
		kms_wr_u8(&wr, 0);
		kms_wr_fill(&wr, at, n);
		ck_assert_int_eq(wr.err, KMS_ERR_LIMIT);
		kms_wr_free(&wr);
	}
	kms_wr_grow(&wr, 10);
	kms_wr_u24(&wr, 0x1000000);
	ck_assert_int_eq(wr.err, KMS_ERR_LIMIT);
	kms_wr_free(&wr);
}
END_TEST

START_TEST(filling_after_an_error_does_nothing)
{
	uint8_t p[2] = {5, 5};
	struct kms_wr wr;
	size_t at;

	kms_wr_fixed(&wr, p, 2);
	kms_wr_u8(&wr, 1);
	at = kms_wr_reserve(&wr, 4);
	kms_wr_fill(&wr, at, 4);
	ck_assert_int_eq(wr.err, KMS_ERR_LIMIT);
	ck_assert_mem_eq(p, "\x01\x05", 2);
}
END_TEST

START_TEST(text_over_65535_bytes_is_a_limit)
{
	char *text = calloc(1, 65537);
	struct kms_wr wr;

	ck_assert_ptr_nonnull(text);
	memset(text, 'a', 65535);
	kms_wr_grow(&wr, 200000);
	kms_wr_str(&wr, text);
	ck_assert_int_eq(wr.err, 0);
	ck_assert_uint_eq(wr.len, 65537);
	text[65535] = 'a';
	kms_wr_str(&wr, text);
	ck_assert_int_eq(wr.err, KMS_ERR_LIMIT);
	kms_wr_free(&wr);
	free(text);
}
END_TEST

START_TEST(put_and_get_agree)
{
	uint8_t p[8];

	kms_put16(p, 0xf00d);
	ck_assert_mem_eq(p, "\xf0\x0d", 2);
	ck_assert_uint_eq(kms_get16(p), 0xf00d);
	kms_put32(p, 0xdeadbeef);
	ck_assert_mem_eq(p, "\xde\xad\xbe\xef", 4);
	ck_assert_uint_eq(kms_get32(p), 0xdeadbeef);
	kms_put64(p, UINT64_C(0xfedcba9876543210));
	ck_assert_mem_eq(p, "\xfe\xdc\xba\x98\x76\x54\x32\x10", 8);
	ck_assert(kms_get64(p) == UINT64_C(0xfedcba9876543210));
}
END_TEST

/* A record as the store has them: text, list with a count, nested part. */
struct toy {
	char name[16];
	uint16_t n, list[8];
	uint32_t inner;
};

static void
toy_encode(struct kms_wr *wr, const struct toy *t)
{
	size_t at;
	uint16_t i;

	kms_wr_str(wr, t->name);
	kms_wr_u16(wr, t->n);
	for (i = 0; i < t->n; i++)
		kms_wr_u16(wr, t->list[i]);
	at = kms_wr_reserve(wr, 2);
	kms_wr_u32(wr, t->inner);
	kms_wr_fill(wr, at, 2);
}

static int
toy_decode(struct toy *t, const uint8_t *p, size_t len)
{
	struct kms_rd rd, sub;
	uint16_t i;

	kms_rd_init(&rd, p, len);
	kms_rd_str(&rd, t->name, sizeof(t->name));
	t->n = kms_rd_u16(&rd);
	if (t->n > 8)
		return kms_fail(KMS_ERR_DAMAGED, "toy: count");
	for (i = 0; i < t->n; i++)
		t->list[i] = kms_rd_u16(&rd);
	kms_rd_sub(&rd, kms_rd_u16(&rd), &sub);
	t->inner = kms_rd_u32(&sub);
	if (kms_rd_end(&sub, "toy: inner") != 0)
		return KMS_ERR_DAMAGED;
	return kms_rd_end(&rd, "toy");
}

static void
error_or_same_bytes(void *ctx, const struct mutant *m)
{
	unsigned *accepted = ctx;
	uint8_t again[64];
	struct kms_wr wr;
	struct toy t;

	if (toy_decode(&t, m->p, m->len) != 0)
		return;
	++*accepted;
	kms_wr_fixed(&wr, again, sizeof(again));
	toy_encode(&wr, &t);
	ck_assert_msg(wr.len == m->len && memcmp(again, m->p, m->len) == 0,
	    "%s: decodes to something else", m->what);
}

START_TEST(a_decoder_on_the_cursor_is_canonical_under_every_mutation)
{
	struct toy t = {.name = "ENCR", .n = 2, .list = {1, 2}, .inner = 7};
	unsigned accepted = 0;
	uint8_t p[64];
	struct kms_wr wr;
	size_t n;

	kms_wr_fixed(&wr, p, sizeof(p));
	toy_encode(&wr, &t);
	ck_assert_int_eq(kms_wr_check(&wr, "toy"), 0);
	n = mutate(p, wr.len, error_or_same_bytes, &accepted);
	ck_assert_uint_gt(accepted, 0);
	ck_assert_uint_lt(accepted, n);
}
END_TEST

Suite *
buf_suite(void)
{
	Suite *s = suite_create("buf");
	TCase *r = tcase_create("reader"), *w = tcase_create("writer");

	tcase_add_test(r, integers_are_read_big_endian);
	tcase_add_test(r, no_integer_is_read_past_the_end);
	tcase_add_test(r, a_failed_read_fails_all_that_follow);
	tcase_add_test(r, a_huge_count_does_not_wrap_around);
	tcase_add_test(r, an_empty_input_has_no_bytes_and_no_error);
	tcase_add_test(r, what_is_left_over_is_an_error_at_the_end);
	tcase_add_test(r, a_sub_reader_ends_where_it_was_told);
	tcase_add_test(r, text_must_fit_and_hold_no_nul);
	suite_add_tcase(s, r);
	tcase_add_test(w, what_is_written_is_read_back);
	tcase_add_test(w, a_fixed_writer_never_writes_past_its_end);
	tcase_add_test(w, a_growing_writer_grows_to_its_maximum_and_no_further);
	tcase_add_test(w, memory_that_cannot_be_had_is_an_error_not_a_crash);
	tcase_add_test(w, a_reservation_holds_the_length_of_what_follows);
	tcase_add_test(w, a_length_over_its_field_is_a_limit);
	tcase_add_test(w, filling_after_an_error_does_nothing);
	tcase_add_test(w, text_over_65535_bytes_is_a_limit);
	tcase_add_test(w, put_and_get_agree);
	tcase_add_test(w,
	    a_decoder_on_the_cursor_is_canonical_under_every_mutation);
	suite_add_tcase(s, w);
	return s;
}
