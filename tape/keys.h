/*
 * Where a drive's key comes from, and the names a tape gives its key. The
 * tools implement tape_keys over the local store or over a KMIP server;
 * tape/ never learns which.
 */
#ifndef TAPE_KEYS_H
#define TAPE_KEYS_H

#include "tape/page.h"

/* Either pool or kad is set. The rest is for the record of the release and
 * may be "" when it is not known. */
struct tape_want {
	const char *pool; /* writing: the active key of this key group */
	const struct tape_kad *kad; /* reading: what the tape (or -tag) names */
	/* Serial; label, else barcode; the tape's own serial. */
	const char *drive, *volume, *medium;
};

struct tape_keys {
	/*
	 * The key, and in *kad the tag it has: for writing what goes on
	 * tape, for reading the name it was found under. The caller owns the
	 * key. Exactly one key, or an error; never a guess.
	 */
	int (*get)(struct tape_keys *, const struct tape_want *,
	    struct tape_kad *, struct kms_secret **);
	/*
	 * No key is asked for: want->kad's U-KAD is the tag of one that was
	 * handed out to write, the rest a further tape that it was, or may
	 * have been, used on. On record when it returns 0. Volume or medium
	 * must be known.
	 */
	int (*note)(struct tape_keys *, const struct tape_want *);
	void (*close)(struct tape_keys **);
	/* The key was handed out to write, but its tape is not on record: it
	 * is to be noted like a further one. */
	bool unnoted;
};

struct tape_name {
	uint8_t bytes[TAPE_UKAD_MAX];
	size_t len;
};
#define TAPE_NAMES_MAX 6u

/*
 * The names to look a key up by, in this order: the U-KAD as it came, then
 * without padding (a tag may itself end in a byte that looks like padding),
 * the same for the A-KAD, and the text form of a 12-byte DKi (three letters
 * and nine bytes: IBM's key managers, LTFS). Names over 32 bytes are left
 * out. Returns how many; 0: the tape names no key.
 */
size_t tape_kad_names(const struct tape_kad *,
    struct tape_name[TAPE_NAMES_MAX]);

/* Is tag one of the names? */
bool tape_kad_has(const struct tape_kad *, const uint8_t *tag, size_t len);

/* Equal but for padding at the end. */
bool tape_kad_same(const uint8_t *a, size_t a_len, const uint8_t *b,
    size_t b_len);

#endif
