/*
 * A real drive as a transport: SCSI generic through libsgutils2, the only
 * file that includes it.
 */
#ifndef TAPE_SG_H
#define TAPE_SG_H

#include "tape/transport.h"

/*
 * node: /dev/sgN, opened read-write (a user of group tape needs no
 * capability then), non-blocking (an empty drive would hang the open) and
 * close-on-exec. KMS_ERR_DENIED names the group that is missing,
 * KMS_ERR_NOTFOUND the node.
 *
 * After each SECURITY PROTOCOL OUT the node is closed, and opened again for
 * the next command: the kernel keeps the last data sent in a buffer of the
 * open file, and that would be the key.
 */
int tape_sg_open(const char *node, struct tape_transport **) KMS_MUST;

#endif
