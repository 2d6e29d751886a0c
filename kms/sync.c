#include "kms/sync.h"

#include <stdlib.h>
#include <string.h>

#include "kms/age.h"
#include "kms/load.h"

/* A view older than this is not joined: its readers end, then the file is
 * free for a moment, so that readers of one process who follow each other
 * closely do not keep another process from committing. */
#define VIEW_JOIN_MS 100

static int
busy(const struct kms_store *s)
{
	return kms_fail(KMS_ERR_BUSY,
	    "%s: in use by others for over %u ms; try again", s->path,
	    s->wait_ms);
}

static int
lock_shared(struct kms_store *s, int64_t deadline)
{
	return kms_latch_share(&s->lock, deadline) ? 0 : busy(s);
}

static int
lock_alone(struct kms_store *s, int64_t deadline)
{
	return kms_latch_alone(&s->lock, deadline) ? 0 : busy(s);
}

/* --- catching up ------------------------------------------------------ */

struct catching {
	struct kms_store *s;
	const struct kms_root *root;
	uint8_t *plain;
};

static int
put_newer(struct kms_store *s, const struct kms_row *row,
    struct kms_record *record)
{
	const struct kms_directory_row *old;
	int r = 0;

	old = kms_directory_by_id(s->dir, row->id);
	if (old != NULL)
		r = kms_sum_remove(s->sum, old->kind, old->id, old->generation,
		    old->gcm);
	if (r == 0)
		r = kms_directory_put(s->dir, row, record, NULL);
	if (r == 0)
		r = kms_sum_add(s->sum, row->kind, row->id, row->generation,
		    kms_seal_tag(row));
	if (r == 0 && record != NULL)
		r = kms_load_note(s, record);
	return r;
}

static int
newer_row(void *arg, const struct kms_row *row)
{
	struct catching *c = arg;
	struct kms_record record = {0};
	size_t len = 0;
	int r;

	if (row->id == KMS_ROOT_ID)
		return 0;
	if (row->id >= c->root->next_id || row->len > KMS_SEALED_MAX ||
	    row->generation > c->root->generation || kms_seal_tag(row) == NULL)
		return kms_fail(KMS_ERR_DAMAGED, "row %llu: not the root's",
		    (unsigned long long)row->id);
	r = kms_seal_open(c->s->seal, row, c->plain, &len);
	if (r == 0 && kms_load_wants(row->kind)) {
		r = kms_record_decode(&record, row->kind, c->plain, len);
		record.id = row->id;
		record.generation = row->generation;
		if (r == 0)
			r = put_newer(c->s, row, &record);
		kms_record_clear(&record);
	} else if (r == 0) {
		r = put_newer(c->s, row, NULL);
		if (r == 0 && row->kind == KMS_KIND_AUDIT)
			kms_load_note_audit(c->s, row->id, c->plain, len);
	}
	kms_wipe(c->plain, len);
	return r;
}

static int
take_newer_rows(struct kms_store *s, const struct kms_root *root)
{
	struct catching c = {.s = s, .root = root};
	int r;

	c.plain = malloc(KMS_SEALED_MAX);
	if (c.plain == NULL)
		return kms_fail(KMS_ERR_MEMORY, "store: out of memory");
	r = kms_rows_scan(s->rows, s->root.generation, newer_row, &c);
	free(c.plain);
	if (r == 0)
		r = kms_load_compare(s, root);
	return r;
}

/* Others wrote. The rows above our generation bring memory up to theirs when
 * the sum then equals their root's; in every other case (same generation, a
 * new header, a row out of order) all is verified anew. */
static int
catch_up(struct kms_store *s)
{
	struct kms_root root = {0};
	uint8_t gcm[16];
	bool same_header = false;
	int r;

	s->trust = KMS_STORE_UNKNOWN;
	r = kms_load_root(s, &root, gcm);
	if (r == 0)
		r = kms_load_follows(s, &root);
	if (r != 0 && r != KMS_ERR_DAMAGED)
		goto out;
	same_header = r == 0 &&
	    kms_equal(root.header_sha256, s->root.header_sha256, 32);
	if (same_header && root.generation > s->root.generation &&
	    take_newer_rows(s, &root) == 0)
		r = kms_load_take_root(s, &root, gcm);
	else
		r = same_header ? kms_load_rows(s) : kms_load_all(s);
	if (r == 0)
		r = kms_rows_seen(s->rows);
	if (r == 0)
		s->trust = KMS_STORE_LOADED;
out:
	kms_root_clear(&root);
	return r;
}

/* While the view is open nobody commits, so the anchor read in it cannot be
 * a newer one than the file's, unless the file is an older one. */
static int
load_view(struct kms_store *s)
{
	int r;

	r = kms_rows_begin_read(s->rows);
	if (r != 0)
		return r;
	r = kms_load_all(s);
	if (r == 0)
		r = kms_age_compare(s, &s->root);
	if (r == 0 && !s->readonly && !s->any_age)
		r = kms_anchor_check(s->verdict, &s->anchor, &s->root);
	if (r == 0)
		r = kms_rows_seen(s->rows);
	kms_rows_end(s->rows);
	return r;
}

int
kms_sync_reload(struct kms_store *s)
{
	int r;

	pthread_mutex_lock(&s->io);
	s->trust = KMS_STORE_UNKNOWN;
	r = kms_load_connect(s);
	if (r == 0)
		r = load_view(s);
	if (r == 0)
		s->trust = KMS_STORE_LOADED;
	pthread_mutex_unlock(&s->io);
	return r;
}

/* A connection that failed is not used again: the next who comes opens the
 * file anew, so that a service outlives a disk that was away. */
static int
doubt(struct kms_store *s, int r)
{
	if (r == KMS_ERR_IO)
		s->trust = KMS_STORE_UNKNOWN;
	return r;
}

/* Has anybody else written, or put another file in its place? */
static int
look(struct kms_store *s)
{
	bool changed = false;
	int r;

	if (s->trust == KMS_STORE_LOADED && kms_load_moved(s))
		s->trust = KMS_STORE_UNKNOWN;
	if (s->trust != KMS_STORE_LOADED)
		return 0;
	r = kms_rows_changed(s->rows, &changed);
	if (r == 0 && changed)
		s->trust = KMS_STORE_BEHIND;
	return doubt(s, r);
}

static int
refresh_alone(struct kms_store *s)
{
	int r;

	if (s->trust == KMS_STORE_LOADED)
		return 0;
	if (s->trust == KMS_STORE_UNKNOWN)
		return kms_sync_reload(s);
	pthread_mutex_lock(&s->io);
	r = kms_rows_begin_read(s->rows);
	if (r == 0) {
		r = catch_up(s);
		kms_rows_end(s->rows);
	}
	pthread_mutex_unlock(&s->io);
	return r;
}

static int
refresh(struct kms_store *s, int64_t deadline)
{
	int r;

	r = lock_alone(s, deadline);
	if (r != 0)
		return r;
	r = refresh_alone(s);
	kms_latch_leave(&s->lock);
	return r;
}

int
kms_sync_doubt(struct kms_store *s)
{
	int r;

	r = lock_alone(s, kms_latch_now() + s->wait_ms);
	if (r != 0)
		return r;
	s->trust = KMS_STORE_UNKNOWN;
	kms_latch_leave(&s->lock);
	return 0;
}

/* --- readers ---------------------------------------------------------- */

static int
view_begin(struct kms_store *s, int64_t deadline)
{
	const struct timespec t = kms_latch_at(deadline);
	int r;

	while (s->viewers > 0 &&
	    kms_latch_now() - s->view_since > VIEW_JOIN_MS) {
		if (pthread_cond_timedwait(&s->view_over, &s->io, &t) != 0 &&
		    kms_latch_now() >= deadline)
			return busy(s);
	}
	if (s->viewers == 0) {
		r = doubt(s, kms_rows_begin_read(s->rows));
		if (r != 0)
			return r;
		s->view_since = kms_latch_now();
	}
	s->viewers++;
	return 0;
}

static void
view_end(struct kms_store *s)
{
	if (--s->viewers > 0)
		return;
	kms_rows_end(s->rows);
	pthread_cond_broadcast(&s->view_over);
}

/* With the lock shared: true in *current when memory may be answered from;
 * the view, if wanted, is then open. */
static int
try_enter(struct kms_store *s, bool view, int64_t deadline, bool *current)
{
	int r = 0;

	*current = false;
	pthread_mutex_lock(&s->io);
	if (s->trust == KMS_STORE_LOADED) {
		if (view)
			r = view_begin(s, deadline);
		if (r == 0) {
			r = look(s);
			*current = r == 0 && s->trust == KMS_STORE_LOADED;
			if (view && !*current)
				view_end(s);
		}
	}
	pthread_mutex_unlock(&s->io);
	return r;
}

int
kms_sync_enter(struct kms_store *s, bool view)
{
	int64_t deadline = kms_latch_now() + s->wait_ms;
	bool current;
	int r;

	for (;;) {
		r = lock_shared(s, deadline);
		if (r != 0)
			return r;
		r = try_enter(s, view, deadline, &current);
		if (current)
			return 0;
		kms_latch_leave(&s->lock);
		if (r == 0)
			r = refresh(s, deadline);
		if (r != 0 &&
		    (r != KMS_ERR_BUSY || kms_latch_now() >= deadline))
			return r;
	}
}

bool
kms_sync_is_current(struct kms_store *s)
{
	bool current;

	pthread_mutex_lock(&s->io);
	current = look(s) == 0 && s->trust == KMS_STORE_LOADED;
	pthread_mutex_unlock(&s->io);
	return current;
}

void
kms_sync_leave(struct kms_store *s, bool view)
{
	if (view) {
		pthread_mutex_lock(&s->io);
		view_end(s);
		pthread_mutex_unlock(&s->io);
	}
	kms_latch_leave(&s->lock);
}

/* --- one writer ------------------------------------------------------- */

static int
try_enter_write(struct kms_store *s)
{
	int r;

	r = look(s);
	if (r == 0)
		r = refresh_alone(s);
	if (r == 0)
		r = doubt(s, kms_rows_begin_write(s->rows));
	if (r != 0)
		return r;
	r = look(s); /* again: between the two another may have committed */
	if (r == 0 && s->trust == KMS_STORE_BEHIND) {
		pthread_mutex_lock(&s->io);
		r = catch_up(s);
		pthread_mutex_unlock(&s->io);
	} else if (r == 0 && s->trust == KMS_STORE_UNKNOWN)
		r = busy(s);
	if (r != 0)
		kms_rows_end(s->rows);
	return r;
}

int
kms_sync_enter_write(struct kms_store *s)
{
	int64_t deadline = kms_latch_now() + s->wait_ms;
	int r;

	if (s->readonly)
		return kms_fail(KMS_ERR_STATE, "%s: opened for reading only",
		    s->path);
	do {
		r = lock_alone(s, deadline);
		if (r != 0)
			return r;
		r = s->disk_failed
		    ? kms_fail(KMS_ERR_IO,
			  "%s: the disk reported an error earlier; this "
			  "process changes nothing any more: mend the "
			  "disk, start again",
			  s->path)
		    : try_enter_write(s);
		if (r == 0)
			return 0;
		kms_latch_leave(&s->lock);
	} while (r == KMS_ERR_BUSY && kms_latch_now() < deadline);
	return r;
}

void
kms_sync_leave_write(struct kms_store *s)
{
	kms_rows_end(s->rows);
	kms_latch_leave(&s->lock);
}

int
kms_sync_read(struct kms_store *s, const struct kms_directory_row *known,
    struct kms_record *record)
{
	uint8_t *plain = NULL;
	struct kms_row row;
	size_t len = 0, cap = 0;
	int r;

	pthread_mutex_lock(&s->io);
	r = kms_rows_get(s->rows, known->id, &row);
	if (r == 0 &&
	    (row.kind != known->kind || row.generation != known->generation ||
		kms_seal_tag(&row) == NULL ||
		!kms_equal(kms_seal_tag(&row), known->gcm, sizeof(known->gcm))))
		r = kms_fail(KMS_ERR_DAMAGED, "not the row that was verified");
	if (r == 0) {
		cap = row.len;
		plain = malloc(cap);
		if (plain == NULL)
			r = kms_fail(KMS_ERR_MEMORY, "out of memory");
		else
			r = kms_seal_open(s->seal, &row, plain, &len);
	}
	pthread_mutex_unlock(&s->io);
	if (r == 0)
		r = kms_record_decode(record, known->kind, plain, len);
	if (r == 0) {
		record->id = known->id;
		record->generation = known->generation;
	} else {
		r = kms_fail_add(r == KMS_ERR_NOTFOUND ? KMS_ERR_DAMAGED : r,
		    "%s: row %llu", s->path, (unsigned long long)known->id);
	}
	if (plain != NULL)
		kms_wipe(plain, cap);
	free(plain);
	return r;
}
