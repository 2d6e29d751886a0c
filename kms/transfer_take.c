/* Keys leave the store for a container, many at once. */
#include <stdio.h>
#include <string.h>

#include "kms/base/thread.h"
#include "kms/release.h"
#include "kms/transfer_impl.h"

#define LANES 16u

struct taking {
	struct kms_store *s;
	const struct kms_actor *actor;
	const struct kms_transfer_chosen *chosen;
	struct kms_container_entry *entry;
	size_t n;

	pthread_mutex_t lock;
	/* by lock */
	size_t next;
	int r; /* the first error, and its cause */
	char cause[512];
};

/* --- one key --------------------------------------------------------------- */

static void
fill_key(struct kms_container_entry *e, struct kms_key *k)
{
	memcpy(e->name, k->name, sizeof(e->name));
	memcpy(e->description, k->description, sizeof(e->description));
	e->tag = k->tag;
	e->origin = k->origin;
	e->state = k->state;
	e->created = k->created;
	e->activated = k->activated;
	e->deactivated = k->deactivated;
	e->attrs = k->attrs; /* moved */
	e->attrs_len = k->attrs_len;
	k->attrs = NULL;
	k->attrs_len = 0;
}

static int
fill_group(struct kms_tx *tx, uint64_t id, struct kms_container_entry *e)
{
	struct kms_record record;
	int r;

	r = kms_tx_get(tx, id, &record);
	if (r == 0) {
		memcpy(e->group, record.u.group.name, sizeof(e->group));
		memcpy(e->group_description, record.u.group.description,
		    sizeof(e->group_description));
	}
	kms_record_clear(&record);
	return r;
}

/* As the key is called and stands now: others may have changed it since it
 * was chosen. */
static int
describe(struct taking *t, const struct kms_transfer_chosen *c,
    struct kms_container_entry *e)
{
	struct kms_record record = {0};
	struct kms_tx *tx = NULL;
	int r;

	r = kms_tx_begin(t->s, t->actor, KMS_READ, &tx);
	if (r == 0)
		r = kms_tx_get(tx, c->id, &record);
	if (r == 0 && record.kind != KMS_KIND_KEY)
		r = kms_fail(KMS_ERR_BUSY,
		    "a key was deleted while it was to be exported; try again");
	if (r == 0)
		r = fill_group(tx, record.u.key.group, e);
	if (r == 0)
		fill_key(e, &record.u.key);
	kms_record_clear(&record);
	kms_tx_abort(&tx);
	return r;
}

static int
take_one(struct taking *t, size_t i)
{
	static const struct kms_purpose purpose = {.use = KMS_USE_EXPORT};
	const struct kms_transfer_chosen *c = &t->chosen[i];
	int r;

	r = describe(t, c, &t->entry[i]);
	if (r == 0)
		r = kms_release(t->s, t->actor, &c->tag, &purpose,
		    &t->entry[i].key);
	return r;
}

/* --- and the others -------------------------------------------------------- */

static bool
next_one(struct taking *t, size_t *i)
{
	bool more;

	pthread_mutex_lock(&t->lock);
	more = t->r == 0 && t->next < t->n;
	*i = more ? t->next++ : 0;
	pthread_mutex_unlock(&t->lock);
	return more;
}

/* The cause is recorded by thread, and must get out of this one. */
static void
note_failed(struct taking *t, int r)
{
	pthread_mutex_lock(&t->lock);
	if (t->r == 0) {
		t->r = r;
		snprintf(t->cause, sizeof(t->cause), "%s", kms_err_cause(r));
	}
	pthread_mutex_unlock(&t->lock);
}

static void *
take(void *arg)
{
	struct taking *t = arg;
	size_t i;
	int r;

	while (next_one(t, &i)) {
		r = take_one(t, i);
		if (r != 0)
			note_failed(t, r);
	}
	return NULL;
}

/* As many others as there can be; the caller is one more lane, so that it
 * goes on without any. */
static size_t
start_lanes(struct taking *t, pthread_t lane[LANES])
{
	size_t most = t->n < LANES ? t->n : LANES, n = 0;

	while (n + 1 < most && kms_thread_start(&lane[n], take, t) == 0)
		n++;
	return n;
}

int
kms_transfer_take(struct kms_store *s, const struct kms_actor *actor,
    const struct kms_transfer_chosen *chosen, struct kms_container_entry *entry,
    size_t n)
{
	struct taking t = {.s = s,
	    .actor = actor,
	    .chosen = chosen,
	    .entry = entry,
	    .n = n};
	pthread_t lane[LANES];
	size_t lanes;

	(void)pthread_mutex_init(&t.lock, NULL);
	lanes = start_lanes(&t, lane);
	(void)take(&t);
	while (lanes > 0)
		(void)pthread_join(lane[--lanes], NULL);
	(void)pthread_mutex_destroy(&t.lock);
	return t.r == 0 ? 0 : kms_fail(t.r, "%s", t.cause);
}
