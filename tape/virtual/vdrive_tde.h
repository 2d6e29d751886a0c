/*
 * Tape data encryption: SECURITY PROTOCOL IN and OUT, protocols 00h and 20h
 * (SSC-4 4.2.22, 8.5). Strict where the standard or a vendor's manual is.
 */
#ifndef TAPE_VIRTUAL_VDRIVE_TDE_H
#define TAPE_VIRTUAL_VDRIVE_TDE_H

#include "tape/virtual/vdrive.h"

#define VT_SPOUT_MAX 4096u /* longest list taken; it holds a key */

void vt_tde_in(struct vt_drive *, struct vt_nexus *, struct vt_command *);
/* c->out lies in locked memory and is wiped by its owner. */
void vt_tde_out(struct vt_drive *, struct vt_nexus *, struct vt_command *);

#endif
