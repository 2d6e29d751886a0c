/*
 * The drive's socket: each connection is one I_T nexus and may have one
 * command under way. One thread and poll(2); buffers grow to what a
 * connection asks for, at most WIRE_DATA_MAX; whoever sends half a message,
 * reads no reply or sends nonsense holds up only itself.
 */
#ifndef TAPE_VIRTUAL_SERVER_H
#define TAPE_VIRTUAL_SERVER_H

#include "tape/virtual/vdrive.h"

struct vt_server;

/*
 * A socket at path, mode 0600. KMS_ERR_BUSY when somebody listens there; a
 * socket that nobody listens on any more is replaced. The drive is borrowed.
 */
int vt_server_open(const char *path, struct vt_drive *, struct vt_server **)
    KMS_MUST;
/* Closes every connection and removes the socket. */
void vt_server_close(struct vt_server **);

/* Serves until stop_fd is readable or WIRE_STOP came; then 0. */
int vt_server_run(struct vt_server *, int stop_fd) KMS_MUST;

#endif
