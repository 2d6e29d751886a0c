/* p11kmsutil -doctor */
#ifndef TOOLS_CMD_DOCTOR_H
#define TOOLS_CMD_DOCTOR_H

#include "tools/cli.h"

int cmd_doctor(struct cli *);

#endif
