#include "kms/rewrap.h"

#include <stdlib.h>
#include <string.h>

#include "kms/derive.h"
#include "kms/draw.h"
#include "kms/prove.h"
#include "kms/rewrap_impl.h"
#include "kms/sync.h"
#include "kms/tx_impl.h"
#include "kms/verify.h"

/* A rotation under way: the plan is the header's slot in place NEXT. */
struct rotation {
	struct kms_store *s;
	const struct kms_actor *actor;
	enum kms_role role;
	const struct kms_setup_master *want;
	struct kms_header *header;    /* a copy, to be changed */
	struct kms_header_slot *next; /* in it */
	struct kms_secret *master;    /* of a phrase; else NULL */
};

/* Reads the header as it is now; the slot is looked up anew. */
static void
read_header(struct rotation *z)
{
	kms_store_header(z->s, z->header);
	z->next = kms_header_find(z->header, z->role, KMS_SLOT_NEXT);
}

/* One change: the header as z has it, and what edit does to the root. */
static int
put_header(struct rotation *z, const char *what,
    int (*edit)(struct rotation *, struct kms_tx *))
{
	const struct kms_step step = {.event = KMS_EVENT_MASTER_ROTATE,
	    .alone = true,
	    .subject = z->want->id,
	    .reason = what};
	struct kms_tx *tx = NULL;
	int r;

	r = kms_tx_begin(z->s, z->actor, KMS_WRITE, &tx);
	if (r == 0)
		r = kms_tx_step(tx, &step);
	if (r == 0 && edit != NULL)
		r = edit(z, tx);
	if (r == 0)
		r = kms_tx_header(tx, z->header);
	if (r == 0)
		r = kms_tx_commit(&tx);
	kms_tx_abort(&tx);
	return r;
}

/* --- the plan ----------------------------------------------------------- */

static int
plan_origin(struct rotation *z, struct kms_slot *slot)
{
	struct kms_sealer *sealer = z->s->sealer;
	int r;

	if (z->want->wanted != NULL) {
		slot->origin = KMS_SLOT_ADOPTED;
		return sealer->adopt(sealer, z->want->wanted, slot, NULL);
	}
	slot->origin = z->want->phrase != NULL ? KMS_SLOT_PASSPHRASE
					       : KMS_SLOT_TOKEN;
	slot->cka_id_len = 16;
	r = kms_draw(sealer, slot->cka_id, slot->cka_id_len);
	if (r != 0 || z->want->phrase == NULL)
		return r;
	r = kms_derive_cost_check(z->s->policy.kdf_cost);
	if (r != 0)
		return r;
	slot->kdf = KMS_KDF_PBKDF2_SHA512;
	slot->cost = (uint8_t)z->s->policy.kdf_cost;
	return kms_draw(sealer, slot->salt, sizeof(slot->salt));
}

static bool
is_used(struct rotation *z, const struct kms_slot *slot)
{
	const struct kms_slot *other;
	size_t i;

	for (i = 0; i < z->header->n; i++) {
		other = &z->header->slot[i].slot;
		if (other->cka_id_len == slot->cka_id_len &&
		    memcmp(other->cka_id, slot->cka_id, slot->cka_id_len) == 0)
			return true;
	}
	return false;
}

static int
plan(struct rotation *z)
{
	struct kms_header_slot *at;
	struct kms_slot slot = {.role = z->role, .place = KMS_SLOT_NEXT};
	int r;

	if (z->header->n == KMS_SLOTS_MAX)
		return kms_fail(KMS_ERR_LIMIT,
		    "%u master keys are in the header; retire old ones with "
		    "p11kms -retiremaster",
		    KMS_SLOTS_MAX);
	slot.no = kms_header_next_no(z->header);
	slot.components = z->want->components;
	memcpy(slot.id, z->want->id, strlen(z->want->id) + 1);
	z->s->sealer->name(z->s->sealer, slot.token_label, slot.token_serial);
	r = plan_origin(z, &slot);
	if (r == 0 && is_used(z, &slot))
		r = kms_fail(KMS_ERR_MASTER,
		    "that key is a master key of this store already");
	if (r != 0)
		return r;
	if (slot.origin == KMS_SLOT_ADOPTED)
		slot.mech = KMS_MECH_NONE; /* proven again when it is taken */
	at = &z->header->slot[z->header->n++];
	*at = (struct kms_header_slot){.slot = slot};
	z->next = at;
	return put_header(z, "planned", NULL);
}

/* A rotation that was cut short is gone on with, not mixed with another. */
static int
check_same(struct rotation *z)
{
	const struct kms_slot *slot = &z->next->slot;
	bool phrase = slot->origin == KMS_SLOT_PASSPHRASE;

	if (strcmp(slot->id, z->want->id) == 0 &&
	    phrase == (z->want->phrase != NULL))
		return 0;
	return kms_fail(KMS_ERR_STATE,
	    "a rotation to %s '%s' (%s) is under way; finish that one first, "
	    "with its ID and %s",
	    kms_role_name(z->role), slot->id,
	    kms_slot_origin_name(slot->origin),
	    phrase ? "passphrase" : "no passphrase");
}

/* --- making ------------------------------------------------------------- */

static int
add_proof(struct rotation *z, struct kms_tx *tx)
{
	struct kms_root *root = &tx->next;
	struct kms_proof *proof;

	if (root->nproofs == KMS_SLOTS_MAX)
		return kms_fail(KMS_ERR_LIMIT, "root: too many proofs");
	proof = &root->proof[root->nproofs++];
	*proof = (struct kms_proof){.slot = z->next->slot.no};
	return z->s->sealer->wrap(z->s->sealer, &z->next->slot, NULL,
	    &proof->wrapped);
}

static int
draw_file_key(struct rotation *z)
{
	struct kms_sealer *sealer = z->s->sealer;
	struct kms_secret *key = NULL;
	int r;

	r = kms_draw_secret(sealer, &key);
	if (r == 0)
		r = sealer->wrap(sealer, &z->next->slot, key,
		    &z->next->file_key);
	kms_secret_free(&key);
	return r;
}

/* The store is loaded anew: the next HMK's file key must open from the file
 * before a single row lies under it. */
static int
make(struct rotation *z)
{
	struct kms_sealer *sealer = z->s->sealer;
	int r;

	if (z->next->slot.origin == KMS_SLOT_ADOPTED) {
		const struct kms_wanted wanted = {.role = z->role,
		    .cka_id = z->next->slot.cka_id,
		    .cka_id_len = z->next->slot.cka_id_len};

		r = sealer->adopt(sealer, &wanted, &z->next->slot, NULL);
	} else {
		r = sealer->make(sealer, z->master, &z->next->slot);
	}
	if (r != 0)
		return r;
	if (z->role == KMS_ROLE_KPK)
		return put_header(z, "made", add_proof);
	r = draw_file_key(z);
	if (r == 0)
		r = put_header(z, "made", NULL);
	return r == 0 ? kms_sync_doubt(z->s) : r;
}

/* Is the phrase given now the one the next key was made from? */
static int
prove_again(struct rotation *z)
{
	const struct kms_wrapped *known = &z->next->file_key;
	struct kms_root *root = &z->s->root;
	size_t i;
	int r;

	if (z->master == NULL)
		return 0;
	for (i = 0; z->role == KMS_ROLE_KPK && i < root->nproofs; i++)
		if (root->proof[i].slot == z->next->slot.no)
			known = &root->proof[i].wrapped;
	r = kms_prove_unwrap(z->master, z->next->slot.mech, known, NULL);
	if (r == KMS_ERR_AUTH)
		return kms_fail(KMS_ERR_AUTH,
		    "not the passphrase that the rotation to %s '%s' was "
		    "begun with",
		    kms_role_name(z->role), z->next->slot.id);
	return r;
}

static int
begin(struct rotation *z)
{
	int r = 0;

	read_header(z);
	if (z->next == NULL) {
		r = plan(z);
		if (r == 0)
			read_header(z);
	} else {
		r = check_same(z);
	}
	if (r == 0 && z->want->phrase != NULL)
		r = kms_derive_master(z->want->phrase, &z->next->slot,
		    &z->master);
	if (r != 0)
		return r;
	return z->next->slot.mech == KMS_MECH_NONE ? make(z) : prove_again(z);
}

/* --- the end ------------------------------------------------------------ */

/* In the change that ends it: nothing may have come under the old key since
 * the last look. */
static int
check_none_left(struct rotation *z, struct kms_tx *tx)
{
	uint64_t left;
	int r;

	r = kms_rewrap_left(kms_tx_store(tx), z->role, z->next->slot.no, &left);
	if (r == 0 && left > 0)
		r = KMS_ERR_BUSY;
	return r;
}

static int
finish(struct rotation *z)
{
	struct kms_header_slot *old;

	read_header(z);
	old = kms_header_find(z->header, z->role, KMS_SLOT_CURRENT);
	if (old == NULL || z->next == NULL)
		return kms_fail(KMS_ERR_INTERNAL, "rotation: slots are gone");
	old->slot.place = KMS_SLOT_SUPERSEDED;
	z->next->slot.place = KMS_SLOT_CURRENT;
	return put_header(z, "every key verified under it; now current",
	    check_none_left);
}

/* Others may create keys under the old one until the end; each round finds
 * fewer, and one finds none. */
static int
rotate(struct rotation *z, const struct kms_rewrap_progress *progress)
{
	struct kms_verify_report report;
	int r;

	do {
		r = kms_rewrap_rows(z->s, z->actor, z->role, progress);
		if (r == 0)
			r = kms_verify(z->s, &report, NULL, NULL);
		if (r == 0)
			r = finish(z);
	} while (r == KMS_ERR_BUSY);
	return r;
}

int
kms_rewrap(struct kms_store *s, const struct kms_actor *actor,
    enum kms_role role, const struct kms_setup_master *want,
    const struct kms_rewrap_progress *progress)
{
	struct rotation z = {.s = s,
	    .actor = actor,
	    .role = role,
	    .want = want};
	int r;

	r = kms_name_check(role == KMS_ROLE_HMK ? "HMK ID" : "KPK ID",
	    want->id);
	if (r != 0)
		return r;
	z.header = malloc(sizeof(*z.header));
	if (z.header == NULL)
		return kms_fail(KMS_ERR_MEMORY, "rotation: out of memory");
	r = begin(&z);
	if (r == 0)
		r = rotate(&z, progress);
	kms_secret_free(&z.master);
	free(z.header);
	return r;
}

/* --- retiring ----------------------------------------------------------- */

static int
check_backup(struct kms_store *s, const struct kms_header *h)
{
	const struct kms_header_slot *hmk = NULL, *kpk = NULL;
	size_t i;

	for (i = 0; i < h->n; i++) {
		const struct kms_header_slot *at = &h->slot[i];

		if (at->slot.place == KMS_SLOT_NEXT)
			return kms_fail(KMS_ERR_STATE,
			    "a rotation to %s '%s' is under way; finish it "
			    "first",
			    kms_role_name(at->slot.role), at->slot.id);
		if (at->slot.place != KMS_SLOT_CURRENT)
			continue;
		if (at->slot.role == KMS_ROLE_HMK)
			hmk = at;
		else
			kpk = at;
	}
	if (hmk != NULL && kpk != NULL &&
	    kms_cover_holds(&s->cover, 0, hmk->slot.no, kpk->slot.no,
		s->policy.backup_same_device))
		return 0;
	return kms_fail(KMS_ERR_GATE,
	    "no verified backup was made under the current master keys; make "
	    "one (p11kmsutil -backup) before the old ones go");
}

/* The keys first: a slot that is left names what is still to be dropped. */
static int
drop_superseded(struct kms_store *s, struct kms_header *h, unsigned *n)
{
	size_t i, kept = 0;
	int r;

	for (i = 0; i < h->n; i++) {
		struct kms_slot *slot = &h->slot[i].slot;

		if (slot->place != KMS_SLOT_SUPERSEDED) {
			h->slot[kept++] = h->slot[i];
			continue;
		}
		if (slot->origin != KMS_SLOT_ADOPTED) {
			r = s->sealer->drop(s->sealer, slot);
			if (r != 0)
				return r;
		}
		++*n;
	}
	h->n = kept;
	return 0;
}

static void
drop_proofs(struct kms_root *root, struct kms_header *h)
{
	size_t i, kept = 0;

	for (i = 0; i < root->nproofs; i++)
		if (kms_header_by_no(h, root->proof[i].slot) != NULL)
			root->proof[kept++] = root->proof[i];
	root->nproofs = kept;
}

static int
retire_in(struct kms_tx *tx, const char *reason, struct kms_header *h,
    unsigned *n)
{
	const struct kms_step step = {.event = KMS_EVENT_MASTER_RETIRE,
	    .alone = true,
	    .reason = reason};
	struct kms_store *s = kms_tx_store(tx);
	int r;

	kms_store_header(s, h);
	r = check_backup(s, h);
	if (r == 0)
		r = kms_tx_step(tx, &step);
	if (r == 0)
		r = drop_superseded(s, h, n);
	if (r != 0)
		return r;
	drop_proofs(&tx->next, h);
	return kms_tx_header(tx, h);
}

int
kms_rewrap_retire(struct kms_store *s, const struct kms_actor *actor,
    const char *reason, unsigned *n)
{
	struct kms_tx *tx = NULL;
	struct kms_header *h;
	int r;

	*n = 0;
	if (reason == NULL || reason[0] == '\0')
		return kms_fail(KMS_ERR_USAGE, "a reason is needed: -reason T");
	h = malloc(sizeof(*h));
	if (h == NULL)
		return kms_fail(KMS_ERR_MEMORY, "header: out of memory");
	r = kms_tx_begin(s, actor, KMS_WRITE, &tx);
	if (r == 0)
		r = retire_in(tx, reason, h, n);
	if (r == 0 && *n > 0)
		r = kms_tx_commit(&tx);
	kms_tx_abort(&tx);
	free(h);
	return r;
}
