#include <stdio.h>
#include <string.h>

#include "kms/age.h"
#include "kms/base/log.h"
#include "kms/load.h"
#include "kms/logbook.h"
#include "kms/sync.h"
#include "kms/tx_impl.h"

/* The log was lost: this change begins a new one and says so in a row: which
 * log, how many records, and the first row id that is younger than the loss
 * (keys below it count as released). */
static int
restart_log(struct kms_tx *tx)
{
	const struct kms_step step = {.event = KMS_EVENT_LOG_RESTART};
	uint8_t lost[KMS_LOG_RESTART_LEN];
	struct kms_record record = {.kind = KMS_KIND_FACT,
	    .u.fact = {.type = KMS_FACT_LOG_RESTART,
		.bytes = lost,
		.len = sizeof(lost)}};
	struct kms_record audit;
	int r;

	memcpy(lost, tx->next.log.id, 16);
	kms_put64(lost + 16, tx->next.log.seq);
	kms_put64(lost + KMS_LOG_RESTART_AT, tx->start.next_id);
	r = kms_logbook_restart(tx->store, &tx->next.log);
	if (r != 0)
		return r;
	tx->log_begun = true;
	r = kms_tx_apply(tx, &record);
	if (r == 0)
		r = kms_audit_of_step(&audit, &tx->actor->who, &step, tx->time);
	if (r == 0)
		r = kms_tx_apply(tx, &audit);
	return r;
}

/* How far the release log had come: a tail cut off later will show. */
static int
note_log(struct kms_tx *tx)
{
	int r;

	r = kms_logbook_head(tx->store, &tx->next.log);
	if (r == KMS_ERR_NOTFOUND || r == KMS_ERR_DAMAGED)
		r = restart_log(tx);
	return r;
}

static int
put_changes(struct kms_tx *tx)
{
	size_t i;
	int r = 0;

	for (i = 0; i < tx->n && r == 0; i++)
		r = kms_rows_put(tx->store->rows, &tx->change[i].row);
	return r;
}

static int
put_header(struct kms_tx *tx)
{
	if (tx->header == NULL)
		return 0;
	return kms_rows_put_header(tx->store->rows, tx->header_body.p,
	    tx->header_body.len, tx->next.header_sha256);
}

/* The HMK whose file key seals the root of this change. */
static uint16_t
root_slot(const struct kms_tx *tx)
{
	struct kms_header *h = tx->header != NULL ? tx->header
						  : tx->store->header;
	const struct kms_header_slot *hmk;

	hmk = kms_header_find(h, KMS_ROLE_HMK, KMS_SLOT_CURRENT);
	return hmk == NULL ? 0 : hmk->slot.no;
}

/* The change that ends a rotation seals its root under the new file key, and
 * what was counted as the next one's seals is the current one's. */
static int
use_root_key(struct kms_tx *tx)
{
	struct kms_store *s = tx->store;
	uint16_t slot = root_slot(tx);

	if (s->next_hmk != 0 && slot == s->next_hmk) {
		tx->next.seals = tx->next.seals_next;
		tx->next.seals_next = 0;
	}
	return kms_seal_use(s->seal, slot);
}

static int
put_root(struct kms_tx *tx, uint8_t gcm[16])
{
	struct kms_store *s = tx->store;
	struct kms_root *next = &tx->next;
	struct kms_row row = {.id = KMS_ROOT_ID,
	    .generation = next->generation,
	    .kind = KMS_KIND_ROOT};
	struct kms_wr plain, sealed;
	unsigned kind;
	int r;

	r = use_root_key(tx);
	if (r != 0)
		return r;
	for (kind = KMS_KIND_GROUP; kind <= KMS_KINDS; kind++)
		next->count[kind] = kms_directory_count(s->dir, kind);
	next->seals++;
	kms_wr_grow(&plain, KMS_ROOT_MAX);
	kms_wr_grow(&sealed, KMS_ROOT_MAX + KMS_SEAL_OVERHEAD);
	r = kms_sum_get(s->sum, next->sum);
	if (r == 0)
		r = kms_root_encode(next, &plain);
	if (r == 0)
		r = kms_seal_row(s->seal, &row, plain.p, plain.len, &sealed,
		    gcm);
	if (r == 0) {
		row.sealed = sealed.p;
		row.len = sealed.len;
		r = kms_rows_put(s->rows, &row);
	}
	kms_wr_free(&sealed);
	kms_wr_free(&plain);
	if (s->next_hmk != 0 && r == 0)
		r = kms_seal_use(s->seal, s->next_hmk);
	return r;
}

/* Under the sealer's lock: is the token's anchor still what the store stands
 * on? One change behind is another's crash, or our own put that failed; it
 * is mended before a second change could make two of it. */
static int
check_age(struct kms_tx *tx)
{
	struct kms_store *s = tx->store;
	int r;

	if (tx->header != NULL && !tx->header->anchor)
		return 0; /* bound to a token that takes none */
	r = kms_age_compare(s, &s->root);
	if (r != 0)
		return r;
	if (tx->new_lineage) {
		if (s->anchor.generation <= tx->above)
			return 0;
		return kms_fail(KMS_ERR_BUSY,
		    "the token's anchor has moved on meanwhile; look again");
	}
	r = kms_anchor_check(s->verdict, &s->anchor, &s->root);
	if (r == 0 && s->verdict == KMS_ANCHOR_HEALS)
		r = kms_age_put(s, &s->root);
	return r;
}

/* Readers of other processes hold a COMMIT up; it waits for them. */
static int
commit_rows(struct kms_store *s)
{
	int64_t deadline = kms_latch_now() + s->wait_ms;
	int r;

	do
		r = kms_rows_commit(s->rows);
	while (r == KMS_ERR_BUSY && kms_latch_now() < deadline);
	return r;
}

/* From here on the anchor is the new file key's, where that has changed. */
static void
take_header(struct kms_tx *tx)
{
	struct kms_store *s = tx->store;

	if (tx->header == NULL)
		return;
	pthread_mutex_lock(&s->io);
	if (s->next_hmk != 0 && root_slot(tx) == s->next_hmk) {
		kms_secret_free(&s->old_anchor_key);
		s->old_anchor_key = kms_secret_take(&s->anchor_key);
		s->anchor_key = kms_secret_take(&s->next_anchor_key);
		s->next_hmk = 0;
	}
	*s->header = *tx->header;
	s->headers_differ = false;
	pthread_mutex_unlock(&s->io);
}

/* Durable, whatever becomes of the anchor now: see kms_tx_commit. Only a new
 * lineage is nothing without its anchor. */
static int
take_over(struct kms_tx *tx, const uint8_t gcm[16])
{
	struct kms_store *s = tx->store;
	int r, anchor = 0;

	take_header(tx);
	kms_tx_tell(tx);
	r = kms_age_put(s, &tx->next);
	if (r != 0 && tx->new_lineage)
		anchor = kms_fail_add(r,
		    "accepted, but its anchor was not written; accept again");
	else if (r != 0)
		kms_log(KMS_LOG_WARN, "store.anchor",
		    "generation=%llu behind=1 cause=\"%s\"",
		    (unsigned long long)tx->next.generation, kms_err_cause(r));
	pthread_mutex_lock(&s->io);
	r = kms_load_take_root(s, &tx->next, gcm);
	pthread_mutex_unlock(&s->io);
	if (r != 0)
		s->trust = KMS_STORE_UNKNOWN; /* in the file it is right */
	return anchor;
}

/* The last row of a change is an audit row, which nothing ever replaces. */
static bool
is_in_store(const struct kms_tx *tx)
{
	const struct kms_row *last = &tx->change[tx->n - 1].row;
	const struct kms_directory_row *there;

	there = kms_directory_by_id(tx->store->dir, last->id);
	return there != NULL &&
	    kms_equal(there->gcm, kms_seal_tag(last), sizeof(there->gcm));
}

/* COMMIT came to an unclear end: what does the file hold? Where a sync failed
 * the answer is about the page cache, not the disk, so that even a change
 * that can be read back is not called done, and its anchor is not written. */
static int
look_up(struct kms_tx *tx, int failed, const uint8_t gcm[16])
{
	struct kms_store *s = tx->store;
	char cause[256];
	int r;

	snprintf(cause, sizeof(cause), "%s", kms_err_cause(failed));
	s->disk_failed = kms_rows_sync_failed(s->rows);
	r = kms_sync_reload(s);
	if (r != 0)
		return kms_fail(KMS_ERR_IO,
		    "unknown whether the change is in the store: %s; and "
		    "looking it up failed: %s",
		    cause, kms_err_cause(r));
	if (!is_in_store(tx))
		return kms_fail(KMS_ERR_IO, "nothing was changed: %s", cause);
	if (s->disk_failed)
		return kms_fail(KMS_ERR_IO,
		    "the change is in the store, but a power failure may take "
		    "it away: %s; mend the disk, then look with p11kms "
		    "-verifydb",
		    cause);
	return take_over(tx, gcm);
}

static int
commit_locked(struct kms_tx *tx, const uint8_t gcm[16], bool *settled)
{
	struct kms_store *s = tx->store;
	int r;

	r = check_age(tx);
	if (r == 0)
		r = commit_rows(s);
	else
		return r;
	if (r == KMS_ERR_BUSY)
		return r;
	*settled = true;
	return r == 0 ? take_over(tx, gcm) : look_up(tx, r, gcm);
}

int
kms_commit(struct kms_tx *tx, bool *settled)
{
	struct kms_store *s = tx->store;
	uint8_t gcm[16];
	int r;

	*settled = false;
	r = note_log(tx);
	if (r == 0 && tx->n == 0)
		return 0; /* another process has begun the new log */
	if (r == 0)
		r = put_changes(tx);
	if (r == 0)
		r = put_header(tx);
	if (r == 0)
		r = put_root(tx, gcm);
	if (r != 0)
		return r;
	if (!s->header->anchor && (tx->header == NULL || !tx->header->anchor))
		return commit_locked(tx, gcm, settled);
	r = s->sealer->lock(s->sealer);
	if (r != 0)
		return r;
	r = commit_locked(tx, gcm, settled);
	s->sealer->unlock(s->sealer);
	return r;
}
