/* The export container opens with its phrase alone, and every change to it
 * is found. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kms/base/crypt.h"
#include "kms/container.h"
#include "tests/lib/mutate.h"
#include "tests/unit/kms/stores.h"

static const uint8_t uuid[16] = "sixteen bytes..";
static uint8_t attrs[] = "attributes";

static void
entry(struct kms_container_entry *e, unsigned i)
{
	memset(e, 0, sizeof(*e));
	snprintf(e->group, sizeof(e->group), "ENCR_%u", i / 2);
	snprintf(e->name, sizeof(e->name), "key-%u", i);
	snprintf(e->description, sizeof(e->description), "no %u", i);
	e->tag.len = 32;
	memset(e->tag.b, (int)i + 1, 32);
	e->origin = KMS_ORIGIN_IMPORT;
	e->state = KMS_INACTIVE;
	e->created = 1234567890 + i;
	e->activated = e->created + 10;
	e->deactivated = e->created + 20;
	if (i == 1) {
		e->attrs = attrs;
		e->attrs_len = sizeof(attrs);
	}
	ok(kms_secret_new(32, &e->key));
	memset(kms_secret_fill(e->key), (int)(0xa0 + i), 32);
}

static void
write_container(const char *path, unsigned n)
{
	struct kms_container_writer *w;
	struct kms_container_entry e;
	struct kms_secret *phrase = secret_of("export phrase");
	unsigned i;

	ok(kms_container_create(path, phrase, KMS_KDF_COST_MIN, uuid, &w));
	for (i = 0; i < n; i++) {
		entry(&e, i);
		ok(kms_container_add(w, &e));
		kms_secret_free(&e.key);
	}
	ok(kms_container_finish(&w));
	ck_assert_ptr_null(w);
	kms_secret_free(&phrase);
}

/* How many entries came back equal before the end, or the error. */
static int
read_container(const char *path, const char *text, unsigned *n)
{
	struct kms_container_entry e, want;
	struct kms_container_reader *c = NULL;
	struct kms_secret *phrase = secret_of(text);
	int r;

	*n = 0;
	r = kms_container_open(path, phrase, &c);
	kms_secret_free(&phrase);
	while (r == 0 && (r = kms_container_next(c, &e)) == 0) {
		entry(&want, *n);
		ck_assert_str_eq(e.group, want.group);
		ck_assert_str_eq(e.name, want.name);
		ck_assert_str_eq(e.description, want.description);
		ck_assert(kms_tag_equal(&e.tag, &want.tag));
		ck_assert(kms_secret_equal(e.key, want.key));
		ck_assert_uint_eq(e.attrs_len, want.attrs_len);
		ck_assert_int_eq(e.created, want.created);
		ck_assert_int_eq(e.activated, want.activated);
		ck_assert_int_eq(e.deactivated, want.deactivated);
		kms_secret_free(&want.key);
		kms_container_entry_clear(&e);
		++*n;
	}
	kms_container_close(&c);
	return r;
}

START_TEST(what_was_added_comes_back_with_the_phrase_alone)
{
	struct fx *fx = fx_new();
	const char *path = fx_path(fx, "c.kms");
	unsigned n;

	write_container(path, 3);
	ck_assert_int_eq(read_container(path, "export phrase", &n),
	    KMS_ERR_NOTFOUND);
	ck_assert_uint_eq(n, 3);
	fx_free(&fx);
}
END_TEST

START_TEST(a_wrong_phrase_is_told_from_a_changed_file)
{
	struct fx *fx = fx_new();
	const char *path = fx_path(fx, "c.kms");
	unsigned n;

	write_container(path, 1);
	fails(read_container(path, "export phrasf", &n), KMS_ERR_AUTH,
	    "passphrase");
	ck_assert_uint_eq(n, 0);
	fx_free(&fx);
}
END_TEST

START_TEST(no_file_is_written_over_and_none_appears_unfinished)
{
	struct fx *fx = fx_new();
	const char *path = fx_path(fx, "c.kms");
	struct kms_secret *phrase = secret_of("export phrase");
	struct kms_container_writer *w;

	ok(kms_container_create(path, phrase, KMS_KDF_COST_MIN, uuid, &w));
	kms_container_discard(&w);
	ck_assert(!fx_exists(path));
	ck_assert(!fx_exists(fx_path(fx, "c.kms.part")));
	fx_write_text(path, "mine");
	fails(kms_container_create(path, phrase, KMS_KDF_COST_MIN, uuid, &w),
	    KMS_ERR_EXISTS, "c.kms");
	kms_secret_free(&phrase);
	fx_free(&fx);
}
END_TEST

START_TEST(two_exports_to_one_place_leave_no_unfinished_file)
{
	struct fx *fx = fx_new();
	const char *path = fx_path(fx, "c.kms");
	struct kms_secret *phrase = secret_of("export phrase");
	struct kms_container_writer *a, *b;

	ok(kms_container_create(path, phrase, KMS_KDF_COST_MIN, uuid, &a));
	ok(kms_container_create(path, phrase, KMS_KDF_COST_MIN, uuid, &b));
	fails(kms_container_finish(&a), KMS_ERR_BUSY, "another export");
	ck_assert(!fx_exists(path));
	kms_container_discard(&b);
	kms_secret_free(&phrase);
	fx_free(&fx);
}
END_TEST

START_TEST(the_file_shows_no_name_and_no_key)
{
	struct fx *fx = fx_new();
	const char *path = fx_path(fx, "c.kms");
	uint8_t key[32];

	write_container(path, 2);
	memset(key, 0xa0, sizeof(key));
	ck_assert(!fx_contains(fx, path, "ENCR_", 5));
	ck_assert(!fx_contains(fx, path, "key-", 4));
	ck_assert(!fx_contains(fx, path, key, 16));
	fx_free(&fx);
}
END_TEST

struct hunt {
	const char *path;
	unsigned whole;
};

static void
try_mutant(void *ctx, const struct mutant *m)
{
	struct hunt *h = ctx;
	unsigned n;
	int r;

	/* The cost byte would spend real time on the KDF. */
	if (m->len >= 12 && m->p[11] != KMS_KDF_COST_MIN)
		return;
	fx_write(h->path, m->p, m->len, 0600);
	r = read_container(h->path, "export phrase", &n);
	ck_assert_msg(r == KMS_ERR_DAMAGED || r == KMS_ERR_AUTH ||
		r == KMS_ERR_VERSION,
	    "%s: %s", m->what, kms_err_name(r));
	ck_assert_msg(n < h->whole, "%s: all entries", m->what);
}

START_TEST(every_changed_bit_and_every_cut_is_found)
{
	struct fx *fx = fx_new();
	struct hunt h = {.path = fx_path(fx, "m.kms"), .whole = 3};
	const char *path = fx_path(fx, "c.kms");
	uint8_t *p;
	size_t len;

	write_container(path, 2);
	p = fx_read(fx, path, &len);
	ck_assert_uint_gt(mutate(p, len, try_mutant, &h), 1000);
	fx_free(&fx);
}
END_TEST

START_TEST(entries_cannot_be_swapped)
{
	struct fx *fx = fx_new();
	const char *path = fx_path(fx, "c.kms");
	uint8_t *p, *q;
	size_t len, first, second;
	unsigned n;

	write_container(path, 3);
	p = fx_read(fx, path, &len);
	first = 4 +
	    ((size_t)p[52] << 24 | (size_t)p[53] << 16 | (size_t)p[54] << 8 |
		p[55]);
	q = p + 52 + first;
	second = 4 +
	    ((size_t)q[0] << 24 | (size_t)q[1] << 16 | (size_t)q[2] << 8 |
		q[3]);
	{
		uint8_t *swapped = malloc(len);

		ck_assert_ptr_nonnull(swapped);
		memcpy(swapped, p, len);
		memcpy(swapped + 52, q, second);
		memcpy(swapped + 52 + second, p + 52, first);
		fx_write(path, swapped, len, 0600);
		free(swapped);
	}
	fails(read_container(path, "export phrase", &n), KMS_ERR_DAMAGED,
	    "entry 1");
	fx_free(&fx);
}
END_TEST

TCase *
test_container(void)
{
	TCase *tc = tcase_create("container");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, what_was_added_comes_back_with_the_phrase_alone);
	tcase_add_test(tc, a_wrong_phrase_is_told_from_a_changed_file);
	tcase_add_test(tc, no_file_is_written_over_and_none_appears_unfinished);
	tcase_add_test(tc, two_exports_to_one_place_leave_no_unfinished_file);
	tcase_add_test(tc, the_file_shows_no_name_and_no_key);
	tcase_add_test(tc, every_changed_bit_and_every_cut_is_found);
	tcase_add_test(tc, entries_cannot_be_swapped);
	return tc;
}
