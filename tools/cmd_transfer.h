/* Keys from store to store: containers, foreign keys, one out of a backup. */
#ifndef TOOLS_CMD_TRANSFER_H
#define TOOLS_CMD_TRANSFER_H

#include "tools/cli.h"

int cmd_transfer_export(struct cli *);
int cmd_transfer_import(struct cli *);
int cmd_transfer_import_key(struct cli *);
/* -recoverkey -from */
int cmd_transfer_recover(struct cli *);

#endif
