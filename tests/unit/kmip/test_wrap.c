/* Keys handed out under another key. */
#include "tests/unit/kmip/world.h"

#include <string.h>

#include <openssl/evp.h>

#include "kms/base/crypt.h"

#define TAG(id) KMIP_TAG_##id

/* RFC 3394 sections 4.1 to 4.6: key, data, result. */
static const struct {
	const char *kek, *data, *wrapped;
} vectors[] = {
    {"000102030405060708090A0B0C0D0E0F", "00112233445566778899AABBCCDDEEFF",
	"1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5"},
    {"000102030405060708090A0B0C0D0E0F1011121314151617",
	"00112233445566778899AABBCCDDEEFF",
	"96778B25AE6CA435F92B5B97C050AED2468AB8A17AD84E5D"},
    {"000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
	"00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F",
	"28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43B"
	"FB988B9B7A02DD21"},
};

START_TEST(key_wrap_is_rfc_3394)
{
	uint8_t b[32], data[32], want[40], got[40];
	struct kms_secret *kek;
	size_t n = hex(vectors[_i].kek, b, sizeof(b));
	size_t len = hex(vectors[_i].data, data, sizeof(data));

	ok(kms_secret_from(b, n, &kek));
	ok(kms_keywrap(kek, data, len, got));
	ck_assert_uint_eq(hex(vectors[_i].wrapped, want, sizeof(want)),
	    len + 8);
	ck_assert_mem_eq(got, want, len + 8);
	ck_assert_int_eq(kms_keywrap(kek, data, 15, got), KMS_ERR_USAGE);
	ck_assert_int_eq(kms_keywrap(kek, data, 8, got), KMS_ERR_USAGE);
	kms_secret_free(&kek);
}
END_TEST

/* The other direction, for the test alone. */
static size_t
unwrap(const uint8_t *kek, size_t kek_len, const uint8_t *in, size_t len,
    uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	const EVP_CIPHER *c = kek_len == 16 ? EVP_aes_128_wrap()
					    : EVP_aes_256_wrap();
	int n = 0;

	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	ck_assert_int_eq(EVP_DecryptInit_ex(ctx, c, NULL, kek, NULL), 1);
	ck_assert_int_eq(EVP_DecryptUpdate(ctx, out, &n, in, (int)len), 1);
	EVP_CIPHER_CTX_free(ctx);
	return (size_t)n;
}

static void
create_kek(struct world *w, int32_t bits, int32_t mask, bool active,
    char uid[KMS_TAG_TEXT])
{
	struct talk t;
	struct kms_wr *wr;
	size_t at;

	talk_begin(&t, 4);
	wr = talk_item(&t, KMIP_OP_CREATE);
	at = put_template(wr, KMIP_OBJECT_SYMMETRIC_KEY);
	kmip_attr_put_enum(wr, TAG(CRYPTOGRAPHIC_ALGORITHM), KMIP_ALG_AES);
	kmip_attr_put_int(wr, TAG(CRYPTOGRAPHIC_LENGTH), bits);
	kmip_attr_put_int(wr, TAG(CRYPTOGRAPHIC_USAGE_MASK), mask);
	kmip_ttlv_end(wr, at);
	if (active)
		(void)talk_item(&t, KMIP_OP_ACTIVATE);
	talk_send(w, &t);
	talk_ok(&t, 0);
	talk_uid(&t, 0, 0, uid);
	talk_end(&t);
}

static void
ask_wrapped(struct world *w, struct talk *t, const char *uid, const char *kek,
    uint32_t encoding)
{
	struct kms_wr *wr;
	size_t spec, key, parameters;

	talk_begin(t, 2);
	wr = talk_item(t, KMIP_OP_GET);
	put_uid(wr, uid);
	spec = kmip_ttlv_begin(wr, TAG(KEY_WRAPPING_SPECIFICATION));
	kmip_ttlv_put_enum(wr, TAG(WRAPPING_METHOD), KMIP_WRAPPING_ENCRYPT);
	key = kmip_ttlv_begin(wr, TAG(ENCRYPTION_KEY_INFORMATION));
	kmip_ttlv_put_text(wr, TAG(UNIQUE_IDENTIFIER), kek);
	parameters = kmip_ttlv_begin(wr, TAG(CRYPTOGRAPHIC_PARAMETERS));
	kmip_ttlv_put_enum(wr, TAG(BLOCK_CIPHER_MODE), KMIP_MODE_NISTKEYWRAP);
	kmip_ttlv_end(wr, parameters);
	kmip_ttlv_end(wr, key);
	if (encoding != 0)
		kmip_ttlv_put_enum(wr, TAG(ENCODING_OPTION), encoding);
	kmip_ttlv_end(wr, spec);
	talk_send(w, t);
}

static void
find_block(const struct talk *t, struct kmip_item *block)
{
	struct kmip_item object;

	ck_assert(talk_field(t, 0, TAG(SYMMETRIC_KEY), &object));
	ck_assert(kmip_ttlv_find(&object, TAG(KEY_BLOCK), block));
}

START_TEST(a_key_is_wrapped_by_another)
{
	static const int32_t bits[] = {256, 128};
	struct world w;
	struct talk t;
	struct kmip_item block, value, data;
	uint8_t key[32], kek[32], out[64];
	char uid[KMS_TAG_TEXT], kek_uid[KMS_TAG_TEXT];
	size_t n;

	world_begin(&w);
	world_open(&w);
	create_key(&w, NULL, NULL, 256, uid);
	get_bytes(&w, uid, key, 32);
	create_kek(&w, bits[_i], KMIP_MASK_WRAP, true, kek_uid);
	get_bytes(&w, kek_uid, kek, (size_t)bits[_i] / 8);
	ask_wrapped(&w, &t, uid, kek_uid, KMIP_ENCODING_NO_ENCODING);
	talk_ok(&t, 0);
	find_block(&t, &block);
	ck_assert(kmip_ttlv_find(&block, TAG(KEY_VALUE), &value));
	ck_assert_uint_eq(value.type, KMIP_BYTES);
	n = unwrap(kek, (size_t)bits[_i] / 8, value.value, value.len, out);
	ck_assert_uint_eq(n, 32);
	ck_assert_mem_eq(out, key, 32);
	ck_assert(kmip_ttlv_find(&block, TAG(KEY_WRAPPING_DATA), &data));
	talk_end(&t);
	/* without the option: the Key Value structure in TTLV */
	ask_wrapped(&w, &t, uid, kek_uid, 0);
	talk_ok(&t, 0);
	find_block(&t, &block);
	ck_assert(kmip_ttlv_find(&block, TAG(KEY_VALUE), &value));
	n = unwrap(kek, (size_t)bits[_i] / 8, value.value, value.len, out);
	ck_assert_uint_eq(n, 48);
	ok(kmip_ttlv_check(out, n, &value));
	ck_assert_uint_eq(value.tag, TAG(KEY_VALUE));
	ck_assert_mem_eq(out + 16, key, 32);
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(only_an_active_wrapping_key_wraps)
{
	struct world w;
	struct talk t;
	char uid[KMS_TAG_TEXT], kek[3][KMS_TAG_TEXT];
	size_t i;

	world_begin(&w);
	world_open(&w);
	create_key(&w, NULL, NULL, 256, uid);
	create_kek(&w, 256, KMIP_MASK_ENCRYPT, true, kek[0]);
	create_kek(&w, 256, KMIP_MASK_WRAP, false, kek[1]);
	create_kek(&w, 256, KMIP_MASK_WRAP, true, kek[2]);
	simple(&w, KMIP_OP_REVOKE, kek[2]);
	for (i = 0; i < 3; i++) {
		ask_wrapped(&w, &t, uid, kek[i], 0);
		talk_fails(&t, 0, KMIP_REASON_ILLEGAL_OPERATION);
		talk_end(&t);
	}
	ask_wrapped(&w, &t, uid, "00", 0);
	talk_fails(&t, 0, KMIP_REASON_ITEM_NOT_FOUND);
	talk_end(&t);
	world_end(&w);
}
END_TEST

START_TEST(a_wrapping_key_of_another_group_is_not_there)
{
	struct world w;
	struct talk t;
	char uid[KMS_TAG_TEXT], kek[KMS_TAG_TEXT];

	world_begin(&w);
	world_open(&w);
	create_key(&w, NULL, "mine", 256, uid);
	create_kek(&w, 256, KMIP_MASK_WRAP, true, kek); /* in "home" */
	world_rule(&w, "mine", "*");
	ask_wrapped(&w, &t, uid, kek, 0);
	talk_fails(&t, 0, KMIP_REASON_ITEM_NOT_FOUND);
	talk_end(&t);
	world_end(&w);
}
END_TEST

TCase *
test_wrap(void)
{
	TCase *t = tcase_create("wrap");

	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, key_wrap_is_rfc_3394, 0, 3);
	tcase_add_loop_test(t, a_key_is_wrapped_by_another, 0, 2);
	tcase_add_test(t, only_an_active_wrapping_key_wraps);
	tcase_add_test(t, a_wrapping_key_of_another_group_is_not_there);
	return t;
}
