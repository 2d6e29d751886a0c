/* p11kmsutil's operations on key records; each is one entry of its table. */
#ifndef TOOLS_CMD_KEY_H
#define TOOLS_CMD_KEY_H

#include "kms/key.h"
#include "tools/open.h"

int cmd_key_create(struct cli *);
int cmd_key_modify(struct cli *);
int cmd_key_delete(struct cli *);
int cmd_key_list(struct cli *);
int cmd_key_recover(struct cli *);

/* Is the group there, and has it a phrase (may be NULL)? Asked before the slow
 * work on a key, and again by the transaction that adds it. */
int cmd_key_check_group(struct open *, const char *group, bool *has_phrase)
    KMS_MUST;
/* Adds the record and shows it once it is durable. A key that is held already
 * is shown as it is held, and nothing is changed. */
int cmd_key_add(struct open *, const struct kms_key_new *) KMS_MUST;
/* The record that an operation made, or found held already. */
int cmd_key_show(const struct cli *, const struct kms_key_view *, bool held)
    KMS_MUST;

#endif
