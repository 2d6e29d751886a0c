#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kms/base/crypt.h"
#include "tape/virtual/cartridge.h"
#include "tape/virtual/param.h"
#include "tests/lib/fixture.h"
#include "tests/unit/vtape/suite.h"

static const struct vt_label label = {8, 1 << 20, "CART01L8"};

static struct vt_cartridge *
open_at(const char *path)
{
	struct vt_cartridge *c = NULL;

	ck_assert_int_eq(vt_cartridge_open(path, &c), 0);
	return c;
}

static struct vt_cartridge *
blank(struct fx *fx, const char **path)
{
	*path = fx_path(fx, "cart");
	ck_assert_int_eq(vt_cartridge_create(*path, &label), 0);
	return open_at(*path);
}

static void
put_text(struct vt_cartridge *c, const char *text)
{
	struct vt_record r;
	uint8_t buf[64];

	memcpy(buf, text, strlen(text));
	vt_cartridge_next(c, VT_PLAIN, &r);
	r.len = (uint32_t)strlen(text);
	ck_assert_int_eq(vt_cartridge_put(c, &r, buf), 0);
}

static void
put_mark(struct vt_cartridge *c)
{
	struct vt_record r;

	vt_cartridge_next(c, VT_FILEMARK, &r);
	ck_assert_int_eq(vt_cartridge_put(c, &r, NULL), 0);
	ck_assert_int_eq(vt_cartridge_sync(c), 0);
}

static int
get_text(struct vt_cartridge *c, uint64_t object, char *text)
{
	struct vt_record r;
	uint8_t buf[64] = {0};

	ck_assert_uint_lt(vt_cartridge_len(c, object), sizeof(buf));
	int err = vt_cartridge_get(c, object, &r, buf);
	if (!err)
		memcpy(text, buf, sizeof(buf));
	return err;
}

static void
is_text(struct vt_cartridge *c, uint64_t object, const char *want)
{
	char text[64];

	ck_assert_int_eq(get_text(c, object, text), 0);
	ck_assert_str_eq(text, want);
}

START_TEST(blocks_and_marks_come_back)
{
	struct fx *fx = fx_new();
	const char *path;
	struct vt_cartridge *c = blank(fx, &path);

	put_text(c, "one");
	put_mark(c);
	put_text(c, "two");
	put_mark(c);
	vt_cartridge_close(&c);
	c = open_at(path);
	ck_assert_uint_eq(vt_cartridge_end(c), 4);
	ck_assert_str_eq(vt_cartridge_header(c)->barcode, "CART01L8");
	is_text(c, 0, "one");
	is_text(c, 2, "two");
	ck_assert(vt_cartridge_is_mark(c, 1));
	ck_assert_uint_eq(vt_cartridge_marks(c, 2), 1);
	ck_assert_uint_eq(vt_cartridge_marks(c, 4), 2);
	ck_assert_uint_eq(vt_cartridge_file(c, 0), 0);
	ck_assert_uint_eq(vt_cartridge_file(c, 1), 2);
	ck_assert_uint_eq(vt_cartridge_file(c, 2), 4);
	ck_assert_uint_eq(vt_cartridge_torn(c), 0);
	vt_cartridge_close(&c);
	fx_free(&fx);
}
END_TEST

START_TEST(an_existing_file_is_never_replaced)
{
	struct fx *fx = fx_new();
	const char *path = fx_path(fx, "file");

	fx_write_text(path, "precious");
	ck_assert_int_eq(vt_cartridge_create(path, &label), KMS_ERR_EXISTS);
	ck_assert(fx_contains(fx, path, "precious", 8));
	struct vt_cartridge *c = NULL;
	ck_assert_int_eq(vt_cartridge_open(path, &c), KMS_ERR_DAMAGED);
	ck_assert_ptr_null(c);
	ck_assert_int_eq(vt_cartridge_open(fx_path(fx, "none"), &c),
	    KMS_ERR_NOTFOUND);
	fx_free(&fx);
}
END_TEST

START_TEST(two_drives_cannot_have_one_tape)
{
	struct fx *fx = fx_new();
	const char *path;
	struct vt_cartridge *c = blank(fx, &path), *second = NULL;

	ck_assert_int_eq(vt_cartridge_open(path, &second), KMS_ERR_BUSY);
	vt_cartridge_close(&c);
	fx_free(&fx);
}
END_TEST

START_TEST(a_torn_tail_is_not_part_of_the_tape)
{
	struct fx *fx = fx_new();
	const char *path;
	struct vt_cartridge *c = blank(fx, &path);

	put_text(c, "kept");
	put_mark(c);
	uint64_t used = vt_cartridge_used(c);
	put_text(c, "half of this is lost");
	uint64_t whole = vt_cartridge_used(c);
	vt_cartridge_close(&c);
	for (uint64_t len = used; len < whole; len += 7) {
		struct vt_end none = {.sequence = 9, .offset = 4096};
		uint8_t end[VT_END_LEN];
		size_t n;
		uint8_t *all = fx_read(fx, path, &n);
		uint8_t *copy = malloc(n);
		ck_assert_ptr_nonnull(copy);
		memcpy(copy, all, n);
		/* As a kill leaves it: the mark of the close never came. */
		vt_end_encode(&none, end);
		memcpy(copy + VT_END_AT(9), end, sizeof(end));
		const char *torn = fx_path(fx, "torn");
		fx_write(torn, copy, len, 0600);
		free(copy);
		c = open_at(torn);
		ck_assert_uint_eq(vt_cartridge_end(c), 2);
		ck_assert_uint_eq(vt_cartridge_torn(c), len - used);
		ck_assert(!vt_cartridge_damaged(c));
		ck_assert_int_eq(vt_cartridge_cut(c, 2), 0);
		put_text(c, "new");
		is_text(c, 2, "new");
		vt_cartridge_close(&c);
		c = open_at(torn);
		is_text(c, 0, "kept");
		is_text(c, 2, "new");
		ck_assert_uint_eq(vt_cartridge_end(c), 3);
		vt_cartridge_close(&c);
	}
	fx_free(&fx);
}
END_TEST

START_TEST(damage_below_the_end_mark_is_not_taken_for_blank)
{
	struct fx *fx = fx_new();
	const char *path;
	struct vt_cartridge *c = blank(fx, &path);
	size_t n;

	put_text(c, "one");
	put_text(c, "two");
	put_text(c, "three");
	put_mark(c);
	vt_cartridge_close(&c);
	uint8_t *all = fx_read(fx, path, &n);
	all[VT_RECORDS_AT + VT_RECORD_LEN + 3 + 10] ^= 1; /* head of "two" */
	fx_write(path, all, n, 0600);
	c = open_at(path);
	ck_assert(vt_cartridge_damaged(c));
	ck_assert_uint_eq(vt_cartridge_end(c), 1);
	ck_assert_int_eq(vt_cartridge_cut(c, 1), KMS_ERR_DAMAGED);
	vt_cartridge_close(&c);
	ck_assert(fx_contains(fx, path, "three", 5));
	/* Over an earlier object it may be given up. */
	c = open_at(path);
	ck_assert_int_eq(vt_cartridge_cut(c, 0), 0);
	ck_assert(!vt_cartridge_damaged(c));
	vt_cartridge_close(&c);
	fx_free(&fx);
}
END_TEST

START_TEST(writing_over_ends_the_tape_there)
{
	struct fx *fx = fx_new();
	const char *path;
	struct vt_cartridge *c = blank(fx, &path);

	for (int i = 0; i < 5; i++)
		put_text(c, "old");
	put_mark(c);
	ck_assert_int_eq(vt_cartridge_cut(c, 2), 0);
	put_text(c, "new");
	put_mark(c);
	vt_cartridge_close(&c);
	c = open_at(path);
	ck_assert_uint_eq(vt_cartridge_end(c), 4);
	is_text(c, 1, "old");
	is_text(c, 2, "new");
	ck_assert_uint_eq(vt_cartridge_marks(c, 4), 1);
	vt_cartridge_close(&c);
	fx_free(&fx);
}
END_TEST

/* An old tail of just the right length behind new records: not continued. */
START_TEST(old_records_do_not_continue_new_ones)
{
	struct fx *fx = fx_new();
	const char *path;
	struct vt_cartridge *c = blank(fx, &path);
	size_t n, m;

	put_text(c, "aaa");
	put_text(c, "bbb");
	put_text(c, "ccc");
	vt_cartridge_close(&c);
	uint8_t *old = fx_read(fx, path, &n);
	c = open_at(path);
	ck_assert_int_eq(vt_cartridge_cut(c, 1), 0);
	put_text(c, "BBB");
	vt_cartridge_close(&c);
	uint8_t *new = fx_read(fx, path, &m);
	ck_assert_uint_lt(m, n);
	memcpy(old, new, m);
	fx_write(path, old, n, 0600);
	c = open_at(path);
	ck_assert_uint_eq(vt_cartridge_end(c), 2);
	is_text(c, 1, "BBB");
	vt_cartridge_close(&c);
	fx_free(&fx);
}
END_TEST

START_TEST(a_file_without_write_permission_is_protected)
{
	struct fx *fx = fx_new();
	const char *path;
	struct vt_cartridge *c = blank(fx, &path);
	size_t n;

	put_text(c, "data");
	put_mark(c);
	vt_cartridge_close(&c);
	uint8_t *all = fx_read(fx, path, &n);
	fx_write(path, all, n, 0400);
	c = open_at(path);
	ck_assert(vt_cartridge_protected(c));
	is_text(c, 0, "data");
	vt_cartridge_close(&c);
	fx_free(&fx);
}
END_TEST

struct walk {
	const char *path;
	int fd; /* of the same file: changes are made in place */
	char what[48];
	unsigned opened;
};

/* Whatever a changed file still gives out was written so. */
static void
tells_no_lie(struct walk *w)
{
	static const char *const want[] = {"alpha", "", "gamma"};
	struct vt_cartridge *c = NULL;

	if (vt_cartridge_open(w->path, &c) != 0)
		return;
	w->opened++;
	ck_assert_uint_le(vt_cartridge_end(c), 3);
	for (uint64_t i = 0; i < 3 && i < vt_cartridge_end(c); i++) {
		char text[64] = "";
		if (!vt_cartridge_is_mark(c, i) && get_text(c, i, text) == 0)
			ck_assert_msg(strcmp(text, want[i]) == 0, "%s",
			    w->what);
	}
	ck_assert_msg(vt_cartridge_end(c) == 3 || vt_cartridge_damaged(c), "%s",
	    w->what);
	vt_cartridge_close(&c);
}

static void
change_bits(struct walk *w, size_t from, size_t len)
{
	uint8_t was, now;

	for (size_t bit = from * 8; bit < (from + len) * 8; bit++) {
		off_t at = (off_t)(bit / 8);
		snprintf(w->what, sizeof(w->what), "bit %zu of byte %ld",
		    bit % 8, (long)at);
		ck_assert_int_eq(pread(w->fd, &was, 1, at), 1);
		now = (uint8_t)(was ^ (1u << bit % 8));
		ck_assert_int_eq(pwrite(w->fd, &now, 1, at), 1);
		tells_no_lie(w);
		ck_assert_int_eq(pwrite(w->fd, &was, 1, at), 1);
	}
}

START_TEST(a_mutated_cartridge_never_crashes_nor_lies)
{
	struct fx *fx = fx_new();
	struct walk w = {.opened = 0};
	struct vt_cartridge *c = blank(fx, &w.path);

	put_text(c, "alpha");
	put_mark(c);
	put_text(c, "gamma");
	size_t len = (size_t)vt_cartridge_used(c);
	vt_cartridge_close(&c);
	w.fd = open(w.path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(w.fd, 0);
	change_bits(&w, 0, VT_HEADER_LEN);
	change_bits(&w, 512, VT_END_LEN);
	change_bits(&w, 1024, VT_END_LEN);
	change_bits(&w, VT_RECORDS_AT, len - VT_RECORDS_AT);
	ck_assert_uint_gt(w.opened, 100);
	snprintf(w.what, sizeof(w.what), "truncated");
	while (len > 0) {
		len -= len > VT_RECORDS_AT ? 1 : len > 100 ? 97 : 1;
		ck_assert_int_eq(ftruncate(w.fd, (off_t)len), 0);
		tells_no_lie(&w);
	}
	close(w.fd);
	fx_free(&fx);
}
END_TEST

/* Every byte of an encrypted record is covered: head, KADs, data. */
START_TEST(no_byte_of_an_encrypted_block_can_change_unseen)
{
	struct fx *fx = fx_new();
	const char *path;
	struct vt_cartridge *c = blank(fx, &path);
	struct vt_param p = {.set = false};
	struct kms_secret *key = NULL;
	struct tape_sde s = {.enc = TAPE_ENC_ENCRYPT};
	struct vt_record r;
	uint8_t raw[32] = {5}, buf[64];
	size_t n;

	memcpy(s.kad.u, "tag", 3);
	s.kad.u_len = 3;
	ck_assert_int_eq(kms_secret_from(raw, 32, &key), 0);
	ck_assert_int_eq(vt_param_put(&p, &s, 1, &key), 0);
	vt_cartridge_next(c, VT_ENCRYPTED, &r);
	r.len = 6;
	memcpy(buf, "secret", 6);
	ck_assert_int_eq(vt_param_seal(&p, &r, buf), 0);
	ck_assert_int_eq(vt_cartridge_put(c, &r, buf), 0);
	vt_cartridge_close(&c);
	uint8_t *all = fx_read(fx, path, &n);
	for (size_t i = VT_RECORDS_AT; i < n; i++) {
		all[i] ^= 1;
		fx_write(path, all, n, 0600);
		all[i] ^= 1;
		c = open_at(path);
		if (vt_cartridge_end(c) == 1) {
			ck_assert_int_eq(vt_cartridge_get(c, 0, &r, buf), 0);
			ck_assert_int_eq(vt_param_open(&p, &r, buf),
			    KMS_ERR_DAMAGED);
		}
		vt_cartridge_close(&c);
	}
	vt_param_clear(&p);
	fx_free(&fx);
}
END_TEST

/* A file of format version 1, by this program's first version. */
START_TEST(the_golden_cartridge_is_still_read)
{
	struct fx *fx = fx_new();
	const char *path = fx_path(fx, "cart");
	struct kms_secret *key = NULL;
	struct kms_gcm *gcm = NULL;
	struct vt_record r;
	uint8_t raw[32], data[64], aad[58];
	size_t n;

	const uint8_t *all = fx_read(fx, "tests/golden/vtape-1.cart", &n);
	fx_write(path, all, n, 0600);
	struct vt_cartridge *c = open_at(path);
	ck_assert_str_eq(vt_cartridge_header(c)->barcode, "GOLD01L6");
	ck_assert_uint_eq(vt_cartridge_end(c), 4);
	is_text(c, 0, "in clear\n");
	ck_assert_int_eq(vt_cartridge_get(c, 2, &r, data), 0);
	ck_assert_mem_eq(r.kad.u, "golden tag", 10);
	ck_assert(r.raw);
	/* Opened as record.h says, by nothing else of ours. */
	const uint8_t *head = all + 0x1089;
	memcpy(aad, head, 44);
	memcpy(aad + 44, head + 64, 14);
	memset(raw, 0x11, sizeof(raw));
	ck_assert_int_eq(kms_secret_from(raw, sizeof(raw), &key), 0);
	ck_assert_int_eq(kms_gcm_new(key, &gcm), 0);
	ck_assert_int_eq(kms_gcm_open(gcm, head + 24,
			     (struct kms_bytes){aad, sizeof(aad)}, head + 78, 7,
			     data, head + 44),
	    0);
	ck_assert_mem_eq(data, "sealed\n", 7);
	kms_gcm_free(&gcm);
	kms_secret_free(&key);
	vt_cartridge_close(&c);
	fx_free(&fx);
}
END_TEST

TCase *
cartridge_tests(void)
{
	TCase *t = tcase_create("cartridge");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, blocks_and_marks_come_back);
	tcase_add_test(t, an_existing_file_is_never_replaced);
	tcase_add_test(t, two_drives_cannot_have_one_tape);
	tcase_add_test(t, a_torn_tail_is_not_part_of_the_tape);
	tcase_add_test(t, damage_below_the_end_mark_is_not_taken_for_blank);
	tcase_add_test(t, writing_over_ends_the_tape_there);
	tcase_add_test(t, old_records_do_not_continue_new_ones);
	tcase_add_test(t, a_file_without_write_permission_is_protected);
	tcase_add_test(t, a_mutated_cartridge_never_crashes_nor_lies);
	tcase_add_test(t, the_golden_cartridge_is_still_read);
	tcase_add_test(t, no_byte_of_an_encrypted_block_can_change_unseen);
	return t;
}
