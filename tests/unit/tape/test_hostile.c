/*
 * Drives that break, lie or do nothing. One property over all of them: a
 * load that reports success is a load that truly happened; one that fails
 * leaves nothing behind, or says so.
 */
#include <string.h>

#include "tests/unit/tape/hostile.h"

enum trouble {
	NOT_SENT,    /* no status, and nothing was done */
	NO_ANSWER,   /* time-out, and nothing was done */
	REPLY_LOST,  /* no status, but it was done */
	ANSWER_LATE, /* time-out, but it was done */
	BUSY,
	RESERVED,
	STATUS_UNKNOWN,
	CHECK_NO_SENSE,
	GOOD_IDLE,  /* GOOD, no bytes, nothing done */
	GOOD_ZEROS, /* GOOD and zeros, nothing done */
	GOOD_ONES,
	HALF,         /* half of the answer */
	RESET_TOLD,   /* a power cycle, then the unit attention */
	RESET_SILENT, /* a power cycle that nobody tells of */
	STOLEN_TOLD,  /* another host clears the key; 2A/11 */
	STOLEN_SILENT,
	TAPE_CHANGED,
	TROUBLES
};

/* Trouble at command m.count (counted from the load's start). */
static enum trouble trouble;

static unsigned at;

static bool
troubled(const struct mock *k)
{
	return k->commands == at;
}

static void
steal(struct mock *k)
{
	k->has_key = false;
	k->st.enc = TAPE_ENC_DISABLE;
	k->st.dec = TAPE_DEC_DISABLE;
	memset(&k->st.kad, 0, sizeof(k->st.kad));
	k->st.kic++;
}

static bool
idle_answer(const struct tape_cmd *c, struct tape_reply *r, int byte)
{
	if (c->dir != TAPE_IN)
		return true;
	memset(c->in, byte, c->len);
	r->got = c->len;
	return true;
}

static bool
trouble_before(struct mock *k, const struct tape_cmd *c, struct tape_reply *r,
    int *err)
{
	*err = 0;
	if (!troubled(k))
		return false;
	switch (trouble) {
	case NOT_SENT:
		*err = kms_fail(KMS_ERR_IO, "mock: gone");
		return true;
	case NO_ANSWER:
		*err = kms_fail(KMS_ERR_TIMEOUT, "mock: silent");
		return true;
	case BUSY:
		r->status = TAPE_BUSY;
		return true;
	case RESERVED:
		r->status = TAPE_RESERVED;
		return true;
	case STATUS_UNKNOWN:
		r->status = 0x30;
		return true;
	case CHECK_NO_SENSE:
		r->status = TAPE_CHECK;
		return true;
	case GOOD_IDLE:
		return true;
	case GOOD_ZEROS:
		return idle_answer(c, r, 0);
	case GOOD_ONES:
		return idle_answer(c, r, 0xFF);
	case RESET_TOLD:
	case RESET_SILENT:
		mock_reset(k);
		if (trouble == RESET_SILENT)
			k->attention = 0;
		return false;
	case STOLEN_TOLD:
	case STOLEN_SILENT:
		steal(k);
		if (trouble == STOLEN_TOLD)
			k->attention = 0x2A11;
		return false;
	case TAPE_CHANGED:
		mock_change_tape(k);
		return false;
	default:
		return false;
	}
}

static int
trouble_after(struct mock *k, const struct tape_cmd *c, struct tape_reply *r)
{
	(void)c;
	if (!troubled(k))
		return 0;
	if (trouble == HALF)
		r->got /= 2;
	if (trouble == REPLY_LOST)
		return kms_fail(KMS_ERR_IO, "mock: reply lost");
	if (trouble == ANSWER_LATE)
		return kms_fail(KMS_ERR_TIMEOUT, "mock: too late");
	return 0;
}

/* A key of somebody else, loaded before. */
static void
occupy(void)
{
	struct kms_secret *old = mock_key(3);
	struct tape_load l = mock_write(old);
	struct tape_loaded out;

	l.kad.u[0] = 'o';
	ck_assert_int_eq(tape_drive_load(hostile_drive, &l, &out), 0);
	kms_secret_free(&old);
}

/* One trouble at one command; false when the load had no such command. */
static bool
trouble_once(enum trouble t, unsigned n, bool occupied)
{
	struct tape_loaded out;

	tape_drive_close(&hostile_drive);
	hostile_begin();
	if (occupied)
		occupy();
	if (!hostile_load.write) {
		hostile.nbes = 6;
		hostile.block_kad = hostile_load.kad;
		memset(hostile.block_key, 7, sizeof(hostile.block_key));
	}
	trouble = t;
	at = n;
	hostile.commands = 0;
	hostile.before = trouble_before;
	hostile.after = trouble_after;
	int err = tape_drive_load(hostile_drive, &hostile_load, &out);
	if (!err) {
		ck_assert_msg(hostile_truly_loaded(), "%d at %u: false success",
		    t, n);
	} else {
		const char *cause = kms_err_cause(err);
		ck_assert_msg(mock_off(&hostile) ||
			strstr(cause, "may hold a key") ||
			(occupied && hostile.key[0] == 3),
		    "%d at %u: our key stayed: %s", t, n, cause);
	}
	return hostile.commands >= n;
}

/* Every trouble at every command. */
static void
sweep(bool write, bool occupied)
{
	hostile_load.write = write;
	for (int t = 0; t < TROUBLES; t++) {
		unsigned n = 1;
		while (trouble_once((enum trouble)t, n, occupied))
			n++;
		ck_assert_uint_gt(n, 7);
	}
}

START_TEST(no_trouble_at_any_command_makes_a_false_success)
{
	sweep(true, false);
}
END_TEST

START_TEST(nor_when_reading)
{
	sweep(false, false);
}
END_TEST

START_TEST(nor_over_a_key_that_was_there)
{
	sweep(true, true);
}
END_TEST

/* SPOUT: GOOD, and nothing happens. */
static bool
lazy(struct mock *k, const struct tape_cmd *c, struct tape_reply *r, int *err)
{
	(void)k;
	(void)r;
	*err = 0;
	return mock_is_spout(c);
}

START_TEST(a_drive_that_says_good_and_does_nothing_is_unproven)
{
	hostile.before = lazy;
	ck_assert_int_eq(hostile_is_honest("lazy"), KMS_ERR_UNPROVEN);
	ck_assert_int_eq(kms_err_status(KMS_ERR_UNPROVEN), 7);
}
END_TEST

START_TEST(the_very_same_key_left_from_before_is_unproven_too)
{
	struct tape_loaded out;

	ck_assert_int_eq(tape_drive_load(hostile_drive, &hostile_load, &out),
	    0);
	hostile.before = lazy;
	ck_assert_int_eq(tape_drive_load(hostile_drive, &hostile_load, &out),
	    KMS_ERR_UNPROVEN);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_UNPROVEN),
	    "did not move"));
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_UNPROVEN),
	    "could not be cleared"));
}
END_TEST

START_TEST(clearing_that_does_nothing_is_unproven)
{
	struct tape_loaded out;

	ck_assert_int_eq(tape_drive_load(hostile_drive, &hostile_load, &out),
	    0);
	hostile.before = lazy;
	ck_assert_int_eq(tape_drive_clear(hostile_drive), KMS_ERR_UNPROVEN);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_UNPROVEN),
	    "may still be in the drive"));
}
END_TEST

/* Ends with encryption off and decryption on after a page it refuses, as
 * mhvtl does. */
static int
half_taken(struct mock *k, const struct tape_cmd *c, struct tape_reply *r)
{
	if (mock_is_spout(c) && k->last.kad.u_len > 0) {
		steal(k);
		k->st.kic--;
		k->st.dec = TAPE_DEC_MIXED;
		mock_check(r, 5, 0x24, 0);
	}
	return 0;
}

START_TEST(a_refused_page_that_changed_the_drive_is_cleared)
{
	hostile.after = half_taken;
	ck_assert_int_eq(hostile_is_honest("half taken"), KMS_ERR_DRIVE);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_DRIVE),
	    "the drive was cleared"));
	ck_assert(mock_off(&hostile));
}
END_TEST

/* The drive keeps another tag than it was sent. */
static int
wrong_tag(struct mock *k, const struct tape_cmd *c, struct tape_reply *r)
{
	(void)r;
	if (mock_is_spout(c) && k->st.kad.u_len > 0)
		k->st.kad.u[k->count] ^= 1;
	return 0;
}

START_TEST(any_changed_byte_of_the_tag_is_unproven)
{
	hostile.after = wrong_tag;
	for (hostile.count = 0; hostile.count < 32; hostile.count++)
		ck_assert_int_eq(hostile_is_honest("wrong tag"),
		    KMS_ERR_UNPROVEN);
}
END_TEST

static int
cut_tag(struct mock *k, const struct tape_cmd *c, struct tape_reply *r)
{
	(void)r;
	if (mock_is_spout(c) && k->st.kad.u_len > 0)
		k->st.kad.u_len = k->count;
	return 0;
}

START_TEST(a_tag_cut_short_is_unproven)
{
	hostile.after = cut_tag;
	for (hostile.count = 0; hostile.count < 32; hostile.count++)
		ck_assert_int_eq(hostile_is_honest("cut tag"),
		    KMS_ERR_UNPROVEN);
}
END_TEST

TCase *
hostile_tests(void)
{
	TCase *t = tcase_create("hostile");

	tcase_add_checked_fixture(t, hostile_setup, hostile_teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, no_trouble_at_any_command_makes_a_false_success);
	tcase_add_test(t, nor_when_reading);
	tcase_add_test(t, nor_over_a_key_that_was_there);
	tcase_add_test(t, a_drive_that_says_good_and_does_nothing_is_unproven);
	tcase_add_test(t, the_very_same_key_left_from_before_is_unproven_too);
	tcase_add_test(t, clearing_that_does_nothing_is_unproven);
	tcase_add_test(t, a_refused_page_that_changed_the_drive_is_cleared);
	tcase_add_test(t, any_changed_byte_of_the_tag_is_unproven);
	tcase_add_test(t, a_tag_cut_short_is_unproven);
	return t;
}
