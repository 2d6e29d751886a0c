#include "tests/unit/tape/suite.h"

#include <stdio.h>
#include <string.h>

#include "tape/sense.h"

/* 5/26/00 at byte 5 bit 6 of the parameter list. */
static const uint8_t fixed[] = {0x70, 0, 0x05, 0, 0, 0, 0, 0x0a, 0, 0, 0, 0,
    0x26, 0x00, 0, 0x8e, 0x00, 0x05};
static const uint8_t descriptors[] = {0x72, 0x05, 0x26, 0x00, 0, 0, 0, 0x08,
    0x02, 0x06, 0, 0, 0x8e, 0x00, 0x05, 0};
/* A filemark met by a READ that asked for 65,536 bytes; residue all. */
static const uint8_t filemark[] = {0xf0, 0, 0x80, 0x00, 0x01, 0x00, 0x00, 0x0a,
    0, 0, 0, 0, 0x00, 0x01, 0, 0, 0, 0};

START_TEST(both_formats_tell_the_same)
{
	struct tape_sense a, b;

	ck_assert(tape_sense_decode(fixed, sizeof(fixed), &a));
	ck_assert(tape_sense_decode(descriptors, sizeof(descriptors), &b));
	ck_assert_uint_eq(a.key, 5);
	ck_assert_uint_eq(a.asc, 0x26);
	ck_assert_uint_eq(a.ascq, 0);
	ck_assert(a.has_field && !a.field_in_cdb && a.has_bit);
	ck_assert_uint_eq(a.bit, 6);
	ck_assert_uint_eq(a.field, 5);
	ck_assert_uint_eq(b.key, 5);
	ck_assert_uint_eq(b.asc, 0x26);
	ck_assert(b.has_field && !b.field_in_cdb && b.has_bit);
	ck_assert_uint_eq(b.bit, 6);
	ck_assert_uint_eq(b.field, 5);
}
END_TEST

START_TEST(vectors_encode_back_to_the_byte)
{
	uint8_t out[TAPE_SENSE_ROOM];
	struct tape_sense s;

	ck_assert(tape_sense_decode(fixed, sizeof(fixed), &s));
	ck_assert_uint_eq(tape_sense_encode(&s, false, out), sizeof(fixed));
	ck_assert_mem_eq(out, fixed, sizeof(fixed));
	ck_assert_uint_eq(tape_sense_encode(&s, true, out),
	    sizeof(descriptors));
	ck_assert_mem_eq(out, descriptors, sizeof(descriptors));
	ck_assert(tape_sense_decode(filemark, sizeof(filemark), &s));
	ck_assert(s.filemark && s.has_info);
	ck_assert_uint_eq(s.info, 65536);
	ck_assert_uint_eq(tape_sense_encode(&s, false, out), sizeof(filemark));
	ck_assert_mem_eq(out, filemark, sizeof(filemark));
}
END_TEST

START_TEST(a_negative_residue_survives_both_formats)
{
	struct tape_sense s = {.has_info = true,
			      .info = (uint64_t)-512,
			      .ili = true},
			  back;
	uint8_t out[TAPE_SENSE_ROOM];

	for (int d = 0; d < 2; d++) {
		size_t n = tape_sense_encode(&s, d != 0, out);
		ck_assert(tape_sense_decode(out, n, &back));
		ck_assert(back.ili && back.has_info);
		ck_assert_int_eq((int64_t)back.info, -512);
	}
}
END_TEST

START_TEST(deferred_sense_is_told_apart)
{
	struct tape_sense s = {.deferred = true, .key = 3, .asc = 0x0C}, back;
	uint8_t out[TAPE_SENSE_ROOM];

	for (int d = 0; d < 2; d++) {
		size_t n = tape_sense_encode(&s, d != 0, out);
		ck_assert(tape_sense_decode(out, n, &back));
		ck_assert(back.deferred);
		ck_assert_uint_eq(back.asc, 0x0C);
	}
}
END_TEST

START_TEST(cut_sense_is_read_as_far_as_it_goes)
{
	struct tape_sense s;

	ck_assert(!tape_sense_decode(fixed, 0, &s));
	for (size_t n = 1; n <= sizeof(fixed); n++) {
		ck_assert(tape_sense_decode(fixed, n, &s));
		ck_assert_uint_eq(s.key, n > 2 ? 5 : 0);
		ck_assert_uint_eq(s.asc, n > 12 ? 0x26 : 0);
		ck_assert(s.has_field == (n == sizeof(fixed)));
	}
	for (size_t n = 1; n <= sizeof(descriptors); n++) {
		ck_assert(tape_sense_decode(descriptors, n, &s));
		ck_assert_uint_eq(s.key, n > 1 ? 5 : 0);
		ck_assert_uint_eq(s.asc, n > 2 ? 0x26 : 0);
		ck_assert(s.has_field == (n == sizeof(descriptors)));
	}
}
END_TEST

START_TEST(bytes_behind_the_additional_length_do_not_count)
{
	uint8_t p[TAPE_SENSE_ROOM];
	struct tape_sense s;

	memset(p, 0xFF, sizeof(p));
	memcpy(p, fixed, 18);
	p[7] = 4; /* no further than ASC is not even reached */
	ck_assert(tape_sense_decode(p, sizeof(p), &s));
	ck_assert_uint_eq(s.asc, 0);
	ck_assert(!s.has_field);
	memset(p, 0xFF, sizeof(p));
	memcpy(p, descriptors, 16);
	p[7] = 0;
	ck_assert(tape_sense_decode(p, sizeof(p), &s));
	ck_assert_uint_eq(s.asc, 0x26);
	ck_assert(!s.has_field);
}
END_TEST

START_TEST(formats_without_meaning_are_no_sense)
{
	uint8_t p[18];
	struct tape_sense s;

	memcpy(p, fixed, sizeof(p));
	for (unsigned code = 0; code < 256; code++) {
		bool known = (code & 0x7F) >= 0x70 && (code & 0x7F) <= 0x73;
		p[0] = (uint8_t)code;
		ck_assert(tape_sense_decode(p, sizeof(p), &s) == known);
		if (!known)
			ck_assert_uint_eq(s.key | s.asc, 0);
	}
}
END_TEST

/* The codes that a tape host must tell apart. */
static const struct {
	uint8_t key, asc, ascq;
	enum tape_sense_class class;
	int err;
} codes[] = {
    {2, 0x3A, 0x00, TAPE_SENSE_NO_MEDIUM, KMS_ERR_DRIVE},
    {2, 0x04, 0x01, TAPE_SENSE_NOT_READY, KMS_ERR_BUSY},
    {2, 0x04, 0x02, TAPE_SENSE_NOT_READY, KMS_ERR_DRIVE},
    {6, 0x28, 0x00, TAPE_SENSE_NEW_MEDIUM, KMS_ERR_BUSY},
    {6, 0x29, 0x00, TAPE_SENSE_KEY_LOST, KMS_ERR_BUSY},
    {6, 0x29, 0x07, TAPE_SENSE_KEY_LOST, KMS_ERR_BUSY},
    {6, 0x2A, 0x11, TAPE_SENSE_KEY_CHANGED, KMS_ERR_BUSY},
    {6, 0x2A, 0x12, TAPE_SENSE_KEY_CHANGED, KMS_ERR_BUSY},
    {6, 0x2A, 0x14, TAPE_SENSE_ATTENTION, KMS_ERR_BUSY},
    {6, 0x2A, 0x01, TAPE_SENSE_ATTENTION, KMS_ERR_BUSY},
    {6, 0xEE, 0x12, TAPE_SENSE_KEY_CHANGED, KMS_ERR_BUSY},
    {7, 0x2A, 0x13, TAPE_SENSE_KEY_CHANGED, KMS_ERR_UNPROVEN},
    {7, 0x74, 0x00, TAPE_SENSE_SECURITY, KMS_ERR_DRIVE},
    {7, 0x74, 0x01, TAPE_SENSE_KEY_NEEDED, KMS_ERR_DRIVE},
    {7, 0x74, 0x02, TAPE_SENSE_CLEAR_BLOCK, KMS_ERR_DRIVE},
    {7, 0x74, 0x03, TAPE_SENSE_WRONG_KEY, KMS_ERR_DRIVE},
    {7, 0x74, 0x04, TAPE_SENSE_TAMPERED, KMS_ERR_DRIVE},
    {7, 0x74, 0x05, TAPE_SENSE_WRONG_KEY, KMS_ERR_DRIVE},
    {7, 0x74, 0x0A, TAPE_SENSE_SECURITY, KMS_ERR_DRIVE},
    {7, 0x74, 0x0D, TAPE_SENSE_SECURITY, KMS_ERR_DRIVE},
    {7, 0x74, 0x30, TAPE_SENSE_SECURITY, KMS_ERR_DRIVE},
    {5, 0x74, 0x21, TAPE_SENSE_LIBRARY, KMS_ERR_DRIVE},
    {4, 0x74, 0x61, TAPE_SENSE_LIBRARY, KMS_ERR_DRIVE},
    {4, 0x74, 0x6F, TAPE_SENSE_LIBRARY, KMS_ERR_DRIVE},
    {7, 0xEF, 0x10, TAPE_SENSE_LIBRARY, KMS_ERR_DRIVE},
    {3, 0xEE, 0xD0, TAPE_SENSE_LIBRARY, KMS_ERR_DRIVE},
    {5, 0xEE, 0x00, TAPE_SENSE_LIBRARY, KMS_ERR_DRIVE},
    {5, 0x20, 0x00, TAPE_SENSE_UNSUPPORTED, KMS_ERR_DRIVE},
    {5, 0x24, 0x00, TAPE_SENSE_UNSUPPORTED, KMS_ERR_DRIVE},
    {5, 0x26, 0x00, TAPE_SENSE_REFUSED, KMS_ERR_DRIVE},
    {5, 0x26, 0x11, TAPE_SENSE_REFUSED, KMS_ERR_DRIVE},
    {5, 0x26, 0x12, TAPE_SENSE_REFUSED, KMS_ERR_DRIVE},
    {5, 0x55, 0x08, TAPE_SENSE_REFUSED, KMS_ERR_DRIVE},
    {5, 0x1A, 0x00, TAPE_SENSE_REFUSED, KMS_ERR_DRIVE},
    {7, 0x26, 0x10, TAPE_SENSE_LIMIT, KMS_ERR_DRIVE},
    {8, 0x14, 0x03, TAPE_SENSE_BLANK, KMS_ERR_DRIVE},
    {8, 0x00, 0x05, TAPE_SENSE_BLANK, KMS_ERR_DRIVE},
    {3, 0x11, 0x00, TAPE_SENSE_FAILED, KMS_ERR_DRIVE},
    {4, 0x44, 0x00, TAPE_SENSE_FAILED, KMS_ERR_DRIVE},
    {0xB, 0x4E, 0x00, TAPE_SENSE_FAILED, KMS_ERR_BUSY},
    {0xE, 0x1D, 0x00, TAPE_SENSE_FAILED, KMS_ERR_DRIVE},
};

START_TEST(each_code_is_classed_and_named)
{
	uint8_t out[TAPE_SENSE_ROOM];
	char numbers[16];
	struct tape_sense s;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct tape_sense in = {.key = codes[i].key,
		    .asc = codes[i].asc,
		    .ascq = codes[i].ascq};
		snprintf(numbers, sizeof(numbers), "(%X/%02X/%02X)", in.key,
		    in.asc, in.ascq);
		ck_assert_msg(tape_sense_find(&in)->class == codes[i].class,
		    "%s", numbers);
		size_t n = tape_sense_encode(&in, i % 2, out);
		ck_assert_int_eq(tape_sense_check(TAPE_CHECK, out, n, "x", &s),
		    codes[i].err);
		const char *cause = kms_err_cause(codes[i].err);
		ck_assert_ptr_nonnull(strstr(cause, numbers));
		ck_assert_ptr_nonnull(strstr(cause, "; "));
		ck_assert_ptr_nonnull(strstr(cause,
		    tape_sense_key_name(in.key)));
	}
}
END_TEST

START_TEST(no_code_is_without_an_answer)
{
	static const uint8_t ascq[] = {0x00, 0x01, 0x05, 0x12, 0x21, 0x62, 0x80,
	    0xFF};
	struct tape_sense s = {0};

	for (unsigned i = 0; i < 16u * 256u * sizeof(ascq); i++) {
		s.ascq = ascq[i % sizeof(ascq)];
		s.asc = (uint8_t)(i / sizeof(ascq));
		s.key = (uint8_t)(i / sizeof(ascq) >> 8);
		const struct tape_sense_rule *r = tape_sense_find(&s);
		ck_assert(r->name && r->todo);
		/* Only "no sense" and "recovered" may count as done. */
		if (r->class == TAPE_SENSE_NOTHING)
			ck_assert_uint_le(s.key, 1);
	}
}
END_TEST

START_TEST(the_field_pointer_is_told)
{
	struct tape_sense s;

	ck_assert_int_eq(tape_sense_check(TAPE_CHECK, fixed, sizeof(fixed),
			     "load", &s),
	    KMS_ERR_DRIVE);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_DRIVE),
	    "at byte 5 bit 6 of the parameter list"));
}
END_TEST

START_TEST(statuses_without_sense_are_errors)
{
	struct tape_sense s;

	ck_assert_int_eq(tape_sense_check(TAPE_GOOD, NULL, 0, "x", &s), 0);
	ck_assert_int_eq(tape_sense_check(TAPE_CHECK, NULL, 0, "x", &s),
	    KMS_ERR_DRIVE);
	ck_assert_int_eq(tape_sense_check(TAPE_BUSY, NULL, 0, "x", &s),
	    KMS_ERR_BUSY);
	ck_assert_int_eq(tape_sense_check(TAPE_RESERVED, NULL, 0, "x", &s),
	    KMS_ERR_BUSY);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_BUSY),
	    "another host"));
	ck_assert_int_eq(tape_sense_check(TAPE_SET_FULL, NULL, 0, "x", &s),
	    KMS_ERR_BUSY);
	ck_assert_int_eq(tape_sense_check(0x30, NULL, 0, "x", &s),
	    KMS_ERR_DRIVE);
}
END_TEST

TCase *
sense_tests(void)
{
	TCase *t = tcase_create("sense");

	tcase_add_test(t, both_formats_tell_the_same);
	tcase_add_test(t, vectors_encode_back_to_the_byte);
	tcase_add_test(t, a_negative_residue_survives_both_formats);
	tcase_add_test(t, deferred_sense_is_told_apart);
	tcase_add_test(t, cut_sense_is_read_as_far_as_it_goes);
	tcase_add_test(t, bytes_behind_the_additional_length_do_not_count);
	tcase_add_test(t, formats_without_meaning_are_no_sense);
	tcase_add_test(t, each_code_is_classed_and_named);
	tcase_add_test(t, no_code_is_without_an_answer);
	tcase_add_test(t, the_field_pointer_is_told);
	tcase_add_test(t, statuses_without_sense_are_errors);
	return t;
}
