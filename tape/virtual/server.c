#include "tape/virtual/server.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "kms/base/crypt.h"
#include "kms/base/log.h"
#include "tape/virtual/opcode.h"
#include "tape/virtual/vdrive_tde.h"
#include "tape/wire.h"

enum { SPOUT = 0xB5, REPLY_BUFFER = 1024 * 1024 };

struct client {
	int fd;
	struct vt_nexus *nexus;
	bool spoke; /* sent a whole message once */
	/* The request as it comes in. */
	uint8_t head[WIRE_REQ_HEAD];
	size_t head_len, data_len;
	struct wire_req req;
	/* Its data: a list with a key lies in locked memory. */
	struct kms_secret *secret;
	uint8_t *buf;
	size_t buf_cap;
	/* The reply as it goes out; nothing is read meanwhile. */
	uint8_t reply[WIRE_REP_HEAD + WIRE_SENSE_MAX];
	size_t reply_len, reply_data, sent;
	bool replying;
};

struct vt_server {
	struct vt_drive *drive;
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct stat st; /* of the socket's node */
	bool stop;
	struct client *client[VT_NEXUS_MAX];
};

static int
socket_error(const char *path)
{
	return kms_fail(KMS_ERR_IO, "socket %s: %s", path, strerror(errno));
}

/* A node without a listener is what a killed drive left. */
static int
stale_remove(const char *path, const struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return socket_error(path);
	int n = connect(fd, (const struct sockaddr *)a, sizeof(*a));
	int e = n < 0 ? errno : 0;
	close(fd);
	if (e == 0)
		return kms_fail(KMS_ERR_BUSY,
		    "socket %s: a drive listens there", path);
	if (e == ECONNREFUSED && unlink(path) < 0)
		return socket_error(path);
	return 0;
}

static int
listen_at(struct vt_server *s)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	memcpy(a.sun_path, s->path, sizeof(a.sun_path));
	int err = stale_remove(s->path, &a);
	if (err)
		return err;
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return socket_error(s->path);
	mode_t old = umask(0177);
	int n = bind(s->fd, (const struct sockaddr *)&a, sizeof(a));
	umask(old);
	if (n < 0 || listen(s->fd, 64) < 0 || stat(s->path, &s->st) < 0)
		return socket_error(s->path);
	return 0;
}

int
vt_server_open(const char *path, struct vt_drive *d, struct vt_server **out)
{
	*out = NULL;
	size_t len = strlen(path);
	struct vt_server *s = calloc(1, sizeof(*s));
	if (!s)
		return kms_fail(KMS_ERR_MEMORY, "server: out of memory");
	s->fd = -1;
	s->drive = d;
	int err = 0;
	if (len == 0 || len >= sizeof(s->path))
		err = kms_fail(KMS_ERR_USAGE, "socket %s: name too long", path);
	else
		memcpy(s->path, path, len);
	if (!err)
		err = listen_at(s);
	if (err)
		vt_server_close(&s);
	*out = s;
	return err;
}

static void
client_drop(struct vt_server *s, size_t i)
{
	struct client *c = s->client[i];

	if (!c)
		return;
	vt_drive_leave(s->drive, &c->nexus);
	close(c->fd);
	kms_secret_free(&c->secret);
	free(c->buf);
	free(c);
	s->client[i] = NULL;
}

void
vt_server_close(struct vt_server **ps)
{
	struct vt_server *s = ps ? *ps : NULL;
	struct stat st;

	if (!s)
		return;
	for (size_t i = 0; i < VT_NEXUS_MAX; i++)
		client_drop(s, i);
	if (s->fd >= 0)
		close(s->fd);
	/* Another drive may have taken the name. */
	if (s->st.st_ino != 0 && stat(s->path, &st) == 0 &&
	    st.st_ino == s->st.st_ino && st.st_dev == s->st.st_dev)
		unlink(s->path);
	free(s);
	*ps = NULL;
}

/* A free place; else that of somebody who never said a word. */
static size_t
place_find(struct vt_server *s)
{
	for (size_t i = 0; i < VT_NEXUS_MAX; i++)
		if (!s->client[i])
			return i;
	for (size_t i = 0; i < VT_NEXUS_MAX; i++) {
		if (!s->client[i]->spoke) {
			client_drop(s, i);
			return i;
		}
	}
	return VT_NEXUS_MAX;
}

static void
client_accept(struct vt_server *s)
{
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	size_t i = place_find(s);
	struct client *c = i < VT_NEXUS_MAX ? calloc(1, sizeof(*c)) : NULL;
	if (!c || vt_drive_join(s->drive, &c->nexus) != 0) {
		close(fd);
		free(c);
		return;
	}
	/* As in wire_connect: a usual block goes out in one step. */
	int room = REPLY_BUFFER;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	c->fd = fd;
	s->client[i] = c;
}

/* Room for what is sent, or for what may be read. */
static int
buffer_grow(struct client *c, size_t len)
{
	if (len <= c->buf_cap)
		return 0;
	uint8_t *p = malloc(len);
	if (!p)
		return kms_fail(KMS_ERR_MEMORY, "buffer of %zu bytes", len);
	free(c->buf);
	c->buf = p;
	c->buf_cap = len;
	return 0;
}

/* The head is complete: make room for the data. */
static int
request_begin(struct client *c)
{
	if (wire_req_decode(c->head, &c->req) < 0)
		return kms_fail(KMS_ERR_USAGE, "not a request");
	c->spoke = true;
	c->data_len = 0;
	bool admin = c->req.kind != WIRE_SCSI;
	bool key = !admin && c->req.cdb[0] == SPOUT;
	if (admin && c->req.len > 4096)
		return kms_fail(KMS_ERR_USAGE, "over-long request");
	if (c->req.dir != WIRE_OUT || !key)
		return buffer_grow(c, c->req.len);
	if (c->req.len > VT_SPOUT_MAX)
		return kms_fail(KMS_ERR_USAGE, "over-long parameter list");
	return kms_secret_new(c->req.len, &c->secret);
}

static uint8_t *
request_data(struct client *c)
{
	return c->secret ? kms_secret_fill(c->secret) : c->buf;
}

static size_t
request_data_want(const struct client *c)
{
	return c->req.dir == WIRE_OUT ? c->req.len : 0;
}

static void
reply_begin(struct client *c, uint8_t status, size_t sense_len, size_t data)
{
	struct wire_rep r = {
	    .kind = c->req.kind,
	    .status = status,
	    .sense_len = (uint8_t)sense_len,
	    .len = (uint32_t)data,
	};

	wire_rep_encode(&r, c->reply);
	c->reply_len = WIRE_REP_HEAD + sense_len;
	c->reply_data = data;
	c->sent = 0;
	c->replying = true;
}

static int
client_send(struct client *c)
{
	struct iovec v[2];
	size_t head = c->sent < c->reply_len ? c->reply_len - c->sent : 0;
	size_t data_at = head ? 0 : c->sent - c->reply_len;
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};

	v[0] = (struct iovec){c->reply + c->reply_len - head, head};
	v[1] = (struct iovec){c->buf ? c->buf + data_at : NULL,
	    c->reply_data - data_at};
	ssize_t n = sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return kms_fail(KMS_ERR_IO, "initiator gone");
	if (n > 0)
		c->sent += (size_t)n;
	if (c->sent == c->reply_len + c->reply_data)
		c->replying = false;
	return 0;
}

/* As vt_command's answer. What cannot be sent now goes with the poll. */
static void
good_send(struct vt_command *cmd)
{
	struct client *c = cmd->whom;

	reply_begin(c, TAPE_GOOD, 0, 0);
	(void)client_send(c);
}

static void
scsi_run(struct vt_server *s, struct client *c)
{
	uint8_t sense[TAPE_SENSE_ROOM];
	bool out = c->req.dir == WIRE_OUT;
	struct vt_command cmd = {
	    .cdb = c->req.cdb,
	    .cdb_len = c->req.cdb_len,
	    .out = out ? request_data(c) : NULL,
	    .out_len = out ? c->req.len : 0,
	    .in = c->req.dir == WIRE_IN ? c->buf : NULL,
	    .in_cap = c->req.dir == WIRE_IN ? c->req.len : 0,
	    .answer = good_send,
	    .whom = c,
	};
	size_t len = 0;

	vt_opcode_run(s->drive, c->nexus, &cmd);
	if (cmd.answered)
		return;
	if (cmd.status == TAPE_CHECK) {
		len = tape_sense_encode(&cmd.sense, s->drive->descriptor_sense,
		    sense);
		memcpy(c->reply + WIRE_REP_HEAD, sense, len);
	}
	reply_begin(c, cmd.status, len, cmd.in_len);
}

static int
cartridge_insert(struct vt_server *s, struct client *c)
{
	struct vt_cartridge *tape = NULL;
	char path[4097];

	if (c->req.dir != WIRE_OUT || c->req.len >= sizeof(path))
		return kms_fail(KMS_ERR_USAGE, "insert: no path came");
	if (c->req.len > 0) /* else there is no buffer */
		memcpy(path, c->buf, c->req.len);
	path[c->req.len] = '\0';
	if (path[0] != '/' || strlen(path) != c->req.len)
		return kms_fail(KMS_ERR_USAGE, "insert: not an absolute path");
	if (s->drive->tape)
		return kms_fail(KMS_ERR_EXISTS,
		    "the drive holds a cartridge; eject it first");
	int err = vt_cartridge_open(path, &tape);
	if (!err)
		err = vt_drive_insert(s->drive, &tape);
	vt_cartridge_close(&tape);
	return err;
}

/* What an operator does at the drive; the cause of a refusal is text. */
static void
admin_run(struct vt_server *s, struct client *c)
{
	int err = 0;

	switch (c->req.kind) {
	case WIRE_RESET:
		vt_drive_reset(s->drive);
		break;
	case WIRE_INSERT:
		err = cartridge_insert(s, c);
		break;
	case WIRE_EJECT:
		err = vt_drive_eject(s->drive);
		break;
	case WIRE_STOP:
		s->stop = true;
		break;
	}
	size_t len = 0;
	if (err) {
		const char *cause = kms_err_cause(err);
		len = strnlen(cause, WIRE_SENSE_MAX);
		memcpy(c->reply + WIRE_REP_HEAD, cause, len);
	}
	kms_log(err ? KMS_LOG_WARN : KMS_LOG_INFO, "vtape.operator",
	    "kind=%u result=%s", c->req.kind, kms_err_name(err));
	reply_begin(c, err ? TAPE_CHECK : TAPE_GOOD, len, 0);
}

static void
request_run(struct vt_server *s, struct client *c)
{
	if (c->req.kind == WIRE_SCSI)
		scsi_run(s, c);
	else
		admin_run(s, c);
	kms_secret_free(&c->secret);
	c->head_len = 0;
}

/* Nothing to be had now is no error. */
static int
receive(int fd, uint8_t *to, size_t room, size_t *len)
{
	ssize_t n = recv(fd, to, room, MSG_DONTWAIT);

	if (n > 0) {
		*len += (size_t)n;
		return 0;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return kms_fail(KMS_ERR_IO, "initiator gone");
}

/* Takes what has come; runs the command once it is whole. */
static int
client_receive(struct vt_server *s, struct client *c)
{
	int err = 0;

	if (c->head_len < WIRE_REQ_HEAD) {
		err = receive(c->fd, c->head + c->head_len,
		    WIRE_REQ_HEAD - c->head_len, &c->head_len);
		if (!err && c->head_len == WIRE_REQ_HEAD)
			err = request_begin(c);
		if (err || c->head_len < WIRE_REQ_HEAD)
			return err;
	}
	size_t want = request_data_want(c);
	if (c->data_len < want)
		err = receive(c->fd, request_data(c) + c->data_len,
		    want - c->data_len, &c->data_len);
	if (err || c->data_len < want)
		return err;
	request_run(s, c);
	return c->replying ? client_send(c) : 0;
}

static void
client_serve(struct vt_server *s, size_t i, short events)
{
	struct client *c = s->client[i];
	int err = 0;

	if ((events & POLLOUT) && c->replying)
		err = client_send(c);
	else if ((events & (POLLIN | POLLHUP | POLLERR)) && !c->replying)
		err = client_receive(s, c);
	else if (events & (POLLHUP | POLLERR))
		err = kms_fail(KMS_ERR_IO, "initiator gone");
	if (err)
		client_drop(s, i);
}

static size_t
poll_fill(const struct vt_server *s, int stop_fd, struct pollfd *p,
    size_t *place)
{
	size_t n = 2;

	p[0] = (struct pollfd){.fd = stop_fd, .events = POLLIN};
	p[1] = (struct pollfd){.fd = s->fd, .events = POLLIN};
	for (size_t i = 0; i < VT_NEXUS_MAX; i++) {
		if (!s->client[i])
			continue;
		place[n] = i;
		p[n++] = (struct pollfd){
		    .fd = s->client[i]->fd,
		    .events = s->client[i]->replying ? POLLOUT : POLLIN,
		};
	}
	return n;
}

int
vt_server_run(struct vt_server *s, int stop_fd)
{
	struct pollfd p[VT_NEXUS_MAX + 2];
	size_t place[VT_NEXUS_MAX + 2];

	while (!s->stop) {
		size_t n = poll_fill(s, stop_fd, p, place);
		if (poll(p, (nfds_t)n, -1) < 0) {
			if (errno == EINTR)
				continue;
			return kms_fail(KMS_ERR_IO, "poll: %s",
			    strerror(errno));
		}
		if (p[0].revents)
			return 0;
		/* Departures and commands before arrivals: who connects
		 * after somebody closed finds him gone. */
		for (size_t i = 2; i < n; i++)
			if (p[i].revents)
				client_serve(s, place[i], p[i].revents);
		if (p[1].revents)
			client_accept(s);
	}
	return 0;
}
