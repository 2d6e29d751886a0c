/* p11kmsutil -rotatekg: a group's next key. */
#ifndef TOOLS_CMD_ROTATEKG_H
#define TOOLS_CMD_ROTATEKG_H

#include "tools/cli.h"

int cmd_rotatekg(struct cli *);

#endif
