/* Encrypt and Decrypt: the key works here, and is not handed out. */
#include "tests/unit/kmip/world.h"

#include <string.h>

#include "kms/base/cipher.h"

#define TAG(id) KMIP_TAG_##id
#define OUT_MAX 256u

static const char text[] = "a key that encrypts a backup's keys";

/* A request, as clients differ in it; 0 and NULL: left out. */
struct asked {
	const char *uid;
	uint32_t mode, padding, algorithm;
	int32_t tag_len, iv_bits;
	const void *data, *iv, *aad, *tag;
	size_t data_len, iv_len, aad_len, tag_size;
	bool bare; /* no Cryptographic Parameters */
	bool random_iv, no_random_iv;
};

static struct asked
asking(const char *uid, uint32_t mode)
{
	return (struct asked){.uid = uid,
	    .mode = mode,
	    .padding = mode == KMIP_MODE_GCM ? 0 : KMIP_PADDING_PKCS5,
	    .data = text,
	    .data_len = sizeof(text)};
}

static void
put_parameters(struct kms_wr *wr, const struct asked *a)
{
	size_t at = kmip_ttlv_begin(wr, TAG(CRYPTOGRAPHIC_PARAMETERS));

	if (a->mode != 0)
		kmip_ttlv_put_enum(wr, TAG(BLOCK_CIPHER_MODE), a->mode);
	if (a->padding != 0)
		kmip_ttlv_put_enum(wr, TAG(PADDING_METHOD), a->padding);
	if (a->algorithm != 0)
		kmip_ttlv_put_enum(wr, TAG(CRYPTOGRAPHIC_ALGORITHM),
		    a->algorithm);
	if (a->random_iv || a->no_random_iv)
		kmip_ttlv_put_bool(wr, TAG(RANDOM_IV), a->random_iv);
	if (a->iv_bits != 0)
		kmip_ttlv_put_int(wr, TAG(IV_LENGTH), a->iv_bits);
	if (a->tag_len != 0)
		kmip_ttlv_put_int(wr, TAG(TAG_LENGTH), a->tag_len);
	kmip_ttlv_end(wr, at);
}

static void
put_asked(struct kms_wr *wr, const struct asked *a)
{
	put_uid(wr, a->uid);
	if (!a->bare)
		put_parameters(wr, a);
	if (a->data != NULL)
		kmip_ttlv_put_bytes(wr, TAG(DATA), a->data, a->data_len);
	if (a->iv != NULL)
		kmip_ttlv_put_bytes(wr, TAG(IV_COUNTER_NONCE), a->iv,
		    a->iv_len);
	if (a->aad != NULL)
		kmip_ttlv_put_bytes(wr,
		    TAG(AUTHENTICATED_ENCRYPTION_ADDITIONAL_DATA), a->aad,
		    a->aad_len);
	if (a->tag != NULL)
		kmip_ttlv_put_bytes(wr, TAG(AUTHENTICATED_ENCRYPTION_TAG),
		    a->tag, a->tag_size);
}

static void
ask(struct world *w, struct talk *t, unsigned minor, uint32_t op,
    const struct asked *a)
{
	talk_begin(t, minor);
	put_asked(talk_item(t, op), a);
	talk_send(w, t);
}

static void
refused(struct world *w, unsigned minor, uint32_t op, const struct asked *a,
    enum kmip_reason reason)
{
	struct talk t;

	ask(w, &t, minor, op, a);
	talk_fails(&t, 0, reason);
	talk_end(&t);
}

/* The bytes of an answer's field; 0 when it is not there. */
static size_t
field(const struct talk *t, uint32_t tag, uint8_t out[OUT_MAX])
{
	struct kmip_item item;

	if (!talk_field(t, 0, tag, &item))
		return 0;
	ck_assert_uint_le(item.len, OUT_MAX);
	memcpy(out, item.value, item.len);
	return item.len;
}

struct encrypted {
	uint8_t data[OUT_MAX], iv[OUT_MAX], tag[OUT_MAX];
	size_t data_len, iv_len, tag_len;
};

static void
encrypt(struct world *w, unsigned minor, const struct asked *a,
    struct encrypted *e)
{
	char uid[KMS_TAG_TEXT];
	struct talk t;

	ask(w, &t, minor, KMIP_OP_ENCRYPT, a);
	talk_ok(&t, 0);
	talk_uid(&t, 0, 0, uid);
	ck_assert_str_eq(uid, a->uid);
	e->data_len = field(&t, TAG(DATA), e->data);
	e->iv_len = field(&t, TAG(IV_COUNTER_NONCE), e->iv);
	e->tag_len = field(&t, TAG(AUTHENTICATED_ENCRYPTION_TAG), e->tag);
	talk_end(&t);
}

/* The request that undoes it. */
static struct asked
back(const struct asked *a, const struct encrypted *e)
{
	struct asked d = *a;

	d.data = e->data;
	d.data_len = e->data_len;
	if (e->iv_len > 0) {
		d.iv = e->iv;
		d.iv_len = e->iv_len;
	}
	if (e->tag_len > 0) {
		d.tag = e->tag;
		d.tag_size = e->tag_len;
	}
	return d;
}

static void
decrypts(struct world *w, unsigned minor, const struct asked *d)
{
	uint8_t got[OUT_MAX];
	struct talk t;

	ask(w, &t, minor, KMIP_OP_DECRYPT, d);
	talk_ok(&t, 0);
	ck_assert(t.reply.secret != NULL); /* locked until it is sent */
	ck_assert_uint_eq(field(&t, TAG(DATA), got), sizeof(text));
	ck_assert_mem_eq(got, text, sizeof(text));
	talk_end(&t);
}

static void
begin(struct world *w, char uid[KMS_TAG_TEXT])
{
	world_begin(w);
	world_open(w);
	create_key(w, "k", NULL, 256, uid);
	simple(w, KMIP_OP_ACTIVATE, uid);
}

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

	begin(&w, uid);
	a = asking(uid, modes[_i].mode);
	if (modes[_i].tag > 0)
		a.aad = "beside", a.aad_len = 6;
	encrypt(&w, modes[_i].minor, &a, &e);
	ck_assert_uint_eq(e.iv_len, modes[_i].iv);
	ck_assert_uint_eq(e.tag_len, modes[_i].tag);
	encrypt(&w, modes[_i].minor, &a, &other);
	if (e.iv_len > 0)
		ck_assert_mem_ne(e.iv, other.iv, e.iv_len);
	d = back(&a, &e);
	decrypts(&w, modes[_i].minor, &d);
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
	    .in = {text, sizeof(text)},
	    .iv_len = 16};

	begin(&w, uid);
	a = asking(uid, KMIP_MODE_CBC);
	a.iv = iv;
	a.iv_len = 16;
	encrypt(&w, 2, &a, &e);
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

	begin(&w, uid);
	token = soft_sealer_control(w.sealer);
	unwraps = token->unwraps;
	a = asking(uid, KMIP_MODE_GCM);
	encrypt(&w, 4, &a, &e);
	d = back(&a, &e);
	decrypts(&w, 4, &d);
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

	begin(&w, uid);
	a = asking(uid, KMIP_MODE_GCM);
	encrypt(&w, 4, &a, &e);
	e.tag[3] ^= 1;
	d = back(&a, &e);
	refused(&w, 4, KMIP_OP_DECRYPT, &d, KMIP_REASON_CRYPTOGRAPHIC_FAILURE);
	e.tag[3] ^= 1;
	d.aad = "x", d.aad_len = 1;
	refused(&w, 4, KMIP_OP_DECRYPT, &d, KMIP_REASON_CRYPTOGRAPHIC_FAILURE);
	/* a wrong IV of CBC spoils the first block only: not noticed */
	a = asking(uid, KMIP_MODE_CBC);
	encrypt(&w, 2, &a, &e);
	e.data_len -= 16;
	d = back(&a, &e);
	refused(&w, 2, KMIP_OP_DECRYPT, &d, KMIP_REASON_CRYPTOGRAPHIC_FAILURE);
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
	a = asking(uid, KMIP_MODE_CBC);
	refused(&w, 2, KMIP_OP_ENCRYPT, &a, KMIP_REASON_PERMISSION_DENIED);
	simple(&w, KMIP_OP_ACTIVATE, uid);
	encrypt(&w, 2, &a, &e);
	d = back(&a, &e);
	world_state(&w, "home", "k", KMS_INACTIVE);
	refused(&w, 2, KMIP_OP_ENCRYPT, &a, KMIP_REASON_PERMISSION_DENIED);
	decrypts(&w, 2, &d);
	world_state(&w, "home", "k", KMS_DEPRECATED);
	refused(&w, 2, KMIP_OP_DECRYPT, &d, KMIP_REASON_OBJECT_ARCHIVED);
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
	a = asking(uid, KMIP_MODE_CBC);
	world_rule(&w, "home", "*");
	refused(&w, 2, KMIP_OP_ENCRYPT, &a, KMIP_REASON_ITEM_NOT_FOUND);
	world_rule(&w, "ENCR_*", "decrypt");
	refused(&w, 2, KMIP_OP_ENCRYPT, &a, KMIP_REASON_PERMISSION_DENIED);
	world_rule(&w, "ENCR_*", "encrypt");
	encrypt(&w, 2, &a, &e);
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
	a = asking(uid, KMIP_MODE_CBC);
	refused(&w, 2, KMIP_OP_ENCRYPT, &a, KMIP_REASON_PERMISSION_DENIED);
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
	a = asking(uid, KMIP_MODE_CBC);
	refused(&w, 2, KMIP_OP_ENCRYPT, &a, KMIP_REASON_PERMISSION_DENIED);
	create_with(&w, KMIP_MASK_ENCRYPT, 0, 0, false, uid);
	encrypt(&w, 2, &a, &e);
	d = back(&a, &e);
	refused(&w, 2, KMIP_OP_DECRYPT, &d, KMIP_REASON_PERMISSION_DENIED);
	create_with(&w, both, TAG(PROTECT_STOP_DATE), 1000000000, false, uid);
	refused(&w, 2, KMIP_OP_ENCRYPT, &a, KMIP_REASON_PERMISSION_DENIED);
	create_with(&w, both, TAG(PROCESS_START_DATE), 4000000000, false, uid);
	encrypt(&w, 2, &a, &e);
	d = back(&a, &e);
	refused(&w, 2, KMIP_OP_DECRYPT, &d, KMIP_REASON_PERMISSION_DENIED);
	world_end(&w);
}
END_TEST

START_TEST(parameters_kept_with_the_key_do_for_a_request_without)
{
	char uid[KMS_TAG_TEXT];
	struct encrypted e;
	struct asked a, d;
	struct world w;

	begin(&w, uid);
	a = asking(uid, 0);
	a.bare = true;
	refused(&w, 2, KMIP_OP_ENCRYPT, &a, KMIP_REASON_MISSING_DATA);
	create_with(&w, KMIP_MASK_ENCRYPT | KMIP_MASK_DECRYPT, 0, 0, true, uid);
	encrypt(&w, 2, &a, &e);
	ck_assert_uint_eq(e.iv_len, 16);
	d = back(&a, &e);
	decrypts(&w, 2, &d);
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
	a = asking(uid, KMIP_MODE_CBC);
	refused(&w, 2, KMIP_OP_ENCRYPT, &a, KMIP_REASON_ILLEGAL_OPERATION);
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

	begin(&w, uid);
	a = asking(uid, KMIP_MODE_CTR);
	refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_FEATURE_NOT_SUPPORTED);
	a = asking(uid, KMIP_MODE_GCM); /* no field for its tag */
	refused(&w, 3, KMIP_OP_ENCRYPT, &a, KMIP_REASON_FEATURE_NOT_SUPPORTED);
	a = asking(uid, KMIP_MODE_CBC);
	a.padding = KMIP_PADDING_ANSI_X9_23;
	refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_FEATURE_NOT_SUPPORTED);
	a.padding = KMIP_PADDING_NONE; /* and no whole blocks */
	refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_INVALID_FIELD);
	a = asking(uid, KMIP_MODE_CBC);
	a.algorithm = KMIP_ALG_AES + 100;
	refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_INVALID_FIELD);
	a = asking(uid, KMIP_MODE_CBC);
	a.iv = iv, a.iv_len = 12;
	refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_INVALID_FIELD);
	a = asking(uid, KMIP_MODE_ECB);
	a.iv = iv, a.iv_len = 16;
	refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_INVALID_FIELD);
	a = asking(uid, KMIP_MODE_CBC);
	a.no_random_iv = true;
	refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_MISSING_DATA);
	refused(&w, 4, KMIP_OP_DECRYPT, &a, KMIP_REASON_MISSING_DATA);
	a = asking(uid, KMIP_MODE_CBC);
	a.aad = iv, a.aad_len = 3;
	refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_INVALID_FIELD);
	refused(&w, 3, KMIP_OP_ENCRYPT, &a, KMIP_REASON_INVALID_FIELD);
	a = asking(uid, KMIP_MODE_CBC);
	a.data = big, a.data_len = sizeof(big);
	refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_INVALID_FIELD);
	a.data = NULL;
	refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_MISSING_DATA);
	a = asking(uid, KMIP_MODE_GCM);
	a.tag_len = 11;
	refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_INVALID_FIELD);
	a.tag_len = 16;
	a.iv = iv, a.iv_len = 12;
	refused(&w, 4, KMIP_OP_DECRYPT, &a, KMIP_REASON_MISSING_DATA);
	a.tag = iv, a.tag_size = 12; /* another length than was said */
	refused(&w, 4, KMIP_OP_DECRYPT, &a, KMIP_REASON_INVALID_FIELD);
	a.tag_size = 32;
	refused(&w, 4, KMIP_OP_DECRYPT, &a, KMIP_REASON_INVALID_FIELD);
	refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_INVALID_FIELD);
	world_end(&w);
}
END_TEST

START_TEST(lengths_may_be_said)
{
	char uid[KMS_TAG_TEXT];
	struct encrypted e;
	struct asked a, d;
	struct world w;

	begin(&w, uid);
	a = asking(uid, KMIP_MODE_GCM);
	a.algorithm = KMIP_ALG_AES;
	a.random_iv = true;
	a.iv_bits = _i == 0 ? 96 : 12;
	a.tag_len = 12;
	encrypt(&w, 4, &a, &e);
	ck_assert_uint_eq(e.tag_len, 12);
	d = back(&a, &e);
	decrypts(&w, 4, &d);
	a.iv_bits = 128;
	refused(&w, 4, KMIP_OP_ENCRYPT, &a, KMIP_REASON_INVALID_FIELD);
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

	begin(&w, uid);
	a = asking(uid, KMIP_MODE_CBC);
	for (i = 0; i < 3; i++) {
		talk_begin(&t, 3);
		wr = talk_item(&t, KMIP_OP_ENCRYPT);
		put_asked(wr, &a);
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

	begin(&w, uid);
	ck_assert_uint_eq(listed(&w, 1), 0);
	ck_assert_uint_eq(listed(&w, 2), 2);
	ck_assert_uint_eq(listed(&w, 4), 2);
	a = asking(uid, KMIP_MODE_CBC);
	refused(&w, 1, KMIP_OP_ENCRYPT, &a,
	    KMIP_REASON_OPERATION_NOT_SUPPORTED);
	soft_sealer_control(w.sealer)->no_ciphers = KMS_CIPHERS_ALL;
	ck_assert_uint_eq(listed(&w, 4), 0);
	soft_sealer_control(w.sealer)->no_ciphers = 0;
	soft_sealer_control(w.sealer)->away = true;
	ck_assert_uint_eq(listed(&w, 4), 0);
	refused(&w, 2, KMIP_OP_ENCRYPT, &a, KMIP_REASON_GENERAL_FAILURE);
	world_end(&w);
}
END_TEST

/* Create, Activate, Encrypt in one message, by the placeholder. */
START_TEST(it_works_in_a_batch_by_placeholder)
{
	struct asked a = asking(NULL, KMIP_MODE_CBC);
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
	put_asked(talk_item(&t, KMIP_OP_ENCRYPT), &a);
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
