/*
 * The export file: keys sealed under a phrase alone, so that it opens on a
 * host with another token (doc/FORMATS.md, "Export container"). Every entry
 * is sealed by itself, numbered, and the last one says so: none can be
 * changed, removed or reordered. One thread at a time.
 */
#ifndef KMS_CONTAINER_H
#define KMS_CONTAINER_H

#include "kms/policy.h"
#include "kms/record.h"

struct kms_container_entry {
	char group[KMS_NAME_MAX + 1], group_description[KMS_TEXT_MAX + 1];
	char name[KMS_NAME_MAX + 1], description[KMS_TEXT_MAX + 1];
	struct kms_tag tag;
	enum kms_origin origin;
	enum kms_state state;
	int64_t created, activated, deactivated; /* 0: never */
	uint8_t *attrs; /* opaque (KMIP); borrowed by add, owned after next */
	size_t attrs_len;
	struct kms_secret *key; /* borrowed by add, owned after next */
};
void kms_container_entry_clear(struct kms_container_entry *);

struct kms_container_writer;

/* cost: of the KDF. EXISTS: never over a file. Slow (one KDF). */
int kms_container_create(const char *path, const struct kms_secret *phrase,
    unsigned cost, const uint8_t uuid[16], struct kms_container_writer **)
    KMS_MUST;
int kms_container_add(struct kms_container_writer *,
    const struct kms_container_entry *) KMS_MUST;
/* Writes the end, syncs, gives the file its name, mode 0600; frees in every
 * case. Without it the file never appears. */
int kms_container_finish(struct kms_container_writer **) KMS_MUST;
void kms_container_discard(struct kms_container_writer **);

struct kms_container_reader;

/* AUTH: wrong phrase. DAMAGED: not ours or changed. VERSION. Slow (one KDF);
 * a cost over 26 is refused before it is spent. */
int kms_container_open(const char *path, const struct kms_secret *phrase,
    struct kms_container_reader **) KMS_MUST;
/* The store it came from. */
const uint8_t *kms_container_uuid(const struct kms_container_reader *);
/* NOTFOUND: the end, proven. DAMAGED: changed or cut. */
int kms_container_next(struct kms_container_reader *,
    struct kms_container_entry *) KMS_MUST;
void kms_container_close(struct kms_container_reader **);

#endif
