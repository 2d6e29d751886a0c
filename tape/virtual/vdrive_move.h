/*
 * Commands that move the tape without moving data (SSC-4): SPACE, LOCATE,
 * REWIND, LOAD UNLOAD, and READ POSITION, which says where it is.
 */
#ifndef TAPE_VIRTUAL_VDRIVE_MOVE_H
#define TAPE_VIRTUAL_VDRIVE_MOVE_H

#include "tape/virtual/vdrive.h"

void vt_move_rewind(struct vt_drive *, struct vt_nexus *, struct vt_command *);
void vt_move_space(struct vt_drive *, struct vt_nexus *, struct vt_command *);
/* (10) by object, (16) by object, file or end of data. */
void vt_move_locate10(struct vt_drive *, struct vt_nexus *,
    struct vt_command *);
void vt_move_locate16(struct vt_drive *, struct vt_nexus *,
    struct vt_command *);
void vt_move_load(struct vt_drive *, struct vt_nexus *, struct vt_command *);
/* Short, long and extended form. */
void vt_move_position(struct vt_drive *, struct vt_nexus *,
    struct vt_command *);

#endif
