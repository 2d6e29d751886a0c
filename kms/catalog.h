/*
 * Which tape was written or read with which key, when, in which drive: the
 * release log folded. And whether a key was ever released at all.
 */
#ifndef KMS_CATALOG_H
#define KMS_CATALOG_H

#include "kms/release_log.h"
#include "kms/tx.h"

/* One tape and one key. A tape that has neither label nor barcode nor serial
 * is known by the drive it was in. */
struct kms_catalog_entry {
	struct kms_tag tag;
	char volume[KMS_DRIVE_TEXT + 1]; /* label, else barcode */
	char medium[KMS_DRIVE_TEXT + 1]; /* the tape's own serial */
	char drive[KMS_DRIVE_TEXT + 1];  /* serial of the last one */
	int64_t first, last;
	uint64_t loads;
	bool written; /* else only read */
};

struct kms_catalog; /* one thread */

int kms_catalog_new(struct kms_catalog **) KMS_MUST;
void kms_catalog_free(struct kms_catalog **);

/* Folds an entry in: into the one of the same tag, volume and medium, or as
 * a new one. For sources besides the log. */
int kms_catalog_add(struct kms_catalog *, const struct kms_catalog_entry *)
    KMS_MUST;

/*
 * Folds the whole release log in; what went to clients and into exports is no
 * tape. *complete is false when an earlier log was lost,
 * or the store restored. Outside of any
 * transaction. DAMAGED, NOTFOUND as kms_trail_walk: what is good is in.
 */
int kms_catalog_load(struct kms_catalog *, struct kms_store *,
    const struct kms_actor *, bool *complete) KMS_MUST;

/* In the order of first use. NULL: all; volume is a label, a barcode or a
 * tape's serial. Stops at the first error of each, which it returns. */
int kms_catalog_each(const struct kms_catalog *, const struct kms_tag *,
    const char *volume, int (*each)(void *, const struct kms_catalog_entry *),
    void *) KMS_MUST;

/* Was this key of the store ever released while active (or, to a client,
 * prelive), or a tape noted as written with it? True as well where the log
 * cannot tell any more. Inside the store. */
int kms_catalog_released(struct kms_store *, const struct kms_tag *, bool *)
    KMS_MUST;

#endif
