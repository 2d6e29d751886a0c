/* What brings a store and its master keys back. */
#ifndef TOOLS_CMD_RECOVERY_H
#define TOOLS_CMD_RECOVERY_H

#include "tools/cli.h"

int cmd_recovery_reset_hmk(struct cli *);
int cmd_recovery_reset_kpk(struct cli *);
int cmd_recovery_rebind(struct cli *);
int cmd_recovery_restore(struct cli *);

#endif
