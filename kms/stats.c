#include "kms/stats.h"

#include <string.h>

#include "kms/directory.h"
#include "kms/gate.h"
#include "kms/quiesce.h"
#include "kms/store_impl.h"

static void
count_key(const struct kms_store *s, const struct kms_directory_row *row,
    struct kms_stats *stats)
{
	const struct kms_directory_key *key = kms_directory_key(s->dir, row);
	const struct kms_gate_key facts = {.origin = key->origin,
	    .flags = key->flags,
	    .slot = key->slot,
	    .id = row->id};
	struct kms_gate_view gate;

	kms_gate_look(s, &facts, &gate);
	stats->by_state[key->state]++;
	stats->unrecoverable += gate.recoverable == KMS_RECOVERABLE_NONE;
}

int
kms_stats(struct kms_tx *tx, struct kms_stats *stats)
{
	const struct kms_store *s = kms_tx_store(tx);
	const struct kms_directory_row *row;
	size_t at = 0, outstanding = 0;
	int r;

	memset(stats, 0, sizeof(*stats));
	stats->generation = s->root.generation;
	stats->last_backup = s->cover.here.time > s->cover.elsewhere.time
	    ? s->cover.here.time
	    : s->cover.elsewhere.time;
	stats->groups = kms_directory_count(s->dir, KMS_KIND_GROUP);
	stats->keys = kms_directory_count(s->dir, KMS_KIND_KEY);
	while ((row = kms_directory_next(s->dir, KMS_KIND_KEY, &at)) != NULL)
		count_key(s, row, stats);
	r = kms_quiesce_count(tx, &outstanding);
	stats->quiesced = outstanding;
	stats->waived = s->tally.waived;
	stats->forced = s->tally.forced;
	return r;
}
