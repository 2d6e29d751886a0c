/* What was done and which key went where: -audit, -catalog. */
#ifndef TOOLS_CMD_AUDIT_H
#define TOOLS_CMD_AUDIT_H

#include "tools/cli.h"

int cmd_audit(struct cli *);
int cmd_catalog(struct cli *);

#endif
