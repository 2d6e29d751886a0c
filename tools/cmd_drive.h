/* p11kmsdrive's operations; each is one entry of its table. */
#ifndef TOOLS_CMD_DRIVE_H
#define TOOLS_CMD_DRIVE_H

#include "tape/drive.h"
#include "tape/node.h"
#include "tools/cli.h"

int cmd_drive_list(struct cli *);
int cmd_drive_status(struct cli *);
int cmd_drive_load(struct cli *);
int cmd_drive_clear(struct cli *);
int cmd_drive_run(struct cli *);

/* The drive that -drive names; node may be NULL. */
int cmd_drive_open(const struct cli *, struct tape_drive **, struct tape_node *)
    KMS_MUST;

#endif
