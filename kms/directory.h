/*
 * Every verified row in memory: what answers are checked against, and what a
 * release is answered from. One flat array of rows (id, generation, GCM tag)
 * in order of id, by which it is searched; keys and groups have a second,
 * wider entry; open-addressing tables lead from tag and group + name to them.
 *
 * Names are not kept, only 128 bits of SipHash under a key drawn for this
 * process: that two names of one store share them has a chance below 2^-80,
 * and nobody can aim at it without the key, so a hit is an answer.
 *
 * Readers may share it (nothing in a find is written); a put needs it alone:
 * the store's lock. Pointers returned are borrowed until the next put.
 */
#ifndef KMS_DIRECTORY_H
#define KMS_DIRECTORY_H

#include "kms/record.h"
#include "kms/rows.h"

struct kms_directory;

struct kms_directory_row {
	uint64_t id, generation;
	uint8_t gcm[16]; /* the seal's tag: equal tag, same bytes */
	uint32_t extra;  /* internal */
	uint8_t kind;    /* enum kms_kind, never ROOT */
};

struct kms_directory_key {
	uint64_t group; /* row id */
	int64_t created;
	uint64_t name[2]; /* keyed hash of group and name */
	uint8_t wrapped[KMS_WRAPPED_MAX], kcv[8];
	uint32_t flags;
	uint32_t row, next, prev; /* internal */
	uint16_t slot;            /* KPK that wraps it */
	uint8_t wrapped_len, state, origin;
	struct kms_tag tag;
};

struct kms_directory_group {
	uint64_t name[2];
	uint32_t row, first, last, active; /* internal */
	uint32_t keys;                     /* all of them */
	uint32_t by_state[KMS_STATES + 1];
};

/*
 * Empty, with room for what the root says there is (count by kind).
 * KMS_ERR_LIMIT over 2^31 rows.
 */
int kms_directory_new(const uint64_t count[KMS_KINDS + 1],
    struct kms_directory **) KMS_MUST;
void kms_directory_free(struct kms_directory **);

/*
 * Filling at open: every row but the root, in rising order of id (the order
 * of kms_rows_scan), then ready() once. The record is needed for groups and
 * keys only; NULL for other kinds. DAMAGED: ids not rising, a tag twice, a
 * name twice in its group, a key without its group. After an error the
 * directory is good for nothing but free.
 */
int kms_directory_load(struct kms_directory *, const struct kms_row *,
    const struct kms_record *) KMS_MUST;
int kms_directory_ready(struct kms_directory *) KMS_MUST;

/* What a put replaced; enough to take it back. */
struct kms_directory_was {
	bool existed;
	struct kms_directory_row row;
	struct kms_directory_key key; /* when it was a key */
	uint64_t group_name[2];       /* when it was a group */
};

/* Room for so many more rows of whatever kind: puts up to that number cannot
 * fail for memory. Before COMMIT. */
int kms_directory_reserve(struct kms_directory *, size_t rows) KMS_MUST;
/*
 * A new row (id above all others) or another version of one held, its kind
 * changed perhaps (a key to its tombstone). record as for load. was may be
 * NULL. EXISTS: tag or name is taken, nothing changed. INTERNAL: a group
 * that still has keys, an id that cannot be.
 */
int kms_directory_put(struct kms_directory *, const struct kms_row *,
    const struct kms_record *, struct kms_directory_was *) KMS_MUST;
/* Takes puts back, newest first. Cannot fail. */
void kms_directory_undo(struct kms_directory *,
    const struct kms_directory_was *, uint64_t id);

/* NULL when there is none. */
const struct kms_directory_row *
kms_directory_by_id(const struct kms_directory *, uint64_t id);
const struct kms_directory_row *
kms_directory_by_tag(const struct kms_directory *, const struct kms_tag *);
const struct kms_directory_row *
kms_directory_by_name(const struct kms_directory *, uint64_t group,
    const char *name);
const struct kms_directory_row *
kms_directory_group_by_name(const struct kms_directory *, const char *name);
/* The group's active key; the newest (highest id) when it has many. */
const struct kms_directory_row *
kms_directory_active(const struct kms_directory *, uint64_t group);

/* The wider entry of a row; NULL when it is of another kind. */
const struct kms_directory_key *kms_directory_key(const struct kms_directory *,
    const struct kms_directory_row *);
const struct kms_directory_group *
kms_directory_group(const struct kms_directory *,
    const struct kms_directory_row *);
/* Wrapped bytes as the sealer takes them. */
void kms_directory_wrapped(const struct kms_directory_key *,
    struct kms_wrapped *);

/*
 * Walks, in rising order of id (= of creation). kind 0: every row. Start
 * with *at = 0; NULL at the end. The second goes over one group's keys and
 * touches no others: start with NULL.
 */
const struct kms_directory_row *kms_directory_next(const struct kms_directory *,
    unsigned kind, size_t *at);
const struct kms_directory_row *
kms_directory_next_in_group(const struct kms_directory *, uint64_t group,
    const struct kms_directory_row *after);

/*
 * For whoever keeps an index of his own over these rows. The epoch is another
 * one in each directory, so that an index knows when all is new. Puts (and
 * those taken back) are numbered from 0; of the last KMS_DIRECTORY_CHANGES of
 * them it is still known which row it was, else false: walk it all.
 */
#define KMS_DIRECTORY_CHANGES 4096u
uint64_t kms_directory_epoch(const struct kms_directory *);
uint64_t kms_directory_changes(const struct kms_directory *);
bool kms_directory_change(const struct kms_directory *, uint64_t number,
    uint64_t *id);

/* Rows of a kind (0: all), to be compared with the root's. */
uint64_t kms_directory_count(const struct kms_directory *, unsigned kind);
/* Bytes it holds. */
size_t kms_directory_memory(const struct kms_directory *);

#endif
