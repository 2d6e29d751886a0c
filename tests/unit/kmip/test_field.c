/* The message sequences of clients in the field, as they go over the wire. */
#include <stdio.h>

#include "tests/unit/kmip/world.h"

#define TAG(id) KMIP_TAG_##id

/* NetBackup as KMIP client: by x-keygroup and state, then by identifier. */
START_TEST(netbackup_finds_the_active_key_of_a_group)
{
	struct world w;
	struct talk t;
	struct kms_wr *wr;
	char uid[KMS_TAG_TEXT], found[KMS_TAG_TEXT];
	size_t at;

	world_begin(&w);
	world_open(&w);
	talk_begin(&t, 2);
	wr = talk_item(&t, KMIP_OP_CREATE);
	at = put_template(wr, KMIP_OBJECT_SYMMETRIC_KEY);
	put_aes(wr, 256);
	put_text_name(wr, "nbu-key");
	kmip_attr_put_custom(wr, "x-keygroup", "msdp:volume");
	kmip_attr_put_custom(wr, "x-application", "NetBackup");
	kmip_ttlv_end(wr, at);
	(void)talk_item(&t, KMIP_OP_ACTIVATE);
	talk_send(&w, &t);
	talk_ok(&t, 1);
	talk_uid(&t, 1, 0, uid);
	talk_end(&t);
	talk_begin(&t, 2);
	wr = talk_item(&t, KMIP_OP_LOCATE);
	kmip_attr_put_custom(wr, "x-keygroup", "msdp:volume");
	kmip_attr_put_custom(wr, "x-application", "NetBackup");
	kmip_attr_put_enum(wr, TAG(STATE), KMIP_STATE_ACTIVE);
	(void)talk_item(&t, KMIP_OP_GET);
	talk_send(&w, &t);
	talk_uid(&t, 0, 0, found);
	ck_assert_str_eq(uid, found);
	talk_ok(&t, 1);
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(vcenter_adds_its_attributes_after_creation)
{
	static const char *const names[] = {"x-Product_Version", "x-Vendor",
	    "x-Product"};
	struct world w;
	struct talk t;
	struct kms_wr *wr;
	char uid[KMS_TAG_TEXT];
	uint8_t key[32];
	size_t i;

	world_begin(&w);
	world_open(&w);
	world_rule(&w, "vcenter", "*");
	talk_begin(&t, 1);
	(void)talk_item(&t, KMIP_OP_DISCOVER_VERSIONS);
	talk_send(&w, &t);
	talk_ok(&t, 0);
	talk_end(&t);
	create_key(&w, NULL, NULL, 256, uid);
	for (i = 0; i < 3; i++) {
		talk_begin(&t, 1);
		wr = talk_item(&t, KMIP_OP_ADD_ATTRIBUTE);
		put_uid(wr, uid);
		kmip_attr_put_custom(wr, names[i], "VMware 8.0");
		talk_send(&w, &t);
		talk_ok(&t, 0);
		talk_end(&t);
	}
	talk_begin(&t, 1);
	wr = talk_item(&t, KMIP_OP_GET_ATTRIBUTES);
	put_uid(wr, uid);
	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME), "x-Product_Version");
	talk_send(&w, &t);
	talk_attr_text(&t, 0, "x-Product_Version", "VMware 8.0");
	talk_end(&t);
	get_bytes(&w, uid, key, 32);
	world_end(&w);
}
END_TEST

/* Percona and pg_tde: Register with Name and Object Group, then found by
 * both, in pages of 16. */
START_TEST(percona_registers_and_pages_through_its_group)
{
	static const uint8_t bytes[32] = "a key that a database made";
	struct world w;
	struct talk t;
	struct kms_wr *wr;
	char name[16];
	size_t at, in, value, k;

	world_begin(&w);
	world_open(&w);
	for (k = 0; k < 18; k++) {
		talk_begin(&t, 4);
		wr = talk_item(&t, KMIP_OP_REGISTER);
		at = put_template(wr, KMIP_OBJECT_SYMMETRIC_KEY);
		put_aes(wr, 256);
		(void)snprintf(name, sizeof(name), "db-%zu", k);
		put_text_name(wr, name);
		kmip_attr_put_text(wr, TAG(OBJECT_GROUP), "pg_tde");
		kmip_ttlv_end(wr, at);
		at = kmip_ttlv_begin(wr, TAG(SYMMETRIC_KEY));
		in = kmip_ttlv_begin(wr, TAG(KEY_BLOCK));
		kmip_ttlv_put_enum(wr, TAG(KEY_FORMAT_TYPE), KMIP_FORMAT_RAW);
		value = kmip_ttlv_begin(wr, TAG(KEY_VALUE));
		kmip_ttlv_put_bytes(wr, TAG(KEY_MATERIAL), bytes, 32);
		kmip_ttlv_end(wr, value);
		kmip_ttlv_put_enum(wr, TAG(CRYPTOGRAPHIC_ALGORITHM),
		    KMIP_ALG_AES);
		kmip_ttlv_put_int(wr, TAG(CRYPTOGRAPHIC_LENGTH), 256);
		kmip_ttlv_end(wr, in);
		kmip_ttlv_end(wr, at);
		(void)talk_item(&t, KMIP_OP_ACTIVATE);
		talk_send(&w, &t);
		talk_ok(&t, 0);
		talk_ok(&t, 1);
		talk_end(&t);
	}
	for (k = 0; k < 2; k++) {
		talk_begin(&t, 4);
		wr = talk_item(&t, KMIP_OP_LOCATE);
		kmip_ttlv_put_int(wr, TAG(MAXIMUM_ITEMS), 16);
		kmip_ttlv_put_int(wr, TAG(OFFSET_ITEMS), (int32_t)(16 * k));
		kmip_attr_put_text(wr, TAG(OBJECT_GROUP), "pg_tde");
		talk_send(&w, &t);
		ck_assert_uint_eq(talk_count(&t, 0, TAG(UNIQUE_IDENTIFIER)),
		    k == 0 ? 16 : 2);
		talk_end(&t);
	}
	talk_begin(&t, 4);
	wr = talk_item(&t, KMIP_OP_LOCATE);
	kmip_attr_put_enum(wr, TAG(OBJECT_TYPE), KMIP_OBJECT_SYMMETRIC_KEY);
	put_text_name(wr, "db-7");
	(void)talk_item(&t, KMIP_OP_GET);
	talk_send(&w, &t);
	talk_ok(&t, 1);
	talk_end(&t);
	world_end(&w);
}
END_TEST

/* MongoDB: KMIP 1.0, 8192 bytes at most, polls the state of its key. */
START_TEST(mongodb_polls_the_state_of_its_key)
{
	struct world w;
	struct talk t;
	struct kms_wr *wr;
	char uid[KMS_TAG_TEXT];
	size_t at;

	world_begin(&w);
	world_open(&w);
	talk_begin(&t, 0);
	t.req->max_response = 8192;
	wr = talk_item(&t, KMIP_OP_CREATE);
	at = put_template(wr, KMIP_OBJECT_SYMMETRIC_KEY);
	kmip_attr_put_enum(wr, TAG(CRYPTOGRAPHIC_ALGORITHM), KMIP_ALG_AES);
	kmip_attr_put_int(wr, TAG(CRYPTOGRAPHIC_LENGTH), 256);
	kmip_attr_put_int(wr, TAG(CRYPTOGRAPHIC_USAGE_MASK), 2108);
	kmip_ttlv_end(wr, at);
	talk_send(&w, &t);
	talk_ok(&t, 0);
	talk_uid(&t, 0, 0, uid);
	talk_end(&t);
	simple(&w, KMIP_OP_ACTIVATE, uid);
	talk_begin(&t, 0);
	t.req->max_response = 8192;
	kmip_attr_put_enum(talk_item(&t, KMIP_OP_LOCATE), TAG(OBJECT_TYPE),
	    KMIP_OBJECT_SYMMETRIC_KEY);
	talk_send(&w, &t);
	ck_assert_uint_eq(talk_count(&t, 0, TAG(UNIQUE_IDENTIFIER)), 1);
	talk_end(&t);
	talk_begin(&t, 0);
	wr = talk_item(&t, KMIP_OP_GET_ATTRIBUTES);
	put_uid(wr, uid);
	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME), "State");
	talk_send(&w, &t);
	ck_assert_int_eq(talk_attr_number(&t, 0, "State"), KMIP_STATE_ACTIVE);
	talk_end(&t);
	world_end(&w);
}
END_TEST

/* Synology: Secret Data, renamed while Pre-Active. */
START_TEST(synology_renames_its_secret_before_it_is_active)
{
	static const uint8_t bytes[] = "volume key";
	struct world w;
	struct talk t;
	struct kms_wr *wr;
	char uid[KMS_TAG_TEXT], found[KMS_TAG_TEXT];
	uint8_t back[32];
	size_t at, in, value;

	world_begin(&w);
	world_open(&w);
	talk_begin(&t, 2);
	wr = talk_item(&t, KMIP_OP_REGISTER);
	at = put_template(wr, KMIP_OBJECT_SECRET_DATA);
	kmip_attr_put_int(wr, TAG(CRYPTOGRAPHIC_USAGE_MASK), 1);
	kmip_attr_put_text(wr, TAG(OPERATION_POLICY_NAME), "default");
	put_text_name(wr, "tmp");
	kmip_ttlv_end(wr, at);
	at = kmip_ttlv_begin(wr, TAG(SECRET_DATA));
	kmip_ttlv_put_enum(wr, TAG(SECRET_DATA_TYPE), KMIP_SECRET_PASSWORD);
	in = kmip_ttlv_begin(wr, TAG(KEY_BLOCK));
	kmip_ttlv_put_enum(wr, TAG(KEY_FORMAT_TYPE), KMIP_FORMAT_OPAQUE);
	value = kmip_ttlv_begin(wr, TAG(KEY_VALUE));
	kmip_ttlv_put_bytes(wr, TAG(KEY_MATERIAL), bytes, 10);
	kmip_ttlv_end(wr, value);
	kmip_ttlv_end(wr, in);
	kmip_ttlv_end(wr, at);
	talk_send(&w, &t);
	talk_ok(&t, 0);
	talk_uid(&t, 0, 0, uid);
	talk_end(&t);
	talk_begin(&t, 2);
	wr = talk_item(&t, KMIP_OP_MODIFY_ATTRIBUTE);
	put_uid(wr, uid);
	put_text_name(wr, "final");
	put_text_name(talk_item(&t, KMIP_OP_LOCATE), "final");
	(void)talk_item(&t, KMIP_OP_ACTIVATE);
	(void)talk_item(&t, KMIP_OP_GET_ATTRIBUTE_LIST);
	(void)talk_item(&t, KMIP_OP_GET_ATTRIBUTES);
	(void)talk_item(&t, KMIP_OP_GET);
	talk_send(&w, &t);
	ck_assert_uint_eq(t.res->n, 6);
	talk_ok(&t, 5);
	talk_uid(&t, 1, 0, found);
	ck_assert_str_eq(uid, found);
	talk_attr_text(&t, 4, "Operation Policy Name", "default");
	ck_assert_uint_eq(talk_material(&t, 5, back, sizeof(back)), 10);
	ck_assert_mem_eq(back, bytes, 10);
	talk_end(&t);
	simple(&w, KMIP_OP_REVOKE, uid);
	simple(&w, KMIP_OP_DESTROY, uid);
	world_end(&w);
}
END_TEST

/* VAST: names its key after creating it, re-keys, watches the state. */
START_TEST(vast_names_its_key_afterwards_and_re_keys_it)
{
	struct world w;
	struct talk t;
	struct kms_wr *wr;
	char uid[KMS_TAG_TEXT], new[KMS_TAG_TEXT], found[KMS_TAG_TEXT];
	size_t at;

	world_begin(&w);
	world_open(&w);
	create_key(&w, NULL, NULL, 256, uid);
	talk_begin(&t, 4);
	wr = talk_item(&t, KMIP_OP_ADD_ATTRIBUTE);
	put_uid(wr, uid);
	put_text_name(wr, "vast-ekm");
	wr = talk_item(&t, KMIP_OP_ADD_ATTRIBUTE);
	put_uid(wr, uid);
	kmip_attr_put_text(wr, TAG(OBJECT_GROUP), "vast");
	wr = talk_item(&t, KMIP_OP_ADD_ATTRIBUTE);
	put_uid(wr, uid);
	kmip_attr_put_text(wr, TAG(OPERATION_POLICY_NAME), "default");
	put_uid(talk_item(&t, KMIP_OP_ACTIVATE), uid);
	put_uid(talk_item(&t, KMIP_OP_RE_KEY), uid);
	talk_send(&w, &t);
	ck_assert_uint_eq(t.res->n, 5);
	talk_ok(&t, 4);
	talk_uid(&t, 4, 0, new);
	talk_end(&t);
	talk_begin(&t, 4);
	wr = talk_item(&t, KMIP_OP_LOCATE);
	kmip_ttlv_put_int(wr, TAG(MAXIMUM_ITEMS), 1);
	at = kmip_ttlv_begin(wr, TAG(TEMPLATE_ATTRIBUTE));
	put_text_name(wr, "vast-ekm");
	kmip_ttlv_end(wr, at);
	(void)talk_item(&t, KMIP_OP_GET);
	wr = talk_item(&t, KMIP_OP_GET_ATTRIBUTES);
	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME), "State");
	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME), "Activation Date");
	talk_send(&w, &t);
	talk_uid(&t, 0, 0, found);
	ck_assert_str_eq(new, found);
	talk_ok(&t, 1);
	ck_assert_int_eq(talk_attr_number(&t, 2, "State"), KMIP_STATE_ACTIVE);
	ck_assert(talk_has(&t, 2, "Activation Date"));
	talk_end(&t);
	ck_assert_int_eq(state_of(&w, uid), KMIP_STATE_ACTIVE);
	world_end(&w);
}
END_TEST

/* FortiGate: 1.0, four Locates with Template-Attribute in one message. */
START_TEST(fortigate_locates_four_at_once)
{
	struct world w;
	struct talk t;
	struct kms_wr *wr;
	char uid[KMS_TAG_TEXT], name[16];
	size_t at, i;

	world_begin(&w);
	world_open(&w);
	for (i = 0; i < 2; i++) {
		(void)snprintf(name, sizeof(name), "forti-%zu", i);
		create_key(&w, name, NULL, 256, uid);
	}
	talk_begin(&t, 0);
	t.req->max_response = 65536;
	for (i = 0; i < 4; i++) {
		wr = talk_item(&t, KMIP_OP_LOCATE);
		kmip_ttlv_put_int(wr, TAG(MAXIMUM_ITEMS), 1);
		at = kmip_ttlv_begin(wr, TAG(TEMPLATE_ATTRIBUTE));
		(void)snprintf(name, sizeof(name), "forti-%zu", i);
		put_text_name(wr, name);
		kmip_ttlv_end(wr, at);
	}
	talk_send(&w, &t);
	ck_assert_uint_eq(t.res->n, 4);
	for (i = 0; i < 4; i++) {
		talk_ok(&t, i);
		ck_assert_uint_eq(talk_count(&t, i, TAG(UNIQUE_IDENTIFIER)),
		    i < 2);
	}
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(mysql_creates_activates_and_ends_its_key)
{
	struct world w;
	char uid[KMS_TAG_TEXT];
	uint8_t key[32];

	world_begin(&w);
	world_open(&w);
	create_key(&w, NULL, NULL, 256, uid);
	simple(&w, KMIP_OP_ACTIVATE, uid);
	get_bytes(&w, uid, key, 32);
	simple(&w, KMIP_OP_REVOKE, uid);
	simple(&w, KMIP_OP_DESTROY, uid);
	world_end(&w);
}
END_TEST

TCase *
test_field(void)
{
	TCase *t = tcase_create("field");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, netbackup_finds_the_active_key_of_a_group);
	tcase_add_test(t, vcenter_adds_its_attributes_after_creation);
	tcase_add_test(t, percona_registers_and_pages_through_its_group);
	tcase_add_test(t, mongodb_polls_the_state_of_its_key);
	tcase_add_test(t, synology_renames_its_secret_before_it_is_active);
	tcase_add_test(t, vast_names_its_key_afterwards_and_re_keys_it);
	tcase_add_test(t, fortigate_locates_four_at_once);
	tcase_add_test(t, mysql_creates_activates_and_ends_its_key);
	return t;
}
