#include "kms/rotate.h"

#include <stdlib.h>
#include <string.h>

#include "kms/gate.h"
#include "kms/group.h"
#include "kms/store_impl.h"

struct rotation {
	struct kms_store *s;
	const struct kms_actor *actor;
	const struct kms_rotate *rotate;
	const struct kms_material *material;
	struct kms_rotate_view *view;
	struct kms_backup *b;
};

/* --- look ------------------------------------------------------------- */

/* The newest that a rotation made and did not activate yet. */
static int
find_waiting(struct kms_tx *tx, uint64_t group, struct kms_rotate_view *view)
{
	const struct kms_directory *dir = kms_tx_directory(tx);
	const struct kms_directory_row *row = NULL, *found = NULL;
	const struct kms_directory_key *key;

	while ((row = kms_directory_next_in_group(dir, group, row)) != NULL) {
		key = kms_directory_key(dir, row);
		if (key->state == KMS_PRELIVE &&
		    (key->flags & KMS_KEY_ROTATING) != 0)
			found = row;
	}
	if (found == NULL)
		return KMS_ERR_NOTFOUND;
	key = kms_directory_key(dir, found);
	return kms_key_view_tag(tx, &key->tag, &view->waiting);
}

/* A clock set back makes a key younger, never older: it is then not due. */
static bool
is_due(const struct kms_rotate *rotate, const struct kms_key_view *active)
{
	int64_t since = active->key.activated != 0 ? active->key.activated
						   : active->key.created;

	return active->generation == 0 || rotate->older_than == 0 ||
	    kms_tx_now() - since >= rotate->older_than;
}

static int
look_in(struct kms_tx *tx, const struct kms_rotate *rotate,
    struct kms_rotate_view *view)
{
	struct kms_group_view group;
	int r;

	memset(view, 0, sizeof(*view));
	r = kms_group_view(tx, rotate->group, &group);
	if (r != 0)
		return r;
	view->has_phrase = group.has_phrase;
	if (group.active_key[0] != '\0')
		r = kms_key_active(tx, rotate->group, &view->active);
	if (r != 0)
		return r;
	view->step = KMS_ROTATE_NOTHING;
	if (!is_due(rotate, &view->active))
		return 0;
	r = find_waiting(tx, group.id, view);
	view->step = r == 0 ? KMS_ROTATE_FINISH : KMS_ROTATE_MAKE;
	return r == KMS_ERR_NOTFOUND ? 0 : r;
}

int
kms_rotate_look(struct kms_store *s, const struct kms_actor *actor,
    const struct kms_rotate *rotate, struct kms_rotate_view *view)
{
	struct kms_tx *tx = NULL;
	int r;

	r = kms_tx_begin(s, actor, KMS_READ, &tx);
	if (r == 0)
		r = look_in(tx, rotate, view);
	kms_tx_abort(&tx);
	return r;
}

/* --- make ------------------------------------------------------------- */

static bool
is_servable(const struct kms_store *s, const struct kms_key_view *view)
{
	const struct kms_gate_key facts = {.origin = view->key.origin,
	    .flags = view->key.flags,
	    .slot = view->key.slot,
	    .id = view->id};

	return kms_gate_servable(s, &facts);
}

/* Not in the store yet: only phrases, or no gate at all, make it so. */
static bool
is_servable_at_once(const struct rotation *z)
{
	const struct kms_gate_key facts = {.origin = z->material->origin,
	    .slot = z->material->slot};

	return kms_gate_servable(z->s, &facts);
}

/* Another process may have rotated meanwhile: looked at under the lock. */
static int
make_in(struct rotation *z, struct kms_tx *tx, bool at_once)
{
	const struct kms_key_new new = {.group = z->rotate->group,
	    .state = at_once ? KMS_ACTIVE : KMS_PRELIVE,
	    .event = KMS_EVENT_KEY_CREATE,
	    .material = z->material,
	    .rotating = !at_once};
	bool held;
	int r;

	r = look_in(tx, z->rotate, z->view);
	if (r != 0 || z->view->step != KMS_ROTATE_MAKE)
		return r;
	return kms_key_add(tx, &new,
	    at_once ? &z->view->active : &z->view->waiting, &held);
}

static int
make(struct rotation *z)
{
	bool at_once = is_servable_at_once(z);
	struct kms_tx *tx = NULL;
	int r;

	if (!at_once && z->s->policy.backup_path == NULL)
		return kms_fail(KMS_ERR_CONFIG,
		    "the next key would be random, and served only after a "
		    "backup: set path in [backup], or give the group a phrase "
		    "with -modifykg -phrase");
	r = kms_tx_begin(z->s, z->actor, KMS_WRITE, &tx);
	if (r == 0)
		r = make_in(z, tx, at_once);
	if (r == 0 && z->view->step == KMS_ROTATE_MAKE) {
		r = kms_tx_commit(&tx);
		if (!at_once)
			z->view->step = KMS_ROTATE_FINISH;
	}
	kms_tx_abort(&tx);
	return r;
}

/* --- finish ----------------------------------------------------------- */

static int
back_up(struct rotation *z)
{
	const struct kms_backup_options options = {.keep = z->rotate->keep};
	struct kms_verify_report *report = malloc(sizeof(*report));
	int r;

	if (report == NULL)
		return kms_fail(KMS_ERR_MEMORY, "backup: out of memory");
	r = kms_backup_make(z->s, z->actor, &options, z->b, report);
	free(report);
	return r;
}

static int
refuse(const struct rotation *z)
{
	if (z->b->generation != 0 && !z->b->other_device &&
	    !z->s->policy.backup_same_device)
		return kms_fail(KMS_ERR_GATE,
		    "the backup %s lies on the store's own device and does not "
		    "count; set path in [backup] to another one",
		    z->b->path);
	return kms_fail(KMS_ERR_GATE,
	    "it would be lost with host and token although a backup holds it, "
	    "for a master key has no passphrase: back the HSM up and say so "
	    "with p11kms -attesthsmbackup -reason T");
}

/* Somebody may have activated, or deleted, it meanwhile. */
static int
activate_in(struct rotation *z, struct kms_tx *tx)
{
	struct kms_key_view *view = &z->view->waiting;
	const struct kms_tag tag = view->key.tag;
	int r;

	r = kms_key_view_tag(tx, &tag, view);
	if (r != 0)
		return r;
	if (view->key.state == KMS_ACTIVE) {
		z->view->active = *view;
		return 0;
	}
	if (!is_servable(z->s, view))
		return refuse(z);
	r = kms_key_set_state(tx, view->group, view->key.name, KMS_ACTIVE);
	return r == 0 ? kms_key_view_tag(tx, &tag, &z->view->active) : r;
}

static int
activate(struct rotation *z)
{
	struct kms_tx *tx = NULL;
	int r;

	r = kms_tx_begin(z->s, z->actor, KMS_WRITE, &tx);
	if (r == 0)
		r = activate_in(z, tx);
	if (r == 0)
		r = kms_tx_commit(&tx);
	kms_tx_abort(&tx);
	return r;
}

/* Is it in a backup that counts, since somebody else made one? */
static int
look_again(struct rotation *z, bool *servable)
{
	const struct kms_tag tag = z->view->waiting.key.tag;
	struct kms_tx *tx = NULL;
	int r;

	*servable = false;
	r = kms_tx_begin(z->s, z->actor, KMS_READ, &tx);
	if (r == 0)
		r = kms_key_view_tag(tx, &tag, &z->view->waiting);
	if (r == 0)
		*servable = is_servable(z->s, &z->view->waiting);
	kms_tx_abort(&tx);
	return r;
}

static int
finish(struct rotation *z)
{
	const struct kms_rotate_view *view = z->view;
	bool servable;
	int r;

	r = look_again(z, &servable);
	if (r == 0 && !servable)
		r = back_up(z);
	if (r == 0)
		r = activate(z);
	if (r == 0)
		return 0;
	return kms_fail_add(r, "%s: %s%s%s; %s waits prelive, run it again",
	    z->rotate->group, view->active.generation != 0 ? "'" : "no key",
	    view->active.generation != 0 ? view->active.key.name : "",
	    view->active.generation != 0 ? "' stays active" : " is active",
	    view->waiting.key.name);
}

int
kms_rotate(struct kms_store *s, const struct kms_actor *actor,
    const struct kms_rotate *rotate, const struct kms_material *material,
    struct kms_rotate_view *view, struct kms_backup *b)
{
	struct rotation z = {.s = s,
	    .actor = actor,
	    .rotate = rotate,
	    .material = material,
	    .view = view,
	    .b = b};
	int r;

	memset(b, 0, sizeof(*b));
	r = material != NULL ? make(&z)
			     : kms_rotate_look(s, actor, rotate, view);
	if (r == 0 && view->step == KMS_ROTATE_MAKE && material == NULL)
		r = kms_fail(KMS_ERR_BUSY,
		    "%s: what an earlier run had left was taken away; run it "
		    "again",
		    rotate->group);
	if (r == 0 && view->step == KMS_ROTATE_FINISH)
		r = finish(&z);
	return r;
}
