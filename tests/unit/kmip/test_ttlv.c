#include "kms/kmip/reason.h"
#include "kms/kmip/ttlv.h"
#include "tests/lib/mutate.h"
#include "tests/unit/kmip/kmip_tests.h"

#include <stdlib.h>
#include <string.h>

static void
put_integer(struct kms_wr *wr)
{
	kmip_ttlv_put_int(wr, 0x420020, 8);
}

static void
put_long(struct kms_wr *wr)
{
	kmip_ttlv_put_long(wr, 0x420020, 123456789000000000);
}

static void
put_big(struct kms_wr *wr)
{
	static const uint8_t v[] = {0, 0, 0, 0, 0x03, 0xfd, 0x35, 0xeb, 0x6b,
	    0xc2, 0xdf, 0x46, 0x18, 0x08, 0, 0};
	const struct kmip_item big = {.type = KMIP_BIG,
	    .value = v,
	    .len = sizeof(v)};

	kmip_ttlv_put_item(wr, 0x420020, &big);
}

static void
put_enum(struct kms_wr *wr)
{
	kmip_ttlv_put_enum(wr, 0x420020, 255);
}

static void
put_bool(struct kms_wr *wr)
{
	kmip_ttlv_put_bool(wr, 0x420020, true);
}

static void
put_text(struct kms_wr *wr)
{
	kmip_ttlv_put_text(wr, 0x420020, "Hello World");
}

static void
put_bytes(struct kms_wr *wr)
{
	kmip_ttlv_put_bytes(wr, 0x420020, "\1\2\3", 3);
}

static void
put_date(struct kms_wr *wr)
{
	kmip_ttlv_put_date(wr, 0x420020, 1205495800);
}

static void
put_interval(struct kms_wr *wr)
{
	kmip_ttlv_put_interval(wr, 0x420020, 10 * 86400);
}

static void
put_structure(struct kms_wr *wr)
{
	size_t at = kmip_ttlv_begin(wr, 0x420020);

	kmip_ttlv_put_enum(wr, 0x420004, 254);
	kmip_ttlv_put_int(wr, 0x420005, 255);
	kmip_ttlv_end(wr, at);
}

/* Section 9.1.2 of the standard shows these encodings. */
static const struct {
	const char *bytes;
	void (*put)(struct kms_wr *);
} examples[] = {
    {"42002002 00000004 0000000800000000", put_integer},
    {"42002003 00000008 01B69B4BA5749200", put_long},
    {"42002004 00000010 0000000003FD35EB6BC2DF4618080000", put_big},
    {"42002005 00000004 000000FF00000000", put_enum},
    {"42002006 00000008 0000000000000001", put_bool},
    {"42002007 0000000B 48656C6C6F20576F726C640000000000", put_text},
    {"42002008 00000003 0102030000000000", put_bytes},
    {"42002009 00000008 0000000047DA67F8", put_date},
    {"4200200A 00000004 000D2F0000000000", put_interval},
    {"42002001 00000020 42000405 00000004 000000FE00000000"
     "42000502 00000004 000000FF00000000",
	put_structure},
};
#define EXAMPLES ((int)(sizeof(examples) / sizeof(examples[0])))

START_TEST(every_type_is_written_as_the_standard_shows)
{
	uint8_t want[64];
	size_t n = hex(examples[_i].bytes, want, sizeof(want));
	struct kms_wr wr;

	kms_wr_grow(&wr, 1024);
	examples[_i].put(&wr);
	ck_assert_int_eq(kms_wr_check(&wr, "example"), 0);
	ck_assert_uint_eq(wr.len, n);
	ck_assert_mem_eq(wr.p, want, n);
	kms_wr_free(&wr);
}
END_TEST

START_TEST(every_type_is_read_back)
{
	uint8_t b[64];
	size_t n = hex(examples[_i].bytes, b, sizeof(b));
	struct kmip_item item;
	struct kms_wr wr;

	ck_assert_int_eq(kmip_ttlv_check(b, n, &item), 0);
	ck_assert_uint_eq(item.tag, 0x420020);
	ck_assert_uint_eq(item.type, b[3]);
	kms_wr_grow(&wr, 1024);
	kmip_ttlv_put_item(&wr, item.tag, &item);
	ck_assert_uint_eq(wr.len, n);
	ck_assert_mem_eq(wr.p, b, n);
	ck_assert_uint_eq(kmip_ttlv_space(item.len), n);
	kms_wr_free(&wr);
}
END_TEST

START_TEST(values_come_out_as_they_went_in)
{
	uint8_t b[64];
	struct kmip_item item;
	int32_t i;
	uint32_t e;
	bool yes;
	int64_t d;
	char text[16];

	ck_assert_int_eq(kmip_ttlv_check(b,
			     hex("42002002 00000004 FFFFFFFE00000000", b, 64),
			     &item),
	    0);
	ck_assert_int_eq(kmip_ttlv_int(&item, &i), 0);
	ck_assert_int_eq(i, -2);
	ck_assert_int_eq(kmip_ttlv_enum(&item, &e), KMIP_ERR(INVALID_FIELD));
	ck_assert_int_eq(kmip_ttlv_check(b, hex(examples[4].bytes, b, 64),
			     &item),
	    0);
	ck_assert_int_eq(kmip_ttlv_bool(&item, &yes), 0);
	ck_assert(yes);
	ck_assert_int_eq(kmip_ttlv_check(b, hex(examples[7].bytes, b, 64),
			     &item),
	    0);
	ck_assert_int_eq(kmip_ttlv_date(&item, &d), 0);
	ck_assert_int_eq(d, 1205495800);
	ck_assert_int_eq(kmip_ttlv_check(b, hex(examples[5].bytes, b, 64),
			     &item),
	    0);
	ck_assert_int_eq(kmip_ttlv_text(&item, text, sizeof(text)), 0);
	ck_assert_str_eq(text, "Hello World");
	ck_assert_int_eq(kmip_ttlv_text(&item, text, 11),
	    KMIP_ERR(INVALID_FIELD));
	ck_assert_str_eq(text, "");
}
END_TEST

/* length, type, Boolean, tag, child beyond its parent, two items, none */
static const char *const bad[] = {
    "42002002 00000003 0000000800000000",
    "42002002 00000008 0000000800000000",
    "42002005 00000000",
    "42002003 00000004 0000000800000000",
    "42002004 0000000C 000000080000000000000000 00000000",
    "42002004 00000000",
    "42002006 00000008 0000000000000002",
    "42002006 00000008 0100000000000001",
    "4200200B 00000008 0000000000000001",
    "42002000 00000000",
    "43002002 00000004 0000000800000000",
    "42002001 00000010 42000405 0000000C 000000FE00000000",
    "42002001 00000008 42000408 00000001",
    "42002001 0000000C 42000405 00000004 000000FE",
    "42002001 00000018 42000405 00000004 000000FE00000000",
    "42002002 00000004 00000008 00000000 42002002 00000004 0000000800000000",
    "42002008 00000001 FF",
    "42002008 FFFFFFFF FF",
    "42002001 FFFFFFF8",
    "420020",
};

START_TEST(what_is_not_ttlv_is_refused)
{
	uint8_t b[64];
	size_t n = hex(bad[_i], b, sizeof(b));
	struct kmip_item item;

	ck_assert_int_eq(kmip_ttlv_check(b, n, &item),
	    KMIP_ERR(INVALID_MESSAGE));
	ck_assert_uint_eq(item.type, 0);
}
END_TEST

static size_t
nested(uint8_t *b, size_t cap, unsigned depth)
{
	struct kms_wr wr;
	size_t at[64];
	unsigned i;

	kms_wr_fixed(&wr, b, cap);
	for (i = 0; i < depth; i++)
		at[i] = kmip_ttlv_begin(&wr, 0x420020);
	while (i-- > 0)
		kmip_ttlv_end(&wr, at[i]);
	ck_assert_int_eq(wr.err, 0);
	return wr.len;
}

START_TEST(depth_is_bounded)
{
	uint8_t b[512];
	struct kmip_item item;
	size_t n = nested(b, sizeof(b), KMIP_DEPTH_MAX);

	ck_assert_int_eq(kmip_ttlv_check(b, n, &item), 0);
	n = nested(b, sizeof(b), KMIP_DEPTH_MAX + 1);
	ck_assert_int_eq(kmip_ttlv_check(b, n, &item),
	    KMIP_ERR(INVALID_MESSAGE));
}
END_TEST

START_TEST(the_number_of_items_is_bounded)
{
	struct kms_wr wr;
	struct kmip_item item;
	size_t at;
	unsigned i;

	for (i = KMIP_ITEMS_MAX - 1; i <= KMIP_ITEMS_MAX; i++) {
		unsigned k;

		kms_wr_grow(&wr, KMIP_MESSAGE_MAX);
		at = kmip_ttlv_begin(&wr, 0x420020);
		for (k = 0; k < i; k++)
			kmip_ttlv_put_bytes(&wr, 0x420021, NULL, 0);
		kmip_ttlv_end(&wr, at);
		ck_assert_int_eq(kms_wr_check(&wr, "items"), 0);
		ck_assert_int_eq(kmip_ttlv_check(wr.p, wr.len, &item),
		    i < KMIP_ITEMS_MAX ? 0 : KMIP_ERR(INVALID_MESSAGE));
		kms_wr_free(&wr);
	}
}
END_TEST

START_TEST(a_head_tells_the_size_before_it_is_read)
{
	uint8_t b[8];
	size_t size;

	(void)hex("42007801 00000020", b, sizeof(b));
	ck_assert_int_eq(kmip_ttlv_size(b, 0x420078, 40, &size), 0);
	ck_assert_uint_eq(size, 40);
	ck_assert_int_eq(kmip_ttlv_size(b, 0x420078, 39, &size),
	    KMIP_ERR(INVALID_MESSAGE));
	ck_assert_int_eq(kmip_ttlv_size(b, 0x42007b, 40, &size),
	    KMIP_ERR(INVALID_MESSAGE));
	(void)hex("42007801 FFFFFFF8", b, sizeof(b));
	ck_assert_int_eq(kmip_ttlv_size(b, 0x420078, KMIP_MESSAGE_MAX, &size),
	    KMIP_ERR(INVALID_MESSAGE));
	(void)hex("42007801 00000021", b, sizeof(b));
	ck_assert_int_eq(kmip_ttlv_size(b, 0x420078, 99, &size),
	    KMIP_ERR(INVALID_MESSAGE));
	/* "GET / HT" */
	ck_assert_int_eq(kmip_ttlv_size((const uint8_t *)"GET / HT", 0x420078,
			     KMIP_MESSAGE_MAX, &size),
	    KMIP_ERR(INVALID_MESSAGE));
}
END_TEST

START_TEST(padding_may_be_anything)
{
	uint8_t b[64];
	struct kmip_item item;
	size_t n = hex("42002008 00000003 010203FFFFFFFFFF", b, sizeof(b));

	ck_assert_int_eq(kmip_ttlv_check(b, n, &item), 0);
	ck_assert_uint_eq(item.len, 3);
}
END_TEST

/* A sample that uses every type and three levels. */
static size_t
sample(uint8_t *b, size_t cap)
{
	struct kms_wr wr;
	size_t at, in;
	int i;

	kms_wr_fixed(&wr, b, cap);
	at = kmip_ttlv_begin(&wr, 0x420078);
	for (i = 0; i < EXAMPLES; i++)
		examples[i].put(&wr);
	in = kmip_ttlv_begin(&wr, 0x420079);
	put_structure(&wr);
	put_text(&wr);
	kmip_ttlv_end(&wr, in);
	kmip_ttlv_end(&wr, at);
	ck_assert_int_eq(wr.err, 0);
	return wr.len;
}

/* Reads everything there is; ASan watches. */
static size_t
visit(const struct kmip_item *top)
{
	struct kms_rd rd[KMIP_DEPTH_MAX];
	struct kmip_item item;
	size_t depth = 0, sum = 0, i;

	kmip_ttlv_walk(&rd[0], top);
	for (;;) {
		if (!kmip_ttlv_next(&rd[depth], &item)) {
			if (depth-- == 0)
				return sum;
			continue;
		}
		for (i = 0; i < item.len; i++)
			sum += item.value[i];
		if (item.type == KMIP_STRUCTURE)
			kmip_ttlv_walk(&rd[++depth], &item);
	}
}

static void
check_mutant(void *ctx, const struct mutant *m)
{
	struct kmip_item top;
	struct kms_wr wr;
	unsigned *good = ctx;
	int r = kmip_ttlv_check(m->p, m->len, &top);

	if (r != 0) {
		ck_assert_msg(r == KMIP_ERR(INVALID_MESSAGE), "%s", m->what);
		return;
	}
	(*good)++;
	(void)visit(&top);
	kms_wr_grow(&wr, 4096);
	kmip_ttlv_put_item(&wr, top.tag, &top);
	ck_assert_msg(wr.len == m->len, "%s", m->what);
	kms_wr_free(&wr);
}

START_TEST(no_change_of_a_message_leads_outside_it)
{
	uint8_t b[1024];
	size_t n = sample(b, sizeof(b));
	unsigned good = 0;

	ck_assert_uint_gt(mutate(b, n, check_mutant, &good), 1000);
	ck_assert_uint_gt(good, 100); /* values changed, structure kept */
}
END_TEST

START_TEST(fields_are_sorted_whatever_their_order)
{
	uint8_t b[64];
	struct kmip_item top, first, second, third;
	const struct kmip_field f[] = {{0x420005, KMIP_INTEGER, KMIP_REQUIRED,
					   &first},
	    {0x420004, KMIP_ENUM, KMIP_OPTIONAL, &second},
	    {0x420006, 0, KMIP_OPTIONAL, &third}};

	ck_assert_int_eq(kmip_ttlv_check(b,
			     hex(examples[9].bytes, b, sizeof(b)), &top),
	    0);
	ck_assert_int_eq(kmip_ttlv_fields(&top, f, 3, false), 0);
	ck_assert_uint_eq(first.tag, 0x420005);
	ck_assert_uint_eq(second.tag, 0x420004);
	ck_assert_uint_eq(third.type, 0);
	ck_assert(kmip_ttlv_find(&top, 0x420005, &third));
	ck_assert(kmip_ttlv_equal(&first, &third));
	ck_assert(!kmip_ttlv_equal(&first, &second));
	ck_assert(!kmip_ttlv_find(&top, 0x420009, &third));
}
END_TEST

START_TEST(fields_missing_doubled_or_unknown_are_named)
{
	uint8_t b[96];
	struct kmip_item top, x, y;
	const struct kmip_field missing[] = {{0x420004, 0, KMIP_OPTIONAL, NULL},
	    {0x420005, 0, KMIP_OPTIONAL, NULL},
	    {KMIP_TAG_NAME, 0, KMIP_REQUIRED, &x}};
	const struct kmip_field unknown[] = {{0x420004, 0, KMIP_OPTIONAL, &x}};
	const struct kmip_field type[] = {{0x420004, KMIP_TEXT, KMIP_OPTIONAL,
					      &x},
	    {0x420005, 0, KMIP_OPTIONAL, &y}};
	size_t n = hex(examples[9].bytes, b, sizeof(b));

	ck_assert_int_eq(kmip_ttlv_check(b, n, &top), 0);
	ck_assert_int_eq(kmip_ttlv_fields(&top, missing, 3, false),
	    KMIP_ERR(MISSING_DATA));
	ck_assert_str_eq(kmip_reason_text(KMIP_ERR(MISSING_DATA)),
	    "Name is missing");
	ck_assert_int_eq(kmip_ttlv_fields(&top, unknown, 1, false),
	    KMIP_ERR(INVALID_FIELD));
	ck_assert_int_eq(kmip_ttlv_fields(&top, unknown, 1, true), 0);
	ck_assert_int_eq(kmip_ttlv_fields(&top, type, 2, false),
	    KMIP_ERR(INVALID_FIELD));
	b[10] = 5; /* both children have tag 420005 now */
	ck_assert_int_eq(kmip_ttlv_check(b, n, &top), 0);
	ck_assert_int_eq(kmip_ttlv_fields(&top, type, 2, false),
	    KMIP_ERR(INVALID_FIELD));
}
END_TEST

TCase *
test_ttlv(void)
{
	TCase *t = tcase_create("ttlv");
	int n = (int)(sizeof(bad) / sizeof(bad[0]));

	tcase_add_loop_test(t, every_type_is_written_as_the_standard_shows, 0,
	    EXAMPLES);
	tcase_add_loop_test(t, every_type_is_read_back, 0, EXAMPLES);
	tcase_add_test(t, values_come_out_as_they_went_in);
	tcase_add_loop_test(t, what_is_not_ttlv_is_refused, 0, n);
	tcase_add_test(t, depth_is_bounded);
	tcase_add_test(t, the_number_of_items_is_bounded);
	tcase_add_test(t, a_head_tells_the_size_before_it_is_read);
	tcase_add_test(t, padding_may_be_anything);
	tcase_add_test(t, no_change_of_a_message_leads_outside_it);
	tcase_add_test(t, fields_are_sorted_whatever_their_order);
	tcase_add_test(t, fields_missing_doubled_or_unknown_are_named);
	return t;
}
