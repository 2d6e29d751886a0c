/* The next key in the middle of a job, on a drive in memory. */
#include "tests/unit/tape/suite.h"

#include <string.h>

#include "tape/exchange.h"
#include "tests/unit/tape/mock.h"

static struct mock m;
static struct tape_drive *d;
static struct tape_exchange x;
static struct tape_loaded loaded;
static unsigned asked;
static uint8_t given; /* what the key handed out is made of */

static int
next_key(void *arg, struct tape_load *l, struct kms_secret **key)
{
	ck_assert_ptr_eq(arg, &asked);
	asked++;
	if (given == 0)
		return kms_fail(KMS_ERR_NOTFOUND, "tag 9: no such key");
	*key = mock_key(given);
	*l = (struct tape_load){.key = *key, .kad = m.block_kad};
	return 0;
}

/* The tape stands before a block under that key, its tag the number. */
static void
block(uint64_t object, uint8_t key)
{
	m.object = object;
	m.nbes = 6;
	memset(m.block_key, key, sizeof(m.block_key));
	m.block_kad = (struct tape_kad){.u = {key}, .u_len = 1};
}

static void
setup(void)
{
	struct kms_secret *key = NULL;
	struct tape_load l = {.write = false};

	mock_init(&m);
	d = mock_drive(&m);
	asked = 0;
	given = 8;
	x = (struct tape_exchange){.drive = d,
	    .next_key = next_key,
	    .arg = &asked};
	block(0, 7);
	key = mock_key(7);
	l.key = key;
	l.kad = m.block_kad;
	ck_assert_int_eq(tape_drive_load(d, &l, &loaded), 0);
	kms_secret_free(&key);
}

static void
teardown(void)
{
	tape_drive_close(&d);
}

static bool
says(const char *text)
{
	return strstr(x.cause, text) != NULL;
}

START_TEST(the_block_ahead_gets_its_key)
{
	uint32_t before = loaded.kic;

	block(5, 8);
	ck_assert_int_eq(tape_exchange_key(&x, &loaded), 0);
	ck_assert_uint_eq(asked, 1);
	ck_assert_uint_eq(m.key[0], 8);
	ck_assert_uint_ne(loaded.kic, before);
	ck_assert_int_eq(tape_drive_prove(d, &loaded), 0);
	/* Back to the first key, and on again. */
	block(4, 7);
	given = 7;
	ck_assert_int_eq(tape_exchange_key(&x, &loaded), 0);
	block(5, 8);
	given = 8;
	ck_assert_int_eq(tape_exchange_key(&x, &loaded), 0);
	ck_assert_uint_eq(asked, 3);
}
END_TEST

START_TEST(a_readable_block_costs_no_key)
{
	ck_assert_int_eq(tape_exchange_key(&x, &loaded), 0);
	ck_assert_uint_eq(asked, 0);
	ck_assert_uint_eq(m.spouts, 1);
}
END_TEST

START_TEST(a_failure_is_final)
{
	block(5, 9);
	given = 0;
	ck_assert_int_eq(tape_exchange_key(&x, &loaded), KMS_ERR_NOTFOUND);
	ck_assert(says("block 5 ") && says("no such key"));
	block(6, 8);
	given = 8;
	ck_assert_int_eq(tape_exchange_key(&x, &loaded), KMS_ERR_NOTFOUND);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_NOTFOUND),
	    "no such key"));
	ck_assert_uint_eq(asked, 1);
	ck_assert_uint_eq(m.spouts, 1);
}
END_TEST

START_TEST(a_key_that_does_not_fit_is_taken_out_and_no_other_tried)
{
	block(5, 8);
	given = 9;
	ck_assert_int_eq(tape_exchange_key(&x, &loaded), KMS_ERR_UNPROVEN);
	ck_assert(says("block 5 ") && says("did not prove"));
	ck_assert(mock_off(&m));
	ck_assert_int_eq(tape_exchange_key(&x, &loaded), KMS_ERR_UNPROVEN);
	ck_assert_uint_eq(asked, 1);
}
END_TEST

START_TEST(a_block_that_stays_locked_is_not_tried_twice)
{
	block(5, 8);
	ck_assert_int_eq(tape_exchange_key(&x, &loaded), 0);
	/* The same block and tag again, as if its key did not fit after all. */
	memset(m.block_key, 6, sizeof(m.block_key));
	ck_assert_int_eq(tape_exchange_key(&x, &loaded), KMS_ERR_UNPROVEN);
	ck_assert(says("no other is tried"));
	ck_assert_uint_eq(asked, 1);
}
END_TEST

START_TEST(the_same_number_on_another_tape_is_another_block)
{
	block(0, 8);
	ck_assert_int_eq(tape_exchange_key(&x, &loaded), 0);
	block(0, 9);
	given = 9;
	ck_assert_int_eq(tape_exchange_key(&x, &loaded), 0);
	ck_assert_uint_eq(m.key[0], 9);
}
END_TEST

START_TEST(a_key_lost_before_is_told_and_none_is_asked_for)
{
	block(5, 8);
	mock_reset(&m);
	ck_assert_int_eq(tape_exchange_key(&x, &loaded), KMS_ERR_UNPROVEN);
	ck_assert(says("lost"));
	ck_assert_uint_eq(asked, 0);
}
END_TEST

START_TEST(a_changed_tape_that_was_not_expected_is_told)
{
	block(5, 8);
	m.attention = 0x2800;
	ck_assert_int_eq(tape_exchange_key(&x, &loaded), KMS_ERR_UNPROVEN);
	ck_assert(says("-keep_on_unload"));
	ck_assert_uint_eq(asked, 0);
}
END_TEST

/* As if it had been rewound while the key went in. */
static bool
moves_at_spout(struct mock *k, const struct tape_cmd *c, struct tape_reply *r,
    int *err)
{
	(void)r, (void)err;
	if (mock_is_spout(c))
		k->object = 0;
	return false;
}

START_TEST(a_tape_that_moved_meanwhile_is_not_read_on)
{
	block(5, 8);
	m.before = moves_at_spout;
	ck_assert_int_eq(tape_exchange_key(&x, &loaded), KMS_ERR_UNPROVEN);
	ck_assert(says("not stand before"));
}
END_TEST

START_TEST(a_block_that_cannot_be_proven_is_not_read_on)
{
	block(5, 8);
	m.nbes = 1;
	ck_assert_int_eq(tape_exchange_key(&x, &loaded), KMS_ERR_UNPROVEN);
}
END_TEST

START_TEST(a_block_of_another_key_is_due)
{
	struct tape_next_block b;
	bool due;

	ck_assert_int_eq(tape_exchange_due(d, &due, &b), 0);
	ck_assert(!due);
	block(5, 8);
	ck_assert_int_eq(tape_exchange_due(d, &due, &b), 0);
	ck_assert(due);
	ck_assert_uint_eq(b.object, 5);
	m.blank = true;
	ck_assert_int_eq(tape_exchange_due(d, &due, &b), 0);
	ck_assert(!due);
}
END_TEST

/* What goes wrong at one of an exchange's commands. */
enum trouble {
	NO_ANSWER,
	NO_STATUS_BUT_DONE,
	GOOD_AND_NOTHING,
	RESET,
	STOLEN,
	OTHER_BLOCK,
	TROUBLES
};
static enum trouble trouble;
static unsigned at;

static bool
troubled(struct mock *k, const struct tape_cmd *c, struct tape_reply *r,
    int *err)
{
	if (k->commands != at)
		return false;
	switch (trouble) {
	case NO_ANSWER:
		*err = KMS_ERR_TIMEOUT;
		return true;
	case GOOD_AND_NOTHING:
		if (c->dir == TAPE_IN)
			r->got = c->len;
		return true;
	case RESET:
		mock_reset(k);
		return false;
	case STOLEN:
		k->has_key = false;
		k->st.dec = TAPE_DEC_DISABLE;
		k->st.kic++;
		return false;
	case OTHER_BLOCK:
		block(9, 9);
		return false;
	default:
		return false;
	}
}

static int
lost(struct mock *k, const struct tape_cmd *c, struct tape_reply *r)
{
	(void)c, (void)r;
	return trouble == NO_STATUS_BUT_DONE && k->commands == at ? KMS_ERR_IO
								  : 0;
}

START_TEST(no_trouble_at_any_command_reads_on_under_a_wrong_key)
{
	unsigned good = 0, bad = 0;

	for (trouble = 0; trouble < TROUBLES; trouble++) {
		for (unsigned n = 1; n < 40; n++) {
			tape_drive_close(&d);
			setup();
			block(5, 8);
			at = m.commands + n;
			m.before = troubled;
			m.after = lost;
			int err = tape_exchange_key(&x, &loaded);
			ck_assert_uint_le(asked, 1);
			bad += err != 0;
			good += err == 0;
			if (m.commands < at)
				break; /* there is no n-th command */
			ck_assert_msg(err || trouble >= RESET || m.key[0] == 8,
			    "trouble %d at %u", trouble, n);
			ck_assert_msg(err || trouble != OTHER_BLOCK,
			    "another block at %u", n);
		}
	}
	ck_assert_uint_gt(bad, 40);
	ck_assert_uint_gt(good, 5);
}
END_TEST

TCase *
exchange_tests(void)
{
	TCase *t = tcase_create("exchange");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_block_ahead_gets_its_key);
	tcase_add_test(t, a_readable_block_costs_no_key);
	tcase_add_test(t, a_failure_is_final);
	tcase_add_test(t,
	    a_key_that_does_not_fit_is_taken_out_and_no_other_tried);
	tcase_add_test(t, a_block_that_stays_locked_is_not_tried_twice);
	tcase_add_test(t, the_same_number_on_another_tape_is_another_block);
	tcase_add_test(t, a_key_lost_before_is_told_and_none_is_asked_for);
	tcase_add_test(t, a_changed_tape_that_was_not_expected_is_told);
	tcase_add_test(t, a_tape_that_moved_meanwhile_is_not_read_on);
	tcase_add_test(t, a_block_that_cannot_be_proven_is_not_read_on);
	tcase_add_test(t, a_block_of_another_key_is_due);
	tcase_add_test(t, no_trouble_at_any_command_reads_on_under_a_wrong_key);
	return t;
}
