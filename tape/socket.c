#include "tape/socket.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tape/wire.h"

struct socket {
	struct tape_transport t; /* first: the two are cast to each other */
	char *path;
	int fd; /* -1: not connected */
};

static struct socket *
self(struct tape_transport *t)
{
	return (struct socket *)(void *)t;
}

static int
denied(const char *path)
{
	const struct passwd *pw = NULL;
	struct stat st;

	if (stat(path, &st) == 0)
		pw = getpwuid(st.st_uid);
	return kms_fail(KMS_ERR_DENIED,
	    "%s: permission denied; the virtual drive belongs to user %s: run "
	    "this as that user",
	    path, pw ? pw->pw_name : "unknown");
}

static int
socket_connect(struct socket *s)
{
	if (s->fd >= 0)
		return 0;
	s->fd = wire_connect(s->path);
	if (s->fd >= 0)
		return 0;
	if (errno == ENOENT || errno == ECONNREFUSED)
		return kms_fail(KMS_ERR_NOTFOUND,
		    "%s: no virtual drive listens here; start one with vtaped "
		    "-listen",
		    s->path);
	if (errno == EACCES)
		return denied(s->path);
	return kms_fail(KMS_ERR_IO, "%s: %s", s->path, strerror(errno));
}

static void
socket_drop(struct socket *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static int
socket_exec(struct tape_transport *t, const struct tape_cmd *cmd,
    struct tape_reply *reply)
{
	struct socket *s = self(t);
	struct wire_req q = {.kind = WIRE_SCSI};

	memset(reply, 0, sizeof(*reply));
	if (cmd->len > WIRE_DATA_MAX || cmd->cdb_len > WIRE_CDB_MAX)
		return kms_fail(KMS_ERR_INTERNAL, "%s: command too large",
		    s->path);
	if (cmd->dir == TAPE_IN)
		memset(cmd->in, 0, cmd->len);
	int err = socket_connect(s);
	if (err)
		return err == KMS_ERR_NOTFOUND ? KMS_ERR_IO : err;
	q.cdb_len = cmd->cdb_len;
	memcpy(q.cdb, cmd->cdb, cmd->cdb_len);
	q.dir = cmd->dir == TAPE_OUT ? WIRE_OUT
	    : cmd->dir == TAPE_IN    ? WIRE_IN
				     : WIRE_NONE;
	q.len = cmd->dir == TAPE_NONE ? 0 : (uint32_t)cmd->len;
	if (wire_exec(s->fd, &q, cmd->out, cmd->in,
		cmd->dir == TAPE_IN ? cmd->len : 0, &reply->got, &reply->status,
		reply->sense, &reply->sense_len, (int)cmd->timeout_ms) == 0)
		return 0;
	int e = errno;
	socket_drop(s); /* out of step: a late reply would answer the next */
	if (e == ETIMEDOUT)
		return kms_fail(KMS_ERR_TIMEOUT,
		    "%s: the virtual drive did not answer", s->path);
	return kms_fail(KMS_ERR_IO, "%s: %s", s->path,
	    e == EPIPE || e == ECONNRESET ? "the virtual drive went away"
					  : strerror(e));
}

static void
socket_close(struct tape_transport **t)
{
	if (!t || !*t)
		return;
	struct socket *s = self(*t);
	socket_drop(s);
	free(s->path);
	free(s);
	*t = NULL;
}

int
tape_socket_open(const char *path, struct tape_transport **out)
{
	int err = KMS_ERR_MEMORY;

	*out = NULL;
	struct socket *s = calloc(1, sizeof(*s));
	if (s)
		s->path = strdup(path);
	if (!s || !s->path) {
		free(s);
		return kms_fail(KMS_ERR_MEMORY, "virtual drive: out of memory");
	}
	s->fd = -1;
	s->t.exec = socket_exec;
	s->t.close = socket_close;
	err = socket_connect(s);
	if (err) {
		struct tape_transport *t = &s->t;
		socket_close(&t);
		return err;
	}
	*out = &s->t;
	return 0;
}
