/*
 * Create and Register (KMIP 1.4 sections 4.1 and 4.3). The request is
 * read and the key made before the transaction begins, for the token may take
 * its time; run() then only writes the record.
 */
#include <stdlib.h>
#include <string.h>

#include "kms/base/crypt.h"
#include "kms/draw.h"
#include "kms/group.h"
#include "kms/key.h"
#include "kms/kmip/make.h"
#include "kms/kmip/op.h"
#include "kms/kmip/reason.h"

#define TAG(id) KMIP_TAG_##id
#define TAG_SHORT 16u /* of an object whose bytes lie sealed beside it */

void
kmip_op_make_drop(void *prepared)
{
	struct kmip_making *m = prepared;

	if (m == NULL)
		return;
	kmip_stored_clear(&m->stored);
	free(m);
}

int
kmip_making_new(struct kmip_batch *b, struct kmip_work *w,
    enum kmip_making_by by, struct kmip_making **out)
{
	struct kmip_making *m = calloc(1, sizeof(*m));

	*out = NULL;
	if (m == NULL)
		return kms_fail(KMS_ERR_MEMORY, "object: out of memory");
	m->by = by;
	m->minor = b->minor;
	kmip_stored_init(&m->stored);
	m->stored.flags = 0;
	w->prepared = m;
	*out = m;
	return 0;
}

/* --- the key itself ----------------------------------------------------- */

/* 24 bytes that make the tag one of its own. */
static int
draw_tag(struct kms_sealer *sealer, const struct kms_secret *key,
    struct kms_tag *tag)
{
	uint8_t salt[24], kcv[KMS_KCV_LEN];
	int r;

	r = kms_draw(sealer, salt, sizeof(salt));
	if (r == 0)
		r = kms_kcv(key, kcv);
	if (r == 0)
		r = kms_tag_make(tag, KMS_TAG_RANDOM, 0, salt);
	if (r == 0)
		kms_tag_set_check(tag, kcv);
	return r;
}

/* Bytes that are no AES-256 key: a key is drawn to seal them. Its tag is of
 * another length, so that a Get of a tape key need not look for such bytes. */
static int
make_sealed(struct kms_store *s, struct kmip_making *m, const void *p,
    size_t len)
{
	struct kms_sealer *sealer = kms_store_sealer(s);
	struct kms_secret *key = NULL;
	uint8_t name[TAG_SHORT];
	struct kms_tag tag;
	int r;

	r = kms_draw(sealer, name, sizeof(name));
	if (r == 0)
		r = kms_tag_from(&tag, name, sizeof(name));
	if (r == 0)
		r = kms_draw_secret(sealer, &key);
	if (r == 0)
		r = kmip_stored_seal(&m->stored, key, &tag, p, len);
	if (r == 0)
		r = kmip_stored_set_digest(&m->stored, p, len);
	if (r == 0)
		r = kms_material_import(s, key, &tag, &m->material);
	kms_secret_free(&key);
	return r;
}

static int
refuse_without_phrase(const char *group)
{
	return kms_fail(KMS_ERR_GATE,
	    "group '%s' has no passphrase, and this service makes keys only "
	    "where one brings them back; give it one with p11kmsutil "
	    "-modifykg -phrase",
	    group);
}

/* AES-256: from the group's phrase if it has one, else born in the token. */
static int
make_data_key(struct kmip_service *svc, struct kmip_making *m)
{
	int r = kms_material_group(svc->store, m->group, &m->material);

	if (r != KMS_ERR_NOTFOUND)
		return r;
	kms_err_clear();
	if (svc->groups_need_phrase)
		return refuse_without_phrase(m->group);
	return kms_material_random(svc->store, &m->material);
}

static int
make_short_key(struct kmip_service *svc, struct kmip_making *m)
{
	struct kms_secret *key = NULL;
	int r;

	if (svc->groups_need_phrase)
		return refuse_without_phrase(m->group);
	r = kms_draw_secret(kms_store_sealer(svc->store), &key);
	if (r == 0)
		r = kms_secret_truncate(key, m->stored.bits / 8);
	if (r == 0)
		r = make_sealed(svc->store, m, kms_secret_bytes(key),
		    kms_secret_len(key));
	kms_secret_free(&key);
	return r;
}

int
kmip_making_new_key(struct kmip_service *svc, struct kmip_making *m)
{
	if (m->stored.algorithm != KMIP_ALG_AES)
		return kmip_fail(INVALID_FIELD,
		    "Cryptographic Algorithm: only AES keys are made here");
	switch (m->stored.bits) {
	case 128:
	case 192:
		return make_short_key(svc, m);
	case 256:
		return make_data_key(svc, m);
	}
	return kmip_fail(INVALID_FIELD,
	    "Cryptographic Length %u: AES has 128, 192 and 256",
	    m->stored.bits);
}

/* --- Create ------------------------------------------------------------- */

int
kmip_op_create_prepare(struct kmip_batch *b, struct kmip_work *w)
{
	struct kmip_item type, template;
	struct kmip_making *m;
	uint32_t v = 0;
	int r;
	const struct kmip_field f[] = {{TAG(OBJECT_TYPE), KMIP_ENUM,
					   KMIP_REQUIRED, &type},
	    {TAG(TEMPLATE_ATTRIBUTE), KMIP_STRUCTURE, KMIP_REQUIRED,
		&template}};

	r = kmip_making_new(b, w, KMIP_MAKING_CREATE, &m);
	if (r == 0)
		r = kmip_ttlv_fields(&w->call->payload, f, 2, b->lenient);
	if (r == 0)
		r = kmip_ttlv_enum(&type, &v);
	if (r == 0 && v != KMIP_OBJECT_SYMMETRIC_KEY)
		r = kmip_fail(INVALID_FIELD,
		    "Object Type: only Symmetric Keys are created");
	if (r == 0)
		r = kmip_making_template(m, b->actor->rule, &template);
	if (r == 0)
		r = kmip_making_new_key(b->service, m);
	return r;
}

/* --- Register ----------------------------------------------------------- */

/* What the object's structure says, against what the template said. */
static int
settle_length(struct kmip_making *m, size_t len)
{
	struct kmip_stored *s = &m->stored;

	if (m->object_bits != 0 && s->bits != 0 && m->object_bits != s->bits)
		return kmip_fail(INVALID_FIELD,
		    "Cryptographic Length: %u in the object, %u in the "
		    "template",
		    m->object_bits, s->bits);
	if (s->bits == 0)
		s->bits = m->object_bits;
	if (s->type == KMIP_OBJECT_SYMMETRIC_KEY && s->bits == 0)
		s->bits = (uint32_t)len * 8;
	if (s->type == KMIP_OBJECT_SYMMETRIC_KEY &&
	    s->algorithm == KMIP_ALG_AES && s->bits != len * 8)
		return kmip_fail(INVALID_FIELD,
		    "an AES key of %zu bytes is not one of %u bits", len,
		    s->bits);
	return 0;
}

static int
register_data_key(struct kms_store *s, struct kmip_making *m)
{
	struct kms_secret *key = NULL;
	struct kms_tag tag;
	int r;

	r = kms_secret_new(KMS_KEY_LEN, &key);
	if (r == 0) {
		memcpy(kms_secret_fill(key), m->bytes.value, KMS_KEY_LEN);
		r = draw_tag(kms_store_sealer(s), key, &tag);
	}
	if (r == 0)
		r = kmip_stored_set_digest(&m->stored, m->bytes.value,
		    KMS_KEY_LEN);
	if (r == 0)
		r = kms_material_import(s, key, &tag, &m->material);
	kms_secret_free(&key);
	return r;
}

int
kmip_op_register_prepare(struct kmip_batch *b, struct kmip_work *w)
{
	struct kms_store *s = b->service->store;
	struct kmip_making *m;
	int r;

	if (!b->locked)
		return kmip_fail(INVALID_MESSAGE,
		    "a key within a message this long is not taken; register "
		    "it in a message of its own");
	r = kmip_making_new(b, w, KMIP_MAKING_REGISTER, &m);
	if (r == 0)
		r = kmip_making_register(m, b, w);
	if (r == 0)
		r = settle_length(m, m->bytes.len);
	if (r != 0)
		return r;
	if (m->stored.type == KMIP_OBJECT_SYMMETRIC_KEY &&
	    m->stored.algorithm == KMIP_ALG_AES && m->bytes.len == KMS_KEY_LEN)
		return register_data_key(s, m);
	return make_sealed(s, m, m->bytes.value, m->bytes.len);
}

/* --- the record --------------------------------------------------------- */

static int
check_names(struct kmip_batch *b, const struct kmip_making *m)
{
	size_t i;
	int r = 0;

	if (m->first_name.def != NULL)
		r = kmip_op_check_unique_in(b, m->group, 0, &m->first_name);
	for (i = 0; r == 0 && i < m->stored.n; i++)
		if (m->stored.attr[i].def != NULL)
			r = kmip_op_check_unique_in(b, m->group, 0,
			    &m->stored.attr[i]);
	return r;
}

static int
ensure_group(struct kmip_batch *b, const char *group)
{
	uint64_t id;
	int r = kms_group_id(b->tx, group, &id);

	if (r != KMS_ERR_NOTFOUND)
		return r;
	kms_err_clear();
	return kms_group_add(b->tx, group, NULL, NULL);
}

static int
add_record(struct kmip_batch *b, struct kmip_making *m,
    struct kms_key_view *view)
{
	struct kms_key_new new = {.group = m->group,
	    .name = (m->stored.flags & KMIP_STORED_NAMED) != 0 ? m->name : NULL,
	    .description = m->description[0] != '\0' ? m->description : NULL,
	    .state = m->activate ? KMS_ACTIVE : KMS_PRELIVE,
	    .event = m->by == KMIP_MAKING_REGISTER ? KMS_EVENT_KEY_IMPORT
						   : KMS_EVENT_KEY_CREATE,
	    .material = &m->material,
	    .keep_others = true};
	struct kms_wr wr;
	bool held = false;
	int r;

	kms_wr_grow(&wr, KMS_ATTRS_MAX);
	r = kmip_stored_encode(&m->stored, &wr);
	if (r == 0) {
		new.attrs = wr.p;
		new.attrs_len = wr.len;
		r = kms_key_add(b->tx, &new, view, &held);
	}
	if (r == 0 && held)
		r = kms_fail(KMS_ERR_INTERNAL, "a tag was drawn twice");
	b->changed = b->changed || r == 0;
	kms_wr_free(&wr);
	return r;
}

int
kmip_op_make(struct kmip_batch *b, struct kmip_work *w)
{
	struct kmip_making *m = w->prepared;
	struct kms_key_view *view;
	int r;

	view = calloc(1, sizeof(*view));
	if (view == NULL)
		return kms_fail(KMS_ERR_MEMORY, "object: out of memory");
	r = check_names(b, m);
	if (r == 0)
		r = ensure_group(b, m->group);
	if (r == 0)
		r = add_record(b, m, view);
	if (r == 0) {
		if (m->by == KMIP_MAKING_CREATE)
			kmip_ttlv_put_enum(&w->out, TAG(OBJECT_TYPE),
			    m->stored.type);
		kmip_op_answer_tag(b, w, &m->material.tag);
		b->made = true;
	}
	free(view);
	return r;
}
