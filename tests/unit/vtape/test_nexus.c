/* Several initiators: who is told what, who may do what. */
#include <string.h>

#include "tests/unit/vtape/rig.h"
#include "tests/unit/vtape/suite.h"

static void
is_told(struct rig *r, struct vt_nexus *n, uint16_t asc)
{
	rig_run(r, n, (struct cdb){{0x00}}, NULL, 0, 0);
	rig_refused(r, 6, asc);
}

static void
is_told_nothing(struct rig *r, struct vt_nexus *n)
{
	rig_run(r, n, (struct cdb){{0x00}}, NULL, 0, 0);
	ck_assert_uint_eq(r->status, TAPE_GOOD);
}

START_TEST(a_change_of_key_is_told_to_registered_nexuses_once)
{
	struct rig *r = rig_new(8);
	struct sde s = sde_load(1, "tag");

	rig_sde_good(r, r->a, &s);
	is_told_nothing(r, r->b); /* b never used protocol 20h */
	rig_spin(r, r->b, 0x20);
	s.key_byte = 2;
	rig_sde_good(r, r->a, &s);
	is_told(r, r->b, 0x2A11);
	is_told_nothing(r, r->b);
	is_told_nothing(r, r->a);
	rig_free(r);
}
END_TEST

START_TEST(every_nexus_uses_the_key_for_all)
{
	struct rig *r = rig_new(8);
	struct sde s = sde_load(1, "tag");

	rig_sde_good(r, r->a, &s);
	rig_write_text(r, "sealed");
	rig_locate(r, 0);
	rig_read(r, r->b, 6);
	ck_assert_uint_eq(r->status, TAPE_GOOD);
	rig_spin(r, r->b, 0x20);
	ck_assert_uint_eq(r->in[4], 0x02); /* nexus PUBLIC, key ALL */
	ck_assert_uint_eq(r->in[5], 2);
	/* b takes over: a is back to sharing. */
	rig_sde_good(r, r->b, &s);
	is_told(r, r->a, 0x2A11);
	rig_spin(r, r->a, 0x20);
	ck_assert_uint_eq(r->in[4], 0x02);
	rig_free(r);
}
END_TEST

START_TEST(a_local_key_is_its_nexus_own_and_dies_with_it)
{
	struct rig *r = rig_new(8);
	struct sde s = sde_load(1, "tag");

	s.scope_lock = 1 << 5;
	rig_spin(r, r->a, 0x20);
	rig_sde_good(r, r->b, &s);
	is_told_nothing(r, r->a);
	rig_spin(r, r->b, 0x20);
	ck_assert_uint_eq(r->in[4], 0x21);
	rig_run(r, r->b, (struct cdb){{0x0A, 0, 0, 0, 6}}, "sealed", 6, 0);
	ck_assert_uint_eq(r->status, TAPE_GOOD);
	rig_write_text(r, "clear by a");
	rig_marks(r, 1);
	ck_assert(!fx_contains(r->fx, r->path, "sealed", 6));
	ck_assert(fx_contains(r->fx, r->path, "clear by a", 10));
	vt_drive_leave(r->d, &r->b);
	ck_assert_int_eq(vt_drive_join(r->d, &r->b), 0);
	rig_locate(r, 0);
	rig_read(r, r->b, 6);
	rig_refused(r, 7, 0x7401);
	rig_free(r);
}
END_TEST

START_TEST(public_gives_up_the_local_key)
{
	struct rig *r = rig_new(8);
	struct sde s = sde_load(1, "tag"), public = sde_off();

	s.scope_lock = 1 << 5;
	rig_sde_good(r, r->a, &s);
	public.scope_lock = 0;
	public.algorithm = 77; /* all but scope and LOCK is ignored */
	rig_sde_good(r, r->a, &public);
	rig_spin(r, r->a, 0x20);
	ck_assert_mem_eq(r->in + 4, "\0\0\0", 3);
	rig_free(r);
}
END_TEST

START_TEST(lock_stops_writing_when_another_changed_the_key)
{
	struct rig *r = rig_new(8);
	struct sde s = sde_load(1, "tag");

	s.scope_lock |= 1;
	rig_sde_good(r, r->a, &s);
	rig_write_text(r, "mine");
	s.key_byte = 2;
	s.scope_lock &= 0xFE;
	rig_sde_good(r, r->b, &s);
	is_told(r, r->a, 0x2A11);
	rig_run(r, r->a, (struct cdb){{0x0A, 0, 0, 0, 1}}, "x", 1, 0);
	rig_refused(r, 7, 0x2A13);
	rig_run(r, r->a, (struct cdb){{0x0A, 0, 0, 0, 1}}, "x", 1, 0);
	rig_refused(r, 7, 0x2A13); /* it lasts */
	s.key_byte = 3;
	rig_sde_good(r, r->a, &s); /* until its next page */
	rig_write_text(r, "again");
	rig_free(r);
}
END_TEST

START_TEST(lock_holds_for_encryption_off_and_lost_keys)
{
	struct rig *r = rig_new(8);
	struct sde s = sde_off();

	s.scope_lock |= 1;
	rig_sde_good(r, r->a, &s);
	rig_write_text(r, "clear on purpose");
	s = sde_load(1, "tag");
	rig_sde_good(r, r->b, &s);
	is_told(r, r->a, 0x2A11);
	rig_run(r, r->a, (struct cdb){{0x0A, 0, 0, 0, 1}}, "x", 1, 0);
	rig_refused(r, 7, 0x2A13);
	s.scope_lock |= 1;
	s.flags = 0x04; /* CKOD */
	rig_sde_good(r, r->a, &s);
	rig_good(r, r->a, (struct cdb){{0x1B}});
	rig_good(r, r->a, (struct cdb){{0x1B, 0, 0, 0, 1}});
	rig_run(r, r->a, (struct cdb){{0x0A, 0, 0, 0, 1}}, "x", 1, 0);
	rig_refused(r, 7, 0x2A13); /* and not in clear */
	rig_free(r);
}
END_TEST

START_TEST(attentions_come_in_order_and_do_not_hide_inquiry)
{
	struct rig *r = rig_new(8);
	struct sde s = sde_load(1, "tag");

	rig_spin(r, r->b, 0x20);
	vt_drive_reset(r->d);
	rig_spin(r, r->b, 0x20); /* the reset is told here */
	rig_refused(r, 6, 0x2900);
	rig_spin(r, r->b, 0x20);
	is_told(r, r->a, 0x2900);
	rig_sde_good(r, r->a, &s);
	ck_assert_int_eq(vt_drive_eject(r->d), 0);
	rig_insert(r, r->path);
	rig_in(r, r->b, (struct cdb){{0x12, 0, 0, 0, 36}}, 36);
	is_told(r, r->b, 0x2800);
	is_told(r, r->b, 0x2A11);
	is_told_nothing(r, r->b);
	rig_free(r);
}
END_TEST

START_TEST(request_sense_takes_the_attention)
{
	struct rig *r = rig_new(8);

	vt_drive_reset(r->d);
	rig_in(r, r->a, (struct cdb){{0x03, 0, 0, 0, 252}}, 252);
	ck_assert_uint_eq(r->in_len, 18);
	ck_assert_uint_eq(r->in[0], 0x70);
	ck_assert_uint_eq(r->in[2] & 15, 6);
	ck_assert_uint_eq(r->in[12], 0x29);
	rig_in(r, r->a, (struct cdb){{0x03, 1, 0, 0, 252}}, 252);
	ck_assert_uint_eq(r->in[0], 0x72); /* descriptor format as asked */
	ck_assert_uint_eq(r->in[1] & 15, 0);
	is_told_nothing(r, r->a);
	rig_free(r);
}
END_TEST

START_TEST(a_mode_change_is_told_to_the_others)
{
	static const uint8_t list[12] = {0, 0, 0x10, 8, 0, 0, 0, 0, 0, 0, 2};
	struct rig *r = rig_new(8);

	rig_run(r, r->a, (struct cdb){{0x15, 0x10, 0, 0, 12}}, list, 12, 0);
	is_told_nothing(r, r->a);
	is_told(r, r->b, 0x2A01);
	rig_free(r);
}
END_TEST

START_TEST(a_reservation_keeps_others_out)
{
	struct rig *r = rig_new(8);

	rig_good(r, r->a, (struct cdb){{0x16}});
	rig_run(r, r->b, (struct cdb){{0x00}}, NULL, 0, 0);
	ck_assert_uint_eq(r->status, TAPE_RESERVED);
	rig_run(r, r->b, (struct cdb){{0x16}}, NULL, 0, 0);
	ck_assert_uint_eq(r->status, TAPE_RESERVED);
	rig_in(r, r->b, (struct cdb){{0x12, 0, 0, 0, 36}}, 36);
	rig_good(r, r->b, (struct cdb){{0x17}}); /* not its own: no effect */
	rig_run(r, r->b, (struct cdb){{0x00}}, NULL, 0, 0);
	ck_assert_uint_eq(r->status, TAPE_RESERVED);
	vt_drive_leave(r->d, &r->a); /* the holder is gone */
	is_told_nothing(r, r->b);
	rig_free(r);
}
END_TEST

START_TEST(sense_comes_in_descriptor_format_when_chosen)
{
	static const uint8_t list[16] = {0, 0, 0x10, 0, 0x0A, 10, 0x04};
	struct rig *r = rig_new(8);

	rig_run(r, r->a, (struct cdb){{0x15, 0x10, 0, 0, 16}}, list, 16, 0);
	ck_assert_uint_eq(r->status, TAPE_GOOD);
	ck_assert(r->d->descriptor_sense);
	rig_in(r, r->a, (struct cdb){{0x1A, 8, 0x0A, 0, 64}}, 64);
	ck_assert_uint_eq(r->in[6], 0x04);
	rig_free(r);
}
END_TEST

TCase *
nexus_tests(void)
{
	TCase *t = tcase_create("nexus");

	tcase_add_test(t, a_change_of_key_is_told_to_registered_nexuses_once);
	tcase_add_test(t, every_nexus_uses_the_key_for_all);
	tcase_add_test(t, a_local_key_is_its_nexus_own_and_dies_with_it);
	tcase_add_test(t, public_gives_up_the_local_key);
	tcase_add_test(t, lock_stops_writing_when_another_changed_the_key);
	tcase_add_test(t, lock_holds_for_encryption_off_and_lost_keys);
	tcase_add_test(t, attentions_come_in_order_and_do_not_hide_inquiry);
	tcase_add_test(t, request_sense_takes_the_attention);
	tcase_add_test(t, a_mode_change_is_told_to_the_others);
	tcase_add_test(t, a_reservation_keeps_others_out);
	tcase_add_test(t, sense_comes_in_descriptor_format_when_chosen);
	return t;
}
