/* Superseded master keys leave the token. */
#include <stdbool.h>
#include <stdlib.h>

#include "kms/rewrap_impl.h"
#include "kms/tx_impl.h"

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
			    "first, with p11kmsutil -modify%s",
			    kms_role_name(at->slot.role), at->slot.id,
			    at->slot.role == KMS_ROLE_HMK ? "hmk" : "kpk");
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

/* No row may need what is to go, whatever brought it there. */
static int
check_unused(struct kms_store *s, struct kms_header *h)
{
	static const enum kms_role role[] = {KMS_ROLE_HMK, KMS_ROLE_KPK};
	const struct kms_header_slot *at;
	uint64_t left = 0;
	size_t i;
	int r = 0;

	for (i = 0; i < 2 && r == 0 && left == 0; i++) {
		at = kms_header_find(h, role[i], KMS_SLOT_CURRENT);
		r = kms_rewrap_left(s, role[i], at->slot.no, &left);
		if (r == 0 && left > 0)
			r = kms_fail(KMS_ERR_STATE,
			    "%llu rows need an old %s; rotate it once more",
			    (unsigned long long)left, kms_role_name(role[i]));
	}
	return r;
}

static unsigned
superseded(const struct kms_header *h)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < h->n; i++)
		n += h->slot[i].slot.place == KMS_SLOT_SUPERSEDED;
	return n;
}

/* Its slot goes behind it, in the same change: one that is left, after a kill,
 * names what is still to be dropped, or is gone already. */
static int
drop(struct kms_tx *tx, const struct kms_slot *slot)
{
	const bool adopted = slot->origin == KMS_SLOT_ADOPTED;
	const struct kms_step step = {.event = KMS_EVENT_MASTER_RETIRE,
	    .alone = true,
	    .subject = slot->id,
	    .reason = adopted ? "forgotten; the key stays its owner's"
			      : "no longer in the token"};
	struct kms_sealer *sealer = kms_tx_store(tx)->sealer;
	int r;

	r = kms_tx_step(tx, &step);
	return r == 0 && !adopted ? sealer->drop(sealer, slot) : r;
}

static int
drop_superseded(struct kms_tx *tx, struct kms_header *h)
{
	size_t i, kept = 0;
	int r = 0;

	for (i = 0; r == 0 && i < h->n; i++) {
		if (h->slot[i].slot.place == KMS_SLOT_SUPERSEDED)
			r = drop(tx, &h->slot[i].slot);
		else
			h->slot[kept++] = h->slot[i];
	}
	if (r == 0)
		h->n = kept;
	return r;
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

/* Asked before each of the two changes: others come in between. */
static int
check(struct kms_store *s, struct kms_header *h)
{
	int r;

	kms_store_header(s, h);
	r = check_backup(s, h);
	return r != 0 ? r : check_unused(s, h);
}

static int
announce_in(struct kms_tx *tx, struct kms_header *h, const char *reason)
{
	const struct kms_step step = {.event = KMS_EVENT_MASTER_RETIRE,
	    .alone = true,
	    .reason = reason};
	int r;

	r = check(kms_tx_store(tx), h);
	if (r != 0 || superseded(h) == 0)
		return r;
	return kms_tx_step(tx, &step);
}

static int
retire_in(struct kms_tx *tx, struct kms_header *h)
{
	int r;

	r = check(kms_tx_store(tx), h);
	if (r != 0 || superseded(h) == 0)
		return r;
	r = drop_superseded(tx, h);
	if (r != 0)
		return r;
	drop_proofs(&tx->next, h);
	return kms_tx_header(tx, h);
}

/* The first change, or the second; h is what the header was or becomes. */
static int
change(struct kms_store *s, const struct kms_actor *actor, struct kms_header *h,
    const char *reason)
{
	struct kms_tx *tx = NULL;
	int r;

	r = kms_tx_begin(s, actor, KMS_WRITE, &tx);
	if (r == 0)
		r = reason != NULL ? announce_in(tx, h, reason)
				   : retire_in(tx, h);
	if (r == 0)
		r = kms_tx_commit(&tx);
	kms_tx_abort(&tx);
	return r;
}

/*
 * A key that is destroyed does not come back, so that nothing may be left to
 * refuse it then: the first change records who wants it and why, and its
 * COMMIT proves by the anchor that this store is the newest one, not a copy
 * whose old keys are the current ones of what was restored meanwhile.
 */
int
kms_rewrap_retire(struct kms_store *s, const struct kms_actor *actor,
    const char *reason, unsigned *n)
{
	struct kms_header *h;
	unsigned there;
	int r;

	*n = 0;
	if (reason == NULL || reason[0] == '\0')
		return kms_fail(KMS_ERR_USAGE, "a reason is needed: -reason T");
	h = malloc(sizeof(*h));
	if (h == NULL)
		return kms_fail(KMS_ERR_MEMORY, "header: out of memory");
	r = change(s, actor, h, reason);
	there = r == 0 ? superseded(h) : 0;
	if (there > 0)
		r = change(s, actor, h, NULL);
	if (r == 0)
		*n = there;
	free(h);
	return r;
}
