/* The directory: what is found in it, what it refuses. */
#include <string.h>

#include "tests/unit/kms/directory_rig.h"
#include "tests/unit/kms/tests.h"

static void
load_small(void)
{
	ck_assert_int_eq(directory_load(2, KMS_KIND_GROUP, group_rec("ENCR_a")),
	    0);
	ck_assert_int_eq(directory_load(3, KMS_KIND_AUDIT, NULL), 0);
	ck_assert_int_eq(directory_load(4, KMS_KIND_KEY,
			     key_rec(2, "k1", 1, KMS_INACTIVE)),
	    0);
	ck_assert_int_eq(directory_load(5, KMS_KIND_KEY,
			     key_rec(2, "k2", 2, KMS_ACTIVE)),
	    0);
	ck_assert_int_eq(directory_load(7, KMS_KIND_GROUP, group_rec("ENCR_b")),
	    0);
	ck_assert_int_eq(directory_load(8, KMS_KIND_KEY,
			     key_rec(7, "k1", 3, KMS_PRELIVE)),
	    0);
	ck_assert_int_eq(kms_directory_ready(directory), 0);
}

START_TEST(rows_are_found_by_id_tag_name_and_group)
{
	load_small();
	ck_assert_uint_eq(directory_id(kms_directory_by_id(directory, 3)), 3);
	ck_assert_uint_eq(directory_id(kms_directory_by_id(directory, 6)), 0);
	ck_assert_uint_eq(directory_by_tag(1), 4);
	ck_assert_uint_eq(directory_by_tag(3), 8);
	ck_assert_uint_eq(directory_by_tag(4), 0);
	ck_assert_uint_eq(directory_id(kms_directory_by_name(directory, 2,
			      "k1")),
	    4);
	ck_assert_uint_eq(directory_id(kms_directory_by_name(directory, 7,
			      "k1")),
	    8);
	ck_assert_uint_eq(directory_id(kms_directory_by_name(directory, 7,
			      "k2")),
	    0);
	ck_assert_uint_eq(directory_id(kms_directory_by_name(directory, 3,
			      "k1")),
	    0);
	ck_assert_uint_eq(directory_id(kms_directory_group_by_name(directory,
			      "ENCR_b")),
	    7);
	ck_assert_uint_eq(directory_id(kms_directory_group_by_name(directory,
			      "ENCR_")),
	    0);
	ck_assert_uint_eq(directory_id(kms_directory_active(directory, 2)), 5);
	ck_assert_uint_eq(directory_id(kms_directory_active(directory, 7)), 0);
	ck_assert_uint_eq(directory_id(kms_directory_active(directory, 4)), 0);
}
END_TEST

START_TEST(a_key_answers_what_a_release_needs)
{
	const struct kms_directory_row *row;
	const struct kms_directory_key *key;
	struct kms_wrapped w;

	load_small();
	row = kms_directory_by_id(directory, 5);
	key = kms_directory_key(directory, row);
	ck_assert_ptr_nonnull(key);
	kms_directory_wrapped(key, &w);
	ck_assert_uint_eq(w.len, 40);
	ck_assert_uint_eq(w.bytes[39], 2);
	ck_assert_uint_eq(w.kcv[0], 0xfd);
	ck_assert_uint_eq(key->slot, 2);
	ck_assert_uint_eq(key->state, KMS_ACTIVE);
	ck_assert_uint_eq(key->group, 2);
	ck_assert_int_eq(key->created, 20);
	ck_assert_uint_eq(kms_get64(row->gcm), 5);
	ck_assert_ptr_null(kms_directory_key(directory,
	    kms_directory_by_id(directory, 2)));
	ck_assert_ptr_null(kms_directory_group(directory,
	    kms_directory_by_id(directory, 5)));
}
END_TEST

START_TEST(walks_go_up_by_id_and_stay_in_their_kind_or_group)
{
	static const uint64_t keys[] = {4, 5, 8, 0}, in_a[] = {4, 5, 0};
	const struct kms_directory_row *row = NULL;
	size_t at = 0, i;

	load_small();
	for (i = 0; i < 4; i++)
		ck_assert_uint_eq(directory_id(kms_directory_next(directory,
				      KMS_KIND_KEY, &at)),
		    keys[i]);
	for (i = 0; i < 3; i++) {
		row = kms_directory_next_in_group(directory, 2, row);
		ck_assert_uint_eq(directory_id(row), in_a[i]);
	}
	for (at = 0, i = 0; kms_directory_next(directory, 0, &at) != NULL; i++)
		;
	ck_assert_uint_eq(i, 6);
	ck_assert_uint_eq(kms_directory_count(directory, 0), 6);
	ck_assert_uint_eq(kms_directory_count(directory, KMS_KIND_KEY), 3);
	ck_assert_uint_eq(kms_directory_count(directory, KMS_KIND_AUDIT), 1);
	ck_assert_uint_eq(kms_directory_count(directory, 99), 0);
}
END_TEST

START_TEST(what_no_store_can_hold_is_damage_at_load)
{
	load_small();
	ck_assert_int_eq(directory_load(8, KMS_KIND_AUDIT, NULL),
	    KMS_ERR_DAMAGED);
	ck_assert_int_eq(directory_load(5, KMS_KIND_AUDIT, NULL),
	    KMS_ERR_DAMAGED);
	ck_assert_int_eq(directory_load(9, (enum kms_kind)7, NULL),
	    KMS_ERR_DAMAGED);
	ck_assert_int_eq(directory_load(9, KMS_KIND_ROOT, NULL),
	    KMS_ERR_DAMAGED);
	ck_assert_int_eq(directory_load(9, KMS_KIND_KEY, NULL),
	    KMS_ERR_INTERNAL);
	ck_assert_int_eq(directory_load(9, KMS_KIND_GROUP, group_rec("ENCR_a")),
	    KMS_ERR_DAMAGED);
}
END_TEST

START_TEST(a_tag_twice_is_damage_at_load)
{
	load_small();
	ck_assert_int_eq(directory_load(9, KMS_KIND_KEY,
			     key_rec(2, "k9", 2, KMS_PRELIVE)),
	    0);
	ck_assert_int_eq(kms_directory_ready(directory), KMS_ERR_DAMAGED);
	assert_cause(KMS_ERR_DAMAGED, "row 9: another key has its tag");
}
END_TEST

START_TEST(a_name_twice_in_a_group_is_damage_at_load)
{
	load_small();
	ck_assert_int_eq(directory_load(9, KMS_KIND_KEY,
			     key_rec(2, "k2", 9, KMS_PRELIVE)),
	    0);
	ck_assert_int_eq(kms_directory_ready(directory), KMS_ERR_DAMAGED);
	assert_cause(KMS_ERR_DAMAGED, "row 9: another key of its group");
}
END_TEST

START_TEST(a_key_without_its_group_is_damage_at_load)
{
	load_small();
	ck_assert_int_eq(directory_load(9, KMS_KIND_KEY,
			     key_rec(3, "k9", 9, KMS_PRELIVE)),
	    0);
	ck_assert_int_eq(kms_directory_ready(directory), KMS_ERR_DAMAGED);
	assert_cause(KMS_ERR_DAMAGED, "row 9: a key whose group is missing");
}
END_TEST

START_TEST(keys_that_moved_to_a_younger_group_are_in_its_list)
{
	static const uint64_t want[] = {2, 3, 5, 0};
	const struct kms_directory_row *row = NULL;
	size_t i;

	ck_assert_int_eq(directory_load(2, KMS_KIND_KEY,
			     key_rec(4, "a", 1, KMS_ACTIVE)),
	    0);
	ck_assert_int_eq(directory_load(3, KMS_KIND_KEY,
			     key_rec(4, "b", 2, KMS_INACTIVE)),
	    0);
	ck_assert_int_eq(directory_load(4, KMS_KIND_GROUP, group_rec("g")), 0);
	ck_assert_int_eq(directory_load(5, KMS_KIND_KEY,
			     key_rec(4, "c", 3, KMS_INACTIVE)),
	    0);
	ck_assert_int_eq(kms_directory_ready(directory), 0);
	for (i = 0; i < 4; i++) {
		row = kms_directory_next_in_group(directory, 4, row);
		ck_assert_uint_eq(directory_id(row), want[i]);
	}
	ck_assert_uint_eq(directory_id(kms_directory_active(directory, 4)), 2);
}
END_TEST

START_TEST(a_put_that_is_refused_changes_nothing)
{
	struct kms_directory_was was;

	load_small();
	ck_assert_int_eq(directory_put(9, KMS_KIND_KEY,
			     key_rec(2, "k9", 3, KMS_PRELIVE), &was),
	    KMS_ERR_EXISTS);
	assert_cause(KMS_ERR_EXISTS, "tag");
	ck_assert_int_eq(directory_put(9, KMS_KIND_KEY,
			     key_rec(2, "k1", 9, KMS_PRELIVE), &was),
	    KMS_ERR_EXISTS);
	assert_cause(KMS_ERR_EXISTS, "name");
	ck_assert_int_eq(directory_put(9, KMS_KIND_GROUP, group_rec("ENCR_a"),
			     &was),
	    KMS_ERR_EXISTS);
	ck_assert_int_eq(directory_put(7, KMS_KIND_GROUP, group_rec("ENCR_a"),
			     &was),
	    KMS_ERR_EXISTS);
	ck_assert_int_eq(directory_put(9, KMS_KIND_KEY,
			     key_rec(3, "k9", 9, KMS_PRELIVE), &was),
	    KMS_ERR_INTERNAL);
	ck_assert_int_eq(directory_put(6, KMS_KIND_AUDIT, NULL, &was),
	    KMS_ERR_INTERNAL);
	ck_assert_int_eq(directory_put(2, KMS_KIND_TOMBSTONE, NULL, &was),
	    KMS_ERR_INTERNAL);
	ck_assert_uint_eq(kms_directory_count(directory, 0), 6);
	ck_assert_uint_eq(directory_by_tag(3), 8);
}
END_TEST

START_TEST(the_newest_active_key_is_the_groups)
{
	load_small();
	ck_assert_int_eq(directory_put(9, KMS_KIND_KEY,
			     key_rec(2, "k9", 9, KMS_ACTIVE), NULL),
	    0);
	ck_assert_uint_eq(directory_id(kms_directory_active(directory, 2)), 9);
	ck_assert_int_eq(directory_put(4, KMS_KIND_KEY,
			     key_rec(2, "k1", 1, KMS_ACTIVE), NULL),
	    0);
	ck_assert_uint_eq(directory_id(kms_directory_active(directory, 2)), 9);
	ck_assert_int_eq(directory_put(9, KMS_KIND_KEY,
			     key_rec(2, "k9", 9, KMS_INACTIVE), NULL),
	    0);
	ck_assert_uint_eq(directory_id(kms_directory_active(directory, 2)), 5);
	ck_assert_int_eq(directory_put(5, KMS_KIND_TOMBSTONE, NULL, NULL), 0);
	ck_assert_uint_eq(directory_id(kms_directory_active(directory, 2)), 4);
}
END_TEST

START_TEST(a_name_cut_at_its_bound_finds_nothing)
{
	char longest[KMS_NAME_MAX + 10];

	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	load_small();
	ck_assert_ptr_null(kms_directory_by_name(directory, 2, longest));
	ck_assert_ptr_null(kms_directory_group_by_name(directory, longest));
}
END_TEST

START_TEST(too_many_rows_are_refused_before_memory_is_asked_for)
{
	uint64_t count[KMS_KINDS + 1] = {0};
	struct kms_directory *big;

	count[KMS_KIND_AUDIT] = UINT64_MAX;
	ck_assert_int_eq(kms_directory_new(count, &big), KMS_ERR_LIMIT);
	ck_assert_ptr_null(big);
}
END_TEST

START_TEST(puts_within_a_reserve_take_no_memory)
{
	size_t before;
	uint64_t i;

	load_small();
	ck_assert_int_eq(kms_directory_reserve(directory, 5000), 0);
	before = kms_directory_memory(directory);
	for (i = 0; i < 2500; i++) {
		ck_assert_int_eq(directory_put(9 + 2 * i, KMS_KIND_AUDIT, NULL,
				     NULL),
		    0);
		ck_assert_int_eq(directory_put(10 + 2 * i, KMS_KIND_KEY,
				     key_rec(2,
					 directory_name((uint32_t)i + 100),
					 (uint32_t)i + 100, KMS_PRELIVE),
				     NULL),
		    0);
	}
	ck_assert_uint_eq(kms_directory_memory(directory), before);
}
END_TEST

Suite *
directory_suite(void)
{
	Suite *s = suite_create("directory");
	TCase *t = tcase_create("directory");

	tcase_add_checked_fixture(t, directory_setup, directory_teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, rows_are_found_by_id_tag_name_and_group);
	tcase_add_test(t, a_key_answers_what_a_release_needs);
	tcase_add_test(t, walks_go_up_by_id_and_stay_in_their_kind_or_group);
	tcase_add_test(t, what_no_store_can_hold_is_damage_at_load);
	tcase_add_test(t, a_tag_twice_is_damage_at_load);
	tcase_add_test(t, a_name_twice_in_a_group_is_damage_at_load);
	tcase_add_test(t, a_key_without_its_group_is_damage_at_load);
	tcase_add_test(t, keys_that_moved_to_a_younger_group_are_in_its_list);
	tcase_add_test(t, a_put_that_is_refused_changes_nothing);
	tcase_add_test(t, the_newest_active_key_is_the_groups);
	tcase_add_test(t, a_name_cut_at_its_bound_finds_nothing);
	tcase_add_test(t, too_many_rows_are_refused_before_memory_is_asked_for);
	tcase_add_test(t, puts_within_a_reserve_take_no_memory);
	suite_add_tcase(s, t);
	suite_add_tcase(s, test_directory_model());
	return s;
}
