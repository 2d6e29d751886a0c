/* One key out of a backup. */
#include <stdlib.h>
#include <string.h>

#include "kms/transfer.h"

struct recovering {
	struct kms_store *s, *backup;
	const struct kms_transfer_recover *options;
	struct kms_record record; /* of the key in the backup; owned */
	struct kms_header *now, *then;
	struct kms_material material;
};

static int
open_backup(struct recovering *z)
{
	const struct kms_store_options options = {.path = z->options->from,
	    .sealer = kms_store_sealer(z->s),
	    .policy = *kms_store_policy(z->s),
	    .wait_ms = 1000,
	    .readonly = true};
	int r;

	r = kms_store_open(&options, &z->backup);
	if (r == KMS_ERR_TOKEN || r == KMS_ERR_MASTER)
		return kms_fail_add(r,
		    "%s: the token does not hold the master keys it was made "
		    "under",
		    options.path);
	return r;
}

/* Of both stores: the headers are too large for the stack. */
static int
copy_headers(struct recovering *z)
{
	z->now = malloc(sizeof(*z->now));
	z->then = malloc(sizeof(*z->then));
	if (z->now == NULL || z->then == NULL)
		return kms_fail(KMS_ERR_MEMORY, "recover: out of memory");
	kms_store_header(z->s, z->now);
	kms_store_header(z->backup, z->then);
	return 0;
}

static int
check_same_store(const struct recovering *z)
{
	if (memcmp(z->now->uuid, z->then->uuid, sizeof(z->now->uuid)) == 0)
		return 0;
	return kms_fail(KMS_ERR_USAGE,
	    "%s: is the backup of another store; bring its keys in by -export "
	    "there and -import here",
	    z->options->from);
}

static int
find(struct recovering *z, const struct kms_actor *actor)
{
	const struct kms_transfer_recover *o = z->options;
	struct kms_key_view view;
	struct kms_tx *tx = NULL;
	int r;

	r = kms_tx_begin(z->backup, actor, KMS_READ, &tx);
	if (r == 0 && o->tag != NULL)
		r = kms_key_view_tag(tx, o->tag, &view);
	else if (r == 0)
		r = kms_key_view(tx, o->group, o->name, &view);
	if (r == 0)
		r = kms_tx_get(tx, view.id, &z->record);
	kms_tx_abort(&tx);
	if (r == KMS_ERR_NOTFOUND)
		r = kms_fail_add(r, "%s", o->from);
	return r;
}

/* From the KPK of then to the KPK of now, inside the token where it can: the
 * key does not leave, so this is no release. */
static int
rewrap(struct recovering *z)
{
	struct kms_sealer *sealer = kms_store_sealer(z->s);
	const struct kms_key *k = &z->record.u.key;
	const struct kms_header_slot *from = kms_header_by_no(z->then, k->slot);
	struct kms_material *m = &z->material;
	struct kms_slot to;
	int r;

	*m = (struct kms_material){.tag = k->tag,
	    .origin = k->origin,
	    .wrapped = k->wrapped};
	if (from == NULL)
		return kms_fail(KMS_ERR_DAMAGED,
		    "%s: key under KPK slot %u, which its header does not know",
		    z->options->from, k->slot);
	r = kms_store_slot(z->s, KMS_ROLE_KPK, &to);
	if (r != 0)
		return r;
	m->slot = to.no;
	r = kms_store_token_error(sealer->rewrap(sealer, &from->slot, &to,
	    &m->wrapped, 1));
	if (r == KMS_ERR_AUTH ||
	    (r == 0 && k->origin != KMS_ORIGIN_IMPORT &&
		!kms_tag_checks(&m->tag, m->wrapped.kcv)))
		r = kms_fail(KMS_ERR_DAMAGED,
		    "%s: key '%s' is not what its record says; take another "
		    "backup",
		    z->options->from, k->name);
	return r;
}

static int
add(struct recovering *z, const struct kms_actor *actor,
    struct kms_key_view *view, bool *held)
{
	const struct kms_transfer_recover *o = z->options;
	const struct kms_key *k = &z->record.u.key;
	const struct kms_key_past past = {.created = k->created,
	    .activated = k->activated,
	    .deactivated = k->deactivated};
	const struct kms_key_new new = {.group = o->group,
	    .name = o->name,
	    .description = o->description != NULL ? o->description
						  : k->description,
	    .state = KMS_INACTIVE,
	    .event = KMS_EVENT_KEY_RECOVER,
	    .material = &z->material,
	    .past = &past,
	    .attrs = k->attrs,
	    .attrs_len = k->attrs_len};
	struct kms_tx *tx = NULL;
	int r;

	r = kms_tx_begin(z->s, actor, KMS_WRITE, &tx);
	if (r == 0)
		r = kms_key_add(tx, &new, view, held);
	if (r == 0 && !*held)
		r = kms_tx_commit(&tx);
	kms_tx_abort(&tx);
	return r;
}

int
kms_transfer_recover(struct kms_store *s, const struct kms_actor *actor,
    const struct kms_transfer_recover *options, struct kms_key_view *view,
    bool *held)
{
	struct recovering z = {.s = s, .options = options};
	int r;

	*held = false;
	r = open_backup(&z);
	if (r == 0)
		r = copy_headers(&z);
	if (r == 0)
		r = check_same_store(&z);
	if (r == 0)
		r = find(&z, actor);
	if (r == 0)
		r = rewrap(&z);
	if (r == 0)
		r = add(&z, actor, view, held);
	kms_record_clear(&z.record);
	kms_store_close(&z.backup);
	free(z.now);
	free(z.then);
	return r;
}
