/* p11kms -verifydb. */
#ifndef TOOLS_CMD_VERIFY_H
#define TOOLS_CMD_VERIFY_H

#include "tools/cli.h"

int cmd_verify(struct cli *);

#endif
