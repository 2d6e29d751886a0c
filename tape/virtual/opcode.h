/*
 * The drive's commands as a table: which bits of a CDB may be set, what must
 * hold before it runs. Everything is checked before anything changes.
 */
#ifndef TAPE_VIRTUAL_OPCODE_H
#define TAPE_VIRTUAL_OPCODE_H

#include "tape/virtual/vdrive.h"

/* Runs one command; c->status, sense and in_len are set. Never fails
 * otherwise. c->out may be changed. */
void vt_opcode_run(struct vt_drive *, struct vt_nexus *, struct vt_command *);

#endif
