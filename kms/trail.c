#include "kms/trail.h"

#include <stdlib.h>
#include <string.h>

#include "kms/directory.h"
#include "kms/load.h"
#include "kms/logbook.h"

/* Changes read in one view: few enough to keep nobody from committing. */
#define BATCH 64u

struct change {
	uint64_t generation;
	struct kms_audit audit;
};

struct walk {
	struct kms_store *store;
	const struct kms_actor *actor;
	const struct kms_trail_filter *filter;
	int (*each)(void *, const struct kms_trail_entry *);
	void *ctx;
	struct kms_trail_report *report;
	struct kms_release_log *log;
	struct kms_naming *names;
	/* Rows never vanish and new ones come last, so a place among them
	 * holds from one transaction to the next. */
	size_t at;
	struct change *change; /* BATCH of them */
	size_t n, next;
	bool last; /* no more behind these */
};

/* --- what is shown ----------------------------------------------------- */

static bool
is_wanted(const struct kms_trail_filter *f, const struct kms_trail_entry *e)
{
	if (f->since != 0 && e->time < f->since)
		return false;
	if (f->until != 0 && e->time >= f->until)
		return false;
	if (f->tag != NULL &&
	    (e->tag->len == 0 || !kms_tag_equal(f->tag, e->tag)))
		return false;
	return f->actor == NULL || strcmp(f->actor, e->who->name) == 0 ||
	    strcmp(f->actor, e->who->sudo_user) == 0;
}

static int
show_change(struct walk *w, const struct change *c)
{
	const struct kms_trail_entry e = {.generation = c->generation,
	    .time = c->audit.time,
	    .who = &c->audit.who,
	    .tag = &c->audit.tag,
	    .group = c->audit.group,
	    .name = c->audit.subject,
	    .change = &c->audit};

	w->report->changes++;
	if (w->each == NULL || !is_wanted(w->filter, &e))
		return 0;
	return w->each(w->ctx, &e);
}

static int
show_release(struct walk *w, const struct kms_release_entry *release)
{
	struct kms_trail_entry e = {.generation = release->generation,
	    .time = release->time,
	    .who = &release->who,
	    .tag = &release->tag,
	    .release = release};
	struct kms_name_of name;
	int r;

	w->report->releases++;
	if (w->each == NULL || !is_wanted(w->filter, &e))
		return 0;
	r = kms_naming_find(w->names, &release->tag, &name);
	if (r != 0)
		return r;
	e.group = name.group;
	e.name = name.key;
	return w->each(w->ctx, &e);
}

/* --- changes ----------------------------------------------------------- */

static int
read_change(struct walk *w, struct kms_tx *tx, uint64_t id)
{
	struct change *c = &w->change[w->n];
	struct kms_record record;
	int r;

	r = kms_tx_get(tx, id, &record);
	if (r != 0)
		return r;
	c->generation = record.generation;
	c->audit = record.u.audit;
	kms_record_clear(&record);
	w->n++;
	return 0;
}

static int
read_batch(struct walk *w)
{
	const struct kms_directory_row *row = NULL;
	struct kms_tx *tx = NULL;
	int r;

	w->n = w->next = 0;
	r = kms_tx_begin(w->store, w->actor, KMS_READ, &tx);
	while (r == 0 && w->n < BATCH) {
		row = kms_directory_next(kms_tx_directory(tx), KMS_KIND_AUDIT,
		    &w->at);
		w->last = row == NULL ||
		    row->generation > w->report->generation;
		if (w->last)
			break;
		r = read_change(w, tx, row->id);
	}
	kms_tx_abort(&tx);
	return r;
}

/* All changes up to a generation, that one included. */
static int
show_changes(struct walk *w, uint64_t generation)
{
	int r = 0;

	while (r == 0) {
		if (w->next == w->n && !w->last)
			r = read_batch(w);
		if (r != 0 || w->next == w->n ||
		    w->change[w->next].generation > generation)
			break;
		r = show_change(w, &w->change[w->next++]);
	}
	return r;
}

/* --- releases ---------------------------------------------------------- */

static int
on_release(void *arg, const struct kms_release_entry *e)
{
	struct walk *w = arg;
	int r;

	r = show_changes(w, e->generation);
	return r == 0 ? show_release(w, e) : r;
}

static int
count_lost(struct walk *w, struct kms_tx *tx)
{
	const struct kms_directory *dir = kms_tx_directory(tx);
	const struct kms_directory_row *row;
	struct kms_record record;
	size_t at = 0;
	int r = 0;

	while (r == 0 &&
	    (row = kms_directory_next(dir, KMS_KIND_FACT, &at)) != NULL) {
		r = kms_tx_get(tx, row->id, &record);
		if (r == 0 && record.u.fact.type == KMS_FACT_LOG_RESTART &&
		    record.u.fact.len == KMS_LOG_RESTART_LEN) {
			w->report->lost_logs++;
			w->report
			    ->lost_records += kms_get64(record.u.fact.bytes +
			    16);
		}
		kms_record_clear(&record);
	}
	return r;
}

/* Where the walk ends, and a reader of the log that the root of now names. */
static int
begin(struct walk *w)
{
	struct kms_trail_report *report = w->report;
	struct kms_tx *tx = NULL;
	int r;

	r = kms_tx_begin(w->store, w->actor, KMS_READ, &tx);
	if (r != 0)
		return r;
	report->generation = w->store->root.generation;
	report->proven = w->store->root.log.seq;
	report->proven_time = w->store->root.time;
	r = count_lost(w, tx);
	if (r == 0)
		r = kms_logbook_reader(w->store, &w->log, &report->log);
	kms_tx_abort(&tx);
	return r;
}

/* How much a cut took, where that can be told. */
static int
explain(const struct kms_trail_report *report, int r)
{
	char until[KMS_TIME_TEXT];

	if (r != KMS_ERR_DAMAGED || report->log.state != KMS_RELEASE_LOG_SHORT)
		return r;
	kms_time_text(report->proven_time, until);
	return kms_fail_add(r,
	    "the last %llu of the %llu releases up to generation %llu (%s) are "
	    "gone, and what was released after that cannot be told",
	    (unsigned long long)(report->proven - report->log.seq),
	    (unsigned long long)report->proven,
	    (unsigned long long)report->generation, until);
}

int
kms_trail_walk(struct kms_store *s, const struct kms_actor *actor,
    const struct kms_trail_filter *filter,
    int (*each)(void *, const struct kms_trail_entry *), void *ctx,
    struct kms_trail_report *report)
{
	struct walk w = {.store = s,
	    .actor = actor,
	    .filter = filter,
	    .each = each,
	    .ctx = ctx,
	    .report = report};
	int r;

	memset(report, 0, sizeof(*report));
	w.change = calloc(BATCH, sizeof(w.change[0]));
	if (w.change == NULL)
		return kms_fail(KMS_ERR_MEMORY, "audit: out of memory");
	r = kms_naming_new(s, actor, &w.names);
	if (r == 0)
		r = begin(&w);
	if (r == 0)
		r = kms_release_log_scan(w.log, on_release, &w, &report->log);
	if (r == 0)
		r = show_changes(&w, UINT64_MAX);
	r = explain(report, r);
	kms_release_log_close(&w.log);
	kms_naming_free(&w.names);
	free(w.change);
	return r;
}
