/* p11kmsutil's operations on key groups; each is one entry of its table. */
#ifndef TOOLS_CMD_GROUP_H
#define TOOLS_CMD_GROUP_H

#include "tools/cli.h"

int cmd_group_create(struct cli *);
int cmd_group_modify(struct cli *);
int cmd_group_delete(struct cli *);
int cmd_group_list(struct cli *);

#endif
