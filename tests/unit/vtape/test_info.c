#include <string.h>

#include "tests/unit/vtape/rig.h"
#include "tests/unit/vtape/suite.h"

START_TEST(inquiry_names_a_tape_drive)
{
	static const char *const product[] = {"VIRTUAL LTO-4   ",
	    "VIRTUAL LTO-5   ", "VIRTUAL LTO-6   ", "VIRTUAL LTO-7   ",
	    "VIRTUAL LTO-8   ", "VIRTUAL LTO-9   "};
	struct rig *r = rig_new(4 + (unsigned)_i);

	rig_in(r, r->a, (struct cdb){{0x12, 0, 0, 0, 96}}, 96);
	ck_assert_uint_eq(r->in_len, 36);
	ck_assert_uint_eq(r->in[0], 0x01);
	ck_assert_uint_eq(r->in[1], 0x80);
	ck_assert_uint_eq(r->in[4], 31);
	ck_assert_mem_eq(r->in + 8, "P11KMS  ", 8);
	ck_assert_mem_eq(r->in + 16, product[_i], 16);
	rig_free(r);
}
END_TEST

START_TEST(inquiry_pages_give_the_serial)
{
	struct rig *r = rig_new(8);

	rig_in(r, r->a, (struct cdb){{0x12, 1, 0x00, 0, 96}}, 96);
	ck_assert_mem_eq(r->in, "\x01\x00\x00\x03\x00\x80\x83", 7);
	rig_in(r, r->a, (struct cdb){{0x12, 1, 0x80, 0, 96}}, 96);
	ck_assert_uint_eq(r->in_len, 12);
	ck_assert_mem_eq(r->in + 4, "VTTEST01", 8);
	rig_in(r, r->a, (struct cdb){{0x12, 1, 0x83, 0, 96}}, 96);
	ck_assert_mem_eq(r->in + 8, "P11KMS  VIRTUAL LTO-8   VTTEST01", 32);
	rig_run(r, r->a, (struct cdb){{0x12, 1, 0xB1, 0, 96}}, NULL, 0, 96);
	rig_refused(r, 5, 0x2400);
	ck_assert(r->sense.has_field && r->sense.field_in_cdb);
	ck_assert_uint_eq(r->sense.field, 2);
	rig_free(r);
}
END_TEST

START_TEST(a_short_allocation_cuts_the_reply)
{
	struct rig *r = rig_new(8);

	rig_in(r, r->a, (struct cdb){{0x12, 0, 0, 0, 5}}, 96);
	ck_assert_uint_eq(r->in_len, 5);
	rig_in(r, r->a, (struct cdb){{0x12, 0, 0, 0, 96}}, 5);
	ck_assert_uint_eq(r->in_len, 5);
	rig_in(r, r->a, (struct cdb){{0x12}}, 96);
	ck_assert_uint_eq(r->in_len, 0);
	rig_free(r);
}
END_TEST

START_TEST(reserved_bits_in_a_cdb_are_refused)
{
	static const uint8_t ops[] = {0x00, 0x01, 0x05, 0x08, 0x0A, 0x10, 0x11,
	    0x16, 0x17, 0x19, 0x1B, 0x1E, 0x2B, 0x34, 0x8C, 0x92, 0xA2, 0xB5};
	struct rig *r = rig_new(8);

	for (size_t i = 0; i < sizeof(ops); i++) {
		struct cdb c = {{ops[i]}};
		size_t control = ops[i] < 0x20 ? 5
		    : ops[i] < 0x60            ? 9
		    : ops[i] < 0xA0            ? 15
					       : 11;
		c.b[control] = 0x40;
		rig_run(r, r->a, c, NULL, 0, 0);
		rig_refused(r, 5, 0x2400);
		ck_assert_uint_eq(r->sense.field, control);
	}
	rig_free(r);
}
END_TEST

START_TEST(the_lenient_drive_ignores_reserved_bits)
{
	const struct vt_options opt = {.generation = 6, .lenient = true};
	struct rig *r = rig_new_with(&opt);

	rig_good(r, r->a, (struct cdb){{0x00, 0, 0, 0, 0, 0x40}});
	rig_free(r);
}
END_TEST

START_TEST(an_unknown_command_is_refused)
{
	struct rig *r = rig_new(8);

	rig_run(r, r->a, (struct cdb){{0xEE}}, NULL, 0, 0);
	rig_refused(r, 5, 0x2000);
	rig_free(r);
}
END_TEST

START_TEST(an_empty_drive_is_not_ready_but_answers)
{
	struct rig *r = rig_new(8);

	ck_assert_int_eq(vt_drive_eject(r->d), 0);
	rig_run(r, r->a, (struct cdb){{0x00}}, NULL, 0, 0);
	rig_refused(r, 2, 0x3A00);
	rig_run(r, r->a, (struct cdb){{0x8C, [8] = 8, 6, 0, 0, 1}}, NULL, 0,
	    256);
	rig_refused(r, 2, 0x3A00);
	rig_in(r, r->a, (struct cdb){{0x12, 0, 0, 0, 36}}, 36);
	rig_in(r, r->a, (struct cdb){{0x1A, 0, 0, 0, 12}}, 12);
	ck_assert_int_eq(vt_drive_eject(r->d), KMS_ERR_NOTFOUND);
	rig_free(r);
}
END_TEST

START_TEST(block_limits_are_one_byte_to_eight_mebibytes)
{
	struct rig *r = rig_new(8);

	rig_in(r, r->a, (struct cdb){{0x05}}, 6);
	ck_assert_mem_eq(r->in, "\x00\x80\x00\x00\x00\x01", 6);
	rig_free(r);
}
END_TEST

START_TEST(attributes_give_barcode_and_serial)
{
	struct rig *r = rig_new(8);
	struct cdb c = {{0x8C, [8] = 0x08, 0x06, 0, 0, 1, 0}};

	rig_in(r, r->a, c, 256);
	ck_assert_uint_eq(r->in_len, 4 + 5 + 32);
	ck_assert_mem_eq(r->in, "\0\0\0\x25\x08\x06\x81\0\x20TEST01L8 ", 18);
	c.b[8] = 0x04;
	c.b[9] = 0x01;
	rig_in(r, r->a, c, 256);
	ck_assert_mem_eq(r->in + 4, "\x04\x01\x81\0\x20", 5);
	ck_assert_mem_eq(r->in + 9, vt_cartridge_header(r->d->tape)->serial,
	    16);
	c.b[8] = c.b[9] = 0;
	c.b[1] = 1; /* the list */
	rig_in(r, r->a, c, 256);
	ck_assert_mem_eq(r->in, "\0\0\0\x0A\0\0\0\x01\x04\0\x04\x01\x08\x06",
	    14);
	c.b[8] = 0x09;
	rig_run(r, r->a, c, NULL, 0, 256);
	rig_refused(r, 5, 0x2400);
	rig_free(r);
}
END_TEST

START_TEST(device_statistics_count_the_loads)
{
	struct rig *r = rig_new(8);
	struct cdb c = {{0x4D, 0, 0x54, [8] = 64}};

	rig_in(r, r->a, c, 64);
	ck_assert_uint_eq(r->in_len, 4 + 4 + 8);
	ck_assert_mem_eq(r->in, "\x14\0\0\x0C\0\0\x03\x08\0\0\0\0\0\0\0\x01",
	    16);
	vt_drive_demount(r->d);
	rig_in(r, r->a, c, 64);
	ck_assert_uint_eq(r->in[15], 1);
	vt_drive_load(r->d);
	rig_in(r, r->a, c, 64);
	ck_assert_uint_eq(r->in[15], 2);
	c.b[2] = 0x40;
	rig_in(r, r->a, c, 64);
	ck_assert_mem_eq(r->in, "\0\0\0\x02\0\x14", 6);
	c.b[2] = 0x14; /* threshold values */
	rig_run(r, r->a, c, NULL, 0, 64);
	rig_refused(r, 5, 0x2400);
	c.b[2] = 0x6E;
	rig_run(r, r->a, c, NULL, 0, 64);
	rig_refused(r, 5, 0x2400);
	rig_free(r);
}
END_TEST

/* What Linux's st asks when it opens, and what MTSETBLK sends. */
START_TEST(mode_select_sets_the_block_length)
{
	static const uint8_t list[12] = {0, 0, 0x10, 8, 0, 0, 0, 0, 0, 0, 2};
	struct rig *r = rig_new(8);

	rig_run(r, r->a, (struct cdb){{0x15, 0x10, 0, 0, 12}}, list, 12, 0);
	ck_assert_uint_eq(r->status, TAPE_GOOD);
	rig_in(r, r->a, (struct cdb){{0x1A, 0, 0, 0, 12}}, 12);
	ck_assert_mem_eq(r->in, "\x0B\0\x10\x08\x5E\0\0\0\0\0\x02\0", 12);
	rig_in(r, r->a, (struct cdb){{0x5A, 0, 0, 0, 0, 0, 0, 0, 16}}, 16);
	ck_assert_mem_eq(r->in, "\0\x0E\0\x10\0\0\0\x08\x5E\0\0\0\0\0\x02\0",
	    16);
	rig_free(r);
}
END_TEST

static void
select_is_refused(struct rig *r, const uint8_t *list, size_t len, uint16_t asc)
{
	rig_run(r, r->a, (struct cdb){{0x15, 0x10, 0, 0, (uint8_t)len}}, list,
	    len, 0);
	rig_refused(r, 5, asc);
	ck_assert_uint_eq(r->d->block_len, 0);
	ck_assert(!r->d->descriptor_sense);
}

START_TEST(a_bad_mode_list_changes_nothing)
{
	static const uint8_t density[12] = {0, 0, 0x10, 8, 0x11, 0, 0, 0, 0, 0,
	    2, 0};
	static const uint8_t huge[12] = {0, 0, 0x10, 8, 0, 0, 0, 0, 0, 0xFF, 0,
	    0};
	/* Good descriptor, then a page with a bit that is not changeable. */
	static const uint8_t page[24] = {0, 0, 0x10, 8, 0, 0, 0, 0, 0, 0, 2, 0,
	    0x0A, 10, 4, 1};
	static const uint8_t cut[14] = {0, 0, 0x10, 8, 0, 0, 0, 0, 0, 0, 2, 0,
	    0x0A, 10};
	struct rig *r = rig_new(8);

	select_is_refused(r, density, sizeof(density), 0x2600);
	select_is_refused(r, huge, sizeof(huge), 0x2600);
	select_is_refused(r, page, sizeof(page), 0x2600);
	ck_assert_uint_eq(r->sense.field, 15);
	select_is_refused(r, cut, sizeof(cut), 0x2600);
	select_is_refused(r, density, 3, 0x1A00);
	rig_run(r, r->a, (struct cdb){{0x15, 0x11, 0, 0, 12}}, density, 12, 0);
	rig_refused(r, 5, 0x2400); /* SP: pages are not saved */
	rig_free(r);
}
END_TEST

START_TEST(mode_pages_come_as_asked)
{
	struct rig *r = rig_new(8);

	rig_in(r, r->a, (struct cdb){{0x1A, 8, 0x0F, 0, 64}}, 64);
	ck_assert_uint_eq(r->in_len, 20);
	ck_assert_mem_eq(r->in + 4, "\x0F\x0E\xC0\x80", 4);
	rig_in(r, r->a, (struct cdb){{0x1A, 8, 0x4F, 0, 64}}, 64);
	ck_assert_mem_eq(r->in + 4, "\x0F\x0E\x80\x00", 4); /* changeable */
	rig_in(r, r->a, (struct cdb){{0x1A, 8, 0x3F, 0, 128}}, 128);
	ck_assert_uint_eq(r->in_len, 4 + 12 + 16 + 16 + 10);
	rig_run(r, r->a, (struct cdb){{0x1A, 8, 0xCF, 0, 64}}, NULL, 0, 64);
	rig_refused(r, 5, 0x3900);
	rig_run(r, r->a, (struct cdb){{0x1A, 8, 0x22, 0, 64}}, NULL, 0, 64);
	rig_refused(r, 5, 0x2400);
	rig_free(r);
}
END_TEST

START_TEST(removal_can_be_prevented)
{
	struct rig *r = rig_new(8);

	rig_good(r, r->a, (struct cdb){{0x1E, 0, 0, 0, 1}});
	ck_assert_int_eq(vt_drive_eject(r->d), KMS_ERR_STATE);
	rig_run(r, r->b, (struct cdb){{0x1B}}, NULL, 0, 0);
	rig_refused(r, 5, 0x5302);
	rig_good(r, r->a, (struct cdb){{0x1E}});
	ck_assert_int_eq(vt_drive_eject(r->d), 0);
	rig_free(r);
}
END_TEST

START_TEST(generations_read_and_write_what_real_ones_do)
{
	/* drive, cartridge, reads, writes */
	static const struct {
		unsigned drive, tape;
		bool reads, writes;
	} t[] = {{4, 4, true, true}, {4, 5, false, false}, {5, 4, true, true},
	    {6, 4, true, false}, {6, 5, true, true}, {7, 4, false, false},
	    {7, 5, true, false}, {8, 6, false, false}, {8, 7, true, true},
	    {9, 7, false, false}, {9, 8, true, true}};
	struct rig *r;

	r = rig_new(t[_i].drive);
	ck_assert_int_eq(vt_drive_eject(r->d), 0);
	struct vt_cartridge *c = NULL;
	const char *path = rig_cartridge(r, "other", t[_i].tape, 1 << 20);
	ck_assert_int_eq(vt_cartridge_open(path, &c), 0);
	ck_assert_int_eq(vt_drive_insert(r->d, &c) == 0, t[_i].reads);
	vt_cartridge_close(&c);
	if (t[_i].reads) {
		rig_run(r, r->a, (struct cdb){{0}}, NULL, 0, 0); /* 28/00 */
		rig_run(r, r->a, (struct cdb){{0x0A, 0, 0, 0, 1}}, "x", 1, 0);
		ck_assert_int_eq(r->status == TAPE_GOOD, t[_i].writes);
		if (!t[_i].writes)
			rig_refused(r, 7, 0x3005);
	}
	rig_free(r);
}
END_TEST

TCase *
info_tests(void)
{
	TCase *t = tcase_create("info");

	tcase_add_loop_test(t, inquiry_names_a_tape_drive, 0, 6);
	tcase_add_test(t, inquiry_pages_give_the_serial);
	tcase_add_test(t, a_short_allocation_cuts_the_reply);
	tcase_add_test(t, reserved_bits_in_a_cdb_are_refused);
	tcase_add_test(t, the_lenient_drive_ignores_reserved_bits);
	tcase_add_test(t, an_unknown_command_is_refused);
	tcase_add_test(t, an_empty_drive_is_not_ready_but_answers);
	tcase_add_test(t, block_limits_are_one_byte_to_eight_mebibytes);
	tcase_add_test(t, attributes_give_barcode_and_serial);
	tcase_add_test(t, device_statistics_count_the_loads);
	tcase_add_test(t, mode_select_sets_the_block_length);
	tcase_add_test(t, a_bad_mode_list_changes_nothing);
	tcase_add_test(t, mode_pages_come_as_asked);
	tcase_add_test(t, removal_can_be_prevented);
	tcase_add_loop_test(t, generations_read_and_write_what_real_ones_do, 0,
	    11);
	return t;
}
