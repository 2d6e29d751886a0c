/*
 * Drives that break, lie or do nothing. One property over all of them: a
 * load that reports success is a load that truly happened; one that fails
 * leaves nothing behind, or says so.
 */
#include "tests/unit/tape/suite.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/mutate.h"
#include "tests/unit/tape/mock.h"

static struct mock m;
static struct tape_drive *d;
static struct kms_secret *key;
static struct tape_load load;

static void
begin(void)
{
	mock_init(&m);
	d = mock_drive(&m);
}

static void
setup(void)
{
	key = mock_key(7);
	load = mock_write(key);
	begin();
}

static void
teardown(void)
{
	kms_secret_free(&key);
	tape_drive_close(&d);
}

static bool
truly_loaded(void)
{
	return m.has_key && memcmp(m.key, kms_secret_bytes(key), 32) == 0 &&
	    m.st.dec == TAPE_DEC_MIXED &&
	    m.st.enc == (load.write ? TAPE_ENC_ENCRYPT : TAPE_ENC_DISABLE) &&
	    (!load.write ||
		tape_kad_same(m.st.kad.u, m.st.kad.u_len, load.kad.u,
		    load.kad.u_len));
}

/* The one property. */
static int
load_is_honest(const char *what)
{
	struct tape_loaded out;

	int err = tape_drive_load(d, &load, &out);
	if (!err) {
		ck_assert_msg(truly_loaded(), "%s: false success", what);
		return 0;
	}
	const char *cause = kms_err_cause(err);
	ck_assert_msg(mock_off(&m) || strstr(cause, "may hold a key"),
	    "%s: a key stayed behind: %s", what, cause);
	return err;
}

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
	ck_assert_int_eq(tape_drive_load(d, &l, &out), 0);
	kms_secret_free(&old);
}

/* One trouble at one command; false when the load had no such command. */
static bool
trouble_once(enum trouble t, unsigned n, bool occupied)
{
	struct tape_loaded out;

	tape_drive_close(&d);
	begin();
	if (occupied)
		occupy();
	if (!load.write) {
		m.nbes = 6;
		m.block_kad = load.kad;
		memset(m.block_key, 7, sizeof(m.block_key));
	}
	trouble = t;
	at = n;
	m.commands = 0;
	m.before = trouble_before;
	m.after = trouble_after;
	int err = tape_drive_load(d, &load, &out);
	if (!err) {
		ck_assert_msg(truly_loaded(), "%d at %u: false success", t, n);
	} else {
		const char *cause = kms_err_cause(err);
		ck_assert_msg(mock_off(&m) || strstr(cause, "may hold a key") ||
			(occupied && m.key[0] == 3),
		    "%d at %u: our key stayed: %s", t, n, cause);
	}
	return m.commands >= n;
}

/* Every trouble at every command. */
static void
sweep(bool write, bool occupied)
{
	load.write = write;
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
	m.before = lazy;
	ck_assert_int_eq(load_is_honest("lazy"), KMS_ERR_UNPROVEN);
	ck_assert_int_eq(kms_err_status(KMS_ERR_UNPROVEN), 7);
}
END_TEST

START_TEST(the_very_same_key_left_from_before_is_unproven_too)
{
	struct tape_loaded out;

	ck_assert_int_eq(tape_drive_load(d, &load, &out), 0);
	m.before = lazy;
	ck_assert_int_eq(tape_drive_load(d, &load, &out), KMS_ERR_UNPROVEN);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_UNPROVEN),
	    "did not move"));
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_UNPROVEN),
	    "could not be cleared"));
}
END_TEST

START_TEST(clearing_that_does_nothing_is_unproven)
{
	struct tape_loaded out;

	ck_assert_int_eq(tape_drive_load(d, &load, &out), 0);
	m.before = lazy;
	ck_assert_int_eq(tape_drive_clear(d), KMS_ERR_UNPROVEN);
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
	m.after = half_taken;
	ck_assert_int_eq(load_is_honest("half taken"), KMS_ERR_DRIVE);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_DRIVE),
	    "the drive was cleared"));
	ck_assert(mock_off(&m));
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
	m.after = wrong_tag;
	for (m.count = 0; m.count < 32; m.count++)
		ck_assert_int_eq(load_is_honest("wrong tag"), KMS_ERR_UNPROVEN);
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
	m.after = cut_tag;
	for (m.count = 0; m.count < 32; m.count++)
		ck_assert_int_eq(load_is_honest("cut tag"), KMS_ERR_UNPROVEN);
}
END_TEST

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
	tape_drive_close(&d);
	begin();
	m.arg = &s;
	m.after = swapped;
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
	if (tape_drive_load(d, &load, &out)) {
		ck_assert_msg(mock_off(&m), "%s", mut->what);
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

	ck_assert_int_eq(tape_drive_load(d, &load, &out), 0);
	kms_wr_fixed(&w, sample, sizeof(sample));
	tape_status_encode(&w, &m.st);
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
	if (load_is_honest(mut->what) == 0)
		(*succeeded)++;
}

START_TEST(no_changed_capabilities_make_a_false_success)
{
	unsigned succeeded = 0;
	struct kms_wr w;

	kms_wr_fixed(&w, sample, sizeof(sample));
	tape_capabilities_encode(&w, &m.caps);
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
	load.write = false;
	int err = tape_drive_load(d, &load, &out);
	if (err) {
		ck_assert_msg(mock_off(&m), "%s", mut->what);
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

	b.kad = load.kad;
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
	tape_drive_close(&d);
	begin();
	m.arg = &copy;
	m.before = refusing;
	ck_assert_msg(tape_drive_load(d, &load, &out) != 0, "%s", mut->what);
	ck_assert(mock_off(&m));
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
	m.arg = &mut;
	m.before = refusing;
	ck_assert_int_eq(tape_drive_load(d, &load, &out), KMS_ERR_DRIVE);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_DRIVE),
	    "unload the tape"));
}
END_TEST

TCase *
hostile_tests(void)
{
	TCase *t = tcase_create("hostile");

	tcase_add_checked_fixture(t, setup, teardown);
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
	tcase_add_test(t, no_changed_read_back_makes_a_false_success);
	tcase_add_test(t, no_changed_capabilities_make_a_false_success);
	tcase_add_test(t, no_changed_next_block_makes_a_false_proof);
	tcase_add_test(t, no_sense_of_any_form_makes_a_success);
	tcase_add_test(t, too_many_wrong_keys_stops_with_what_to_do);
	return t;
}
