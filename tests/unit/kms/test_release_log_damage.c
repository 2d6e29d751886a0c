/* A release log that was changed, cut or torn: what of it is told, and that
 * nothing is written over what may be a record. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kms/release_log_impl.h"
#include "tests/lib/fixture.h"
#include "tests/unit/kms/log_rig.h"
#include "tests/unit/kms/stores.h"
#include "tests/unit/kms/tests.h"

static void
write_at(uint64_t at, const void *p, size_t n)
{
	int fd = open(log_path, O_WRONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, p, n, (off_t)at), (ssize_t)n);
	close(fd);
}

static void
flip(uint64_t at)
{
	uint8_t b;
	int fd = open(log_path, O_RDWR);

	ck_assert_int_eq(pread(fd, &b, 1, (off_t)at), 1);
	b ^= 0x10;
	ck_assert_int_eq(pwrite(fd, &b, 1, (off_t)at), 1);
	close(fd);
}

START_TEST(every_changed_byte_of_the_log_is_found)
{
	uint64_t at, step = 3;
	unsigned n;
	int r;

	log_append_all(1, 4);
	ok(kms_release_log_head(rlog, &log_head));
	for (at = 0; at < log_head.size; at += step) {
		flip(at);
		kms_release_log_close(&rlog);
		r = kms_release_log_open(&log_opt, &log_head, &rlog,
		    &log_report);
		n = 0;
		if (r == 0)
			r = kms_release_log_scan(rlog, log_see, &n,
			    &log_report);
		if (r != KMS_ERR_DAMAGED && r != KMS_ERR_VERSION)
			ck_abort_msg("byte %u: %d", (unsigned)at, r);
		if (n >= 4)
			ck_abort_msg("byte %u: all records", (unsigned)at);
		flip(at);
	}
	log_reopen();
	ck_assert_uint_eq(log_scan(0), 4);
}
END_TEST

START_TEST(damage_before_the_head_is_found_by_scan_and_names_the_record)
{
	struct kms_log_head three;

	log_append_all(1, 3);
	ok(kms_release_log_head(rlog, &three));
	log_append_all(4, 9);
	ok(kms_release_log_head(rlog, &log_head));
	flip(three.size + 40); /* within record 4 */
	log_reopen();          /* verifies from the head on only */
	ck_assert_int_eq(log_report.state, KMS_RELEASE_LOG_COMPLETE);
	ck_assert_uint_eq(log_scan(KMS_ERR_DAMAGED), 3);
	ck_assert_int_eq(log_report.state, KMS_RELEASE_LOG_DAMAGED);
	ck_assert_uint_eq(log_report.bad_seq, 4);
	assert_cause(KMS_ERR_DAMAGED, "record 4");
	log_append_all(10, 10); /* the end is good, so releases go on */
}
END_TEST

START_TEST(a_log_cut_before_the_roots_head_is_short_and_takes_nothing)
{
	struct kms_log_head three;
	uint8_t zero[4] = {0};

	log_append_all(1, 3);
	ok(kms_release_log_head(rlog, &three));
	log_append_all(4, 9);
	ok(kms_release_log_head(rlog, &log_head));
	kms_release_log_close(&rlog);
	ck_assert_int_eq(truncate(log_path, (off_t)three.size), 0);
	log_reopen();
	ck_assert_int_eq(log_report.state, KMS_RELEASE_LOG_SHORT);
	ck_assert_uint_eq(log_report.seq, 3);
	fails(log_append(10), KMS_ERR_DAMAGED, NULL);
	fails(kms_release_log_head(rlog, &three), KMS_ERR_DAMAGED, NULL);
	ck_assert_uint_eq(log_scan(KMS_ERR_DAMAGED), 3);
	assert_cause(KMS_ERR_DAMAGED, "cut off after record 3");
	/* longer again, with zeros: the same */
	ck_assert_int_eq(truncate(log_path, (off_t)log_head.size + 4096), 0);
	write_at(three.size, zero, 4);
	log_reopen();
	ck_assert_int_eq(log_report.state, KMS_RELEASE_LOG_SHORT);
}
END_TEST

START_TEST(a_tail_cut_after_the_roots_head_cannot_be_told)
{
	log_append_all(1, 3);
	ok(kms_release_log_head(rlog, &log_head));
	log_append_all(4, 5);
	kms_release_log_close(&rlog);
	ck_assert_int_eq(truncate(log_path, (off_t)log_head.size), 0);
	log_reopen();
	ck_assert_int_eq(log_report.state, KMS_RELEASE_LOG_COMPLETE);
	log_append_all(4, 4);
	ck_assert_uint_eq(log_scan(0), 4);
}
END_TEST

START_TEST(the_log_of_another_time_is_not_the_one_the_root_names)
{
	log_append_all(1, 3);
	ok(kms_release_log_head(rlog, &log_head));
	kms_release_log_close(&rlog);
	ck_assert_int_eq(rename(log_path, fx_path(log_fx, "old")), 0);
	ok(kms_release_log_create(&log_opt, &rlog));
	log_append_all(1, 5);
	log_reopen();
	ck_assert_int_eq(log_report.state, KMS_RELEASE_LOG_OTHER);
	fails(log_append(6), KMS_ERR_DAMAGED, NULL);
	ck_assert_uint_eq(log_scan(KMS_ERR_DAMAGED), 5);
	assert_cause(KMS_ERR_DAMAGED, "not the release log");
}
END_TEST

START_TEST(a_longer_log_with_another_record_at_the_head_is_damaged)
{
	log_append_all(1, 6);
	ok(kms_release_log_head(rlog, &log_head));
	log_head.seq = 5;
	log_head.size -= 3;
	log_reopen();
	ck_assert_int_eq(log_report.state, KMS_RELEASE_LOG_DAMAGED);
	fails(log_append(7), KMS_ERR_DAMAGED, NULL);
}
END_TEST

/* What a power cut may leave of the last write. */
START_TEST(a_torn_tail_is_told_and_written_over)
{
	struct kms_log_head five, six;
	uint8_t *f;
	size_t len, cut;

	log_append_all(1, 5);
	ok(kms_release_log_head(rlog, &five));
	log_append_all(6, 6);
	ok(kms_release_log_head(rlog, &six));
	log_head = five;
	f = fx_read(log_fx, log_path, &len);
	for (cut = 1; cut < six.size - five.size; cut += 7) {
		memset(f + six.size - cut, 0, cut);
		fx_write(log_path, f, len, 0600);
		log_reopen();
		ck_assert(log_report.state ==
			(cut + 4 > six.size - five.size
				? KMS_RELEASE_LOG_COMPLETE
				: KMS_RELEASE_LOG_TORN) ||
		    log_report.state == KMS_RELEASE_LOG_TORN);
		ck_assert_uint_eq(log_report.seq, 5);
		ck_assert_uint_eq(log_scan(0), 5);
		log_append_all(6, 7);
		ck_assert_uint_eq(log_scan(0), 7);
		log_reopen();
		ck_assert_int_eq(log_report.state, KMS_RELEASE_LOG_COMPLETE);
		ck_assert_uint_eq(log_report.seq, 7);
	}
}
END_TEST

START_TEST(random_bytes_after_the_end_are_a_torn_tail)
{
	uint8_t junk[3000];
	size_t i;

	log_append_all(1, 5);
	ok(kms_release_log_head(rlog, &log_head));
	srandom(3);
	for (i = 0; i < sizeof(junk); i++)
		junk[i] = (uint8_t)random();
	junk[0] = junk[1] = 0;
	write_at(log_head.size, junk, sizeof(junk));
	log_reopen();
	ck_assert_int_eq(log_report.state, KMS_RELEASE_LOG_TORN);
	log_append_all(6, 40);
	log_reopen();
	ck_assert_int_eq(log_report.state, KMS_RELEASE_LOG_COMPLETE);
	ck_assert_uint_eq(log_scan(0), 40);
}
END_TEST

/* Records 6 and 7 were synced one after the other; 6 then decays. */
START_TEST(damage_after_the_head_is_told_from_a_torn_tail)
{
	struct kms_log_head five, six;
	uint64_t at;
	uint8_t *f;
	size_t len;

	log_append_all(1, 5);
	ok(kms_release_log_head(rlog, &five));
	log_append_all(6, 6);
	ok(kms_release_log_head(rlog, &six));
	log_append_all(7, 8);
	log_head = five;
	for (at = five.size; at < six.size - 16; at += 5) {
		flip(at);
		log_reopen();
		if (log_report.state != KMS_RELEASE_LOG_DAMAGED ||
		    log_report.bad_seq != 6)
			ck_abort_msg("byte %u", (unsigned)(at - five.size));
		fails(log_append(9), KMS_ERR_DAMAGED, NULL);
		flip(at);
	}
	f = fx_read(log_fx, log_path, &len);
	memset(f + five.size, 0, six.size - five.size - 16);
	fx_write(log_path, f, len, 0600);
	log_reopen();
	ck_assert_int_eq(log_report.state, KMS_RELEASE_LOG_DAMAGED);
}
END_TEST

/* One write of three records, of which the first did not arrive. */
START_TEST(a_write_torn_at_its_beginning_is_no_damage)
{
	struct kms_release_entry e;
	struct kms_log_head end;
	struct kms_wr wr;
	unsigned i;
	uint8_t zero[4] = {0};

	log_append_all(1, 5);
	ok(kms_release_log_head(rlog, &log_head));
	end = log_head;
	kms_wr_grow(&wr, 1u << 16);
	for (i = 0; i < 3; i++) {
		e = log_entry(6 + i);
		ok(kms_log_seal(&rlog->file, &end, &e, i, &wr));
	}
	write_at(log_head.size, wr.p, wr.len);
	log_reopen();
	ck_assert_uint_eq(log_report.seq, 8);
	write_at(log_head.size, zero, 4);
	log_reopen();
	ck_assert_int_eq(log_report.state, KMS_RELEASE_LOG_COMPLETE);
	ck_assert_uint_eq(log_report.seq, 5);
	write_at(log_head.size, "\0\0\1\0", 4);
	log_reopen();
	ck_assert_int_eq(log_report.state, KMS_RELEASE_LOG_TORN);
	log_append_all(6, 9);
	ck_assert_uint_eq(log_scan(0), 9);
	kms_wr_free(&wr);
}
END_TEST

START_TEST(a_record_of_a_newer_layout_is_never_written_over)
{
	uint8_t plain[] = {3, 0, 0, 7}, tag[16], aad[56] = {0};
	uint8_t out[4 + 12 + 4 + 16] = {0}, iv[12] = {1};

	log_append_all(1, 2);
	ok(kms_release_log_head(rlog, &log_head));
	memcpy(aad, log_uuid, 16);
	memcpy(aad + 16, rlog->file.id, 16);
	kms_put64(aad + 32, 3);
	memcpy(aad + 40, log_head.tag, 16);
	ok(kms_gcm_seal(rlog->file.gcm, iv, (struct kms_bytes){aad, 56}, plain,
	    4, out + 16, tag));
	kms_put32(out, 32);
	memcpy(out + 4, iv, 12);
	memcpy(out + 20, tag, 16);
	write_at(log_head.size, out, sizeof(out));
	fails(log_append(3), KMS_ERR_VERSION, "layout 3 is newer");
	fails(log_try_open(), KMS_ERR_VERSION, "layout 3 is newer");
}
END_TEST

TCase *
test_release_log_damage(void)
{
	TCase *t = tcase_create("release_log");

	tcase_add_checked_fixture(t, log_setup, log_teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, every_changed_byte_of_the_log_is_found);
	tcase_add_test(t,
	    damage_before_the_head_is_found_by_scan_and_names_the_record);
	tcase_add_test(t,
	    a_log_cut_before_the_roots_head_is_short_and_takes_nothing);
	tcase_add_test(t, a_tail_cut_after_the_roots_head_cannot_be_told);
	tcase_add_test(t,
	    the_log_of_another_time_is_not_the_one_the_root_names);
	tcase_add_test(t,
	    a_longer_log_with_another_record_at_the_head_is_damaged);
	tcase_add_test(t, a_torn_tail_is_told_and_written_over);
	tcase_add_test(t, random_bytes_after_the_end_are_a_torn_tail);
	tcase_add_test(t, damage_after_the_head_is_told_from_a_torn_tail);
	tcase_add_test(t, a_write_torn_at_its_beginning_is_no_damage);
	tcase_add_test(t, a_record_of_a_newer_layout_is_never_written_over);
	return t;
}
