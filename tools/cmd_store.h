/* p11kmsutil's operations on the store as a whole. */
#ifndef TOOLS_CMD_STORE_H
#define TOOLS_CMD_STORE_H

#include "tools/cli.h"

int cmd_store_hmkid(struct cli *);
int cmd_store_kpkid(struct cli *);
int cmd_store_stats(struct cli *);
int cmd_store_quiesce(struct cli *);
int cmd_store_unquiesce(struct cli *);

#endif
