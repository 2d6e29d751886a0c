#include "kms/unlock.h"

#include <string.h>

/* NOTFOUND from the sealer means a key, here; the caller's user asked for a
 * store and must hear that its token is not the right one. */
static int
check_master(struct kms_store *s, const struct kms_slot *slot)
{
	int r;

	r = s->sealer->check(s->sealer, slot);
	if (r == KMS_ERR_NOTFOUND)
		return kms_fail(KMS_ERR_TOKEN,
		    "%s '%s' is not in the token (store made with token '%s', "
		    "serial %s); connect that token, or bring the key back "
		    "with p11kms -reset%s or -rebind",
		    kms_role_name(slot->role), slot->id, slot->token_label,
		    slot->token_serial,
		    slot->role == KMS_ROLE_HMK ? "hmk" : "kpk");
	if (r != 0)
		return kms_fail_add(r, "%s '%s'", kms_role_name(slot->role),
		    slot->id);
	return 0;
}

static int
unwrap_with(struct kms_store *s, const struct kms_slot *slot,
    const struct kms_wrapped *wrapped, struct kms_secret **key)
{
	int r;

	r = s->sealer->unwrap(s->sealer, slot, wrapped, key);
	if (r == KMS_ERR_AUTH)
		return kms_fail(KMS_ERR_MASTER,
		    "%s '%s': the key of that CKA_ID in the token is another "
		    "one than this store was made with; find the right token, "
		    "or bring the key back with p11kms -reset%s",
		    kms_role_name(slot->role), slot->id,
		    slot->role == KMS_ROLE_HMK ? "hmk" : "kpk");
	return r;
}

/* One HMK, its file key, and what is derived from that. */
static int
add_file_key(struct kms_store *s, const struct kms_header_slot *hmk,
    struct kms_secret **anchor_key)
{
	struct kms_secret *file_key = NULL;
	int r;

	r = check_master(s, &hmk->slot);
	if (r == 0)
		r = unwrap_with(s, &hmk->slot, &hmk->file_key, &file_key);
	if (r == 0)
		r = kms_seal_add(s->seal, hmk->slot.no, file_key, true);
	kms_secret_free(anchor_key);
	if (r == 0)
		r = kms_anchor_key(file_key, anchor_key);
	kms_secret_free(&file_key);
	return r;
}

/* Only for its anchor key; where it does not open there is none. */
static void
open_old_anchor_key(struct kms_store *s)
{
	const struct kms_header_slot *old = NULL, *at;
	struct kms_secret *file_key = NULL;
	size_t i;

	kms_secret_free(&s->old_anchor_key);
	for (i = 0; i < s->header->n; i++) {
		at = &s->header->slot[i];
		if (at->slot.role == KMS_ROLE_HMK &&
		    at->slot.place == KMS_SLOT_SUPERSEDED &&
		    (old == NULL || at->slot.no > old->slot.no))
			old = at;
	}
	if (old == NULL)
		return;
	if (s->sealer->unwrap(s->sealer, &old->slot, &old->file_key,
		&file_key) != 0 ||
	    kms_anchor_key(file_key, &s->old_anchor_key) != 0)
		kms_err_clear();
	kms_secret_free(&file_key);
}

/* During a rotation rows lie under either file key, the root still under the
 * current one; what is sealed now is sealed under the next. */
int
kms_unlock_file_keys(struct kms_store *s)
{
	const struct kms_header_slot *hmk, *next;
	int r;

	hmk = kms_header_find(s->header, KMS_ROLE_HMK, KMS_SLOT_CURRENT);
	next = kms_header_find(s->header, KMS_ROLE_HMK, KMS_SLOT_NEXT);
	if (hmk == NULL)
		return kms_fail(KMS_ERR_DAMAGED, "header: no current HMK");
	kms_seal_free(&s->seal);
	kms_secret_free(&s->next_anchor_key);
	s->next_hmk = 0;
	open_old_anchor_key(s);
	r = kms_seal_new(s->header->uuid, &s->seal);
	if (r == 0)
		r = add_file_key(s, hmk, &s->anchor_key);
	if (r != 0 || next == NULL || next->file_key.len == 0)
		return r;
	s->next_hmk = next->slot.no;
	return add_file_key(s, next, &s->next_anchor_key);
}

static int
prove_slot(struct kms_store *s, const struct kms_root *root,
    const struct kms_slot *kpk)
{
	struct kms_secret *proof = NULL;
	size_t i;
	int r;

	for (i = 0; i < root->nproofs; i++) {
		if (root->proof[i].slot == kpk->no)
			break;
	}
	if (i == root->nproofs)
		return kms_fail(KMS_ERR_DAMAGED, "root: no proof of KPK '%s'",
		    kpk->id);
	r = check_master(s, kpk);
	if (r == 0)
		r = unwrap_with(s, kpk, &root->proof[i].wrapped, &proof);
	kms_secret_free(&proof);
	return r;
}

/* A next one without a mechanism is planned only: nothing lies under it. */
int
kms_unlock_prove_kpk(struct kms_store *s, const struct kms_root *root)
{
	const struct kms_header_slot *kpk, *next;
	int r;

	kpk = kms_header_find(s->header, KMS_ROLE_KPK, KMS_SLOT_CURRENT);
	next = kms_header_find(s->header, KMS_ROLE_KPK, KMS_SLOT_NEXT);
	if (kpk == NULL)
		return kms_fail(KMS_ERR_DAMAGED, "header: no current KPK");
	r = prove_slot(s, root, &kpk->slot);
	if (r == 0 && next != NULL && next->slot.mech != KMS_MECH_NONE)
		r = prove_slot(s, root, &next->slot);
	return r;
}

/* Proven, but in another token than the one the store was bound to: an HSM
 * replaced or failed over, or a copy in the wrong hands. Never silently. */
int
kms_unlock_check_bound(struct kms_store *s)
{
	const struct kms_header_slot *hmk;
	char label[33], serial[17];

	if (s->any_age || s->readonly)
		return 0;
	hmk = kms_header_find(s->header, KMS_ROLE_HMK, KMS_SLOT_CURRENT);
	s->sealer->name(s->sealer, label, serial);
	if (hmk == NULL || strcmp(hmk->slot.token_serial, serial) == 0)
		return 0;
	return kms_fail(KMS_ERR_MASTER,
	    "%s: its keys are in token '%s' (serial %s), but it is bound to "
	    "'%s' (serial %s); if the HSM was replaced: p11kms -rebind",
	    s->path, label, serial, hmk->slot.token_label,
	    hmk->slot.token_serial);
}
