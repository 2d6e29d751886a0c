/* Locate: every criterion, in the order promised, whoever made the change. */
#include "tests/unit/kmip/locate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kms/group.h"
#include "kms/material.h"

#define TAG(id) KMIP_TAG_##id

static void
create_tape(struct world *w, const char *barcode, const char *data,
    char uid[KMS_TAG_TEXT])
{
	struct talk t;
	struct kms_wr *wr;
	size_t at;

	talk_begin(&t, 4);
	wr = talk_item(&t, KMIP_OP_CREATE);
	at = put_template(wr, KMIP_OBJECT_SYMMETRIC_KEY);
	put_aes(wr, 256);
	put_application(wr, "LIBRARY-LTO", data);
	put_alternative(wr, barcode);
	kmip_attr_put_custom(wr, "x-Barcode", barcode);
	kmip_ttlv_end(wr, at);
	talk_send(w, &t);
	talk_ok(&t, 0);
	talk_uid(&t, 0, 0, uid);
	talk_end(&t);
}

START_TEST(an_object_is_found_by_each_of_its_attributes)
{
	struct world w;
	struct found f;
	char uid[3][KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_tape(&w, "TAPE01L9", "AA01", uid[0]);
	create_tape(&w, "TAPE02L9", "AA02", uid[1]);
	create_key(&w, "named", "disk", 128, uid[2]);
	locate(&w, 0, by_kad, "AA01", &f);
	ck_assert_uint_eq(f.n, 1);
	ck_assert_str_eq(f.uid[0], uid[0]);
	locate(&w, 0, by_barcode, "TAPE02L9", &f);
	ck_assert_uint_eq(f.n, 1);
	ck_assert_str_eq(f.uid[0], uid[1]);
	locate(&w, 2, by_alternative, "TAPE01L9", &f);
	ck_assert_uint_eq(f.n, 1);
	ck_assert_str_eq(f.uid[0], uid[0]);
	locate(&w, 0, by_name, "named", &f);
	ck_assert_uint_eq(f.n, 1);
	ck_assert_str_eq(f.uid[0], uid[2]);
	locate(&w, 0, by_template, "named", &f);
	ck_assert_uint_eq(f.n, 1);
	locate(&w, 0, by_group, "disk", &f);
	ck_assert_uint_eq(f.n, 1);
	locate(&w, 0, by_uid, uid[1], &f);
	ck_assert_uint_eq(f.n, 1);
	locate(&w, 0, by_length, "128", &f);
	ck_assert_uint_eq(f.n, 1);
	locate(&w, 0, by_mask, NULL, &f);
	ck_assert_uint_eq(f.n, 3);
	locate(&w, 0, by_mask, "wrap", &f);
	ck_assert_uint_eq(f.n, 0);
	locate(&w, 0, by_namespace, "LIBRARY-LTO", &f);
	ck_assert_uint_eq(f.n, 2);
	locate(&w, 0, by_nothing, NULL, &f);
	ck_assert_uint_eq(f.n, 3);
	world_end(&w);
}
END_TEST

START_TEST(a_criterion_is_met_by_its_type_too)
{
	struct world w;
	struct found f;
	char uid[2][KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_tape(&w, "TAPE01L9", "AA01", uid[0]);
	create_key(&w, "named", "disk", 256, uid[1]);
	locate(&w, 2, by_name_value, "named", &f);
	ck_assert_uint_eq(f.n, 1);
	ck_assert_str_eq(f.uid[0], uid[1]);
	locate(&w, 2, by_uri, "named", &f);
	ck_assert_uint_eq(f.n, 0);
	locate(&w, 2, by_bytes, "TAPE01L9", &f);
	ck_assert_uint_eq(f.n, 0);
	locate(&w, 2, by_secret_kad, "AA01", &f);
	ck_assert_uint_eq(f.n, 0);
	world_end(&w);
}
END_TEST

START_TEST(objects_of_other_groups_are_not_found)
{
	struct world w;
	struct found f;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, "named", "disk", 256, uid);
	locate(&w, 3, by_name, "named", &f);
	ck_assert_int_eq(f.located, 1);
	world_rule(&w, "home", "*");
	locate(&w, 3, by_name, "named", &f);
	ck_assert_uint_eq(f.n, 0);
	ck_assert_int_eq(f.located, 0);
	world_rule(&w, "home disk", "*");
	locate(&w, 3, by_name, "named", &f);
	ck_assert_uint_eq(f.n, 1);
	world_end(&w);
}
END_TEST

START_TEST(unreadable_attributes_are_their_own_keys_trouble_alone)
{
	struct world w;
	struct found f;
	struct talk t;
	struct kms_tag tag;
	char uid[KMS_TAG_TEXT], bad[KMS_TAG_TEXT];
	uint8_t key[32];

	world_begin(&w);
	world_open(&w);
	world_group(&w, "disk", NULL);
	world_key_with(&w, "disk", "broken", "\1no attributes", &tag);
	kms_tag_text(&tag, bad);
	create_key(&w, "whole", "disk", 256, uid);
	locate(&w, 2, by_name, "whole", &f);
	ck_assert_uint_eq(f.n, 1);
	locate(&w, 2, by_group, "disk", &f);
	ck_assert_uint_eq(f.n, 1);
	ck_assert_str_eq(f.uid[0], uid);
	get_bytes(&w, bad, key, sizeof(key));
	talk_begin(&t, 2);
	put_uid(talk_item(&t, KMIP_OP_GET_ATTRIBUTES), bad);
	talk_send(&w, &t);
	talk_fails(&t, 0, KMIP_REASON_GENERAL_FAILURE);
	ck_assert_ptr_nonnull(strstr(t.res->answer[0].message, "'broken'"));
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(what_is_not_there_is_success_and_empty)
{
	struct world w;
	struct found f;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	locate(&w, 2, by_name, "k", &f);
	ck_assert_uint_eq(f.n, 0);
	create_key(&w, "k", NULL, 256, uid);
	locate(&w, 2, by_name, "kk", &f);
	ck_assert_uint_eq(f.n, 0);
	locate(&w, 2, by_kad, "k", &f);
	ck_assert_uint_eq(f.n, 0);
	locate(&w, 2, by_group, "nowhere", &f);
	ck_assert_uint_eq(f.n, 0);
	locate(&w, 2, by_uid, "zz", &f);
	ck_assert_uint_eq(f.n, 0);
	world_end(&w);
}
END_TEST

START_TEST(newest_active_comes_first)
{
	struct world w;
	struct found f;
	char uid[5][KMS_TAG_TEXT];
	int i;

	world_begin(&w);
	world_open(&w);
	for (i = 0; i < 5; i++)
		create_key(&w, NULL, "disk", 256, uid[i]);
	simple(&w, KMIP_OP_ACTIVATE, uid[1]);
	simple(&w, KMIP_OP_ACTIVATE, uid[3]);
	locate(&w, 2, by_group, "disk", &f);
	ck_assert_uint_eq(f.n, 5);
	ck_assert_str_eq(f.uid[0], uid[3]);
	ck_assert_str_eq(f.uid[1], uid[1]);
	ck_assert_str_eq(f.uid[2], uid[4]);
	ck_assert_str_eq(f.uid[3], uid[2]);
	ck_assert_str_eq(f.uid[4], uid[0]);
	locate(&w, 2, by_keygroup_active, "disk", &f);
	ck_assert_uint_eq(f.n, 2);
	ck_assert_str_eq(f.uid[0], uid[3]);
	world_end(&w);
}
END_TEST

static void
page(struct world *w, int32_t most, int32_t offset, struct found *f)
{
	struct talk t;
	struct kms_wr *wr;

	talk_begin(&t, 4);
	wr = talk_item(&t, KMIP_OP_LOCATE);
	kmip_ttlv_put_int(wr, TAG(MAXIMUM_ITEMS), most);
	kmip_ttlv_put_int(wr, TAG(OFFSET_ITEMS), offset);
	talk_send(w, &t);
	locate_take(&t, f);
	talk_end(&t);
}

START_TEST(pages_follow_one_another)
{
	struct world w;
	struct found f;
	char uid[20][KMS_TAG_TEXT];
	int i;

	world_begin(&w);
	world_open(&w);
	for (i = 0; i < 20; i++)
		create_key(&w, NULL, NULL, 256, uid[i]);
	page(&w, 16, 0, &f);
	ck_assert_uint_eq(f.n, 16);
	ck_assert_int_eq(f.located, 20);
	ck_assert_str_eq(f.uid[0], uid[19]);
	page(&w, 16, 16, &f);
	ck_assert_uint_eq(f.n, 4);
	ck_assert_str_eq(f.uid[3], uid[0]);
	page(&w, 16, 32, &f);
	ck_assert_uint_eq(f.n, 0);
	page(&w, 0, 0, &f);
	ck_assert_uint_eq(f.n, 0);
	world_end(&w);
}
END_TEST

START_TEST(located_items_are_told_from_1_3_on)
{
	struct world w;
	struct found f;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, NULL, NULL, 256, uid);
	locate(&w, 2, by_nothing, NULL, &f);
	ck_assert_int_eq(f.located, -1);
	locate(&w, 3, by_nothing, NULL, &f);
	ck_assert_int_eq(f.located, 1);
	world_end(&w);
}
END_TEST

START_TEST(destroyed_and_archived_objects_are_hidden)
{
	struct world w;
	struct talk t;
	struct found f;
	struct kms_wr *wr;
	char gone[KMS_TAG_TEXT], archived[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, "gone", NULL, 256, gone);
	create_key(&w, "archived", NULL, 256, archived);
	simple(&w, KMIP_OP_DESTROY, gone);
	simple(&w, KMIP_OP_ACTIVATE, archived);
	simple(&w, KMIP_OP_REVOKE, archived);
	simple(&w, KMIP_OP_ARCHIVE, archived);
	locate(&w, 2, by_nothing, NULL, &f);
	ck_assert_uint_eq(f.n, 0);
	locate(&w, 2, by_name, "gone", &f);
	ck_assert_uint_eq(f.n, 0);
	locate(&w, 2, by_name, "archived", &f);
	ck_assert_uint_eq(f.n, 0);
	talk_begin(&t, 2);
	wr = talk_item(&t, KMIP_OP_LOCATE);
	kmip_ttlv_put_int(wr, TAG(STORAGE_STATUS_MASK),
	    KMIP_STORAGE_ARCHIVAL | KMIP_STORAGE_ONLINE);
	talk_send(&w, &t);
	locate_take(&t, &f);
	ck_assert_uint_eq(f.n, 1);
	ck_assert_str_eq(f.uid[0], archived);
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(the_index_follows_the_command_line)
{
	struct world w;
	struct found f;
	struct kms_tag tag;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	locate(&w, 2, by_name, "k", &f); /* built, and empty */
	world_group(&w, "ENCR_a", NULL);
	world_key(&w, "ENCR_a", "k", KMS_ACTIVE, &tag);
	kms_tag_text(&tag, uid);
	locate(&w, 2, by_name, "k", &f);
	ck_assert_uint_eq(f.n, 1);
	ck_assert_str_eq(f.uid[0], uid);
	locate(&w, 2, by_keygroup_active, "ENCR_a", &f);
	ck_assert_uint_eq(f.n, 1);
	world_state(&w, "ENCR_a", "k", KMS_INACTIVE);
	locate(&w, 2, by_keygroup_active, "ENCR_a", &f);
	ck_assert_uint_eq(f.n, 0);
	world_rename(&w, "ENCR_a", "k", "other");
	locate(&w, 2, by_name, "k", &f);
	ck_assert_uint_eq(f.n, 0);
	locate(&w, 2, by_name, "other", &f);
	ck_assert_uint_eq(f.n, 1);
	world_end(&w);
}
END_TEST

START_TEST(the_index_is_the_same_after_a_restart)
{
	struct world w;
	struct found f;
	char uid[KMS_TAG_TEXT], gone[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_tape(&w, "TAPE01L9", "AA01", uid);
	create_key(&w, "gone", NULL, 256, gone);
	simple(&w, KMIP_OP_DESTROY, gone);
	world_reopen(&w);
	locate(&w, 2, by_kad, "AA01", &f);
	ck_assert_uint_eq(f.n, 1);
	ck_assert_str_eq(f.uid[0], uid);
	ck_assert_int_eq(state_of(&w, gone), KMIP_STATE_DESTROYED);
	world_end(&w);
}
END_TEST

/* More changes than the directory remembers one by one. */
START_TEST(the_index_keeps_up_with_many_changes_at_once)
{
	struct world w;
	struct found f;
	struct kms_material m;
	struct kms_key_view *view = malloc(sizeof(*view));
	struct kms_tx *tx;
	char name[16], uid[KMS_TAG_TEXT];
	bool held;
	int i;

	world_begin(&w);
	world_open(&w);
	create_key(&w, "before", NULL, 256, uid);
	locate(&w, 2, by_name, "before", &f);
	ck_assert_uint_eq(f.n, 1);
	world_group(&w, "many", NULL);
	ok(kms_material_random(w.store,
	    &m)); /* its tag varied: no more is asked */
	ok(kms_tx_begin(w.store, &w.local, KMS_WRITE, &tx));
	for (i = 0; i < 2500; i++) {
		struct kms_key_new new = {.group = "many",
		    .name = name,
		    .state = KMS_PRELIVE,
		    .event = KMS_EVENT_KEY_CREATE,
		    .material = &m};

		(void)snprintf(name, sizeof(name), "m%d", i);
		kms_put32(m.tag.b + 8, (uint32_t)i);
		ok(kms_key_add(tx, &new, view, &held));
	}
	ok(kms_tx_commit(&tx));
	locate(&w, 2, by_name, "m1234", &f);
	ck_assert_uint_eq(f.n, 1);
	locate(&w, 2, by_name, "before", &f);
	ck_assert_uint_eq(f.n, 1);
	free(view);
	world_end(&w);
}
END_TEST

START_TEST(what_is_changed_in_a_batch_is_found_in_it)
{
	struct world w;
	struct talk t;
	struct kms_wr *wr;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, "k", NULL, 256, uid);
	talk_begin(&t, 2);
	wr = talk_item(&t, KMIP_OP_ADD_ATTRIBUTE);
	put_uid(wr, uid);
	kmip_attr_put_custom(wr, "x-Barcode", "NEW");
	by_barcode(talk_item(&t, KMIP_OP_LOCATE), "NEW");
	put_uid(talk_item(&t, KMIP_OP_DESTROY), NULL);
	by_barcode(talk_item(&t, KMIP_OP_LOCATE), "NEW");
	put_uid(talk_item(&t, KMIP_OP_GET_ATTRIBUTES), uid);
	talk_send(&w, &t);
	talk_ok(&t, 1);
	ck_assert_uint_eq(talk_count(&t, 1, TAG(UNIQUE_IDENTIFIER)), 1);
	talk_ok(&t, 2);
	ck_assert_uint_eq(talk_count(&t, 3, TAG(UNIQUE_IDENTIFIER)), 0);
	talk_ok(&t, 4);
	ck_assert_int_eq(talk_attr_number(&t, 4, "State"),
	    KMIP_STATE_DESTROYED);
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(whom_a_change_displaced_is_found_in_its_batch)
{
	struct world w;
	struct talk t;
	char old[KMS_TAG_TEXT], new[KMS_TAG_TEXT], found[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, "old", "ENCR_a", 256, old);
	simple(&w, KMIP_OP_ACTIVATE, old);
	create_key(&w, "new", "ENCR_a", 256, new);
	talk_begin(&t, 2);
	put_uid(talk_item(&t, KMIP_OP_ACTIVATE), new);
	by_name(talk_item(&t, KMIP_OP_LOCATE), "old");
	(void)talk_item(&t, KMIP_OP_GET_ATTRIBUTES);
	talk_send(&w, &t);
	talk_uid(&t, 1, 0, found);
	ck_assert_str_eq(old, found);
	ck_assert_int_eq(talk_attr_number(&t, 2, "State"),
	    KMIP_STATE_DEACTIVATED);
	talk_end(&t);
	world_end(&w);
}
END_TEST

static void
by_dates(struct kms_wr *wr, const char *arg)
{
	kmip_attr_put_date(wr, TAG(INITIAL_DATE), atoi(arg));
	kmip_attr_put_date(wr, TAG(INITIAL_DATE), INT64_C(99999999999));
}

START_TEST(two_dates_are_a_range)
{
	struct world w;
	struct found f;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, "k", NULL, 256, uid);
	locate(&w, 2, by_dates, "0", &f);
	ck_assert_uint_eq(f.n, 1);
	locate(&w, 2, by_dates, "2147483647", &f);
	ck_assert_uint_eq(f.n, 0);
	world_end(&w);
}
END_TEST

START_TEST(criteria_that_make_no_sense_are_refused)
{
	struct world w;
	struct talk t;
	struct kms_wr *wr;
	int i;

	world_begin(&w);
	world_open(&w);
	talk_begin(&t, 0);
	t.req->on_error = KMIP_BATCH_CONTINUE;
	kmip_attr_put_custom(talk_item(&t, KMIP_OP_LOCATE), "No Such Attribute",
	    "v");
	kmip_attr_put_custom(talk_item(&t, KMIP_OP_LOCATE), "State", "Active");
	put_alternative(talk_item(&t, KMIP_OP_LOCATE), "not in 1.0");
	kmip_ttlv_put_int(talk_item(&t, KMIP_OP_LOCATE), TAG(MAXIMUM_ITEMS),
	    -1);
	wr = talk_item(&t, KMIP_OP_LOCATE);
	for (i = 0; i < 65; i++)
		kmip_attr_put_custom(wr, "x-m", "v");
	talk_send(&w, &t);
	for (i = 0; i < 5; i++)
		talk_fails(&t, (size_t)i, KMIP_REASON_INVALID_FIELD);
	talk_end(&t);
	world_end(&w);
}
END_TEST

TCase *
test_find(void)
{
	TCase *t = tcase_create("find");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, an_object_is_found_by_each_of_its_attributes);
	tcase_add_test(t, a_criterion_is_met_by_its_type_too);
	tcase_add_test(t, objects_of_other_groups_are_not_found);
	tcase_add_test(t,
	    unreadable_attributes_are_their_own_keys_trouble_alone);
	tcase_add_test(t, what_is_not_there_is_success_and_empty);
	tcase_add_test(t, newest_active_comes_first);
	tcase_add_test(t, pages_follow_one_another);
	tcase_add_test(t, located_items_are_told_from_1_3_on);
	tcase_add_test(t, destroyed_and_archived_objects_are_hidden);
	tcase_add_test(t, the_index_follows_the_command_line);
	tcase_add_test(t, the_index_is_the_same_after_a_restart);
	tcase_add_test(t, the_index_keeps_up_with_many_changes_at_once);
	tcase_add_test(t, what_is_changed_in_a_batch_is_found_in_it);
	tcase_add_test(t, whom_a_change_displaced_is_found_in_its_batch);
	tcase_add_test(t, two_dates_are_a_range);
	tcase_add_test(t, criteria_that_make_no_sense_are_refused);
	return t;
}
