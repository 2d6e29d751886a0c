/* The recovery kit: made from a store, and keys brought back from it. */
#ifndef TOOLS_CMD_KIT_H
#define TOOLS_CMD_KIT_H

#include "tools/cli.h"

int cmd_kit_make(struct cli *);
/* -recoverkey -list KIT.json */
int cmd_kit_recover(struct cli *);

#endif
