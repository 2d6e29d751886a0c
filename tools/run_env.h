/*
 * What a program run with a key finds in its environment: where the tape is,
 * and for a virtual drive how to reach it.
 */
#ifndef TOOLS_RUN_ENV_H
#define TOOLS_RUN_ENV_H

#include "tape/node.h"

struct run_env {
	char *text[3];
	const char *set[4]; /* "NAME=value", NULL at its end */
	bool is_virtual;
};

/*
 * TAPE is the drive's non-rewinding node. For vtape:SOCKET it is the node
 * that VTAPE names, else /dev/nst9; VTAPE and LD_PRELOAD are set unless they
 * are. KMS_ERR_NOTFOUND: no preload library beside this program.
 */
int run_env_make(struct run_env *, const char *drive,
    const struct tape_node *) KMS_MUST;
void run_env_free(struct run_env *);

#endif
