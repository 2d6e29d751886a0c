#include "kms/kmip/stored.h"

#include <stdlib.h>
#include <string.h>

#include "kms/base/crypt.h"
#include "kms/kmip/reason.h"

#define LAYOUT 1u
#define TAG(id) KMIP_TAG_##id
#define OVERHEAD (KMS_GCM_IV + KMS_GCM_TAG)
#define KEY_BITS 256u

void
kmip_stored_init(struct kmip_stored *s)
{
	*s = (struct kmip_stored){.flags = KMIP_STORED_NAMED,
	    .type = KMIP_OBJECT_SYMMETRIC_KEY,
	    .format = KMIP_FORMAT_RAW,
	    .algorithm = KMIP_ALG_AES,
	    .bits = KEY_BITS,
	    .mask = KMIP_MASK_ENCRYPT | KMIP_MASK_DECRYPT};
}

void
kmip_stored_clear(struct kmip_stored *s)
{
	size_t i;

	for (i = 0; i < s->nown; i++)
		kms_wr_free(&s->own[i]);
	free(s->attr);
	memset(s, 0, sizeof(*s));
}

static int
make_room(struct kmip_stored *s)
{
	if (s->n == KMIP_ATTRS_MAX)
		return kms_fail(KMS_ERR_LIMIT,
		    "more than %u attributes for one object", KMIP_ATTRS_MAX);
	if (s->attr == NULL)
		s->attr = calloc(KMIP_ATTRS_MAX, sizeof(*s->attr));
	if (s->attr == NULL)
		return kms_fail(KMS_ERR_MEMORY, "attributes: out of memory");
	return 0;
}

static int
decode_attrs(struct kmip_stored *s, struct kms_rd *rd)
{
	struct kmip_item item, list = {.type = KMIP_STRUCTURE};
	struct kms_rd walk;
	int r = 0;

	list.len = kms_rd_left(rd);
	list.value = kms_rd_bytes(rd, list.len);
	kmip_ttlv_walk(&walk, &list);
	while (r == 0 && kmip_ttlv_next(&walk, &item)) {
		r = make_room(s);
		if (r == 0)
			r = kmip_attr_read(&item, &s->attr[s->n]);
		if (r == 0 && s->attr[s->n].index < 0)
			s->attr[s->n].index = 0;
		s->n++;
	}
	if (r == KMS_ERR_MEMORY)
		return r;
	if (r != 0 || walk.bad)
		return kms_fail(KMS_ERR_DAMAGED,
		    "KMIP attributes: not readable");
	return 0;
}

int
kmip_stored_decode(struct kmip_stored *s, const void *attrs, size_t len)
{
	struct kms_rd rd;
	unsigned layout;
	int r;

	kmip_stored_init(s);
	if (len == 0)
		return 0;
	kms_rd_init(&rd, attrs, len);
	layout = kms_rd_u8(&rd);
	if (layout > LAYOUT)
		return kms_fail(KMS_ERR_VERSION,
		    "KMIP attributes of layout %u; this program knows %u",
		    layout, LAYOUT);
	s->flags = kms_rd_u8(&rd);
	s->type = kms_rd_u8(&rd);
	s->format = kms_rd_u8(&rd);
	s->algorithm = kms_rd_u32(&rd);
	s->bits = kms_rd_u32(&rd);
	s->mask = kms_rd_u32(&rd);
	s->subtype = kms_rd_u32(&rd);
	s->payload_len = kms_rd_u16(&rd);
	s->payload = kms_rd_bytes(&rd, s->payload_len);
	if (s->payload_len == 0)
		s->payload = NULL;
	r = kms_rd_check(&rd, "KMIP attributes");
	if (r == 0)
		r = decode_attrs(s, &rd);
	if (r != 0)
		kmip_stored_clear(s);
	return r;
}

int
kmip_stored_check(const void *attrs, size_t len)
{
	struct kmip_stored s;
	int r;

	r = kmip_stored_decode(&s, attrs, len);
	if (r == 0)
		kmip_stored_clear(&s);
	return r;
}

int
kmip_stored_encode(const struct kmip_stored *s, struct kms_wr *wr)
{
	size_t i, start = wr->len;

	kms_wr_u8(wr, LAYOUT);
	kms_wr_u8(wr, (uint8_t)s->flags);
	kms_wr_u8(wr, s->type);
	kms_wr_u8(wr, s->format);
	kms_wr_u32(wr, s->algorithm);
	kms_wr_u32(wr, s->bits);
	kms_wr_u32(wr, s->mask);
	kms_wr_u32(wr, s->subtype);
	kms_wr_u16(wr, (uint16_t)s->payload_len);
	kms_wr_bytes(wr, s->payload, s->payload_len);
	for (i = 0; i < s->n; i++)
		kmip_attr_put(wr, &s->attr[i]);
	if (wr->err == KMS_ERR_LIMIT ||
	    (wr->err == 0 && wr->len - start > KMS_ATTRS_MAX))
		return kms_fail(KMS_ERR_LIMIT,
		    "the object's attributes are over %u bytes together",
		    KMS_ATTRS_MAX);
	return kms_wr_check(wr, "KMIP attributes");
}

struct kmip_attr *
kmip_stored_find(struct kmip_stored *s, const char *name, size_t len,
    int32_t index)
{
	size_t i;

	if (index < 0)
		index = 0;
	for (i = 0; i < s->n; i++) {
		struct kmip_attr *a = &s->attr[i];

		if (a->name_len == len && a->index == index &&
		    memcmp(a->name, name, len) == 0)
			return a;
	}
	return NULL;
}

const struct kmip_attr *
kmip_stored_get(const struct kmip_stored *s, uint32_t tag)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->attr[i].def != NULL && s->attr[i].def->tag == tag)
			return &s->attr[i];
	return NULL;
}

int
kmip_stored_add(struct kmip_stored *s, const struct kmip_attr *a, int32_t least,
    int32_t *index)
{
	int r = make_room(s);

	if (r != 0)
		return r;
	while (kmip_stored_find(s, a->name, a->name_len, least) != NULL)
		least++;
	s->attr[s->n] = *a;
	s->attr[s->n++].index = least;
	if (index != NULL)
		*index = least;
	return 0;
}

void
kmip_stored_remove(struct kmip_stored *s, struct kmip_attr *a)
{
	size_t at = (size_t)(a - s->attr);

	memmove(a, a + 1, (s->n - at - 1) * sizeof(*a));
	s->n--;
}

/* Where an attribute of the server's own is written, and then taken in. */
static int
begin_own(struct kmip_stored *s, struct kms_wr **wr)
{
	if (s->nown == KMIP_STORED_OWN)
		return kms_fail(KMS_ERR_INTERNAL,
		    "attributes: too many set at once");
	*wr = &s->own[s->nown++];
	kms_wr_grow(*wr, KMS_ATTRS_MAX);
	return 0;
}

static int
take_own(struct kmip_stored *s, const struct kms_wr *wr, bool replace)
{
	struct kmip_item item;
	struct kmip_attr a, *old = NULL;
	int r;

	r = kms_wr_check(wr, "attribute");
	if (r == 0)
		r = kmip_ttlv_check(wr->p, wr->len, &item);
	if (r == 0)
		r = kmip_attr_read(&item, &a);
	if (r != 0)
		return r;
	if (replace)
		old = kmip_stored_find(s, a.name, a.name_len, 0);
	if (old != NULL)
		kmip_stored_remove(s, old);
	return kmip_stored_add(s, &a, 0, NULL);
}

int
kmip_stored_set_date(struct kmip_stored *s, uint32_t tag, int64_t seconds)
{
	struct kms_wr *wr = NULL;
	int r = begin_own(s, &wr);

	if (r != 0)
		return r;
	kmip_attr_put_date(wr, tag, seconds);
	return take_own(s, wr, true);
}

/* An Attribute structure around a structure, up to the latter's fields. */
static void
begin_structure(struct kms_wr *wr, uint32_t tag, size_t at[2])
{
	at[0] = kmip_ttlv_begin(wr, TAG(ATTRIBUTE));
	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME),
	    kmip_def_name(KMIP_TABLE_TAG, tag));
	at[1] = kmip_ttlv_begin(wr, TAG(ATTRIBUTE_VALUE));
}

int
kmip_stored_set_reason(struct kmip_stored *s, uint32_t code,
    const struct kmip_item *message)
{
	struct kms_wr *wr = NULL;
	size_t at[2];
	int r = begin_own(s, &wr);

	if (r != 0)
		return r;
	begin_structure(wr, TAG(REVOCATION_REASON), at);
	kmip_ttlv_put_enum(wr, TAG(REVOCATION_REASON_CODE), code);
	if (message != NULL && message->type == KMIP_TEXT)
		kmip_ttlv_put_item(wr, TAG(REVOCATION_MESSAGE), message);
	kmip_ttlv_end(wr, at[1]);
	kmip_ttlv_end(wr, at[0]);
	return take_own(s, wr, true);
}

int
kmip_stored_add_link(struct kmip_stored *s, uint32_t type,
    const struct kms_tag *tag)
{
	char text[KMS_TAG_TEXT];
	struct kms_wr *wr = NULL;
	size_t at[2];
	int r = begin_own(s, &wr);

	if (r != 0)
		return r;
	kms_tag_text(tag, text);
	begin_structure(wr, TAG(LINK), at);
	kmip_ttlv_put_enum(wr, TAG(LINK_TYPE), type);
	kmip_ttlv_put_text(wr, TAG(LINKED_OBJECT_IDENTIFIER), text);
	kmip_ttlv_end(wr, at[1]);
	kmip_ttlv_end(wr, at[0]);
	return take_own(s, wr, false);
}

int
kmip_stored_set_digest(struct kmip_stored *s, const void *p, size_t len)
{
	uint8_t sum[KMS_SHA256_LEN];
	struct kms_wr *wr = NULL;
	size_t at[2];
	int r;

	r = kms_sha256(p, len, sum);
	if (r == 0)
		r = begin_own(s, &wr);
	if (r != 0)
		return r;
	begin_structure(wr, TAG(DIGEST), at);
	kmip_ttlv_put_enum(wr, TAG(HASHING_ALGORITHM), KMIP_HASH_SHA_256);
	kmip_ttlv_put_bytes(wr, TAG(DIGEST_VALUE), sum, sizeof(sum));
	kmip_ttlv_put_enum(wr, TAG(KEY_FORMAT_TYPE), s->format);
	kmip_ttlv_end(wr, at[1]);
	kmip_ttlv_end(wr, at[0]);
	return take_own(s, wr, true);
}

/* The record's data key is for this object alone; one step away from it, so
 * that nobody who loads it into a drive by hand uses one key for two things. */
static int
payload_cipher(const struct kms_secret *key, struct kms_gcm **gcm)
{
	static const char info[] = "p11kms/1/kmip-object";
	struct kms_secret *k = NULL;
	int r;

	*gcm = NULL;
	r = kms_hkdf_expand(key, (struct kms_bytes){info, sizeof(info) - 1},
	    KMS_KEY_LEN, &k);
	if (r == 0)
		r = kms_gcm_new(k, gcm);
	kms_secret_free(&k);
	return r;
}

int
kmip_stored_seal(struct kmip_stored *s, const struct kms_secret *key,
    const struct kms_tag *tag, const void *p, size_t len)
{
	const struct kms_bytes aad = {tag->b, tag->len};
	struct kms_gcm *gcm = NULL;
	struct kms_wr *wr = NULL;
	int r;

	if (len > KMIP_MATERIAL_MAX)
		return kms_fail(KMS_ERR_LIMIT,
		    "an object of %zu bytes; at most %u are kept", len,
		    KMIP_MATERIAL_MAX);
	r = payload_cipher(key, &gcm);
	if (r == 0)
		r = begin_own(s, &wr);
	if (r != 0)
		goto out;
	kms_wr_zero(wr, OVERHEAD + len);
	r = kms_wr_check(wr, "object");
	if (r == 0)
		r = kms_random(wr->p, KMS_GCM_IV);
	if (r == 0)
		r = kms_gcm_seal(gcm, wr->p, aad, p, len, wr->p + KMS_GCM_IV,
		    wr->p + KMS_GCM_IV + len);
	if (r != 0)
		goto out;
	s->payload = wr->p;
	s->payload_len = wr->len;
out:
	kms_gcm_free(&gcm);
	return r;
}

int
kmip_stored_open(const struct kmip_stored *s, const struct kms_secret *key,
    const struct kms_tag *tag, struct kms_secret **out)
{
	const struct kms_bytes aad = {tag->b, tag->len};
	struct kms_gcm *gcm = NULL;
	struct kms_secret *plain = NULL;
	size_t len;
	int r;

	*out = NULL;
	if (s->payload_len < OVERHEAD)
		return kms_fail(KMS_ERR_DAMAGED, "KMIP object: too short");
	len = s->payload_len - OVERHEAD;
	r = payload_cipher(key, &gcm);
	if (r == 0)
		r = kms_secret_new(len, &plain);
	if (r == 0)
		r = kms_gcm_open(gcm, s->payload, aad, s->payload + KMS_GCM_IV,
		    len, kms_secret_fill(plain), s->payload + KMS_GCM_IV + len);
	if (r == 0)
		*out = kms_secret_take(&plain);
	kms_secret_free(&plain);
	kms_gcm_free(&gcm);
	return r;
}
