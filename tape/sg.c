#include "tape/sg.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <scsi/sg_cmds_basic.h>
#include <scsi/sg_pt.h>

#define SG_MAJOR 21u
#define SPOUT 0xB5u
#define DID_TIME_OUT 0x03
#define DID_NO_CONNECT 0x01

struct sg {
	struct tape_transport t; /* first: the two are cast to each other */
	char *node;
	int fd; /* -1: closed until the next command */
	struct sg_pt_base *pt;
};

static struct sg *
self(struct tape_transport *t)
{
	return (struct sg *)(void *)t;
}

static void
sg_shut(struct sg *s)
{
	if (s->pt)
		destruct_scsi_pt_obj(s->pt);
	s->pt = NULL;
	if (s->fd >= 0)
		sg_cmds_close_device(s->fd);
	s->fd = -1;
}

/* A node that its group may not open either is a matter of udev's rules: it
 * gives drives and changers to group tape (50-udev-default.rules). */
static int
denied(const char *node)
{
	struct stat st = {.st_mode = 0};
	const struct group *g = NULL;
	const char *name;

	if (stat(node, &st) == 0)
		g = getgrgid(st.st_gid);
	name = g ? g->gr_name : "tape";
	if (g && (st.st_mode & 0060) != 0060)
		return kms_fail(KMS_ERR_DENIED,
		    "%s: permission denied; its group %s may not read and "
		    "write it (mode %04o): let udev give it to group tape, "
		    "mode 0660",
		    node, name, st.st_mode & 07777u);
	return kms_fail(KMS_ERR_DENIED,
	    "%s: permission denied; it must be opened for reading and "
	    "writing: add the user to group %s and log in again",
	    node, name);
}

static int
open_failed(const char *node, int e)
{
	switch (e) {
	case EACCES:
	case EPERM:
		return denied(node);
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return kms_fail(KMS_ERR_NOTFOUND,
		    "%s: no such drive; see p11kmsdrive -list", node);
	case EBUSY:
		return kms_fail(KMS_ERR_BUSY,
		    "%s: another program holds it alone; try again", node);
	default:
		return kms_fail(KMS_ERR_IO, "%s: %s", node, strerror(e));
	}
}

static int
sg_reopen(struct sg *s)
{
	struct stat st;

	if (s->fd >= 0)
		return 0;
	int fd = sg_cmds_open_flags(s->node, O_RDWR | O_NONBLOCK | O_CLOEXEC,
	    0);
	if (fd < 0)
		return open_failed(s->node, -fd);
	s->fd = fd;
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) ||
	    major(st.st_rdev) != SG_MAJOR) {
		sg_shut(s);
		return kms_fail(KMS_ERR_USAGE,
		    "%s: not a SCSI generic node; use /dev/sgN or /dev/nstN "
		    "(see p11kmsdrive -list)",
		    s->node);
	}
	s->pt = construct_scsi_pt_obj_with_fd(fd, 0);
	if (s->pt && get_scsi_pt_os_err(s->pt) == 0)
		return 0;
	int e = s->pt ? get_scsi_pt_os_err(s->pt) : ENOMEM;
	sg_shut(s);
	return kms_fail(KMS_ERR_IO, "%s: %s", s->node, strerror(e));
}

static int
transport_failed(const struct sg *s)
{
	char text[128];
	int host = get_scsi_pt_transport_err(s->pt) & 0xFFFF;

	if (host == DID_TIME_OUT)
		return kms_fail(KMS_ERR_TIMEOUT, "%s: no answer in time",
		    s->node);
	if (host == DID_NO_CONNECT)
		return kms_fail(KMS_ERR_IO, "%s: the drive is gone", s->node);
	return kms_fail(KMS_ERR_IO, "%s: %s", s->node,
	    get_scsi_pt_transport_err_str(s->pt, sizeof(text), text));
}

static int
os_failed(const struct sg *s, int e)
{
	switch (e) {
	case EPERM:
	case EACCES:
		return denied(s->node);
	case ETIMEDOUT:
		return kms_fail(KMS_ERR_TIMEOUT, "%s: no answer in time",
		    s->node);
	case ENODEV:
	case ENXIO:
		return kms_fail(KMS_ERR_IO, "%s: the drive is gone", s->node);
	default:
		return kms_fail(KMS_ERR_IO, "%s: %s", s->node, strerror(e));
	}
}

static void
reply_take(const struct sg *s, const struct tape_cmd *cmd,
    struct tape_reply *reply)
{
	int status = get_scsi_pt_status_response(s->pt);
	int sense = get_scsi_pt_sense_len(s->pt);
	int resid = get_scsi_pt_resid(s->pt);

	reply->status = (uint8_t)status;
	/* Some host adapters deliver sense without the status (GOOD). */
	if (get_scsi_pt_result_category(s->pt) == SCSI_PT_RESULT_SENSE &&
	    status == 0)
		reply->status = 0x02;
	if (sense > 0)
		reply->sense_len = (size_t)sense < TAPE_SENSE_MAX
		    ? (size_t)sense
		    : TAPE_SENSE_MAX;
	if (cmd->dir != TAPE_IN)
		return;
	reply->got = cmd->len;
	if (resid > 0)
		reply->got = (size_t)resid < cmd->len ? cmd->len - (size_t)resid
						      : 0;
}

static int
sg_send(struct sg *s, const struct tape_cmd *cmd, struct tape_reply *reply)
{
	clear_scsi_pt_obj(s->pt);
	set_scsi_pt_cdb(s->pt, cmd->cdb, cmd->cdb_len);
	set_scsi_pt_sense(s->pt, reply->sense, TAPE_SENSE_MAX);
	if (cmd->dir == TAPE_IN)
		set_scsi_pt_data_in(s->pt, cmd->in, (int)cmd->len);
	else if (cmd->dir == TAPE_OUT)
		set_scsi_pt_data_out(s->pt, cmd->out, (int)cmd->len);
	int r = do_scsi_pt(s->pt, -1, (int)((cmd->timeout_ms + 999) / 1000), 0);
	if (r < 0)
		return os_failed(s, -r);
	if (r == SCSI_PT_DO_TIMEOUT)
		return kms_fail(KMS_ERR_TIMEOUT, "%s: no answer in time",
		    s->node);
	if (r > 0)
		return kms_fail(KMS_ERR_INTERNAL,
		    "%s: SCSI pass-through refused the command (%d)", s->node,
		    r);
	switch (get_scsi_pt_result_category(s->pt)) {
	case SCSI_PT_RESULT_TRANSPORT_ERR:
		return transport_failed(s);
	case SCSI_PT_RESULT_OS_ERR:
		return os_failed(s, get_scsi_pt_os_err(s->pt));
	default:
		reply_take(s, cmd, reply);
		return 0;
	}
}

static int
sg_exec(struct tape_transport *t, const struct tape_cmd *cmd,
    struct tape_reply *reply)
{
	struct sg *s = self(t);

	memset(reply, 0, sizeof(*reply));
	if (cmd->dir == TAPE_IN)
		memset(cmd->in, 0, cmd->len);
	int err = sg_reopen(s);
	if (!err)
		err = sg_send(s, cmd, reply);
	if (cmd->cdb[0] == SPOUT)
		sg_shut(s);
	return err;
}

static void
sg_close(struct tape_transport **t)
{
	if (!t || !*t)
		return;
	struct sg *s = self(*t);
	sg_shut(s);
	free(s->node);
	free(s);
	*t = NULL;
}

int
tape_sg_open(const char *node, struct tape_transport **out)
{
	*out = NULL;
	struct sg *s = calloc(1, sizeof(*s));
	if (s)
		s->node = strdup(node);
	if (!s || !s->node) {
		free(s);
		return kms_fail(KMS_ERR_MEMORY, "%s: out of memory", node);
	}
	s->fd = -1;
	s->t.exec = sg_exec;
	s->t.close = sg_close;
	int err = sg_reopen(s);
	if (err) {
		struct tape_transport *t = &s->t;
		sg_close(&t);
		return err;
	}
	*out = &s->t;
	return 0;
}
