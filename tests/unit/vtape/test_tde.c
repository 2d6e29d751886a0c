/* SECURITY PROTOCOL pages and which of them are refused. */
#include <string.h>

#include "tests/unit/vtape/rig.h"
#include "tests/unit/vtape/suite.h"

static void
bytes_are(const struct rig *r, size_t at, const char *want, size_t len)
{
	ck_assert_uint_ge(r->in_len, at + len);
	ck_assert_mem_eq(r->in + at, want, len);
}

START_TEST(the_protocol_list_holds_tape_encryption)
{
	struct rig *r = rig_new(8);

	rig_in(r, r->a, (struct cdb){{0xA2, 0, 0, 0, 0, 0, 0, 0, 1, 0}}, 256);
	ck_assert_uint_eq(r->in_len, 10);
	bytes_are(r, 0, "\0\0\0\0\0\0\0\x02\x00\x20", 10);
	rig_run(r, r->a, (struct cdb){{0xA2, 0x21, 0, 0, 0, 0, 0, 0, 1, 0}},
	    NULL, 0, 256);
	rig_refused(r, 5, 0x2400);
	ck_assert_uint_eq(r->sense.field, 1);
	rig_free(r);
}
END_TEST

START_TEST(encryption_switched_off_leaves_only_protocol_00)
{
	const struct vt_options opt = {.generation = 8, .encryption_off = true};
	struct rig *r = rig_new_with(&opt);
	struct sde s = sde_load(1, "tag");

	rig_in(r, r->a, (struct cdb){{0xA2, 0, 0, 0, 0, 0, 0, 0, 1, 0}}, 256);
	bytes_are(r, 0, "\0\0\0\0\0\0\0\x01\x00", 9);
	rig_spin(r, r->a, 0x10);
	rig_refused(r, 5, 0x2400);
	rig_sde(r, r->a, &s);
	rig_refused(r, 5, 0x2400);
	rig_free(r);
}
END_TEST

START_TEST(a_library_that_owns_keys_says_so_and_refuses_ours)
{
	const struct vt_options opt = {.generation = 8,
	    .library_owns_keys = true};
	struct rig *r = rig_new_with(&opt);
	struct sde s = sde_load(1, "tag");

	rig_spin(r, r->a, 0x10);
	ck_assert_uint_eq(r->in[4] & 3, 2);
	rig_spin(r, r->a, 0x20);
	ck_assert_uint_eq(r->in[12] >> 4 & 7, 3);
	rig_sde(r, r->a, &s);
	rig_refused(r, 5, 0x7421);
	rig_free(r);
}
END_TEST

START_TEST(the_support_pages_list_what_is_there)
{
	struct rig *r = rig_new(8);

	rig_spin(r, r->a, 0x00);
	bytes_are(r, 0,
	    "\0\0\0\x10\0\0\0\x01\0\x10\0\x11\0\x12\0\x20\0\x21\0\x30", 20);
	for (size_t i = 4; i < 20; i += 2) {
		uint8_t list[20];
		memcpy(list, r->in, sizeof(list));
		if (kms_get16(list + i) == 0x21)
			continue; /* blank tape: see next_block_… */
		rig_spin(r, r->a, kms_get16(list + i));
		ck_assert_uint_eq(r->status, TAPE_GOOD);
		ck_assert_uint_eq(kms_get16(r->in), kms_get16(list + i));
		ck_assert_uint_eq(r->in_len, 4u + kms_get16(r->in + 2));
		rig_spin(r, r->a, 0x00);
	}
	rig_spin(r, r->a, 0x01);
	bytes_are(r, 0, "\0\x01\0\x02\0\x10", 6);
	rig_spin(r, r->a, 0x31);
	rig_refused(r, 5, 0x2400);
	ck_assert_uint_eq(r->sense.field, 2);
	rig_free(r);
}
END_TEST

START_TEST(capabilities_differ_by_generation)
{
	unsigned generation = 4 + (unsigned)_i;
	struct rig *r = rig_new(generation);

	rig_spin(r, r->a, 0x10);
	ck_assert_uint_eq(r->in_len, 44);
	ck_assert_uint_eq(r->in[4] & 3, 1);
	/* 12 bytes of A-KAD on LTO-4, 60 later */
	bytes_are(r, 20, "\x01\0\0\x14", 4);
	ck_assert_uint_eq(r->in[24], 0xBA); /* AVFMV, hardware both ways */
	bytes_are(r, 26, "\0\x20", 2);
	ck_assert_uint_eq(r->in[29], generation == 4 ? 12 : 60);
	bytes_are(r, 30, "\0\x20", 2);
	bytes_are(r, 40, "\x00\x01\x00\x14", 4);
	ck_assert_int_eq(vt_drive_eject(r->d), 0);
	rig_spin(r, r->a, 0x10);
	ck_assert_uint_eq(r->in[24], 0x3A);
	rig_free(r);
}
END_TEST

START_TEST(a_load_shows_in_the_status_page)
{
	struct rig *r = rig_new(8);
	struct sde s = sde_load(7, "the tag");

	s.a = "authentic";
	rig_spin(r, r->a, 0x20);
	bytes_are(r, 4, "\0\0\0\0\0\0\0\0", 8);
	rig_sde_good(r, r->a, &s);
	rig_spin(r, r->a, 0x20);
	/* scope ALL of nexus and key, ENCRYPT, MIXED, index 1, counter 1 */
	bytes_are(r, 4, "\x42\x02\x03\x01\0\0\0\x01\x11", 9);
	bytes_are(r, 24,
	    "\0\x01\0\x07the tag\x01\x02\0\x09"
	    "authentic",
	    24);
	/* The key is nowhere to be read. */
	for (size_t i = 0; i + 8 < r->in_len; i++)
		ck_assert_mem_ne(r->in + i, "\7\7\7\7\7\7\7\7", 8);
	rig_free(r);
}
END_TEST

START_TEST(off_clears_modes_kad_and_key)
{
	struct rig *r = rig_new(8);
	struct sde s = sde_load(7, "the tag"), off = sde_off();

	rig_sde_good(r, r->a, &s);
	rig_sde_good(r, r->a, &off);
	rig_spin(r, r->a, 0x20);
	ck_assert_uint_eq(r->in_len, 24);
	bytes_are(r, 5, "\0\0", 2);
	ck_assert_uint_eq(kms_get32(r->in + 8), 2);
	ck_assert_ptr_null(r->d->shared.gcm);
	rig_free(r);
}
END_TEST

/* One change of a good page, and the byte it is refused at. */
static const struct refusal {
	const char *what;
	size_t at;
	uint8_t value;
	uint16_t field;
} refusals[] = {
    {"scope 3", 4, 3 << 5, 4},
    {"reserved bits beside scope", 4, 2 << 5 | 0x02, 4},
    {"RDMC 1", 5, 0x10, 5},
    {"SDK without SDK_C", 5, 0x08, 5},
    {"CKORP without a reservation", 5, 0x02, 5},
    {"CKORL without a reservation", 5, 0x01, 5},
    {"encryption mode EXTERNAL", 6, 1, 6},
    {"encryption mode 3", 6, 3, 6},
    {"decryption mode 4", 7, 4, 7},
    {"algorithm index 0", 8, 0, 8},
    {"algorithm index 2", 8, 2, 8},
    {"key format wrapped", 9, 2, 9},
    {"key format unknown", 9, 7, 9},
    {"reserved byte 11", 11, 1, 11},
    {"reserved byte 17", 17, 1, 17},
    {"key length over the page", 19, 0xFF, 18},
    {"AUTHENTICATED set by us", 53, 1, 53},
    {"KAD type nonce", 52, 2, 52},
    {"KAD longer than the page", 55, 200, 52},
    {"page length", 3, 10, 2},
};

START_TEST(a_wrong_field_is_refused_and_named)
{
	struct rig *r = rig_new(8);
	struct sde s = sde_load(7, "tag");
	uint8_t page[256];
	size_t len = sde_encode(&s, page);

	rig_sde_good(r, r->a, &s);
	page[refusals[_i].at] = refusals[_i].value;
	rig_sde_bytes(r, r->a, page, len);
	rig_refused(r, 5, 0x2600);
	ck_assert(r->sense.has_field && !r->sense.field_in_cdb);
	ck_assert_msg(r->sense.field == refusals[_i].field, "%s: field %u",
	    refusals[_i].what, r->sense.field);
	/* Nothing has changed. */
	ck_assert_uint_eq(rig_kic(r, r->a), 1);
	bytes_are(r, 5, "\x02\x03", 2);
	rig_free(r);
}
END_TEST

static void
sde_is_refused(struct rig *r, const struct sde *s)
{
	rig_sde(r, r->a, s);
	rig_refused(r, 5, 0x2600);
	ck_assert_uint_eq(r->d->kic, 0);
}

START_TEST(the_key_must_have_32_bytes)
{
	struct rig *r = rig_new(8);
	struct sde s = sde_load(7, "tag");

	s.key_len = 0;
	sde_is_refused(r, &s);
	s.enc = 0; /* decrypting needs one, too */
	s.u = NULL;
	sde_is_refused(r, &s);
	s = sde_load(7, "tag");
	s.key_len = 16;
	sde_is_refused(r, &s);
	s.key_len = 33;
	sde_is_refused(r, &s);
	rig_free(r);
}
END_TEST

START_TEST(kads_are_refused_without_encryption)
{
	struct rig *r = rig_new(8);
	struct sde s = sde_load(7, "tag");

	s.enc = 0;
	sde_is_refused(r, &s);
	s.dec = 0;
	s.key_len = 0;
	sde_is_refused(r, &s);
	rig_free(r);
}
END_TEST

START_TEST(kads_come_in_ascending_order)
{
	struct rig *r = rig_new(8);
	struct sde s = sde_load(7, "tag");

	s.a = "auth";
	s.a_first = true;
	sde_is_refused(r, &s);
	s.a_first = false;
	rig_sde_good(r, r->a, &s);
	rig_free(r);
}
END_TEST

START_TEST(kads_have_the_drives_limits)
{
	static const char twelve[] = "123456789012",
			  thirteen[] = "1234567890123";
	static const char thirty_two[] = "12345678901234567890123456789012";
	static const char thirty_three[] = "123456789012345678901234567890123";
	struct rig *r = rig_new(4);
	struct sde s = sde_load(7, thirty_three);

	sde_is_refused(r, &s);
	s.u = thirty_two;
	s.a = thirteen;
	sde_is_refused(r, &s);
	s.a = twelve;
	rig_sde_good(r, r->a, &s);
	rig_free(r);
	r = rig_new(5);
	s.a = thirteen;
	rig_sde_good(r, r->a, &s);
	rig_free(r);
}
END_TEST

START_TEST(fixed_kads_must_fill_their_length)
{
	const struct vt_options opt = {.generation = 8, .fixed_kads = true};
	struct rig *r = rig_new_with(&opt);
	struct sde s = sde_load(7, "tag");

	rig_spin(r, r->a, 0x10);
	ck_assert_uint_eq(r->in[25] & 3, 3); /* UKADF, AKADF */
	sde_is_refused(r, &s);
	s.u = "12345678901234567890123456789012";
	rig_sde_good(r, r->a, &s);
	rig_free(r);
}
END_TEST

START_TEST(ckod_needs_a_tape)
{
	struct rig *r = rig_new(8);
	struct sde s = sde_load(7, "tag");

	ck_assert_int_eq(vt_drive_eject(r->d), 0);
	s.flags = 0x04;
	rig_sde(r, r->a, &s);
	rig_refused(r, 5, 0x2600);
	ck_assert_uint_eq(r->sense.field, 5);
	s.flags = 0;
	rig_sde_good(r, r->a, &s);
	rig_free(r);
}
END_TEST

START_TEST(clearing_with_a_reservation_needs_one)
{
	struct rig *r = rig_new(8);
	struct sde s = sde_load(7, "tag");

	rig_good(r, r->a, (struct cdb){{0x16}});
	s.flags = 0x01; /* CKORL */
	rig_sde_good(r, r->a, &s);
	rig_good(r, r->a, (struct cdb){{0x17}});
	ck_assert_ptr_null(r->d->shared.gcm); /* reservation lost: key gone */
	ck_assert_uint_eq(rig_kic(r, r->a), 2);
	rig_free(r);
}
END_TEST

START_TEST(checking_the_mode_needs_decryption)
{
	struct rig *r = rig_new(8);
	struct sde s = sde_load(7, "tag");

	s.flags = 3 << 6;
	s.dec = 0;
	sde_is_refused(r, &s);
	s.dec = 3;
	rig_sde_good(r, r->a, &s);
	rig_spin(r, r->a, 0x20);
	ck_assert_uint_eq(r->in[12] >> 1 & 3, 3);
	rig_free(r);
}
END_TEST

START_TEST(a_kad_format_needs_kadf_c)
{
	struct rig *r = rig_new(4);
	struct sde s = sde_load(7, "tag");

	s.kad_format = 2;
	sde_is_refused(r, &s);
	rig_free(r);
	r = rig_new(8);
	rig_sde_good(r, r->a, &s);
	rig_spin(r, r->a, 0x20);
	ck_assert_uint_eq(r->in[13], 2);
	rig_free(r);
}
END_TEST

START_TEST(off_takes_only_stencs_key_of_zeros)
{
	struct rig *r = rig_new(8);
	struct sde s = sde_off();

	s.key_len = 32;
	s.key_byte = 1;
	sde_is_refused(r, &s);
	s.key_byte = 0;
	rig_sde_good(r, r->a, &s);
	ck_assert_ptr_null(r->d->shared.gcm);
	rig_free(r);
}
END_TEST

START_TEST(a_page_of_another_length_is_no_page)
{
	struct rig *r = rig_new(8);
	struct sde s = sde_load(7, "tag");
	uint8_t page[256];
	size_t len = sde_encode(&s, page);

	for (size_t n = 0; n < len; n++) {
		rig_sde_bytes(r, r->a, page, n);
		ck_assert_uint_eq(r->status, TAPE_CHECK);
	}
	/* The CDB's transfer length counts, too. */
	rig_run(r, r->a, (struct cdb){{0xB5, 0x20, 0, 0x10, 0, 0, 0, 0, 0, 9}},
	    page, len, 0);
	rig_refused(r, 0xB, 0x4B00);
	rig_run(r, r->a, (struct cdb){{0xB5, 0x20, 0, 0x11}}, page, len, 0);
	rig_refused(r, 5, 0x2400);
	rig_run(r, r->a, (struct cdb){{0xB5, 0x00, 0, 0x10}}, page, len, 0);
	rig_refused(r, 5, 0x2400);
	ck_assert_uint_eq(r->d->kic, 0);
	rig_free(r);
}
END_TEST

START_TEST(the_lenient_drive_forgives_what_its_model_does)
{
	const struct vt_options opt = {.generation = 6, .lenient = true};
	struct rig *r = rig_new_with(&opt);
	struct sde s = sde_load(7, "tag");
	uint8_t page[256];
	size_t len = sde_encode(&s, page);

	page[4] |= 0x10;
	page[12] = 0xAA;
	page[53] = 0x55; /* stenc 1.0.7: what the stack held */
	rig_sde_bytes(r, r->a, page, len);
	ck_assert_uint_eq(r->status, TAPE_GOOD);
	s.enc = 0;
	rig_sde_good(r, r->a, &s); /* KAD without encryption: ignored */
	rig_spin(r, r->a, 0x20);
	ck_assert_uint_eq(r->in_len, 24);
	/* and is left without encryption by a page it refuses */
	s = sde_load(7, "tag");
	rig_sde_good(r, r->a, &s);
	s.key_len = 16;
	rig_sde(r, r->a, &s);
	rig_refused(r, 5, 0x2600);
	rig_spin(r, r->a, 0x20);
	bytes_are(r, 5, "\0\0", 2);
	rig_free(r);
}
END_TEST

START_TEST(random_numbers_differ)
{
	struct rig *r = rig_new(8);
	uint8_t first[32];

	rig_spin(r, r->a, 0x30);
	ck_assert_uint_eq(r->in_len, 36);
	memcpy(first, r->in + 4, 32);
	rig_spin(r, r->a, 0x30);
	ck_assert_mem_ne(first, r->in + 4, 32);
	rig_free(r);
}
END_TEST

TCase *
tde_tests(void)
{
	TCase *t = tcase_create("tde");

	tcase_add_test(t, the_protocol_list_holds_tape_encryption);
	tcase_add_test(t, encryption_switched_off_leaves_only_protocol_00);
	tcase_add_test(t, a_library_that_owns_keys_says_so_and_refuses_ours);
	tcase_add_test(t, the_support_pages_list_what_is_there);
	tcase_add_loop_test(t, capabilities_differ_by_generation, 0, 6);
	tcase_add_test(t, a_load_shows_in_the_status_page);
	tcase_add_test(t, off_clears_modes_kad_and_key);
	tcase_add_loop_test(t, a_wrong_field_is_refused_and_named, 0,
	    sizeof(refusals) / sizeof(refusals[0]));
	tcase_add_test(t, the_key_must_have_32_bytes);
	tcase_add_test(t, kads_are_refused_without_encryption);
	tcase_add_test(t, kads_come_in_ascending_order);
	tcase_add_test(t, kads_have_the_drives_limits);
	tcase_add_test(t, fixed_kads_must_fill_their_length);
	tcase_add_test(t, ckod_needs_a_tape);
	tcase_add_test(t, clearing_with_a_reservation_needs_one);
	tcase_add_test(t, checking_the_mode_needs_decryption);
	tcase_add_test(t, a_kad_format_needs_kadf_c);
	tcase_add_test(t, off_takes_only_stencs_key_of_zeros);
	tcase_add_test(t, a_page_of_another_length_is_no_page);
	tcase_add_test(t, the_lenient_drive_forgives_what_its_model_does);
	tcase_add_test(t, random_numbers_differ);
	return t;
}
