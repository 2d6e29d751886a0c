#include <string.h>

#include "kms/key_impl.h"
#include "kms/tombstone.h"

/* --- state ------------------------------------------------------------ */

void
kms_key_enter_state(struct kms_tx *tx, struct kms_key *k, enum kms_state state)
{
	int64_t now = kms_tx_time(tx);

	k->flags &= ~(uint32_t)KMS_KEY_ROTATING;
	if (state == KMS_ACTIVE) {
		k->flags |= KMS_KEY_EVER_ACTIVE;
		k->deactivated = 0;
		if (k->activated == 0)
			k->activated = now;
	} else if (k->state == KMS_ACTIVE) {
		k->deactivated = now;
	}
	k->state = state;
	k->modified = now;
}

/* The group's active key, other than this one; NULL when there is none. */
static const struct kms_directory_row *
other_active(struct kms_tx *tx, uint64_t group, uint64_t id)
{
	const struct kms_directory_row *row;

	row = kms_directory_active(kms_tx_store(tx)->dir, group);
	return row != NULL && row->id != id ? row : NULL;
}

static struct kms_gate_key
facts_of(const struct kms_key *k, uint64_t id)
{
	return (struct kms_gate_key){.origin = k->origin,
	    .flags = k->flags,
	    .slot = k->slot,
	    .id = id};
}

int
kms_key_check_activation(struct kms_tx *tx, const struct kms_key *new,
    uint64_t new_id)
{
	const struct kms_store *s = kms_tx_store(tx);
	const struct kms_gate_key new_facts = facts_of(new, new_id);
	const struct kms_directory_row *row;
	const struct kms_directory_key *old;
	struct kms_gate_key old_facts;
	int r;

	row = other_active(tx, new->group, new_id);
	if (row == NULL || kms_gate_servable(s, &new_facts))
		return 0;
	old = kms_directory_key(s->dir, row);
	old_facts = (struct kms_gate_key){.origin = old->origin,
	    .flags = old->flags,
	    .slot = old->slot,
	    .id = row->id};
	if (!kms_gate_servable(s, &old_facts))
		return 0;
	r = kms_gate_refuse(new->name);
	return kms_fail_add(r,
	    "activating it would leave the group without a key that is served");
}

static int
demote(struct kms_tx *tx, struct kms_record *record, const char *group)
{
	struct kms_key *k = &record->u.key;
	const struct kms_step step = {.event = KMS_EVENT_KEY_STATE,
	    .group = group,
	    .subject = k->name,
	    .reason = kms_state_name(KMS_INACTIVE),
	    .tag = &k->tag};
	struct kms_record audit;
	int r;

	kms_key_enter_state(tx, k, KMS_INACTIVE);
	r = kms_tx_put(tx, record);
	if (r == 0)
		r = kms_audit_of_step(&audit, &kms_tx_actor(tx)->who, &step,
		    kms_tx_time(tx));
	if (r == 0)
		r = kms_tx_put(tx, &audit);
	return r;
}

int
kms_key_demote_active(struct kms_tx *tx, uint64_t group, const char *group_name,
    uint64_t new_id)
{
	const struct kms_directory_row *row;
	struct kms_record old;
	int r = 0;

	/* More than one only where KMIP made them: all of them go. */
	while (r == 0 && (row = other_active(tx, group, new_id)) != NULL) {
		r = kms_tx_get(tx, row->id, &old);
		if (r == 0)
			r = demote(tx, &old, group_name);
		kms_record_clear(&old);
	}
	return r;
}

bool
kms_key_displaces(const char *group, bool keep_others)
{
	return !keep_others || kms_group_is_tape(group);
}

static int
set_state(struct kms_tx *tx, struct kms_record *record, const char *group,
    const struct kms_key_change *change)
{
	enum kms_state state = change->state;
	bool displaces = state == KMS_ACTIVE &&
	    kms_key_displaces(group, change->keep_others);
	struct kms_key *k = &record->u.key;
	const struct kms_step step = {.event = KMS_EVENT_KEY_STATE,
	    .group = group,
	    .subject = k->name,
	    .reason = kms_state_name(state),
	    .tag = &k->tag};
	int r;

	r = kms_state_check(k->state, state);
	if (r != 0)
		return kms_fail_add(r, "key '%s'", k->name);
	if (k->state == state)
		return 0;
	if (displaces)
		r = kms_key_check_activation(tx, k, record->id);
	if (r == 0)
		r = kms_tx_step(tx, &step);
	if (r == 0 && displaces)
		r = kms_key_demote_active(tx, k->group, group, record->id);
	if (r != 0)
		return r;
	kms_key_enter_state(tx, k, state);
	return kms_tx_put(tx, record);
}

int
kms_key_set_state(struct kms_tx *tx, const char *group, const char *name,
    enum kms_state state)
{
	const struct kms_key_change change = {.set_state = true,
	    .state = state};

	return kms_key_modify(tx, group, name, &change);
}

/* --- name, group, waiver ---------------------------------------------- */

static int
allow_serve(struct kms_tx *tx, struct kms_record *record, const char *group,
    const char *reason)
{
	struct kms_key *k = &record->u.key;
	const struct kms_step step = {.event = KMS_EVENT_KEY_ALLOWSERVE,
	    .group = group,
	    .subject = k->name,
	    .reason = reason,
	    .tag = &k->tag};
	int r;

	if (reason == NULL || reason[0] == '\0')
		return kms_fail(KMS_ERR_USAGE,
		    "-allowserve needs a reason, which is recorded: -reason T");
	r = kms_tx_step(tx, &step);
	if (r != 0)
		return r;
	k->flags |= KMS_KEY_WAIVED;
	k->modified = kms_tx_time(tx);
	return kms_tx_put(tx, record);
}

static int
change_text(struct kms_tx *tx, struct kms_record *record, const char *group,
    const struct kms_key_change *change)
{
	struct kms_key *k = &record->u.key;
	bool rename = change->name != NULL && strcmp(change->name, k->name);
	char was[KMS_NAME_MAX + 1];
	const struct kms_step step = {.event = KMS_EVENT_KEY_MODIFY,
	    .group = group,
	    .subject = was,
	    .reason = rename ? change->name : NULL,
	    .tag = &k->tag};
	int r = 0;

	memcpy(was, k->name, sizeof(was));
	if (rename)
		r = kms_key_check_name(tx, k->group, group, change->name);
	if (r == 0 && change->description != NULL)
		r = kms_text_check("description", change->description);
	if (r == 0)
		r = kms_tx_step(tx, &step);
	if (r != 0)
		return r;
	if (rename)
		memcpy(k->name, change->name, strlen(change->name) + 1);
	if (change->description != NULL)
		memcpy(k->description, change->description,
		    strlen(change->description) + 1);
	k->modified = kms_tx_time(tx);
	return kms_tx_put(tx, record);
}

static int
check_move(struct kms_tx *tx, const struct kms_key *k, uint64_t to,
    const char *to_name)
{
	int r;

	r = kms_key_check_name(tx, to, to_name, k->name);
	if (r == 0)
		r = kms_key_check_room(tx, to, to_name);
	if (r == 0 && k->state == KMS_ACTIVE &&
	    kms_directory_active(kms_tx_store(tx)->dir, to) != NULL)
		r = kms_fail(KMS_ERR_STATE,
		    "key '%s' is active and so is one of group '%s'; make one "
		    "of them inactive first",
		    k->name, to_name);
	return r;
}

static int
move(struct kms_tx *tx, struct kms_record *record, const char *from,
    const char *to_name)
{
	struct kms_key *k = &record->u.key;
	const struct kms_step step = {.event = KMS_EVENT_KEY_MOVE,
	    .group = from,
	    .subject = k->name,
	    .reason = to_name,
	    .tag = &k->tag};
	uint64_t to = 0;
	int r;

	r = kms_group_id(tx, to_name, &to);
	if (r != 0 || to == k->group)
		return r;
	r = check_move(tx, k, to, to_name);
	if (r == 0)
		r = kms_tx_may(tx, step.event, to_name);
	if (r == 0)
		r = kms_tx_step(tx, &step);
	if (r != 0)
		return r;
	k->group = to;
	k->flags &= ~(uint32_t)KMS_KEY_ROTATING; /* it was the other group's */
	k->modified = kms_tx_time(tx);
	return kms_tx_put(tx, record);
}

/* The waiver comes first, for an activation may need it; the move before the
 * state, so that the key is active in the group it is meant for. */
int
kms_key_modify(struct kms_tx *tx, const char *group, const char *name,
    const struct kms_key_change *change)
{
	struct kms_record record;
	int r;

	r = kms_key_get(tx, group, name, &record);
	if (r == 0 && change->allowserve)
		r = allow_serve(tx, &record, group, change->reason);
	if (r == 0 && (change->name != NULL || change->description != NULL))
		r = change_text(tx, &record, group, change);
	if (r == 0 && change->move_to != NULL)
		r = move(tx, &record, group, change->move_to);
	if (r == 0 && change->set_state)
		r = set_state(tx, &record,
		    change->move_to != NULL ? change->move_to : group, change);
	kms_record_clear(&record);
	return r;
}

/* --- delete ----------------------------------------------------------- */

static int
check_delete(struct kms_tx *tx, const struct kms_key *k, bool force,
    const char *reason)
{
	if (!kms_state_deletable(k->state))
		return kms_fail(KMS_ERR_STATE,
		    "key '%s' is %s; only prelive and terminated keys can be "
		    "deleted (change it step by step with p11kmsutil "
		    "-modifykey -state)",
		    k->name, kms_state_name(k->state));
	if (!force)
		return kms_gate_delete(tx, k);
	if (reason == NULL || reason[0] == '\0')
		return kms_fail(KMS_ERR_USAGE,
		    "-force needs a reason, which is recorded: -reason T");
	return 0;
}

int
kms_key_delete(struct kms_tx *tx, const char *group, const char *name,
    bool force, const char *reason)
{
	struct kms_record record;
	struct kms_step step = {.event = KMS_EVENT_KEY_DELETE,
	    .forced = force,
	    .group = group,
	    .subject = name,
	    .reason = reason,
	    .tag = &record.u.key.tag};
	int r;

	r = kms_key_get(tx, group, name, &record);
	if (r == 0)
		r = check_delete(tx, &record.u.key, force, reason);
	if (r == 0)
		r = kms_tx_step(tx, &step);
	if (r == 0)
		r = kms_tombstone_put(tx, &record, group);
	kms_record_clear(&record);
	return r;
}
