/* p11kmsutil -recoverydrill: phrases proven before they are needed. */
#ifndef TOOLS_CMD_DRILL_H
#define TOOLS_CMD_DRILL_H

#include "tools/cli.h"

int cmd_drill(struct cli *);

#endif
