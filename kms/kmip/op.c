#include "kms/kmip/op.h"

#include <stdlib.h>
#include <string.h>

#include "kms/key.h"
#include "kms/kmip/reason.h"

static const struct kmip_op ops[] = {
    {KMIP_OP_CREATE, KMIP_OP_WRITES, kmip_op_create_prepare, kmip_op_make,
	kmip_op_make_drop},
    {KMIP_OP_REGISTER, KMIP_OP_WRITES, kmip_op_register_prepare, kmip_op_make,
	kmip_op_make_drop},
    {KMIP_OP_RE_KEY, KMIP_OP_WRITES, kmip_op_rekey_prepare, kmip_op_rekey,
	kmip_op_make_drop},
    {KMIP_OP_LOCATE, KMIP_OP_LOOKS, NULL, kmip_op_locate, NULL},
    {KMIP_OP_CHECK, KMIP_OP_READS, NULL, kmip_op_check, NULL},
    {KMIP_OP_GET, KMIP_OP_RELEASES, NULL, kmip_op_get, NULL},
    {KMIP_OP_GET_ATTRIBUTES, KMIP_OP_READS, NULL, kmip_op_get_attributes, NULL},
    {KMIP_OP_GET_ATTRIBUTE_LIST, KMIP_OP_READS, NULL,
	kmip_op_get_attribute_list, NULL},
    {KMIP_OP_ADD_ATTRIBUTE, KMIP_OP_WRITES, NULL, kmip_op_add_attribute, NULL},
    {KMIP_OP_MODIFY_ATTRIBUTE, KMIP_OP_WRITES, NULL, kmip_op_modify_attribute,
	NULL},
    {KMIP_OP_DELETE_ATTRIBUTE, KMIP_OP_WRITES, NULL, kmip_op_delete_attribute,
	NULL},
    {KMIP_OP_ACTIVATE, KMIP_OP_WRITES, NULL, kmip_op_activate, NULL},
    {KMIP_OP_REVOKE, KMIP_OP_WRITES, NULL, kmip_op_revoke, NULL},
    {KMIP_OP_DESTROY, KMIP_OP_WRITES, NULL, kmip_op_destroy, NULL},
    {KMIP_OP_ARCHIVE, KMIP_OP_WRITES, NULL, kmip_op_archive, NULL},
    {KMIP_OP_RECOVER, KMIP_OP_WRITES, NULL, kmip_op_recover, NULL},
    {KMIP_OP_ENCRYPT, KMIP_OP_RELEASES, NULL, kmip_op_encrypt, NULL},
    {KMIP_OP_DECRYPT, KMIP_OP_RELEASES, NULL, kmip_op_decrypt, NULL},
    {KMIP_OP_QUERY, KMIP_OP_ALONE, NULL, kmip_op_query, NULL},
    {KMIP_OP_DISCOVER_VERSIONS, KMIP_OP_ALONE, NULL, kmip_op_discover, NULL},
};
#define OPS (sizeof(ops) / sizeof(ops[0]))

const struct kmip_op *
kmip_op_at(size_t n)
{
	return n < OPS ? &ops[n] : NULL;
}

const struct kmip_op *
kmip_op_find(uint32_t op, unsigned minor)
{
	size_t i;

	for (i = 0; i < OPS; i++)
		if (ops[i].op == op &&
		    kmip_def_since(KMIP_TABLE_OPERATION, op) <= minor)
			return &ops[i];
	return NULL;
}

int
kmip_service_open(struct kms_store *store, bool groups_need_phrase,
    struct kmip_service **out)
{
	struct kmip_service *s;
	int r;

	*out = NULL;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return kms_fail(KMS_ERR_MEMORY, "service: out of memory");
	s->store = store;
	s->groups_need_phrase = groups_need_phrase;
	kmip_metrics_init(&s->metrics);
	r = kmip_index_new(&s->index);
	if (r != 0) {
		free(s);
		return r;
	}
	*out = s;
	return 0;
}

void
kmip_service_close(struct kmip_service **sp)
{
	if (sp == NULL || *sp == NULL)
		return;
	kmip_index_free(&(*sp)->index);
	free(*sp);
	*sp = NULL;
}

/* --- finding objects ---------------------------------------------------- */

static int
not_found(void)
{
	return kmip_fail(ITEM_NOT_FOUND, "no such object");
}

int
kmip_op_tag(const struct kmip_batch *b, const struct kmip_item *uid,
    struct kms_tag *tag)
{
	char text[2 * KMS_TAG_TEXT];
	int r = 0;

	if (uid->type == 0 && b->placeholder[0] == '\0')
		return kmip_fail(ITEM_NOT_FOUND,
		    "no Unique Identifier given, and none left by an earlier "
		    "item of the batch");
	if (uid->type != 0)
		r = kmip_ttlv_text(uid, text, sizeof(text));
	if (r == 0)
		r = kms_tag_parse(tag, uid->type == 0 ? b->placeholder : text);
	return r == 0 ? 0 : not_found();
}

/* The tombstone remembers its group's name; a key's group has the name it has
 * now. */
int
kmip_op_load_row(struct kmip_batch *b, uint64_t id, struct kmip_view *v)
{
	char group[KMS_NAME_MAX + 1] = "";
	struct kms_record rec;
	int r;

	memset(v, 0, sizeof(*v));
	r = kms_tx_get(b->tx, id, &rec);
	if (r == KMS_ERR_NOTFOUND)
		return not_found(); /* its creation was undone */
	if (r != 0)
		return r;
	if (rec.kind == KMS_KIND_TOMBSTONE && rec.u.tombstone.tag.len > 0)
		memcpy(group, rec.u.tombstone.group, sizeof(group));
	else if (rec.kind == KMS_KIND_KEY)
		r = kms_tx_group_name(b->tx, rec.u.key.group, group);
	else
		r = not_found();
	if (r == 0 && !kmip_rule_may_use(b->actor->rule, group))
		r = not_found();
	if (r == 0)
		r = kmip_view_take(v, &rec, group);
	kms_record_clear(&rec);
	return r;
}

/* A tag may have been destroyed, recovered and destroyed again: the newest
 * stone counts. */
static int
find_destroyed(struct kmip_batch *b, const struct kms_tag *tag,
    struct kmip_view *v)
{
	const struct kmip_sought stone = {.term = KMIP_TERM_DESTROYED,
	    .first = {.value = tag->b, .len = tag->len},
	    .second = {.value = tag->b}};
	struct kmip_ids ids = {0};
	bool found = false;
	size_t i;
	int r;

	r = kmip_op_find_term(b, &stone, &ids);
	for (i = 0; r == 0 && i < ids.n && !found; i++) {
		r = kmip_op_load_row(b, ids.id[i], v);
		found = r == 0 && kmip_view_is_destroyed(v) &&
		    kms_tag_equal(kmip_view_tag(v), tag);
		if (r == 0 && !found)
			kmip_view_clear(v);
		if (r == KMIP_ERR(ITEM_NOT_FOUND))
			r = 0; /* of a group that is not this client's */
	}
	kmip_ids_clear(&ids);
	return r == 0 && !found ? not_found() : r;
}

int
kmip_op_load(struct kmip_batch *b, const struct kmip_item *uid,
    struct kmip_view *v)
{
	const struct kms_directory_row *row;
	struct kms_tag tag;
	int r;

	memset(v, 0, sizeof(*v));
	r = kmip_op_tag(b, uid, &tag);
	if (r != 0)
		return r;
	row = kms_directory_by_tag(kms_tx_directory(b->tx), &tag);
	if (row != NULL)
		return kmip_op_load_row(b, row->id, v);
	return find_destroyed(b, &tag, v);
}

int
kmip_op_load_live(struct kmip_batch *b, const struct kmip_item *uid,
    struct kmip_view *v)
{
	int r = kmip_op_load(b, uid, v);

	if (r != 0)
		return r;
	if (kmip_view_is_destroyed(v))
		r = kmip_fail(PERMISSION_DENIED, "the object is destroyed");
	else if (kmip_view_is_archived(v))
		r = kmip_fail(OBJECT_ARCHIVED, "the object is archived (%s)",
		    kms_state_name(v->rec.u.key.state));
	if (r != 0)
		kmip_view_clear(v);
	return r;
}

int
kmip_op_find_term(struct kmip_batch *b, const struct kmip_sought *t,
    struct kmip_ids *ids)
{
	struct kmip_index *ix = b->service->index;
	int r = 0;

	if (!b->writing) /* else it was when the transaction began */
		r = kmip_index_update(ix, b->tx);
	if (r == 0)
		r = kmip_index_find(ix, kms_tx_directory(b->tx), t, ids);
	if (r == 0)
		kmip_ids_sort(ids);
	return r;
}

/* --- changing them ------------------------------------------------------ */

int
kmip_op_save(struct kmip_batch *b, struct kmip_view *v)
{
	struct kms_key *key = &v->rec.u.key;
	const struct kms_step step = {.event = KMS_EVENT_KEY_ATTRIBUTE,
	    .group = v->group,
	    .subject = key->name,
	    .tag = &key->tag};
	uint8_t *old = key->attrs;
	size_t old_len = key->attrs_len;
	struct kms_wr wr;
	int r;

	kms_wr_grow(&wr, KMS_ATTRS_MAX);
	r = kmip_stored_encode(&v->stored, &wr);
	if (r == 0)
		r = kms_tx_step(b->tx, &step);
	if (r == 0) {
		key->attrs = wr.p; /* lent for the put */
		key->attrs_len = wr.len;
		key->modified = kms_tx_time(b->tx);
		r = kms_tx_put(b->tx, &v->rec);
		key->attrs = old;
		key->attrs_len = old_len;
	}
	b->changed = b->changed || r == 0;
	kms_wr_free(&wr);
	return r;
}

int
kmip_op_set_state(struct kmip_batch *b, struct kmip_view *v,
    enum kms_state state)
{
	const struct kms_key_change change = {.set_state = true,
	    .state = state,
	    .keep_others = true};
	uint64_t id = v->rec.id;
	int r;

	r = kms_key_modify(b->tx, v->group, v->rec.u.key.name, &change);
	if (r != 0)
		return r;
	b->changed = true;
	kmip_view_clear(v);
	return kmip_op_load_row(b, id, v);
}

void
kmip_op_answer_tag(struct kmip_batch *b, struct kmip_work *w,
    const struct kms_tag *tag)
{
	kms_tag_text(tag, b->placeholder);
	kmip_ttlv_put_text(&w->out, KMIP_TAG_UNIQUE_IDENTIFIER, b->placeholder);
}
