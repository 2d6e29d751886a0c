#include "kms/group.h"

#include <stdlib.h>
#include <string.h>

#include "kms/directory.h"
#include "kms/store_impl.h"
#include "kms/tombstone.h"

bool
kms_group_is_tape(const char *name)
{
	return strncmp(name, "ENCR_", 5) == 0;
}

static struct kms_directory *
dir_of(struct kms_tx *tx)
{
	return kms_tx_store(tx)->dir;
}

int
kms_group_id(struct kms_tx *tx, const char *name, uint64_t *id)
{
	const struct kms_directory_row *row;

	row = kms_directory_group_by_name(dir_of(tx), name);
	if (row == NULL)
		return kms_fail(KMS_ERR_NOTFOUND,
		    "key group '%s' does not exist; create it with "
		    "p11kmsutil -createkg",
		    name);
	*id = row->id;
	return 0;
}

/* The record of a group by name; the caller clears it. */
static int
get(struct kms_tx *tx, const char *name, struct kms_record *record)
{
	uint64_t id = 0;
	int r;

	*record = (struct kms_record){0};
	r = kms_group_id(tx, name, &id);
	return r == 0 ? kms_tx_get(tx, id, record) : r;
}

/* --- change ----------------------------------------------------------- */

static int
check_free_name(struct kms_tx *tx, const char *name)
{
	int r;

	r = kms_name_check("group name", name);
	if (r != 0)
		return r;
	if (kms_directory_group_by_name(dir_of(tx), name) != NULL)
		return kms_fail(KMS_ERR_EXISTS,
		    "key group '%s' exists already; choose another name", name);
	return 0;
}

/* The record borrows the seed; nothing here frees it. */
int
kms_group_add(struct kms_tx *tx, const char *name, const char *description,
    const struct kms_seed *seed)
{
	unsigned most = kms_store_policy(kms_tx_store(tx))->max_groups;
	const struct kms_step step = {.event = KMS_EVENT_GROUP_CREATE,
	    .group = name,
	    .subject = name};
	struct kms_record record = {.kind = KMS_KIND_GROUP};
	struct kms_group *g = &record.u.group;
	struct kms_seed copy;
	int r;

	r = check_free_name(tx, name);
	if (r == 0 && description != NULL)
		r = kms_text_check("description", description);
	if (r == 0 && seed != NULL)
		r = kms_tx_check_slot(tx, seed->slot);
	if (r != 0)
		return r;
	if (most != 0 &&
	    kms_directory_count(dir_of(tx), KMS_KIND_GROUP) >= most)
		return kms_fail(KMS_ERR_LIMIT,
		    "%u key groups exist, no more are allowed ([limits] "
		    "groups); raise it, or delete one",
		    most);
	memcpy(g->name, name, strlen(name) + 1);
	if (description != NULL)
		memcpy(g->description, description, strlen(description) + 1);
	g->cipher = KMS_CIPHER_AES_256;
	g->created = g->modified = kms_tx_time(tx);
	if (seed != NULL) {
		copy = *seed;
		g->seed = &copy;
		g->nseeds = 1;
	}
	r = kms_tx_step(tx, &step);
	return r == 0 ? kms_tx_put(tx, &record) : r;
}

static int
add_seed(struct kms_group *g, const struct kms_seed *seed)
{
	struct kms_seed *grown;

	if (g->nseeds >= KMS_SEEDS_MAX)
		return kms_fail(KMS_ERR_LIMIT,
		    "key group '%s' has had %u phrases, no more are kept; "
		    "make a new group",
		    g->name, KMS_SEEDS_MAX);
	grown = realloc(g->seed, (g->nseeds + 1) * sizeof(*grown));
	if (grown == NULL)
		return kms_fail(KMS_ERR_MEMORY, "group: out of memory");
	grown[g->nseeds++] = *seed;
	g->seed = grown;
	return 0;
}

/* Outside ENCR_ a group may hold several active keys (KMIP); it cannot then
 * become a tape group. */
static int
check_rename(struct kms_tx *tx, const struct kms_record *record,
    const char *name)
{
	const struct kms_directory *dir = dir_of(tx);
	const struct kms_directory_group *g;
	int r;

	r = check_free_name(tx, name);
	if (r != 0 || !kms_group_is_tape(name))
		return r;
	g = kms_directory_group(dir, kms_directory_by_id(dir, record->id));
	if (g != NULL && g->by_state[KMS_ACTIVE] > 1)
		return kms_fail(KMS_ERR_STATE,
		    "key group '%s' has %u active keys, a tape group (ENCR_) "
		    "one at most; make the others inactive first",
		    record->u.group.name, g->by_state[KMS_ACTIVE]);
	return 0;
}

static int
modify_text(struct kms_tx *tx, struct kms_record *record,
    const struct kms_group_change *change)
{
	struct kms_group *g = &record->u.group;
	const struct kms_step step = {.event = KMS_EVENT_GROUP_MODIFY,
	    .group = g->name,
	    .subject = change->name != NULL ? change->name : g->name};
	bool rename = change->name != NULL && strcmp(change->name, g->name);
	int r = 0;

	if (rename)
		r = check_rename(tx, record, change->name);
	if (r == 0 && change->description != NULL)
		r = kms_text_check("description", change->description);
	if (r == 0)
		r = kms_tx_step(tx, &step);
	if (r == 0 && rename)
		r = kms_tx_may(tx, step.event, change->name);
	if (r != 0)
		return r;
	if (rename)
		memcpy(g->name, change->name, strlen(change->name) + 1);
	if (change->description != NULL)
		memcpy(g->description, change->description,
		    strlen(change->description) + 1);
	g->modified = kms_tx_time(tx);
	return kms_tx_put(tx, record);
}

static int
modify_seed(struct kms_tx *tx, struct kms_record *record,
    const struct kms_seed *seed)
{
	struct kms_group *g = &record->u.group;
	const struct kms_step step = {.event = KMS_EVENT_GROUP_PHRASE,
	    .group = g->name,
	    .subject = g->name};
	int r;

	r = kms_tx_check_slot(tx, seed->slot);
	if (r == 0)
		r = add_seed(g, seed);
	if (r == 0)
		r = kms_tx_step(tx, &step);
	if (r != 0)
		return r;
	g->modified = kms_tx_time(tx);
	return kms_tx_put(tx, record);
}

int
kms_group_modify(struct kms_tx *tx, const char *name,
    const struct kms_group_change *change)
{
	struct kms_record record;
	int r;

	r = get(tx, name, &record);
	if (r == 0 && (change->name != NULL || change->description != NULL))
		r = modify_text(tx, &record, change);
	if (r == 0 && change->seed != NULL)
		r = modify_seed(tx, &record, change->seed);
	kms_record_clear(&record);
	return r;
}

/* --- delete ----------------------------------------------------------- */

static int
check_deletable(struct kms_tx *tx, const struct kms_record *record, bool force)
{
	const struct kms_directory *dir = dir_of(tx);
	const struct kms_directory_group *g;
	unsigned state;

	g = kms_directory_group(dir, kms_directory_by_id(dir, record->id));
	if (g == NULL)
		return kms_fail(KMS_ERR_INTERNAL, "group: no entry");
	for (state = KMS_PRELIVE; state <= KMS_TERMINATED; state++) {
		if (g->by_state[state] == 0 || kms_state_deletable(state))
			continue;
		return kms_fail(KMS_ERR_STATE,
		    "key group '%s' holds %u %s key%s; only prelive and "
		    "terminated ones can be deleted",
		    record->u.group.name, g->by_state[state],
		    kms_state_name(state), g->by_state[state] == 1 ? "" : "s");
	}
	if (g->keys > 0 && !force)
		return kms_fail(KMS_ERR_STATE,
		    "key group '%s' holds %u key%s; delete them first, or all "
		    "at once with -force -reason T",
		    record->u.group.name, g->keys, g->keys == 1 ? "" : "s");
	return 0;
}

static int
delete_key(struct kms_tx *tx, uint64_t id, const char *group,
    const char *reason)
{
	struct kms_record record;
	struct kms_step step = {.event = KMS_EVENT_KEY_DELETE,
	    .forced = true,
	    .group = group,
	    .reason = reason};
	int r;

	r = kms_tx_get(tx, id, &record);
	if (r == 0) {
		step.subject = record.u.key.name;
		step.tag = &record.u.key.tag;
		r = kms_tx_step(tx, &step);
	}
	if (r == 0)
		r = kms_tombstone_put(tx, &record, group);
	kms_record_clear(&record);
	return r;
}

int
kms_group_delete(struct kms_tx *tx, const char *name, bool force,
    const char *reason)
{
	const struct kms_step step = {.event = KMS_EVENT_GROUP_DELETE,
	    .forced = force,
	    .group = name,
	    .subject = name,
	    .reason = reason};
	const struct kms_directory_row *key;
	struct kms_record record;
	int r;

	r = get(tx, name, &record);
	if (r == 0)
		r = check_deletable(tx, &record, force);
	if (r == 0 && force && (reason == NULL || reason[0] == '\0'))
		r = kms_fail(KMS_ERR_USAGE,
		    "-force needs a reason, which is recorded: -reason T");
	while (r == 0) {
		key = kms_directory_next_in_group(dir_of(tx), record.id, NULL);
		if (key == NULL)
			break;
		r = delete_key(tx, key->id, name, reason);
	}
	if (r == 0)
		r = kms_tx_step(tx, &step);
	if (r == 0)
		r = kms_tombstone_put(tx, &record, name);
	kms_record_clear(&record);
	return r;
}

/* --- read ------------------------------------------------------------- */

static int
active_name(struct kms_tx *tx, uint64_t group, char *out, size_t cap)
{
	const struct kms_directory_row *row;
	struct kms_record record;
	int r;

	row = kms_directory_active(dir_of(tx), group);
	if (row == NULL)
		return 0;
	r = kms_tx_get(tx, row->id, &record);
	if (r == 0)
		memcpy(out, record.u.key.name, cap);
	kms_record_clear(&record);
	return r;
}

static int
view_of(struct kms_tx *tx, uint64_t id, struct kms_group_view *view)
{
	const struct kms_directory_group *entry;
	const struct kms_group *g;
	struct kms_record record;
	int r;

	memset(view, 0, sizeof(*view));
	r = kms_tx_get(tx, id, &record);
	if (r != 0)
		return r;
	g = &record.u.group;
	view->id = id;
	memcpy(view->name, g->name, sizeof(view->name));
	memcpy(view->description, g->description, sizeof(view->description));
	view->cipher = g->cipher;
	view->has_phrase = g->nseeds > 0;
	view->created = g->created;
	view->modified = g->modified;
	entry = kms_directory_group(dir_of(tx),
	    kms_directory_by_id(dir_of(tx), id));
	view->keys = entry != NULL ? entry->keys : 0;
	kms_record_clear(&record);
	return active_name(tx, id, view->active_key, sizeof(view->active_key));
}

int
kms_group_view(struct kms_tx *tx, const char *name, struct kms_group_view *view)
{
	uint64_t id = 0;
	int r;

	r = kms_group_id(tx, name, &id);
	return r == 0 ? view_of(tx, id, view) : r;
}

int
kms_group_phrases(struct kms_tx *tx, const char *name,
    struct kms_group_phrase out[KMS_SEEDS_MAX], size_t *n)
{
	struct kms_record record;
	size_t i;
	int r;

	*n = 0;
	r = get(tx, name, &record);
	for (i = 0; r == 0 && i < record.u.group.nseeds; i++) {
		memcpy(out[i].salt, record.u.group.seed[i].salt,
		    sizeof(out[i].salt));
		out[i].cost = record.u.group.seed[i].cost;
		*n = i + 1;
	}
	kms_record_clear(&record);
	return r;
}

int
kms_group_list(struct kms_tx *tx,
    int (*each)(void *, const struct kms_group_view *), void *arg)
{
	const struct kms_directory_row *row;
	struct kms_group_view view;
	size_t at = 0;
	int r = 0;

	while (r == 0 &&
	    (row = kms_directory_next(dir_of(tx), KMS_KIND_GROUP, &at)) !=
		NULL) {
		r = view_of(tx, row->id, &view);
		if (r == 0)
			r = each(arg, &view);
	}
	return r;
}
