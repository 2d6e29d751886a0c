/* Key groups: names, limits, phrases, deletion. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/kms/stores.h"

START_TEST(a_group_is_what_it_was_made_and_then_changed_to)
{
	struct kms_group_change change = {.name = "ENCR_new",
	    .description = "second"};
	struct kms_group_view view;
	struct stores t;
	struct kms_tx *tx;

	stores_new(&t, false);
	stores_write(&t, &tx);
	ok(kms_group_add(tx, "ENCR_old", "first", NULL));
	ok(kms_tx_commit(&tx));
	stores_write(&t, &tx);
	ok(kms_group_modify(tx, "ENCR_old", &change));
	ok(kms_group_view(tx, "ENCR_new", &view));
	ok(kms_tx_commit(&tx));
	ck_assert_str_eq(view.description, "second");
	ck_assert_int_gt(view.modified, view.created);
	stores_read(&t, &tx);
	fails(kms_group_view(tx, "ENCR_old", &view), KMS_ERR_NOTFOUND,
	    "ENCR_old");
	kms_tx_abort(&tx);
	stores_end(&t);
}
END_TEST

START_TEST(names_follow_their_rules)
{
	static const char *const bad[] = {"", " lead", "trail ", "tab\there",
	    "\xff\xfe", "new\nline"};
	char name[KMS_NAME_MAX + 2];
	struct stores t;
	struct kms_tx *tx;
	size_t i;

	stores_new(&t, false);
	stores_write(&t, &tx);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		fails(kms_group_add(tx, bad[i], NULL, NULL), KMS_ERR_USAGE,
		    "group name");
	memset(name, 'n', sizeof(name) - 1);
	name[KMS_NAME_MAX + 1] = '\0';
	fails(kms_group_add(tx, name, NULL, NULL), KMS_ERR_USAGE, "255");
	name[KMS_NAME_MAX] = '\0';
	ok(kms_group_add(tx, name, NULL, NULL));
	ok(kms_group_add(tx, "server:volume", NULL, NULL));
	ok(kms_group_add(tx, "B\xc3\xa4nder", NULL, NULL));
	fails(kms_group_add(tx, "server:volume", NULL, NULL), KMS_ERR_EXISTS,
	    "exists already");
	ok(kms_tx_commit(&tx));
	stores_end(&t);
}
END_TEST

START_TEST(the_number_of_groups_is_limited_when_the_site_says_so)
{
	struct stores t;
	struct kms_tx *tx;

	stores_begin(&t, false);
	t.options.policy.max_groups = 2;
	ok(stores_create(&t));
	stores_open(&t);
	add_group(&t, "a");
	add_group(&t, "b");
	stores_write(&t, &tx);
	fails(kms_group_add(tx, "c", NULL, NULL), KMS_ERR_LIMIT, "groups");
	ok(kms_group_delete(tx, "a", false, NULL));
	ok(kms_group_add(tx, "c", NULL, NULL));
	ok(kms_tx_commit(&tx));
	stores_end(&t);
}
END_TEST

struct seen {
	size_t n;
	char names[256];
};

static int
see(void *arg, const struct kms_group_view *view)
{
	struct seen *seen = arg;

	seen->n++;
	strcat(seen->names, view->name);
	strcat(seen->names, view->active_key[0] != '\0' ? "+ " : " ");
	return 0;
}

START_TEST(groups_are_listed_in_the_order_of_their_creation)
{
	struct seen seen = {0};
	struct stores t;
	struct kms_tx *tx;

	stores_new(&t, false);
	add_group(&t, "z");
	add_group(&t, "a");
	add_group(&t, "m");
	add_key(&t, "a", "k", KMS_ACTIVE, NULL);
	stores_read(&t, &tx);
	ok(kms_group_list(tx, see, &seen));
	kms_tx_abort(&tx);
	ck_assert_str_eq(seen.names, "z a+ m ");
	stores_end(&t);
}
END_TEST

START_TEST(only_an_empty_group_is_deleted_without_force)
{
	struct kms_group_view view;
	struct stores t;
	struct kms_tx *tx;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_key(&t, "ENCR_a", "p1", KMS_PRELIVE, NULL);
	add_key(&t, "ENCR_a", "p2", KMS_PRELIVE, NULL);
	stores_write(&t, &tx);
	fails(kms_group_delete(tx, "ENCR_a", false, NULL), KMS_ERR_STATE,
	    "2 keys");
	fails(kms_group_delete(tx, "ENCR_a", true, NULL), KMS_ERR_USAGE,
	    "reason");
	ok(kms_group_delete(tx, "ENCR_a", true, "retired"));
	fails(kms_group_view(tx, "ENCR_a", &view), KMS_ERR_NOTFOUND, NULL);
	ok(kms_tx_commit(&tx));
	add_group(&t, "ENCR_a"); /* the name is free again */
	stores_close(&t);
	stores_open(&t);
	stores_end(&t);
}
END_TEST

START_TEST(a_group_with_a_living_key_is_not_deleted_even_by_force)
{
	static const enum kms_state path[] = {KMS_ACTIVE, KMS_INACTIVE,
	    KMS_DEPRECATED};
	struct stores t;
	struct kms_tx *tx;
	size_t i;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_key(&t, "ENCR_a", "k", KMS_PRELIVE, NULL);
	for (i = 0; i < 3; i++) {
		stores_write(&t, &tx);
		ok(kms_key_set_state(tx, "ENCR_a", "k", path[i]));
		ok(kms_tx_commit(&tx));
		stores_write(&t, &tx);
		fails(kms_group_delete(tx, "ENCR_a", true, "why"),
		    KMS_ERR_STATE, kms_state_name(path[i]));
		kms_tx_abort(&tx);
	}
	stores_end(&t);
}
END_TEST

START_TEST(keys_of_a_group_phrase_come_back_from_it)
{
	struct kms_secret *first = secret_of("the first group phrase");
	struct kms_secret *second = secret_of("the second group phrase");
	struct kms_group_change change = {0};
	struct kms_material one, two, again;
	struct kms_seed seed;
	struct stores t;
	struct kms_tx *tx;

	stores_new(&t, false);
	ok(kms_material_seed(t.store, first, &seed));
	stores_write(&t, &tx);
	ok(kms_group_add(tx, "ENCR_a", NULL, &seed));
	ok(kms_group_add(tx, "ENCR_b", NULL, NULL));
	ok(kms_tx_commit(&tx));
	fails(kms_material_group(t.store, "ENCR_b", &one), KMS_ERR_NOTFOUND,
	    "no passphrase");
	ok(kms_material_group(t.store, "ENCR_a", &one));
	ck_assert_int_eq(kms_tag_kind(&one.tag), KMS_TAG_GROUP);
	ok(kms_material_seed(t.store, second, &seed));
	change.seed = &seed;
	stores_write(&t, &tx);
	ok(kms_group_modify(tx, "ENCR_a", &change));
	ok(kms_tx_commit(&tx));
	ok(kms_material_group(t.store, "ENCR_a", &two));
	/* Each from the phrase that was the group's when it was made. */
	ok(kms_material_recover(t.store, first, &one.tag, &again));
	ck_assert_mem_eq(again.wrapped.kcv, one.wrapped.kcv, 8);
	ck_assert_int_eq(again.origin, KMS_ORIGIN_GROUP);
	ok(kms_material_recover(t.store, second, &two.tag, &again));
	ck_assert_mem_eq(again.wrapped.kcv, two.wrapped.kcv, 8);
	fails(kms_material_recover(t.store, first, &two.tag, &again),
	    KMS_ERR_AUTH, "phrase or tag");
	kms_secret_free(&first);
	kms_secret_free(&second);
	stores_end(&t);
}
END_TEST

TCase *
test_group(void)
{
	TCase *tc = tcase_create("group");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_group_is_what_it_was_made_and_then_changed_to);
	tcase_add_test(tc, names_follow_their_rules);
	tcase_add_test(tc,
	    the_number_of_groups_is_limited_when_the_site_says_so);
	tcase_add_test(tc, groups_are_listed_in_the_order_of_their_creation);
	tcase_add_test(tc, only_an_empty_group_is_deleted_without_force);
	tcase_add_test(tc,
	    a_group_with_a_living_key_is_not_deleted_even_by_force);
	tcase_add_test(tc, keys_of_a_group_phrase_come_back_from_it);
	return tc;
}
