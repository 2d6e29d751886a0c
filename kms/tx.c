#include "kms/tx.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kms/hold.h"
#include "kms/load.h"
#include "kms/sync.h"
#include "kms/tx_impl.h"

void
kms_actor_local(struct kms_actor *actor)
{
	actor->may = NULL;
	kms_audit_who_local(&actor->who);
}

int64_t
kms_tx_now(void)
{
	struct timespec t = {0};

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* --- savepoints ------------------------------------------------------- */

static int
mark(struct kms_tx *tx, struct kms_savepoint *at)
{
	at->n = tx->n;
	at->next_id = tx->next.next_id;
	at->holds_id = tx->store->holds_id;
	at->log_restart_id = tx->store->log_restart_id;
	at->cover = tx->store->cover;
	at->tally = tx->store->tally;
	return kms_sum_get(tx->store->sum, at->sum);
}

static void
rewind_to(struct kms_tx *tx, const struct kms_savepoint *at)
{
	struct kms_store *s = tx->store;
	struct kms_change *c;

	while (tx->n > at->n) {
		c = &tx->change[--tx->n];
		kms_directory_undo(s->dir, &c->was, c->row.id);
		kms_wr_free(&c->sealed);
	}
	kms_sum_set(s->sum, at->sum);
	tx->next.next_id = at->next_id;
	s->holds_id = at->holds_id;
	s->log_restart_id = at->log_restart_id;
	s->cover = at->cover;
	s->tally = at->tally;
	tx->in_step = tx->broken = false;
}

/* --- begin ------------------------------------------------------------ */

static int
refuse_quiesced(const struct kms_holds *holds, int64_t now)
{
	char until[KMS_TIME_TEXT] = "it is taken back";
	const struct kms_hold *first = NULL;
	size_t n;

	n = kms_holds_outstanding(holds, now, &first);
	if (n == 0)
		return 0;
	if (first->expires != 0)
		kms_time_text(first->expires, until);
	return kms_fail(KMS_ERR_QUIESCED,
	    "store is quiesced by %s until %s (%zu outstanding); wait, or end "
	    "it with p11kmsutil -unquiescedb",
	    first->owner[0] != '\0' ? first->owner : first->who, until, n);
}

static int
check_quiesced(struct kms_tx *tx)
{
	struct kms_store *s = tx->store;
	struct kms_record record = {0};
	struct kms_holds holds = {0};
	int r;

	if (s->holds_id == 0)
		return 0;
	r = kms_tx_get(tx, s->holds_id, &record);
	if (r == 0)
		r = kms_holds_decode(&holds, &record.u.fact);
	if (r == 0)
		r = refuse_quiesced(&holds, kms_tx_now());
	kms_holds_clear(&holds);
	kms_record_clear(&record);
	return r;
}

static int
begin_write(struct kms_tx *tx)
{
	struct kms_store *s = tx->store;
	int r;

	r = kms_sync_enter_write(s);
	if (r != 0)
		return r;
	r = kms_root_copy(&tx->next, &s->root);
	if (r == 0)
		r = mark(tx, &tx->start);
	tx->marked = tx->start;
	if (r != 0) {
		kms_root_clear(&tx->next);
		kms_sync_leave_write(s);
		return r;
	}
	tx->next.generation++;
	memcpy(tx->next.previous, s->root_sha256, sizeof(tx->next.previous));
	tx->time = kms_tx_now();
	if (tx->time <= s->root.time)
		tx->time = s->root.time + 1;
	tx->next.time = tx->time;
	return 0;
}

static int
begin(struct kms_store *s, const struct kms_actor *actor, enum kms_mode mode,
    struct kms_tx **out)
{
	struct kms_tx *tx;
	int r;

	*out = NULL;
	tx = calloc(1, sizeof(*tx));
	if (tx == NULL)
		return kms_fail(KMS_ERR_MEMORY, "transaction: out of memory");
	tx->store = s;
	tx->actor = actor;
	tx->mode = mode;
	tx->time = kms_tx_now();
	r = mode == KMS_WRITE ? begin_write(tx)
			      : kms_sync_enter(s, mode == KMS_READ);
	if (r == 0)
		*out = tx;
	else
		free(tx);
	return r;
}

int
kms_tx_begin(struct kms_store *s, const struct kms_actor *actor,
    enum kms_mode mode, struct kms_tx **out)
{
	int r;

	r = begin(s, actor, mode, out);
	if (r == 0 && mode == KMS_WRITE)
		r = check_quiesced(*out);
	if (r != 0)
		kms_tx_abort(out);
	return r;
}

int
kms_tx_begin_quiesced(struct kms_store *s, const struct kms_actor *actor,
    struct kms_tx **out)
{
	return begin(s, actor, KMS_WRITE, out);
}

int
kms_tx_restart_log(struct kms_store *s, const struct kms_actor *actor)
{
	struct kms_tx *tx;
	int r;

	r = begin(s, actor, KMS_WRITE, &tx);
	if (r != 0)
		return r;
	tx->log_only = true;
	return kms_tx_commit(&tx);
}

int
kms_tx_new_lineage(struct kms_tx *tx, uint64_t above)
{
	struct kms_root *next = &tx->next;

	if (tx->mode != KMS_WRITE || tx->n > 0 || tx->in_step)
		return kms_fail(KMS_ERR_INTERNAL, "new lineage: not first");
	if (above >= next->generation)
		next->generation = above + 1;
	tx->new_lineage = true;
	tx->above = above;
	return kms_random(next->lineage, sizeof(next->lineage));
}

/* --- steps ------------------------------------------------------------ */

int
kms_tx_may(const struct kms_tx *tx, enum kms_event event, const char *group)
{
	const struct kms_actor *actor = tx->actor;

	if (actor->may == NULL ||
	    actor->may(actor, event, group == NULL ? "" : group))
		return 0;
	return kms_fail(KMS_ERR_DENIED, "%s may not %s%s%s", actor->who.name,
	    kms_event_name(event),
	    group == NULL || group[0] == '\0' ? "" : " in ",
	    group == NULL ? "" : group);
}

int
kms_tx_close_step(struct kms_tx *tx)
{
	int r = 0;

	if (!tx->in_step)
		return 0;
	if (tx->alone || tx->n > tx->step.n)
		r = kms_tx_apply(tx, &tx->audit);
	tx->in_step = false;
	return r;
}

int
kms_tx_step(struct kms_tx *tx, const struct kms_step *step)
{
	int r;

	if (tx->mode != KMS_WRITE)
		return kms_fail(KMS_ERR_INTERNAL, "step of a reader");
	r = kms_tx_close_step(tx);
	if (r == 0)
		r = kms_tx_may(tx, step->event, step->group);
	if (r == 0)
		r = kms_audit_of_step(&tx->audit, &tx->actor->who, step,
		    tx->time);
	if (r == 0)
		r = mark(tx, &tx->step);
	if (r != 0)
		return r;
	tx->alone = step->alone;
	tx->in_step = true;
	return 0;
}

int
kms_tx_put(struct kms_tx *tx, struct kms_record *record)
{
	if (tx->mode != KMS_WRITE || !tx->in_step)
		return kms_fail(KMS_ERR_INTERNAL, "put outside a step");
	if (tx->broken)
		return kms_fail(KMS_ERR_INTERNAL, "put after one that failed");
	return kms_tx_apply(tx, record);
}

int
kms_tx_undo(struct kms_tx *tx)
{
	if (!tx->in_step)
		return kms_fail(KMS_ERR_INTERNAL, "undo outside a step");
	rewind_to(tx, &tx->step);
	return 0;
}

int
kms_tx_mark(struct kms_tx *tx)
{
	int r;

	if (tx->mode != KMS_WRITE)
		return kms_fail(KMS_ERR_INTERNAL, "mark of a reader");
	r = kms_tx_close_step(tx);
	return r == 0 ? mark(tx, &tx->marked) : r;
}

void
kms_tx_rewind(struct kms_tx *tx)
{
	rewind_to(tx, &tx->marked);
}

int
kms_tx_check_slot(const struct kms_tx *tx, uint16_t kpk)
{
	const struct kms_header_slot *at;

	at = kms_header_by_no(tx->store->header, kpk);
	if (at != NULL && at->slot.role == KMS_ROLE_KPK &&
	    at->slot.place == KMS_SLOT_CURRENT)
		return 0;
	return kms_fail(KMS_ERR_BUSY,
	    "the KPK was rotated while the key was made; try again");
}

int
kms_tx_header(struct kms_tx *tx, const struct kms_header *header)
{
	int r;

	if (tx->mode != KMS_WRITE || !tx->in_step || tx->header != NULL)
		return kms_fail(KMS_ERR_INTERNAL, "header outside a step");
	tx->header = malloc(sizeof(*tx->header));
	if (tx->header == NULL)
		return kms_fail(KMS_ERR_MEMORY, "header: out of memory");
	*tx->header = *header;
	tx->broken = true; /* until it is whole: no commit of half of it */
	kms_wr_grow(&tx->header_body, KMS_HEADER_MAX);
	r = kms_header_encode(header, &tx->header_body);
	if (r == 0)
		r = kms_header_hash(tx->header_body.p, tx->header_body.len,
		    tx->next.header_sha256);
	tx->broken = r != 0;
	return r;
}

/* --- reading ---------------------------------------------------------- */

/* This transaction's own newest version of a row, not in the file yet. */
static int
get_pending(struct kms_tx *tx, uint64_t id, struct kms_record *record)
{
	const struct kms_row *row = NULL;
	uint8_t *plain;
	size_t i, len = 0;
	int r;

	for (i = tx->n; i > 0 && row == NULL; i--) {
		if (tx->change[i - 1].row.id == id)
			row = &tx->change[i - 1].row;
	}
	if (row == NULL)
		return kms_fail(KMS_ERR_INTERNAL, "change: row is lost");
	plain = malloc(row->len);
	if (plain == NULL)
		return kms_fail(KMS_ERR_MEMORY, "change: out of memory");
	r = kms_seal_open(tx->store->seal, row, plain, &len);
	if (r == 0)
		r = kms_record_decode(record, row->kind, plain, len);
	if (r == 0) {
		record->id = id;
		record->generation = row->generation;
	}
	kms_wipe(plain, len);
	free(plain);
	return r;
}

int
kms_tx_get(struct kms_tx *tx, uint64_t id, struct kms_record *record)
{
	const struct kms_directory_row *row;

	*record = (struct kms_record){0};
	if (tx->mode == KMS_LOOK)
		return kms_fail(KMS_ERR_INTERNAL, "row read without a view");
	row = kms_directory_by_id(tx->store->dir, id);
	if (row == NULL)
		return kms_fail(KMS_ERR_NOTFOUND, "row %llu: there is none",
		    (unsigned long long)id);
	if (tx->mode == KMS_WRITE && row->generation == tx->next.generation)
		return get_pending(tx, id, record);
	return kms_sync_read(tx->store, row, record);
}

bool
kms_tx_knows_group(struct kms_tx *tx, uint64_t id, char out[KMS_NAME_MAX + 1])
{
	const struct kms_directory_row *row;

	row = kms_directory_by_id(tx->store->dir, id);
	return row != NULL && kms_group_name_get(tx->store->names, row, out);
}

int
kms_tx_group_name(struct kms_tx *tx, uint64_t id, char out[KMS_NAME_MAX + 1])
{
	struct kms_record group;
	int r;

	if (kms_tx_knows_group(tx, id, out))
		return 0;
	r = kms_tx_get(tx, id, &group);
	if (r == 0 && group.kind != KMS_KIND_GROUP)
		r = kms_fail(KMS_ERR_DAMAGED, "row %llu: not a group",
		    (unsigned long long)id);
	if (r == 0) {
		memcpy(out, group.u.group.name, KMS_NAME_MAX + 1);
		kms_group_name_put(tx->store->names,
		    kms_directory_by_id(tx->store->dir, id), out);
	}
	kms_record_clear(&group);
	return r;
}

int64_t
kms_tx_time(const struct kms_tx *tx)
{
	return tx->time;
}

uint64_t
kms_tx_generation(const struct kms_tx *tx)
{
	return tx->mode == KMS_WRITE ? tx->next.generation
				     : tx->store->root.generation;
}

struct kms_store *
kms_tx_store(const struct kms_tx *tx)
{
	return tx->store;
}

const struct kms_actor *
kms_tx_actor(const struct kms_tx *tx)
{
	return tx->actor;
}

const struct kms_directory *
kms_tx_directory(const struct kms_tx *tx)
{
	return tx->store->dir;
}

/* --- end -------------------------------------------------------------- */

static void
finish(struct kms_tx *tx, bool settled)
{
	struct kms_store *s = tx->store;
	size_t i;

	if (tx->mode == KMS_WRITE && !settled) {
		rewind_to(tx, &tx->start);
		if (tx->log_begun)
			kms_release_log_close(&s->log);
	}
	for (i = 0; i < tx->n; i++)
		kms_wr_free(&tx->change[i].sealed);
	free(tx->change);
	if (tx->header != NULL)
		kms_wr_free(&tx->header_body);
	free(tx->header);
	kms_root_clear(&tx->next);
	if (tx->mode == KMS_WRITE)
		kms_sync_leave_write(s);
	else
		kms_sync_leave(s, tx->mode == KMS_READ);
	free(tx);
}

int
kms_tx_commit(struct kms_tx **txp)
{
	struct kms_tx *tx = *txp;
	bool settled = false;
	int r = 0;

	*txp = NULL;
	if (tx->broken)
		r = kms_fail(KMS_ERR_INTERNAL, "commit after a failed put");
	else if (tx->mode == KMS_WRITE)
		r = kms_tx_close_step(tx);
	if (r == 0 && (tx->n > 0 || tx->log_only))
		r = kms_commit(tx, &settled);
	finish(tx, settled);
	return r;
}

void
kms_tx_abort(struct kms_tx **txp)
{
	if (txp == NULL || *txp == NULL)
		return;
	finish(*txp, false);
	*txp = NULL;
}
