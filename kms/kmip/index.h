/*
 * Objects by what is in their attributes: Name, Application Specific
 * Information, Alternative Name, Object Group, custom attributes; and those
 * that are destroyed, by tag. Built on first use, then kept up from the
 * directory's list of changes. It holds keyed hashes only: a hit says where
 * to look, never what is there, so the caller reads the record and compares.
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
	KMIP_TERM_NAME = 1,        /* Name Value */
	KMIP_TERM_APPLICATION = 2, /* namespace, data */
	KMIP_TERM_ALTERNATIVE = 3, /* Alternative Name Value */
	KMIP_TERM_GROUP = 4,       /* Object Groups beside the record's own */
	KMIP_TERM_CUSTOM = 5,      /* attribute name, value of any type */
	KMIP_TERM_DESTROYED = 6,   /* tag */
};

int kmip_index_new(struct kmip_index **) KMS_MUST;
void kmip_index_free(struct kmip_index **);

/* Catches up, in a transaction that has not put anything yet. The first time
 * it reads every key. */
int kmip_index_update(struct kmip_index *, struct kms_tx *) KMS_MUST;

/* What to look for; two parts, the second may be empty. */
uint64_t kmip_index_hash(const struct kmip_index *, enum kmip_term,
    const struct kmip_item *first, const struct kmip_item *second);

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
    uint64_t hash, struct kmip_ids *) KMS_MUST;
/* Bytes it holds. */
size_t kmip_index_memory(struct kmip_index *);

#endif
