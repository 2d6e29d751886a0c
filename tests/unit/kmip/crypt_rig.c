#include "tests/unit/kmip/crypt_rig.h"

#include <string.h>

#define TAG(id) KMIP_TAG_##id

struct asked
crypt_asking(const char *uid, uint32_t mode)
{
	return (struct asked){.uid = uid,
	    .mode = mode,
	    .padding = mode == KMIP_MODE_GCM ? 0 : KMIP_PADDING_PKCS5,
	    .data = CRYPT_TEXT,
	    .data_len = sizeof(CRYPT_TEXT)};
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

void
crypt_put(struct kms_wr *wr, const struct asked *a)
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

void
crypt_ask(struct world *w, struct talk *t, unsigned minor, uint32_t op,
    const struct asked *a)
{
	talk_begin(t, minor);
	crypt_put(talk_item(t, op), a);
	talk_send(w, t);
}

void
crypt_refused(struct world *w, unsigned minor, uint32_t op,
    const struct asked *a, enum kmip_reason reason)
{
	struct talk t;

	crypt_ask(w, &t, minor, op, a);
	talk_fails(&t, 0, reason);
	talk_end(&t);
}

size_t
crypt_field(const struct talk *t, uint32_t tag, uint8_t out[CRYPT_OUT_MAX])
{
	struct kmip_item item;

	if (!talk_field(t, 0, tag, &item))
		return 0;
	ck_assert_uint_le(item.len, CRYPT_OUT_MAX);
	memcpy(out, item.value, item.len);
	return item.len;
}

void
crypt_encrypt(struct world *w, unsigned minor, const struct asked *a,
    struct encrypted *e)
{
	char uid[KMS_TAG_TEXT];
	struct talk t;

	crypt_ask(w, &t, minor, KMIP_OP_ENCRYPT, a);
	talk_ok(&t, 0);
	talk_uid(&t, 0, 0, uid);
	ck_assert_str_eq(uid, a->uid);
	e->data_len = crypt_field(&t, TAG(DATA), e->data);
	e->iv_len = crypt_field(&t, TAG(IV_COUNTER_NONCE), e->iv);
	e->tag_len = crypt_field(&t, TAG(AUTHENTICATED_ENCRYPTION_TAG), e->tag);
	talk_end(&t);
}

struct asked
crypt_back(const struct asked *a, const struct encrypted *e)
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

void
crypt_decrypts(struct world *w, unsigned minor, const struct asked *d)
{
	uint8_t got[CRYPT_OUT_MAX];
	struct talk t;

	crypt_ask(w, &t, minor, KMIP_OP_DECRYPT, d);
	talk_ok(&t, 0);
	ck_assert(t.reply.secret != NULL); /* locked until it is sent */
	ck_assert_uint_eq(crypt_field(&t, TAG(DATA), got), sizeof(CRYPT_TEXT));
	ck_assert_mem_eq(got, CRYPT_TEXT, sizeof(CRYPT_TEXT));
	talk_end(&t);
}

void
crypt_begin(struct world *w, char uid[KMS_TAG_TEXT])
{
	world_begin(w);
	world_open(w);
	create_key(w, "k", NULL, 256, uid);
	simple(w, KMIP_OP_ACTIVATE, uid);
}
