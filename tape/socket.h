/*
 * A virtual drive behind a Unix socket, as a transport.
 */
#ifndef TAPE_SOCKET_H
#define TAPE_SOCKET_H

#include "tape/transport.h"

/* KMS_ERR_NOTFOUND when nobody listens at path. After a lost connection the
 * next command connects anew: as another initiator, as after a cable was
 * pulled. */
int tape_socket_open(const char *path, struct tape_transport **) KMS_MUST;

#endif
