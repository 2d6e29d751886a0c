#include "kms/intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kms/base/thread.h"

#define BATCHES 4u
#define BATCH_ROWS 4096u
#define BATCH_BYTES KMS_SEALED_MAX /* the longest row fits in an empty one */

struct batch {
	struct kms_row row[BATCH_ROWS];
	size_t len[BATCH_ROWS]; /* of its plaintext, at row.sealed */
	size_t n, used, most;   /* most: ever used, to be wiped */
	uint8_t bytes[BATCH_BYTES];
};

/*
 * A ring: batches filled and not yet taken are those from `taken` up to
 * `filled`. A batch is the filler's until filled passes it, then the taker's
 * until taken does.
 */
struct intake {
	struct kms_rows *rows;
	struct kms_seal *seal;
	kms_intake_take *take;
	void *arg;
	struct batch *batch[BATCHES]; /* one when not apart */

	bool apart;
	pthread_t taker;
	pthread_mutex_t lock; /* over all below */
	pthread_cond_t moved;
	size_t filled, taken;
	bool ended;      /* no more will be filled */
	int error;       /* of the taker, and its cause */
	char cause[512]; /* causes are a thread's own */
};

/* --- taking in --------------------------------------------------------- */

static int
take_batch(struct intake *in, struct batch *b)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < b->n; i++)
		r = in->take(in->arg, &b->row[i], b->row[i].sealed, b->len[i]);
	b->n = b->used = 0;
	return r;
}

/* The next one to take; NULL when there will be none. */
static struct batch *
next_filled(struct intake *in)
{
	struct batch *b = NULL;

	pthread_mutex_lock(&in->lock);
	while (in->taken == in->filled && !in->ended)
		pthread_cond_wait(&in->moved, &in->lock);
	if (in->taken != in->filled)
		b = in->batch[in->taken % BATCHES];
	pthread_mutex_unlock(&in->lock);
	return b;
}

static void
give_back(struct intake *in, int r)
{
	pthread_mutex_lock(&in->lock);
	in->taken++;
	if (r != 0) {
		in->error = r;
		snprintf(in->cause, sizeof(in->cause), "%s", kms_err_cause(r));
	}
	pthread_cond_signal(&in->moved);
	pthread_mutex_unlock(&in->lock);
}

static void *
take_all(void *arg)
{
	struct intake *in = arg;
	struct batch *b;
	int r = 0;

	while (r == 0 && (b = next_filled(in)) != NULL) {
		r = take_batch(in, b);
		give_back(in, r);
	}
	return NULL;
}

/* --- filling ----------------------------------------------------------- */

/* Waits until the batch to fill next is the filler's. The taker's error. */
static int
hand_over(struct intake *in)
{
	int r;

	if (!in->apart)
		return take_batch(in, in->batch[0]);
	pthread_mutex_lock(&in->lock);
	in->filled++;
	pthread_cond_signal(&in->moved);
	while (in->filled - in->taken == BATCHES && in->error == 0)
		pthread_cond_wait(&in->moved, &in->lock);
	r = in->error;
	pthread_mutex_unlock(&in->lock);
	return r;
}

static int
fill(void *arg, const struct kms_row *row)
{
	struct intake *in = arg;
	struct batch *b = in->batch[in->filled % BATCHES];
	uint8_t *to;
	int r = 0;

	if (row->id == KMS_ROOT_ID)
		return 0;
	if (row->len > KMS_SEALED_MAX || kms_seal_tag(row) == NULL)
		return kms_fail(KMS_ERR_DAMAGED, "%s: row %llu: %zu bytes",
		    kms_rows_path(in->rows), (unsigned long long)row->id,
		    row->len);
	if (b->n == BATCH_ROWS || row->len > BATCH_BYTES - b->used)
		r = hand_over(in);
	if (r != 0)
		return r;
	b = in->batch[in->filled % BATCHES];
	to = b->bytes + b->used;
	r = kms_seal_open(in->seal, row, to, &b->len[b->n]);
	b->used += row->len;
	if (b->used > b->most)
		b->most = b->used;
	if (r != 0)
		return kms_fail_add(r, "%s", kms_rows_path(in->rows));
	/* The seal's tag where it was, behind its shorter plaintext. */
	memcpy(to + row->len - KMS_GCM_TAG, kms_seal_tag(row), KMS_GCM_TAG);
	b->row[b->n] = *row;
	b->row[b->n++].sealed = to;
	return 0;
}

/* --- both -------------------------------------------------------------- */

static int
start(struct intake *in, bool apart)
{
	size_t i, n = apart ? BATCHES : 1;

	for (i = 0; i < n; i++) {
		in->batch[i] = calloc(1, sizeof(*in->batch[i]));
		if (in->batch[i] == NULL)
			return kms_fail(KMS_ERR_MEMORY, "rows: out of memory");
	}
	if (!apart)
		return 0;
	in->apart = kms_thread_start(&in->taker, take_all, in) == 0;
	return 0;
}

/* What is filled is taken still, whatever became of the scan: an error in it
 * is of an earlier row. */
static int
finish(struct intake *in, int r)
{
	struct batch *last = in->batch[in->filled % BATCHES];
	int earlier;

	if (!in->apart) {
		earlier = take_batch(in, last);
		return earlier == 0 ? r : earlier;
	}
	pthread_mutex_lock(&in->lock);
	if (in->error == 0)
		in->filled++;
	in->ended = true;
	pthread_cond_signal(&in->moved);
	pthread_mutex_unlock(&in->lock);
	(void)pthread_join(in->taker, NULL);
	earlier = in->error;
	return earlier == 0 ? r : kms_fail(earlier, "%s", in->cause);
}

static void
drop(struct intake *in)
{
	size_t i;

	for (i = 0; i < BATCHES; i++) {
		if (in->batch[i] != NULL)
			kms_wipe(in->batch[i]->bytes, in->batch[i]->most);
		free(in->batch[i]);
	}
	pthread_cond_destroy(&in->moved);
	pthread_mutex_destroy(&in->lock);
	free(in);
}

int
kms_intake_rows(struct kms_rows *rows, struct kms_seal *seal, bool apart,
    kms_intake_take *take, void *arg)
{
	struct intake *in = calloc(1, sizeof(*in));
	int r;

	if (in == NULL)
		return kms_fail(KMS_ERR_MEMORY, "rows: out of memory");
	in->rows = rows;
	in->seal = seal;
	in->take = take;
	in->arg = arg;
	(void)pthread_mutex_init(&in->lock, NULL);
	(void)pthread_cond_init(&in->moved, NULL);
	r = start(in, apart);
	if (r == 0) {
		r = kms_rows_scan(rows, 0, fill, in);
		r = finish(in, r);
	}
	drop(in);
	return r;
}
