/*
 * Re-key (KMIP 1.4 section 4.4): a new key takes over name and attributes of
 * an old one, and its place as the active one where there is but one.
 */
#include <stdio.h>
#include <string.h>

#include "kms/key.h"
#include "kms/kmip/make.h"
#include "kms/kmip/op.h"
#include "kms/kmip/reason.h"

#define TAG(id) KMIP_TAG_##id

/* The old object, read before there is a transaction of the batch's. */
static int
read_old(struct kmip_batch *b, const struct kmip_item *uid,
    struct kmip_view *old)
{
	int r;

	r = kms_tx_begin(b->service->store, &b->actor->base, KMS_READ, &b->tx);
	if (r == 0)
		r = kmip_op_load_live(b, uid, old);
	kms_tx_abort(&b->tx);
	return r;
}

/* The new one inherits what the old one is, but not its life so far. */
static int
inherit(struct kmip_making *m, const struct kmip_view *old)
{
	if (old->stored.type != KMIP_OBJECT_SYMMETRIC_KEY ||
	    old->stored.algorithm != KMIP_ALG_AES)
		return kmip_fail(INVALID_FIELD,
		    "only AES keys can be re-keyed");
	memcpy(m->group, old->group, sizeof(m->group));
	m->stored.algorithm = old->stored.algorithm;
	m->stored.bits = old->stored.bits;
	m->stored.mask = old->stored.mask;
	m->stored.flags = old->stored.flags &
	    (KMIP_STORED_NAMED | KMIP_STORED_URI);
	return 0;
}

int
kmip_op_rekey_prepare(struct kmip_batch *b, struct kmip_work *w)
{
	struct kmip_item uid, offset, template;
	struct kmip_view old = {0};
	struct kmip_making *m;
	int r;
	const struct kmip_field f[] = {{TAG(UNIQUE_IDENTIFIER), KMIP_TEXT,
					   KMIP_REQUIRED, &uid},
	    {TAG(OFFSET), KMIP_INTERVAL, KMIP_OPTIONAL, &offset},
	    {TAG(TEMPLATE_ATTRIBUTE), KMIP_STRUCTURE, KMIP_OPTIONAL,
		&template}};

	r = kmip_making_new(b, w, KMIP_MAKING_REKEY, &m);
	if (r == 0)
		r = kmip_ttlv_fields(&w->call->payload, f, 3, b->lenient);
	if (r == 0 && offset.type != 0 && kms_get32(offset.value) != 0)
		r = kmip_fail(INVALID_FIELD,
		    "Offset: keys are activated when asked, not later");
	if (r == 0)
		r = read_old(b, &uid, &old);
	if (r == 0)
		r = inherit(m, &old);
	if (r == 0 && template.type != 0)
		r = kmip_making_template(m, b->actor->rule, &template);
	if (r == 0)
		r = kmip_making_new_key(b->service, m);
	kmip_view_clear(&old);
	return r;
}

/* A name is free again when the old record has another; the record's number
 * makes it one. */
static int
give_up_name(struct kmip_batch *b, struct kmip_view *old, struct kmip_making *m)
{
	char retired[KMS_NAME_MAX + 1], tag[KMS_TAG_TEXT];
	const struct kms_key_change change = {.name = retired};
	uint64_t id = old->rec.id;
	int r;

	if ((old->stored.flags & KMIP_STORED_NAMED) == 0)
		return 0;
	memcpy(m->name, old->rec.u.key.name, sizeof(m->name));
	m->stored.flags |= KMIP_STORED_NAMED;
	kms_tag_text(kmip_view_tag(old), tag);
	(void)snprintf(retired, sizeof(retired), "%s", tag);
	r = kms_key_modify(b->tx, old->group, old->rec.u.key.name, &change);
	if (r != 0)
		return r;
	b->changed = true;
	kmip_view_clear(old);
	r = kmip_op_load_row(b, id, old);
	old->stored.flags &= ~(unsigned)KMIP_STORED_NAMED;
	return r;
}

static int
carry_over(struct kmip_making *m, const struct kmip_view *old)
{
	const struct kmip_stored *from = &old->stored;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < from->n; i++) {
		const struct kmip_attr *a = &from->attr[i];

		if (a->def == NULL || (a->def->flags & KMIP_ATTR_CREATE) == 0 ||
		    a->def->tag == TAG(ORIGINAL_CREATION_DATE) ||
		    kmip_stored_find(&m->stored, a->name, a->name_len,
			a->index) != NULL)
			continue;
		r = kmip_stored_add(&m->stored, a, a->index, NULL);
	}
	return r;
}

/* Names and what else must be unique go over to the new object. */
static void
give_up_unique(struct kmip_stored *s)
{
	size_t i = s->n;

	while (i-- > 0) {
		const struct kmip_attr *a = &s->attr[i];

		if (a->def != NULL &&
		    (a->def->tag == TAG(NAME) ||
			a->def->tag == TAG(APPLICATION_SPECIFIC_INFORMATION)))
			kmip_stored_remove(s, &s->attr[i]);
	}
}

static int
replace(struct kmip_batch *b, struct kmip_work *w, struct kmip_view *old)
{
	struct kmip_making *m = w->prepared;
	const struct kms_tag old_tag = *kmip_view_tag(old);
	int r;

	/* Its state is what earlier items made of it; its group decides what
	 * the key was made from, and that is done. */
	if (strcmp(m->group, old->group) != 0)
		return kms_fail(KMS_ERR_BUSY, "the object was moved meanwhile");
	m->activate = kmip_view_state(old) == KMIP_STATE_ACTIVE;
	r = give_up_name(b, old, m);
	if (r == 0)
		r = carry_over(m, old);
	if (r == 0)
		r = kmip_stored_add_link(&m->stored,
		    KMIP_LINK_REPLACED_OBJECT_LINK, &old_tag);
	if (r == 0)
		r = kmip_stored_add_link(&old->stored,
		    KMIP_LINK_REPLACEMENT_OBJECT_LINK, &m->material.tag);
	if (r != 0)
		return r;
	give_up_unique(&old->stored);
	r = kmip_op_save(b, old);
	return r == 0 ? kmip_op_make(b, w) : r;
}

int
kmip_op_rekey(struct kmip_batch *b, struct kmip_work *w)
{
	struct kmip_view old = {0};
	struct kmip_item uid;
	int r;

	if (!kmip_ttlv_find(&w->call->payload, TAG(UNIQUE_IDENTIFIER), &uid))
		return kmip_fail(MISSING_DATA, "Unique Identifier is missing");
	r = kmip_op_load_live(b, &uid, &old);
	if (r == 0)
		r = replace(b, w, &old);
	kmip_view_clear(&old);
	return r;
}
