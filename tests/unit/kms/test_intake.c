/* Rows on their way into memory, by one thread and by two. */
#include <stdio.h>
#include <string.h>

#include "kms/intake.h"
#include "tests/unit/kms/rows_rig.h"
#include "tests/unit/kms/stores.h"
#include "tests/unit/kms/tests.h"

/* More than the ring holds, so that the one who fills has to wait. */
#define ROWS 20000u
#define FIRST 2u /* behind the root */

static struct kms_seal *seal;

static size_t
text_of(uint64_t id, char text[64])
{
	return (size_t)snprintf(text, 64, "row %llu%*s", (unsigned long long)id,
	    (int)(id % 7), "");
}

static void
put_sealed(uint64_t id)
{
	struct kms_row row = {.id = id,
	    .generation = 1,
	    .kind = KMS_KIND_AUDIT};
	struct kms_wr out;
	uint8_t tag[16];
	char text[64];

	kms_wr_grow(&out, KMS_SEALED_MAX);
	ok(kms_seal_row(seal, &row, text, text_of(id, text), &out, tag));
	row.sealed = out.p;
	row.len = out.len;
	ok(kms_rows_put(rows, &row));
	kms_wr_free(&out);
}

/* In a write transaction that teardown rolls back. */
static void
setup(void)
{
	const uint8_t uuid[16] = {0xa0, 1, 2, 3};
	struct kms_secret *k = key_of(5);
	uint64_t id;

	rows_setup();
	ok(kms_seal_new(uuid, &seal));
	ok(kms_seal_add(seal, 1, k, true));
	kms_secret_free(&k);
	ok(kms_rows_begin_write(rows));
	for (id = KMS_ROOT_ID; id < FIRST + ROWS; id++)
		put_sealed(id);
}

static void
teardown(void)
{
	kms_rows_end(rows);
	kms_seal_free(&seal);
	rows_teardown();
}

struct seen {
	uint64_t next, refuse;
	const struct kms_seal *seal;
};

/* Plain text and seal's tag of the next row, whole; refuse: not that one. */
static int
see(void *arg, const struct kms_row *row, const uint8_t *plain, size_t len)
{
	struct seen *seen = arg;
	uint8_t zero[KMS_GCM_TAG] = {0};
	char text[64];

	if (row->id == seen->refuse)
		return kms_fail(KMS_ERR_ROLLBACK, "row %llu: refused here",
		    (unsigned long long)row->id);
	ck_assert_uint_eq(row->id, seen->next++);
	ck_assert_uint_eq(len, text_of(row->id, text));
	ck_assert(memcmp(plain, text, len) == 0);
	ck_assert(memcmp(kms_seal_tag(row), zero, sizeof(zero)) != 0);
	return 0;
}

static int
take_in(bool apart, struct seen *seen)
{
	return kms_intake_rows(rows, seal, apart, see, seen);
}

START_TEST(every_row_but_the_root_comes_once_in_order)
{
	struct seen seen = {.next = FIRST};

	ok(take_in(_i == 1, &seen));
	ck_assert_uint_eq(seen.next, FIRST + ROWS);
}
END_TEST

START_TEST(rows_that_are_not_sealed_are_damage)
{
	struct seen seen = {.next = FIRST};

	kms_rows_end(rows);
	ok(kms_rows_begin_read(rows)); /* three rows that are not sealed */
	fails(take_in(_i == 1, &seen), KMS_ERR_DAMAGED, "row ");
	ck_assert_uint_eq(seen.next, FIRST);
}
END_TEST

START_TEST(the_takers_error_ends_it_with_its_cause)
{
	struct seen seen = {.next = FIRST, .refuse = FIRST + 5};

	fails(take_in(_i == 1, &seen), KMS_ERR_ROLLBACK, "refused here");
	ck_assert_uint_eq(seen.next, FIRST + 5);
	seen = (struct seen){.next = FIRST, .refuse = FIRST + ROWS - 1};
	fails(take_in(_i == 1, &seen), KMS_ERR_ROLLBACK, "refused here");
	ck_assert_uint_eq(seen.next, FIRST + ROWS - 1);
}
END_TEST

/* All before it are taken: what is wrong with them would be said first. */
START_TEST(a_row_that_does_not_unseal_is_named)
{
	const uint64_t bad[] = {FIRST, FIRST + 4100, FIRST + ROWS - 1};
	struct kms_row row;
	uint8_t copy[256];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct seen seen = {.next = FIRST};
		char want[32];

		ok(kms_rows_get(rows, bad[i], &row));
		memcpy(copy, row.sealed, row.len);
		copy[20] ^= 1;
		row.sealed = copy;
		ok(kms_rows_put(rows, &row));
		snprintf(want, sizeof(want), "row %llu",
		    (unsigned long long)bad[i]);
		fails(take_in(_i == 1, &seen), KMS_ERR_DAMAGED, want);
		ck_assert_uint_eq(seen.next, bad[i]);
		copy[20] ^= 1;
		ok(kms_rows_put(rows, &row));
	}
}
END_TEST

START_TEST(of_two_errors_the_earlier_rows_counts)
{
	struct seen seen = {.next = FIRST, .refuse = FIRST + 10};
	struct kms_row row;
	uint8_t copy[256];

	ok(kms_rows_get(rows, FIRST + 12, &row));
	memcpy(copy, row.sealed, row.len);
	copy[20] ^= 1;
	row.sealed = copy;
	ok(kms_rows_put(rows, &row));
	fails(take_in(_i == 1, &seen), KMS_ERR_ROLLBACK, "refused here");
	ck_assert_uint_eq(seen.next, FIRST + 10);
}
END_TEST

Suite *
intake_suite(void)
{
	Suite *s = suite_create("intake");
	TCase *tc = tcase_create("intake");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, every_row_but_the_root_comes_once_in_order, 0,
	    2);
	tcase_add_loop_test(tc, rows_that_are_not_sealed_are_damage, 0, 2);
	tcase_add_loop_test(tc, the_takers_error_ends_it_with_its_cause, 0, 2);
	tcase_add_loop_test(tc, a_row_that_does_not_unseal_is_named, 0, 2);
	tcase_add_loop_test(tc, of_two_errors_the_earlier_rows_counts, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
