#include "tests/unit/tape/suite.h"

#include <string.h>

#include "kms/base/crypt.h"
#include "tape/page.h"

/* The pages stenc 2 sends, as its own tests write them down. */
#define KEY                                                                   \
	0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA,     \
	    0xBB, 0xCC, 0xDD, 0xEE, 0xFF, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, \
	    0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF
static const uint8_t off[] = {0x00, 0x10, 0x00, 0x10, 0x40, 0x40, 0x00, 0x00,
    0x01, 0x00, 0x00, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x00};
static const uint8_t options[] = {0x00, 0x10, 0x00, 0x30, 0x40, 0x64, 0x02,
    0x02, 0x01, 0x00, 0x01, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x20, KEY};
static const uint8_t named[] = {0x00, 0x10, 0x00, 0x40, 0x40, 0x40, 0x02, 0x02,
    0x01, 0x00, 0x02, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x20, KEY, 0x00, 0x00, 0x00,
    0x0c, 'H', 'e', 'l', 'l', 'o', ' ', 'w', 'o', 'r', 'l', 'd', '!'};
static const uint8_t key_bytes[32] = {KEY};

static struct kms_secret *
the_key(void)
{
	uint8_t copy[32];
	struct kms_secret *k = NULL;

	memcpy(copy, key_bytes, sizeof(copy));
	ck_assert_int_eq(kms_secret_from(copy, sizeof(copy), &k), 0);
	return k;
}

static void
encodes_to(const struct tape_sde *s, const uint8_t *want, size_t len)
{
	struct kms_secret *page = NULL;

	ck_assert_int_eq(tape_sde_encode(s, &page), 0);
	ck_assert_uint_eq(kms_secret_len(page), len);
	ck_assert_mem_eq(kms_secret_bytes(page), want, len);
	kms_secret_free(&page);
}

START_TEST(off_is_stencs_page)
{
	struct tape_sde s = {.scope = TAPE_SCOPE_ALL,
	    .ceem = 1,
	    .algorithm = 1};

	encodes_to(&s, off, sizeof(off));
}
END_TEST

START_TEST(options_are_stencs_page)
{
	struct kms_secret *k = the_key();
	struct tape_sde s = {.scope = TAPE_SCOPE_ALL,
	    .ceem = 1,
	    .rdmc = 2,
	    .ckod = true,
	    .enc = TAPE_ENC_ENCRYPT,
	    .dec = TAPE_DEC_DECRYPT,
	    .algorithm = 1,
	    .kad_format = 1,
	    .key = k};

	encodes_to(&s, options, sizeof(options));
	kms_secret_free(&k);
}
END_TEST

START_TEST(a_named_key_is_stencs_page)
{
	struct kms_secret *k = the_key();
	struct tape_sde s = {.scope = TAPE_SCOPE_ALL,
	    .ceem = 1,
	    .enc = TAPE_ENC_ENCRYPT,
	    .dec = TAPE_DEC_DECRYPT,
	    .algorithm = 1,
	    .kad_format = 2,
	    .key = k};

	memcpy(s.kad.u, "Hello world!", 12);
	s.kad.u_len = 12;
	encodes_to(&s, named, sizeof(named));
	kms_secret_free(&k);
}
END_TEST

START_TEST(both_kads_go_out_in_ascending_order)
{
	struct tape_sde s = {.enc = TAPE_ENC_ENCRYPT};
	struct kms_secret *page = NULL;

	memcpy(s.kad.u, "u", 1);
	memcpy(s.kad.a, "aa", 2);
	s.kad.u_len = 1;
	s.kad.a_len = 2;
	ck_assert_int_eq(tape_sde_encode(&s, &page), 0);
	ck_assert_mem_eq(kms_secret_bytes(page) + 20, "\0\0\0\1u\1\0\0\2aa",
	    11);
	kms_secret_free(&page);
}
END_TEST

START_TEST(pages_decode_to_what_they_mean)
{
	struct kms_secret *k = NULL;
	struct tape_sde s;
	size_t field;

	ck_assert_int_eq(tape_sde_decode(named, sizeof(named), &s, &k, &field),
	    0);
	ck_assert_int_eq(s.scope, TAPE_SCOPE_ALL);
	ck_assert_int_eq(s.enc, TAPE_ENC_ENCRYPT);
	ck_assert_int_eq(s.dec, TAPE_DEC_DECRYPT);
	ck_assert_uint_eq(s.ceem, 1);
	ck_assert(!s.ckod && !s.lock && !s.sdk && s.key == NULL);
	ck_assert_uint_eq(s.kad.u_len, 12);
	ck_assert_mem_eq(s.kad.u, "Hello world!", 12);
	ck_assert_uint_eq(kms_secret_len(k), 32);
	ck_assert(kms_equal(kms_secret_bytes(k), key_bytes, 32));
	kms_secret_free(&k);
	ck_assert_int_eq(tape_sde_decode(options, sizeof(options), &s, &k,
			     &field),
	    0);
	ck_assert(s.ckod);
	ck_assert_uint_eq(s.rdmc, 2);
	kms_secret_free(&k);
	ck_assert_int_eq(tape_sde_decode(off, sizeof(off), &s, &k, &field), 0);
	ck_assert_ptr_null(k);
}
END_TEST

/* Byte at is set to value: the field reported is want. */
static void
points_at(size_t at, uint8_t value, size_t want)
{
	uint8_t page[sizeof(named)];
	struct kms_secret *k = NULL;
	struct tape_sde s;
	size_t field = 999;

	memcpy(page, named, sizeof(page));
	page[at] = value;
	ck_assert_int_eq(tape_sde_decode(page, sizeof(page), &s, &k, &field),
	    KMS_ERR_DRIVE);
	ck_assert_msg(field == want, "byte %zu: field %zu", at, field);
	ck_assert_ptr_null(k);
}

START_TEST(a_refused_page_points_at_its_byte)
{
	points_at(1, 0x11, 0);   /* page code */
	points_at(3, 0x3F, 2);   /* page length */
	points_at(4, 0x60, 4);   /* reserved scope */
	points_at(4, 0x42, 4);   /* reserved bit */
	points_at(5, 0x50, 5);   /* reserved RDMC */
	points_at(6, 3, 6);      /* encryption mode */
	points_at(7, 4, 7);      /* decryption mode */
	points_at(9, 4, 9);      /* key format */
	points_at(10, 3, 10);    /* KAD format */
	points_at(17, 1, 17);    /* reserved */
	points_at(19, 0xFF, 18); /* key longer than the page */
	points_at(52, 2, 52);    /* KAD of a kind not taken */
	points_at(53, 1, 53);    /* AUTHENTICATED going out */
	points_at(55, 13, 52);   /* KAD longer than the page */
	points_at(55, 11, 67);   /* a rest too short for a KAD */
}
END_TEST

START_TEST(kads_out_of_order_are_refused)
{
	uint8_t page[30] = {0x00, 0x10, 0x00, 26, 0x40, 0, 2, 3, 1, 0, 0, 0, 0,
	    0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 'a', 0, 0, 0, 1, 'u'};
	struct kms_secret *k = NULL;
	struct tape_sde s;
	size_t field;

	ck_assert_int_eq(tape_sde_decode(page, sizeof(page), &s, &k, &field),
	    KMS_ERR_DRIVE);
	ck_assert_uint_eq(field, 25);
}
END_TEST

START_TEST(too_long_a_tag_is_our_own_error)
{
	struct tape_sde s = {.enc = TAPE_ENC_ENCRYPT};
	struct kms_secret *page = NULL;

	s.kad.u_len = TAPE_UKAD_MAX + 1;
	ck_assert_int_eq(tape_sde_encode(&s, &page), KMS_ERR_INTERNAL);
	ck_assert_ptr_null(page);
}
END_TEST

TCase *
sde_tests(void)
{
	TCase *t = tcase_create("sde");

	tcase_add_test(t, off_is_stencs_page);
	tcase_add_test(t, options_are_stencs_page);
	tcase_add_test(t, a_named_key_is_stencs_page);
	tcase_add_test(t, both_kads_go_out_in_ascending_order);
	tcase_add_test(t, pages_decode_to_what_they_mean);
	tcase_add_test(t, a_refused_page_points_at_its_byte);
	tcase_add_test(t, kads_out_of_order_are_refused);
	tcase_add_test(t, too_long_a_tag_is_our_own_error);
	return t;
}
