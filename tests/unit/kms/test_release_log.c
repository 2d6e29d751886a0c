#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
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
#include "tests/unit/kms/stores.h"
#include "tests/unit/kms/tests.h"

static const uint8_t uuid[16] = {1, 2, 3};
static struct fx *fx;
static const char *path;
static struct kms_secret *key;
static struct kms_release_log_options opt;
static struct kms_release_log *rlog;
static struct kms_log_head head; /* as a root would hold it */
static struct kms_release_log_report report;

static void
setup(void)
{
	fx = fx_new();
	path = fx_path(fx, "kms.log");
	key = key_of(0x22);
	opt = (struct kms_release_log_options){.path = path,
	    .uuid = uuid,
	    .key = key,
	    .wait_ms = 10000};
	ok(kms_release_log_create(&opt, &rlog));
	ok(kms_release_log_head(rlog, &head));
}

static void
teardown(void)
{
	fault_sync(0);
	kms_release_log_close(&rlog);
	kms_secret_free(&key);
	fx_free(&fx);
}

static struct kms_release_entry
entry_of(unsigned n)
{
	struct kms_release_entry e = {.time = 1795600000000000 + n,
	    .generation = 100 + n,
	    .use = KMS_USE_WRITE,
	    .state = KMS_ACTIVE,
	    .tag = {.len = 4}};

	kms_put32(e.tag.b, n);
	strcpy(e.group, "ENCR_a");
	strcpy(e.key, "k1");
	strcpy(e.drive, "HU1234");
	strcpy(e.volume, "A00001L6");
	sample_who(&e.who);
	return e;
}

static int
append(unsigned n)
{
	struct kms_release_entry e = entry_of(n);

	return kms_release_log_append(rlog, &e);
}

static void
append_all(unsigned from, unsigned to)
{
	for (; from <= to; from++)
		ok(append(from));
}

static void
reopen(void)
{
	kms_release_log_close(&rlog);
	ok(kms_release_log_open(&opt, &head, &rlog, &report));
}

static int
try_open(void)
{
	struct kms_release_log *l;
	int r;

	kms_release_log_close(&rlog);
	r = kms_release_log_open(&opt, &head, &l, &report);
	ck_assert((r == 0) == (l != NULL));
	kms_release_log_close(&l);
	return r;
}

/* Records are numbered and made of their numbers. */
static int
see(void *ctx, const struct kms_release_entry *e)
{
	unsigned *n = ctx;

	++*n;
	if (e->seq != *n || kms_get32(e->tag.b) != *n ||
	    e->generation != 100 + *n || strcmp(e->volume, "A00001L6") != 0)
		ck_abort_msg("record %u is not itself", *n);
	return 0;
}

static unsigned
scan(int want)
{
	unsigned n = 0;
	int r = kms_release_log_scan(rlog, see, &n, &report);

	ck_assert_msg(r == want, "%d: %s", r, r ? kms_err_cause(r) : "");
	ck_assert_uint_eq(report.seq, n);
	return n;
}

START_TEST(records_come_back_as_they_were)
{
	append_all(1, 20);
	ck_assert_uint_eq(scan(0), 20);
	reopen();
	ck_assert_int_eq(report.state, KMS_RELEASE_LOG_COMPLETE);
	ck_assert_uint_eq(report.seq, 20);
	ck_assert_uint_eq(scan(0), 20);
	append_all(21, 30);
	ck_assert_uint_eq(scan(0), 30);
}
END_TEST

START_TEST(every_field_of_a_record_is_kept)
{
	struct kms_release_entry e, back;
	uint8_t b[KMS_LOG_CONTENT_MAX];
	struct kms_wr wr;
	unsigned nth;

	memset(&e, 0, sizeof(e));
	e = entry_of(7);
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
	struct kms_release_entry e = entry_of(7);
	uint8_t b[KMS_LOG_CONTENT_MAX];
	struct kms_wr wr;

	kms_wr_fixed(&wr, b, sizeof(b));
	ok(kms_release_entry_encode(&e, 3, &wr));
	ck_assert_uint_gt(mutate(b, wr.len, decode_mutant, NULL), 8 * wr.len);
}
END_TEST

START_TEST(the_longest_record_fits)
{
	struct kms_release_entry e = entry_of(1);

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
	ok(kms_release_log_scan(rlog, NULL, NULL, &report));
	ck_assert_uint_eq(report.seq, 1);
}
END_TEST

START_TEST(a_record_out_of_bounds_is_refused_alone)
{
	struct kms_release_entry e = entry_of(1);

	e.tag.len = 0;
	fails(kms_release_log_append(rlog, &e), KMS_ERR_LIMIT, NULL);
	e = entry_of(1);
	strcpy(e.volume, "\xff");
	fails(kms_release_log_append(rlog, &e), KMS_ERR_LIMIT, NULL);
	append_all(1, 1);
}
END_TEST

START_TEST(nothing_readable_lies_in_the_file)
{
	struct stat st;

	append_all(1, 5);
	ck_assert(!fx_contains(fx, path, "ENCR_a", 6));
	ck_assert(!fx_contains(fx, path, "A00001L6", 8));
	ck_assert(!fx_contains(fx, path, "HU1234", 6));
	ck_assert(fx_contains(fx, path, "p11klog\1", 8));
	ck_assert_int_eq(stat(path, &st), 0);
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

	append_all(1, 1);
	f = fx_read(fx, path, &len);
	assert_hex(f, 24,
	    "7031316b6c6f6701"
	    "01020300000000000000000000000000");
	memcpy(info + 13, f + 24, 16);
	ok(kms_hkdf(key, (struct kms_bytes){info, 29}, 32, &record_key));
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

	fails(kms_release_log_create(&opt, &l), KMS_ERR_EXISTS, NULL);
	opt.path = fx_path(fx, "link");
	ck_assert_int_eq(symlink(path, opt.path), 0);
	fails(kms_release_log_create(&opt, &l), KMS_ERR_EXISTS, NULL);
	fails(try_open(), KMS_ERR_CONFIG, "symbolic link");
	opt.path = fx_path(fx, "none");
	fails(try_open(), KMS_ERR_NOTFOUND, NULL);
	opt.path = path;
	ck_assert_int_eq(chmod(path, 0640), 0);
	fails(try_open(), KMS_ERR_CONFIG, "chmod 0600");
}
END_TEST

START_TEST(a_header_of_another_store_key_or_version_is_refused)
{
	const uint8_t other[16] = {9};
	struct kms_secret *k = key_of(0x23);
	uint8_t *f;
	size_t len;

	opt.uuid = other;
	fails(try_open(), KMS_ERR_DAMAGED, "another store");
	opt.uuid = uuid;
	opt.key = k;
	fails(try_open(), KMS_ERR_DAMAGED, "header does not verify");
	opt.key = key;
	f = fx_read(fx, path, &len);
	f[7] = 2;
	fx_write(path, f, len, 0600);
	fails(try_open(), KMS_ERR_VERSION, "log format 2 is newer");
	fx_write(path, f, 63, 0600);
	fails(try_open(), KMS_ERR_DAMAGED, "too short");
	fx_write(path, "", 0, 0600);
	fails(try_open(), KMS_ERR_DAMAGED, "too short");
	kms_secret_free(&k);
}
END_TEST

static void
write_at(uint64_t at, const void *p, size_t n)
{
	int fd = open(path, O_WRONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, p, n, (off_t)at), (ssize_t)n);
	close(fd);
}

static void
flip(uint64_t at)
{
	uint8_t b;
	int fd = open(path, O_RDWR);

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

	append_all(1, 4);
	ok(kms_release_log_head(rlog, &head));
	for (at = 0; at < head.size; at += step) {
		flip(at);
		kms_release_log_close(&rlog);
		r = kms_release_log_open(&opt, &head, &rlog, &report);
		n = 0;
		if (r == 0)
			r = kms_release_log_scan(rlog, see, &n, &report);
		if (r != KMS_ERR_DAMAGED && r != KMS_ERR_VERSION)
			ck_abort_msg("byte %u: %d", (unsigned)at, r);
		if (n >= 4)
			ck_abort_msg("byte %u: all records", (unsigned)at);
		flip(at);
	}
	reopen();
	ck_assert_uint_eq(scan(0), 4);
}
END_TEST

START_TEST(damage_before_the_head_is_found_by_scan_and_names_the_record)
{
	struct kms_log_head three;

	append_all(1, 3);
	ok(kms_release_log_head(rlog, &three));
	append_all(4, 9);
	ok(kms_release_log_head(rlog, &head));
	flip(three.size + 40); /* within record 4 */
	reopen();              /* verifies from the head on only */
	ck_assert_int_eq(report.state, KMS_RELEASE_LOG_COMPLETE);
	ck_assert_uint_eq(scan(KMS_ERR_DAMAGED), 3);
	ck_assert_int_eq(report.state, KMS_RELEASE_LOG_DAMAGED);
	ck_assert_uint_eq(report.bad_seq, 4);
	assert_cause(KMS_ERR_DAMAGED, "record 4");
	append_all(10, 10); /* the end is good, so releases go on */
}
END_TEST

START_TEST(a_log_cut_before_the_roots_head_is_short_and_takes_nothing)
{
	struct kms_log_head three;
	uint8_t zero[4] = {0};

	append_all(1, 3);
	ok(kms_release_log_head(rlog, &three));
	append_all(4, 9);
	ok(kms_release_log_head(rlog, &head));
	kms_release_log_close(&rlog);
	ck_assert_int_eq(truncate(path, (off_t)three.size), 0);
	reopen();
	ck_assert_int_eq(report.state, KMS_RELEASE_LOG_SHORT);
	ck_assert_uint_eq(report.seq, 3);
	fails(append(10), KMS_ERR_DAMAGED, NULL);
	fails(kms_release_log_head(rlog, &three), KMS_ERR_DAMAGED, NULL);
	ck_assert_uint_eq(scan(KMS_ERR_DAMAGED), 3);
	assert_cause(KMS_ERR_DAMAGED, "cut off after record 3");
	/* longer again, with zeros: the same */
	ck_assert_int_eq(truncate(path, (off_t)head.size + 4096), 0);
	write_at(three.size, zero, 4);
	reopen();
	ck_assert_int_eq(report.state, KMS_RELEASE_LOG_SHORT);
}
END_TEST

START_TEST(a_tail_cut_after_the_roots_head_cannot_be_told)
{
	append_all(1, 3);
	ok(kms_release_log_head(rlog, &head));
	append_all(4, 5);
	kms_release_log_close(&rlog);
	ck_assert_int_eq(truncate(path, (off_t)head.size), 0);
	reopen();
	ck_assert_int_eq(report.state, KMS_RELEASE_LOG_COMPLETE);
	append_all(4, 4);
	ck_assert_uint_eq(scan(0), 4);
}
END_TEST

START_TEST(the_log_of_another_time_is_not_the_one_the_root_names)
{
	append_all(1, 3);
	ok(kms_release_log_head(rlog, &head));
	kms_release_log_close(&rlog);
	ck_assert_int_eq(rename(path, fx_path(fx, "old")), 0);
	ok(kms_release_log_create(&opt, &rlog));
	append_all(1, 5);
	reopen();
	ck_assert_int_eq(report.state, KMS_RELEASE_LOG_OTHER);
	fails(append(6), KMS_ERR_DAMAGED, NULL);
	ck_assert_uint_eq(scan(KMS_ERR_DAMAGED), 5);
	assert_cause(KMS_ERR_DAMAGED, "not the release log");
}
END_TEST

START_TEST(a_longer_log_with_another_record_at_the_head_is_damaged)
{
	append_all(1, 6);
	ok(kms_release_log_head(rlog, &head));
	head.seq = 5;
	head.size -= 3;
	reopen();
	ck_assert_int_eq(report.state, KMS_RELEASE_LOG_DAMAGED);
	fails(append(7), KMS_ERR_DAMAGED, NULL);
}
END_TEST

/* What a power cut may leave of the last write. */
START_TEST(a_torn_tail_is_told_and_written_over)
{
	struct kms_log_head five, six;
	uint8_t *f;
	size_t len, cut;

	append_all(1, 5);
	ok(kms_release_log_head(rlog, &five));
	append_all(6, 6);
	ok(kms_release_log_head(rlog, &six));
	head = five;
	f = fx_read(fx, path, &len);
	for (cut = 1; cut < six.size - five.size; cut += 7) {
		memset(f + six.size - cut, 0, cut);
		fx_write(path, f, len, 0600);
		reopen();
		ck_assert(report.state ==
			(cut + 4 > six.size - five.size
				? KMS_RELEASE_LOG_COMPLETE
				: KMS_RELEASE_LOG_TORN) ||
		    report.state == KMS_RELEASE_LOG_TORN);
		ck_assert_uint_eq(report.seq, 5);
		ck_assert_uint_eq(scan(0), 5);
		append_all(6, 7);
		ck_assert_uint_eq(scan(0), 7);
		reopen();
		ck_assert_int_eq(report.state, KMS_RELEASE_LOG_COMPLETE);
		ck_assert_uint_eq(report.seq, 7);
	}
}
END_TEST

START_TEST(random_bytes_after_the_end_are_a_torn_tail)
{
	uint8_t junk[3000];
	size_t i;

	append_all(1, 5);
	ok(kms_release_log_head(rlog, &head));
	srandom(3);
	for (i = 0; i < sizeof(junk); i++)
		junk[i] = (uint8_t)random();
	junk[0] = junk[1] = 0;
	write_at(head.size, junk, sizeof(junk));
	reopen();
	ck_assert_int_eq(report.state, KMS_RELEASE_LOG_TORN);
	append_all(6, 40);
	reopen();
	ck_assert_int_eq(report.state, KMS_RELEASE_LOG_COMPLETE);
	ck_assert_uint_eq(scan(0), 40);
}
END_TEST

/* Records 6 and 7 were synced one after the other; 6 then decays. */
START_TEST(damage_after_the_head_is_told_from_a_torn_tail)
{
	struct kms_log_head five, six;
	uint64_t at;
	uint8_t *f;
	size_t len;

	append_all(1, 5);
	ok(kms_release_log_head(rlog, &five));
	append_all(6, 6);
	ok(kms_release_log_head(rlog, &six));
	append_all(7, 8);
	head = five;
	for (at = five.size; at < six.size - 16; at += 5) {
		flip(at);
		reopen();
		if (report.state != KMS_RELEASE_LOG_DAMAGED ||
		    report.bad_seq != 6)
			ck_abort_msg("byte %u", (unsigned)(at - five.size));
		fails(append(9), KMS_ERR_DAMAGED, NULL);
		flip(at);
	}
	f = fx_read(fx, path, &len);
	memset(f + five.size, 0, six.size - five.size - 16);
	fx_write(path, f, len, 0600);
	reopen();
	ck_assert_int_eq(report.state, KMS_RELEASE_LOG_DAMAGED);
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

	append_all(1, 5);
	ok(kms_release_log_head(rlog, &head));
	end = head;
	kms_wr_grow(&wr, 1u << 16);
	for (i = 0; i < 3; i++) {
		e = entry_of(6 + i);
		ok(kms_log_seal(&rlog->file, &end, &e, i, &wr));
	}
	write_at(head.size, wr.p, wr.len);
	reopen();
	ck_assert_uint_eq(report.seq, 8);
	write_at(head.size, zero, 4);
	reopen();
	ck_assert_int_eq(report.state, KMS_RELEASE_LOG_COMPLETE);
	ck_assert_uint_eq(report.seq, 5);
	write_at(head.size, "\0\0\1\0", 4);
	reopen();
	ck_assert_int_eq(report.state, KMS_RELEASE_LOG_TORN);
	append_all(6, 9);
	ck_assert_uint_eq(scan(0), 9);
	kms_wr_free(&wr);
}
END_TEST

START_TEST(a_record_of_a_newer_layout_is_never_written_over)
{
	uint8_t plain[] = {3, 0, 0, 7}, tag[16], aad[56] = {0};
	uint8_t out[4 + 12 + 4 + 16] = {0}, iv[12] = {1};

	append_all(1, 2);
	ok(kms_release_log_head(rlog, &head));
	memcpy(aad, uuid, 16);
	memcpy(aad + 16, rlog->file.id, 16);
	kms_put64(aad + 32, 3);
	memcpy(aad + 40, head.tag, 16);
	ok(kms_gcm_seal(rlog->file.gcm, iv, (struct kms_bytes){aad, 56}, plain,
	    4, out + 16, tag));
	kms_put32(out, 32);
	memcpy(out + 4, iv, 12);
	memcpy(out + 20, tag, 16);
	write_at(head.size, out, sizeof(out));
	fails(append(3), KMS_ERR_VERSION, "layout 3 is newer");
	fails(try_open(), KMS_ERR_VERSION, "layout 3 is newer");
}
END_TEST

/* --- others ------------------------------------------------------------ */

static void
append_in_child(unsigned times)
{
	struct kms_release_log *l;
	struct kms_release_entry e;
	unsigned i;

	if (kms_release_log_open(&opt, &head, &l, NULL) != 0)
		_exit(1);
	for (i = 0; i < times; i++) {
		e = entry_of(i);
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
	append_all(1, 50);
	for (i = 0; i < 3; i++)
		wait_for(pid[i]);
	ok(kms_release_log_scan(rlog, NULL, NULL, &report));
	ck_assert_uint_eq(report.seq, 200);
	ck_assert_int_eq(report.state, KMS_RELEASE_LOG_COMPLETE);
	reopen();
	ck_assert_uint_eq(report.seq, 200);
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
		e = entry_of(i);
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
	ok(kms_release_log_scan(rlog, NULL, NULL, &report));
	ck_assert_uint_eq(report.seq, 800);
}
END_TEST

START_TEST(a_lock_held_elsewhere_is_busy)
{
	int fd = open(path, O_RDWR);

	ck_assert_int_ge(fd, 0);
	opt.wait_ms = 20;
	reopen();
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	fails(append(1), KMS_ERR_BUSY, "try again");
	fails(kms_release_log_head(rlog, &head), KMS_ERR_BUSY, NULL);
	ck_assert_int_eq(flock(fd, LOCK_UN), 0);
	ok(append(1));
	close(fd);
}
END_TEST

START_TEST(a_log_put_aside_by_another_process_takes_nothing_more)
{
	append_all(1, 2);
	ck_assert_int_eq(rename(path, fx_path(fx, "old")), 0);
	fails(append(3), KMS_ERR_DAMAGED, "removed or replaced");
	fx_write_text(path, "another");
	fails(append(3), KMS_ERR_DAMAGED, "removed or replaced");
}
END_TEST

START_TEST(a_read_only_log_is_scanned_and_takes_nothing)
{
	append_all(1, 4);
	ok(kms_release_log_head(rlog, &head));
	ck_assert_int_eq(chmod(path, 0444), 0);
	opt.readonly = true;
	reopen();
	ck_assert_uint_eq(scan(0), 4);
	fails(append(5), KMS_ERR_INTERNAL, NULL);
}
END_TEST

/* --- a failing disk ---------------------------------------------------- */

START_TEST(a_record_that_cannot_be_synced_is_refused_for_good)
{
	append_all(1, 3);
	ok(kms_release_log_head(rlog, &head));
	fault_sync(1);
	fails(append(4), KMS_ERR_IO, "sync");
	fault_sync(0);
	fails(append(4), KMS_ERR_IO, "takes no records");
	fails(kms_release_log_head(rlog, &head), KMS_ERR_IO, NULL);
	ck_assert_uint_eq(scan(0), 3);
	reopen(); /* recorded or not, never torn */
	ck_assert(report.seq == 3 || report.seq == 4);
	ck_assert_int_eq(report.state, KMS_RELEASE_LOG_COMPLETE);
}
END_TEST

START_TEST(a_log_whose_first_sync_fails_is_not_made)
{
	struct kms_release_log *l;

	opt.path = fx_path(fx, "new.log");
	fault_sync(1);
	fails(kms_release_log_create(&opt, &l), KMS_ERR_IO, NULL);
	fault_sync(0);
	ck_assert(!fx_exists(opt.path));
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
	ck_assert_int_eq(stat(path, &st), 0);
	now = was;
	now.rlim_cur = (rlim_t)st.st_size;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &now), 0);
	while (n < 1000 && (r = append(n + 1)) == 0)
		n++;
	fails(r, KMS_ERR_IO, "disk full");
	ck_assert_uint_gt(n, 100);
	fails(append(n + 1), KMS_ERR_IO, "disk full");
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &was), 0);
	ok(append(n + 1));
	ck_assert_uint_eq(scan(0), n + 1);
	reopen();
	ck_assert_uint_eq(report.seq, n + 1);
}
END_TEST

Suite *
release_log_suite(void)
{
	Suite *s = suite_create("release_log");
	TCase *t = tcase_create("release_log");

	tcase_add_checked_fixture(t, setup, teardown);
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
	tcase_add_test(t, processes_share_a_log_and_lose_nothing);
	tcase_add_test(t, callers_that_come_together_share_a_sync);
	tcase_add_test(t, a_lock_held_elsewhere_is_busy);
	tcase_add_test(t,
	    a_log_put_aside_by_another_process_takes_nothing_more);
	tcase_add_test(t, a_read_only_log_is_scanned_and_takes_nothing);
	tcase_add_test(t, a_record_that_cannot_be_synced_is_refused_for_good);
	tcase_add_test(t, a_log_whose_first_sync_fails_is_not_made);
	tcase_add_test(t, a_full_disk_refuses_and_may_be_tried_again);
	suite_add_tcase(s, t);
	return s;
}
