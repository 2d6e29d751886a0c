#include <string.h>

#include "kms/base/buf.h"
#include "tape/virtual/record.h"
#include "tests/lib/mutate.h"
#include "tests/unit/vtape/suite.h"

START_TEST(crc_is_the_ieee_one)
{
	ck_assert_uint_eq(vt_crc(0, "123456789", 9), 0xCBF43926u);
	ck_assert_uint_eq(vt_crc(vt_crc(0, "1234", 4), "56789", 5),
	    0xCBF43926u);
}
END_TEST

static struct vt_record
sample(void)
{
	struct vt_record r = {.kind = VT_ENCRYPTED,
	    .raw = true,
	    .before = 0x11223344,
	    .object = 7,
	    .len = 256};

	memset(r.iv, 1, sizeof(r.iv));
	memset(r.kcv, 2, sizeof(r.kcv));
	memset(r.tag, 3, sizeof(r.tag));
	memcpy(r.kad.u, "tag", 3);
	r.kad.u_len = 3;
	memcpy(r.kad.a, "auth", 4);
	r.kad.a_len = 4;
	return r;
}

START_TEST(a_record_has_these_bytes)
{
	static const uint8_t want[] = {'V', 'R', 2, 1, 0x11, 0x22, 0x33, 0x44,
	    0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 1, 0, 3, 4, 0, 0};
	struct vt_record r = sample(), back;
	uint8_t buf[VT_RECORD_MAX];

	ck_assert_uint_eq(vt_record_encode(&r, buf), 71);
	ck_assert_mem_eq(buf, want, sizeof(want));
	ck_assert_mem_eq(buf + 64, "tagauth", 7);
	ck_assert_uint_eq(kms_get32(buf + 60), r.crc);
	ck_assert_uint_eq(vt_record_decode(buf, sizeof(buf), &back), 71);
	ck_assert_uint_eq(back.object, 7);
	ck_assert_uint_eq(back.len, 256);
	ck_assert_mem_eq(back.kad.u, "tag", 3);
	ck_assert_mem_eq(back.tag, r.tag, 16);
	ck_assert(back.raw);
}
END_TEST

static void
record_is_refused(void *ctx, const struct mutant *m)
{
	struct vt_record r;

	(void)ctx;
	/* What lies behind the KADs is not the record's. */
	if (m->len <= 71)
		ck_assert_msg(vt_record_decode(m->p, m->len, &r) == 0, "%s",
		    m->what);
}

START_TEST(no_changed_record_head_is_taken)
{
	struct vt_record r = sample();
	uint8_t buf[VT_RECORD_MAX];
	size_t len = vt_record_encode(&r, buf);

	ck_assert_uint_gt(mutate(buf, len, record_is_refused, NULL), 500);
}
END_TEST

static void
header_is_refused(void *ctx, const struct mutant *m)
{
	struct vt_header h;

	(void)ctx;
	if (m->len == VT_HEADER_LEN)
		ck_assert_msg(vt_header_decode(m->p, &h) != 0, "%s", m->what);
}

START_TEST(no_changed_header_is_taken)
{
	struct vt_header h = {.generation = 8,
	    .capacity = 1 << 20,
	    .barcode = "A00001L8"};
	struct vt_header back;
	uint8_t buf[VT_HEADER_LEN];

	vt_header_encode(&h, buf);
	ck_assert_int_eq(vt_header_decode(buf, &back), 0);
	ck_assert_str_eq(back.barcode, "A00001L8");
	mutate(buf, sizeof(buf), header_is_refused, NULL);
}
END_TEST

START_TEST(a_newer_format_is_named)
{
	struct vt_header h = {.generation = 8};
	uint8_t buf[VT_HEADER_LEN];

	vt_header_encode(&h, buf);
	buf[19] = 2;
	ck_assert_int_eq(vt_header_decode(buf, &h), KMS_ERR_VERSION);
}
END_TEST

TCase *
record_tests(void)
{
	TCase *t = tcase_create("record");

	tcase_add_test(t, crc_is_the_ieee_one);
	tcase_add_test(t, a_record_has_these_bytes);
	tcase_add_test(t, no_changed_record_head_is_taken);
	tcase_add_test(t, no_changed_header_is_taken);
	tcase_add_test(t, a_newer_format_is_named);
	return t;
}
