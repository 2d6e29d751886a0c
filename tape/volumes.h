/*
 * The tapes of one job that writes. The release names the first; every other
 * one that was in the drive together with the key goes on record too: when it
 * is seen, and at the latest when the job has ended. Whether it was written is
 * not asked: a row too many costs nothing, a row too few loses a tape.
 *
 * Seen is what is looked at. Whoever is about to write rings (bell.h), or a
 * volume script does; nobody polls, for a command of ours can take a unit
 * attention away from the kernel's tape driver. The drive's own counter of
 * loads then tells whether a tape came and went unseen.
 */
#ifndef TAPE_VOLUMES_H
#define TAPE_VOLUMES_H

#include "tape/medium.h"

struct tape_volumes {
	struct tape_drive *drive;
	/*
	 * Puts a tape on record: durable when it returns 0. Whatever it opens
	 * it closes again. ended: no program of others runs any more.
	 */
	int (*note)(void *arg, const struct tape_medium *, bool ended);
	void *arg;
	/* The newest tape that was seen; at first the one of the release. */
	struct tape_medium last;

	/* The rest is zero at first. */
	struct tape_medium *missed; /* not on record; owned */
	size_t n_missed;
	bool unnamed; /* one of them, or more, say no name at all */
	bool counts;  /* the drive counts its loads: */
	uint64_t loads, unseen;
};

/* When the key has been loaded. A drive that does not count is 0. */
int tape_volumes_begin(struct tape_volumes *) KMS_MUST;

/* Looks which tape is in; notes it when it is a new one. 0: it is known now,
 * though perhaps still to be recorded. */
int tape_volumes_look(struct tape_volumes *) KMS_MUST;

/*
 * The job has ended: a last look, and once more what could not be recorded.
 * An error names the first tape that is still missing, all are in missed; or
 * says how many were never seen.
 */
int tape_volumes_end(struct tape_volumes *) KMS_MUST;

void tape_volumes_free(struct tape_volumes *); /* what it owns */

#endif
