#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kms/rows.h"
#include "tests/lib/mutate.h"
#include "tests/unit/kms/tests.h"

static struct kms_record rec;

static void
teardown(void)
{
	kms_record_clear(&rec);
}

static void
encode(const struct kms_record *from, struct kms_wr *wr)
{
	kms_wr_grow(wr, KMS_SEALED_MAX);
	ck_assert_int_eq(kms_record_encode(from, wr), 0);
}

static void
assert_attrs(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen)
{
	ck_assert_uint_eq(alen, blen);
	ck_assert(memcmp(a, b, alen) == 0);
}

/* Field by field, for the structs own memory and have padding. */
static void
assert_same(const struct kms_record *a, const struct kms_record *b)
{
	struct kms_record x = *a, y = *b;

	switch (a->kind) {
	case KMS_KIND_GROUP:
		assert_attrs(x.u.group.attrs, x.u.group.attrs_len,
		    y.u.group.attrs, y.u.group.attrs_len);
		ck_assert(memcmp(x.u.group.seed, y.u.group.seed,
			      x.u.group.nseeds * sizeof(struct kms_seed)) == 0);
		x.u.group.attrs = y.u.group.attrs = NULL;
		x.u.group.seed = y.u.group.seed = NULL;
		break;
	case KMS_KIND_KEY:
		assert_attrs(x.u.key.attrs, x.u.key.attrs_len, y.u.key.attrs,
		    y.u.key.attrs_len);
		x.u.key.attrs = y.u.key.attrs = NULL;
		break;
	case KMS_KIND_TOMBSTONE:
		assert_attrs(x.u.tombstone.attrs, x.u.tombstone.attrs_len,
		    y.u.tombstone.attrs, y.u.tombstone.attrs_len);
		x.u.tombstone.attrs = y.u.tombstone.attrs = NULL;
		break;
	case KMS_KIND_FACT:
		assert_attrs(x.u.fact.bytes, x.u.fact.len, y.u.fact.bytes,
		    y.u.fact.len);
		x.u.fact.bytes = y.u.fact.bytes = NULL;
		break;
	case KMS_KIND_ROOT:
	case KMS_KIND_AUDIT:
		break;
	}
	x.id = y.id;
	x.generation = y.generation;
	ck_assert(memcmp(&x, &y, sizeof(x)) == 0);
}

START_TEST(every_kind_comes_back_as_it_was)
{
	enum kms_kind kind = (enum kms_kind)_i;
	struct kms_record back;
	struct kms_wr wr;

	sample_record(kind, &rec);
	encode(&rec, &wr);
	memset(&back, 0,
	    sizeof(back)); /* what no field fills: to be compared */
	ck_assert_int_eq(kms_record_decode(&back, kind, wr.p, wr.len), 0);
	assert_same(&rec, &back);
	kms_record_clear(&back);
	kms_wr_free(&wr);
}
END_TEST

START_TEST(a_key_is_laid_out_as_documented)
{
	struct kms_wr wr;

	sample_record(KMS_KIND_KEY, &rec);
	rec.u.key.tag.len = 2;
	rec.u.key.attrs_len = 2;
	encode(&rec, &wr);
	assert_hex(wr.p, wr.len,
	    "01"
	    "0000000000000002"
	    "02"
	    "b1b2"
	    "000c"
	    "454e43525f64656d6f2d3137"
	    "0005"
	    "6669727374"
	    "03"
	    "02"
	    "00000003"
	    "00066116b428a003"
	    "00066116b428a004"
	    "00066116b428a005"
	    "00066116b428a006"
	    "0002"
	    "28"
	    "090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
	    "2122232425262728292a2b2c2d2e2f30"
	    "6d6e6f7071727374"
	    "0002"
	    "0102");
	kms_wr_free(&wr);
}
END_TEST

static void
decode_mutant(void *ctx, const struct mutant *m)
{
	enum kms_kind kind = *(enum kms_kind *)ctx;
	struct kms_record got;
	struct kms_wr wr;
	int r;

	r = kms_record_decode(&got, kind, m->p, m->len);
	if (r != 0) {
		ck_assert_msg(r == KMS_ERR_DAMAGED || r == KMS_ERR_VERSION,
		    "%s: %d", m->what, r);
		return;
	}
	encode(&got, &wr);
	ck_assert_msg(wr.len == m->len && memcmp(wr.p, m->p, m->len) == 0, "%s",
	    m->what);
	kms_wr_free(&wr);
	kms_record_clear(&got);
}

START_TEST(a_changed_record_is_refused_or_encodes_the_same_again)
{
	enum kms_kind kind = (enum kms_kind)_i;
	struct kms_wr wr;

	sample_record(kind, &rec);
	encode(&rec, &wr);
	ck_assert_uint_gt(mutate(wr.p, wr.len, decode_mutant, &kind),
	    8 * wr.len);
	kms_wr_free(&wr);
}
END_TEST

START_TEST(bytes_of_another_kind_are_never_read_over)
{
	enum kms_kind kind = (enum kms_kind)_i, as;
	struct kms_record got;
	struct kms_wr wr;
	unsigned k;

	sample_record(kind, &rec);
	encode(&rec, &wr);
	for (k = 0; k <= KMS_KINDS + 1; k++) {
		as = (enum kms_kind)k;
		if (as != kind &&
		    kms_record_decode(&got, as, wr.p, wr.len) == 0)
			kms_record_clear(&got);
	}
	kms_wr_free(&wr);
}
END_TEST

START_TEST(a_newer_layout_is_refused_by_its_number)
{
	enum kms_kind kind = (enum kms_kind)_i;
	struct kms_record got;
	struct kms_wr wr;

	sample_record(kind, &rec);
	encode(&rec, &wr);
	wr.p[0] = 2;
	ck_assert_int_eq(kms_record_decode(&got, kind, wr.p, wr.len),
	    KMS_ERR_VERSION);
	assert_cause(KMS_ERR_VERSION, "layout 2 is newer");
	kms_wr_free(&wr);
}
END_TEST

static void
refuse(enum kms_kind kind)
{
	struct kms_wr wr;

	kms_wr_grow(&wr, KMS_SEALED_MAX);
	ck_assert_int_eq(kms_record_encode(&rec, &wr), KMS_ERR_LIMIT);
	ck_assert_uint_eq(wr.len, 0);
	kms_wr_free(&wr);
	kms_record_clear(&rec);
	sample_record(kind, &rec);
}

START_TEST(fields_out_of_bounds_are_not_written)
{
	sample_record(KMS_KIND_KEY, &rec);
	rec.u.key.name[0] = '\0';
	refuse(KMS_KIND_KEY);
	rec.u.key.name[0] = '\n';
	refuse(KMS_KIND_KEY);
	rec.u.key.tag.len = 0;
	refuse(KMS_KIND_KEY);
	rec.u.key.tag.len = 33;
	refuse(KMS_KIND_KEY);
	rec.u.key.state = (enum kms_state)0;
	refuse(KMS_KIND_KEY);
	rec.u.key.origin = (enum kms_origin)5;
	refuse(KMS_KIND_KEY);
	rec.u.key.flags = 16;
	refuse(KMS_KIND_KEY);
	rec.u.key.wrapped.len = 0;
	refuse(KMS_KIND_KEY);
	rec.u.key.wrapped.len = KMS_WRAPPED_MAX + 1;
	refuse(KMS_KIND_KEY);
	rec.u.key.attrs_len = KMS_ATTRS_MAX + 1;
	refuse(KMS_KIND_GROUP);
	rec.u.group.cipher = 2;
	refuse(KMS_KIND_GROUP);
	rec.u.group.nseeds = KMS_SEEDS_MAX + 1;
	refuse(KMS_KIND_GROUP);
	rec.u.group.seed[1].wrapped.len = 0;
	refuse(KMS_KIND_TOMBSTONE);
	rec.u.tombstone.kind = KMS_KIND_AUDIT;
	refuse(KMS_KIND_AUDIT);
	strcpy(rec.u.audit.reason, "\xc3");
	refuse(KMS_KIND_FACT);
	rec.u.fact.len = KMS_FACT_MAX + 1;
	refuse(KMS_KIND_FACT);
}
END_TEST

START_TEST(the_longest_key_fits_into_a_row)
{
	struct kms_record back;
	struct kms_wr wr;

	sample_record(KMS_KIND_KEY, &rec);
	memset(rec.u.key.name, 'n', KMS_NAME_MAX);
	memset(rec.u.key.description, 'd', KMS_TEXT_MAX);
	free(rec.u.key.attrs);
	rec.u.key.attrs = calloc(1, KMS_ATTRS_MAX);
	rec.u.key.attrs_len = KMS_ATTRS_MAX;
	encode(&rec, &wr);
	memset(&back, 0, sizeof(back));
	ck_assert_int_eq(kms_record_decode(&back, KMS_KIND_KEY, wr.p, wr.len),
	    0);
	assert_same(&rec, &back);
	kms_record_clear(&back);
	kms_wr_free(&wr);
}
END_TEST

START_TEST(a_name_is_1_to_255_bytes_of_clean_utf8)
{
	char longest[KMS_NAME_MAX + 2];

	memset(longest, 'x', sizeof(longest));
	longest[KMS_NAME_MAX] = '\0';
	ck_assert_int_eq(kms_name_check("key name", longest), 0);
	longest[KMS_NAME_MAX] = 'x';
	longest[KMS_NAME_MAX + 1] = '\0';
	ck_assert_int_eq(kms_name_check("key name", longest), KMS_ERR_USAGE);
	assert_cause(KMS_ERR_USAGE, "key name: 256 bytes, at most 255");
	ck_assert_int_eq(kms_name_check("key name", "a b / ü"), 0);
	ck_assert_int_eq(kms_name_check("key name", ""), KMS_ERR_USAGE);
	ck_assert_int_eq(kms_name_check("key name", " a"), KMS_ERR_USAGE);
	ck_assert_int_eq(kms_name_check("key name", "a "), KMS_ERR_USAGE);
	ck_assert_int_eq(kms_name_check("key name", "a\tb"), KMS_ERR_USAGE);
	ck_assert_int_eq(kms_name_check("key name", "a\xff"), KMS_ERR_USAGE);
	ck_assert_int_eq(kms_name_check("key name", "a\x7f"), KMS_ERR_USAGE);
}
END_TEST

START_TEST(a_description_may_be_empty_and_has_1023_bytes)
{
	char longest[KMS_TEXT_MAX + 2];

	memset(longest, 'x', sizeof(longest));
	longest[KMS_TEXT_MAX] = '\0';
	ck_assert_int_eq(kms_text_check("description", longest), 0);
	longest[KMS_TEXT_MAX] = 'x';
	longest[KMS_TEXT_MAX + 1] = '\0';
	ck_assert_int_eq(kms_text_check("description", longest), KMS_ERR_USAGE);
	ck_assert_int_eq(kms_text_check("description", ""), 0);
	ck_assert_int_eq(kms_text_check("description", "a\nb"), KMS_ERR_USAGE);
}
END_TEST

START_TEST(times_are_rfc_3339_in_utc)
{
	char text[KMS_TIME_TEXT];

	kms_time_text(0, text);
	ck_assert_str_eq(text, "1970-01-01T00:00:00Z");
	kms_time_text(1795600000999999, text);
	ck_assert_str_eq(text, "2026-11-25T09:46:40Z");
	kms_time_text(-1, text);
	ck_assert_str_eq(text, "1969-12-31T23:59:59Z");
	kms_time_text(INT64_MAX, text);
	ck_assert_str_eq(text, "294247-01-10T04:00:54Z");
}
END_TEST

START_TEST(event_names_are_stable)
{
	ck_assert_str_eq(kms_event_name(KMS_EVENT_STORE_CREATE),
	    "store.create");
	ck_assert_str_eq(kms_event_name(25), "key.delete");
	ck_assert_str_eq(kms_event_name(40), "key.release");
	ck_assert_str_eq(kms_event_name(9), "?");
	ck_assert_str_eq(kms_event_name(0), "?");
}
END_TEST

Suite *
record_suite(void)
{
	const int first = KMS_KIND_GROUP, end = KMS_KINDS + 1;
	Suite *s = suite_create("record");
	TCase *t = tcase_create("record");

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_loop_test(t, every_kind_comes_back_as_it_was, first, end);
	tcase_add_test(t, a_key_is_laid_out_as_documented);
	tcase_add_loop_test(t,
	    a_changed_record_is_refused_or_encodes_the_same_again, first, end);
	tcase_add_loop_test(t, bytes_of_another_kind_are_never_read_over, first,
	    end);
	tcase_add_loop_test(t, a_newer_layout_is_refused_by_its_number, first,
	    end);
	tcase_add_test(t, fields_out_of_bounds_are_not_written);
	tcase_add_test(t, the_longest_key_fits_into_a_row);
	tcase_add_test(t, a_name_is_1_to_255_bytes_of_clean_utf8);
	tcase_add_test(t, a_description_may_be_empty_and_has_1023_bytes);
	tcase_add_test(t, times_are_rfc_3339_in_utc);
	tcase_add_test(t, event_names_are_stable);
	suite_add_tcase(s, t);
	return s;
}
