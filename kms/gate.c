#include "kms/gate.h"

#include "kms/logbook.h"

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

/* Would a copy of the store be enough, or only with the HSM's own backup? */
static bool
masters_come_back(const struct kms_store *s, uint16_t kpk_no)
{
	const struct kms_header_slot *hmk, *kpk;

	hmk = kms_header_find(s->header, KMS_ROLE_HMK, KMS_SLOT_CURRENT);
	kpk = kms_header_by_no(s->header, kpk_no);
	return hmk != NULL && kpk != NULL &&
	    hmk->slot.origin == KMS_SLOT_PASSPHRASE &&
	    kpk->slot.origin == KMS_SLOT_PASSPHRASE;
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
	view->needs_token = !masters_come_back(s, key->slot);
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
facts_of(const struct kms_key *key, uint64_t generation)
{
	return (struct kms_gate_key){.origin = key->origin,
	    .flags = key->flags,
	    .slot = key->slot,
	    .generation = generation};
}

int
kms_gate_view(struct kms_tx *tx, const struct kms_key *key, uint64_t generation,
    struct kms_gate_view *view)
{
	const struct kms_gate_key facts = facts_of(key, generation);

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
kms_gate_serve(struct kms_tx *tx, const struct kms_key *key,
    uint64_t generation)
{
	const struct kms_gate_key facts = facts_of(key, generation);

	if (kms_gate_servable(kms_tx_store(tx), &facts))
		return 0;
	return kms_gate_refuse(key->name);
}

/* --- delete ----------------------------------------------------------- */

struct search {
	const struct kms_tag *tag;
	bool found;
};

/* Prelive too: a client that fetched it may have encrypted with it. */
static int
was_released(void *arg, const struct kms_release_entry *e)
{
	struct search *search = arg;

	if (kms_tag_equal(&e->tag, search->tag) &&
	    (e->state == KMS_ACTIVE || e->state == KMS_PRELIVE))
		search->found = true;
	return 0;
}

/* True as well where the log cannot tell any more. */
static int
ever_released(struct kms_tx *tx, const struct kms_key *key, bool *released)
{
	struct search search = {.tag = &key->tag};
	struct kms_store *s = kms_tx_store(tx);
	const struct kms_directory_row *row;
	struct kms_release_log *log;
	int r;

	*released = true;
	row = kms_directory_by_tag(s->dir, &key->tag);
	if (row == NULL || row->id < s->log_restart_id)
		return 0;
	r = kms_logbook_get(s, &log);
	if (r == 0)
		r = kms_release_log_scan(log, was_released, &search, NULL);
	if (r == KMS_ERR_NOTFOUND || r == KMS_ERR_DAMAGED) {
		kms_err_clear();
		return 0;
	}
	*released = search.found;
	return r;
}

int
kms_gate_delete(struct kms_tx *tx, const struct kms_key *key)
{
	bool released;
	int r;

	if (!kms_tx_store(tx)->policy.delete_gate)
		return 0;
	r = ever_released(tx, key, &released);
	if (r != 0 || !released)
		return r;
	return kms_fail(KMS_ERR_GATE,
	    "key '%s' has been released for writing (or the log that would "
	    "tell is lost): tapes may need it for ever; delete it with "
	    "-force -reason T only if none do",
	    key->name);
}
