#include <stdlib.h>
#include <string.h>

#include "tests/unit/vtape/rig.h"
#include "tests/unit/vtape/suite.h"

static void
set_block(struct rig *r, uint16_t len)
{
	uint8_t list[12] = {0, 0, 0x10, 8, 0, 0, 0, 0, 0, 0,
	    (uint8_t)(len >> 8), (uint8_t)len};

	rig_run(r, r->a, (struct cdb){{0x15, 0x10, 0, 0, 12}}, list, 12, 0);
	ck_assert_uint_eq(r->status, TAPE_GOOD);
}

START_TEST(a_variable_block_comes_back_as_written)
{
	struct rig *r = rig_new(8);

	rig_write_text(r, "hello");
	rig_write_text(r, "a longer one");
	rig_locate(r, 0);
	rig_read_text(r, "hello");
	rig_read_text(r, "a longer one");
	rig_free(r);
}
END_TEST

START_TEST(a_filemark_ends_a_read_behind_it)
{
	struct rig *r = rig_new(8);

	rig_marks(r, 1);
	rig_write_text(r, "next");
	rig_locate(r, 0);
	rig_read(r, r->a, 100);
	rig_refused(r, 0, 0x0001);
	ck_assert(r->sense.filemark);
	ck_assert_int_eq((int64_t)r->sense.info, 100);
	ck_assert_uint_eq(rig_position(r), 1);
	rig_read_text(r, "next");
	rig_free(r);
}
END_TEST

START_TEST(a_short_block_reports_the_residue)
{
	struct rig *r = rig_new(8);

	rig_write_text(r, "12345");
	rig_locate(r, 0);
	rig_read(r, r->a, 8);
	rig_refused(r, 0, 0x0000);
	ck_assert(r->sense.ili);
	ck_assert_int_eq((int64_t)r->sense.info, 3);
	ck_assert_uint_eq(r->in_len, 5);
	ck_assert_mem_eq(r->in, "12345", 5);
	rig_locate(r, 0);
	rig_run(r, r->a, (struct cdb){{0x08, 2, 0, 0, 8}}, NULL, 0, 8);
	ck_assert_uint_eq(r->status, TAPE_GOOD); /* SILI */
	rig_free(r);
}
END_TEST

START_TEST(a_long_block_is_passed_and_reported_negative)
{
	struct rig *r = rig_new(8);

	rig_write_text(r, "123456789");
	rig_locate(r, 0);
	rig_read(r, r->a, 4);
	rig_refused(r, 0, 0x0000);
	ck_assert(r->sense.ili);
	ck_assert_int_eq((int64_t)r->sense.info, -5);
	ck_assert_mem_eq(r->in, "1234", 4);
	ck_assert_uint_eq(rig_position(r), 1);
	rig_free(r);
}
END_TEST

START_TEST(fixed_blocks_are_records_of_their_own)
{
	struct rig *r = rig_new(8);
	uint8_t data[1536];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i / 512);
	set_block(r, 512);
	rig_run(r, r->a, (struct cdb){{0x0A, 1, 0, 0, 3}}, data, 1536, 0);
	ck_assert_uint_eq(r->status, TAPE_GOOD);
	ck_assert_uint_eq(rig_position(r), 3);
	rig_marks(r, 1);
	rig_locate(r, 1);
	rig_run(r, r->a, (struct cdb){{0x08, 1, 0, 0, 5}}, NULL, 0, 2560);
	rig_refused(r, 0, 0x0001);
	ck_assert_int_eq((int64_t)r->sense.info, 3); /* blocks */
	ck_assert_uint_eq(r->in_len, 1024);
	ck_assert_uint_eq(r->in[0], 1);
	ck_assert_uint_eq(r->in[1023], 2);
	rig_free(r);
}
END_TEST

START_TEST(a_block_of_another_length_ends_a_fixed_read)
{
	struct rig *r = rig_new(8);
	uint8_t data[512] = {0};

	rig_write(r, data, 512);
	rig_write(r, data, 100);
	set_block(r, 512);
	rig_locate(r, 0);
	rig_run(r, r->a, (struct cdb){{0x08, 1, 0, 0, 4}}, NULL, 0, 2048);
	rig_refused(r, 0, 0x0000);
	ck_assert(r->sense.ili);
	ck_assert_int_eq((int64_t)r->sense.info, 3);
	ck_assert_uint_eq(r->in_len, 512);
	ck_assert_uint_eq(rig_position(r), 2);
	rig_free(r);
}
END_TEST

START_TEST(fixed_transfers_need_a_block_length)
{
	struct rig *r = rig_new(8);

	rig_run(r, r->a, (struct cdb){{0x0A, 1, 0, 0, 1}}, "x", 1, 0);
	rig_refused(r, 5, 0x2400);
	set_block(r, 512);
	rig_run(r, r->a, (struct cdb){{0x08, 3, 0, 0, 1}}, NULL, 0, 512);
	rig_refused(r, 5, 0x2400); /* SILI and FIXED */
	rig_free(r);
}
END_TEST

START_TEST(the_end_of_data_is_a_blank_check)
{
	struct rig *r = rig_new(8);

	rig_read(r, r->a, 10);
	rig_refused(r, 8, 0x0005);
	ck_assert_int_eq((int64_t)r->sense.info, 10);
	rig_free(r);
}
END_TEST

START_TEST(nothing_moves_when_nothing_is_asked_for)
{
	struct rig *r = rig_new(8);

	rig_good(r, r->a, (struct cdb){{0x08}});
	rig_good(r, r->a, (struct cdb){{0x0A}});
	ck_assert_uint_eq(rig_position(r), 0);
	ck_assert_uint_eq(vt_cartridge_end(r->d->tape), 0);
	rig_free(r);
}
END_TEST

START_TEST(the_data_must_be_as_long_as_the_cdb_says)
{
	struct rig *r = rig_new(8);

	rig_run(r, r->a, (struct cdb){{0x0A, 0, 0, 0, 5}}, "abc", 3, 0);
	rig_refused(r, 0xB, 0x4B00);
	rig_run(r, r->a, (struct cdb){{0x0A, 0, 0, 0, 5}}, NULL, 0, 0);
	rig_refused(r, 0xB, 0x4B00);
	rig_run(r, r->a, (struct cdb){{0x08, 0, 0, 0, 5}}, NULL, 0, 4);
	rig_refused(r, 0xB, 0x4B00);
	rig_run(r, r->a, (struct cdb){{0x0A, 0, 0x80, 0, 1}}, NULL, 0, 0);
	rig_refused(r, 5, 0x2400); /* over the longest block */
	ck_assert_uint_eq(vt_cartridge_end(r->d->tape), 0);
	rig_free(r);
}
END_TEST

START_TEST(writing_in_the_middle_ends_the_tape_there)
{
	struct rig *r = rig_new(8);

	rig_write_text(r, "one");
	rig_write_text(r, "two");
	rig_write_text(r, "three");
	rig_locate(r, 1);
	rig_write_text(r, "TWO");
	rig_read(r, r->a, 10);
	rig_refused(r, 8, 0x0005);
	rig_locate(r, 0);
	rig_read_text(r, "one");
	rig_read_text(r, "TWO");
	rig_free(r);
}
END_TEST

START_TEST(erase_ends_the_tape_here)
{
	struct rig *r = rig_new(8);

	rig_write_text(r, "one");
	rig_write_text(r, "two");
	rig_marks(r, 1);
	rig_locate(r, 1);
	rig_good(r, r->a, (struct cdb){{0x19, 1}});
	ck_assert_uint_eq(vt_cartridge_end(r->d->tape), 1);
	ck_assert_uint_eq(rig_position(r), 1);
	rig_free(r);
}
END_TEST

START_TEST(a_protected_tape_takes_no_writing)
{
	struct rig *r = rig_new(8);
	size_t n;

	rig_write_text(r, "data");
	rig_marks(r, 1);
	ck_assert_int_eq(vt_drive_eject(r->d), 0);
	uint8_t *all = fx_read(r->fx, r->path, &n);
	fx_write(r->path, all, n, 0444);
	rig_insert(r, r->path);
	rig_run(r, r->a, (struct cdb){{0}}, NULL, 0, 0);
	rig_refused(r, 6, 0x2800);
	rig_run(r, r->a, (struct cdb){{0x0A, 0, 0, 0, 1}}, "x", 1, 0);
	rig_refused(r, 7, 0x2700);
	rig_run(r, r->a, (struct cdb){{0x10, 0, 0, 0, 1}}, NULL, 0, 0);
	rig_refused(r, 7, 0x2700);
	rig_run(r, r->a, (struct cdb){{0x19}}, NULL, 0, 0);
	rig_refused(r, 7, 0x2700);
	rig_good(r, r->a, (struct cdb){{0x10}}); /* nothing to flush */
	rig_read_text(r, "data");
	rig_in(r, r->a, (struct cdb){{0x1A, 0, 0, 0, 12}}, 12);
	ck_assert_uint_eq(r->in[2] & 0x80, 0x80);
	rig_free(r);
}
END_TEST

START_TEST(the_end_of_the_medium_warns_and_then_refuses)
{
	struct rig *r = rig_new(8);
	uint8_t *data = calloc(1, 60000);
	unsigned good = 0, warned = 0;
	const struct cdb w = {{0x0A, 0, 0, 0xEA, 0x60}};

	ck_assert_ptr_nonnull(data);
	ck_assert_int_eq(vt_drive_eject(r->d), 0);
	rig_insert(r, rig_cartridge(r, "small", 8, 1 << 20));
	rig_run(r, r->a, (struct cdb){{0}}, NULL, 0, 0);
	for (;;) {
		rig_run(r, r->a, w, data, 60000, 0);
		if (r->status == TAPE_GOOD) {
			ck_assert_uint_eq(warned, 0);
			good++;
		} else if (r->sense.key == 0) {
			rig_refused(r, 0, 0x0002);
			ck_assert(r->sense.eom);
			ck_assert_int_eq((int64_t)r->sense.info, 0);
			warned++;
		} else {
			break;
		}
	}
	rig_refused(r, 0xD, 0x0002);
	ck_assert(r->sense.eom);
	ck_assert_int_eq((int64_t)r->sense.info, 60000);
	ck_assert_uint_gt(good, 10);
	ck_assert_uint_gt(warned, 0);
	ck_assert_uint_eq(vt_cartridge_end(r->d->tape), good + warned);
	rig_run(r, r->a, (struct cdb){{0x10, 0, 0, 0, 1}}, NULL, 0, 0);
	rig_refused(r, 0, 0x0002); /* there is room for a filemark */
	free(data);
	rig_free(r);
}
END_TEST

START_TEST(damage_is_a_medium_error_and_nothing_else)
{
	struct rig *r = rig_new(8);
	size_t n;

	rig_write_text(r, "good block");
	rig_write_text(r, "bad block!");
	rig_marks(r, 1);
	ck_assert_int_eq(vt_drive_eject(r->d), 0);
	uint8_t *all = fx_read(r->fx, r->path, &n);
	all[VT_RECORDS_AT + 2 * VT_RECORD_LEN + 15] ^= 1;
	fx_write(r->path, all, n, 0600);
	rig_insert(r, r->path);
	rig_run(r, r->a, (struct cdb){{0}}, NULL, 0, 0);
	rig_read_text(r, "good block");
	rig_read(r, r->a, 10);
	rig_refused(r, 3, 0x1100);
	ck_assert_uint_eq(r->in_len, 0);
	rig_free(r);
}
END_TEST

TCase *
block_tests(void)
{
	TCase *t = tcase_create("block");

	tcase_add_test(t, a_variable_block_comes_back_as_written);
	tcase_add_test(t, a_filemark_ends_a_read_behind_it);
	tcase_add_test(t, a_short_block_reports_the_residue);
	tcase_add_test(t, a_long_block_is_passed_and_reported_negative);
	tcase_add_test(t, fixed_blocks_are_records_of_their_own);
	tcase_add_test(t, a_block_of_another_length_ends_a_fixed_read);
	tcase_add_test(t, fixed_transfers_need_a_block_length);
	tcase_add_test(t, the_end_of_data_is_a_blank_check);
	tcase_add_test(t, nothing_moves_when_nothing_is_asked_for);
	tcase_add_test(t, the_data_must_be_as_long_as_the_cdb_says);
	tcase_add_test(t, writing_in_the_middle_ends_the_tape_there);
	tcase_add_test(t, erase_ends_the_tape_here);
	tcase_add_test(t, a_protected_tape_takes_no_writing);
	tcase_add_test(t, the_end_of_the_medium_warns_and_then_refuses);
	tcase_add_test(t, damage_is_a_medium_error_and_nothing_else);
	return t;
}
