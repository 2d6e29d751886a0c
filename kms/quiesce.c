#include "kms/quiesce.h"

#include <stdlib.h>
#include <string.h>

#include "kms/hold.h"
#include "kms/store_impl.h"

/* The row's record and what it says; an empty list where there is no row. */
static int
get(struct kms_tx *tx, struct kms_record *record, struct kms_holds *holds)
{
	uint64_t id = kms_tx_store(tx)->holds_id;
	int r;

	*record = (struct kms_record){.kind = KMS_KIND_FACT,
	    .u.fact.type = KMS_FACT_HOLDS};
	*holds = (struct kms_holds){0};
	if (id != 0) {
		r = kms_tx_get(tx, id, record);
		return r == 0 ? kms_holds_decode(holds, &record->u.fact) : r;
	}
	holds->hold = calloc(KMS_HOLDS_MAX, sizeof(*holds->hold));
	if (holds->hold == NULL)
		return kms_fail(KMS_ERR_MEMORY, "quiesce: out of memory");
	return 0;
}

static int
put(struct kms_tx *tx, struct kms_record *record, const struct kms_holds *holds)
{
	struct kms_record fresh = {.id = record->id,
	    .kind = KMS_KIND_FACT,
	    .u.fact.type = KMS_FACT_HOLDS};
	struct kms_wr wr;
	int r;

	kms_wr_grow(&wr, KMS_HOLDS_MAX * sizeof(struct kms_hold));
	r = kms_holds_encode(holds, &wr);
	fresh.u.fact.bytes = wr.p; /* borrowed */
	fresh.u.fact.len = wr.len;
	if (r == 0)
		r = kms_tx_put(tx, &fresh);
	kms_wr_free(&wr);
	return r;
}

static void
drop(struct kms_holds *holds, size_t i)
{
	holds->n--;
	memmove(&holds->hold[i], &holds->hold[i + 1],
	    (holds->n - i) * sizeof(*holds->hold));
}

/* Expired ones stay until they are taken back, to tell their owner so; when
 * the list is full the oldest of them goes. */
static int
make_room(struct kms_holds *holds, int64_t now)
{
	size_t i;

	if (holds->n < KMS_HOLDS_MAX)
		return 0;
	for (i = 0; i < holds->n; i++) {
		if (!kms_hold_expired(&holds->hold[i], now))
			continue;
		drop(holds, i);
		return 0;
	}
	return kms_fail(KMS_ERR_LIMIT,
	    "quiesced %u times over; end some with -unquiescedb",
	    KMS_HOLDS_MAX);
}

int
kms_quiesce_add(struct kms_tx *tx, const char *owner, int64_t lasts,
    size_t *outstanding)
{
	const struct kms_step step = {.event = KMS_EVENT_QUIESCE,
	    .subject = owner};
	int64_t now = kms_tx_time(tx);
	struct kms_record record;
	struct kms_holds holds;
	struct kms_hold *h;
	int r;

	if (owner != NULL) {
		r = kms_name_check("owner", owner);
		if (r != 0)
			return r;
	}
	r = get(tx, &record, &holds);
	if (r == 0)
		r = make_room(&holds, now);
	if (r == 0)
		r = kms_tx_step(tx, &step);
	if (r != 0)
		goto out;
	h = &holds.hold[holds.n++];
	*h = (struct kms_hold){.since = now,
	    .expires = lasts == 0 ? 0 : now + lasts};
	if (owner != NULL)
		memcpy(h->owner, owner, strlen(owner) + 1);
	memcpy(h->who, kms_tx_actor(tx)->who.name, sizeof(h->who));
	r = put(tx, &record, &holds);
	*outstanding = kms_holds_outstanding(&holds, now, NULL);
out:
	kms_holds_clear(&holds);
	kms_record_clear(&record);
	return r;
}

static bool
find_newest(const struct kms_holds *holds, const char *owner, size_t *at)
{
	size_t i;

	for (i = holds->n; i > 0; i--) {
		if (owner != NULL && strcmp(holds->hold[i - 1].owner, owner))
			continue;
		*at = i - 1;
		return true;
	}
	return false;
}

static int
nothing_to_remove(const struct kms_holds *holds, const char *owner)
{
	return kms_fail(KMS_ERR_STATE, "store is not quiesced%s%s; %s",
	    owner == NULL ? "" : " by ", owner == NULL ? "" : owner,
	    holds->n == 0 ? "nothing is to be taken back"
			  : "others hold it: without -owner their newest hold "
			    "is taken back");
}

int
kms_quiesce_remove(struct kms_tx *tx, const char *owner, bool *expired,
    size_t *outstanding)
{
	const struct kms_step step = {.event = KMS_EVENT_UNQUIESCE,
	    .subject = owner};
	int64_t now = kms_tx_time(tx);
	struct kms_record record;
	struct kms_holds holds;
	size_t at = 0;
	int r;

	*expired = false;
	r = get(tx, &record, &holds);
	if (r == 0 && !find_newest(&holds, owner, &at))
		r = nothing_to_remove(&holds, owner);
	if (r == 0)
		r = kms_tx_step(tx, &step);
	if (r == 0) {
		*expired = kms_hold_expired(&holds.hold[at], now);
		drop(&holds, at);
		r = put(tx, &record, &holds);
		*outstanding = kms_holds_outstanding(&holds, now, NULL);
	}
	kms_holds_clear(&holds);
	kms_record_clear(&record);
	return r;
}

int
kms_quiesce_clear(struct kms_tx *tx)
{
	struct kms_record record;
	struct kms_holds holds;
	int r;

	r = get(tx, &record, &holds);
	if (r == 0 && holds.n > 0) {
		holds.n = 0;
		r = put(tx, &record, &holds);
	}
	kms_holds_clear(&holds);
	kms_record_clear(&record);
	return r;
}

int
kms_quiesce_count(struct kms_tx *tx, size_t *outstanding)
{
	struct kms_record record;
	struct kms_holds holds;
	int r;

	*outstanding = 0;
	r = get(tx, &record, &holds);
	if (r == 0)
		*outstanding = kms_holds_outstanding(&holds, kms_tx_time(tx),
		    NULL);
	kms_holds_clear(&holds);
	kms_record_clear(&record);
	return r;
}
