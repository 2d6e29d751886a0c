/*
 * From "a key for this pool" or "the key this tape needs" to a load: asks
 * the drive what the tape names, the keys for that one key, never another.
 */
#ifndef TAPE_REQUEST_H
#define TAPE_REQUEST_H

#include "tape/drive.h"
#include "tape/medium.h"

/* Exactly one of pool, tag and read. */
struct tape_request {
	const char *pool;   /* writing: the active key of this key group */
	const uint8_t *tag; /* reading: by this tag */
	size_t tag_len;
	bool read;          /* reading: the next block on tape decides */
	const char *volume; /* label for the record; NULL: the barcode */
	bool keep_on_unload;
	struct tape_medium *tape; /* gets the tape on record; may be NULL */
};

/*
 * Fills load and *key (the caller frees it, after the load). One key is
 * asked for and handed out, once: wrong keys tried in turn would lock the
 * drive (7/26/10).
 *
 * read: KMS_ERR_NOTFOUND when the next block is not encrypted, names no key,
 * or the drive cannot tell now (blank tape, filemark, end of data); the tape
 * is never moved to find out. Errors of the keys pass through.
 */
int tape_request_key(struct tape_drive *, struct tape_keys *,
    const struct tape_request *, struct tape_load *, struct kms_secret **key)
    KMS_MUST;

#endif
