/* Blocks under keys: what is read, what is refused, when a key is lost. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/vtape/rig.h"
#include "tests/unit/vtape/suite.h"

static void
load(struct rig *r, uint8_t key, const char *tag)
{
	struct sde s = sde_load(key, tag);

	rig_sde_good(r, r->a, &s);
}

static void
off(struct rig *r)
{
	struct sde s = sde_off();

	rig_sde_good(r, r->a, &s);
}

static void
read_is_refused(struct rig *r, uint32_t object, uint8_t key, uint16_t asc)
{
	rig_locate(r, object);
	rig_read(r, r->a, 64);
	rig_refused(r, key, asc);
	ck_assert_uint_eq(r->in_len, 0);
	ck_assert_uint_eq(rig_position(r), object);
}

static uint8_t
next_status(struct rig *r)
{
	rig_spin(r, r->a, 0x21);
	ck_assert_uint_eq(r->status, TAPE_GOOD);
	return r->in[12] & 0x0F;
}

START_TEST(a_block_is_readable_only_with_its_key)
{
	struct rig *r = rig_new(8);

	load(r, 1, "tag one");
	rig_write_text(r, "confidential");
	rig_locate(r, 0);
	rig_read_text(r, "confidential");
	off(r);
	read_is_refused(r, 0, 7, 0x7401); /* decryption is off */
	load(r, 2, "tag two");
	read_is_refused(r, 0, 7, 0x7403);
	load(r, 1, "another tag");
	rig_read_text(r, "confidential");
	rig_free(r);
}
END_TEST

START_TEST(the_file_holds_no_plaintext_and_no_key)
{
	static const char text[] = "the quick brown fox jumps";
	struct rig *r = rig_new(8);
	uint8_t key[32];

	load(r, 0x5A, "tag");
	rig_write_text(r, text);
	off(r);
	rig_write_text(r, "but this is in clear");
	rig_marks(r, 1);
	memset(key, 0x5A, sizeof(key));
	ck_assert(!fx_contains(r->fx, r->path, text, 8));
	ck_assert(!fx_contains(r->fx, r->path, key, 8));
	ck_assert(fx_contains(r->fx, r->path, "tag", 3)); /* U-KAD */
	ck_assert(fx_contains(r->fx, r->path, "but this is", 11));
	rig_free(r);
}
END_TEST

START_TEST(equal_blocks_look_different)
{
	struct rig *r = rig_new(8);
	struct vt_record one, two;
	uint8_t a[16], b[16];

	load(r, 1, "tag");
	rig_write_text(r, "0123456789abcdef");
	rig_write_text(r, "0123456789abcdef");
	ck_assert_int_eq(vt_cartridge_get(r->d->tape, 0, &one, a), 0);
	ck_assert_int_eq(vt_cartridge_get(r->d->tape, 1, &two, b), 0);
	ck_assert_mem_ne(one.iv, two.iv, sizeof(one.iv));
	ck_assert_mem_ne(a, b, 16);
	rig_free(r);
}
END_TEST

START_TEST(mixed_reads_both_kinds_and_decrypt_only_one)
{
	struct rig *r = rig_new(8);
	struct sde s = sde_load(1, NULL);

	rig_write_text(r, "clear");
	load(r, 1, "tag");
	rig_write_text(r, "sealed");
	rig_locate(r, 0);
	rig_read_text(r, "clear");
	rig_read_text(r, "sealed");
	s.enc = 0;
	s.dec = 2;
	rig_sde_good(r, r->a, &s);
	read_is_refused(r, 0, 7, 0x7402); /* unencrypted data met */
	rig_locate(r, 1);
	rig_read_text(r, "sealed");
	/* Now writing is in clear. */
	rig_write_text(r, "plain tail");
	ck_assert(fx_contains(r->fx, r->path, "plain tail", 10));
	rig_free(r);
}
END_TEST

START_TEST(raw_reading_needs_consent_at_writing)
{
	struct rig *r = rig_new(8);
	struct sde s = sde_load(1, "tag"), raw = sde_off();

	rig_sde_good(r, r->a, &s);
	rig_write_text(r, "closed");
	s.flags = 2 << 4; /* RDMC: may be read raw */
	rig_sde_good(r, r->a, &s);
	rig_write_text(r, "opened");
	raw.dec = 1;
	rig_sde_good(r, r->a, &raw);
	read_is_refused(r, 0, 7, 0x740A);
	rig_locate(r, 1);
	rig_read(r, r->a, 6 + 28);
	ck_assert_uint_eq(r->status, TAPE_GOOD);
	ck_assert_uint_eq(r->in_len, 34);
	for (size_t i = 0; i + 6 <= r->in_len; i++)
		ck_assert_mem_ne(r->in + i, "opened", 6);
	rig_free(r);
}
END_TEST

START_TEST(the_external_mode_check_refuses_our_blocks)
{
	struct rig *r = rig_new(8);
	struct sde s = sde_load(1, "tag");

	rig_sde_good(r, r->a, &s);
	rig_write_text(r, "data");
	s.flags = 3 << 6; /* error when written in ENCRYPT mode */
	rig_sde_good(r, r->a, &s);
	read_is_refused(r, 0, 7, 0x7409);
	s.flags = 2 << 6;
	rig_sde_good(r, r->a, &s);
	rig_read_text(r, "data");
	rig_free(r);
}
END_TEST

START_TEST(the_next_block_page_tells_which_key)
{
	struct rig *r = rig_new(8);
	struct sde s = sde_load(1, "the tag");

	s.a = "auth";
	rig_sde_good(r, r->a, &s);
	rig_write_text(r, "sealed");
	off(r);
	rig_write_text(r, "clear");
	rig_marks(r, 1);
	rig_locate(r, 0);
	ck_assert_uint_eq(next_status(r), 6);
	ck_assert_uint_eq(r->in[13], 1);
	ck_assert_uint_eq(r->in[14] & 1, 1); /* not raw-readable */
	ck_assert_mem_eq(r->in + 16,
	    "\0\x01\0\x07the tag\x01\x02\0\x04"
	    "auth",
	    19);
	load(r, 2, "wrong");
	ck_assert_uint_eq(next_status(r), 6);
	load(r, 1, "right");
	ck_assert_uint_eq(next_status(r), 5);
	/* A-KAD authentic, U-KAD not covered */
	ck_assert_mem_eq(r->in + 16,
	    "\0\x01\0\x07the tag\x01\x03\0\x04"
	    "auth",
	    19);
	rig_locate(r, 1);
	ck_assert_uint_eq(next_status(r), 3);
	ck_assert_uint_eq(kms_get64(r->in + 4), 1);
	rig_locate(r, 2);
	ck_assert_uint_eq(next_status(r), 2); /* filemark */
	ck_assert_uint_eq(rig_position(r), 2);
	rig_free(r);
}
END_TEST

START_TEST(the_next_block_page_at_the_end_is_a_blank_check)
{
	const struct vt_options opt = {.generation = 8, .lenient = true};
	struct rig *r = rig_new(8);

	rig_spin(r, r->a, 0x21);
	rig_refused(r, 8, 0x0005);
	rig_write_text(r, "x");
	rig_spin(r, r->a, 0x21);
	rig_refused(r, 8, 0x0005);
	ck_assert_int_eq(vt_drive_eject(r->d), 0);
	rig_spin(r, r->a, 0x21);
	ck_assert_uint_eq(r->status, TAPE_GOOD);
	ck_assert_uint_eq(r->in_len, 16);
	ck_assert_mem_eq(r->in, "\0\x21\0\x0C\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	rig_free(r);
	r = rig_new_with(&opt);
	ck_assert_uint_eq(next_status(r), 1);
	rig_free(r);
}
END_TEST

START_TEST(the_volume_says_that_it_holds_encrypted_blocks)
{
	struct rig *r = rig_new(8);

	rig_spin(r, r->a, 0x20);
	ck_assert_uint_eq(r->in[12] & 8, 0);
	load(r, 1, "tag");
	rig_write_text(r, "x");
	rig_spin(r, r->a, 0x20);
	ck_assert_uint_eq(r->in[12] & 8, 8);
	rig_locate(r, 0);
	off(r);
	rig_write_text(r, "x");
	rig_spin(r, r->a, 0x20);
	ck_assert_uint_eq(r->in[12] & 8, 0);
	rig_free(r);
}
END_TEST

START_TEST(ten_wrong_keys_lock_the_drive_until_unload)
{
	struct rig *r = rig_new(8);
	char tag[8];

	load(r, 1, "tag");
	rig_write_text(r, "sealed");
	for (uint8_t i = 0; i < 10; i++) {
		snprintf(tag, sizeof(tag), "w%u", i);
		load(r, (uint8_t)(100 + i), tag);
		read_is_refused(r, 0, 7, 0x7403);
		/* The same key again is no new guess. */
		read_is_refused(r, 0, 7, 0x7403);
	}
	struct sde s = sde_load(1, "tag");
	rig_sde(r, r->a, &s);
	rig_refused(r, 7, 0x2610);
	rig_good(r, r->a, (struct cdb){{0x1B}});
	rig_good(r, r->a, (struct cdb){{0x1B, 0, 0, 0, 1}});
	rig_sde_good(r, r->a, &s);
	rig_read_text(r, "sealed");
	rig_free(r);
}
END_TEST

START_TEST(a_power_cycle_forgets_the_key)
{
	struct rig *r = rig_new(8);

	load(r, 1, "tag");
	rig_write_text(r, "sealed");
	vt_drive_reset(r->d);
	ck_assert_ptr_null(r->d->shared.gcm);
	rig_run(r, r->a, (struct cdb){{0}}, NULL, 0, 0);
	rig_refused(r, 6, 0x2900);
	rig_spin(r, r->a, 0x20);
	ck_assert_mem_eq(r->in + 4, "\0\0\0\0\0\0\0\0", 8);
	ck_assert_uint_eq(rig_position(r), 0);
	read_is_refused(r, 0, 7, 0x7401);
	rig_free(r);
}
END_TEST

/* CKOD 1: gone when the volume goes. CKOD 0: it encrypts the next one. */
START_TEST(ckod_decides_what_a_demount_does)
{
	struct rig *r = rig_new(8);
	struct sde s = sde_load(1, "tag");
	bool ckod = _i == 1;

	s.flags = ckod ? 0x04 : 0;
	rig_sde_good(r, r->a, &s);
	rig_write_text(r, "sealed");
	if (_i == 2) {
		ck_assert_int_eq(vt_drive_eject(r->d), 0);
		rig_insert(r, r->path);
		rig_run(r, r->a, (struct cdb){{0}}, NULL, 0, 0);
		rig_refused(r, 6, 0x2800);
	} else {
		rig_good(r, r->a, (struct cdb){{0x1B}});
		rig_good(r, r->a, (struct cdb){{0x1B, 0, 0, 0, 1}});
	}
	ck_assert_uint_eq(rig_kic(r, r->a), ckod ? 2 : 1);
	ck_assert_uint_eq(r->in[5], ckod ? 0 : 2);
	if (ckod)
		read_is_refused(r, 0, 7, 0x7401);
	else
		rig_read_text(r, "sealed");
	rig_free(r);
}
END_TEST

START_TEST(the_lenient_drive_keeps_the_key_despite_ckod)
{
	const struct vt_options opt = {.generation = 8, .lenient = true};
	struct rig *r = rig_new_with(&opt);
	struct sde s = sde_load(1, "tag");

	s.flags = 0x04;
	rig_sde_good(r, r->a, &s);
	rig_good(r, r->a, (struct cdb){{0x1B}});
	ck_assert_ptr_nonnull(r->d->shared.gcm);
	rig_free(r);
}
END_TEST

/* Right key, but not what was written: no wrong key, and no data. */
START_TEST(tampering_is_not_a_wrong_key)
{
	struct rig *r = rig_new(8);
	size_t n;

	load(r, 1, "tag");
	rig_write_text(r, "sealed");
	rig_marks(r, 1);
	ck_assert_int_eq(vt_drive_eject(r->d), 0);
	uint8_t *all = fx_read(r->fx, r->path, &n);
	all[VT_RECORDS_AT + VT_RECORD_LEN + 3] ^= 1; /* behind the U-KAD */
	fx_write(r->path, all, n, 0600);
	rig_insert(r, r->path);
	rig_run(r, r->a, (struct cdb){{0}}, NULL, 0, 0);
	read_is_refused(r, 0, 7, 0x7404);
	rig_free(r);
}
END_TEST

START_TEST(a_key_may_be_set_without_a_tape)
{
	struct rig *r = rig_new(8);

	ck_assert_int_eq(vt_drive_eject(r->d), 0);
	load(r, 1, "tag");
	rig_insert(r, r->path);
	rig_run(r, r->a, (struct cdb){{0}}, NULL, 0, 0);
	rig_write_text(r, "sealed");
	rig_marks(r, 1);
	ck_assert(!fx_contains(r->fx, r->path, "sealed", 6));
	rig_free(r);
}
END_TEST

TCase *
key_tests(void)
{
	TCase *t = tcase_create("key");

	tcase_add_test(t, a_block_is_readable_only_with_its_key);
	tcase_add_test(t, the_file_holds_no_plaintext_and_no_key);
	tcase_add_test(t, equal_blocks_look_different);
	tcase_add_test(t, mixed_reads_both_kinds_and_decrypt_only_one);
	tcase_add_test(t, raw_reading_needs_consent_at_writing);
	tcase_add_test(t, the_external_mode_check_refuses_our_blocks);
	tcase_add_test(t, the_next_block_page_tells_which_key);
	tcase_add_test(t, the_next_block_page_at_the_end_is_a_blank_check);
	tcase_add_test(t, the_volume_says_that_it_holds_encrypted_blocks);
	tcase_add_test(t, ten_wrong_keys_lock_the_drive_until_unload);
	tcase_add_test(t, a_power_cycle_forgets_the_key);
	tcase_add_loop_test(t, ckod_decides_what_a_demount_does, 0, 3);
	tcase_add_test(t, the_lenient_drive_keeps_the_key_despite_ckod);
	tcase_add_test(t, tampering_is_not_a_wrong_key);
	tcase_add_test(t, a_key_may_be_set_without_a_tape);
	return t;
}
