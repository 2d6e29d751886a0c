/* Answers of which a byte was changed, and every sense there can be: no load
 * is called a success for it. */
#include <string.h>

#include "tests/lib/mutate.h"
#include "tests/unit/tape/hostile.h"

/* One page's answer replaced by a mutant, the n-th time it is asked. */
struct swap {
	uint16_t page;
	unsigned nth;
	const struct mutant *with;
};

static int
swapped(struct mock *k, const struct tape_cmd *c, struct tape_reply *r)
{
	const struct swap *s = k->arg;

	if (!mock_is_page(c, s->page) || ++k->count != s->nth)
		return 0;
	r->status = TAPE_GOOD;
	r->got = s->with->len < c->len ? s->with->len : c->len;
	memset(c->in, 0, c->len);
	memcpy(c->in, s->with->p, r->got);
	return 0;
}

static void
with_swap(const struct mutant *mut, uint16_t page, unsigned nth)
{
	static struct swap s;

	s = (struct swap){page, nth, mut};
	tape_drive_close(&hostile_drive);
	hostile_begin();
	hostile.arg = &s;
	hostile.after = swapped;
}

/* Bytes of the status page that the proof stands on: the page's head and
 * length, the modes, the algorithm, the KAD. */
static bool
proof_byte(size_t i)
{
	return i < 2 || (i >= 5 && i <= 7) || (i >= 24 && i != 25);
}

static uint8_t sample[256];

static size_t sample_len;

static void
status_mutant(void *ctx, const struct mutant *mut)
{
	struct tape_loaded out;
	unsigned *succeeded = ctx;

	with_swap(mut, TAPE_PAGE_STATUS, 2); /* the second is the read-back */
	if (tape_drive_load(hostile_drive, &hostile_load, &out)) {
		ck_assert_msg(mock_off(&hostile), "%s", mut->what);
		return;
	}
	(*succeeded)++;
	ck_assert_msg(mut->len >= sample_len, "%s", mut->what);
	for (size_t i = 0; i < sample_len; i++)
		if (proof_byte(i))
			ck_assert_msg(mut->p[i] == sample[i], "%s", mut->what);
	ck_assert_msg(kms_get32(mut->p + 8) != 0, "%s: counter", mut->what);
	ck_assert_msg((mut->p[4] & 7) != 0, "%s: scope", mut->what);
}

START_TEST(no_changed_read_back_makes_a_false_success)
{
	struct tape_loaded out;
	struct kms_wr w;
	unsigned succeeded = 0;

	ck_assert_int_eq(tape_drive_load(hostile_drive, &hostile_load, &out),
	    0);
	kms_wr_fixed(&w, sample, sizeof(sample));
	tape_status_encode(&w, &hostile.st);
	sample_len = w.len;
	size_t all = mutate(sample, sample_len, status_mutant, &succeeded);
	/* The control: changes outside of the proof do not hinder. */
	ck_assert_uint_gt(succeeded, 50);
	ck_assert_uint_lt(succeeded, all / 2);
}
END_TEST

static void
caps_mutant(void *ctx, const struct mutant *mut)
{
	unsigned *succeeded = ctx;

	with_swap(mut, TAPE_PAGE_CAPABILITIES, 1);
	if (hostile_is_honest(mut->what) == 0)
		(*succeeded)++;
}

START_TEST(no_changed_capabilities_make_a_false_success)
{
	unsigned succeeded = 0;
	struct kms_wr w;

	kms_wr_fixed(&w, sample, sizeof(sample));
	tape_capabilities_encode(&w, &hostile.caps);
	sample_len = w.len;
	mutate(sample, sample_len, caps_mutant, &succeeded);
	ck_assert_uint_gt(succeeded, 50);
}
END_TEST

static void
next_mutant(void *ctx, const struct mutant *mut)
{
	struct tape_loaded out;
	unsigned *by_block = ctx;

	with_swap(mut, TAPE_PAGE_NEXT_BLOCK, 1);
	hostile_load.write = false;
	int err = tape_drive_load(hostile_drive, &hostile_load, &out);
	if (err) {
		ck_assert_msg(mock_off(&hostile), "%s", mut->what);
		return;
	}
	if (!out.by_block)
		return;
	(*by_block)++;
	/* Proven by block: status 5, and our tag or none. */
	ck_assert_msg(mut->len > 12 && (mut->p[12] & 0xF) == 5, "%s",
	    mut->what);
	bool tag = mut->len >= sample_len &&
	    memcmp(mut->p + 20, sample + 20, 32) == 0;
	bool none = mut->len < 20 || kms_get16(mut->p + 2) < 16 + 4;
	ck_assert_msg(tag || none || mut->p[16] != 0, "%s", mut->what);
}

START_TEST(no_changed_next_block_makes_a_false_proof)
{
	struct tape_next_block b = {.object = 7,
	    .encryption = 5,
	    .algorithm = 1};
	unsigned by_block = 0;
	struct kms_wr w;

	b.kad = hostile_load.kad;
	kms_wr_fixed(&w, sample, sizeof(sample));
	tape_next_block_encode(&w, &b);
	sample_len = w.len;
	mutate(sample, sample_len, next_mutant, &by_block);
	ck_assert_uint_gt(by_block, 50);
}
END_TEST

/* SPOUT is refused with these sense bytes, and was not done. */
static bool
refusing(struct mock *k, const struct tape_cmd *c, struct tape_reply *r,
    int *err)
{
	const struct mutant *mut = k->arg;

	*err = 0;
	if (!mock_is_spout(c))
		return false;
	r->status = TAPE_CHECK;
	r->sense_len = mut->len < TAPE_SENSE_MAX ? mut->len : TAPE_SENSE_MAX;
	memcpy(r->sense, mut->p, r->sense_len);
	return true;
}

static void
sense_mutant(void *ctx, const struct mutant *mut)
{
	struct tape_loaded out;
	struct mutant copy = *mut;

	(void)ctx;
	tape_drive_close(&hostile_drive);
	hostile_begin();
	hostile.arg = &copy;
	hostile.before = refusing;
	ck_assert_msg(tape_drive_load(hostile_drive, &hostile_load, &out) != 0,
	    "%s", mut->what);
	ck_assert(mock_off(&hostile));
}

START_TEST(no_sense_of_any_form_makes_a_success)
{
	struct tape_sense s = {.key = 5,
	    .asc = 0x26,
	    .has_field = true,
	    .field = 5};
	uint8_t bytes[TAPE_SENSE_ROOM];

	for (int i = 0; i < 2; i++)
		mutate(bytes, tape_sense_encode(&s, i == 1, bytes),
		    sense_mutant, NULL);
	memset(bytes, 0, sizeof(bytes));
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		for (unsigned code = 0x70; code <= 0x73; code++) {
			struct mutant mut = {.p = bytes, .len = n};
			bytes[0] = (uint8_t)code;
			sense_mutant(NULL, &mut);
		}
	}
}
END_TEST

START_TEST(too_many_wrong_keys_stops_with_what_to_do)
{
	struct tape_sense s = {.key = 7, .asc = 0x26, .ascq = 0x10};
	uint8_t bytes[TAPE_SENSE_ROOM];
	struct mutant mut = {.p = bytes};
	struct tape_loaded out;

	mut.len = tape_sense_encode(&s, false, bytes);
	hostile.arg = &mut;
	hostile.before = refusing;
	ck_assert_int_eq(tape_drive_load(hostile_drive, &hostile_load, &out),
	    KMS_ERR_DRIVE);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_DRIVE),
	    "unload the tape"));
}
END_TEST

TCase *
mutant_tests(void)
{
	TCase *t = tcase_create("mutant");

	tcase_add_checked_fixture(t, hostile_setup, hostile_teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, no_changed_read_back_makes_a_false_success);
	tcase_add_test(t, no_changed_capabilities_make_a_false_success);
	tcase_add_test(t, no_changed_next_block_makes_a_false_proof);
	tcase_add_test(t, no_sense_of_any_form_makes_a_success);
	tcase_add_test(t, too_many_wrong_keys_stops_with_what_to_do);
	return t;
}
