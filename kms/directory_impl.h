/* Inside of directory*.c: what the two share. Nobody else includes it. */
#ifndef KMS_DIRECTORY_IMPL_H
#define KMS_DIRECTORY_IMPL_H

#include "kms/directory.h"
#include "kms/siphash.h"
#include "kms/table.h"

#define NONE KMS_TABLE_NONE

/* Keys whose places in the tables were asked for and are entered this many
 * keys later, when memory has brought them. */
#define DELAY 8u

struct kms_directory {
	struct kms_siphash_key secret;
	struct kms_directory_row *row; /* rising id */
	struct kms_directory_key *key;
	struct kms_directory_group *group;
	uint32_t rows, keys, groups; /* of the arrays, in use or free */
	uint32_t rows_cap, keys_cap, groups_cap;
	uint32_t free_key, free_group; /* lists through next and first */
	/* Where the key last taken out of a list was: behind gap_prev (NONE:
	 * first) of group gap_group. A key replaced goes back there. */
	uint32_t gap_group, gap_prev;
	struct kms_table by_tag, by_name, by_group;
	uint64_t count[KMS_KINDS + 1];
	uint64_t epoch, changes;
	uint64_t changed[KMS_DIRECTORY_CHANGES]; /* number modulo its size */

	/* while loading */
	uint32_t tag_hash[DELAY]; /* of key number modulo DELAY */
	uint32_t entered;         /* keys that are in the tables */
	bool orphans;             /* a key came before its group */
};

uint32_t kms_directory_hash_tag(const struct kms_directory *,
    const struct kms_tag *);
void kms_directory_hash_name(const struct kms_directory *, uint64_t group,
    const char *name, uint64_t out[2]);

/* Indexes into row, key, key, group; NONE when there is none. */
uint32_t kms_directory_find_id(const struct kms_directory *, uint64_t id);
uint32_t kms_directory_find_tag(const struct kms_directory *, uint32_t hash,
    const struct kms_tag *);
uint32_t kms_directory_find_name(const struct kms_directory *,
    const uint64_t name[2]);
uint32_t kms_directory_find_group(const struct kms_directory *,
    const uint64_t name[2]);
/* The group's own entry, from its row id. */
uint32_t kms_directory_group_of(const struct kms_directory *, uint64_t id);

uint64_t kms_directory_key_id(const struct kms_directory *, uint32_t k);

/* Could the row be one of ours, and is its record there? */
int kms_directory_check_row(const struct kms_row *, const struct kms_record *)
    KMS_MUST;
void kms_directory_fill_row(struct kms_directory_row *, const struct kms_row *);
void kms_directory_fill_key(const struct kms_directory *,
    const struct kms_key *, struct kms_directory_key *);
/* Row i becomes a group, or key k joins one: room was reserved. */
void kms_directory_enter_group(struct kms_directory *, uint32_t i,
    const uint64_t name[2]);
void kms_directory_list_insert(struct kms_directory *, uint32_t g, uint32_t k);

#endif
