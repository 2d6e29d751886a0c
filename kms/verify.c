#include "kms/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kms/directory.h"
#include "kms/sync.h"

struct verification {
	struct kms_store *s;
	struct kms_verify_report *report;
	uint8_t *plain;
	void (*progress)(void *, uint64_t, uint64_t);
	void *arg;
	uint64_t done, all;
	char first_bad[256];
};

static void
bad(struct verification *v, uint64_t id, const char *why)
{
	if (v->report->bad++ == 0)
		snprintf(v->first_bad, sizeof(v->first_bad), "row %llu: %s",
		    (unsigned long long)id, why);
}

static void
step(struct verification *v)
{
	v->done++;
	if (v->progress != NULL)
		v->progress(v->arg, v->done, v->all);
}

/* Proves one wrapped key. What the token says of the key is a finding; that
 * the token is away is an error. */
static int
prove(struct verification *v, uint64_t id, uint16_t slot,
    const struct kms_wrapped *w)
{
	struct kms_sealer *sealer = v->s->sealer;
	const struct kms_header_slot *kpk;
	int r;

	kpk = kms_header_by_no(v->s->header, slot);
	if (kpk == NULL) {
		bad(v, id, "wrapped by a KPK that the header does not know");
		return 0;
	}
	r = sealer->prove(sealer, &kpk->slot, w);
	if (r == KMS_ERR_AUTH)
		bad(v, id, "KPK does not open its key");
	else if (r != 0)
		return kms_store_token_error(r);
	else
		v->report->unwrapped++;
	return 0;
}

static int
prove_seeds(struct verification *v, const struct kms_record *record)
{
	const struct kms_group *g = &record->u.group;
	size_t i;
	int r = 0;

	for (i = 0; i < g->nseeds && r == 0; i++)
		r = prove(v, record->id, g->seed[i].slot, &g->seed[i].wrapped);
	return r;
}

static void
count(struct kms_verify_report *report, unsigned kind)
{
	report->rows++;
	report->groups += kind == KMS_KIND_GROUP;
	report->keys += kind == KMS_KIND_KEY;
	report->audits += kind == KMS_KIND_AUDIT;
	report->tombstones += kind == KMS_KIND_TOMBSTONE;
}

/* The row as it lies in the file now: the one that was verified at open, and
 * a record that makes sense. */
static int
check_row(void *arg, const struct kms_row *row)
{
	struct verification *v = arg;
	const struct kms_directory_row *known;
	struct kms_record record = {0};
	size_t len = 0;
	int r;

	if (row->id == KMS_ROOT_ID)
		return 0;
	count(v->report, row->kind);
	known = kms_directory_by_id(v->s->dir, row->id);
	if (known == NULL || row->len > KMS_SEALED_MAX ||
	    kms_seal_tag(row) == NULL || known->kind != row->kind ||
	    known->generation != row->generation ||
	    !kms_equal(known->gcm, kms_seal_tag(row), sizeof(known->gcm)) ||
	    kms_seal_open(v->s->seal, row, v->plain, &len) != 0 ||
	    kms_record_decode(&record, row->kind, v->plain, len) != 0) {
		bad(v, row->id, "is not the row that was verified at open");
		return 0;
	}
	record.id = row->id;
	r = row->kind == KMS_KIND_GROUP ? prove_seeds(v, &record) : 0;
	if (row->kind != KMS_KIND_KEY)
		step(v);
	kms_record_clear(&record);
	kms_wipe(v->plain, len);
	return r;
}

static int
check_rows(struct verification *v)
{
	struct kms_store *s = v->s;
	uint64_t all;
	int r;

	r = kms_sync_enter(s, true);
	if (r != 0)
		return r;
	all = kms_directory_count(s->dir, 0);
	v->all = all;
	v->report->generation = s->root.generation;
	v->report->header_copies_differ = s->headers_differ;
	pthread_mutex_lock(&s->io);
	r = kms_rows_scan(s->rows, 0, check_row, v);
	pthread_mutex_unlock(&s->io);
	if (r == 0 && v->report->rows != all)
		bad(v, 0, "rows are missing");
	kms_sync_leave(s, true);
	return r;
}

static int
prove_key(struct verification *v, const struct kms_directory_row *row)
{
	const struct kms_directory_key *key;
	struct kms_wrapped w;
	int r;

	key = kms_directory_key(v->s->dir, row);
	kms_directory_wrapped(key, &w);
	r = prove(v, row->id, key->slot, &w);
	if (r == 0 && key->origin != KMS_ORIGIN_IMPORT &&
	    !kms_tag_checks(&key->tag, key->kcv))
		bad(v, row->id, "tag is not this key's");
	step(v);
	return r;
}

/* Slow (a token call each), so with no view open: others may commit. */
static int
prove_keys(struct verification *v)
{
	const struct kms_directory_row *row;
	size_t at = 0;
	int r;

	r = kms_sync_enter(v->s, false);
	if (r != 0)
		return r;
	while (r == 0 &&
	    (row = kms_directory_next(v->s->dir, KMS_KIND_KEY, &at)) != NULL)
		r = prove_key(v, row);
	kms_sync_leave(v->s, false);
	return r;
}

int
kms_verify(struct kms_store *s, struct kms_verify_report *report,
    void (*progress)(void *, uint64_t done, uint64_t all), void *arg)
{
	struct verification v = {.s = s,
	    .report = report,
	    .progress = progress,
	    .arg = arg};
	int r;

	*report = (struct kms_verify_report){.anchor = kms_store_anchor(s),
	    .behind = kms_store_behind(s)};
	v.plain = malloc(KMS_SEALED_MAX);
	if (v.plain == NULL)
		return kms_fail(KMS_ERR_MEMORY, "verify: out of memory");
	r = check_rows(&v);
	if (r == 0)
		r = prove_keys(&v);
	free(v.plain);
	if (r != 0 || report->bad == 0)
		return r;
	return kms_fail(KMS_ERR_DAMAGED,
	    "%s: %llu bad, the first %s; restore "
	    "a backup",
	    s->path, (unsigned long long)report->bad, v.first_bad);
}
