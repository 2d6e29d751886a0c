#include "tests/unit/vtape/rig.h"
#include "tests/unit/vtape/suite.h"

/* 0 a, 1 b, 2 mark, 3 c, 4 mark, 5 mark, 6 d, 7 end */
static struct rig *
three_files(void)
{
	struct rig *r = rig_new(8);

	rig_write_text(r, "a");
	rig_write_text(r, "b");
	rig_marks(r, 1);
	rig_write_text(r, "c");
	rig_marks(r, 2);
	rig_write_text(r, "d");
	return r;
}

static void
space(struct rig *r, uint8_t code, int32_t count)
{
	struct cdb c = {{0x11, code, (uint8_t)((uint32_t)count >> 16),
	    (uint8_t)((uint32_t)count >> 8), (uint8_t)count}};

	rig_run(r, r->a, c, NULL, 0, 0);
}

static void
space_good(struct rig *r, uint8_t code, int32_t count, uint64_t at)
{
	space(r, code, count);
	ck_assert_uint_eq(r->status, TAPE_GOOD);
	ck_assert_uint_eq(rig_position(r), at);
}

START_TEST(space_over_blocks_stops_at_filemarks)
{
	struct rig *r = three_files();

	rig_locate(r, 0);
	space_good(r, 0, 1, 1);
	space(r, 0, 3);
	rig_refused(r, 0, 0x0001);
	ck_assert(r->sense.filemark);
	ck_assert_int_eq((int64_t)r->sense.info, 2);
	ck_assert_uint_eq(rig_position(r), 3); /* behind it */
	space(r, 0, -1);
	rig_refused(r, 0, 0x0001);
	ck_assert_int_eq((int64_t)r->sense.info, 1);
	ck_assert_uint_eq(rig_position(r), 2); /* before it */
	space_good(r, 0, -2, 0);
	space(r, 0, -1);
	rig_refused(r, 0, 0x0004);
	ck_assert(r->sense.eom);
	rig_locate(r, 6);
	space(r, 0, 5);
	rig_refused(r, 8, 0x0005);
	ck_assert_int_eq((int64_t)r->sense.info, 4);
	rig_free(r);
}
END_TEST

START_TEST(space_over_filemarks)
{
	struct rig *r = three_files();

	rig_locate(r, 0);
	space_good(r, 1, 1, 3);
	space_good(r, 1, 2, 6);
	space(r, 1, 1);
	rig_refused(r, 8, 0x0005);
	ck_assert_int_eq((int64_t)r->sense.info, 1);
	ck_assert_uint_eq(rig_position(r), 7);
	space_good(r, 1, -1, 5); /* before the mark */
	space_good(r, 1, -1, 4);
	space_good(r, 1, 0, 4);
	space(r, 1, -2);
	rig_refused(r, 0, 0x0004);
	ck_assert_int_eq((int64_t)r->sense.info, 1);
	ck_assert_uint_eq(rig_position(r), 0);
	space_good(r, 3, 0, 7);
	space(r, 4, 1);
	rig_refused(r, 5, 0x2400); /* setmarks */
	rig_free(r);
}
END_TEST

START_TEST(locate_finds_objects_files_and_the_end)
{
	struct rig *r = three_files();
	struct cdb c = {{0x92}};

	rig_locate(r, 6);
	rig_read_text(r, "d");
	c.b[11] = 3;
	rig_good(r, r->a, c);
	ck_assert_uint_eq(rig_position(r), 3);
	c.b[1] = 1 << 3; /* file */
	rig_good(r, r->a, c);
	ck_assert_uint_eq(rig_position(r), 6);
	c.b[11] = 0;
	rig_good(r, r->a, c);
	ck_assert_uint_eq(rig_position(r), 0);
	c.b[1] = 3 << 3;
	rig_good(r, r->a, c);
	ck_assert_uint_eq(rig_position(r), 7);
	c = (struct cdb){{0x2B, 0, 0, 0, 0, 0, 8}};
	rig_run(r, r->a, c, NULL, 0, 0);
	rig_refused(r, 8, 0x0005);
	ck_assert_uint_eq(rig_position(r), 7);
	rig_free(r);
}
END_TEST

START_TEST(read_position_has_three_forms)
{
	struct rig *r = three_files();

	rig_locate(r, 4);
	rig_in(r, r->a, (struct cdb){{0x34}}, 64);
	ck_assert_uint_eq(r->in_len, 20);
	ck_assert_mem_eq(r->in, "\0\0\0\0\0\0\0\x04\0\0\0\x04", 12);
	rig_in(r, r->a, (struct cdb){{0x34, 6}}, 64);
	ck_assert_uint_eq(r->in_len, 32);
	ck_assert_uint_eq(kms_get64(r->in + 8), 4);
	ck_assert_uint_eq(kms_get64(r->in + 16), 1); /* file */
	rig_in(r, r->a, (struct cdb){{0x34, 8, [8] = 32}}, 64);
	ck_assert_uint_eq(kms_get64(r->in + 8), 4);
	rig_run(r, r->a, (struct cdb){{0x34, 2}}, NULL, 0, 64);
	rig_refused(r, 5, 0x2400);
	rig_good(r, r->a, (struct cdb){{0x01}});
	rig_in(r, r->a, (struct cdb){{0x34}}, 20);
	ck_assert_uint_eq(r->in[0], 0x80); /* beginning */
	rig_free(r);
}
END_TEST

START_TEST(unload_and_load_rewind_and_tell_the_others)
{
	struct rig *r = three_files();

	rig_good(r, r->a, (struct cdb){{0x1B}});
	rig_run(r, r->a, (struct cdb){{0x00}}, NULL, 0, 0);
	rig_refused(r, 2, 0x3A00);
	rig_good(r, r->a, (struct cdb){{0x1B, 0, 0, 0, 1}});
	rig_good(r, r->a, (struct cdb){{0x00}});
	ck_assert_uint_eq(rig_position(r), 0);
	rig_run(r, r->b, (struct cdb){{0x00}}, NULL, 0, 0);
	rig_refused(r, 6, 0x2800);
	rig_good(r, r->b, (struct cdb){{0x00}});
	rig_free(r);
}
END_TEST

TCase *
move_tests(void)
{
	TCase *t = tcase_create("move");

	tcase_add_test(t, space_over_blocks_stops_at_filemarks);
	tcase_add_test(t, space_over_filemarks);
	tcase_add_test(t, locate_finds_objects_files_and_the_end);
	tcase_add_test(t, read_position_has_three_forms);
	tcase_add_test(t, unload_and_load_rewind_and_tell_the_others);
	return t;
}
