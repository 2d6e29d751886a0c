/* Messages of many items: order, placeholder, what is kept when one fails. */
#include "tests/unit/kmip/world.h"

#include <stdlib.h>
#include <string.h>

#define TAG(id) KMIP_TAG_##id

static void
put_create(struct talk *t, const char *name)
{
	struct kms_wr *wr = talk_item(t, KMIP_OP_CREATE);
	size_t at = put_template(wr, KMIP_OBJECT_SYMMETRIC_KEY);

	put_aes(wr, 256);
	if (name != NULL)
		kmip_attr_put_name(wr, name,
		    KMIP_NAME_UNINTERPRETED_TEXT_STRING);
	kmip_ttlv_end(wr, at);
}

static void
put_locate(struct talk *t, const char *name)
{
	kmip_attr_put_name(talk_item(t, KMIP_OP_LOCATE), name,
	    KMIP_NAME_UNINTERPRETED_TEXT_STRING);
}

static size_t
keys_of(struct world *w)
{
	struct talk t;
	size_t n;

	talk_begin(&t, 2);
	(void)talk_item(&t, KMIP_OP_LOCATE);
	talk_send(w, &t);
	talk_ok(&t, 0);
	n = talk_count(&t, 0, TAG(UNIQUE_IDENTIFIER));
	talk_end(&t);
	return n;
}

START_TEST(the_placeholder_carries_from_item_to_item)
{
	struct world w;
	struct talk t;
	char a[KMS_TAG_TEXT], b[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	talk_begin(&t, 1);
	put_create(&t, "k");
	(void)talk_item(&t, KMIP_OP_ACTIVATE);
	(void)talk_item(&t, KMIP_OP_GET);
	(void)talk_item(&t, KMIP_OP_GET_ATTRIBUTES);
	put_locate(&t, "k");
	(void)talk_item(&t, KMIP_OP_GET);
	talk_send(&w, &t);
	ck_assert_uint_eq(t.res->n, 6);
	talk_ok(&t, 0);
	talk_uid(&t, 0, 0, a);
	talk_ok(&t, 2);
	talk_uid(&t, 2, 0, b);
	ck_assert_str_eq(a, b);
	talk_ok(&t, 3);
	ck_assert_int_eq(talk_attr_number(&t, 3, "State"), KMIP_STATE_ACTIVE);
	talk_ok(&t, 5);
	talk_uid(&t, 5, 0, b);
	ck_assert_str_eq(a, b);
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(the_placeholder_never_leaves_its_message)
{
	struct world w;
	struct talk t;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, "k", NULL, 256, uid);
	talk_begin(&t, 1);
	(void)talk_item(&t, KMIP_OP_GET);
	talk_send(&w, &t);
	talk_fails(&t, 0, KMIP_REASON_ITEM_NOT_FOUND);
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(locate_leaves_a_placeholder_for_exactly_one)
{
	struct world w;
	struct talk t;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, "a", "one", 256, uid);
	create_key(&w, "b", "two", 256, uid);
	create_key(&w, "c", "two", 256, uid);
	talk_begin(&t, 1);
	t.req->on_error = KMIP_BATCH_CONTINUE;
	put_locate(&t, "a"); /* one: it is this one's key that is got */
	(void)talk_item(&t, KMIP_OP_GET_ATTRIBUTES);
	kmip_attr_put_text(talk_item(&t, KMIP_OP_LOCATE), TAG(OBJECT_GROUP),
	    "two");
	(void)talk_item(&t, KMIP_OP_GET); /* of two: none */
	put_locate(&t, "a");
	put_locate(&t, "nobody");
	(void)talk_item(&t, KMIP_OP_GET); /* of none: none */
	talk_send(&w, &t);
	talk_attr_text(&t, 1, "Name", "a");
	talk_fails(&t, 3, KMIP_REASON_ITEM_NOT_FOUND);
	talk_ok(&t, 5);
	ck_assert_uint_eq(t.res->answer[5].payload_len, 0);
	talk_fails(&t, 6, KMIP_REASON_ITEM_NOT_FOUND);
	talk_end(&t);
	world_end(&w);
}
END_TEST

/* Create, a Get of nothing, Create: what each option keeps and answers. */
static void
three(struct world *w, struct talk *t, enum kmip_batch_error on_error)
{
	talk_begin(t, 2);
	t->req->on_error = on_error;
	put_create(t, "first");
	put_uid(talk_item(t, KMIP_OP_ACTIVATE), "00");
	put_create(t, "second");
	talk_send(w, t);
}

START_TEST(stop_keeps_what_came_before)
{
	struct world w;
	struct talk t;

	world_begin(&w);
	world_open(&w);
	three(&w, &t, 0); /* Stop is the default */
	ck_assert_uint_eq(t.res->n, 2);
	talk_ok(&t, 0);
	talk_fails(&t, 1, KMIP_REASON_ITEM_NOT_FOUND);
	talk_end(&t);
	ck_assert_uint_eq(keys_of(&w), 1);
	world_end(&w);
}
END_TEST

START_TEST(continue_goes_on)
{
	struct world w;
	struct talk t;

	world_begin(&w);
	world_open(&w);
	three(&w, &t, KMIP_BATCH_CONTINUE);
	ck_assert_uint_eq(t.res->n, 3);
	talk_ok(&t, 0);
	talk_fails(&t, 1, KMIP_REASON_ITEM_NOT_FOUND);
	talk_ok(&t, 2);
	talk_end(&t);
	ck_assert_uint_eq(keys_of(&w), 2);
	world_end(&w);
}
END_TEST

START_TEST(undo_leaves_nothing)
{
	struct world w;
	struct talk t;
	uint64_t before;

	world_begin(&w);
	world_open(&w);
	before = kms_store_generation(w.store);
	three(&w, &t, KMIP_BATCH_UNDO);
	ck_assert_uint_eq(t.res->n, 2);
	ck_assert_uint_eq(t.res->answer[0].status,
	    KMIP_STATUS_OPERATION_UNDONE);
	talk_fails(&t, 1, KMIP_REASON_ITEM_NOT_FOUND);
	talk_end(&t);
	ck_assert_uint_eq(keys_of(&w), 0);
	ck_assert_uint_eq(kms_store_generation(w.store), before);
	world_end(&w);
}
END_TEST

START_TEST(what_was_handed_out_is_not_undone)
{
	struct world w;
	struct talk t;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, "k", NULL, 256, uid);
	talk_begin(&t, 2);
	t.req->on_error = KMIP_BATCH_UNDO;
	put_create(&t, NULL);
	(void)talk_item(&t, KMIP_OP_GET);
	talk_send(&w, &t);
	talk_fails(&t, 0, KMIP_REASON_FEATURE_NOT_SUPPORTED);
	talk_end(&t);
	ck_assert_uint_eq(keys_of(&w), 1);
	/* first fetched, then changed: that can be undone */
	talk_begin(&t, 2);
	t.req->on_error = KMIP_BATCH_UNDO;
	put_uid(talk_item(&t, KMIP_OP_GET), uid);
	put_create(&t, NULL);
	talk_send(&w, &t);
	talk_ok(&t, 0);
	talk_ok(&t, 1);
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(a_batch_of_changes_is_one_change)
{
	struct world w;
	struct talk t;
	uint64_t before;
	int i;

	world_begin(&w);
	world_open(&w);
	before = kms_store_generation(w.store);
	talk_begin(&t, 2);
	for (i = 0; i < 16; i++) {
		put_create(&t, NULL);
		(void)talk_item(&t, KMIP_OP_ACTIVATE);
	}
	talk_send(&w, &t);
	ck_assert_uint_eq(t.res->n, 32);
	for (i = 0; i < 32; i++)
		talk_ok(&t, (size_t)i);
	talk_end(&t);
	ck_assert_uint_eq(kms_store_generation(w.store), before + 1);
	ck_assert_uint_eq(keys_of(&w), 16);
	world_end(&w);
}
END_TEST

START_TEST(an_item_that_failed_leaves_nothing_of_itself)
{
	struct world w;
	struct talk t;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, "taken", NULL, 256, uid);
	talk_begin(&t, 2);
	t.req->on_error = KMIP_BATCH_CONTINUE;
	put_create(&t, "new");
	put_create(&t, "taken");
	put_create(&t, "new"); /* by then it is taken too */
	put_locate(&t, "new");
	put_locate(&t, "taken");
	talk_send(&w, &t);
	talk_ok(&t, 0);
	talk_fails(&t, 1, KMIP_REASON_INVALID_FIELD);
	talk_fails(&t, 2, KMIP_REASON_INVALID_FIELD);
	ck_assert_uint_eq(talk_count(&t, 3, TAG(UNIQUE_IDENTIFIER)), 1);
	ck_assert_uint_eq(talk_count(&t, 4, TAG(UNIQUE_IDENTIFIER)), 1);
	talk_end(&t);
	ck_assert_uint_eq(keys_of(&w), 2);
	world_end(&w);
}
END_TEST

START_TEST(an_answer_over_the_clients_limit_changes_nothing)
{
	struct world w;
	struct talk t;

	world_begin(&w);
	world_open(&w);
	talk_begin(&t, 0);
	t.req->max_response = 250;
	put_create(&t, "k");
	(void)talk_item(&t, KMIP_OP_GET_ATTRIBUTES);
	talk_send(&w, &t);
	talk_fails(&t, 0, KMIP_REASON_RESPONSE_TOO_LARGE);
	ck_assert_uint_eq(t.res->n, 1);
	talk_end(&t);
	ck_assert_uint_eq(keys_of(&w), 0);
	world_end(&w);
}
END_TEST

START_TEST(locate_cuts_its_list_to_the_clients_limit)
{
	struct world w;
	struct talk t;
	char uid[KMS_TAG_TEXT];
	size_t n;
	int i;

	world_begin(&w);
	world_open(&w);
	for (i = 0; i < 20; i++)
		create_key(&w, NULL, NULL, 256, uid);
	talk_begin(&t, 0);
	t.req->max_response = 1200;
	(void)talk_item(&t, KMIP_OP_LOCATE);
	talk_send(&w, &t);
	talk_ok(&t, 0);
	n = talk_count(&t, 0, TAG(UNIQUE_IDENTIFIER));
	ck_assert_uint_gt(n, 3);
	ck_assert_uint_lt(n, 20);
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(what_the_service_does_not_do_is_said_for_each_item)
{
	struct world w;
	struct talk t;

	world_begin(&w);
	world_open(&w);
	talk_begin(&t, 0);
	t.req->on_error = KMIP_BATCH_CONTINUE;
	(void)talk_item(&t, KMIP_OP_CERTIFY);
	(void)talk_item(&t, 0x7fffffff);
	(void)talk_item(&t, KMIP_OP_DISCOVER_VERSIONS); /* from 1.1 on */
	put_create(&t, NULL);
	talk_send(&w, &t);
	talk_fails(&t, 0, KMIP_REASON_OPERATION_NOT_SUPPORTED);
	talk_fails(&t, 1, KMIP_REASON_OPERATION_NOT_SUPPORTED);
	talk_fails(&t, 2, KMIP_REASON_OPERATION_NOT_SUPPORTED);
	talk_ok(&t, 3);
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(what_a_rule_does_not_name_is_denied)
{
	struct world w;
	struct talk t;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, "k", "ENCR_a", 256, uid);
	world_rule(&w, "ENCR_*", "locate get");
	talk_begin(&t, 2);
	t.req->on_error = KMIP_BATCH_CONTINUE;
	put_locate(&t, "k");
	(void)talk_item(&t, KMIP_OP_GET);
	(void)talk_item(&t, KMIP_OP_ACTIVATE);
	put_create(&t, NULL);
	(void)talk_item(&t, KMIP_OP_GET_ATTRIBUTES);
	kmip_ttlv_put_enum(talk_item(&t, KMIP_OP_QUERY), TAG(QUERY_FUNCTION),
	    KMIP_QUERY_QUERY_OPERATIONS);
	talk_send(&w, &t);
	talk_ok(&t, 0);
	talk_ok(&t, 1);
	talk_fails(&t, 2, KMIP_REASON_PERMISSION_DENIED);
	talk_fails(&t, 3, KMIP_REASON_PERMISSION_DENIED);
	talk_fails(&t, 4, KMIP_REASON_PERMISSION_DENIED);
	talk_ok(&t, 5);
	talk_end(&t);
	ck_assert_int_eq(world_state_of(&w, uid), KMS_PRELIVE);
	world_end(&w);
}
END_TEST

START_TEST(other_groups_do_not_exist_for_a_client)
{
	struct world w;
	struct talk t;
	char mine[KMS_TAG_TEXT], other[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, "k", "mine", 256, mine);
	create_key(&w, "k", "other", 256, other);
	world_rule(&w, "mine", "*");
	simple(&w, KMIP_OP_GET, mine);
	simple_fails(&w, KMIP_OP_GET, other, KMIP_REASON_ITEM_NOT_FOUND);
	simple_fails(&w, KMIP_OP_GET_ATTRIBUTES, other,
	    KMIP_REASON_ITEM_NOT_FOUND);
	simple_fails(&w, KMIP_OP_ACTIVATE, other, KMIP_REASON_ITEM_NOT_FOUND);
	simple_fails(&w, KMIP_OP_DESTROY, other, KMIP_REASON_ITEM_NOT_FOUND);
	ck_assert_uint_eq(keys_of(&w), 1);
	talk_begin(&t, 2);
	put_locate(&t, "k");
	talk_send(&w, &t);
	ck_assert_uint_eq(talk_count(&t, 0, TAG(UNIQUE_IDENTIFIER)), 1);
	talk_end(&t);
	ck_assert_int_eq(world_state_of(&w, other), KMS_PRELIVE);
	world_end(&w);
}
END_TEST

START_TEST(nonsense_is_answered_without_an_operation)
{
	static const char text[] = "GET / HTTP/1.0\r\n\r\n";
	struct kmip_message m = {.p = (const uint8_t *)text,
	    .len = sizeof(text),
	    .locked = true};
	struct kmip_response *res = calloc(1, sizeof(*res));
	struct kmip_reply reply;
	struct world w;
	const uint8_t *p;
	size_t len;

	world_begin(&w);
	world_open(&w);
	ok(kmip_batch_run(w.service, &w.actor, &m, &reply));
	p = kmip_reply_bytes(&reply, &len);
	ok(kmip_msg_read_response(res, p, len));
	ck_assert_uint_eq(res->n, 1);
	ck_assert_uint_eq(res->answer[0].op, 0);
	ck_assert_uint_eq(res->answer[0].reason, KMIP_REASON_INVALID_MESSAGE);
	ck_assert_uint_eq(atomic_load(&w.service->metrics.invalid), 1);
	kmip_reply_clear(&reply);
	free(res);
	world_end(&w);
}
END_TEST

START_TEST(a_quiesced_store_serves_and_does_not_change)
{
	struct world w;
	struct talk t;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, "k", NULL, 256, uid);
	world_quiesce(&w);
	simple(&w, KMIP_OP_GET, uid);
	simple(&w, KMIP_OP_GET_ATTRIBUTES, uid);
	talk_begin(&t, 2);
	put_create(&t, NULL);
	talk_send(&w, &t);
	talk_fails(&t, 0, KMIP_REASON_GENERAL_FAILURE);
	ck_assert_ptr_nonnull(strstr(t.res->answer[0].message, "quiesced"));
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(query_and_discover_tell_what_there_is)
{
	struct world w;
	struct talk t;
	struct kms_wr *wr;
	struct kmip_item item;
	size_t at;

	world_begin(&w);
	world_open(&w);
	world_rule(&w, "", "");
	talk_begin(&t, 1);
	wr = talk_item(&t, KMIP_OP_QUERY);
	kmip_ttlv_put_enum(wr, TAG(QUERY_FUNCTION),
	    KMIP_QUERY_QUERY_OPERATIONS);
	kmip_ttlv_put_enum(wr, TAG(QUERY_FUNCTION), KMIP_QUERY_QUERY_OBJECTS);
	kmip_ttlv_put_enum(wr, TAG(QUERY_FUNCTION),
	    KMIP_QUERY_QUERY_SERVER_INFORMATION);
	kmip_ttlv_put_enum(wr, TAG(QUERY_FUNCTION),
	    KMIP_QUERY_QUERY_APPLICATION_NAMESPACES);
	kmip_ttlv_put_enum(wr, TAG(QUERY_FUNCTION),
	    KMIP_QUERY_QUERY_CAPABILITIES);
	(void)talk_item(&t, KMIP_OP_DISCOVER_VERSIONS);
	wr = talk_item(&t, KMIP_OP_DISCOVER_VERSIONS);
	at = kmip_ttlv_begin(wr, TAG(PROTOCOL_VERSION));
	kmip_ttlv_put_int(wr, TAG(PROTOCOL_VERSION_MAJOR), 2);
	kmip_ttlv_put_int(wr, TAG(PROTOCOL_VERSION_MINOR), 1);
	kmip_ttlv_end(wr, at);
	at = kmip_ttlv_begin(wr, TAG(PROTOCOL_VERSION));
	kmip_ttlv_put_int(wr, TAG(PROTOCOL_VERSION_MAJOR), 1);
	kmip_ttlv_put_int(wr, TAG(PROTOCOL_VERSION_MINOR), 2);
	kmip_ttlv_end(wr, at);
	talk_send(&w, &t);
	talk_ok(&t, 0);
	ck_assert_uint_ge(talk_count(&t, 0, TAG(OPERATION)), 17);
	ck_assert_uint_eq(talk_count(&t, 0, TAG(OBJECT_TYPE)), 3);
	ck_assert(talk_field(&t, 0, TAG(VENDOR_IDENTIFICATION), &item));
	ck_assert_uint_ge(talk_count(&t, 0, TAG(APPLICATION_NAMESPACE)), 1);
	/* not in the version that was asked in */
	ck_assert_uint_eq(talk_count(&t, 0, TAG(CAPABILITY_INFORMATION)), 0);
	ck_assert_uint_eq(talk_count(&t, 1, TAG(PROTOCOL_VERSION)), 5);
	ck_assert_uint_eq(talk_count(&t, 2, TAG(PROTOCOL_VERSION)), 1);
	talk_end(&t);
	world_end(&w);
}
END_TEST

TCase *
test_batch(void)
{
	TCase *t = tcase_create("batch");

	tcase_set_timeout(t, 30);
	tcase_add_test(t, the_placeholder_carries_from_item_to_item);
	tcase_add_test(t, the_placeholder_never_leaves_its_message);
	tcase_add_test(t, locate_leaves_a_placeholder_for_exactly_one);
	tcase_add_test(t, stop_keeps_what_came_before);
	tcase_add_test(t, continue_goes_on);
	tcase_add_test(t, undo_leaves_nothing);
	tcase_add_test(t, what_was_handed_out_is_not_undone);
	tcase_add_test(t, a_batch_of_changes_is_one_change);
	tcase_add_test(t, an_item_that_failed_leaves_nothing_of_itself);
	tcase_add_test(t, an_answer_over_the_clients_limit_changes_nothing);
	tcase_add_test(t, locate_cuts_its_list_to_the_clients_limit);
	tcase_add_test(t, what_the_service_does_not_do_is_said_for_each_item);
	tcase_add_test(t, what_a_rule_does_not_name_is_denied);
	tcase_add_test(t, other_groups_do_not_exist_for_a_client);
	tcase_add_test(t, nonsense_is_answered_without_an_operation);
	tcase_add_test(t, a_quiesced_store_serves_and_does_not_change);
	tcase_add_test(t, query_and_discover_tell_what_there_is);
	return t;
}
