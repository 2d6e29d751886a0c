#include <stdlib.h>
#include <string.h>

#include "kms/load.h"
#include "kms/rewrap_impl.h"
#include "kms/sync.h"
#include "kms/tx_impl.h"

#define BATCH 1000u

/* Row ids that are still to be done; a batch at the most. */
struct todo {
	struct kms_store *s;
	uint16_t slot; /* the next one */
	uint64_t id[BATCH];
	size_t n;
	uint64_t left; /* all of them */
};

static void
note(struct todo *t, uint64_t id)
{
	if (t->n < BATCH)
		t->id[t->n++] = id;
	t->left++;
}

/* --- under the old HMK: any row sealed under its file key ---------------- */

static int
look_at_seal(void *arg, const struct kms_row *row)
{
	struct todo *t = arg;

	if (row->id != KMS_ROOT_ID && kms_seal_slot(row) != t->slot)
		note(t, row->id);
	return 0;
}

/* --- under the old KPK: keys, and groups with seeds ---------------------- */

static bool
has_old_seed(const struct kms_group *g, uint16_t slot)
{
	size_t i;

	for (i = 0; i < g->nseeds; i++)
		if (g->seed[i].slot != slot)
			return true;
	return false;
}

static int
find_groups(struct todo *t)
{
	const struct kms_directory_row *row;
	struct kms_record record;
	size_t at = 0;
	int r = 0;

	while (r == 0 &&
	    (row = kms_directory_next(t->s->dir, KMS_KIND_GROUP, &at)) !=
		NULL) {
		r = kms_sync_read(t->s, row, &record);
		if (r == 0 && has_old_seed(&record.u.group, t->slot))
			note(t, row->id);
		if (r == 0)
			kms_record_clear(&record);
	}
	return r;
}

static int
find_keys(struct todo *t)
{
	const struct kms_directory_row *row;
	size_t at = 0;

	while ((row = kms_directory_next(t->s->dir, KMS_KIND_KEY, &at)) != NULL)
		if (kms_directory_key(t->s->dir, row)->slot != t->slot)
			note(t, row->id);
	return find_groups(t);
}

static int
find_rows(struct todo *t, enum kms_role role)
{
	int r;

	t->n = 0;
	t->left = 0;
	if (role == KMS_ROLE_KPK)
		return find_keys(t);
	pthread_mutex_lock(&t->s->io);
	r = kms_rows_scan(t->s->rows, 0, look_at_seal, t);
	pthread_mutex_unlock(&t->s->io);
	return r;
}

int
kms_rewrap_left(struct kms_store *s, enum kms_role role, uint16_t slot,
    uint64_t *left)
{
	struct todo *t = calloc(1, sizeof(*t));
	int r;

	if (t == NULL)
		return kms_fail(KMS_ERR_MEMORY, "rotation: out of memory");
	t->s = s;
	t->slot = slot;
	r = find_rows(t, role);
	*left = t->left;
	free(t);
	return r;
}

/* --- one batch ---------------------------------------------------------- */

/* In the token from one key to the other; the check value is compared. */
static int
move(struct kms_store *s, uint16_t *slot, uint16_t to, struct kms_wrapped *w)
{
	const struct kms_header_slot *a = kms_header_by_no(s->header, *slot);
	const struct kms_header_slot *b = kms_header_by_no(s->header, to);
	int r;

	if (*slot == to)
		return 0;
	if (a == NULL || b == NULL)
		return kms_fail(KMS_ERR_DAMAGED,
		    "rotation: key under KPK slot %u, which there is none of",
		    *slot);
	r = s->sealer->rewrap(s->sealer, &a->slot, &b->slot, w);
	if (r == 0)
		*slot = to;
	return r;
}

static int
move_group(struct kms_store *s, struct kms_group *g, uint16_t to)
{
	size_t i;
	int r = 0;

	for (i = 0; i < g->nseeds && r == 0; i++)
		r = move(s, &g->seed[i].slot, to, &g->seed[i].wrapped);
	return r;
}

static int
move_row(struct kms_tx *tx, uint64_t id, uint16_t to)
{
	struct kms_store *s = kms_tx_store(tx);
	struct kms_record record;
	int r;

	r = kms_tx_get(tx, id, &record);
	if (r != 0)
		return r;
	if (record.kind == KMS_KIND_KEY)
		r = move(s, &record.u.key.slot, to, &record.u.key.wrapped);
	else if (record.kind == KMS_KIND_GROUP)
		r = move_group(s, &record.u.group, to);
	if (r == 0)
		r = kms_tx_put(tx, &record);
	if (r != 0)
		r = kms_fail_add(r, "row %llu", (unsigned long long)id);
	kms_record_clear(&record);
	return r;
}

static int
do_batch(struct kms_tx *tx, const struct todo *t, enum kms_role role)
{
	const struct kms_step step = {.event = KMS_EVENT_MASTER_ROTATE,
	    .subject = kms_role_name(role),
	    .reason = "re-wrapped a batch"};
	size_t i;
	int r;

	r = kms_tx_step(tx, &step);
	for (i = 0; i < t->n && r == 0; i++)
		r = role == KMS_ROLE_KPK ? move_row(tx, t->id[i], t->slot)
					 : kms_tx_reseal(tx, t->id[i]);
	return r;
}

/* What is left is looked up in the very change that does it, so that nothing
 * another process wrote meanwhile is overwritten with an older version. */
static int
batch(struct todo *t, const struct kms_actor *actor, enum kms_role role)
{
	struct kms_tx *tx = NULL;
	int r;

	r = kms_tx_begin(t->s, actor, KMS_WRITE, &tx);
	if (r == 0)
		r = find_rows(t, role);
	if (r == 0 && t->n > 0) {
		r = do_batch(tx, t, role);
		if (r == 0)
			r = kms_tx_commit(&tx);
	}
	kms_tx_abort(&tx);
	return r;
}

int
kms_rewrap_rows(struct kms_store *s, const struct kms_actor *actor,
    enum kms_role role, const struct kms_rewrap_progress *progress)
{
	const struct kms_header_slot *next;
	struct todo *t;
	uint64_t done = 0;
	int r = 0;

	next = kms_header_find(s->header, role, KMS_SLOT_NEXT);
	if (next == NULL)
		return kms_fail(KMS_ERR_INTERNAL, "rotation: no next slot");
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return kms_fail(KMS_ERR_MEMORY, "rotation: out of memory");
	t->s = s;
	t->slot = next->slot.no;
	do {
		r = batch(t, actor, role);
		done += r == 0 ? t->n : 0;
		if (r == 0 && progress != NULL && progress->each != NULL)
			progress->each(progress->arg, done,
			    done + t->left - t->n);
	} while (r == 0 && t->n > 0);
	free(t);
	return r;
}
