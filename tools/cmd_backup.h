/* Backups of the store, and the administrator's word on the HSM's own. */
#ifndef TOOLS_CMD_BACKUP_H
#define TOOLS_CMD_BACKUP_H

#include "tools/cli.h"

int cmd_backup(struct cli *);
int cmd_backup_attest(struct cli *);

#endif
