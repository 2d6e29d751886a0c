/* An object's life, as clients move it and as the command line does. */
#include "tests/unit/kmip/world.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TAG(id) KMIP_TAG_##id

static void
revoke(struct world *w, const char *uid, uint32_t code, int reason)
{
	struct talk t;
	struct kms_wr *wr;

	talk_begin(&t, 4);
	wr = talk_item(&t, KMIP_OP_REVOKE);
	put_revocation(wr, uid, code);
	kmip_ttlv_put_date(wr, TAG(COMPROMISE_OCCURRENCE_DATE), 1000000);
	talk_send(w, &t);
	if (reason == 0)
		talk_ok(&t, 0);
	else
		talk_fails(&t, 0, (enum kmip_reason)reason);
	talk_end(&t);
}

START_TEST(a_life_from_pre_active_to_destroyed)
{
	struct world w;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, "k", NULL, 256, uid);
	ck_assert_int_eq(state_of(&w, uid), KMIP_STATE_PRE_ACTIVE);
	ck_assert_int_eq(world_state_of(&w, uid), KMS_PRELIVE);
	simple(&w, KMIP_OP_ACTIVATE, uid);
	ck_assert_int_eq(state_of(&w, uid), KMIP_STATE_ACTIVE);
	ck_assert_int_eq(world_state_of(&w, uid), KMS_ACTIVE);
	simple_fails(&w, KMIP_OP_ACTIVATE, uid, KMIP_REASON_PERMISSION_DENIED);
	simple_fails(&w, KMIP_OP_DESTROY, uid, KMIP_REASON_PERMISSION_DENIED);
	simple(&w, KMIP_OP_REVOKE, uid);
	ck_assert_int_eq(state_of(&w, uid), KMIP_STATE_DEACTIVATED);
	ck_assert_int_eq(world_state_of(&w, uid), KMS_INACTIVE);
	simple(&w, KMIP_OP_GET, uid); /* tapes outlive keys */
	simple_fails(&w, KMIP_OP_REVOKE, uid, KMIP_REASON_ILLEGAL_OPERATION);
	simple_fails(&w, KMIP_OP_ACTIVATE, uid, KMIP_REASON_PERMISSION_DENIED);
	simple(&w, KMIP_OP_DESTROY, uid);
	ck_assert_int_eq(state_of(&w, uid), KMIP_STATE_DESTROYED);
	simple_fails(&w, KMIP_OP_GET, uid, KMIP_REASON_ITEM_NOT_FOUND);
	simple_fails(&w, KMIP_OP_DESTROY, uid, KMIP_REASON_PERMISSION_DENIED);
	simple_fails(&w, KMIP_OP_ACTIVATE, uid, KMIP_REASON_PERMISSION_DENIED);
	world_end(&w);
}
END_TEST

START_TEST(what_is_destroyed_still_tells_what_it_was)
{
	struct world w;
	struct talk t;
	struct kmip_attr a;
	int64_t now = (int64_t)time(NULL);
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, "gone", "home", 256, uid);
	simple(&w, KMIP_OP_ACTIVATE, uid);
	simple(&w, KMIP_OP_REVOKE, uid);
	simple(&w, KMIP_OP_DESTROY, uid);
	talk_begin(&t, 4);
	put_uid(talk_item(&t, KMIP_OP_GET_ATTRIBUTES), uid);
	talk_send(&w, &t);
	talk_ok(&t, 0);
	talk_attr_text(&t, 0, "Name", "gone");
	talk_attr_text(&t, 0, "Object Group", "home");
	talk_attr_text(&t, 0, "Unique Identifier", uid);
	ck_assert_int_eq(talk_attr_number(&t, 0, "Cryptographic Length"), 256);
	ck_assert_int_ge(talk_attr_number(&t, 0, "Destroy Date"), now - 1);
	ck_assert_int_ge(talk_attr_number(&t, 0, "Activation Date"), now - 1);
	ck_assert_int_ge(talk_attr_number(&t, 0, "Deactivation Date"), now - 1);
	ck_assert(talk_attr(&t, 0, "Revocation Reason", 0, &a));
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(compromise_comes_from_every_state_that_is_left)
{
	struct world w;
	char uid[3][KMS_TAG_TEXT];
	int i;

	world_begin(&w);
	world_open(&w);
	for (i = 0; i < 3; i++)
		create_key(&w, NULL, NULL, 256, uid[i]);
	simple(&w, KMIP_OP_ACTIVATE, uid[1]);
	simple(&w, KMIP_OP_ACTIVATE, uid[2]);
	simple(&w, KMIP_OP_REVOKE, uid[2]);
	for (i = 0; i < 3; i++) {
		revoke(&w, uid[i], KMIP_REVOCATION_KEY_COMPROMISE, 0);
		ck_assert_int_eq(state_of(&w, uid[i]), KMIP_STATE_COMPROMISED);
		revoke(&w, uid[i], KMIP_REVOCATION_KEY_COMPROMISE,
		    KMIP_REASON_PERMISSION_DENIED);
		simple_fails(&w, KMIP_OP_ACTIVATE, uid[i],
		    KMIP_REASON_PERMISSION_DENIED);
		simple(&w, KMIP_OP_DESTROY, uid[i]);
		ck_assert_int_eq(state_of(&w, uid[i]),
		    KMIP_STATE_DESTROYED_COMPROMISED);
	}
	world_end(&w);
}
END_TEST

START_TEST(a_pre_active_object_is_not_just_revoked)
{
	struct world w;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, NULL, NULL, 256, uid);
	revoke(&w, uid, KMIP_REVOCATION_SUPERSEDED,
	    KMIP_REASON_ILLEGAL_OPERATION);
	revoke(&w, uid, 99, KMIP_REASON_INVALID_FIELD);
	ck_assert_int_eq(state_of(&w, uid), KMIP_STATE_PRE_ACTIVE);
	world_end(&w);
}
END_TEST

static void
create_dated(struct world *w, uint32_t date, int64_t when, int reason)
{
	struct talk t;
	struct kms_wr *wr;
	char uid[KMS_TAG_TEXT];
	size_t at;

	talk_begin(&t, 4);
	wr = talk_item(&t, KMIP_OP_CREATE);
	at = put_template(wr, KMIP_OBJECT_SYMMETRIC_KEY);
	put_aes(wr, 256);
	kmip_attr_put_date(wr, date, when);
	kmip_ttlv_end(wr, at);
	talk_send(w, &t);
	if (reason != 0) {
		talk_fails(&t, 0, (enum kmip_reason)reason);
	} else {
		talk_ok(&t, 0);
		talk_uid(&t, 0, 0, uid);
		ck_assert_int_eq(state_of(w, uid), KMIP_STATE_ACTIVE);
	}
	talk_end(&t);
}

START_TEST(an_activation_date_that_has_come_activates)
{
	struct world w;
	int64_t now = (int64_t)time(NULL);

	world_begin(&w);
	world_open(&w);
	create_dated(&w, TAG(ACTIVATION_DATE), now, 0);
	create_dated(&w, TAG(ACTIVATION_DATE), 1, 0);
	create_dated(&w, TAG(ACTIVATION_DATE), now + 86400,
	    KMIP_REASON_INVALID_FIELD);
	create_dated(&w, TAG(DEACTIVATION_DATE), now + 86400,
	    KMIP_REASON_INVALID_FIELD);
	create_dated(&w, TAG(DESTROY_DATE), now, KMIP_REASON_PERMISSION_DENIED);
	world_end(&w);
}
END_TEST

START_TEST(tape_groups_have_one_active_key_others_many)
{
	struct world w;
	char uid[4][KMS_TAG_TEXT];
	int i;

	world_begin(&w);
	world_open(&w);
	for (i = 0; i < 4; i++) {
		create_key(&w, NULL, i < 2 ? "ENCR_pool" : "disk", 256, uid[i]);
		simple(&w, KMIP_OP_ACTIVATE, uid[i]);
	}
	ck_assert_int_eq(world_state_of(&w, uid[0]), KMS_INACTIVE);
	ck_assert_int_eq(world_state_of(&w, uid[1]), KMS_ACTIVE);
	ck_assert_int_eq(world_state_of(&w, uid[2]), KMS_ACTIVE);
	ck_assert_int_eq(world_state_of(&w, uid[3]), KMS_ACTIVE);
	world_end(&w);
}
END_TEST

START_TEST(archived_objects_come_back)
{
	struct world w;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, NULL, NULL, 256, uid);
	simple_fails(&w, KMIP_OP_ARCHIVE, uid, KMIP_REASON_ILLEGAL_OPERATION);
	simple(&w, KMIP_OP_ACTIVATE, uid);
	simple_fails(&w, KMIP_OP_ARCHIVE, uid, KMIP_REASON_ILLEGAL_OPERATION);
	simple_fails(&w, KMIP_OP_RECOVER, uid, KMIP_REASON_ILLEGAL_OPERATION);
	simple(&w, KMIP_OP_REVOKE, uid);
	simple(&w, KMIP_OP_ARCHIVE, uid);
	ck_assert_int_eq(world_state_of(&w, uid), KMS_DEPRECATED);
	simple_fails(&w, KMIP_OP_GET, uid, KMIP_REASON_OBJECT_ARCHIVED);
	simple_fails(&w, KMIP_OP_DESTROY, uid, KMIP_REASON_OBJECT_ARCHIVED);
	ck_assert_int_eq(state_of(&w, uid), KMIP_STATE_DEACTIVATED);
	simple(&w, KMIP_OP_RECOVER, uid);
	simple(&w, KMIP_OP_GET, uid);
	world_end(&w);
}
END_TEST

START_TEST(what_the_command_line_does_counts_at_once)
{
	struct world w;
	struct kms_tag tag;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	world_group(&w, "ENCR_a", NULL);
	world_key(&w, "ENCR_a", "k", KMS_ACTIVE, &tag);
	kms_tag_text(&tag, uid);
	simple(&w, KMIP_OP_GET, uid);
	world_state(&w, "ENCR_a", "k", KMS_INACTIVE);
	ck_assert_int_eq(state_of(&w, uid), KMIP_STATE_DEACTIVATED);
	simple(&w, KMIP_OP_GET, uid);
	world_state(&w, "ENCR_a", "k", KMS_DEPRECATED);
	simple_fails(&w, KMIP_OP_GET, uid, KMIP_REASON_OBJECT_ARCHIVED);
	world_state(&w, "ENCR_a", "k", KMS_TERMINATED);
	simple_fails(&w, KMIP_OP_RECOVER, uid, KMIP_REASON_PERMISSION_DENIED);
	simple_fails(&w, KMIP_OP_GET, uid, KMIP_REASON_OBJECT_ARCHIVED);
	world_end(&w);
}
END_TEST

START_TEST(the_delete_gate_guards_what_was_handed_out)
{
	struct world w;
	char kept[KMS_TAG_TEXT], free_one[KMS_TAG_TEXT];

	world_begin(&w);
	w.options.policy.delete_gate = true;
	world_open(&w);
	create_key(&w, NULL, NULL, 256, kept);
	create_key(&w, NULL, NULL, 256, free_one);
	simple(&w, KMIP_OP_ACTIVATE, kept);
	simple(&w, KMIP_OP_GET, kept);
	simple(&w, KMIP_OP_REVOKE, kept);
	simple_fails(&w, KMIP_OP_DESTROY, kept, KMIP_REASON_PERMISSION_DENIED);
	/* and nothing is left of the steps on the way there */
	ck_assert_int_eq(world_state_of(&w, kept), KMS_INACTIVE);
	simple(&w, KMIP_OP_GET, kept);
	simple(&w, KMIP_OP_DESTROY, free_one);
	world_end(&w);
}
END_TEST

START_TEST(check_answers_what_is_not_as_asked)
{
	struct world w;
	struct talk t;
	struct kms_wr *wr;
	struct kmip_item item;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, NULL, NULL, 256, uid);
	talk_begin(&t, 4);
	wr = talk_item(&t, KMIP_OP_CHECK);
	put_uid(wr, uid);
	kmip_ttlv_put_int(wr, TAG(CRYPTOGRAPHIC_USAGE_MASK), KMIP_MASK_ENCRYPT);
	wr = talk_item(&t, KMIP_OP_CHECK);
	put_uid(wr, uid);
	kmip_ttlv_put_int(wr, TAG(CRYPTOGRAPHIC_USAGE_MASK), KMIP_MASK_WRAP);
	kmip_ttlv_put_interval(wr, TAG(LEASE_TIME), 86400);
	talk_send(&w, &t);
	talk_ok(&t, 0);
	ck_assert(!talk_field(&t, 0, TAG(CRYPTOGRAPHIC_USAGE_MASK), &item));
	talk_ok(&t, 1);
	ck_assert(talk_field(&t, 1, TAG(CRYPTOGRAPHIC_USAGE_MASK), &item));
	ck_assert_uint_eq(kms_get32(item.value), 12);
	ck_assert(talk_field(&t, 1, TAG(LEASE_TIME), &item));
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(re_key_hands_over_name_and_place)
{
	struct world w;
	struct talk t;
	struct kmip_attr a;
	struct kms_key_view view;
	uint8_t before[32], after[32];
	char old[KMS_TAG_TEXT], new[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, "vm", "disk", 256, old);
	simple(&w, KMIP_OP_ACTIVATE, old);
	talk_begin(&t, 4);
	put_uid(talk_item(&t, KMIP_OP_RE_KEY), old);
	put_uid(talk_item(&t, KMIP_OP_GET_ATTRIBUTES), NULL);
	put_uid(talk_item(&t, KMIP_OP_GET_ATTRIBUTES), old);
	talk_send(&w, &t);
	talk_ok(&t, 0);
	talk_uid(&t, 0, 0, new);
	ck_assert_str_ne(old, new);
	talk_ok(&t, 1);
	talk_attr_text(&t, 1, "Unique Identifier", new);
	talk_attr_text(&t, 1, "Name", "vm");
	ck_assert(talk_attr(&t, 1, "Link", 0, &a));
	talk_ok(&t, 2);
	ck_assert(!talk_attr(&t, 2, "Name", 0, &a));
	ck_assert(talk_attr(&t, 2, "Link", 0, &a));
	talk_end(&t);
	/* of a group that is not tape's the old one stays active */
	ck_assert_int_eq(world_state_of(&w, old), KMS_ACTIVE);
	ck_assert_int_eq(world_state_of(&w, new), KMS_ACTIVE);
	world_view(&w, new, &view);
	ck_assert_str_eq(view.key.name, "vm");
	get_bytes(&w, old, before, 32);
	get_bytes(&w, new, after, 32);
	ck_assert_mem_ne(before, after, 32);
	world_end(&w);
}
END_TEST

TCase *
test_state(void)
{
	TCase *t = tcase_create("state");

	tcase_set_timeout(t, 30);
	tcase_add_test(t, a_life_from_pre_active_to_destroyed);
	tcase_add_test(t, what_is_destroyed_still_tells_what_it_was);
	tcase_add_test(t, compromise_comes_from_every_state_that_is_left);
	tcase_add_test(t, a_pre_active_object_is_not_just_revoked);
	tcase_add_test(t, an_activation_date_that_has_come_activates);
	tcase_add_test(t, tape_groups_have_one_active_key_others_many);
	tcase_add_test(t, archived_objects_come_back);
	tcase_add_test(t, what_the_command_line_does_counts_at_once);
	tcase_add_test(t, the_delete_gate_guards_what_was_handed_out);
	tcase_add_test(t, check_answers_what_is_not_as_asked);
	tcase_add_test(t, re_key_hands_over_name_and_place);
	return t;
}
