/* p11kms -newca, -newclient and -revokeclient. */
#ifndef TOOLS_CMD_CA_H
#define TOOLS_CMD_CA_H

#include "tools/cli.h"

int cmd_ca_new(struct cli *);
int cmd_ca_client(struct cli *);
int cmd_ca_revoke(struct cli *);

#endif
