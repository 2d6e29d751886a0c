/*
 * Objects by what is in their attributes: Name, Application Specific
 * Information, Alternative Name, Object Group, custom attributes; and those
 * that are destroyed, by tag. Built on first use, then kept up from the
 * directory's list of changes. It holds keyed hashes only, of 128 bits, as the
 * directory does of names: a hit is an answer to what was hashed. Whatever
 * else a search asks for must be compared with the record.
 *
 * Any thread; a lock of its own.
 */
#ifndef KMS_KMIP_INDEX_H
#define KMS_KMIP_INDEX_H

#include "kms/directory.h"
#include "kms/kmip/stored.h"
#include "kms/tx.h"

struct kmip_index;

enum kmip_term {
	KMIP_TERM_NAME = 1,        /* Name Value; detail: Name Type */
	KMIP_TERM_APPLICATION = 2, /* namespace, data */
	KMIP_TERM_ALTERNATIVE =
	    3,                   /* Alternative Name Value; detail: its Type */
	KMIP_TERM_GROUP = 4,     /* Object Groups beside the record's own */
	KMIP_TERM_CUSTOM = 5,    /* attribute name, value; detail: TTLV type */
	KMIP_TERM_DESTROYED = 6, /* tag */
};

int kmip_index_new(struct kmip_index **) KMS_MUST;
void kmip_index_free(struct kmip_index **);

/* Catches up, in a transaction that has not put anything yet. The first time
 * it reads every key. */
int kmip_index_update(struct kmip_index *, struct kms_tx *) KMS_MUST;

/* What to look for: two parts, the second may be empty. detail is no part of
 * the hash, but can be asked for; 0: any. */
struct kmip_sought {
	enum kmip_term term;
	struct kmip_item first, second;
	uint32_t detail;
};

struct kmip_ids {
	uint64_t *id; /* owned */
	size_t n, cap;
};
int kmip_ids_add(struct kmip_ids *, uint64_t) KMS_MUST;
/* Newest (highest) first, each once. */
void kmip_ids_sort(struct kmip_ids *);
void kmip_ids_clear(struct kmip_ids *);

/*
 * Adds the rows that may have this term: those that had it when the index was
 * updated and have not changed since, and all that have been put since then
 * (by this transaction, and whoever it displaced).
 */
int kmip_index_find(struct kmip_index *, const struct kms_directory *,
    const struct kmip_sought *, struct kmip_ids *) KMS_MUST;
/* Has an update seen all? Then what find adds has the term, for sure. */
bool kmip_index_is_current(struct kmip_index *, const struct kms_directory *);
/* Bytes it holds. */
size_t kmip_index_memory(struct kmip_index *);

#endif
