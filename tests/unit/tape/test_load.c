#include "tests/unit/tape/suite.h"

#include <string.h>

#include "tests/unit/tape/mock.h"

static struct mock m;
static struct tape_drive *d;
static struct kms_secret *key;

static void
setup(void)
{
	mock_init(&m);
	d = mock_drive(&m);
	key = mock_key(7);
}

static void
teardown(void)
{
	kms_secret_free(&key);
	tape_drive_close(&d);
}

static int
load_write(struct tape_loaded *out)
{
	struct tape_load l = mock_write(key);

	return tape_drive_load(d, &l, out);
}

/* A load for reading by a tag; the tape's block is under key 7 and tag. */
static int
load_read(const char *tag, struct tape_loaded *out)
{
	struct tape_load l = {.key = key};

	l.kad.u_len = strlen(tag);
	memcpy(l.kad.u, tag, l.kad.u_len);
	return tape_drive_load(d, &l, out);
}

static void
says(int err, const char *text)
{
	ck_assert_msg(strstr(kms_err_cause(err), text) != NULL, "%s",
	    kms_err_cause(err));
}

START_TEST(writing_encrypts_and_reads_mixed_under_our_tag)
{
	struct tape_load l = mock_write(key);
	struct tape_loaded out;

	ck_assert_int_eq(load_write(&out), 0);
	ck_assert_int_eq(m.last.scope, TAPE_SCOPE_ALL);
	ck_assert_int_eq(m.last.enc, TAPE_ENC_ENCRYPT);
	ck_assert_int_eq(m.last.dec, TAPE_DEC_MIXED);
	ck_assert(!m.last.lock && m.last.ckod && m.last.ceem == 1);
	ck_assert_uint_eq(m.last.rdmc, 0);
	ck_assert_uint_eq(m.last.algorithm, 1);
	ck_assert_uint_eq(m.last.kad_format, 0);
	ck_assert_uint_eq(m.last.kad.u_len, 32);
	ck_assert_mem_eq(m.last.kad.u, l.kad.u, 32);
	ck_assert_uint_eq(m.last.kad.a_len, 0);
	ck_assert_mem_eq(m.key, kms_secret_bytes(key), 32);
	ck_assert_int_eq(out.enc, TAPE_ENC_ENCRYPT);
	ck_assert_uint_eq(out.kic, 1);
	ck_assert(out.ckod && !out.keep && !out.by_block);
}
END_TEST

START_TEST(reading_sends_no_tag_and_does_not_encrypt)
{
	struct tape_loaded out;

	ck_assert_int_eq(load_read("tag", &out), 0);
	ck_assert_int_eq(m.last.enc, TAPE_ENC_DISABLE);
	ck_assert_int_eq(m.last.dec, TAPE_DEC_MIXED);
	ck_assert_uint_eq(m.last.kad.u_len + m.last.kad.a_len, 0);
	ck_assert(m.has_key);
}
END_TEST

static void
block(const char *tag, uint8_t key_byte)
{
	m.nbes = 6;
	m.block_kad.u_len = strlen(tag);
	memcpy(m.block_kad.u, tag, m.block_kad.u_len);
	memset(m.block_key, key_byte, sizeof(m.block_key));
}

START_TEST(reading_is_proven_by_the_next_block)
{
	struct tape_loaded out;

	block("tag", 7);
	ck_assert_int_eq(load_read("tag", &out), 0);
	ck_assert(out.by_block);
}
END_TEST

START_TEST(the_right_tag_with_the_wrong_key_is_not_proven)
{
	struct tape_loaded out;

	block("tag", 8);
	ck_assert_int_eq(load_read("tag", &out), KMS_ERR_UNPROVEN);
	says(KMS_ERR_UNPROVEN, "needs another key");
	says(KMS_ERR_UNPROVEN, "the drive was cleared");
	ck_assert(mock_off(&m));
}
END_TEST

START_TEST(a_readable_block_of_another_tag_is_not_proven)
{
	struct tape_loaded out;

	block("other", 7);
	ck_assert_int_eq(load_read("tag", &out), KMS_ERR_UNPROVEN);
	says(KMS_ERR_UNPROVEN, "another key tag");
	ck_assert(mock_off(&m));
}
END_TEST

START_TEST(a_readable_block_without_tag_is_proof)
{
	struct tape_loaded out;

	block("", 7);
	ck_assert_int_eq(load_read("tag", &out), 0);
	ck_assert(out.by_block);
}
END_TEST

START_TEST(a_block_in_clear_or_unknown_is_no_obstacle)
{
	struct tape_loaded out;

	for (uint8_t i = 0; i < 4; i++) {
		m.nbes = i;
		ck_assert_int_eq(load_read("tag", &out), 0);
		ck_assert(!out.by_block);
	}
	m.blank = true;
	ck_assert_int_eq(load_read("tag", &out), 0);
	m.blank = false;
	m.nbes = 4;
	ck_assert_int_eq(load_read("tag", &out), KMS_ERR_UNPROVEN);
}
END_TEST

START_TEST(the_key_goes_with_the_tape_only_where_the_drive_can)
{
	struct tape_load l = mock_write(key);
	struct tape_loaded out;

	m.management.ckod_c = false;
	ck_assert_int_eq(load_write(&out), 0);
	ck_assert(!m.last.ckod && !out.ckod);
	m.management.ckod_c = true;
	m.no_management = true;
	ck_assert_int_eq(load_write(&out), 0);
	ck_assert(!m.last.ckod && !out.ckod);
	m.no_management = false;
	l.keep_on_unload = true;
	ck_assert_int_eq(tape_drive_load(d, &l, &out), 0);
	ck_assert(!m.last.ckod && out.keep);
	m.medium = false;
	ck_assert_int_eq(load_write(&out), 0);
	ck_assert(!m.last.ckod);
}
END_TEST

START_TEST(ceem_falls_back_where_its_byte_is_refused)
{
	struct tape_loaded out;

	m.ceem_zero_only = true;
	ck_assert_int_eq(load_write(&out), 0);
	ck_assert_uint_eq(m.spouts, 2);
	ck_assert_uint_eq(m.last.ceem, 0);
	ck_assert_uint_eq(out.ceem, 0);
	ck_assert_int_eq(tape_drive_clear(d), 0);
	ck_assert(mock_off(&m));
}
END_TEST

START_TEST(another_refused_byte_is_told_and_not_tried_again)
{
	struct tape_loaded out;

	m.caps.alg[0].index = 1;
	m.caps.n = 2;
	m.caps.alg[1] = m.caps.alg[0];
	m.caps.alg[0].index = 9; /* what the mock demands */
	m.caps.alg[0].code = 0x00010010;
	ck_assert_int_eq(load_write(&out), KMS_ERR_DRIVE);
	says(KMS_ERR_DRIVE, "byte 8 of the parameter list");
	says(KMS_ERR_DRIVE, "no key is loaded");
	ck_assert_uint_eq(m.spouts, 1);
}
END_TEST

START_TEST(the_algorithm_is_chosen_by_its_code)
{
	struct tape_loaded out;

	m.caps.n = 2;
	m.caps.alg[1] = m.caps.alg[0];
	m.caps.alg[1].index = 1;
	m.caps.alg[1].code = 0x00010010;
	m.caps.alg[0].index = 5;
	ck_assert_int_eq(load_write(&out), 0);
	ck_assert_uint_eq(m.last.algorithm, 5);
	ck_assert_uint_eq(out.algorithm, 5);
}
END_TEST

START_TEST(fixed_lengths_are_padded)
{
	struct tape_load l = {.write = true, .key = key};
	struct tape_loaded out;

	m.caps.alg[0].u_fixed = true;
	m.caps.alg[0].a_fixed = true;
	m.caps.alg[0].a_max = 12;
	memcpy(l.kad.u, "short", 5);
	l.kad.u_len = 5;
	memcpy(l.kad.a, "ab", 2);
	l.kad.a_len = 2;
	ck_assert_int_eq(tape_drive_load(d, &l, &out), 0);
	ck_assert_uint_eq(m.last.kad.u_len, 32);
	ck_assert_uint_eq(m.last.kad.a_len, 12);
	ck_assert_mem_eq(m.last.kad.u, "short\0\0\0", 8);
}
END_TEST

/* Loading is refused with text in the error; nothing was sent. */
static void
refused(const char *text)
{
	struct tape_loaded out;

	m.spouts = 0;
	ck_assert_int_eq(load_write(&out), KMS_ERR_DRIVE);
	says(KMS_ERR_DRIVE, text);
	ck_assert_uint_eq(m.spouts, 0);
}

START_TEST(a_drive_that_cannot_hold_the_tag_is_refused)
{
	m.caps.alg[0].u_max = 30;
	refused("keeps 30 bytes of U-KAD");
	m.caps.alg[0].u_max = 0;
	refused("keeps 0 bytes of U-KAD");
	m.caps.alg[0].u_max = 64;
	m.caps.alg[0].u_fixed = true;
	refused("demands 64 bytes of U-KAD");
	m.caps.alg[0].u_max = 32;
	m.caps.alg[0].dkad_c = 2;
	refused("keeps no key-associated data");
}
END_TEST

START_TEST(a_smaller_tag_area_does_not_hinder_reading)
{
	struct tape_loaded out;

	m.caps.alg[0].u_max = 12;
	ck_assert_int_eq(load_read("tag", &out), 0);
}
END_TEST

START_TEST(a_drive_the_library_owns_is_refused)
{
	m.caps.cfg_p = 2;
	refused("the library owns this drive's keys");
	m.caps.cfg_p = 1;
	m.n_protocols = 1;
	refused("switched off in this drive");
	m.n_protocols = 2;
	m.st.control = 3;
	refused("the library sets this drive's keys");
	m.st.control = 4;
	refused("the management interface sets");
}
END_TEST

static bool
prevented(struct mock *k, const struct tape_cmd *c, struct tape_reply *r,
    int *err)
{
	(void)k;
	*err = 0;
	if (!mock_is_spout(c))
		return false;
	mock_check(r, 5, 0x74, 0x21);
	return true;
}

START_TEST(prevented_configuration_names_the_library)
{
	struct tape_loaded out;

	m.before = prevented;
	ck_assert_int_eq(load_write(&out), KMS_ERR_DRIVE);
	says(KMS_ERR_DRIVE, "5/74/21");
	says(KMS_ERR_DRIVE, "the library owns");
}
END_TEST

START_TEST(an_algorithm_that_will_not_do_is_refused)
{
	m.caps.alg[0].encrypt_c = 1;
	refused("does not do it in hardware");
	m.caps.alg[0].encrypt_c = 2;
	m.caps.alg[0].decrypt_c = 3;
	refused("does not do it in hardware");
	m.caps.alg[0].decrypt_c = 2;
	m.caps.alg[0].key_len = 16;
	refused("not 32 bytes");
	m.caps.alg[0].key_len = 32;
	m.caps.alg[0].avfmv = false;
	refused("not valid for the tape");
	m.caps.alg[0].code = 0x00010010;
	refused("does not have it");
	m.caps.n = 0;
	refused("does not have it");
}
END_TEST

START_TEST(a_key_of_another_length_is_our_own_error)
{
	struct tape_load l = mock_write(key);
	struct tape_loaded out;
	struct kms_secret *shorter = NULL;

	ck_assert_int_eq(kms_secret_new(16, &shorter), 0);
	l.key = shorter;
	ck_assert_int_eq(tape_drive_load(d, &l, &out), KMS_ERR_INTERNAL);
	l.key = NULL;
	ck_assert_int_eq(tape_drive_load(d, &l, &out), KMS_ERR_INTERNAL);
	kms_secret_free(&shorter);
}
END_TEST

START_TEST(a_key_without_tag_is_not_written_with)
{
	struct tape_load l = mock_write(key);
	struct tape_loaded out;

	memset(l.kad.u, 0, sizeof(l.kad.u));
	ck_assert_int_eq(tape_drive_load(d, &l, &out), KMS_ERR_DRIVE);
	l.kad.u_len = 0;
	ck_assert_int_eq(tape_drive_load(d, &l, &out), KMS_ERR_DRIVE);
	ck_assert_uint_eq(m.spouts, 0);
}
END_TEST

START_TEST(a_tag_that_ends_like_padding_is_proven_too)
{
	struct tape_load l = mock_write(key);
	struct tape_loaded out;

	l.kad.u[31] = 0x20;
	l.kad.u[30] = 0x00;
	ck_assert_int_eq(tape_drive_load(d, &l, &out), 0);
	ck_assert_uint_eq(m.last.kad.u_len, 32);
	ck_assert_int_eq(tape_drive_prove(d, &out), 0);
}
END_TEST

START_TEST(without_a_tape_a_key_can_still_be_set)
{
	struct tape_loaded out;

	m.medium = false;
	m.caps.alg[0].avfmv = false;
	ck_assert_int_eq(load_write(&out), 0);
	ck_assert_int_eq(load_read("tag", &out), 0);
}
END_TEST

START_TEST(a_drive_that_wants_a_tape_first_says_so)
{
	struct tape_loaded out;

	m.medium = false;
	m.needs_medium = true;
	ck_assert_int_eq(load_write(&out), KMS_ERR_DRIVE);
	says(KMS_ERR_DRIVE, "insert a tape");
}
END_TEST

START_TEST(clearing_is_off_without_key_or_tag)
{
	static const uint8_t off[] = {0x00, 0x10, 0x00, 0x10, 0x40, 0x40, 0x00,
	    0x00, 0x01, 0x00, 0x00, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x00};
	struct tape_loaded out;

	ck_assert_int_eq(load_write(&out), 0);
	ck_assert_int_eq(tape_drive_clear(d), 0);
	ck_assert_uint_eq(m.last_page_len, sizeof(off));
	ck_assert_mem_eq(m.last_page, off, sizeof(off));
	ck_assert(mock_off(&m));
	ck_assert_int_eq(tape_drive_clear(d), 0);
}
END_TEST

START_TEST(clearing_works_without_having_loaded)
{
	struct tape_loaded out;

	m.caps.alg[0].index = 3;
	ck_assert_int_eq(load_write(&out), 0);
	tape_drive_close(&d);
	d = mock_drive(&m);
	ck_assert_int_eq(tape_drive_clear(d), 0);
	ck_assert_uint_eq(m.last.algorithm, 3);
	ck_assert(mock_off(&m));
}
END_TEST

/* What happened between load and proof; text of the refusal. */
static void
lost(const struct tape_loaded *l, const char *text)
{
	ck_assert_int_eq(tape_drive_prove(d, l), KMS_ERR_UNPROVEN);
	says(KMS_ERR_UNPROVEN, "data may be in clear");
	says(KMS_ERR_UNPROVEN, text);
}

START_TEST(an_untouched_key_is_proven_again)
{
	struct tape_loaded out;

	ck_assert_int_eq(load_write(&out), 0);
	ck_assert_int_eq(tape_drive_prove(d, &out), 0);
	ck_assert_int_eq(tape_drive_prove(d, &out), 0);
}
END_TEST

START_TEST(a_reset_in_between_is_a_lost_key)
{
	struct tape_loaded out, again;

	ck_assert_int_eq(load_write(&out), 0);
	mock_reset(&m);
	lost(&out, "modes are off");
	/* Somebody loads the same key anew: all reads as before. */
	ck_assert_int_eq(load_write(&out), 0);
	mock_reset(&m);
	unsigned attention = m.attention;
	m.attention = 0;
	ck_assert_int_eq(load_write(&again), 0);
	ck_assert_uint_eq(again.kic, out.kic);
	m.attention = attention;
	lost(&out, "the drive was reset");
}
END_TEST

START_TEST(another_key_in_between_is_a_lost_key)
{
	struct tape_loaded out, other;
	struct tape_load l = mock_write(key);

	ck_assert_int_eq(load_write(&out), 0);
	ck_assert_int_eq(load_write(&other), 0);
	lost(&out, "key instance counter has changed");
	ck_assert_int_eq(load_write(&out), 0);
	m.st.kad.u[0] ^= 1;
	lost(&out, "another key tag");
	m.st.kad = l.kad;
	m.attention = 0x2A11;
	lost(&out, "somebody else changed");
}
END_TEST

START_TEST(a_demount_in_between_is_a_lost_key_unless_expected)
{
	struct tape_load l = mock_write(key);
	struct tape_loaded out;

	ck_assert_int_eq(load_write(&out), 0);
	mock_change_tape(&m);
	lost(&out, "-keep_on_unload");
	m.management.ckod_c = false;
	ck_assert_int_eq(load_write(&out), 0);
	mock_change_tape(&m);
	lost(&out, "-keep_on_unload");
	l.keep_on_unload = true;
	ck_assert_int_eq(tape_drive_load(d, &l, &out), 0);
	mock_change_tape(&m);
	ck_assert_int_eq(tape_drive_prove(d, &out), 0);
}
END_TEST

START_TEST(another_drive_at_the_node_is_neither_trusted_nor_cleared)
{
	struct tape_loaded out;

	ck_assert_int_eq(load_write(&out), 0);
	m.serial = "9999999999";
	lost(&out, "another drive");
	m.spouts = 0;
	ck_assert_int_eq(tape_drive_clear(d), KMS_ERR_UNPROVEN);
	says(KMS_ERR_UNPROVEN, "not 0123456789");
	ck_assert_uint_eq(m.spouts, 0);
	ck_assert(!mock_off(&m));
}
END_TEST

TCase *
load_tests(void)
{
	TCase *t = tcase_create("load");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, writing_encrypts_and_reads_mixed_under_our_tag);
	tcase_add_test(t, reading_sends_no_tag_and_does_not_encrypt);
	tcase_add_test(t, reading_is_proven_by_the_next_block);
	tcase_add_test(t, the_right_tag_with_the_wrong_key_is_not_proven);
	tcase_add_test(t, a_readable_block_of_another_tag_is_not_proven);
	tcase_add_test(t, a_readable_block_without_tag_is_proof);
	tcase_add_test(t, a_block_in_clear_or_unknown_is_no_obstacle);
	tcase_add_test(t, the_key_goes_with_the_tape_only_where_the_drive_can);
	tcase_add_test(t, ceem_falls_back_where_its_byte_is_refused);
	tcase_add_test(t, another_refused_byte_is_told_and_not_tried_again);
	tcase_add_test(t, the_algorithm_is_chosen_by_its_code);
	tcase_add_test(t, fixed_lengths_are_padded);
	tcase_add_test(t, a_drive_that_cannot_hold_the_tag_is_refused);
	tcase_add_test(t, a_smaller_tag_area_does_not_hinder_reading);
	tcase_add_test(t, a_drive_the_library_owns_is_refused);
	tcase_add_test(t, prevented_configuration_names_the_library);
	tcase_add_test(t, an_algorithm_that_will_not_do_is_refused);
	tcase_add_test(t, a_key_of_another_length_is_our_own_error);
	tcase_add_test(t, a_key_without_tag_is_not_written_with);
	tcase_add_test(t, a_tag_that_ends_like_padding_is_proven_too);
	tcase_add_test(t, without_a_tape_a_key_can_still_be_set);
	tcase_add_test(t, a_drive_that_wants_a_tape_first_says_so);
	tcase_add_test(t, clearing_is_off_without_key_or_tag);
	tcase_add_test(t, clearing_works_without_having_loaded);
	tcase_add_test(t, an_untouched_key_is_proven_again);
	tcase_add_test(t, a_reset_in_between_is_a_lost_key);
	tcase_add_test(t, another_key_in_between_is_a_lost_key);
	tcase_add_test(t, a_demount_in_between_is_a_lost_key_unless_expected);
	tcase_add_test(t,
	    another_drive_at_the_node_is_neither_trusted_nor_cleared);
	return t;
}
