/* Counts for -ksstats. */
#ifndef KMS_STATS_H
#define KMS_STATS_H

#include "kms/tx.h"

struct kms_stats {
	uint64_t groups, keys, by_state[KMS_STATES + 1], generation;
	uint64_t quiesced; /* outstanding quiesce calls */
	uint64_t unrecoverable;
	uint64_t waived, forced; /* times ever; also of keys now deleted */
	int64_t last_backup; /* 0: never */
};

int kms_stats(struct kms_tx *, struct kms_stats *) KMS_MUST;

#endif
