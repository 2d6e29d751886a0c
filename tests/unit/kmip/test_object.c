/* Objects made, registered, fetched: the same bytes come back, and only to
 * whom they may. */
#include "tests/unit/kmip/world.h"

#include <stdlib.h>
#include <string.h>

#include "kms/base/crypt.h"
#include "kms/material.h"

#define TAG(id) KMIP_TAG_##id

/* Register's object, as clients nest it. */
struct object {
	uint32_t type, tag, subtype_tag, subtype, format, algorithm;
	int32_t bits;
	const uint8_t *p;
	size_t len;
};

static void
put_key_block(struct kms_wr *wr, const struct object *o)
{
	size_t block = kmip_ttlv_begin(wr, TAG(KEY_BLOCK)), value, material;

	kmip_ttlv_put_enum(wr, TAG(KEY_FORMAT_TYPE), o->format);
	value = kmip_ttlv_begin(wr, TAG(KEY_VALUE));
	if (o->format == KMIP_FORMAT_TRANSPARENT_SYMMETRIC_KEY) {
		material = kmip_ttlv_begin(wr, TAG(KEY_MATERIAL));
		kmip_ttlv_put_bytes(wr, TAG(KEY), o->p, o->len);
		kmip_ttlv_end(wr, material);
	} else {
		kmip_ttlv_put_bytes(wr, TAG(KEY_MATERIAL), o->p, o->len);
	}
	kmip_ttlv_end(wr, value);
	if (o->algorithm != 0)
		kmip_ttlv_put_enum(wr, TAG(CRYPTOGRAPHIC_ALGORITHM),
		    o->algorithm);
	if (o->bits != 0)
		kmip_ttlv_put_int(wr, TAG(CRYPTOGRAPHIC_LENGTH), o->bits);
	kmip_ttlv_end(wr, block);
}

static void
put_register(struct kms_wr *wr, const struct object *o)
{
	size_t at = put_template(wr, o->type);

	kmip_attr_put_int(wr, TAG(CRYPTOGRAPHIC_USAGE_MASK),
	    KMIP_MASK_ENCRYPT | KMIP_MASK_DECRYPT);
	kmip_ttlv_end(wr, at);
	at = kmip_ttlv_begin(wr, o->tag);
	if (o->subtype_tag != 0)
		kmip_ttlv_put_enum(wr, o->subtype_tag, o->subtype);
	if (o->type == KMIP_OBJECT_OPAQUE_OBJECT)
		kmip_ttlv_put_bytes(wr, TAG(OPAQUE_DATA_VALUE), o->p, o->len);
	else
		put_key_block(wr, o);
	kmip_ttlv_end(wr, at);
}

static const uint8_t secret_bytes[96] = "96 bytes that a database calls its "
					"seed, and that must come back";

static const struct object objects[] = {
    {KMIP_OBJECT_SYMMETRIC_KEY, TAG(SYMMETRIC_KEY), 0, 0, KMIP_FORMAT_RAW,
	KMIP_ALG_AES, 256, secret_bytes, 32},
    {KMIP_OBJECT_SYMMETRIC_KEY, TAG(SYMMETRIC_KEY), 0, 0, KMIP_FORMAT_RAW,
	KMIP_ALG_AES, 128, secret_bytes, 16},
    {KMIP_OBJECT_SYMMETRIC_KEY, TAG(SYMMETRIC_KEY), 0, 0,
	KMIP_FORMAT_TRANSPARENT_SYMMETRIC_KEY, KMIP_ALG_AES, 0, secret_bytes,
	32},
    {KMIP_OBJECT_SYMMETRIC_KEY, TAG(SYMMETRIC_KEY), 0, 0, KMIP_FORMAT_RAW,
	KMIP_ALG_HMAC_SHA256, 0, secret_bytes, 48},
    {KMIP_OBJECT_SECRET_DATA, TAG(SECRET_DATA), TAG(SECRET_DATA_TYPE),
	KMIP_SECRET_SEED, KMIP_FORMAT_RAW, 0, 0, secret_bytes, 96},
    {KMIP_OBJECT_SECRET_DATA, TAG(SECRET_DATA), TAG(SECRET_DATA_TYPE),
	KMIP_SECRET_PASSWORD, KMIP_FORMAT_OPAQUE, 0, 0, secret_bytes, 9},
    {KMIP_OBJECT_OPAQUE_OBJECT, TAG(OPAQUE_OBJECT), TAG(OPAQUE_DATA_TYPE),
	0x80000001, 0, 0, 0, secret_bytes, 77},
};
#define OBJECTS ((int)(sizeof(objects) / sizeof(objects[0])))

static void
send_register(struct world *w, struct talk *t, const struct object *o)
{
	talk_begin(t, 4);
	put_register(talk_item(t, KMIP_OP_REGISTER), o);
	talk_send(w, t);
}

START_TEST(a_key_is_created_and_fetched)
{
	struct world w;
	uint8_t a[32], b[32], zero[32] = {0};
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, "k1", NULL, 256, uid);
	ck_assert_uint_eq(strlen(uid), 64);
	get_bytes(&w, uid, a, 32);
	get_bytes(&w, uid, b, 32);
	ck_assert_mem_eq(a, b, 32);
	ck_assert_mem_ne(a, zero, 32);
	world_end(&w);
}
END_TEST

START_TEST(shorter_aes_keys_are_kept_sealed)
{
	static const int32_t bits[] = {128, 192};
	struct world w;
	uint8_t a[32], b[32];
	char uid[KMS_TAG_TEXT];
	size_t i;

	world_begin(&w);
	world_open(&w);
	for (i = 0; i < 2; i++) {
		size_t len = (size_t)bits[i] / 8;

		create_key(&w, NULL, NULL, bits[i], uid);
		ck_assert_uint_eq(strlen(uid), 32);
		get_bytes(&w, uid, a, len);
		get_bytes(&w, uid, b, len);
		ck_assert_mem_eq(a, b, len);
	}
	world_end(&w);
}
END_TEST

START_TEST(what_was_registered_comes_back)
{
	const struct object *o = &objects[_i];
	struct world w;
	struct talk t;
	struct kmip_item item;
	uint8_t got[96];
	char uid[KMS_TAG_TEXT];
	size_t len;

	world_begin(&w);
	world_open(&w);
	send_register(&w, &t, o);
	talk_ok(&t, 0);
	talk_uid(&t, 0, 0, uid);
	/* some clients stop at anything more in this answer */
	ck_assert_uint_eq(t.res->answer[0].payload_len,
	    kmip_ttlv_space(strlen(uid)));
	talk_end(&t);

	talk_begin(&t, 0);
	put_uid(talk_item(&t, KMIP_OP_GET), uid);
	talk_send(&w, &t);
	talk_ok(&t, 0);
	len = talk_material(&t, 0, got, sizeof(got));
	ck_assert_uint_eq(len, o->len);
	ck_assert_mem_eq(got, o->p, len);
	ck_assert(talk_field(&t, 0, TAG(OBJECT_TYPE), &item));
	ck_assert_uint_eq(kms_get32(item.value), o->type);
	ck_assert(talk_field(&t, 0, o->tag, &item));
	ck_assert_ptr_nonnull(t.reply.secret); /* in locked memory */
	talk_end(&t);

	/* a copied store shows nothing of it */
	ck_assert(!fx_contains(w.fx, w.options.path, o->p, 9));
	world_end(&w);
}
END_TEST

START_TEST(a_registered_keys_tag_tells_its_check_value)
{
	struct world w;
	struct talk t;
	struct kms_secret *key = NULL;
	struct kms_tag tag;
	uint8_t kcv[KMS_KCV_LEN];
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	send_register(&w, &t, &objects[0]);
	talk_ok(&t, 0);
	talk_uid(&t, 0, 0, uid);
	talk_end(&t);
	ok(kms_tag_parse(&tag, uid));
	ok(kms_secret_new(32, &key));
	memcpy(kms_secret_fill(key), secret_bytes, 32);
	ok(kms_kcv(key, kcv));
	ck_assert(kms_tag_checks(&tag, kcv));
	kms_secret_free(&key);
	world_end(&w);
}
END_TEST

START_TEST(objects_that_cannot_be_kept_are_refused)
{
	static uint8_t big[KMIP_MATERIAL_MAX + 1];
	static const struct {
		struct object o;
		enum kmip_reason reason;
	} no[] = {
	    {{KMIP_OBJECT_SYMMETRIC_KEY, TAG(SYMMETRIC_KEY), 0, 0,
		 KMIP_FORMAT_RAW, KMIP_ALG_AES, 256, secret_bytes, 31},
		KMIP_REASON_INVALID_FIELD},
	    {{KMIP_OBJECT_SYMMETRIC_KEY, TAG(SYMMETRIC_KEY), 0, 0,
		 KMIP_FORMAT_RAW, 0, 0, secret_bytes, 32},
		KMIP_REASON_MISSING_DATA},
	    {{KMIP_OBJECT_SYMMETRIC_KEY, TAG(SYMMETRIC_KEY), 0, 0,
		 KMIP_FORMAT_PKCS8, KMIP_ALG_AES, 0, secret_bytes, 32},
		KMIP_REASON_KEY_FORMAT_TYPE_NOT_SUPPORTED},
	    {{KMIP_OBJECT_SECRET_DATA, TAG(SECRET_DATA), TAG(SECRET_DATA_TYPE),
		 KMIP_SECRET_SEED, KMIP_FORMAT_RAW, 0, 0, secret_bytes, 0},
		KMIP_REASON_INVALID_FIELD},
	    {{KMIP_OBJECT_SECRET_DATA, TAG(SECRET_DATA), TAG(SECRET_DATA_TYPE),
		 KMIP_SECRET_SEED, KMIP_FORMAT_RAW, 0, 0, big, sizeof(big)},
		KMIP_REASON_INVALID_FIELD},
	    {{KMIP_OBJECT_SECRET_DATA, TAG(SYMMETRIC_KEY), 0, 0,
		 KMIP_FORMAT_RAW, KMIP_ALG_AES, 0, secret_bytes, 32},
		KMIP_REASON_MISSING_DATA},
	    {{KMIP_OBJECT_PRIVATE_KEY, TAG(SYMMETRIC_KEY), 0, 0,
		 KMIP_FORMAT_RAW, KMIP_ALG_RSA, 0, secret_bytes, 32},
		KMIP_REASON_INVALID_FIELD},
	};
	struct world w;
	struct talk t;
	size_t i;

	world_begin(&w);
	world_open(&w);
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		send_register(&w, &t, &no[i].o);
		talk_fails(&t, 0, no[i].reason);
		talk_end(&t);
	}
	ck_assert_uint_eq(kms_store_generation(w.store), 1);
	world_end(&w);
}
END_TEST

/* AES-256 (0) and something sealed (4), in formats that are and are not. */
START_TEST(a_format_is_given_or_refused)
{
	static const struct {
		int object;
		uint32_t format;
		bool good;
	} cases[] = {
	    {0, KMIP_FORMAT_RAW, true},
	    {0, KMIP_FORMAT_TRANSPARENT_SYMMETRIC_KEY, true},
	    {0, KMIP_FORMAT_PKCS1, false},
	    {4, KMIP_FORMAT_RAW, true},
	    {4, KMIP_FORMAT_TRANSPARENT_SYMMETRIC_KEY, false},
	    {4, KMIP_FORMAT_OPAQUE, false},
	};
	struct world w;
	struct talk t;
	struct kms_wr *wr;
	char uid[KMS_TAG_TEXT];
	size_t i;

	world_begin(&w);
	world_open(&w);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		send_register(&w, &t, &objects[cases[i].object]);
		talk_uid(&t, 0, 0, uid);
		talk_end(&t);
		talk_begin(&t, 4);
		wr = talk_item(&t, KMIP_OP_GET);
		put_uid(wr, uid);
		kmip_ttlv_put_enum(wr, TAG(KEY_FORMAT_TYPE), cases[i].format);
		talk_send(&w, &t);
		if (cases[i].good)
			talk_ok(&t, 0);
		else
			talk_fails(&t, 0,
			    KMIP_REASON_KEY_FORMAT_TYPE_NOT_SUPPORTED);
		talk_end(&t);
	}
	world_end(&w);
}
END_TEST

START_TEST(a_key_is_not_taken_from_unlocked_memory)
{
	struct kmip_message m = {.locked = false};
	struct kmip_request *req = calloc(1, sizeof(*req));
	struct kmip_response *res = calloc(1, sizeof(*res));
	struct kmip_reply reply;
	struct kms_wr payload, wr;
	struct world w;
	const uint8_t *p;
	size_t len;

	world_begin(&w);
	world_open(&w);
	kms_wr_grow(&payload, 4096);
	put_register(&payload, &objects[0]);
	req->n = 1;
	req->call[0].op = KMIP_OP_REGISTER;
	req->call[0].payload = (struct kmip_item){.type = KMIP_STRUCTURE,
	    .value = payload.p,
	    .len = payload.len};
	kms_wr_grow(&wr, 8192);
	kmip_msg_put_request(&wr, req);
	m.p = wr.p;
	m.len = wr.len;
	ok(kmip_batch_run(w.service, &w.actor, &m, &reply));
	p = kmip_reply_bytes(&reply, &len);
	ok(kmip_msg_read_response(res, p, len));
	ck_assert_uint_eq(res->answer[0].reason, KMIP_REASON_INVALID_MESSAGE);
	kmip_reply_clear(&reply);
	kms_wr_free(&wr);
	kms_wr_free(&payload);
	free(req);
	free(res);
	world_end(&w);
}
END_TEST

START_TEST(a_key_of_a_group_with_a_phrase_comes_back_from_it)
{
	static char phrase[] = "correct horse battery staple";
	struct kms_secret *s = NULL;
	struct kms_material again;
	struct kms_key_view view;
	struct kms_tag tag;
	struct world w;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	w.options.policy.serve_gate = true;
	world_open(&w);
	world_group(&w, "disk", phrase);
	create_key(&w, NULL, "disk", 256, uid);
	ok(kms_tag_parse(&tag, uid));
	ck_assert_int_eq(kms_tag_kind(&tag), KMS_TAG_GROUP);
	simple(&w, KMIP_OP_GET, uid); /* recoverable at once: served */
	ok(kms_secret_from(phrase, strlen(phrase), &s));
	ok(kms_material_recover(w.store, s, &tag, &again));
	world_view(&w, uid, &view);
	ck_assert_mem_eq(again.wrapped.kcv, view.key.wrapped.kcv, 8);
	kms_secret_free(&s);
	world_end(&w);
}
END_TEST

START_TEST(a_key_that_would_be_lost_is_not_handed_out)
{
	struct world w;
	struct talk t;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	w.options.policy.serve_gate = true;
	world_open(&w);
	create_key(&w, NULL, NULL, 256, uid);
	talk_begin(&t, 2);
	put_uid(talk_item(&t, KMIP_OP_GET), uid);
	talk_send(&w, &t);
	talk_fails(&t, 0, KMIP_REASON_PERMISSION_DENIED);
	ck_assert_ptr_nonnull(strstr(t.res->answer[0].message, "backup"));
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(a_service_may_insist_on_a_phrase)
{
	struct world w;
	struct talk t;
	struct kms_wr *wr;
	char uid[KMS_TAG_TEXT];
	size_t at;

	world_begin(&w);
	world_open(&w);
	w.service->groups_need_phrase = true;
	world_group(&w, "disk", "correct horse battery staple");
	create_key(&w, NULL, "disk", 256, uid);
	talk_begin(&t, 2);
	wr = talk_item(&t, KMIP_OP_CREATE);
	at = put_template(wr, KMIP_OBJECT_SYMMETRIC_KEY);
	put_aes(wr, 256);
	kmip_ttlv_end(wr, at);
	talk_send(&w, &t);
	talk_fails(&t, 0, KMIP_REASON_PERMISSION_DENIED);
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(what_cannot_be_created_is_refused)
{
	static const struct {
		uint32_t type, algorithm;
		int32_t bits;
	} no[] = {
	    {KMIP_OBJECT_SYMMETRIC_KEY, KMIP_ALG_AES, 512},
	    {KMIP_OBJECT_SYMMETRIC_KEY, KMIP_ALG_AES, 0},
	    {KMIP_OBJECT_SYMMETRIC_KEY, KMIP_ALG_AES, -8},
	    {KMIP_OBJECT_SYMMETRIC_KEY, KMIP_ALG_DES3, 168},
	    {KMIP_OBJECT_SYMMETRIC_KEY, 0x7777, 256},
	    {KMIP_OBJECT_SECRET_DATA, KMIP_ALG_AES, 256},
	    {KMIP_OBJECT_CERTIFICATE, KMIP_ALG_AES, 256},
	};
	struct world w;
	struct talk t;
	struct kms_wr *wr;
	size_t at, i;

	world_begin(&w);
	world_open(&w);
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		talk_begin(&t, 4);
		wr = talk_item(&t, KMIP_OP_CREATE);
		at = put_template(wr, no[i].type);
		kmip_attr_put_enum(wr, TAG(CRYPTOGRAPHIC_ALGORITHM),
		    no[i].algorithm);
		kmip_attr_put_int(wr, TAG(CRYPTOGRAPHIC_LENGTH), no[i].bits);
		kmip_ttlv_end(wr, at);
		talk_send(&w, &t);
		talk_fails(&t, 0, KMIP_REASON_INVALID_FIELD);
		talk_end(&t);
	}
	world_end(&w);
}
END_TEST

START_TEST(keys_of_the_command_line_are_objects_too)
{
	struct world w;
	struct talk t;
	struct kms_tag tag;
	uint8_t a[32];
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	world_group(&w, "ENCR_a", NULL);
	world_key(&w, "ENCR_a", "first", KMS_ACTIVE, &tag);
	kms_tag_text(&tag, uid);
	get_bytes(&w, uid, a, 32);
	talk_begin(&t, 2);
	put_uid(talk_item(&t, KMIP_OP_GET_ATTRIBUTES), uid);
	talk_send(&w, &t);
	talk_ok(&t, 0);
	talk_attr_text(&t, 0, "Name", "first");
	talk_attr_text(&t, 0, "Object Group", "ENCR_a");
	talk_attr_text(&t, 0, "x-keygroup", "ENCR_a");
	talk_attr_text(&t, 0, "x-keyGroup", "ENCR_a");
	talk_attr_text(&t, 0, "x-application", "NetBackup");
	ck_assert_int_eq(talk_attr_number(&t, 0, "State"), KMIP_STATE_ACTIVE);
	ck_assert_int_eq(talk_attr_number(&t, 0, "Cryptographic Length"), 256);
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(what_is_not_there_is_not_found)
{
	static const char *const no[] = {
	    "b000000000000000000000000000000000000000000000000000000000000000",
	    "00", "", "not a tag", "zz",
	    "b00000000000000000000000000000000000000000000000000000000000000"
	    "b00000000000000000000000000000000000000000000000000000000000000"
	    "0000"};
	struct world w;
	size_t i;

	world_begin(&w);
	world_open(&w);
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		simple_fails(&w, KMIP_OP_GET, no[i],
		    KMIP_REASON_ITEM_NOT_FOUND);
		simple_fails(&w, KMIP_OP_GET_ATTRIBUTES, no[i],
		    KMIP_REASON_ITEM_NOT_FOUND);
		simple_fails(&w, KMIP_OP_DESTROY, no[i],
		    KMIP_REASON_ITEM_NOT_FOUND);
	}
	world_end(&w);
}
END_TEST

START_TEST(a_token_that_is_away_is_said_and_nothing_else)
{
	struct world w;
	struct talk t;
	char uid[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, NULL, NULL, 256, uid);
	soft_sealer_control(w.sealer)->away = true;
	talk_begin(&t, 4);
	put_uid(talk_item(&t, KMIP_OP_GET), uid);
	talk_send(&w, &t);
	talk_fails(&t, 0, KMIP_REASON_GENERAL_FAILURE);
	ck_assert_ptr_nonnull(strstr(t.res->answer[0].message, "token"));
	talk_end(&t);
	ck_assert(!atomic_load(&w.service->metrics.token_up));
	soft_sealer_control(w.sealer)->away = false;
	simple(&w, KMIP_OP_GET, uid);
	ck_assert(atomic_load(&w.service->metrics.token_up));
	world_end(&w);
}
END_TEST

TCase *
test_object(void)
{
	TCase *t = tcase_create("object");

	tcase_set_timeout(t, 30);
	tcase_add_test(t, a_key_is_created_and_fetched);
	tcase_add_test(t, shorter_aes_keys_are_kept_sealed);
	tcase_add_loop_test(t, what_was_registered_comes_back, 0, OBJECTS);
	tcase_add_test(t, a_registered_keys_tag_tells_its_check_value);
	tcase_add_test(t, objects_that_cannot_be_kept_are_refused);
	tcase_add_test(t, a_format_is_given_or_refused);
	tcase_add_test(t, a_key_is_not_taken_from_unlocked_memory);
	tcase_add_test(t, a_key_of_a_group_with_a_phrase_comes_back_from_it);
	tcase_add_test(t, a_key_that_would_be_lost_is_not_handed_out);
	tcase_add_test(t, a_service_may_insist_on_a_phrase);
	tcase_add_test(t, what_cannot_be_created_is_refused);
	tcase_add_test(t, keys_of_the_command_line_are_objects_too);
	tcase_add_test(t, what_is_not_there_is_not_found);
	tcase_add_test(t, a_token_that_is_away_is_said_and_nothing_else);
	return t;
}
