/*
 * Commands that ask what the drive and its cartridge are (SPC-4, SSC-4), and
 * the small ones on reservation and removal.
 */
#ifndef TAPE_VIRTUAL_VDRIVE_INFO_H
#define TAPE_VIRTUAL_VDRIVE_INFO_H

#include "tape/virtual/vdrive.h"

void vt_info_test_ready(struct vt_drive *, struct vt_nexus *,
    struct vt_command *);
void vt_info_request_sense(struct vt_drive *, struct vt_nexus *,
    struct vt_command *);
/* Standard data, and pages 00h, 80h, 83h. */
void vt_info_inquiry(struct vt_drive *, struct vt_nexus *, struct vt_command *);
void vt_info_block_limits(struct vt_drive *, struct vt_nexus *,
    struct vt_command *);
/* Values and list of the medium's attributes: capacity, serial, barcode. */
void vt_info_log_sense(struct vt_drive *, struct vt_nexus *,
    struct vt_command *);
void vt_info_read_attribute(struct vt_drive *, struct vt_nexus *,
    struct vt_command *);
void vt_info_prevent(struct vt_drive *, struct vt_nexus *, struct vt_command *);
void vt_info_reserve(struct vt_drive *, struct vt_nexus *, struct vt_command *);
void vt_info_release(struct vt_drive *, struct vt_nexus *, struct vt_command *);

#endif
