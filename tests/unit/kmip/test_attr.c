/* Attributes: what is answered, in which version, and what a client may
 * change. */
#include "tests/unit/kmip/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG(id) KMIP_TAG_##id

/* One Add or Modify Attribute of a text; reason 0: expected to succeed. */
static void
set_text(struct world *w, uint32_t op, const char *uid, const char *name,
    const char *value, int reason)
{
	struct talk t;
	struct kms_wr *wr;

	talk_begin(&t, 4);
	wr = talk_item(&t, op);
	put_uid(wr, uid);
	kmip_attr_put_custom(wr, name, value);
	talk_send(w, &t);
	if (reason == 0)
		talk_ok(&t, 0);
	else
		talk_fails(&t, 0, (enum kmip_reason)reason);
	talk_end(&t);
}

static void
delete_one(struct world *w, const char *uid, const char *name, int32_t index,
    int reason)
{
	struct talk t;
	struct kms_wr *wr;

	talk_begin(&t, 4);
	wr = talk_item(&t, KMIP_OP_DELETE_ATTRIBUTE);
	put_uid(wr, uid);
	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME), name);
	if (index >= 0)
		kmip_ttlv_put_int(wr, TAG(ATTRIBUTE_INDEX), index);
	talk_send(w, &t);
	if (reason == 0)
		talk_ok(&t, 0);
	else
		talk_fails(&t, 0, (enum kmip_reason)reason);
	talk_end(&t);
}

static void
attributes(struct world *w, struct talk *t, const char *uid, unsigned minor)
{
	talk_begin(t, minor);
	put_uid(talk_item(t, KMIP_OP_GET_ATTRIBUTES), uid);
	talk_send(w, t);
	talk_ok(t, 0);
}

static bool
has(const struct talk *t, const char *name)
{
	struct kmip_attr a;

	return talk_attr(t, 0, name, 0, &a);
}

START_TEST(custom_attributes_of_every_type_come_back)
{
	static const uint8_t big[16] = {0x7f, 1, 2, 3};
	const struct kmip_item values[] = {
	    {.type = KMIP_INTEGER, .value = big, .len = 4},
	    {.type = KMIP_LONG, .value = big, .len = 8},
	    {.type = KMIP_BIG, .value = big, .len = 16},
	    {.type = KMIP_ENUM, .value = big, .len = 4},
	    {.type = KMIP_BOOL, .value = big + 8, .len = 8},
	    {.type = KMIP_TEXT, .value = (const uint8_t *)"text", .len = 4},
	    {.type = KMIP_BYTES, .value = big, .len = 5},
	    {.type = KMIP_DATE, .value = big, .len = 8},
	    {.type = KMIP_INTERVAL, .value = big, .len = 4},
	};
	struct world w;
	struct talk t;
	struct kmip_attr a;
	struct kms_wr *wr;
	char uid[KMS_TAG_TEXT], name[16];
	size_t i, n = sizeof(values) / sizeof(values[0]);

	world_begin(&w);
	world_open(&w);
	create_key(&w, NULL, NULL, 256, uid);
	talk_begin(&t, 2);
	for (i = 0; i < n; i++) {
		size_t at;

		(void)snprintf(name, sizeof(name), "x-%zu", i);
		wr = talk_item(&t, KMIP_OP_ADD_ATTRIBUTE);
		put_uid(wr, uid);
		at = kmip_ttlv_begin(wr, TAG(ATTRIBUTE));
		kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME), name);
		kmip_ttlv_put_item(wr, TAG(ATTRIBUTE_VALUE), &values[i]);
		kmip_ttlv_end(wr, at);
	}
	talk_send(&w, &t);
	for (i = 0; i < n; i++)
		talk_ok(&t, i);
	talk_end(&t);
	attributes(&w, &t, uid, 2);
	for (i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "x-%zu", i);
		ck_assert(talk_attr(&t, 0, name, 0, &a));
		ck_assert_uint_eq(a.value.type, values[i].type);
		ck_assert_uint_eq(a.value.len, values[i].len);
		ck_assert_mem_eq(a.value.value, values[i].value, values[i].len);
	}
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(forty_attributes_of_long_names_and_values)
{
	struct world w;
	struct talk t;
	struct kms_wr *wr;
	char uid[KMS_TAG_TEXT], name[65], value[257];
	size_t at, i;

	world_begin(&w);
	world_open(&w);
	talk_begin(&t, 0);
	wr = talk_item(&t, KMIP_OP_CREATE);
	at = put_template(wr, KMIP_OBJECT_SYMMETRIC_KEY);
	put_aes(wr, 256);
	memset(value, 'v', sizeof(value) - 1);
	value[256] = '\0';
	for (i = 0; i < 40; i++) {
		(void)snprintf(name, sizeof(name), "x-%062zu", i);
		kmip_attr_put_custom(wr, name, value);
	}
	kmip_ttlv_end(wr, at);
	talk_send(&w, &t);
	talk_ok(&t, 0);
	talk_uid(&t, 0, 0, uid);
	talk_end(&t);
	attributes(&w, &t, uid, 0);
	for (i = 0; i < 40; i++) {
		(void)snprintf(name, sizeof(name), "x-%062zu", i);
		talk_attr_text(&t, 0, name, value);
	}
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(too_many_bytes_of_attributes_are_refused)
{
	static char value[KMIP_ATTR_VALUE_MAX + 2];
	struct world w;
	struct talk t;
	char uid[KMS_TAG_TEXT], name[16];
	int i;

	world_begin(&w);
	world_open(&w);
	create_key(&w, NULL, NULL, 256, uid);
	memset(value, 'v', KMIP_ATTR_VALUE_MAX + 1);
	set_text(&w, KMIP_OP_ADD_ATTRIBUTE, uid, "x-long", value,
	    KMIP_REASON_INVALID_FIELD);
	value[KMIP_ATTR_VALUE_MAX] = '\0';
	for (i = 0; i < 7; i++) {
		(void)snprintf(name, sizeof(name), "x-%d", i);
		set_text(&w, KMIP_OP_ADD_ATTRIBUTE, uid, name, value, 0);
	}
	set_text(&w, KMIP_OP_ADD_ATTRIBUTE, uid, "x-last", value,
	    KMIP_REASON_GENERAL_FAILURE);
	attributes(&w, &t, uid, 2);
	ck_assert(has(&t, "x-6"));
	ck_assert(!has(&t, "x-last"));
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(instances_keep_their_index)
{
	struct world w;
	struct talk t;
	struct kmip_attr a;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, NULL, NULL, 256, uid);
	set_text(&w, KMIP_OP_ADD_ATTRIBUTE, uid, "x-m", "zero", 0);
	set_text(&w, KMIP_OP_ADD_ATTRIBUTE, uid, "x-m", "one", 0);
	set_text(&w, KMIP_OP_ADD_ATTRIBUTE, uid, "x-m", "two", 0);
	delete_one(&w, uid, "x-m", 1, 0);
	delete_one(&w, uid, "x-m", 1, KMIP_REASON_ITEM_NOT_FOUND);
	attributes(&w, &t, uid, 2);
	talk_attr_text(&t, 0, "x-m", "zero");
	ck_assert(!talk_attr(&t, 0, "x-m", 1, &a));
	ck_assert(talk_attr(&t, 0, "x-m", 2, &a));
	ck_assert_mem_eq(a.value.value, "two", 3);
	talk_end(&t);
	set_text(&w, KMIP_OP_MODIFY_ATTRIBUTE, uid, "x-m", "changed", 0);
	set_text(&w, KMIP_OP_MODIFY_ATTRIBUTE, uid, "x-none", "v",
	    KMIP_REASON_ITEM_NOT_FOUND);
	delete_one(&w, uid, "x-m", -1, 0);
	attributes(&w, &t, uid, 2);
	ck_assert(!has(&t, "x-m"));
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(what_is_the_servers_is_not_the_clients_to_set)
{
	static const struct {
		const char *name, *value;
		enum kmip_reason reason;
	} no[] = {
	    {"Unique Identifier", "ff", KMIP_REASON_PERMISSION_DENIED},
	    {"x-keygroup", "other", KMIP_REASON_PERMISSION_DENIED},
	    {"x-keyGroup", "other", KMIP_REASON_PERMISSION_DENIED},
	    {"y-server", "v", KMIP_REASON_PERMISSION_DENIED},
	    {"State", "v", KMIP_REASON_PERMISSION_DENIED},
	    {"Cryptographic Length", "v", KMIP_REASON_PERMISSION_DENIED},
	    {"No Such Attribute", "v", KMIP_REASON_INVALID_FIELD},
	    {"Certificate Type", "v", KMIP_REASON_INVALID_FIELD},
	    {"x-", "v", KMIP_REASON_INVALID_FIELD},
	    {"", "v", KMIP_REASON_INVALID_FIELD},
	};
	struct world w;
	char uid[KMS_TAG_TEXT];
	size_t i;

	world_begin(&w);
	world_open(&w);
	create_key(&w, NULL, NULL, 256, uid);
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		set_text(&w, KMIP_OP_ADD_ATTRIBUTE, uid, no[i].name,
		    no[i].value, (int)no[i].reason);
		set_text(&w, KMIP_OP_MODIFY_ATTRIBUTE, uid, no[i].name,
		    no[i].value, (int)no[i].reason);
	}
	delete_one(&w, uid, "State", -1, KMIP_REASON_PERMISSION_DENIED);
	delete_one(&w, uid, "x-keygroup", -1, KMIP_REASON_PERMISSION_DENIED);
	delete_one(&w, uid, "Object Group", -1, KMIP_REASON_PERMISSION_DENIED);
	world_end(&w);
}
END_TEST

START_TEST(a_version_is_told_what_it_knows)
{
	static const struct {
		const char *name;
		unsigned since;
	} later[] = {{"Fresh", 1}, {"Original Creation Date", 2},
	    {"Alternative Name", 2}, {"Random Number Generator", 3},
	    {"Sensitive", 4}, {"Always Sensitive", 4}, {"Extractable", 4},
	    {"Never Extractable", 4}};
	struct world w;
	struct talk t;
	struct kms_wr *wr;
	char uid[KMS_TAG_TEXT];
	unsigned minor;
	size_t at, i;

	world_begin(&w);
	world_open(&w);
	talk_begin(&t, 4);
	wr = talk_item(&t, KMIP_OP_CREATE);
	at = put_template(wr, KMIP_OBJECT_SYMMETRIC_KEY);
	put_aes(wr, 256);
	put_alternative(wr, "BARCODE1");
	kmip_ttlv_end(wr, at);
	talk_send(&w, &t);
	talk_ok(&t, 0);
	talk_uid(&t, 0, 0, uid);
	talk_end(&t);
	for (minor = 0; minor <= KMIP_MINOR_MAX; minor++) {
		attributes(&w, &t, uid, minor);
		for (i = 0; i < sizeof(later) / sizeof(later[0]); i++)
			ck_assert_msg(has(&t, later[i].name) ==
				(minor >= later[i].since),
			    "%s in 1.%u", later[i].name, minor);
		talk_end(&t);
	}
	world_end(&w);
}
END_TEST

START_TEST(attributes_are_picked_by_name)
{
	struct world w;
	struct talk t;
	struct kms_wr *wr;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, "k", NULL, 256, uid);
	talk_begin(&t, 2);
	wr = talk_item(&t, KMIP_OP_GET_ATTRIBUTES);
	put_uid(wr, uid);
	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME), "Name");
	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME), "State");
	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME), "x-unset");
	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME), "Contact Information");
	put_uid(talk_item(&t, KMIP_OP_GET_ATTRIBUTE_LIST), uid);
	talk_send(&w, &t);
	talk_ok(&t, 0);
	ck_assert_uint_eq(talk_count(&t, 0, TAG(ATTRIBUTE)), 2);
	talk_ok(&t, 1);
	ck_assert_uint_ge(talk_count(&t, 1, TAG(ATTRIBUTE_NAME)), 12);
	talk_end(&t);
	world_end(&w);
}
END_TEST

static void
send_name(struct world *w, uint32_t op, const char *uid, const char *name,
    int reason)
{
	struct talk t;
	struct kms_wr *wr;

	talk_begin(&t, 2);
	wr = talk_item(&t, op);
	put_uid(wr, uid);
	kmip_attr_put_name(wr, name, KMIP_NAME_UNINTERPRETED_TEXT_STRING);
	talk_send(w, &t);
	if (reason == 0)
		talk_ok(&t, 0);
	else
		talk_fails(&t, 0, (enum kmip_reason)reason);
	talk_end(&t);
}

START_TEST(a_name_is_the_records_name)
{
	struct world w;
	struct talk t;
	struct kms_key_view view;
	struct kmip_attr a;
	char uid[KMS_TAG_TEXT], other[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, NULL, "disk", 256, uid);
	create_key(&w, "taken", "disk", 256, other);
	attributes(&w, &t, uid, 2);
	ck_assert(!has(&t, "Name")); /* the record's own was not asked for */
	talk_end(&t);
	send_name(&w, KMIP_OP_ADD_ATTRIBUTE, uid, "first", 0);
	world_view(&w, uid, &view);
	ck_assert_str_eq(view.key.name, "first");
	send_name(&w, KMIP_OP_MODIFY_ATTRIBUTE, uid, "renamed", 0);
	world_view(&w, uid, &view);
	ck_assert_str_eq(view.key.name, "renamed");
	send_name(&w, KMIP_OP_ADD_ATTRIBUTE, uid, "second", 0);
	attributes(&w, &t, uid, 2);
	talk_attr_text(&t, 0, "Name", "renamed");
	ck_assert(talk_attr(&t, 0, "Name", 1, &a));
	talk_end(&t);
	/* unique in the group, whether first name or second */
	send_name(&w, KMIP_OP_MODIFY_ATTRIBUTE, uid, "taken",
	    KMIP_REASON_INVALID_FIELD);
	send_name(&w, KMIP_OP_ADD_ATTRIBUTE, other, "second",
	    KMIP_REASON_INVALID_FIELD);
	send_name(&w, KMIP_OP_ADD_ATTRIBUTE, other, "renamed",
	    KMIP_REASON_INVALID_FIELD);
	delete_one(&w, uid, "Name", 0, 0);
	attributes(&w, &t, uid, 2);
	ck_assert(!has(&t, "Name"));
	ck_assert(talk_attr(&t, 0, "Name", 1, &a));
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(a_name_too_long_for_a_record_is_kept_all_the_same)
{
	struct world w;
	struct talk t;
	char uid[KMS_TAG_TEXT], name[400], same[KMS_TAG_TEXT];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	world_begin(&w);
	world_open(&w);
	create_key(&w, name, NULL, 256, uid);
	attributes(&w, &t, uid, 2);
	talk_attr_text(&t, 0, "Name", name);
	talk_end(&t);
	talk_begin(&t, 2);
	kmip_attr_put_name(talk_item(&t, KMIP_OP_LOCATE), name,
	    KMIP_NAME_UNINTERPRETED_TEXT_STRING);
	talk_send(&w, &t);
	talk_uid(&t, 0, 0, same);
	ck_assert_str_eq(uid, same);
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(application_data_is_one_objects)
{
	struct world w;
	struct talk t;
	struct kms_wr *wr;
	char a[KMS_TAG_TEXT], b[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, NULL, "one", 256, a);
	create_key(&w, NULL, "two", 256, b);
	talk_begin(&t, 2);
	t.req->on_error = KMIP_BATCH_CONTINUE;
	wr = talk_item(&t, KMIP_OP_ADD_ATTRIBUTE);
	put_uid(wr, a);
	put_application(wr, "LIBRARY-LTO", "AA");
	wr = talk_item(&t, KMIP_OP_ADD_ATTRIBUTE);
	put_uid(wr, b);
	put_application(wr, "LIBRARY-LTO", "AA");
	wr = talk_item(&t, KMIP_OP_ADD_ATTRIBUTE);
	put_uid(wr, b);
	put_application(wr, "LIBRARY-LTO", "BB");
	wr = talk_item(&t, KMIP_OP_ADD_ATTRIBUTE);
	put_uid(wr, b);
	put_application(wr, "OTHER", "AA");
	talk_send(&w, &t);
	talk_ok(&t, 0);
	talk_fails(&t, 1, KMIP_REASON_INVALID_FIELD);
	talk_ok(&t, 2);
	talk_ok(&t, 3);
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(an_object_moves_with_its_group)
{
	struct world w;
	struct talk t;
	struct kms_wr *wr;
	struct kms_key_view view;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, "k", "one", 256, uid);
	world_group(&w, "two", NULL);
	world_rule(&w, "one two", "*");
	talk_begin(&t, 2);
	t.req->on_error = KMIP_BATCH_CONTINUE;
	wr = talk_item(&t, KMIP_OP_MODIFY_ATTRIBUTE);
	put_uid(wr, uid);
	kmip_attr_put_text(wr, TAG(OBJECT_GROUP), "three");
	wr = talk_item(&t, KMIP_OP_MODIFY_ATTRIBUTE);
	put_uid(wr, uid);
	kmip_attr_put_text(wr, TAG(OBJECT_GROUP), "two");
	talk_send(&w, &t);
	talk_fails(&t, 0, KMIP_REASON_PERMISSION_DENIED);
	talk_ok(&t, 1);
	talk_end(&t);
	world_view(&w, uid, &view);
	ck_assert_str_eq(view.group, "two");
	attributes(&w, &t, uid, 2);
	talk_attr_text(&t, 0, "x-keygroup", "two");
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(a_description_is_the_records)
{
	struct world w;
	struct talk t;
	struct kms_wr *wr;
	struct kms_key_view view;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, "k", NULL, 256, uid);
	talk_begin(&t, 4);
	wr = talk_item(&t, KMIP_OP_ADD_ATTRIBUTE);
	put_uid(wr, uid);
	kmip_attr_put_text(wr, TAG(DESCRIPTION), "for the vault");
	talk_send(&w, &t);
	talk_ok(&t, 0);
	talk_end(&t);
	world_view(&w, uid, &view);
	ck_assert_str_eq(view.key.description, "for the vault");
	attributes(&w, &t, uid, 4);
	talk_attr_text(&t, 0, "Description", "for the vault");
	talk_end(&t);
	delete_one(&w, uid, "Description", -1, 0);
	world_view(&w, uid, &view);
	ck_assert_str_eq(view.key.description, "");
	world_end(&w);
}
END_TEST

START_TEST(dates_move_the_object_or_are_refused)
{
	struct world w;
	struct talk t;
	struct kms_wr *wr;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, "k", NULL, 256, uid);
	talk_begin(&t, 4);
	t.req->on_error = KMIP_BATCH_CONTINUE;
	wr = talk_item(&t, KMIP_OP_MODIFY_ATTRIBUTE);
	put_uid(wr, uid);
	kmip_attr_put_date(wr, TAG(ACTIVATION_DATE), INT64_C(99999999999));
	wr = talk_item(&t, KMIP_OP_MODIFY_ATTRIBUTE);
	put_uid(wr, uid);
	kmip_attr_put_date(wr, TAG(ACTIVATION_DATE), 1);
	wr = talk_item(&t, KMIP_OP_MODIFY_ATTRIBUTE);
	put_uid(wr, uid); /* SKLC-M-3: not once it is Active */
	kmip_attr_put_date(wr, TAG(ACTIVATION_DATE), 1);
	wr = talk_item(&t, KMIP_OP_ADD_ATTRIBUTE);
	put_uid(wr, uid);
	kmip_attr_put_date(wr, TAG(DEACTIVATION_DATE), 1);
	talk_send(&w, &t);
	talk_fails(&t, 0, KMIP_REASON_INVALID_FIELD);
	talk_ok(&t, 1);
	talk_fails(&t, 2, KMIP_REASON_PERMISSION_DENIED);
	talk_ok(&t, 3);
	talk_end(&t);
	ck_assert_int_eq(state_of(&w, uid), KMIP_STATE_DEACTIVATED);
	world_end(&w);
}
END_TEST

START_TEST(attributes_outlive_a_restart)
{
	struct world w;
	struct talk t;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, "k", "disk", 256, uid);
	set_text(&w, KMIP_OP_ADD_ATTRIBUTE, uid, "x-m", "value", 0);
	world_reopen(&w);
	attributes(&w, &t, uid, 2);
	talk_attr_text(&t, 0, "x-m", "value");
	talk_attr_text(&t, 0, "Name", "k");
	talk_end(&t);
	world_end(&w);
}
END_TEST

TCase *
test_attr(void)
{
	TCase *t = tcase_create("attr");

	tcase_set_timeout(t, 30);
	tcase_add_test(t, custom_attributes_of_every_type_come_back);
	tcase_add_test(t, forty_attributes_of_long_names_and_values);
	tcase_add_test(t, too_many_bytes_of_attributes_are_refused);
	tcase_add_test(t, instances_keep_their_index);
	tcase_add_test(t, what_is_the_servers_is_not_the_clients_to_set);
	tcase_add_test(t, a_version_is_told_what_it_knows);
	tcase_add_test(t, attributes_are_picked_by_name);
	tcase_add_test(t, a_name_is_the_records_name);
	tcase_add_test(t, a_name_too_long_for_a_record_is_kept_all_the_same);
	tcase_add_test(t, application_data_is_one_objects);
	tcase_add_test(t, an_object_moves_with_its_group);
	tcase_add_test(t, a_description_is_the_records);
	tcase_add_test(t, dates_move_the_object_or_are_refused);
	tcase_add_test(t, attributes_outlive_a_restart);
	return t;
}
