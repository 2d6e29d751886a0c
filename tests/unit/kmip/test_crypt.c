/* Encrypt and Decrypt: the key works here, and is not handed out. */
#include <string.h>

#include "kms/base/cipher.h"
#include "tests/unit/kmip/crypt_rig.h"

#define TAG(id) KMIP_TAG_##id

static const struct {
	unsigned minor;
	uint32_t mode;
	size_t iv, tag;
} modes[] = {
    {2, KMIP_MODE_CBC, 16, 0},
    {3, KMIP_MODE_CBC, 16, 0},
    {2, KMIP_MODE_ECB, 0, 0},
    {4, KMIP_MODE_ECB, 0, 0},
    {4, KMIP_MODE_GCM, 12, 16},
};
#define MODES ((int)(sizeof(modes) / sizeof(modes[0])))

START_TEST(what_is_encrypted_decrypts_again)
{
	struct encrypted e, other;
	char uid[KMS_TAG_TEXT];
	struct asked a, d;
	struct world w;

	crypt_begin(&w, uid);
	a = crypt_asking(uid, modes[_i].mode);
	if (modes[_i].tag > 0)
		a.aad = "beside", a.aad_len = 6;
	crypt_encrypt(&w, modes[_i].minor, &a, &e);
	ck_assert_uint_eq(e.iv_len, modes[_i].iv);
	ck_assert_uint_eq(e.tag_len, modes[_i].tag);
	crypt_encrypt(&w, modes[_i].minor, &a, &other);
	if (e.iv_len > 0)
		ck_assert_mem_ne(e.iv, other.iv, e.iv_len);
	d = crypt_back(&a, &e);
	crypt_decrypts(&w, modes[_i].minor, &d);
	world_end(&w);
}
END_TEST

/* The same bytes as the host makes of them with the key that Get hands out. */
START_TEST(it_is_the_key_that_get_hands_out)
{
	static const uint8_t iv[16] = "given by client";
	struct kms_secret *key;
	char uid[KMS_TAG_TEXT];
	struct encrypted e;
	uint8_t bytes[32];
	struct asked a;
	struct world w;
	struct kms_crypt c = {.cipher = KMS_CIPHER_CBC,
	    .padded = true,
	    .in = {CRYPT_TEXT, sizeof(CRYPT_TEXT)},
	    .iv_len = 16};

	crypt_begin(&w, uid);
	a = crypt_asking(uid, KMIP_MODE_CBC);
	a.iv = iv;
	a.iv_len = 16;
	crypt_encrypt(&w, 2, &a, &e);
	ck_assert_uint_eq(e.iv_len, 0); /* the client knows it */
	get_bytes(&w, uid, bytes, 32);
	ok(kms_secret_from(bytes, 32, &key));
	memcpy(c.iv, iv, 16);
	ok(kms_cipher_run(key, &c));
	ck_assert_uint_eq(e.data_len, kms_secret_len(c.out));
	ck_assert_mem_eq(e.data, kms_secret_bytes(c.out), e.data_len);
	kms_secret_free(&c.out);
	kms_secret_free(&key);
	world_end(&w);
}
END_TEST

START_TEST(the_key_is_not_handed_out)
{
	struct soft_control *token;
	char uid[KMS_TAG_TEXT];
	struct encrypted e;
	struct asked a, d;
	struct world w;
	unsigned unwraps;

	crypt_begin(&w, uid);
	token = soft_sealer_control(w.sealer);
	unwraps = token->unwraps;
	a = crypt_asking(uid, KMIP_MODE_GCM);
	crypt_encrypt(&w, 4, &a, &e);
	d = crypt_back(&a, &e);
	crypt_decrypts(&w, 4, &d);
	ck_assert_uint_eq(token->unwraps, unwraps);
	ck_assert_uint_eq(token->crypts, 2);
	world_end(&w);
}
END_TEST

START_TEST(what_does_not_decrypt_is_a_cryptographic_failure)
{
	char uid[KMS_TAG_TEXT];
	struct encrypted e;
	struct asked a, d;
	struct world w;

	crypt_begin(&w, uid);
	a = crypt_asking(uid, KMIP_MODE_GCM);
	crypt_encrypt(&w, 4, &a, &e);
	e.tag[3] ^= 1;
	d = crypt_back(&a, &e);
	crypt_refused(&w, 4, KMIP_OP_DECRYPT, &d,
	    KMIP_REASON_CRYPTOGRAPHIC_FAILURE);
	e.tag[3] ^= 1;
	d.aad = "x", d.aad_len = 1;
	crypt_refused(&w, 4, KMIP_OP_DECRYPT, &d,
	    KMIP_REASON_CRYPTOGRAPHIC_FAILURE);
	/* a wrong IV of CBC spoils the first block only: not noticed */
	a = crypt_asking(uid, KMIP_MODE_CBC);
	crypt_encrypt(&w, 2, &a, &e);
	e.data_len -= 16;
	d = crypt_back(&a, &e);
	crypt_refused(&w, 2, KMIP_OP_DECRYPT, &d,
	    KMIP_REASON_CRYPTOGRAPHIC_FAILURE);
	world_end(&w);
}
END_TEST

START_TEST(states_say_what_a_key_may)
{
	char uid[KMS_TAG_TEXT];
	struct encrypted e;
	struct asked a, d;
	struct world w;

	world_begin(&w);
	world_open(&w);
	create_key(&w, "k", NULL, 256, uid);
	a = crypt_asking(uid, KMIP_MODE_CBC);
	crypt_refused(&w, 2, KMIP_OP_ENCRYPT, &a,
	    KMIP_REASON_PERMISSION_DENIED);
	simple(&w, KMIP_OP_ACTIVATE, uid);
	crypt_encrypt(&w, 2, &a, &e);
	d = crypt_back(&a, &e);
	world_state(&w, "home", "k", KMS_INACTIVE);
	crypt_refused(&w, 2, KMIP_OP_ENCRYPT, &a,
	    KMIP_REASON_PERMISSION_DENIED);
	crypt_decrypts(&w, 2, &d);
	world_state(&w, "home", "k", KMS_DEPRECATED);
	crypt_refused(&w, 2, KMIP_OP_DECRYPT, &d, KMIP_REASON_OBJECT_ARCHIVED);
	world_end(&w);
}
END_TEST

/* A record made by the command line, in a group that is not the client's. */
START_TEST(keys_of_other_groups_are_not_there)
{
	char uid[KMS_TAG_TEXT];
	struct encrypted e;
	struct kms_tag tag;
	struct asked a;
	struct world w;

	world_begin(&w);
	world_open(&w);
	world_group(&w, "ENCR_a", NULL);
	world_key(&w, "ENCR_a", "k", KMS_ACTIVE, &tag);
	kms_tag_text(&tag, uid);
	a = crypt_asking(uid, KMIP_MODE_CBC);
	world_rule(&w, "home", "*");
	crypt_refused(&w, 2, KMIP_OP_ENCRYPT, &a, KMIP_REASON_ITEM_NOT_FOUND);
	world_rule(&w, "ENCR_*", "decrypt");
	crypt_refused(&w, 2, KMIP_OP_ENCRYPT, &a,
	    KMIP_REASON_PERMISSION_DENIED);
	world_rule(&w, "ENCR_*", "encrypt");
	crypt_encrypt(&w, 2, &a, &e);
	world_end(&w);
}
END_TEST

START_TEST(a_key_that_would_be_lost_does_not_encrypt)
{
	char uid[KMS_TAG_TEXT];
	struct asked a;
	struct world w;

	world_begin(&w);
	w.options.policy.serve_gate = true;
	world_open(&w);
	create_key(&w, "k", NULL, 256, uid);
	simple(&w, KMIP_OP_ACTIVATE, uid);
	a = crypt_asking(uid, KMIP_MODE_CBC);
	crypt_refused(&w, 2, KMIP_OP_ENCRYPT, &a,
	    KMIP_REASON_PERMISSION_DENIED);
	world_end(&w);
}
END_TEST

static void
create_with(struct world *w, int32_t mask, uint32_t date_tag, int64_t date,
    bool parameters, char uid[KMS_TAG_TEXT])
{
	struct kms_wr *wr;
	struct talk t;
	size_t at, attribute, value;

	talk_begin(&t, 4);
	wr = talk_item(&t, KMIP_OP_CREATE);
	at = put_template(wr, KMIP_OBJECT_SYMMETRIC_KEY);
	kmip_attr_put_enum(wr, TAG(CRYPTOGRAPHIC_ALGORITHM), KMIP_ALG_AES);
	kmip_attr_put_int(wr, TAG(CRYPTOGRAPHIC_LENGTH), 256);
	kmip_attr_put_int(wr, TAG(CRYPTOGRAPHIC_USAGE_MASK), mask);
	if (date_tag != 0)
		kmip_attr_put_date(wr, date_tag, date);
	if (parameters) {
		attribute = kmip_ttlv_begin(wr, TAG(ATTRIBUTE));
		kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME),
		    "Cryptographic Parameters");
		value = kmip_ttlv_begin(wr, TAG(ATTRIBUTE_VALUE));
		kmip_ttlv_put_enum(wr, TAG(BLOCK_CIPHER_MODE), KMIP_MODE_CBC);
		kmip_ttlv_put_enum(wr, TAG(PADDING_METHOD), KMIP_PADDING_PKCS5);
		kmip_ttlv_end(wr, value);
		kmip_ttlv_end(wr, attribute);
	}
	kmip_ttlv_end(wr, at);
	talk_send(w, &t);
	talk_ok(&t, 0);
	talk_uid(&t, 0, 0, uid);
	talk_end(&t);
	simple(w, KMIP_OP_ACTIVATE, uid);
}

START_TEST(usage_mask_and_dates_are_kept)
{
	const int32_t both = KMIP_MASK_ENCRYPT | KMIP_MASK_DECRYPT;
	char uid[KMS_TAG_TEXT];
	struct encrypted e;
	struct asked a, d;
	struct world w;

	world_begin(&w);
	world_open(&w);
	create_with(&w, KMIP_MASK_DECRYPT, 0, 0, false, uid);
	a = crypt_asking(uid, KMIP_MODE_CBC);
	crypt_refused(&w, 2, KMIP_OP_ENCRYPT, &a,
	    KMIP_REASON_PERMISSION_DENIED);
	create_with(&w, KMIP_MASK_ENCRYPT, 0, 0, false, uid);
	crypt_encrypt(&w, 2, &a, &e);
	d = crypt_back(&a, &e);
	crypt_refused(&w, 2, KMIP_OP_DECRYPT, &d,
	    KMIP_REASON_PERMISSION_DENIED);
	create_with(&w, both, TAG(PROTECT_STOP_DATE), 1000000000, false, uid);
	crypt_refused(&w, 2, KMIP_OP_ENCRYPT, &a,
	    KMIP_REASON_PERMISSION_DENIED);
	create_with(&w, both, TAG(PROCESS_START_DATE), 4000000000, false, uid);
	crypt_encrypt(&w, 2, &a, &e);
	d = crypt_back(&a, &e);
	crypt_refused(&w, 2, KMIP_OP_DECRYPT, &d,
	    KMIP_REASON_PERMISSION_DENIED);
	world_end(&w);
}
END_TEST

START_TEST(parameters_kept_with_the_key_do_for_a_request_without)
{
	char uid[KMS_TAG_TEXT];
	struct encrypted e;
	struct asked a, d;
	struct world w;

	crypt_begin(&w, uid);
	a = crypt_asking(uid, 0);
	a.bare = true;
	crypt_refused(&w, 2, KMIP_OP_ENCRYPT, &a, KMIP_REASON_MISSING_DATA);
	create_with(&w, KMIP_MASK_ENCRYPT | KMIP_MASK_DECRYPT, 0, 0, true, uid);
	crypt_encrypt(&w, 2, &a, &e);
	ck_assert_uint_eq(e.iv_len, 16);
	d = crypt_back(&a, &e);
	crypt_decrypts(&w, 2, &d);
	world_end(&w);
}
END_TEST

START_TEST(only_whole_aes_256_keys_work_here)
{
	char uid[KMS_TAG_TEXT];
	struct asked a;
	struct world w;

	world_begin(&w);
	world_open(&w);
	create_key(&w, NULL, NULL, 128, uid);
	simple(&w, KMIP_OP_ACTIVATE, uid);
	a = crypt_asking(uid, KMIP_MODE_CBC);
	crypt_refused(&w, 2, KMIP_OP_ENCRYPT, &a,
	    KMIP_REASON_ILLEGAL_OPERATION);
	world_end(&w);
}
END_TEST

/* Each with the reason that a client can act on. */
START_TEST(what_is_not_done_is_said)
{
	static const uint8_t iv[32] = "some bytes";
	static const uint8_t big[KMS_CRYPT_MAX + 1];
	char uid[KMS_TAG_TEXT];
	struct asked a;
	struct world w;

	crypt_begin(&w, uid);
	a = crypt_asking(uid, KMIP_MODE_CTR);
	crypt_refused(&w, 4, KMIP_OP_ENCRYPT, &a,
	    KMIP_REASON_FEATURE_NOT_SUPPORTED);
	a = crypt_asking(uid, KMIP_MODE_GCM); /* no field for its tag */
	crypt_refused(&w, 3, KMIP_OP_ENCRYPT, &a,
	    KMIP_REASON_FEATURE_NOT_SUPPORTED);
	a = crypt_asking(uid, KMIP_MODE_CBC);
	a.padding = KMIP_PADDING_ANSI_X9_23;
	crypt_refused(&w, 4, KMIP_OP_ENCRYPT, &a,
	    KMIP_REASON_FEATURE_NOT_SUPPORTED);
	a.padding = KMIP_PADDING_NONE; /* and no whole blocks */
	crypt_refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_INVALID_FIELD);
	a = crypt_asking(uid, KMIP_MODE_CBC);
	a.algorithm = KMIP_ALG_AES + 100;
	crypt_refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_INVALID_FIELD);
	a = crypt_asking(uid, KMIP_MODE_CBC);
	a.iv = iv, a.iv_len = 12;
	crypt_refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_INVALID_FIELD);
	a = crypt_asking(uid, KMIP_MODE_ECB);
	a.iv = iv, a.iv_len = 16;
	crypt_refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_INVALID_FIELD);
	a = crypt_asking(uid, KMIP_MODE_CBC);
	a.no_random_iv = true;
	crypt_refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_MISSING_DATA);
	crypt_refused(&w, 4, KMIP_OP_DECRYPT, &a, KMIP_REASON_MISSING_DATA);
	a = crypt_asking(uid, KMIP_MODE_CBC);
	a.aad = iv, a.aad_len = 3;
	crypt_refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_INVALID_FIELD);
	crypt_refused(&w, 3, KMIP_OP_ENCRYPT, &a, KMIP_REASON_INVALID_FIELD);
	a = crypt_asking(uid, KMIP_MODE_CBC);
	a.data = big, a.data_len = sizeof(big);
	crypt_refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_INVALID_FIELD);
	a.data = NULL;
	crypt_refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_MISSING_DATA);
	a = crypt_asking(uid, KMIP_MODE_GCM);
	a.tag_len = 11;
	crypt_refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_INVALID_FIELD);
	a.tag_len = 16;
	a.iv = iv, a.iv_len = 12;
	crypt_refused(&w, 4, KMIP_OP_DECRYPT, &a, KMIP_REASON_MISSING_DATA);
	a.tag = iv, a.tag_size = 12; /* another length than was said */
	crypt_refused(&w, 4, KMIP_OP_DECRYPT, &a, KMIP_REASON_INVALID_FIELD);
	a.tag_size = 32;
	crypt_refused(&w, 4, KMIP_OP_DECRYPT, &a, KMIP_REASON_INVALID_FIELD);
	crypt_refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_INVALID_FIELD);
	world_end(&w);
}
END_TEST

START_TEST(lengths_may_be_said)
{
	char uid[KMS_TAG_TEXT];
	struct encrypted e;
	struct asked a, d;
	struct world w;

	crypt_begin(&w, uid);
	a = crypt_asking(uid, KMIP_MODE_GCM);
	a.algorithm = KMIP_ALG_AES;
	a.random_iv = true;
	a.iv_bits = _i == 0 ? 96 : 12;
	a.tag_len = 12;
	crypt_encrypt(&w, 4, &a, &e);
	ck_assert_uint_eq(e.tag_len, 12);
	d = crypt_back(&a, &e);
	crypt_decrypts(&w, 4, &d);
	a.iv_bits = 128;
	crypt_refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_INVALID_FIELD);
	world_end(&w);
}
END_TEST

/* 1.3 lets clients send data in pieces; the whole as its one piece is not. */
START_TEST(streams_are_refused)
{
	struct asked a;
	struct world w;
	char uid[KMS_TAG_TEXT];
	struct talk t;
	struct kms_wr *wr;
	int i;

	crypt_begin(&w, uid);
	a = crypt_asking(uid, KMIP_MODE_CBC);
	for (i = 0; i < 3; i++) {
		talk_begin(&t, 3);
		wr = talk_item(&t, KMIP_OP_ENCRYPT);
		crypt_put(wr, &a);
		if (i == 2)
			kmip_ttlv_put_bytes(wr, TAG(CORRELATION_VALUE), "1", 1);
		kmip_ttlv_put_bool(wr, TAG(INIT_INDICATOR), true);
		if (i != 1)
			kmip_ttlv_put_bool(wr, TAG(FINAL_INDICATOR), true);
		talk_send(&w, &t);
		if (i == 0)
			talk_ok(&t, 0);
		else
			talk_fails(&t, 0, KMIP_REASON_FEATURE_NOT_SUPPORTED);
		talk_end(&t);
	}
	world_end(&w);
}
END_TEST

static size_t
listed(struct world *w, unsigned minor)
{
	struct kmip_item payload, item;
	struct kms_rd rd;
	struct talk t;
	uint32_t op;
	size_t n = 0;

	talk_begin(&t, minor);
	kmip_ttlv_put_enum(talk_item(&t, KMIP_OP_QUERY), TAG(QUERY_FUNCTION),
	    KMIP_QUERY_QUERY_OPERATIONS);
	talk_send(w, &t);
	talk_ok(&t, 0);
	kmip_msg_payload(&t.res->answer[0], &payload);
	kmip_ttlv_walk(&rd, &payload);
	while (kmip_ttlv_next(&rd, &item))
		if (item.tag == TAG(OPERATION) &&
		    kmip_ttlv_enum(&item, &op) == 0)
			n += op == KMIP_OP_ENCRYPT || op == KMIP_OP_DECRYPT;
	talk_end(&t);
	return n;
}

START_TEST(query_lists_them_when_the_token_does_them)
{
	char uid[KMS_TAG_TEXT];
	struct asked a;
	struct world w;

	crypt_begin(&w, uid);
	ck_assert_uint_eq(listed(&w, 1), 0);
	ck_assert_uint_eq(listed(&w, 2), 2);
	ck_assert_uint_eq(listed(&w, 4), 2);
	a = crypt_asking(uid, KMIP_MODE_CBC);
	crypt_refused(&w, 1, KMIP_OP_ENCRYPT, &a,
	    KMIP_REASON_OPERATION_NOT_SUPPORTED);
	soft_sealer_control(w.sealer)->no_ciphers = KMS_CIPHERS_ALL;
	ck_assert_uint_eq(listed(&w, 4), 0);
	soft_sealer_control(w.sealer)->no_ciphers = 0;
	soft_sealer_control(w.sealer)->away = true;
	ck_assert_uint_eq(listed(&w, 4), 0);
	crypt_refused(&w, 2, KMIP_OP_ENCRYPT, &a, KMIP_REASON_GENERAL_FAILURE);
	world_end(&w);
}
END_TEST

/* Create, Activate, Encrypt in one message, by the placeholder. */
START_TEST(it_works_in_a_batch_by_placeholder)
{
	struct asked a = crypt_asking(NULL, KMIP_MODE_CBC);
	struct kms_wr *wr;
	struct world w;
	struct talk t;
	size_t at;

	world_begin(&w);
	world_open(&w);
	talk_begin(&t, 4);
	wr = talk_item(&t, KMIP_OP_CREATE);
	at = put_template(wr, KMIP_OBJECT_SYMMETRIC_KEY);
	put_aes(wr, 256);
	kmip_ttlv_end(wr, at);
	put_uid(talk_item(&t, KMIP_OP_ACTIVATE), NULL);
	crypt_put(talk_item(&t, KMIP_OP_ENCRYPT), &a);
	talk_send(&w, &t);
	talk_ok(&t, 0);
	talk_ok(&t, 1);
	talk_ok(&t, 2);
	talk_end(&t);
	world_end(&w);
}
END_TEST

TCase *
test_crypt(void)
{
	TCase *tc = tcase_create("crypt");

	tcase_add_loop_test(tc, what_is_encrypted_decrypts_again, 0, MODES);
	tcase_add_test(tc, it_is_the_key_that_get_hands_out);
	tcase_add_test(tc, the_key_is_not_handed_out);
	tcase_add_test(tc, what_does_not_decrypt_is_a_cryptographic_failure);
	tcase_add_test(tc, states_say_what_a_key_may);
	tcase_add_test(tc, keys_of_other_groups_are_not_there);
	tcase_add_test(tc, a_key_that_would_be_lost_does_not_encrypt);
	tcase_add_test(tc, usage_mask_and_dates_are_kept);
	tcase_add_test(tc,
	    parameters_kept_with_the_key_do_for_a_request_without);
	tcase_add_test(tc, only_whole_aes_256_keys_work_here);
	tcase_add_test(tc, what_is_not_done_is_said);
	tcase_add_loop_test(tc, lengths_may_be_said, 0, 2);
	tcase_add_test(tc, streams_are_refused);
	tcase_add_test(tc, query_lists_them_when_the_token_does_them);
	tcase_add_test(tc, it_works_in_a_batch_by_placeholder);
	return tc;
}
