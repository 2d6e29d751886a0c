/* p11kms -createemptydb: both master keys, then the store. */
#ifndef TOOLS_CMD_CREATE_H
#define TOOLS_CMD_CREATE_H

#include "tools/cli.h"

int cmd_create(struct cli *);

#endif
