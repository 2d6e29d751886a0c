/* The tapes of a job that writes, on a drive in memory. */
#include "tests/unit/tape/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tape/job.h"
#include "tape/wire.h"
#include "tests/unit/tape/mock.h"

static struct mock m;
static struct tape_drive *d;
static struct tape_volumes v;
static char noted[128]; /* barcodes, each with a blank behind it */
static int refuse;      /* what a note ends with */

static int
note(void *arg, const struct tape_medium *t, bool ended)
{
	size_t used = strlen(noted);

	ck_assert_ptr_eq(arg, noted);
	if (refuse)
		return kms_fail(refuse, "the store is %s",
		    ended ? "still away" : "away");
	snprintf(noted + used, sizeof(noted) - used, "%s ", t->barcode);
	return 0;
}

/* The next tape is in, and the drive has counted it. */
static void
insert(const char *barcode)
{
	m.barcode = barcode;
	m.medium = true;
	m.loads++;
}

static void
eject(void)
{
	m.medium = false;
}

static void
setup(void)
{
	mock_init(&m);
	m.counts = true;
	insert("A");
	d = mock_drive(&m);
	noted[0] = '\0';
	refuse = 0;
	v = (struct tape_volumes){.drive = d, .note = note, .arg = noted};
	ck_assert_int_eq(tape_medium_read(d, &v.last), 0);
	ck_assert_str_eq(v.last.barcode, "A");
	ck_assert_int_eq(tape_volumes_begin(&v), 0);
}

static void
teardown(void)
{
	tape_volumes_free(&v);
	tape_drive_close(&d);
}

static bool
says(int err, const char *text)
{
	return strstr(kms_err_cause(err), text) != NULL;
}

START_TEST(the_first_tape_is_on_record_already)
{
	ck_assert_int_eq(tape_volumes_look(&v), 0);
	ck_assert_int_eq(tape_volumes_end(&v), 0);
	ck_assert_str_eq(noted, "");
}
END_TEST

START_TEST(each_further_tape_is_noted_when_it_is_seen)
{
	insert("B");
	ck_assert_int_eq(tape_volumes_look(&v), 0);
	ck_assert_str_eq(noted, "B ");
	ck_assert_int_eq(tape_volumes_look(&v), 0);
	insert("C");
	ck_assert_int_eq(tape_volumes_end(&v), 0);
	ck_assert_str_eq(noted, "B C ");
}
END_TEST

START_TEST(an_empty_drive_is_no_tape)
{
	eject();
	ck_assert_int_eq(tape_volumes_look(&v), 0);
	insert("B");
	ck_assert_int_eq(tape_volumes_look(&v), 0);
	eject();
	ck_assert_int_eq(tape_volumes_end(&v), 0);
	ck_assert_str_eq(noted, "B ");
}
END_TEST

START_TEST(a_tape_that_comes_back_is_no_miss)
{
	eject();
	insert("A");
	ck_assert_int_eq(tape_volumes_end(&v), 0);
	ck_assert_str_eq(noted, "");
}
END_TEST

START_TEST(tapes_that_nobody_saw_are_counted)
{
	insert("B");
	insert("C");
	ck_assert_int_eq(tape_volumes_end(&v), KMS_ERR_UNPROVEN);
	ck_assert(says(KMS_ERR_UNPROVEN, "not seen: 1"));
	ck_assert_str_eq(noted, "C ");
}
END_TEST

START_TEST(a_tape_gone_before_the_last_look_is_one_too)
{
	insert("B");
	eject();
	ck_assert_int_eq(tape_volumes_end(&v), KMS_ERR_UNPROVEN);
	ck_assert(says(KMS_ERR_UNPROVEN, "not seen: 1"));
}
END_TEST

START_TEST(a_drive_that_does_not_count_is_believed)
{
	tape_volumes_free(&v);
	m.counts = false;
	ck_assert_int_eq(tape_volumes_begin(&v), 0);
	insert("B");
	insert("C");
	ck_assert_int_eq(tape_volumes_end(&v), 0);
	ck_assert_str_eq(noted, "C ");
}
END_TEST

START_TEST(what_could_not_be_recorded_is_tried_again_at_the_end)
{
	refuse = KMS_ERR_TOKEN;
	insert("B");
	ck_assert_int_eq(tape_volumes_look(&v), 0);
	insert("C");
	ck_assert_int_eq(tape_volumes_look(&v), 0);
	insert("B");
	ck_assert_int_eq(tape_volumes_look(&v), 0);
	ck_assert_uint_eq(v.n_missed, 2);
	refuse = 0;
	ck_assert_int_eq(tape_volumes_end(&v), 0);
	ck_assert_str_eq(noted, "B C ");
	ck_assert_uint_eq(v.n_missed, 0);
}
END_TEST

START_TEST(what_is_missing_in_the_end_is_named_with_the_cause)
{
	refuse = KMS_ERR_TOKEN;
	insert("B");
	ck_assert_int_eq(tape_volumes_look(&v), 0);
	insert("C");
	ck_assert_int_eq(tape_volumes_end(&v), KMS_ERR_TOKEN);
	ck_assert(says(KMS_ERR_TOKEN, "tape B "));
	ck_assert(says(KMS_ERR_TOKEN, "the store is still away"));
	ck_assert_uint_eq(v.n_missed, 2);
	ck_assert_str_eq(v.missed[1].barcode, "C");
}
END_TEST

START_TEST(a_tape_without_a_name_cannot_be_recorded_and_is_told)
{
	insert("");
	ck_assert_int_eq(tape_volumes_look(&v), 0);
	ck_assert_int_eq(tape_volumes_end(&v), KMS_ERR_DRIVE);
	ck_assert(says(KMS_ERR_DRIVE, "tape without a name"));
	/* One nameless tape after the other: only the drive knows. */
	tape_volumes_free(&v);
	v.unnamed = false;
	m.attention = 0x2800;
	ck_assert_int_eq(tape_volumes_end(&v), KMS_ERR_DRIVE);
	ck_assert_uint_eq(v.n_missed, 1);
}
END_TEST

static bool
dead(struct mock *k, const struct tape_cmd *c, struct tape_reply *r, int *err)
{
	(void)k, (void)c, (void)r;
	*err = kms_fail(KMS_ERR_IO, "mock: gone");
	return true;
}

START_TEST(a_drive_that_cannot_be_asked_is_told)
{
	m.before = dead;
	ck_assert_int_eq(tape_volumes_look(&v), KMS_ERR_IO);
	ck_assert_int_eq(tape_volumes_end(&v), KMS_ERR_IO);
	ck_assert(says(KMS_ERR_IO, "cannot be told: ") &&
	    says(KMS_ERR_IO, "gone"));
}
END_TEST

/* Statistics as a drive should not send them. */
static const struct {
	size_t len;
	uint8_t b[24];
	bool counts;
} pages[] = {
    {0, {0}, false}, {3, {0x14, 0, 0}, false}, {4, {0x14, 0, 0, 0}, false},
    {9, {0x14, 0, 0, 5, 0, 0, 3, 1, 7}, true},
    {9, {0x54, 0, 0, 5, 0, 0, 3, 1, 7}, true}, /* bit 6: DS */
    {9, {0x0C, 0, 0, 5, 0, 0, 3, 1, 7}, false},
    {8, {0x14, 0, 0, 5, 0, 0, 3, 1}, false},      /* cut */
    {8, {0x14, 0, 0, 4, 0, 0, 3, 0}, false},      /* no bytes */
    {9, {0x14, 0, 0, 5, 0, 0, 3, 255, 7}, false}, /* beyond the end */
    {17, {0x14, 0, 0, 13, 0, 0, 3, 9}, false},    /* too wide */
    {14, {0x14, 0, 0, 10, 0, 1, 3, 0, 0, 0, 3, 2, 1, 7}, true},
    {8, {0x14, 0, 0, 4, 0, 9, 3, 0}, false}, /* another one only */
};
static size_t page;

static bool
answers_page(struct mock *k, const struct tape_cmd *c, struct tape_reply *r,
    int *err)
{
	(void)k;
	if (c->cdb[0] != 0x4D)
		return false;
	*err = 0;
	r->got = pages[page].len;
	memcpy(c->in, pages[page].b, r->got);
	return true;
}

START_TEST(statistics_that_make_no_sense_count_nothing)
{
	uint64_t loads = 0;
	bool counts;

	m.before = answers_page;
	for (page = 0; page < sizeof(pages) / sizeof(pages[0]); page++) {
		ck_assert_int_eq(tape_drive_loads(d, &counts, &loads), 0);
		ck_assert_msg(counts == pages[page].counts, "page %zu", page);
		if (counts)
			ck_assert_uint_eq(loads & 0xFF, 7);
	}
}
END_TEST

/* --- as part of a job --------------------------------------------------- */

static bool loses; /* the drive its key, together with the tape */

static int
tape_meanwhile(void *arg)
{
	(void)arg;
	m.ckod |= loses;
	mock_change_tape(&m);
	insert("B");
	return 0;
}

static int
run(const char *script)
{
	struct kms_secret *key = mock_key(7);
	struct tape_load load = mock_write(key);
	struct tape_job_result result;
	char *argv[] = {(char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c",
	    (char *)(uintptr_t)script, NULL};
	struct tape_job job = {.drive = d,
	    .load = &load,
	    .before_spawn = tape_meanwhile,
	    .argv = argv,
	    .bell = true,
	    .volumes = &v};

	load.keep_on_unload = true;
	int err = tape_job_run(&job, &result);
	kms_secret_free(&key);
	return tape_job_exit(err, &result);
}

START_TEST(a_job_looks_when_it_has_ended)
{
	ck_assert_int_eq(run("exit 6"), 6);
	ck_assert_str_eq(noted, "B ");
	ck_assert(mock_off(&m));
}
END_TEST

START_TEST(a_record_that_cannot_be_made_is_the_jobs_error)
{
	refuse = KMS_ERR_TOKEN;
	ck_assert_int_eq(run("exit 0"), 105);
	ck_assert(says(KMS_ERR_TOKEN, "tape B "));
	ck_assert(mock_off(&m));
}
END_TEST

START_TEST(a_lost_key_comes_first_and_the_tape_is_recorded_all_the_same)
{
	loses = true;
	ck_assert_int_eq(run("exit 0"), 107);
	ck_assert(says(KMS_ERR_UNPROVEN, "lost"));
	ck_assert_str_eq(noted, "B ");
	insert("C");
	ck_assert_int_eq(tape_volumes_look(&v), 0);
	refuse = KMS_ERR_TOKEN;
	ck_assert_int_eq(run("exit 0"), 107);
	ck_assert(says(KMS_ERR_UNPROVEN, "lost") &&
	    says(KMS_ERR_UNPROVEN, "tape B "));
}
END_TEST

START_TEST(a_program_that_writes_is_not_told_where_to_ask_for_keys)
{
	setenv(WIRE_ASK_ENV, "/of/another/job", 1);
	ck_assert_int_eq(run("test -S \"$" WIRE_TELL_ENV
			     "\" && test -z \"${" WIRE_ASK_ENV "-}\""),
	    0);
}
END_TEST

TCase *
volumes_tests(void)
{
	TCase *t = tcase_create("volumes");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_first_tape_is_on_record_already);
	tcase_add_test(t, each_further_tape_is_noted_when_it_is_seen);
	tcase_add_test(t, an_empty_drive_is_no_tape);
	tcase_add_test(t, a_tape_that_comes_back_is_no_miss);
	tcase_add_test(t, tapes_that_nobody_saw_are_counted);
	tcase_add_test(t, a_tape_gone_before_the_last_look_is_one_too);
	tcase_add_test(t, a_drive_that_does_not_count_is_believed);
	tcase_add_test(t, what_could_not_be_recorded_is_tried_again_at_the_end);
	tcase_add_test(t, what_is_missing_in_the_end_is_named_with_the_cause);
	tcase_add_test(t, a_tape_without_a_name_cannot_be_recorded_and_is_told);
	tcase_add_test(t, a_drive_that_cannot_be_asked_is_told);
	tcase_add_test(t, statistics_that_make_no_sense_count_nothing);
	tcase_add_test(t, a_job_looks_when_it_has_ended);
	tcase_add_test(t, a_record_that_cannot_be_made_is_the_jobs_error);
	tcase_add_test(t,
	    a_lost_key_comes_first_and_the_tape_is_recorded_all_the_same);
	tcase_add_test(t,
	    a_program_that_writes_is_not_told_where_to_ask_for_keys);
	return t;
}
