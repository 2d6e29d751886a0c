#include "kms/tombstone.h"

#include <string.h>

static void
of_group(struct kms_tombstone *t, const struct kms_group *g)
{
	memcpy(t->group, g->name, sizeof(t->group));
	memcpy(t->name, g->name, sizeof(t->name));
	t->created = g->created;
	t->attrs = g->attrs;
	t->attrs_len = g->attrs_len;
}

static void
of_key(struct kms_tombstone *t, const struct kms_key *k, const char *group)
{
	memcpy(t->group, group, strnlen(group, sizeof(t->group) - 1));
	memcpy(t->name, k->name, sizeof(t->name));
	t->tag = k->tag;
	t->group_id = k->group;
	t->origin = (uint8_t)k->origin;
	t->created = k->created;
	t->attrs = k->attrs;
	t->attrs_len = k->attrs_len;
}

/* What the tombstone points to is the record's still: it is not cleared. */
int
kms_tombstone_put(struct kms_tx *tx, const struct kms_record *record,
    const char *group)
{
	struct kms_record stone = {.id = record->id,
	    .kind = KMS_KIND_TOMBSTONE};
	struct kms_tombstone *t = &stone.u.tombstone;

	t->kind = (uint8_t)record->kind;
	t->deleted = kms_tx_time(tx);
	t->who = kms_tx_actor(tx)->who;
	if (record->kind == KMS_KIND_GROUP)
		of_group(t, &record->u.group);
	else
		of_key(t, &record->u.key, group);
	return kms_tx_put(tx, &stone);
}
