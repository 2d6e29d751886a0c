/* p11kms's operations on a store and a token that are there. */
#ifndef TOOLS_CMD_MASTER_H
#define TOOLS_CMD_MASTER_H

#include "tools/cli.h"

int cmd_master_info(struct cli *);
int cmd_master_accept(struct cli *);
int cmd_master_token(struct cli *);
int cmd_master_retry_pin(struct cli *);
int cmd_master_phrase(struct cli *);

/* What -info prints of a store's header: also the answer of -createemptydb. */
int cmd_master_show(const struct cli *, const char *path) KMS_MUST;

#endif
