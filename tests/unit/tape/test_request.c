#include "tests/unit/tape/suite.h"

#include <string.h>

#include "tape/request.h"
#include "tests/unit/tape/mock.h"

static struct mock m;
static struct tape_drive *d;

/* One key, known under one tag; remembers what it was asked. */
struct one_key {
	struct tape_keys keys; /* first */
	const char *tag;
	unsigned asked;
	char pool[32], drive[32], volume[32], medium[32];
	struct tape_kad kad;
};
static struct one_key one;

static int
one_get(struct tape_keys *keys, const struct tape_want *w, struct tape_kad *kad,
    struct kms_secret **key)
{
	struct one_key *o = (struct one_key *)(void *)keys;
	size_t len = strlen(o->tag);

	o->asked++;
	strncpy(o->pool, w->pool ? w->pool : "", sizeof(o->pool) - 1);
	strncpy(o->drive, w->drive, sizeof(o->drive) - 1);
	strncpy(o->volume, w->volume, sizeof(o->volume) - 1);
	strncpy(o->medium, w->medium, sizeof(o->medium) - 1);
	memset(&o->kad, 0, sizeof(o->kad));
	if (w->kad)
		o->kad = *w->kad;
	if (w->kad && !tape_kad_has(w->kad, (const uint8_t *)o->tag, len))
		return kms_fail(KMS_ERR_NOTFOUND, "no such key");
	memset(kad, 0, sizeof(*kad));
	memcpy(kad->u, o->tag, len);
	kad->u_len = len;
	*key = mock_key(7);
	return 0;
}

static void
setup(void)
{
	mock_init(&m);
	d = mock_drive(&m);
	memset(&one, 0, sizeof(one));
	one.keys.get = one_get;
	one.tag = "the-tag";
}

static void
teardown(void)
{
	tape_drive_close(&d);
}

static void
block(const char *u, size_t u_len, const char *a, size_t a_len)
{
	m.nbes = 6;
	memset(m.block_key, 7, sizeof(m.block_key));
	memcpy(m.block_kad.u, u, u_len);
	memcpy(m.block_kad.a, a, a_len);
	m.block_kad.u_len = u_len;
	m.block_kad.a_len = a_len;
}

/* Asks and loads; the error of either. */
static int
load(const struct tape_request *q, struct tape_loaded *out)
{
	struct kms_secret *key = NULL;
	struct tape_load l;

	int err = tape_request_key(d, &one.keys, q, &l, &key);
	if (!err)
		err = tape_drive_load(d, &l, out);
	kms_secret_free(&key);
	return err;
}

START_TEST(writing_asks_by_pool_and_for_the_record)
{
	struct tape_request q = {.pool = "ENCR_a", .volume = "A00001"};
	struct tape_loaded out;

	ck_assert_int_eq(load(&q, &out), 0);
	ck_assert_str_eq(one.pool, "ENCR_a");
	ck_assert_str_eq(one.drive, "0123456789");
	ck_assert_str_eq(one.volume, "A00001");
	ck_assert_uint_eq(one.asked, 1);
	ck_assert_int_eq(out.enc, TAPE_ENC_ENCRYPT);
	ck_assert_mem_eq(m.st.kad.u, "the-tag", 7);
}
END_TEST

START_TEST(reading_asks_for_what_the_tape_names)
{
	struct tape_request q = {.read = true};
	struct tape_loaded out;

	block("the-tag\0\0", 9, "", 0);
	ck_assert_int_eq(load(&q, &out), 0);
	ck_assert_str_eq(one.pool, "");
	ck_assert_uint_eq(one.kad.u_len, 9);
	ck_assert_int_eq(out.enc, TAPE_ENC_DISABLE);
	ck_assert(out.by_block);
	ck_assert_uint_eq(m.spouts, 1);
}
END_TEST

START_TEST(the_authenticated_part_names_a_key_too)
{
	struct tape_request q = {.read = true};
	struct tape_loaded out;

	one.tag = "ABC0000000000000000ff";
	block("", 0, "ABC\0\0\0\0\0\0\0\0\xff", 12);
	ck_assert_int_eq(load(&q, &out), 0);
	ck_assert(out.by_block);
}
END_TEST

START_TEST(an_unknown_tag_tries_no_key_at_all)
{
	struct tape_request q = {.read = true};
	struct tape_loaded out;

	block("another", 7, "", 0);
	ck_assert_int_eq(load(&q, &out), KMS_ERR_NOTFOUND);
	ck_assert_uint_eq(one.asked, 1);
	ck_assert_uint_eq(m.spouts, 0);
}
END_TEST

START_TEST(one_key_is_tried_for_a_block_and_no_other)
{
	struct tape_request q = {.read = true};
	struct tape_loaded out;

	block("the-tag", 7, "", 0);
	memset(m.block_key, 8, sizeof(m.block_key));
	ck_assert_int_eq(load(&q, &out), KMS_ERR_UNPROVEN);
	ck_assert_uint_eq(one.asked, 1);
	ck_assert_uint_eq(m.spouts, 2); /* it, and the clearing */
	ck_assert(mock_off(&m));
}
END_TEST

START_TEST(a_tape_that_cannot_tell_asks_for_nothing)
{
	static const struct {
		uint8_t nbes;
		const char *says;
	} blocks[] = {{0, "cannot tell"}, {1, "cannot tell"}, {2, "filemark"},
	    {3, "not encrypted"}};
	struct tape_request q = {.read = true};
	struct tape_loaded out;

	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		m.nbes = blocks[i].nbes;
		ck_assert_int_eq(load(&q, &out), KMS_ERR_NOTFOUND);
		ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_NOTFOUND),
		    blocks[i].says));
	}
	m.nbes = 4;
	ck_assert_int_eq(load(&q, &out), KMS_ERR_DRIVE);
	m.blank = true;
	ck_assert_int_eq(load(&q, &out), KMS_ERR_NOTFOUND);
	m.medium = false;
	ck_assert_int_eq(load(&q, &out), KMS_ERR_NOTFOUND);
	m.medium = true;
	m.blank = false;
	block("", 0, "", 0);
	ck_assert_int_eq(load(&q, &out), KMS_ERR_NOTFOUND);
	ck_assert_uint_eq(one.asked, 0);
	ck_assert_uint_eq(m.spouts, 0);
}
END_TEST

START_TEST(a_tag_given_by_hand_is_asked_for_as_it_is)
{
	struct tape_request q = {.tag = (const uint8_t *)"the-tag",
	    .tag_len = 7};
	struct tape_loaded out;

	ck_assert_int_eq(load(&q, &out), 0);
	ck_assert_int_eq(out.enc, TAPE_ENC_DISABLE);
	ck_assert(!out.by_block);
	q.tag_len = 33;
	ck_assert_int_eq(load(&q, &out), KMS_ERR_USAGE);
	q.tag_len = 0;
	ck_assert_int_eq(load(&q, &out), KMS_ERR_USAGE);
}
END_TEST

START_TEST(a_drive_the_library_owns_costs_no_key)
{
	struct tape_request q = {.pool = "ENCR_a"};
	struct tape_loaded out;

	m.caps.cfg_p = 2;
	ck_assert_int_eq(load(&q, &out), KMS_ERR_DRIVE);
	m.n_protocols = 1;
	ck_assert_int_eq(load(&q, &out), KMS_ERR_DRIVE);
	ck_assert_uint_eq(one.asked, 0);
}
END_TEST

START_TEST(a_request_is_for_one_thing)
{
	struct tape_request q = {.pool = "ENCR_a", .read = true};
	struct tape_loaded out;

	ck_assert_int_eq(load(&q, &out), KMS_ERR_USAGE);
	q.pool = NULL;
	q.read = false;
	ck_assert_int_eq(load(&q, &out), KMS_ERR_USAGE);
}
END_TEST

TCase *
request_tests(void)
{
	TCase *t = tcase_create("request");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, writing_asks_by_pool_and_for_the_record);
	tcase_add_test(t, reading_asks_for_what_the_tape_names);
	tcase_add_test(t, the_authenticated_part_names_a_key_too);
	tcase_add_test(t, an_unknown_tag_tries_no_key_at_all);
	tcase_add_test(t, one_key_is_tried_for_a_block_and_no_other);
	tcase_add_test(t, a_tape_that_cannot_tell_asks_for_nothing);
	tcase_add_test(t, a_tag_given_by_hand_is_asked_for_as_it_is);
	tcase_add_test(t, a_drive_the_library_owns_costs_no_key);
	tcase_add_test(t, a_request_is_for_one_thing);
	return t;
}
