/* p11kmsutil's operations on key records; each is one entry of its table. */
#ifndef TOOLS_CMD_KEY_H
#define TOOLS_CMD_KEY_H

#include "kms/key.h"
#include "tools/cli.h"

int cmd_key_create(struct cli *);
int cmd_key_modify(struct cli *);
int cmd_key_delete(struct cli *);
int cmd_key_list(struct cli *);
int cmd_key_recover(struct cli *);

/* The record that an operation made, or found held already. */
int cmd_key_show(const struct cli *, const struct kms_key_view *, bool held)
    KMS_MUST;

#endif
