/* New master keys for a store, and the end of the old ones. */
#ifndef TOOLS_CMD_ROTATE_H
#define TOOLS_CMD_ROTATE_H

#include "tools/cli.h"

int cmd_rotate_hmk(struct cli *);
int cmd_rotate_kpk(struct cli *);
int cmd_rotate_retire(struct cli *);

#endif
