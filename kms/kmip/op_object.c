/*
 * Get (KMIP 1.4 section 4.11): the key leaves through kms_release, in locked
 * memory until it is encrypted for the client.
 */
#include <string.h>

#include "kms/kmip/op.h"
#include "kms/kmip/reason.h"
#include "kms/kmip/wrap.h"
#include "kms/release.h"

#define TAG(id) KMIP_TAG_##id
#define FRAME_MAX 768u /* of an object, around its bytes */

struct getting {
	struct kmip_item uid;
	uint32_t format; /* wanted; 0: whatever it is in */
	bool wrapped;
	struct kmip_wrap wrap; /* by another key, if wrapped */
	struct kms_tag tag;
	struct kmip_stored stored;
	struct kmip_view view;  /* stored borrows from it, when it was read */
	struct kms_secret *key; /* the record's data key */
	struct kms_secret *object; /* its bytes; NULL: the key itself */
};

static int
read_request(struct kmip_batch *b, struct kmip_work *w, struct getting *g)
{
	struct kmip_item format, wrap_type, compression, wrapping;
	int r;
	const struct kmip_field f[] = {{TAG(UNIQUE_IDENTIFIER), KMIP_TEXT,
					   KMIP_OPTIONAL, &g->uid},
	    {TAG(KEY_FORMAT_TYPE), KMIP_ENUM, KMIP_OPTIONAL, &format},
	    {TAG(KEY_WRAP_TYPE), KMIP_ENUM, KMIP_OPTIONAL, &wrap_type},
	    {TAG(KEY_COMPRESSION_TYPE), KMIP_ENUM, KMIP_OPTIONAL, &compression},
	    {TAG(KEY_WRAPPING_SPECIFICATION), KMIP_STRUCTURE, KMIP_OPTIONAL,
		&wrapping}};

	r = kmip_ttlv_fields(&w->call->payload, f, 5, b->lenient);
	if (r == 0 && compression.type != 0)
		r = kmip_fail(KEY_COMPRESSION_TYPE_NOT_SUPPORTED,
		    "Key Compression Type: for no object here");
	g->wrapped = wrapping.type != 0;
	if (r == 0 && g->wrapped)
		r = kmip_wrap_read(&g->wrap, &wrapping, b->minor);
	if (r == 0 && format.type != 0)
		r = kmip_ttlv_enum(&format, &g->format);
	return r == 0 ? kmip_op_tag(b, &g->uid, &g->tag) : r;
}

/*
 * Is it worth looking at the record? Tags made by p11kms name AES-256 keys and
 * nothing else; only under others may lie something sealed beside the key.
 */
static bool
is_plain(const struct kms_tag *tag)
{
	return kms_tag_kind(tag) != KMS_TAG_FOREIGN;
}

static int
read_record(struct kmip_batch *b, struct getting *g)
{
	int r;

	kmip_stored_init(&g->stored);
	if (is_plain(&g->tag))
		return 0;
	r = kms_tx_begin(b->service->store, &b->actor->base, KMS_READ, &b->tx);
	if (r == 0)
		r = kmip_op_load(b, &g->uid, &g->view);
	kms_tx_abort(&b->tx);
	if (r != 0)
		return r;
	if (kmip_view_is_destroyed(&g->view))
		return kmip_fail(ITEM_NOT_FOUND, "the object is destroyed");
	g->stored = g->view.stored;
	return 0;
}

static int
check_format(const struct getting *g)
{
	const struct kmip_stored *s = &g->stored;

	if (g->format == 0 || g->format == s->format)
		return 0;
	if (s->type == KMIP_OBJECT_SYMMETRIC_KEY &&
	    g->format == KMIP_FORMAT_TRANSPARENT_SYMMETRIC_KEY)
		return 0;
	return kmip_fail(KEY_FORMAT_TYPE_NOT_SUPPORTED,
	    "Key Format Type %u: the object is not to be had in it", g->format);
}

/* What kms/ says in an administrator's words, a client hears in KMIP's; and
 * nothing of objects in groups that are not his. */
static int
release(struct kmip_batch *b, struct getting *g)
{
	const struct kms_purpose purpose = {.use = KMS_USE_CLIENT};
	int r;

	r = kms_release(b->service->store, &b->actor->base, &g->tag, &purpose,
	    &g->key);
	if (r == KMS_ERR_DENIED)
		return kmip_fail(ITEM_NOT_FOUND, "no such object");
	if (r == KMS_ERR_STATE)
		return kmip_fail(OBJECT_ARCHIVED, "the object is archived");
	if (r == 0 && g->stored.payload != NULL)
		r = kmip_stored_open(&g->stored, g->key, &g->tag, &g->object);
	return r;
}

static int
check_wrapped(const struct getting *g)
{
	if (!g->wrapped)
		return 0;
	if (g->stored.type != KMIP_OBJECT_SYMMETRIC_KEY &&
	    g->stored.type != KMIP_OBJECT_SECRET_DATA)
		return kmip_fail(FEATURE_NOT_SUPPORTED,
		    "Key Wrapping Specification: only keys and secrets are "
		    "wrapped");
	if (g->format == KMIP_FORMAT_TRANSPARENT_SYMMETRIC_KEY)
		return kmip_fail(KEY_FORMAT_TYPE_NOT_SUPPORTED,
		    "Key Format Type: keys are wrapped in Raw format");
	return 0;
}

static void
put_key_value(struct kms_wr *wr, uint32_t format, const uint8_t *p, size_t len)
{
	size_t value = kmip_ttlv_begin(wr, TAG(KEY_VALUE)), material;

	if (format == KMIP_FORMAT_TRANSPARENT_SYMMETRIC_KEY) {
		material = kmip_ttlv_begin(wr, TAG(KEY_MATERIAL));
		kmip_ttlv_put_bytes(wr, TAG(KEY), p, len);
		kmip_ttlv_end(wr, material);
	} else {
		kmip_ttlv_put_bytes(wr, TAG(KEY_MATERIAL), p, len);
	}
	kmip_ttlv_end(wr, value);
}

static int
put_key_block(struct kms_wr *wr, unsigned minor, const struct getting *g,
    const struct kms_secret *bytes)
{
	const struct kmip_stored *s = &g->stored;
	uint32_t format = g->format == 0 ? s->format : g->format;
	size_t len = kms_secret_len(bytes), block;
	int r = 0;

	block = kmip_ttlv_begin(wr, TAG(KEY_BLOCK));
	kmip_ttlv_put_enum(wr, TAG(KEY_FORMAT_TYPE), format);
	if (g->wrapped)
		r = kmip_wrap_put_value(&g->wrap, wr, kms_secret_bytes(bytes),
		    len);
	else
		put_key_value(wr, format, kms_secret_bytes(bytes), len);
	if (s->algorithm != 0)
		kmip_ttlv_put_enum(wr, TAG(CRYPTOGRAPHIC_ALGORITHM),
		    s->algorithm);
	if (s->bits != 0)
		kmip_ttlv_put_int(wr, TAG(CRYPTOGRAPHIC_LENGTH),
		    (int32_t)s->bits);
	if (g->wrapped)
		kmip_wrap_put_data(&g->wrap, minor, wr);
	kmip_ttlv_end(wr, block);
	return r;
}

static int
put_object(struct kms_wr *wr, unsigned minor, const struct getting *g,
    const struct kms_secret *bytes)
{
	size_t at;
	int r = 0;

	switch (g->stored.type) {
	case KMIP_OBJECT_OPAQUE_OBJECT:
		at = kmip_ttlv_begin(wr, TAG(OPAQUE_OBJECT));
		kmip_ttlv_put_enum(wr, TAG(OPAQUE_DATA_TYPE),
		    g->stored.subtype);
		kmip_ttlv_put_bytes(wr, TAG(OPAQUE_DATA_VALUE),
		    kms_secret_bytes(bytes), kms_secret_len(bytes));
		break;
	case KMIP_OBJECT_SECRET_DATA:
		at = kmip_ttlv_begin(wr, TAG(SECRET_DATA));
		kmip_ttlv_put_enum(wr, TAG(SECRET_DATA_TYPE),
		    g->stored.subtype);
		r = put_key_block(wr, minor, g, bytes);
		break;
	default:
		at = kmip_ttlv_begin(wr, TAG(SYMMETRIC_KEY));
		r = put_key_block(wr, minor, g, bytes);
		break;
	}
	kmip_ttlv_end(wr, at);
	return r;
}

static int
answer(struct kmip_batch *b, struct kmip_work *w, const struct getting *g)
{
	const struct kms_secret *bytes = g->object != NULL ? g->object : g->key;
	char uid[KMS_TAG_TEXT];
	struct kms_wr wr;
	int r;

	r = kms_secret_new(kms_secret_len(bytes) + FRAME_MAX, &w->secret);
	if (r != 0)
		return r;
	kms_tag_text(&g->tag, uid);
	kms_wr_fixed(&wr, kms_secret_fill(w->secret),
	    kms_secret_len(w->secret));
	kmip_ttlv_put_enum(&wr, TAG(OBJECT_TYPE), g->stored.type);
	kmip_ttlv_put_text(&wr, TAG(UNIQUE_IDENTIFIER), uid);
	r = put_object(&wr, b->minor, g, bytes);
	if (r == 0)
		r = kms_wr_check(&wr, "object");
	w->secret_len = wr.len;
	memcpy(b->placeholder, uid, sizeof(uid));
	return r;
}

/*
 * A key made and fetched in one message, as tape libraries do: now that its
 * bytes are at hand its Digest can be told, and it is no longer Fresh. Nice to
 * have, so its failure is not the client's.
 */
static void
note_fetched(struct kmip_batch *b, const struct getting *g)
{
	struct kmip_view v = {0};
	int r;

	if (!b->made || g->object != NULL)
		return;
	r = kms_tx_begin(b->service->store, &b->actor->base, KMS_WRITE, &b->tx);
	if (r == 0)
		r = kmip_op_load(b, &g->uid, &v);
	if (r == 0)
		r = kmip_stored_set_digest(&v.stored, kms_secret_bytes(g->key),
		    kms_secret_len(g->key));
	if (r == 0) {
		v.stored.flags |= KMIP_STORED_FETCHED;
		r = kmip_op_save(b, &v);
	}
	if (r == 0)
		r = kms_tx_commit(&b->tx);
	kms_tx_abort(&b->tx);
	b->changed = false;
	if (r != 0)
		kms_err_clear();
	kmip_view_clear(&v);
}

int
kmip_op_get(struct kmip_batch *b, struct kmip_work *w)
{
	struct getting g = {.format = 0};
	int r;

	r = read_request(b, w, &g);
	if (r == 0)
		r = read_record(b, &g);
	if (r == 0)
		r = check_format(&g);
	if (r == 0)
		r = check_wrapped(&g);
	if (r == 0 && g.wrapped)
		r = kmip_wrap_open(b, &g.wrap);
	if (r == 0)
		r = release(b, &g);
	if (r == 0)
		r = answer(b, w, &g);
	if (r == 0)
		note_fetched(b, &g);
	kmip_wrap_clear(&g.wrap);
	kms_secret_free(&g.object);
	kms_secret_free(&g.key);
	kmip_view_clear(&g.view);
	return r;
}
