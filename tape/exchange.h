/*
 * The next key in the middle of a job: a tape whose blocks were written under
 * several keys. The drive's key-associated data of the block ahead decides;
 * one key is tried for a block, and after a failure none any more.
 */
#ifndef TAPE_EXCHANGE_H
#define TAPE_EXCHANGE_H

#include "tape/drive.h"

#define TAPE_EXCHANGE_CAUSE 512u

struct tape_exchange {
	struct tape_drive *drive;
	/*
	 * The key of the tape's next block, asked for as at the beginning
	 * (tape_request_key); whatever it opens it closes again. The caller
	 * frees the key.
	 */
	int (*next_key)(void *arg, struct tape_load *, struct kms_secret **key);
	void *arg;

	/* The rest is zero at first. */
	bool any; /* a key was exchanged: for this block, of this name */
	uint64_t object;
	struct tape_kad kad;
	int err; /* the first failure, and its text */
	char cause[TAPE_EXCHANGE_CAUSE];
};

/*
 * Proves that what was loaded is still there, has the next key loaded and
 * proven by the very block ahead, and puts it into *loaded. A block that is
 * readable already is 0. A failure is final: the same is returned again. The
 * drive then holds the old key or none; the job's end clears it.
 */
int tape_exchange_key(struct tape_exchange *, struct tape_loaded *) KMS_MUST;

/* Does the tape stop at a block that needs another key than the drive has?
 * *b is that block. */
int tape_exchange_due(struct tape_drive *, bool *due, struct tape_next_block *b)
    KMS_MUST;

#endif
