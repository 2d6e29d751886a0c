#include "kms/table.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kms/bulk.h"

#define ENTRIES_MAX (UINT32_C(1) << 30)

/* index + 1, so that zeroed memory is an empty table */
struct kms_table_slot {
	uint32_t hash, index1;
};

static void
place(struct kms_table *t, struct kms_table_slot s)
{
	uint32_t at = s.hash & t->mask;

	while (t->slot[at].index1 != 0)
		at = (at + 1) & t->mask;
	t->slot[at] = s;
}

/* A quarter stays free: short chains, and a walk always meets a gap. */
int
kms_table_reserve(struct kms_table *t, size_t n)
{
	struct kms_table old = *t;
	struct kms_table_slot *slot;
	uint32_t i, size = 8;

	if (n > ENTRIES_MAX)
		return kms_fail(KMS_ERR_LIMIT, "table of %zu entries", n);
	if (t->slot != NULL && n <= (t->mask + 1) / 4 * 3)
		return 0;
	while (size / 4 * 3 < n)
		size *= 2;
	slot = kms_bulk_grow(NULL, 0, size, sizeof(*slot));
	if (slot == NULL)
		return kms_fail(KMS_ERR_MEMORY, "table: out of memory");
	memset(slot, 0, size * sizeof(*slot));
	t->slot = slot;
	t->mask = size - 1;
	for (i = 0; old.slot != NULL && i <= old.mask; i++)
		if (old.slot[i].index1 != 0)
			place(t, old.slot[i]);
	free(old.slot);
	return 0;
}

void
kms_table_free(struct kms_table *t)
{
	free(t->slot);
	*t = (struct kms_table){0};
}

void
kms_table_insert(struct kms_table *t, uint32_t hash, uint32_t index)
{
	assert(t->slot != NULL && t->used < (t->mask + 1) / 4 * 3);
	place(t, (struct kms_table_slot){hash, index + 1});
	t->used++;
}

/* Is at within the stretch from..to of a ring? */
static bool
between(uint32_t from, uint32_t at, uint32_t to)
{
	return from <= to ? from <= at && at <= to : from <= at || at <= to;
}

/* Closes the gap: what follows moves up unless it would pass its home. */
static void
close_gap(struct kms_table *t, uint32_t gap)
{
	uint32_t at = gap;

	for (;;) {
		at = (at + 1) & t->mask;
		if (t->slot[at].index1 == 0)
			break;
		if (between((gap + 1) & t->mask, t->slot[at].hash & t->mask,
			at))
			continue;
		t->slot[gap] = t->slot[at];
		gap = at;
	}
	t->slot[gap] = (struct kms_table_slot){0};
}

void
kms_table_remove(struct kms_table *t, uint32_t hash, uint32_t index)
{
	uint32_t at = hash & t->mask;

	while (t->slot[at].index1 != index + 1) {
		assert(t->slot[at].index1 != 0);
		at = (at + 1) & t->mask;
	}
	close_gap(t, at);
	t->used--;
}

uint32_t
kms_table_first(const struct kms_table *t, uint32_t hash,
    struct kms_table_walk *w)
{
	w->hash = hash;
	w->at = hash & t->mask;
	return kms_table_next(t, w);
}

uint32_t
kms_table_next(const struct kms_table *t, struct kms_table_walk *w)
{
	const struct kms_table_slot *s;

	if (t->slot == NULL)
		return KMS_TABLE_NONE;
	while ((s = &t->slot[w->at])->index1 != 0) {
		w->at = (w->at + 1) & t->mask;
		if (s->hash == w->hash)
			return s->index1 - 1;
	}
	return KMS_TABLE_NONE;
}

void
kms_table_prefetch(const struct kms_table *t, uint32_t hash)
{
	if (t->slot != NULL)
		__builtin_prefetch(&t->slot[hash & t->mask], 1);
}

size_t
kms_table_memory(const struct kms_table *t)
{
	return t->slot == NULL ? 0 : ((size_t)t->mask + 1) * sizeof(*t->slot);
}
