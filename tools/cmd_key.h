/* p11kmsutil's operations on key records; each is one entry of its table. */
#ifndef TOOLS_CMD_KEY_H
#define TOOLS_CMD_KEY_H

#include "tools/cli.h"

int cmd_key_create(struct cli *);
int cmd_key_modify(struct cli *);
int cmd_key_delete(struct cli *);
int cmd_key_list(struct cli *);
int cmd_key_recover(struct cli *);

#endif
