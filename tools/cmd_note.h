/*
 * -note: one more tape that a key was written on, for the catalog; and how a
 * job says which it could not record.
 */
#ifndef TOOLS_CMD_NOTE_H
#define TOOLS_CMD_NOTE_H

#include "tape/medium.h"
#include "tools/cli.h"

int cmd_drive_note(struct cli *);

/* A line on standard error: the tape, and the command that records it. key:
 * its tag, and the drive. */
void cmd_note_say_missed(const struct cli *, const struct tape_want *key,
    const struct tape_medium *);

#endif
