/* The rows of a change: sealed, and in directory and sum before they are in
 * the file. */
#include <stdlib.h>
#include <string.h>

#include "kms/base/log.h"
#include "kms/load.h"
#include "kms/tx_impl.h"

/* A change of a million keys is not one transaction. */
#define CHANGES_MAX (1u << 20)

static int
grow(struct kms_tx *tx)
{
	size_t cap = tx->cap == 0 ? 8 : tx->cap * 2;
	struct kms_change *change;

	if (tx->n < tx->cap)
		return 0;
	if (cap > CHANGES_MAX)
		return kms_fail(KMS_ERR_LIMIT,
		    "over %u rows in one change; do it in parts", CHANGES_MAX);
	change = realloc(tx->change, cap * sizeof(*change));
	if (change == NULL)
		return kms_fail(KMS_ERR_MEMORY, "change: out of memory");
	tx->change = change;
	tx->cap = cap;
	return 0;
}

/* Rows are sealed under the next file key as soon as there is one. */
static int
count_seal(struct kms_tx *tx)
{
	uint64_t *seals = tx->store->next_hmk != 0 ? &tx->next.seals_next
						   : &tx->next.seals;

	if (*seals >= KMS_SEALS_MAX)
		return kms_fail(KMS_ERR_LIMIT,
		    "this file key has sealed all it may; draw a new one with "
		    "p11kmsutil -modifyhmk");
	++*seals;
	return 0;
}

static int
seal(struct kms_tx *tx, struct kms_record *record, struct kms_change *c)
{
	struct kms_wr plain;
	uint8_t gcm[16];
	int r;

	r = count_seal(tx);
	if (r != 0)
		return r;
	kms_wr_grow(&plain, KMS_SEALED_MAX - KMS_SEAL_OVERHEAD);
	kms_wr_grow(&c->sealed, KMS_SEALED_MAX);
	c->row = (struct kms_row){.id = record->id,
	    .generation = record->generation,
	    .kind = (uint16_t)record->kind};
	r = kms_record_encode(record, &plain);
	if (r == 0)
		r = kms_seal_row(tx->store->seal, &c->row, plain.p, plain.len,
		    &c->sealed, gcm);
	kms_wr_free(&plain);
	c->row.sealed = c->sealed.p;
	c->row.len = c->sealed.len;
	return r;
}

/* The sum is brought up to date last: directory_put may still refuse. */
static int
account(struct kms_tx *tx, struct kms_record *record, struct kms_change *c)
{
	struct kms_store *s = tx->store;
	const struct kms_directory_row *old = &c->was.row;
	int r;

	r = kms_directory_put(s->dir, &c->row,
	    kms_load_wants(c->row.kind) ? record : NULL, &c->was);
	if (r != 0)
		return r;
	tx->n++; /* from here on undo takes it back */
	if (c->was.existed)
		r = kms_sum_remove(s->sum, old->kind, old->id, old->generation,
		    old->gcm);
	if (r == 0)
		r = kms_sum_add(s->sum, c->row.kind, c->row.id,
		    c->row.generation, kms_seal_tag(&c->row));
	if (r == 0)
		r = kms_load_note(s, record);
	return r;
}

int
kms_tx_apply(struct kms_tx *tx, struct kms_record *record)
{
	bool new = record->id == 0;
	struct kms_change *c;
	int r;

	r = grow(tx);
	if (r != 0)
		return r;
	c = &tx->change[tx->n];
	*c = (struct kms_change){0};
	if (new)
		record->id = tx->next.next_id;
	record->generation = tx->next.generation;
	r = seal(tx, record, c);
	if (r == 0)
		r = account(tx, record, c);
	if (r == 0 && new)
		tx->next.next_id++;
	if (r == 0)
		return 0;
	tx->broken = true;
	if (c == &tx->change[tx->n])
		kms_wr_free(&c->sealed);
	if (new)
		record->id = 0;
	return r;
}

/* The bytes of a row opened and sealed again: same id, kind and generation. */
static int
seal_again(struct kms_tx *tx, const struct kms_row *row, uint8_t *plain,
    struct kms_change *c, struct kms_record *record)
{
	uint8_t gcm[16];
	size_t len = 0;
	int r;

	r = kms_seal_open(tx->store->seal, row, plain, &len);
	if (r == 0 && kms_load_wants(row->kind))
		r = kms_record_decode(record, row->kind, plain, len);
	if (r == 0)
		r = count_seal(tx);
	if (r != 0)
		return r;
	record->id = row->id;
	record->generation = row->generation;
	kms_wr_grow(&c->sealed, KMS_SEALED_MAX);
	c->row = *row;
	r = kms_seal_row(tx->store->seal, &c->row, plain, len, &c->sealed, gcm);
	c->row.sealed = c->sealed.p;
	c->row.len = c->sealed.len;
	kms_wipe(plain, len);
	return r;
}

int
kms_tx_reseal(struct kms_tx *tx, uint64_t id)
{
	const struct kms_directory_row *known;
	struct kms_record record = {0};
	struct kms_change *c = NULL;
	uint8_t *plain = NULL;
	struct kms_row row;
	int r;

	if (tx->mode != KMS_WRITE || !tx->in_step || tx->broken)
		return kms_fail(KMS_ERR_INTERNAL, "reseal outside a step");
	r = grow(tx);
	if (r == 0)
		r = kms_rows_get(tx->store->rows, id, &row);
	if (r != 0)
		return r;
	known = kms_directory_by_id(tx->store->dir, id);
	if (known == NULL || kms_seal_tag(&row) == NULL ||
	    !kms_equal(known->gcm, kms_seal_tag(&row), sizeof(known->gcm)))
		return kms_fail(KMS_ERR_DAMAGED,
		    "row %llu: not the row that was verified",
		    (unsigned long long)id);
	c = &tx->change[tx->n];
	*c = (struct kms_change){0};
	plain = malloc(row.len);
	r = plain == NULL ? kms_fail(KMS_ERR_MEMORY, "reseal: out of memory")
			  : seal_again(tx, &row, plain, c, &record);
	if (r == 0)
		r = account(tx, &record, c);
	if (r != 0) {
		tx->broken = true;
		if (c == &tx->change[tx->n])
			kms_wr_free(&c->sealed);
	}
	kms_record_clear(&record);
	free(plain);
	return r;
}

static int
tell_row(struct kms_tx *tx, const struct kms_row *row)
{
	struct kms_record record = {0};
	uint8_t *plain;
	size_t len = 0;
	int r;

	plain = malloc(row->len);
	if (plain == NULL)
		return KMS_ERR_MEMORY;
	r = kms_seal_open(tx->store->seal, row, plain, &len);
	if (r == 0)
		r = kms_record_decode(&record, row->kind, plain, len);
	if (r == 0)
		kms_audit_tell(&record.u.audit, row->generation);
	kms_record_clear(&record);
	free(plain);
	return r;
}

void
kms_tx_tell(struct kms_tx *tx)
{
	const struct kms_row *row;
	size_t i;

	if (!kms_log_wants(KMS_LOG_INFO))
		return;
	for (i = 0; i < tx->n; i++) {
		row = &tx->change[i].row;
		if (row->kind == KMS_KIND_AUDIT &&
		    row->generation == tx->next.generation &&
		    tell_row(tx, row) != 0)
			kms_err_clear();
	}
}
