#include "kms/gate.h"

#include "kms/catalog.h"
#include "kms/store_impl.h"

const char *
kms_recoverable_name(enum kms_recoverable r)
{
	static const char *const names[] = {
	    [KMS_RECOVERABLE_NONE] = "none",
	    [KMS_RECOVERABLE_PASSPHRASE] = "passphrase",
	    [KMS_RECOVERABLE_GROUP] = "group",
	    [KMS_RECOVERABLE_BACKUP] = "backup",
	};

	return names[r];
}

static bool
is_rotating(struct kms_header *h)
{
	return kms_header_find(h, KMS_ROLE_HMK, KMS_SLOT_NEXT) != NULL ||
	    kms_header_find(h, KMS_ROLE_KPK, KMS_SLOT_NEXT) != NULL;
}

/* A copy made in the middle of a rotation has rows under both keys. */
static bool
needed_have_phrases(const struct kms_header *h)
{
	size_t i;

	for (i = 0; i < h->n; i++)
		if (h->slot[i].slot.place != KMS_SLOT_SUPERSEDED &&
		    h->slot[i].slot.origin != KMS_SLOT_PASSPHRASE)
			return false;
	return true;
}

/* Would a copy of the store bring this key back? The masters must come back
 * too: both from their phrases, or from the HSM's own backup, which only its
 * owner can vouch for. */
static void
look_at_backups(const struct kms_store *s, const struct kms_gate_key *key,
    struct kms_gate_view *view)
{
	const struct kms_header_slot *hmk, *kpk, *wraps;
	bool phrases, attested;

	hmk = kms_header_find(s->header, KMS_ROLE_HMK, KMS_SLOT_CURRENT);
	kpk = kms_header_find(s->header, KMS_ROLE_KPK, KMS_SLOT_CURRENT);
	wraps = kms_header_by_no(s->header, key->slot);
	if (hmk == NULL || kpk == NULL || wraps == NULL) {
		view->needs_token = true;
		return;
	}
	phrases = needed_have_phrases(s->header);
	attested = s->cover.attested_hmk == hmk->slot.no &&
	    s->cover.attested_kpk == kpk->slot.no && !is_rotating(s->header);
	view->needs_token = !phrases;
	/* A key not in the store yet (id 0) is in no backup of it. */
	if ((phrases || attested) && key->id != 0 &&
	    kms_cover_holds(&s->cover, key->id, hmk->slot.no, kpk->slot.no,
		s->policy.backup_same_device))
		view->recoverable = KMS_RECOVERABLE_BACKUP;
}

void
kms_gate_look(const struct kms_store *s, const struct kms_gate_key *key,
    struct kms_gate_view *view)
{
	*view = (struct kms_gate_view){
	    .waived = (key->flags & KMS_KEY_WAIVED) != 0};
	switch (key->origin) {
	case KMS_ORIGIN_PHRASE:
		view->recoverable = KMS_RECOVERABLE_PASSPHRASE;
		return;
	case KMS_ORIGIN_GROUP:
		view->recoverable = KMS_RECOVERABLE_GROUP;
		return;
	case KMS_ORIGIN_RANDOM:
	case KMS_ORIGIN_IMPORT:
		break;
	}
	look_at_backups(s, key, view);
}

bool
kms_gate_servable(const struct kms_store *s, const struct kms_gate_key *key)
{
	struct kms_gate_view view;

	if (!s->policy.serve_gate)
		return true;
	kms_gate_look(s, key, &view);
	return view.waived || view.recoverable != KMS_RECOVERABLE_NONE;
}

static struct kms_gate_key
facts_of(const struct kms_key *key, uint64_t id)
{
	return (struct kms_gate_key){.origin = key->origin,
	    .flags = key->flags,
	    .slot = key->slot,
	    .id = id};
}

int
kms_gate_view(struct kms_tx *tx, const struct kms_key *key, uint64_t id,
    struct kms_gate_view *view)
{
	const struct kms_gate_key facts = facts_of(key, id);

	kms_gate_look(kms_tx_store(tx), &facts, view);
	return 0;
}

int
kms_gate_refuse(const char *name)
{
	return kms_fail(KMS_ERR_GATE,
	    "key '%s' would be lost with host and token, so it is not served: "
	    "it has no passphrase and is in no verified backup; make one "
	    "(p11kmsutil -backup), or waive it with p11kmsutil -modifykey "
	    "-allowserve -reason T",
	    name);
}

int
kms_gate_serve(struct kms_tx *tx, const struct kms_key *key, uint64_t id)
{
	const struct kms_gate_key facts = facts_of(key, id);

	if (kms_gate_servable(kms_tx_store(tx), &facts))
		return 0;
	return kms_gate_refuse(key->name);
}

/* --- delete ----------------------------------------------------------- */

int
kms_gate_delete(struct kms_tx *tx, const struct kms_key *key)
{
	bool released = true;
	int r = 0;

	if (!kms_tx_store(tx)->policy.delete_gate)
		return 0;
	/* Of a key that came from elsewhere no log here can tell. */
	if ((key->flags & KMS_KEY_ELSEWHERE) == 0)
		r = kms_catalog_released(kms_tx_store(tx), &key->tag,
		    &released);
	if (r != 0 || !released)
		return r;
	return kms_fail(KMS_ERR_GATE,
	    "key '%s' has been released for writing, or may have been (it "
	    "was recovered or imported, or the log that would tell is lost or "
	    "restored): tapes may need it for ever; delete it with -force "
	    "-reason T only if none do",
	    key->name);
}
