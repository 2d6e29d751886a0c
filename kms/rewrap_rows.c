#include <stdlib.h>
#include <string.h>

#include "kms/load.h"
#include "kms/rewrap_impl.h"
#include "kms/sync.h"
#include "kms/tx_impl.h"

#define BATCH 1000u

/* Row ids that are still to be done. */
struct todo {
	struct kms_store *s;
	enum kms_role role;
	uint16_t slot; /* the next one */
	uint64_t *id;
	size_t n, cap;
};

static int
note(struct todo *t, uint64_t id)
{
	size_t cap = t->cap == 0 ? BATCH : t->cap * 2;
	uint64_t *more;

	if (t->n == t->cap) {
		more = realloc(t->id, cap * sizeof(*more));
		if (more == NULL)
			return kms_fail(KMS_ERR_MEMORY,
			    "rotation: out of memory");
		t->id = more;
		t->cap = cap;
	}
	t->id[t->n++] = id;
	return 0;
}

/* --- under the old HMK: any row sealed under its file key ---------------- */

static int
look_at_seal(void *arg, const struct kms_row *row)
{
	struct todo *t = arg;

	if (row->id == KMS_ROOT_ID || kms_seal_slot(row) == t->slot)
		return 0;
	return note(t, row->id);
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
		record = (struct kms_record){0};
		r = kms_sync_read(t->s, row, &record);
		if (r == 0 && has_old_seed(&record.u.group, t->slot))
			r = note(t, row->id);
		kms_record_clear(&record);
	}
	return r;
}

static int
find_keys(struct todo *t)
{
	const struct kms_directory_row *row;
	size_t at = 0;
	int r = 0;

	while (r == 0 &&
	    (row = kms_directory_next(t->s->dir, KMS_KIND_KEY, &at)) != NULL)
		if (kms_directory_key(t->s->dir, row)->slot != t->slot)
			r = note(t, row->id);
	return r == 0 ? find_groups(t) : r;
}

/* In a view, or in a write transaction. */
static int
find_rows(struct todo *t)
{
	int r;

	t->n = 0;
	if (t->role == KMS_ROLE_KPK)
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
	struct todo t = {.s = s, .role = role, .slot = slot};
	int r;

	r = find_rows(&t);
	*left = t.n;
	free(t.id);
	return r;
}

/* --- one batch ---------------------------------------------------------- */

/* Keys under the same old slot, which go through the token at once: the new
 * KPK is proven for all of them together. */
struct bunch {
	uint16_t from;
	size_t n;
	struct kms_record record[KMS_REWRAP_MOST];
};

/* In the token from one key to the other; the check values are compared. */
static int
move(struct kms_store *s, uint16_t from, uint16_t to, struct kms_wrapped *w,
    size_t n)
{
	const struct kms_header_slot *a = kms_header_by_no(s->header, from);
	const struct kms_header_slot *b = kms_header_by_no(s->header, to);

	if (a == NULL || b == NULL)
		return kms_fail(KMS_ERR_DAMAGED,
		    "rotation: key under KPK slot %u, which there is none of",
		    from);
	return kms_store_token_error(s->sealer->rewrap(s->sealer, &a->slot,
	    &b->slot, w, n));
}

static void
empty(struct bunch *b)
{
	while (b->n > 0)
		kms_record_clear(&b->record[--b->n]);
}

/* To name the row that held up the others. */
static int
move_singly(struct kms_store *s, const struct bunch *b, uint16_t to,
    struct kms_wrapped *w)
{
	size_t i;
	int r = 0;

	for (i = 0; i < b->n && r == 0; i++) {
		r = move(s, b->from, to, &w[i], 1);
		if (r != 0)
			r = kms_fail_add(r, "row %llu",
			    (unsigned long long)b->record[i].id);
	}
	return r;
}

static int
move_bunch(struct kms_tx *tx, struct bunch *b, uint16_t to)
{
	struct kms_store *s = kms_tx_store(tx);
	struct kms_wrapped w[KMS_REWRAP_MOST];
	struct kms_key *key;
	size_t i;
	int r;

	if (b->n == 0)
		return 0;
	for (i = 0; i < b->n; i++)
		w[i] = b->record[i].u.key.wrapped;
	r = move(s, b->from, to, w, b->n);
	if (r != 0)
		r = move_singly(s, b, to, w);
	for (i = 0; i < b->n && r == 0; i++) {
		key = &b->record[i].u.key;
		key->wrapped = w[i];
		key->slot = to;
		r = kms_tx_put(tx, &b->record[i]);
	}
	empty(b);
	return r;
}

static int
move_group(struct kms_tx *tx, struct kms_record *record, uint16_t to)
{
	struct kms_group *g = &record->u.group;
	size_t i;
	int r = 0;

	if (!has_old_seed(g, to))
		return 0;
	for (i = 0; i < g->nseeds && r == 0; i++) {
		if (g->seed[i].slot == to)
			continue;
		r = move(kms_tx_store(tx), g->seed[i].slot, to,
		    &g->seed[i].wrapped, 1);
		g->seed[i].slot = to;
	}
	return r == 0 ? kms_tx_put(tx, record) : r;
}

/* The record, which becomes the bunch's, joins those that wait. */
static int
add_key(struct kms_tx *tx, struct bunch *b, struct kms_record *record,
    uint16_t to)
{
	uint16_t from = record->u.key.slot;
	int r = 0;

	if (b->n == KMS_REWRAP_MOST || (b->n > 0 && b->from != from))
		r = move_bunch(tx, b, to);
	if (r != 0) {
		kms_record_clear(record);
		return r;
	}
	b->from = from;
	b->record[b->n++] = *record;
	return 0;
}

/* As it is in this change: what another process has moved or deleted
 * meanwhile is left as it is. */
static int
move_row(struct kms_tx *tx, struct bunch *b, uint64_t id, uint16_t to)
{
	struct kms_record record;
	int r;

	r = kms_tx_get(tx, id, &record);
	if (r == 0 && record.kind == KMS_KIND_KEY && record.u.key.slot != to)
		return add_key(tx, b, &record, to);
	if (r == 0 && record.kind == KMS_KIND_GROUP)
		r = move_group(tx, &record, to);
	kms_record_clear(&record);
	if (r != 0)
		r = kms_fail_add(r, "row %llu", (unsigned long long)id);
	return r;
}

static int
move_rows(struct kms_tx *tx, const struct todo *t, size_t from, size_t n)
{
	struct bunch *b;
	size_t i;
	int r = 0;

	b = malloc(sizeof(*b));
	if (b == NULL)
		return kms_fail(KMS_ERR_MEMORY, "rotation: out of memory");
	b->n = 0;
	for (i = from; i < from + n && r == 0; i++)
		r = move_row(tx, b, t->id[i], t->slot);
	if (r == 0)
		r = move_bunch(tx, b, t->slot);
	empty(b);
	free(b);
	return r;
}

static int
reseal_rows(struct kms_tx *tx, const struct todo *t, size_t from, size_t n)
{
	size_t i;
	int r = 0;

	for (i = from; i < from + n && r == 0; i++) {
		r = kms_tx_reseal(tx, t->id[i]);
		if (r != 0)
			r = kms_fail_add(r, "row %llu",
			    (unsigned long long)t->id[i]);
	}
	return r;
}

static int
do_batch(struct kms_tx *tx, const struct todo *t, size_t from, size_t n)
{
	const struct kms_step step = {.event = KMS_EVENT_MASTER_ROTATE,
	    .subject = kms_role_name(t->role),
	    .reason = "re-wrapped a batch"};
	int r;

	r = kms_tx_step(tx, &step);
	if (r == 0)
		r = t->role == KMS_ROLE_KPK ? move_rows(tx, t, from, n)
					    : reseal_rows(tx, t, from, n);
	return r;
}

static int
batch(const struct todo *t, const struct kms_actor *actor, size_t from,
    size_t n)
{
	struct kms_tx *tx = NULL;
	int r;

	r = kms_tx_begin(t->s, actor, KMS_WRITE, &tx);
	if (r == 0)
		r = do_batch(tx, t, from, n);
	if (r == 0)
		r = kms_tx_commit(&tx);
	kms_tx_abort(&tx);
	return r;
}

static int
look(struct todo *t)
{
	int r;

	r = kms_sync_enter(t->s, true);
	if (r == 0) {
		r = find_rows(t);
		kms_sync_leave(t->s, true);
	}
	return r;
}

/* One look, and what it found, in batches. */
static int
do_round(struct todo *t, const struct kms_actor *actor, struct kms_rewrap *job)
{
	uint64_t before = job->moved;
	size_t from, n;
	int r;

	r = look(t);
	for (from = 0; r == 0 && from < t->n; from += n) {
		n = t->n - from < BATCH ? t->n - from : BATCH;
		r = batch(t, actor, from, n);
		if (r != 0)
			break;
		job->moved = before + from + n;
		if (job->progress != NULL)
			job->progress(job->arg, KMS_REWRAP_MOVE, job->moved,
			    before + t->n);
	}
	return r;
}

int
kms_rewrap_rows(struct kms_store *s, const struct kms_actor *actor,
    struct kms_rewrap *job)
{
	struct todo t = {.s = s, .role = job->role};
	const struct kms_header_slot *next;
	int r;

	next = kms_header_find(s->header, job->role, KMS_SLOT_NEXT);
	if (next == NULL)
		return kms_fail(KMS_ERR_BUSY,
		    "another process has ended the rotation; run it again");
	t.slot = next->slot.no;
	do
		r = do_round(&t, actor, job);
	while (r == 0 && t.n > 0);
	free(t.id);
	return r;
}
