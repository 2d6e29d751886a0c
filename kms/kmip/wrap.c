#include "kms/kmip/wrap.h"

#include <string.h>

#include "kms/base/crypt.h"
#include "kms/kmip/reason.h"
#include "kms/release.h"

#define TAG(id) KMIP_TAG_##id
#define WRAP_OVERHEAD 8u /* RFC 3394 */
#define VALUE_FRAME 16u  /* Key Value around Key Material, in TTLV */

static int
check_mode(const struct kmip_item *parameters)
{
	struct kmip_item mode;
	uint32_t v = 0;
	int r;

	if (parameters->type == 0 ||
	    !kmip_ttlv_find(parameters, TAG(BLOCK_CIPHER_MODE), &mode))
		return 0;
	r = kmip_ttlv_enum(&mode, &v);
	if (r == 0 && v != KMIP_MODE_NISTKEYWRAP)
		r = kmip_fail(FEATURE_NOT_SUPPORTED,
		    "Block Cipher Mode: keys are wrapped by NISTKeyWrap only");
	return r;
}

static int
read_key_information(struct kmip_wrap *w, const struct kmip_item *information)
{
	struct kmip_item uid, parameters;
	int r;
	const struct kmip_field f[] = {{TAG(UNIQUE_IDENTIFIER), KMIP_TEXT,
					   KMIP_REQUIRED, &uid},
	    {TAG(CRYPTOGRAPHIC_PARAMETERS), KMIP_STRUCTURE, KMIP_OPTIONAL,
		&parameters}};

	r = kmip_ttlv_fields(information, f, 2, false);
	if (r == 0)
		r = check_mode(&parameters);
	if (r != 0)
		return r;
	r = kmip_ttlv_text(&uid, w->uid, sizeof(w->uid));
	if (r == 0)
		r = kms_tag_parse(&w->tag, w->uid);
	if (r != 0)
		return kmip_fail(ITEM_NOT_FOUND, "no such wrapping key");
	return 0;
}

/* Encoding Option came with KMIP 1.1; before, what is wrapped is TTLV. */
int
kmip_wrap_read(struct kmip_wrap *w, const struct kmip_item *spec,
    unsigned minor)
{
	struct kmip_item method, key, mac, attribute, encoding;
	uint32_t v = 0;
	int r;
	const struct kmip_field f[] = {{TAG(WRAPPING_METHOD), KMIP_ENUM,
					   KMIP_REQUIRED, &method},
	    {TAG(ENCRYPTION_KEY_INFORMATION), KMIP_STRUCTURE, KMIP_REQUIRED,
		&key},
	    {TAG(MAC_SIGNATURE_KEY_INFORMATION), KMIP_STRUCTURE, KMIP_OPTIONAL,
		&mac},
	    {TAG(ATTRIBUTE_NAME), KMIP_TEXT, KMIP_MANY, &attribute},
	    {TAG(ENCODING_OPTION), KMIP_ENUM, KMIP_OPTIONAL, &encoding}};

	memset(w, 0, sizeof(*w));
	w->encoding = KMIP_ENCODING_TTLV_ENCODING;
	r = kmip_ttlv_fields(spec, f, minor >= 1 ? 5 : 4,
	    minor > KMIP_MINOR_MAX);
	if (r == 0)
		r = kmip_ttlv_enum(&method, &v);
	if (r == 0 && (v != KMIP_WRAPPING_ENCRYPT || mac.type != 0))
		r = kmip_fail(FEATURE_NOT_SUPPORTED,
		    "Wrapping Method: Encrypt only");
	if (r == 0 && attribute.type != 0)
		r = kmip_fail(FEATURE_NOT_SUPPORTED,
		    "Key Wrapping Specification: attributes are not wrapped "
		    "with the key");
	if (r == 0 && minor >= 1 && encoding.type != 0) {
		r = kmip_ttlv_enum(&encoding, &w->encoding);
		if (r == 0 &&
		    kmip_def_name(KMIP_TABLE_ENCODING, w->encoding) == NULL)
			r = kmip_fail(ENCODING_OPTION_ERROR,
			    "Encoding Option %u", w->encoding);
	}
	return r == 0 ? read_key_information(w, &key) : r;
}

static int
check_key(const struct kmip_view *v)
{
	if (v->stored.type != KMIP_OBJECT_SYMMETRIC_KEY ||
	    v->stored.algorithm != KMIP_ALG_AES)
		return kmip_fail(ILLEGAL_OPERATION,
		    "the wrapping key is no AES key");
	if (kmip_view_state(v) != KMIP_STATE_ACTIVE)
		return kmip_fail(ILLEGAL_OPERATION,
		    "the wrapping key is not Active");
	if ((v->stored.mask & KMIP_MASK_WRAP) == 0)
		return kmip_fail(ILLEGAL_OPERATION,
		    "the wrapping key's usage mask does not say Wrap Key");
	return 0;
}

static int
take_kek(struct kmip_batch *b, struct kmip_wrap *w, const struct kmip_view *v)
{
	const struct kms_purpose purpose = {.use = KMS_USE_CLIENT};
	struct kms_secret *key = NULL;
	int r;

	r = kms_release(b->service->store, &b->actor->base, &w->tag, &purpose,
	    &key);
	if (r == KMS_ERR_DENIED)
		r = kmip_fail(ITEM_NOT_FOUND, "no such wrapping key");
	if (r == 0 && v->stored.payload != NULL)
		r = kmip_stored_open(&v->stored, key, &w->tag, &w->kek);
	else if (r == 0)
		w->kek = kms_secret_take(&key);
	kms_secret_free(&key);
	return r;
}

int
kmip_wrap_open(struct kmip_batch *b, struct kmip_wrap *w)
{
	const struct kmip_item uid = {.tag = TAG(UNIQUE_IDENTIFIER),
	    .type = KMIP_TEXT,
	    .value = (const uint8_t *)w->uid,
	    .len = strlen(w->uid)};
	struct kmip_view v = {0};
	int r;

	r = kms_tx_begin(b->service->store, &b->actor->base, KMS_READ, &b->tx);
	if (r == 0)
		r = kmip_op_load_live(b, &uid, &v);
	kms_tx_abort(&b->tx);
	if (r == 0)
		r = check_key(&v);
	if (r == 0)
		r = take_kek(b, w, &v);
	kmip_view_clear(&v);
	return r;
}

void
kmip_wrap_clear(struct kmip_wrap *w)
{
	kms_secret_free(&w->kek);
	memset(w, 0, sizeof(*w));
}

/* What is wrapped: the bytes, or Key Value as a structure in TTLV. */
int
kmip_wrap_put_value(const struct kmip_wrap *w, struct kms_wr *wr,
    const uint8_t *material, size_t len)
{
	struct kms_secret *value = NULL;
	struct kms_wr in, out;
	size_t at;
	int r;

	r = kms_secret_new(kmip_ttlv_space(len) + VALUE_FRAME, &value);
	if (r != 0)
		return r;
	kms_wr_grow(&out, KMIP_MESSAGE_MAX);
	kms_wr_fixed(&in, kms_secret_fill(value), kms_secret_len(value));
	if (w->encoding == KMIP_ENCODING_NO_ENCODING) {
		kms_wr_bytes(&in, material, len);
	} else {
		at = kmip_ttlv_begin(&in, TAG(KEY_VALUE));
		kmip_ttlv_put_bytes(&in, TAG(KEY_MATERIAL), material, len);
		kmip_ttlv_end(&in, at);
	}
	kms_wr_zero(&out, in.len + WRAP_OVERHEAD);
	if (in.len % 8 != 0)
		r = kmip_fail(ENCODING_OPTION_ERROR,
		    "%zu bytes cannot be wrapped without TTLV encoding", len);
	if (r == 0)
		r = kms_wr_check(&in, "key value");
	if (r == 0)
		r = kms_wr_check(&out, "key value");
	if (r == 0)
		r = kms_keywrap(w->kek, kms_secret_bytes(value), in.len, out.p);
	if (r == 0)
		kmip_ttlv_put_bytes(wr, TAG(KEY_VALUE), out.p, out.len);
	kms_wr_free(&out);
	kms_secret_free(&value);
	return r;
}

void
kmip_wrap_put_data(const struct kmip_wrap *w, unsigned minor, struct kms_wr *wr)
{
	size_t data, key, parameters;

	data = kmip_ttlv_begin(wr, TAG(KEY_WRAPPING_DATA));
	kmip_ttlv_put_enum(wr, TAG(WRAPPING_METHOD), KMIP_WRAPPING_ENCRYPT);
	key = kmip_ttlv_begin(wr, TAG(ENCRYPTION_KEY_INFORMATION));
	kmip_ttlv_put_text(wr, TAG(UNIQUE_IDENTIFIER), w->uid);
	parameters = kmip_ttlv_begin(wr, TAG(CRYPTOGRAPHIC_PARAMETERS));
	kmip_ttlv_put_enum(wr, TAG(BLOCK_CIPHER_MODE), KMIP_MODE_NISTKEYWRAP);
	kmip_ttlv_end(wr, parameters);
	kmip_ttlv_end(wr, key);
	if (minor >= 1)
		kmip_ttlv_put_enum(wr, TAG(ENCODING_OPTION), w->encoding);
	kmip_ttlv_end(wr, data);
}
