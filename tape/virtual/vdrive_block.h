/*
 * Commands that move the tape or its data (SSC-4). Every one checks before
 * it changes; a block that cannot be read leaves the position before it, so
 * that the command can be repeated with another key.
 */
#ifndef TAPE_VIRTUAL_VDRIVE_BLOCK_H
#define TAPE_VIRTUAL_VDRIVE_BLOCK_H

#include "tape/virtual/vdrive.h"

void vt_block_read(struct vt_drive *, struct vt_nexus *, struct vt_command *);
/*
 * In buffered mode GOOD is answered when nothing but a failing disk is in the
 * way any more, and before the data is encrypted and stored; what then goes
 * wrong is this nexus's deferred error. The data is stored when it returns:
 * no other command finds a block on its way.
 */
void vt_block_write(struct vt_drive *, struct vt_nexus *, struct vt_command *);
/* On disk when it returns GOOD, unless IMMED. */
void vt_block_write_marks(struct vt_drive *, struct vt_nexus *,
    struct vt_command *);
void vt_block_erase(struct vt_drive *, struct vt_nexus *, struct vt_command *);

#endif
