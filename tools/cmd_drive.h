/* p11kmsdrive's operations; each is one entry of its table. */
#ifndef TOOLS_CMD_DRIVE_H
#define TOOLS_CMD_DRIVE_H

#include "tools/cli.h"

int cmd_drive_list(struct cli *);
int cmd_drive_status(struct cli *);
int cmd_drive_load(struct cli *);
int cmd_drive_clear(struct cli *);
int cmd_drive_run(struct cli *);

#endif
