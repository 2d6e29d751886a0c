#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kms/base/secret.h"
#include "tests/unit/base/tests.h"

#define HEAP 32768u
#define OWN sizeof(size_t) /* what a secret keeps beside its bytes */

static struct kms_secret *
secret_of(const char *text)
{
	struct kms_secret *s;
	char copy[64];

	snprintf(copy, sizeof(copy), "%s", text);
	ck_assert_int_eq(kms_secret_from(copy, strlen(text), &s), 0);
	return s;
}

static bool
all_zero(const uint8_t *p, size_t n)
{
	while (n > 0)
		if (p[--n] != 0)
			return false;
	return true;
}

START_TEST(a_new_secret_is_zero)
{
	struct kms_secret *s;

	ck_assert_int_eq(kms_secret_new(100, &s), 0);
	ck_assert_uint_eq(kms_secret_len(s), 100);
	ck_assert(all_zero(kms_secret_bytes(s), 100));
	memset(kms_secret_fill(s), 0xaa, 100);
	kms_secret_free(&s);
	ck_assert_int_eq(kms_secret_new(100, &s), 0);
	ck_assert(all_zero(kms_secret_bytes(s), 100));
	kms_secret_free(&s);
}
END_TEST

START_TEST(a_secret_may_be_empty)
{
	struct kms_secret *s, *d;

	ck_assert_int_eq(kms_secret_new(0, &s), 0);
	ck_assert_uint_eq(kms_secret_len(s), 0);
	ck_assert_int_eq(kms_secret_dup(s, &d), 0);
	ck_assert(kms_secret_equal(s, d));
	kms_secret_free(&s);
	kms_secret_free(&d);
}
END_TEST

START_TEST(from_copies_and_wipes_the_source)
{
	char buf[] = "correct horse";
	struct kms_secret *s;

	ck_assert_int_eq(kms_secret_from(buf, 13, &s), 0);
	ck_assert_mem_eq(kms_secret_bytes(s), "correct horse", 13);
	ck_assert(all_zero((uint8_t *)buf, 13));
	kms_secret_free(&s);
}
END_TEST

START_TEST(dup_is_a_copy_of_its_own)
{
	struct kms_secret *a = secret_of("abc"), *b;

	ck_assert_int_eq(kms_secret_dup(a, &b), 0);
	kms_secret_fill(a)[0] = 'x';
	ck_assert_mem_eq(kms_secret_bytes(b), "abc", 3);
	kms_secret_free(&a);
	kms_secret_free(&b);
}
END_TEST

START_TEST(take_moves_and_nulls)
{
	struct kms_secret *a = secret_of("abc"), *was = a, *b;

	b = kms_secret_take(&a);
	ck_assert_ptr_null(a);
	ck_assert_ptr_eq(b, was);
	ck_assert_ptr_null(kms_secret_take(&a));
	kms_secret_free(&b);
}
END_TEST

START_TEST(free_takes_null_and_what_was_freed)
{
	struct kms_secret *s = secret_of("abc");

	kms_secret_free(NULL);
	kms_secret_free(&s);
	ck_assert_ptr_null(s);
	kms_secret_free(&s);
}
END_TEST

START_TEST(equal_compares_length_and_bytes)
{
	struct kms_secret *a = secret_of("abc"), *b = secret_of("abc");
	struct kms_secret *c = secret_of("abd"), *d = secret_of("ab");

	ck_assert(kms_secret_equal(a, b));
	ck_assert(!kms_secret_equal(a, c));
	ck_assert(!kms_secret_equal(a, d));
	ck_assert(!kms_secret_equal(d, a));
	kms_secret_free(&a);
	kms_secret_free(&b);
	kms_secret_free(&c);
	kms_secret_free(&d);
}
END_TEST

START_TEST(truncate_wipes_what_it_cuts_off)
{
	struct kms_secret *s = secret_of("secret tail");
	const uint8_t *p = kms_secret_bytes(s);

	ck_assert_int_eq(kms_secret_truncate(s, 6), 0);
	ck_assert_uint_eq(kms_secret_len(s), 6);
	ck_assert_mem_eq(p, "secret", 6);
	ck_assert(all_zero(p + 6, 5));
	ck_assert_int_eq(kms_secret_truncate(s, 7), KMS_ERR_INTERNAL);
	ck_assert_uint_eq(kms_secret_len(s), 6);
	kms_secret_free(&s);
}
END_TEST

START_TEST(an_absurd_length_is_refused)
{
	struct kms_secret *s = (struct kms_secret *)(uintptr_t)1;

	ck_assert_int_eq(kms_secret_new(SIZE_MAX, &s), KMS_ERR_LIMIT);
	ck_assert_ptr_null(s);
	ck_assert_int_eq(kms_secret_new(SIZE_MAX - OWN, &s), KMS_ERR_LIMIT);
	ck_assert_ptr_null(s);
}
END_TEST

START_TEST(without_a_heap_there_are_no_secrets)
{
	char buf[] = "abc";
	struct kms_secret *s;

	ck_assert_int_eq(kms_secret_new(1, &s), KMS_ERR_INTERNAL);
	ck_assert_int_eq(kms_secret_from(buf, 3, &s), KMS_ERR_INTERNAL);
	ck_assert(all_zero((uint8_t *)buf, 3));
	ck_assert(!kms_secret_locked());
}
END_TEST

START_TEST(the_heap_is_set_up_once)
{
	ck_assert_int_eq(kms_secret_init(HEAP, KMS_SECRET_PLAIN), 0);
	ck_assert_int_eq(kms_secret_init(HEAP, KMS_SECRET_LOCKED),
	    KMS_ERR_INTERNAL);
	ck_assert(!kms_secret_locked());
}
END_TEST

START_TEST(a_heap_that_cannot_be_is_refused)
{
	const size_t bad[] = {0, 1, 1000, 2048, HEAP - 1, HEAP + 1, 3 * HEAP};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(kms_secret_init(bad[i], KMS_SECRET_LOCKED),
		    KMS_ERR_INTERNAL);
	ck_assert_int_eq(kms_secret_init(HEAP, KMS_SECRET_LOCKED), 0);
}
END_TEST

/* Does a line of smaps begin the mapping that holds p? "lo-hi perms ..." */
static bool
begins_mapping(const char *line, const void *p, bool was)
{
	char *end;
	uintptr_t lo = strtoul(line, &end, 16), hi;

	if (end == line || *end != '-')
		return was; /* a line inside a mapping */
	hi = strtoul(end + 1, NULL, 16);
	return (uintptr_t)p >= lo && (uintptr_t)p < hi;
}

/* The flags of the mapping that holds p, from /proc/self/smaps. */
static void
mapping_flags(const void *p, char *flags, size_t cap)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	bool inside = false;
	char line[256];

	ck_assert_ptr_nonnull(f);
	flags[0] = '\0';
	while (fgets(line, sizeof(line), f) != NULL) {
		inside = begins_mapping(line, p, inside);
		if (inside && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(flags, cap, "%s", line + 8);
	}
	fclose(f);
}

START_TEST(secrets_lie_in_locked_undumpable_memory)
{
	struct kms_secret *s;
	char flags[256];

	ck_assert_int_eq(kms_secret_init(HEAP, KMS_SECRET_LOCKED), 0);
	ck_assert(kms_secret_locked());
	ck_assert_int_eq(kms_secret_new(32, &s), 0);
	mapping_flags(kms_secret_bytes(s), flags, sizeof(flags));
	ck_assert_msg(strstr(flags, " lo") != NULL, "locked:%s", flags);
	ck_assert_msg(strstr(flags, " dd") != NULL, "not dumped:%s", flags);
	kms_secret_free(&s);
}
END_TEST

START_TEST(a_full_heap_is_a_limit_and_never_malloc)
{
	struct kms_secret *all[HEAP / 64], *s;
	const uint8_t *lo = NULL, *hi = NULL, *p;
	size_t n;
	int r = 0;

	ck_assert_int_eq(kms_secret_init(HEAP, KMS_SECRET_LOCKED), 0);
	for (n = 0; n < HEAP / 64; n++) {
		r = kms_secret_new(32, &all[n]);
		if (r != 0)
			break;
		p = kms_secret_bytes(all[n]);
		lo = lo == NULL || p < lo ? p : lo;
		hi = hi == NULL || p > hi ? p : hi;
	}
	ck_assert_uint_ge(n, HEAP / 64 - 1);
	ck_assert_uint_lt((size_t)(hi - lo), HEAP);
	ck_assert_int_eq(kms_secret_new(HEAP, &s), KMS_ERR_LIMIT);
	ck_assert_int_eq(kms_secret_new(40, &s), KMS_ERR_LIMIT);
	ck_assert_ptr_null(s);
	while (n > 0)
		kms_secret_free(&all[--n]);
	ck_assert_int_eq(kms_secret_new(40, &s), 0);
	kms_secret_free(&s);
}
END_TEST

START_TEST(free_really_wipes)
{
	static const char mark[] = "0123456789 remarkable 9876543210";
	struct kms_secret *s;
	const uint8_t *p;
	size_t i;

	ck_assert_int_eq(kms_secret_init(HEAP, KMS_SECRET_LOCKED), 0);
	s = secret_of(mark);
	p = kms_secret_bytes(s);
	ck_assert_mem_eq(p, mark, sizeof(mark) - 1);
	kms_secret_free(&s);
	/* the heap stays mapped; its own links are in the first bytes */
	for (i = 8; i + 8 <= sizeof(mark) - 1; i++)
		ck_assert_mem_ne(p + i, mark + i, 8);
	ck_assert(all_zero(p + 8, sizeof(mark) - 9));
}
END_TEST

START_TEST(an_overrun_of_the_heap_hits_a_guard_page)
{
	struct kms_secret *s;
	volatile uint8_t *p;

	ck_assert_int_eq(kms_secret_init(HEAP, KMS_SECRET_LOCKED), 0);
	ck_assert_int_eq(kms_secret_new(HEAP - OWN, &s), 0);
	p = kms_secret_fill(s);
	p[HEAP - OWN - 1] = 1;
	p[HEAP - OWN] = 1;
}
END_TEST

/* Root may lock whatever the limit: become nobody. */
static void
forbid_locking(void)
{
	struct rlimit none = {0, 0};

	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
}

START_TEST(memory_that_cannot_be_locked_is_refused_by_name)
{
	struct kms_secret *s;

	forbid_locking();
	ck_assert_int_eq(kms_secret_init(HEAP, KMS_SECRET_LOCKED),
	    KMS_ERR_LIMIT);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_LIMIT),
	    "RLIMIT_MEMLOCK"));
	ck_assert_int_eq(kms_secret_new(1, &s), KMS_ERR_INTERNAL);
}
END_TEST

START_TEST(unlocked_memory_is_taken_when_optional_and_said)
{
	struct kms_secret *s;

	forbid_locking();
	fclose(stderr); /* the warning is proven in test_log */
	ck_assert_int_eq(kms_secret_init(HEAP, KMS_SECRET_OPTIONAL), 0);
	ck_assert(!kms_secret_locked());
	ck_assert_int_eq(kms_secret_new(32, &s), 0);
	kms_secret_free(&s);
}
END_TEST

Suite *
secret_suite(void)
{
	Suite *s = suite_create("secret");
	TCase *t = tcase_create("value"), *h = tcase_create("heap");

	tcase_add_checked_fixture(t, secrets_on, NULL);
	tcase_add_test(t, a_new_secret_is_zero);
	tcase_add_test(t, a_secret_may_be_empty);
	tcase_add_test(t, from_copies_and_wipes_the_source);
	tcase_add_test(t, dup_is_a_copy_of_its_own);
	tcase_add_test(t, take_moves_and_nulls);
	tcase_add_test(t, free_takes_null_and_what_was_freed);
	tcase_add_test(t, equal_compares_length_and_bytes);
	tcase_add_test(t, truncate_wipes_what_it_cuts_off);
	tcase_add_test(t, an_absurd_length_is_refused);
	suite_add_tcase(s, t);
	tcase_add_test(h, without_a_heap_there_are_no_secrets);
	tcase_add_test(h, the_heap_is_set_up_once);
	tcase_add_test(h, a_heap_that_cannot_be_is_refused);
	tcase_add_test(h, secrets_lie_in_locked_undumpable_memory);
	tcase_add_test(h, a_full_heap_is_a_limit_and_never_malloc);
	tcase_add_test(h, free_really_wipes);
	tcase_add_test_raise_signal(h, an_overrun_of_the_heap_hits_a_guard_page,
	    SIGSEGV);
	tcase_add_test(h, memory_that_cannot_be_locked_is_refused_by_name);
	tcase_add_test(h, unlocked_memory_is_taken_when_optional_and_said);
	suite_add_tcase(s, h);
	return s;
}
