/*
 * MODE SENSE and MODE SELECT, 6 and 10: block length, sense format,
 * compression. Pages 0Ah control, 0Fh data compression, 10h device
 * configuration, 11h medium partition.
 */
#ifndef TAPE_VIRTUAL_VDRIVE_MODE_H
#define TAPE_VIRTUAL_VDRIVE_MODE_H

#include "tape/virtual/vdrive.h"

void vt_mode_sense(struct vt_drive *, struct vt_nexus *, struct vt_command *);
/* Checks the whole list before it changes anything. */
void vt_mode_select(struct vt_drive *, struct vt_nexus *, struct vt_command *);

#endif
