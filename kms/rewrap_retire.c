/* Superseded master keys leave the token. */
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
		r = check_unused(s, h);
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
