/* What became of the master keys that a copy of the store lies under. */
#include <stdlib.h>
#include <string.h>

#include "kms/directory.h"
#include "kms/rewrap_impl.h"
#include "kms/tx.h"

static const struct kms_header_slot *
find_same(const struct kms_header *h, const struct kms_slot *slot)
{
	const struct kms_slot *at;
	size_t i;

	for (i = 0; i < h->n; i++) {
		at = &h->slot[i].slot;
		if (at->role == slot->role &&
		    at->cka_id_len == slot->cka_id_len &&
		    memcmp(at->cka_id, slot->cka_id, at->cka_id_len) == 0)
			return &h->slot[i];
	}
	return NULL;
}

/* The one that came next; the current one where those between are retired. */
static const struct kms_slot *
successor_of(const struct kms_header *h, const struct kms_slot *slot)
{
	const struct kms_slot *best = NULL, *at;
	size_t i;

	for (i = 0; i < h->n; i++) {
		at = &h->slot[i].slot;
		if (at->role == slot->role && at->place != KMS_SLOT_NEXT &&
		    at->no > slot->no && (best == NULL || at->no < best->no))
			best = at;
	}
	return best;
}

/* The times that the audit rows tell: of the rotation's last step, and of the
 * key's end. */
static int
note_times(struct kms_tx *tx, struct kms_rewrap_past *past)
{
	const struct kms_directory_row *row;
	const struct kms_audit *a;
	struct kms_record record;
	size_t at = 0;
	int r = 0;

	while (r == 0 &&
	    (row = kms_directory_next(kms_tx_directory(tx), KMS_KIND_AUDIT,
		 &at)) != NULL) {
		r = kms_tx_get(tx, row->id, &record);
		if (r != 0)
			break;
		a = &record.u.audit;
		if (a->event == KMS_EVENT_MASTER_ROTATE &&
		    strcmp(a->subject, past->successor) == 0)
			past->rotated = a->time;
		if (a->event == KMS_EVENT_MASTER_RETIRE &&
		    strcmp(a->subject, past->id) == 0)
			past->retired = a->time;
		kms_record_clear(&record);
	}
	return r;
}

static int
look(struct kms_store *s, const struct kms_actor *actor,
    struct kms_rewrap_past *past)
{
	struct kms_tx *tx = NULL;
	int r;

	r = kms_tx_begin(s, actor, KMS_READ, &tx);
	if (r == 0)
		r = note_times(tx, past);
	kms_tx_abort(&tx);
	return r;
}

/* Whether that slot of the copy is one of the store's past. */
static bool
is_past(const struct kms_header *now, const struct kms_slot *slot,
    struct kms_rewrap_past *past)
{
	const struct kms_header_slot *same = find_same(now, slot);
	const struct kms_slot *next = successor_of(now, slot);

	if (next == NULL ||
	    (same != NULL && same->slot.place != KMS_SLOT_SUPERSEDED))
		return false;
	past->role = slot->role;
	memcpy(past->id, slot->id, sizeof(past->id));
	memcpy(past->successor, next->id, sizeof(past->successor));
	return true;
}

int
kms_rewrap_past(struct kms_store *s, const struct kms_actor *actor,
    struct kms_header *copy, struct kms_rewrap_past *past)
{
	static const enum kms_role role[] = {KMS_ROLE_HMK, KMS_ROLE_KPK};
	const struct kms_header_slot *at;
	struct kms_header *now;
	bool found = false;
	size_t i;
	int r = 0;

	memset(past, 0, sizeof(*past));
	now = malloc(sizeof(*now));
	if (now == NULL)
		return kms_fail(KMS_ERR_MEMORY, "header: out of memory");
	kms_store_header(s, now);
	for (i = 0; i < 2 && !found; i++) {
		at = kms_header_find(copy, role[i], KMS_SLOT_CURRENT);
		found = at != NULL &&
		    kms_equal(now->uuid, copy->uuid, sizeof(now->uuid)) &&
		    is_past(now, &at->slot, past);
	}
	if (found)
		r = look(s, actor, past);
	free(now);
	return r;
}
