/* Buffered mode: GOOD first, then the work; and what may go wrong between. */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/vtape/proc.h"
#include "tests/unit/vtape/rig.h"
#include "tests/unit/vtape/suite.h"

/* What was on tape when the reply went out. */
struct seen {
	struct rig *r;
	unsigned answers;
	uint64_t objects;
	uint8_t status;
};

static void
look(struct vt_command *c)
{
	struct seen *s = c->whom;

	s->answers++;
	s->objects = vt_cartridge_end(s->r->d->tape);
	s->status = c->status;
}

/* WRITE(6) of one variable block, by initiator a. */
static struct vt_command
watched_write(struct seen *s, uint8_t *data, size_t len)
{
	const uint8_t cdb[16] = {0x0A, 0, (uint8_t)(len >> 16),
	    (uint8_t)(len >> 8), (uint8_t)len};
	struct vt_command c = {.cdb = cdb,
	    .cdb_len = 6,
	    .out = data,
	    .out_len = len,
	    .answer = look,
	    .whom = s};

	vt_opcode_run(s->r->d, s->r->a, &c);
	return c;
}

static void
buffered_mode_set(struct rig *r, uint8_t mode)
{
	const uint8_t list[4] = {0, 0, (uint8_t)(mode << 4), 0};

	rig_run(r, r->a, (struct cdb){{0x15, 0x10, 0, 0, 4}}, list, 4, 0);
}

/* From here on the disk takes not a byte more; returns what it took. */
static struct rlimit
disk_fill(struct rig *r)
{
	struct rlimit was, now;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &was), 0);
	now = was;
	now.rlim_cur = vt_cartridge_used(r->d->tape);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &now), 0);
	return was;
}

/* A block that was answered with GOOD and is lost. */
static void
block_lose(struct rig *r)
{
	struct rlimit was = disk_fill(r);

	rig_write_text(r, "lost");
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &was), 0);
}

static void
is_deferred(struct rig *r)
{
	rig_refused(r, 3, 0x0C00);
	ck_assert(r->sense.deferred);
	ck_assert(!r->sense.eom);
}

START_TEST(good_is_answered_before_the_block_is_stored)
{
	struct rig *r = rig_new(8);
	struct seen s = {.r = r};
	struct sde key = sde_load(1, "tag");
	uint8_t data[12] = "sealed words";

	rig_sde_good(r, r->a, &key);
	struct vt_command c = watched_write(&s, data, sizeof(data));
	ck_assert(c.answered);
	ck_assert_uint_eq(s.answers, 1);
	ck_assert_uint_eq(s.status, TAPE_GOOD);
	ck_assert_uint_eq(s.objects, 0);
	ck_assert_uint_eq(c.status, TAPE_GOOD);
	ck_assert_uint_eq(vt_cartridge_end(r->d->tape), 1);
	rig_locate(r, 0);
	rig_read_text(r, "sealed words");
	rig_free(r);
}
END_TEST

START_TEST(without_buffering_the_reply_waits)
{
	struct rig *r = rig_new(8);
	struct seen s = {.r = r};
	uint8_t data[8] = "1234567";

	buffered_mode_set(r, 0);
	ck_assert_uint_eq(r->status, TAPE_GOOD);
	rig_in(r, r->a, (struct cdb){{0x1A, 0, 0, 0, 12}}, 12);
	ck_assert_uint_eq(r->in[2], 0);
	ck_assert(!watched_write(&s, data, sizeof(data)).answered);
	buffered_mode_set(r, 1);
	rig_in(r, r->a, (struct cdb){{0x1A, 0, 0, 0, 12}}, 12);
	ck_assert_uint_eq(r->in[2], 0x10);
	ck_assert(watched_write(&s, data, sizeof(data)).answered);
	ck_assert_uint_eq(s.answers, 1);
	/* There is no third one; what is refused changes nothing. */
	buffered_mode_set(r, 2);
	rig_refused(r, 5, 0x2600);
	ck_assert_uint_eq(r->sense.field, 2);
	buffered_mode_set(r, 0);
	vt_drive_reset(r->d);
	rig_run(r, r->a, (struct cdb){{0}}, NULL, 0, 0);
	rig_in(r, r->a, (struct cdb){{0x1A, 0, 0, 0, 12}}, 12);
	ck_assert_uint_eq(r->in[2], 0x10);
	rig_free(r);
}
END_TEST

START_TEST(what_is_refused_is_never_answered_first)
{
	struct rig *r = rig_new(8);
	struct seen s = {.r = r};
	uint8_t data[8] = {0};
	struct sde key = sde_load(1, "tag");

	key.scope_lock |= 1; /* LOCK */
	rig_sde_good(r, r->a, &key);
	key.key_byte = 2;
	rig_sde_good(r, r->b, &key);
	rig_run(r, r->a, (struct cdb){{0}}, NULL, 0, 0); /* 2A/11 */
	struct vt_command c = watched_write(&s, data, sizeof(data));
	ck_assert_uint_eq(c.status, TAPE_CHECK);
	ck_assert_uint_eq(c.sense.asc, 0x2A);
	ck_assert_uint_eq(c.sense.ascq, 0x13);
	ck_assert_uint_eq(s.answers, 0);
	rig_free(r);
}
END_TEST

/* The warning must stand in the reply to the block that it is about. */
START_TEST(near_the_end_every_reply_waits)
{
	struct rig *r = rig_new(8);
	struct seen s = {.r = r};
	static uint8_t data[60000];
	unsigned early = 0, warned = 0;

	ck_assert_int_eq(vt_drive_eject(r->d), 0);
	rig_insert(r, rig_cartridge(r, "small", 8, 1 << 20));
	rig_run(r, r->a, (struct cdb){{0}}, NULL, 0, 0);
	for (;;) {
		struct vt_command c = watched_write(&s, data, sizeof(data));
		if (c.status == TAPE_CHECK && c.sense.key == TAPE_KEY_OVERFLOW)
			break;
		ck_assert(!c.answered || c.status == TAPE_GOOD);
		early += c.answered;
		warned += c.status == TAPE_CHECK && c.sense.eom;
	}
	ck_assert_uint_gt(early, 10);
	ck_assert_uint_gt(warned, 0);
	ck_assert_uint_eq(s.answers, early);
	ck_assert(!r->a->has_deferred);
	rig_free(r);
}
END_TEST

START_TEST(a_lost_block_is_told_instead_of_the_next_command)
{
	struct rig *r = rig_new(8);

	rig_write_text(r, "first");
	block_lose(r);
	rig_run(r, r->b, (struct cdb){{0}}, NULL, 0, 0);
	ck_assert_uint_eq(r->status, TAPE_GOOD); /* b wrote nothing */
	rig_in(r, r->a, (struct cdb){{0x12, 0, 0, 0, 36}}, 36);
	rig_run(r, r->a, (struct cdb){{0x10, 0, 0, 0, 1}}, NULL, 0, 0);
	is_deferred(r);
	ck_assert_uint_eq(r->sense.info, 4); /* bytes that are lost */
	ck_assert_uint_eq(rig_position(r), 1);
	ck_assert_uint_eq(vt_cartridge_end(r->d->tape), 1);
	rig_write_text(r, "again");
	rig_locate(r, 1);
	rig_read_text(r, "again");
	rig_free(r);
}
END_TEST

START_TEST(request_sense_brings_a_lost_block_too)
{
	struct rig *r = rig_new(8);

	block_lose(r);
	rig_in(r, r->a, (struct cdb){{0x03, 0, 0, 0, 252}}, 252);
	ck_assert_uint_eq(r->in[0], 0xF1);
	ck_assert_uint_eq(r->in[2], 3);
	ck_assert_mem_eq(r->in + 12, "\x0C\x00", 2);
	rig_good(r, r->a, (struct cdb){{0}});
	rig_free(r);
}
END_TEST

START_TEST(lost_fixed_blocks_are_counted)
{
	static const uint8_t list[12] = {0, 0, 0x10, 8, 0, 0, 0, 0, 0, 0, 2};
	struct rig *r = rig_new(8);
	struct rlimit was;
	uint8_t three[3 * 512] = {0};

	rig_run(r, r->a, (struct cdb){{0x15, 0x10, 0, 0, 12}}, list, 12, 0);
	was = disk_fill(r);
	/* Room for one of them. */
	struct rlimit one = was;
	one.rlim_cur = vt_cartridge_used(r->d->tape) + 600;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &one), 0);
	rig_run(r, r->a, (struct cdb){{0x0A, 1, 0, 0, 3}}, three, sizeof(three),
	    0);
	ck_assert_uint_eq(r->status, TAPE_GOOD);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &was), 0);
	rig_run(r, r->a, (struct cdb){{0}}, NULL, 0, 0);
	is_deferred(r);
	ck_assert_uint_eq(r->sense.info, 2);
	ck_assert_uint_eq(rig_position(r), 1);
	rig_free(r);
}
END_TEST

START_TEST(without_buffering_a_full_disk_is_told_at_once)
{
	struct rig *r = rig_new(8);

	buffered_mode_set(r, 0);
	struct rlimit was = disk_fill(r);
	rig_run(r, r->a, (struct cdb){{0x0A, 0, 0, 0, 4}}, "lost", 4, 0);
	rig_refused(r, 0xD, 0x0002);
	ck_assert(r->sense.eom && !r->sense.deferred);
	ck_assert_uint_eq(r->sense.info, 4);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &was), 0);
	rig_good(r, r->a, (struct cdb){{0}});
	rig_free(r);
}
END_TEST

START_TEST(a_reset_is_all_that_is_told_after_it)
{
	struct rig *r = rig_new(8);

	block_lose(r);
	vt_drive_reset(r->d);
	rig_run(r, r->a, (struct cdb){{0}}, NULL, 0, 0);
	rig_refused(r, 6, 0x2900);
	rig_good(r, r->a, (struct cdb){{0}});
	rig_free(r);
}
END_TEST

/* Sends a block, and goes on as soon as it is answered. */
static void
block_send(struct proc *p, char fill)
{
	static uint8_t block[256 * 1024];

	memset(block, fill, sizeof(block));
	proc_good(p, (struct cdb){{0x0A, 0, 4, 0, 0}}, block, sizeof(block), 0);
}

static void
block_is(struct proc *p, int fd, char fill)
{
	ck_assert(proc_try(p, fd, (struct cdb){{0x08, 0, 4, 0, 0}}, NULL, 0,
	    256 * 1024));
	ck_assert_uint_eq(p->status, TAPE_GOOD);
	ck_assert_int_eq(p->in[0], fill);
	ck_assert_int_eq(p->in[256 * 1024 - 1], fill);
}

START_TEST(whoever_comes_after_good_finds_the_block)
{
	struct proc *p = proc_new(NULL);
	int other = proc_connect(p);

	for (uint32_t i = 0; i < 20; i++) {
		struct cdb back = {{0x11, 0, 0xFF, 0xFF, 0xFF}};
		block_send(p, (char)('a' + i));
		ck_assert_uint_eq(proc_position(p), i + 1);
		block_send(p, 'x');
		ck_assert(proc_try(p, other, back, NULL, 0, 0));
		block_is(p, other, 'x');
		ck_assert(proc_try(p, other, back, NULL, 0, 0));
	}
	close(other);
	proc_free(p);
}
END_TEST

START_TEST(the_key_that_took_a_block_seals_it)
{
	struct proc *p = proc_new(NULL);
	struct sde one = sde_load(1, "one"), two = sde_load(2, "two");

	proc_load(p, &one);
	block_send(p, 'a');
	proc_load(p, &two);
	block_send(p, 'b');
	proc_good(p, (struct cdb){{0x01}}, NULL, 0, 0);
	ck_assert(proc_try(p, p->fd, (struct cdb){{0x08, 0, 4, 0, 0}}, NULL, 0,
	    256 * 1024));
	ck_assert_mem_eq(p->sense + 12, "\x74\x03", 2);
	proc_load(p, &one);
	block_is(p, p->fd, 'a');
	proc_load(p, &two);
	block_is(p, p->fd, 'b');
	proc_free(p);
}
END_TEST

START_TEST(a_block_outlives_its_writer_and_the_eject)
{
	struct proc *p = proc_new(NULL);

	block_send(p, 'a');
	close(p->fd);
	p->fd = proc_connect(p);
	ck_assert_uint_eq(proc_position(p), 1);
	block_send(p, 'b');
	const char *eject[] = {"-eject", "-drive", p->socket, NULL};
	ck_assert_int_eq(proc_vtaped(p->fx, eject).status, 0);
	const char *insert[] = {"-insert", "-cartridge", p->cartridge, "-drive",
	    p->socket, NULL};
	ck_assert_int_eq(proc_vtaped(p->fx, insert).status, 0);
	int fd = proc_connect(p); /* which has missed nothing */
	block_is(p, fd, 'a');
	block_is(p, fd, 'b');
	close(fd);
	proc_free(p);
}
END_TEST

/* No block is waited for: the kill falls between GOOD and the disk. */
START_TEST(kill_9_right_behind_good_leaves_all_up_to_the_filemark)
{
	struct proc *p = proc_new(NULL);
	uint64_t safe = 0;

	for (unsigned round = 0; round < 20; round++) {
		proc_good(p, (struct cdb){{0x11, 3}}, NULL, 0, 0);
		block_send(p, 'm');
		proc_good(p, (struct cdb){{0x10, 0, 0, 0, 1}}, NULL, 0, 0);
		safe = proc_position(p);
		block_send(p, 'x');
		proc_stop(p, SIGKILL);
		proc_start(p);
		proc_good(p, (struct cdb){{0x11, 3}}, NULL, 0, 0);
		ck_assert_uint_ge(proc_position(p), safe);
		ck_assert_uint_le(proc_position(p), safe + 1);
		proc_good(p,
		    (struct cdb){{0x2B, 0, 0, 0, 0, 0, (uint8_t)(safe - 2)}},
		    NULL, 0, 0);
		block_is(p, p->fd, 'm');
	}
	proc_free(p);
}
END_TEST

START_TEST(mt_drvbuffer_sets_the_mode)
{
	struct proc *p = proc_new(NULL);
	const struct cdb sense = {{0x1A, 0, 0, 0, 12}};

	proc_sh(p, 0, "mt -f $T drvbuffer 0");
	(void)proc_try(p, p->fd, sense, NULL, 0, 12); /* 2A/01 */
	proc_good(p, sense, NULL, 0, 12);
	ck_assert_uint_eq(p->in[2], 0);
	/* It stays so when other things are set. */
	proc_sh(p, 0, "mt -f $T setblk 512 && mt -f $T compression 0");
	(void)proc_try(p, p->fd, sense, NULL, 0, 12);
	proc_good(p, sense, NULL, 0, 12);
	ck_assert_uint_eq(p->in[2], 0);
	ck_assert_uint_eq(p->in[10], 2);
	proc_sh(p, 0, "mt -f $T drvbuffer 1 && mt -f $T stsetoptions 1");
	(void)proc_try(p, p->fd, sense, NULL, 0, 12);
	proc_good(p, sense, NULL, 0, 12);
	ck_assert_uint_eq(p->in[2], 0x10);
	ck_assert_uint_eq(p->in[10], 2);
	proc_sh(p, 2, "mt -f $T drvbuffer 2");
	proc_free(p);
}
END_TEST

TCase *
buffer_tests(void)
{
	TCase *t = tcase_create("buffer");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, good_is_answered_before_the_block_is_stored);
	tcase_add_test(t, without_buffering_the_reply_waits);
	tcase_add_test(t, what_is_refused_is_never_answered_first);
	tcase_add_test(t, near_the_end_every_reply_waits);
	tcase_add_test(t, a_lost_block_is_told_instead_of_the_next_command);
	tcase_add_test(t, request_sense_brings_a_lost_block_too);
	tcase_add_test(t, lost_fixed_blocks_are_counted);
	tcase_add_test(t, without_buffering_a_full_disk_is_told_at_once);
	tcase_add_test(t, a_reset_is_all_that_is_told_after_it);
	tcase_add_test(t, whoever_comes_after_good_finds_the_block);
	tcase_add_test(t, the_key_that_took_a_block_seals_it);
	tcase_add_test(t, a_block_outlives_its_writer_and_the_eject);
	tcase_add_test(t,
	    kill_9_right_behind_good_leaves_all_up_to_the_filemark);
	tcase_add_test(t, mt_drvbuffer_sets_the_mode);
	return t;
}
