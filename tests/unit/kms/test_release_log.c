/* The release log: what comes back, who shares it, what a failing disk does. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kms/release_log_impl.h"
#include "tests/lib/fixture.h"
#include "tests/lib/mutate.h"
#include "tests/unit/kms/faults.h"
#include "tests/unit/kms/log_rig.h"
#include "tests/unit/kms/stores.h"
#include "tests/unit/kms/tests.h"

START_TEST(records_come_back_as_they_were)
{
	log_append_all(1, 20);
	ck_assert_uint_eq(log_scan(0), 20);
	log_reopen();
	ck_assert_int_eq(log_report.state, KMS_RELEASE_LOG_COMPLETE);
	ck_assert_uint_eq(log_report.seq, 20);
	ck_assert_uint_eq(log_scan(0), 20);
	log_append_all(21, 30);
	ck_assert_uint_eq(log_scan(0), 30);
}
END_TEST

START_TEST(every_field_of_a_record_is_kept)
{
	struct kms_release_entry e, back;
	uint8_t b[KMS_LOG_CONTENT_MAX];
	struct kms_wr wr;
	unsigned nth;

	memset(&e, 0, sizeof(e));
	e = log_entry(7);
	e.use = 9; /* of a later version */
	kms_wr_fixed(&wr, b, sizeof(b));
	ok(kms_release_entry_encode(&e, 3, &wr));
	ok(kms_release_entry_decode(&back, &nth, b, wr.len));
	ck_assert_uint_eq(nth, 3);
	ck_assert(back.time == e.time && back.generation == e.generation &&
	    back.use == 9 && back.state == e.state &&
	    kms_tag_equal(&back.tag, &e.tag));
	ck_assert_str_eq(back.group, e.group);
	ck_assert_str_eq(back.key, e.key);
	ck_assert_str_eq(back.drive, e.drive);
	ck_assert_str_eq(back.volume, e.volume);
	ck_assert_str_eq(back.who.name, e.who.name);
	ck_assert_str_eq(back.who.host, e.who.host);
	ck_assert_str_eq(kms_use_name(KMS_USE_CLIENT), "client");
	ck_assert_str_eq(kms_use_name(9), "?");
}
END_TEST

static void
decode_mutant(void *ctx, const struct mutant *m)
{
	uint8_t again[KMS_LOG_CONTENT_MAX];
	struct kms_release_entry e;
	struct kms_wr wr;
	unsigned nth;
	int r;

	(void)ctx;
	r = kms_release_entry_decode(&e, &nth, m->p, m->len);
	if (r != 0) {
		ck_assert(r == KMS_ERR_DAMAGED || r == KMS_ERR_VERSION);
		return;
	}
	kms_wr_fixed(&wr, again, sizeof(again));
	ok(kms_release_entry_encode(&e, nth, &wr));
	ck_assert_msg(wr.len == m->len && memcmp(again, m->p, m->len) == 0,
	    "%s", m->what);
}

START_TEST(a_changed_content_is_refused_or_encodes_the_same_again)
{
	struct kms_release_entry e = log_entry(7);
	uint8_t b[KMS_LOG_CONTENT_MAX];
	struct kms_wr wr;

	kms_wr_fixed(&wr, b, sizeof(b));
	ok(kms_release_entry_encode(&e, 3, &wr));
	ck_assert_uint_gt(mutate(b, wr.len, decode_mutant, NULL), 8 * wr.len);
}
END_TEST

START_TEST(the_longest_record_fits)
{
	struct kms_release_entry e = log_entry(1);

	e.tag.len = 32;
	memset(e.group, 'g', sizeof(e.group) - 1);
	memset(e.key, 'k', sizeof(e.key) - 1);
	memset(e.drive, 'd', sizeof(e.drive) - 1);
	memset(e.volume, 'v', sizeof(e.volume) - 1);
	memset(e.who.name, 'n', sizeof(e.who.name) - 1);
	memset(e.who.sudo_user, 's', sizeof(e.who.sudo_user) - 1);
	memset(e.who.host, 'h', sizeof(e.who.host) - 1);
	ok(kms_release_log_append(rlog, &e));
	ck_assert_uint_eq(e.seq, 1);
	ok(kms_release_log_scan(rlog, NULL, NULL, &log_report));
	ck_assert_uint_eq(log_report.seq, 1);
}
END_TEST

START_TEST(a_record_out_of_bounds_is_refused_alone)
{
	struct kms_release_entry e = log_entry(1);

	e.tag.len = 0;
	fails(kms_release_log_append(rlog, &e), KMS_ERR_LIMIT, NULL);
	e = log_entry(1);
	strcpy(e.volume, "\xff");
	fails(kms_release_log_append(rlog, &e), KMS_ERR_LIMIT, NULL);
	log_append_all(1, 1);
}
END_TEST

START_TEST(nothing_readable_lies_in_the_file)
{
	struct stat st;

	log_append_all(1, 5);
	ck_assert(!fx_contains(log_fx, log_path, "ENCR_a", 6));
	ck_assert(!fx_contains(log_fx, log_path, "A00001L6", 8));
	ck_assert(!fx_contains(log_fx, log_path, "HU1234", 6));
	ck_assert(fx_contains(log_fx, log_path, "p11klog\1", 8));
	ck_assert_int_eq(stat(log_path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
}
END_TEST

/* Record 1 opened by hand, as the document says. */
START_TEST(the_layout_is_the_documented_one)
{
	uint8_t info[29] = "p11kms/1/log", aad[56] = {0}, plain[512];
	struct kms_secret *record_key;
	struct kms_gcm *gcm;
	uint8_t *f;
	size_t len, n;

	log_append_all(1, 1);
	f = fx_read(log_fx, log_path, &len);
	assert_hex(f, 24,
	    "7031316b6c6f6701"
	    "01020300000000000000000000000000");
	memcpy(info + 13, f + 24, 16);
	ok(kms_hkdf(log_key, (struct kms_bytes){info, 29}, 32, &record_key));
	ok(kms_gcm_new(record_key, &gcm));
	memcpy(aad, f + 8, 32);
	kms_put64(aad + 32, 1);
	memcpy(aad + 40, f + 48, 16);
	n = kms_get32(f + 64) - 28;
	ok(kms_gcm_open(gcm, f + 68, (struct kms_bytes){aad, 56}, f + 80, n,
	    plain, f + 80 + n));
	assert_hex(plain, 28,
	    "02"
	    "0000"
	    "00066116b428a001"
	    "0000000000000065"
	    "01"
	    "02"
	    "04"
	    "00000001"
	    "0006");
	ck_assert_uint_eq(kms_get32(f + 80 + n + 16), 0);
	kms_gcm_free(&gcm);
	kms_secret_free(&record_key);
}
END_TEST

START_TEST(a_log_is_never_made_over_a_file_or_through_a_link)
{
	struct kms_release_log *l;

	fails(kms_release_log_create(&log_opt, &l), KMS_ERR_EXISTS, NULL);
	log_opt.path = fx_path(log_fx, "link");
	ck_assert_int_eq(symlink(log_path, log_opt.path), 0);
	fails(kms_release_log_create(&log_opt, &l), KMS_ERR_EXISTS, NULL);
	fails(log_try_open(), KMS_ERR_CONFIG, "symbolic link");
	log_opt.path = fx_path(log_fx, "none");
	fails(log_try_open(), KMS_ERR_NOTFOUND, NULL);
	log_opt.path = log_path;
	ck_assert_int_eq(chmod(log_path, 0640), 0);
	fails(log_try_open(), KMS_ERR_CONFIG, "chmod 0600");
}
END_TEST

START_TEST(a_header_of_another_store_key_or_version_is_refused)
{
	const uint8_t other[16] = {9};
	struct kms_secret *k = key_of(0x23);
	uint8_t *f;
	size_t len;

	log_opt.uuid = other;
	fails(log_try_open(), KMS_ERR_DAMAGED, "another store");
	log_opt.uuid = log_uuid;
	log_opt.key = k;
	fails(log_try_open(), KMS_ERR_DAMAGED, "header does not verify");
	log_opt.key = log_key;
	f = fx_read(log_fx, log_path, &len);
	f[7] = 2;
	fx_write(log_path, f, len, 0600);
	fails(log_try_open(), KMS_ERR_VERSION, "log format 2 is newer");
	fx_write(log_path, f, 63, 0600);
	fails(log_try_open(), KMS_ERR_DAMAGED, "too short");
	fx_write(log_path, "", 0, 0600);
	fails(log_try_open(), KMS_ERR_DAMAGED, "too short");
	kms_secret_free(&k);
}
END_TEST

/* --- others ------------------------------------------------------------ */

static void
append_in_child(unsigned times)
{
	struct kms_release_log *l;
	struct kms_release_entry e;
	unsigned i;

	if (kms_release_log_open(&log_opt, &log_head, &l, NULL) != 0)
		_exit(1);
	for (i = 0; i < times; i++) {
		e = log_entry(i);
		if (kms_release_log_append(l, &e) != 0)
			_exit(2);
	}
	kms_release_log_close(&l);
	_exit(0);
}

static void
wait_for(pid_t pid)
{
	int st;

	ck_assert_int_eq(waitpid(pid, &st, 0), pid);
	ck_assert(WIFEXITED(st) && WEXITSTATUS(st) == 0);
}

START_TEST(processes_share_a_log_and_lose_nothing)
{
	pid_t pid[3];
	unsigned i;

	for (i = 0; i < 3; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			append_in_child(50);
	}
	log_append_all(1, 50);
	for (i = 0; i < 3; i++)
		wait_for(pid[i]);
	ok(kms_release_log_scan(rlog, NULL, NULL, &log_report));
	ck_assert_uint_eq(log_report.seq, 200);
	ck_assert_int_eq(log_report.state, KMS_RELEASE_LOG_COMPLETE);
	log_reopen();
	ck_assert_uint_eq(log_report.seq, 200);
}
END_TEST

static atomic_uint appended;

static void *
append_in_thread(void *arg)
{
	struct kms_release_entry e;
	uint64_t last = 0;
	unsigned i;

	(void)arg;
	for (i = 0; i < 100; i++) {
		e = log_entry(i);
		if (kms_release_log_append(rlog, &e) == 0 && e.seq > last)
			atomic_fetch_add(&appended, 1);
		last = e.seq;
	}
	return NULL;
}

START_TEST(callers_that_come_together_share_a_sync)
{
	pthread_t t[8];
	unsigned i, before = fault_syncs();

	fault_sync_takes(200);
	for (i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, append_in_thread,
				     NULL),
		    0);
	for (i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	ck_assert_uint_eq(appended, 800);
	ck_assert_uint_lt(fault_syncs() - before, 800);
	ok(kms_release_log_scan(rlog, NULL, NULL, &log_report));
	ck_assert_uint_eq(log_report.seq, 800);
}
END_TEST

START_TEST(a_lock_held_elsewhere_is_busy)
{
	int fd = open(log_path, O_RDWR);

	ck_assert_int_ge(fd, 0);
	log_opt.wait_ms = 20;
	log_reopen();
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	fails(log_append(1), KMS_ERR_BUSY, "try again");
	fails(kms_release_log_head(rlog, &log_head), KMS_ERR_BUSY, NULL);
	ck_assert_int_eq(flock(fd, LOCK_UN), 0);
	ok(log_append(1));
	close(fd);
}
END_TEST

START_TEST(a_log_put_aside_by_another_process_takes_nothing_more)
{
	log_append_all(1, 2);
	ck_assert_int_eq(rename(log_path, fx_path(log_fx, "old")), 0);
	fails(log_append(3), KMS_ERR_DAMAGED, "removed or replaced");
	fx_write_text(log_path, "another");
	fails(log_append(3), KMS_ERR_DAMAGED, "removed or replaced");
}
END_TEST

/* _i: cut so far before its end; 0: long enough, but written over. */
START_TEST(a_log_cut_or_changed_while_it_is_open_takes_nothing_more)
{
	struct kms_log_head at;
	uint8_t byte = 0;
	int fd;

	log_append_all(1, 3);
	ok(kms_release_log_head(rlog, &at));
	fd = open(log_path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	if (_i > 0) {
		ck_assert_int_eq(ftruncate(fd, (off_t)at.size - _i), 0);
	} else {
		ck_assert_int_eq(pread(fd, &byte, 1, (off_t)at.size - 1), 1);
		byte ^= 1;
		ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)at.size - 1), 1);
	}
	close(fd);
	fails(log_append(4), KMS_ERR_DAMAGED, "record 3 does not verify");
	fails(log_append(4), KMS_ERR_DAMAGED, "takes no records");
}
END_TEST

START_TEST(a_read_only_log_is_scanned_and_takes_nothing)
{
	log_append_all(1, 4);
	ok(kms_release_log_head(rlog, &log_head));
	ck_assert_int_eq(chmod(log_path, 0444), 0);
	log_opt.readonly = true;
	log_reopen();
	ck_assert_uint_eq(log_scan(0), 4);
	fails(log_append(5), KMS_ERR_INTERNAL, NULL);
}
END_TEST

/* --- a failing disk ---------------------------------------------------- */

START_TEST(a_record_that_cannot_be_synced_is_refused_for_good)
{
	log_append_all(1, 3);
	ok(kms_release_log_head(rlog, &log_head));
	fault_sync(1);
	fails(log_append(4), KMS_ERR_IO, "sync");
	fault_sync(0);
	fails(log_append(4), KMS_ERR_IO, "takes no records");
	fails(kms_release_log_head(rlog, &log_head), KMS_ERR_IO, NULL);
	ck_assert_uint_eq(log_scan(0), 3);
	log_reopen(); /* recorded or not, never torn */
	ck_assert(log_report.seq == 3 || log_report.seq == 4);
	ck_assert_int_eq(log_report.state, KMS_RELEASE_LOG_COMPLETE);
}
END_TEST

START_TEST(a_log_whose_first_sync_fails_is_not_made)
{
	struct kms_release_log *l;

	log_opt.path = fx_path(log_fx, "new.log");
	fault_sync(1);
	fails(kms_release_log_create(&log_opt, &l), KMS_ERR_IO, NULL);
	fault_sync(0);
	ck_assert(!fx_exists(log_opt.path));
	ck_assert_ptr_null(l);
}
END_TEST

/* The file may not grow: a record that does not fit is refused, and the next
 * after room was made is not. */
START_TEST(a_full_disk_refuses_and_may_be_tried_again)
{
	struct rlimit was, now;
	struct stat st;
	unsigned n = 0;
	int r = 0;

	ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &was), 0);
	ck_assert_int_eq(stat(log_path, &st), 0);
	now = was;
	now.rlim_cur = (rlim_t)st.st_size;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &now), 0);
	while (n < 1000 && (r = log_append(n + 1)) == 0)
		n++;
	fails(r, KMS_ERR_IO, "disk full");
	ck_assert_uint_gt(n, 100);
	fails(log_append(n + 1), KMS_ERR_IO, "disk full");
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &was), 0);
	ok(log_append(n + 1));
	ck_assert_uint_eq(log_scan(0), n + 1);
	log_reopen();
	ck_assert_uint_eq(log_report.seq, n + 1);
}
END_TEST

Suite *
release_log_suite(void)
{
	Suite *s = suite_create("release_log");
	TCase *t = tcase_create("release_log");

	tcase_add_checked_fixture(t, log_setup, log_teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, records_come_back_as_they_were);
	tcase_add_test(t, every_field_of_a_record_is_kept);
	tcase_add_test(t,
	    a_changed_content_is_refused_or_encodes_the_same_again);
	tcase_add_test(t, the_longest_record_fits);
	tcase_add_test(t, a_record_out_of_bounds_is_refused_alone);
	tcase_add_test(t, nothing_readable_lies_in_the_file);
	tcase_add_test(t, the_layout_is_the_documented_one);
	tcase_add_test(t, a_log_is_never_made_over_a_file_or_through_a_link);
	tcase_add_test(t, a_header_of_another_store_key_or_version_is_refused);
	tcase_add_test(t, processes_share_a_log_and_lose_nothing);
	tcase_add_test(t, callers_that_come_together_share_a_sync);
	tcase_add_test(t, a_lock_held_elsewhere_is_busy);
	tcase_add_test(t,
	    a_log_put_aside_by_another_process_takes_nothing_more);
	tcase_add_loop_test(t,
	    a_log_cut_or_changed_while_it_is_open_takes_nothing_more, 0, 3);
	tcase_add_test(t, a_read_only_log_is_scanned_and_takes_nothing);
	tcase_add_test(t, a_record_that_cannot_be_synced_is_refused_for_good);
	tcase_add_test(t, a_log_whose_first_sync_fails_is_not_made);
	tcase_add_test(t, a_full_disk_refuses_and_may_be_tried_again);
	suite_add_tcase(s, t);
	suite_add_tcase(s, test_release_log_damage());
	return s;
}
