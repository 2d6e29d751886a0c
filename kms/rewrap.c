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
	struct kms_rewrap *job;
	struct kms_header *header;    /* a copy, to be changed */
	uint8_t base[32];             /* hash of what it was copied from */
	struct kms_header_slot *next; /* in it */
	struct kms_secret *master;    /* of a phrase; else NULL */
	bool left;                    /* something had come under the old key */
};

static int
hash_header(const struct kms_header *header, uint8_t out[32])
{
	struct kms_wr wr;
	int r;

	kms_wr_grow(&wr, KMS_HEADER_MAX);
	r = kms_header_encode(header, &wr);
	if (r == 0)
		r = kms_header_hash(wr.p, wr.len, out);
	kms_wr_free(&wr);
	return r;
}

/* Reads the header as it is now; the slot is looked up anew. */
static int
read_header(struct rotation *z)
{
	int r;

	r = kms_sync_enter(z->s, false);
	if (r != 0)
		return r;
	kms_store_header(z->s, z->header);
	kms_sync_leave(z->s, false);
	z->next = kms_header_find(z->header, z->role, KMS_SLOT_NEXT);
	return hash_header(z->header, z->base);
}

/* With the store alone: a header that others have changed since it was read
 * would lose their slot, and every key under it, if ours replaced it. */
static int
check_base(struct rotation *z)
{
	uint8_t now[32];
	int r;

	r = hash_header(z->s->header, now);
	if (r != 0 || kms_equal(now, z->base, sizeof(now)))
		return r;
	return kms_fail(KMS_ERR_BUSY,
	    "master keys were changed by another process meanwhile; wait for "
	    "its end and run it again");
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
		r = check_base(z);
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

static enum kms_slot_origin
wanted_origin(const struct rotation *z)
{
	if (z->want->wanted != NULL)
		return KMS_SLOT_ADOPTED;
	return z->want->phrase != NULL ? KMS_SLOT_PASSPHRASE : KMS_SLOT_TOKEN;
}

static int
plan_origin(struct rotation *z, struct kms_slot *slot)
{
	struct kms_sealer *sealer = z->s->sealer;
	int r;

	slot->origin = wanted_origin(z);
	if (z->want->wanted != NULL)
		return sealer->adopt(sealer, z->want->wanted, slot, NULL);
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
		    "that key is a master key of this store already; name "
		    "another");
	if (r != 0)
		return r;
	if (slot.origin == KMS_SLOT_ADOPTED)
		slot.mech = KMS_MECH_NONE; /* proven again when it is taken */
	at = &z->header->slot[z->header->n++];
	*at = (struct kms_header_slot){.slot = slot};
	z->next = at;
	return put_header(z, "planned", NULL);
}

/* The key that is wanted for adoption now: is it that slot's? */
static int
is_wanted(struct rotation *z, const struct kms_slot *slot, bool *same)
{
	struct kms_slot found = {.role = z->role};
	int r = 0;

	*same = strcmp(slot->id, z->want->id) == 0 &&
	    slot->origin == wanted_origin(z);
	if (*same && z->want->wanted != NULL) {
		r = z->s->sealer->adopt(z->s->sealer, z->want->wanted, &found,
		    NULL);
		*same = r == 0 && found.cka_id_len == slot->cka_id_len &&
		    memcmp(found.cka_id, slot->cka_id, slot->cka_id_len) == 0;
	}
	return r;
}

/* A rotation that was cut short is gone on with, not mixed with another. */
static int
check_same(struct rotation *z)
{
	static const char *const with[] = {
	    [KMS_SLOT_PASSPHRASE] = "passphrase",
	    [KMS_SLOT_TOKEN] = "-nopphrase",
	    [KMS_SLOT_ADOPTED] = "-adopt of the same key",
	};
	const struct kms_slot *slot = &z->next->slot;
	bool same;
	int r;

	r = is_wanted(z, slot, &same);
	if (r != 0 || same)
		return r;
	return kms_fail(KMS_ERR_STATE,
	    "a rotation to %s '%s' (%s) is under way; finish that one first, "
	    "with its ID and %s",
	    kms_role_name(z->role), slot->id,
	    kms_slot_origin_name(slot->origin), with[slot->origin]);
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
	return kms_store_token_error(z->s->sealer->wrap(z->s->sealer,
	    &z->next->slot, NULL, &proof->wrapped));
}

static int
draw_file_key(struct rotation *z)
{
	struct kms_sealer *sealer = z->s->sealer;
	struct kms_secret *key = NULL;
	int r;

	r = kms_draw_secret(sealer, &key);
	if (r == 0)
		r = kms_store_token_error(sealer->wrap(sealer, &z->next->slot,
		    key, &z->next->file_key));
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

/* Is it the master key of that slot, made before? AUTH: no. */
static int
prove(struct rotation *z, const struct kms_secret *master,
    const struct kms_header_slot *at)
{
	const struct kms_wrapped *known = &at->file_key;
	struct kms_root *root = &z->s->root;
	size_t i;

	for (i = 0; at->slot.role == KMS_ROLE_KPK && i < root->nproofs; i++)
		if (root->proof[i].slot == at->slot.no)
			known = &root->proof[i].wrapped;
	return kms_prove_unwrap(master, at->slot.mech, known, NULL);
}

/* Is the phrase given now the one the key was made from? */
static int
prove_again(struct rotation *z, const struct kms_header_slot *at)
{
	int r;

	if (z->want->phrase == NULL)
		return 0;
	if (z->master == NULL) {
		r = kms_derive_master(z->want->phrase, &at->slot, &z->master);
		if (r != 0)
			return r;
	}
	r = prove(z, z->master, at);
	if (r == KMS_ERR_AUTH)
		return kms_fail(KMS_ERR_AUTH,
		    "not the passphrase that %s '%s' was made from; type that "
		    "one",
		    kms_role_name(z->role), at->slot.id);
	return r;
}

/* --- is there anything to do? -------------------------------------------- */

static enum kms_role
other_role(enum kms_role role)
{
	return role == KMS_ROLE_HMK ? KMS_ROLE_KPK : KMS_ROLE_HMK;
}

/* One phrase for both would make of two secrets one. */
static int
check_differs(struct rotation *z)
{
	enum kms_role role = other_role(z->role);
	const struct kms_header_slot *at;
	struct kms_secret *master = NULL;
	int r;

	at = kms_header_find(z->header, role, KMS_SLOT_CURRENT);
	if (z->want->phrase == NULL || at == NULL ||
	    at->slot.origin != KMS_SLOT_PASSPHRASE)
		return 0;
	r = kms_derive_master(z->want->phrase, &at->slot, &master);
	if (r == 0)
		r = prove(z, master, at);
	kms_secret_free(&master);
	if (r == KMS_ERR_AUTH)
		return 0;
	return r != 0
	    ? r
	    : kms_fail(KMS_ERR_PHRASE,
		  "HMK and KPK passphrase may not be the same; choose another");
}

/* Run again behind the change that ended it, a rotation is not begun anew;
 * and no ID names two keys. */
static int
check_id(struct rotation *z)
{
	const struct kms_header_slot *at;
	bool same = false;
	size_t i;
	int r;

	for (i = 0; i < z->header->n; i++) {
		at = &z->header->slot[i];
		if (at->slot.role != z->role ||
		    at->slot.place == KMS_SLOT_NEXT ||
		    strcmp(at->slot.id, z->want->id) != 0)
			continue;
		r = at->slot.place == KMS_SLOT_CURRENT
		    ? is_wanted(z, &at->slot, &same)
		    : 0;
		if (r == 0 && same)
			r = prove_again(z, at);
		if (r != 0)
			return r;
		z->job->was_done = same;
		return same ? 0
			    : kms_fail(KMS_ERR_EXISTS,
				  "%s ID '%s' names a key already; a new key "
				  "needs an ID of its own",
				  kms_role_name(z->role), z->want->id);
	}
	return 0;
}

static int
begin(struct rotation *z)
{
	int r;

	r = read_header(z);
	if (r != 0)
		return r;
	z->job->resumed = z->next != NULL;
	r = z->next != NULL ? check_same(z) : check_id(z);
	if (r != 0 || z->job->was_done)
		return r;
	r = check_differs(z);
	if (r == 0 && z->next == NULL) {
		r = plan(z);
		if (r == 0)
			r = read_header(z);
	}
	if (r == 0 && z->want->phrase != NULL)
		r = kms_derive_master(z->want->phrase, &z->next->slot,
		    &z->master);
	if (r != 0)
		return r;
	return z->next->slot.mech == KMS_MECH_NONE ? make(z)
						   : prove_again(z, z->next);
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
	if (r != 0)
		return r;
	z->left = left > 0;
	return z->left ? KMS_ERR_BUSY : 0;
}

static int
finish(struct rotation *z)
{
	struct kms_header_slot *old;
	int r;

	r = read_header(z);
	if (r != 0)
		return r;
	old = kms_header_find(z->header, z->role, KMS_SLOT_CURRENT);
	if (old == NULL || z->next == NULL)
		return kms_fail(KMS_ERR_BUSY,
		    "another process has ended the rotation; run it again");
	old->slot.place = KMS_SLOT_SUPERSEDED;
	z->next->slot.place = KMS_SLOT_CURRENT;
	return put_header(z, "every key verified under it; now current",
	    check_none_left);
}

static void
verified(void *arg, uint64_t done, uint64_t all)
{
	struct kms_rewrap *job = arg;

	if (job->progress != NULL)
		job->progress(job->arg, KMS_REWRAP_VERIFY, done, all);
}

/* Others may create keys under the old one until the end; each round finds
 * fewer, and one finds none. */
static int
rotate(struct rotation *z)
{
	struct kms_verify_report report;
	int r;

	do {
		z->left = false;
		r = kms_rewrap_rows(z->s, z->actor, z->job);
		if (r == 0)
			r = kms_verify(z->s, &report, verified, z->job);
		if (r == 0)
			r = finish(z);
	} while (z->left);
	return r;
}

int
kms_rewrap(struct kms_store *s, const struct kms_actor *actor,
    struct kms_rewrap *job)
{
	struct rotation z = {.s = s,
	    .actor = actor,
	    .role = job->role,
	    .want = job->want,
	    .job = job};
	int r;

	job->moved = 0;
	job->resumed = job->was_done = false;
	r = kms_name_check(z.role == KMS_ROLE_HMK ? "HMK ID" : "KPK ID",
	    z.want->id);
	if (r != 0)
		return r;
	z.header = malloc(sizeof(*z.header));
	if (z.header == NULL)
		return kms_fail(KMS_ERR_MEMORY, "rotation: out of memory");
	r = begin(&z);
	if (r == 0 && !job->was_done)
		r = rotate(&z);
	kms_secret_free(&z.master);
	free(z.header);
	return r;
}
