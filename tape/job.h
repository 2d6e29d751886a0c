/*
 * A program run with a key loaded: the key goes in and is proven, the
 * program runs, the key is proven to have stayed, the drive is cleared on
 * every way out.
 *
 * Every way but one: a tool that is killed (SIGKILL, power) clears nothing.
 * The drive then keeps the key until the tape leaves it (where CKOD was set)
 * or until -clear; -status says that a key is loaded.
 */
#ifndef TAPE_JOB_H
#define TAPE_JOB_H

#include "tape/exchange.h"
#include "tape/volumes.h"

struct tape_job {
	struct tape_drive *drive;
	/* Not used after before_spawn. NULL: none yet, the tape begins in
	 * clear; next_key brings the first. */
	const struct tape_load *load;
	/*
	 * Called when the drive has proven the key, before the program
	 * starts: closes store and token, wipes the key, goes back to the
	 * caller's user and groups. An error ends the job. May be NULL.
	 */
	int (*before_spawn)(void *arg);
	void *arg;
	char *const *argv; /* NULL-terminated; argv[0] is searched in PATH */
	const char *const
	    *env; /* "NAME=value" to set; NULL-terminated or NULL */
	/*
	 * Reading a tape of several keys: where the next one comes from, with
	 * the same arg (exchange.h); NULL: the program's read fails. With bell
	 * the program may ask for it (bell.h) and reads on. With again it is
	 * run once more, from where the tape stands, when it failed at such a
	 * block.
	 */
	int (*next_key)(void *arg, struct tape_load *, struct kms_secret **key);
	bool bell, again;
	/*
	 * Writing: the tapes that the key may come upon, beyond the first.
	 * With bell the program tells of each (wire.h); the last look is when
	 * the drive is cleared. NULL: they are not recorded.
	 */
	struct tape_volumes *volumes;
};

struct tape_job_result {
	bool started;
	/* As of waitpid. Not started and not 0: a signal came first. */
	int wait_status;
	struct tape_loaded loaded; /* the last one */
	bool due; /* the tape stands before a block of another key: */
	struct tape_next_block block;
};

/*
 * Call from the process's only thread. Signals that end the tool (INT, TERM,
 * HUP, QUIT, USR1, USR2) are held from before the load until after the
 * clearing and passed on to the program; those that were ignored stay so.
 * The program runs as the real user (no set-user-ID rights pass on), with the
 * signal mask of the caller.
 *
 * 0: ran (whatever it returned), key proven, drive cleared. Else the first
 * error, and a second one in its text; KMS_ERR_UNPROVEN when the key was
 * lost or not cleared, also when the program succeeded. A next key that could
 * not be had, or a tape that could not be recorded, is an error too.
 */
int tape_job_run(const struct tape_job *, struct tape_job_result *) KMS_MUST;

/* The tool's exit status: the program's own, 128 + signal, or 100 + ours. */
int tape_job_exit(int err, const struct tape_job_result *);

#endif
