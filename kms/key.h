/* Key records: add, find, change state, move, delete. Inside a transaction.
 * Tag, material and creation time never change. */
#ifndef KMS_KEY_H
#define KMS_KEY_H

#include "kms/gate.h"
#include "kms/material.h"
#include "kms/tx.h"

struct kms_key_view {
	uint64_t id, generation;
	char group[KMS_NAME_MAX + 1];
	struct kms_key key; /* attrs not owned here: empty */
	struct kms_gate_view gate;
};

/*
 * What is known of a key's life before this store held it. Tapes that the
 * release log here knows nothing of may need such a key, or one recovered: it
 * is deleted with force alone. Times in microseconds; created 0: now.
 */
struct kms_key_past {
	int64_t created, activated, deactivated;
};

struct kms_key_new {
	const char *group;
	const char *name; /* NULL: GROUP-GENERATION */
	const char *description;
	/* PRELIVE or ACTIVE; recovered: INACTIVE; imported: any. */
	enum kms_state state;
	enum kms_event event; /* KEY_CREATE, KEY_RECOVER, KEY_IMPORT */
	const struct kms_material *material;
	const struct kms_key_past *past; /* NULL: born now, or unknown */
	/* KMIP: outside ENCR_ groups an active key leaves others active. */
	bool keep_others;
	bool rotating; /* PRELIVE: a rotation of the group will activate it */
	const uint8_t *attrs; /* KMIP's own; copied */
	size_t attrs_len;
};

/*
 * Adds a record. The same tag with the same key is "held already": 0, *held
 * true, the view is the record held, nothing changed. EXISTS: same tag, other
 * key; names the record. ACTIVE demotes the group's active key to inactive in
 * the same step; GATE when the new key could not be served and the old one
 * could. BUSY: the KPK was rotated since the material was made.
 */
int kms_key_add(struct kms_tx *, const struct kms_key_new *,
    struct kms_key_view *, bool *held) KMS_MUST;

int kms_key_set_state(struct kms_tx *, const char *group, const char *name,
    enum kms_state) KMS_MUST;
/* NULL leaves as it is. allowserve needs a reason (USAGE). Renaming, moving
 * (move_to keeps the tag) and state may be combined; one step each. */
struct kms_key_change {
	const char *name, *description, *move_to, *reason;
	bool allowserve, set_state;
	bool keep_others; /* as in kms_key_new */
	enum kms_state state;
};
int kms_key_modify(struct kms_tx *, const char *group, const char *name,
    const struct kms_key_change *) KMS_MUST;
/* Prelive or terminated only (STATE); the delete gate unless force with a
 * reason. Leaves a tombstone. */
int kms_key_delete(struct kms_tx *, const char *group, const char *name,
    bool force, const char *reason) KMS_MUST;

/* NOTFOUND names what was looked for and how to list. */
int kms_key_view(struct kms_tx *, const char *group, const char *name,
    struct kms_key_view *) KMS_MUST;
int kms_key_view_tag(struct kms_tx *, const struct kms_tag *,
    struct kms_key_view *) KMS_MUST;
/* The key that encrypts for a group. NOTFOUND "no active key; create one …". */
int kms_key_active(struct kms_tx *, const char *group, struct kms_key_view *)
    KMS_MUST;

struct kms_key_filter {
	const char *group, *name;
	const struct kms_tag *tag;
	bool active_only;
};
/* In order of creation (generation); filter NULL: all. */
int kms_key_list(struct kms_tx *, const struct kms_key_filter *,
    int (*each)(void *, const struct kms_key_view *), void *) KMS_MUST;

#endif
