/*
 * What every program does to itself before it reads a word: no core, no
 * ptrace, locked memory where the limit allows, private files.
 */
#ifndef TOOLS_HARDEN_H
#define TOOLS_HARDEN_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

/* What the process was started with, for a child that is not ours. */
struct harden {
	struct rlimit core, memlock;
	mode_t umask;
	bool locked; /* mlockall succeeded: no page of ours is swapped */
};

/*
 * First in main. Opens /dev/null where descriptor 0, 1 or 2 was closed (a
 * store must never become standard output). Never fails: what a limit does
 * not allow is left out and recorded. Call harden_again after a change of
 * effective user, for that makes the process dumpable as the kernel likes.
 */
void harden_start(struct harden *);
void harden_again(void);
/* Gives all of it back, before somebody else's program is started. */
void harden_undo(const struct harden *);

#endif
