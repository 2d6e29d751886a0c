/* SG_IO (version 3) and the small ioctls of SCSI generic. */
#include <errno.h>
#include <scsi/scsi.h>
#include <scsi/sg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "tape/virtual/preload.h"

enum {
	VERSION = 30536,
	RESERVED_SIZE = 32768,
	TIMEOUT_JIFFIES = 6000,
	CHECK = 2,
	DID_TIME_OUT = 3,
	DRIVER_SENSE = 8,
	GET_IDLUN = 0x5382,
	GET_BUS_NUMBER = 0x5386,
};

static int
fail(int e)
{
	errno = e;
	return -1;
}

static int
direction(int dxfer, uint8_t *dir)
{
	switch (dxfer) {
	case SG_DXFER_NONE:
		*dir = WIRE_NONE;
		return 0;
	case SG_DXFER_TO_DEV:
		*dir = WIRE_OUT;
		return 0;
	case SG_DXFER_FROM_DEV:
	case SG_DXFER_TO_FROM_DEV:
		*dir = WIRE_IN;
		return 0;
	}
	return fail(EINVAL);
}

static unsigned
elapsed_ms(const struct timespec *from)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (unsigned)((t.tv_sec - from->tv_sec) * 1000 +
	    (t.tv_nsec - from->tv_nsec) / 1000000);
}

static void
reply_put(sg_io_hdr_t *h, const struct vtp_reply *r)
{
	h->status = r->status;
	h->masked_status = (unsigned char)(r->status >> 1 & 0x1F);
	h->msg_status = 0;
	h->host_status = 0;
	h->driver_status = r->sense_len > 0 ? DRIVER_SENSE : 0;
	h->sb_len_wr = 0;
	if (h->sbp && r->sense_len > 0) {
		size_t n = r->sense_len < h->mx_sb_len ? r->sense_len
						       : h->mx_sb_len;
		memcpy(h->sbp, r->sense, n);
		h->sb_len_wr = (unsigned char)n;
	}
	h->resid = h->dxfer_direction == SG_DXFER_TO_DEV
	    ? 0
	    : (int)(h->dxfer_len - r->got);
	h->info = r->status ? SG_INFO_CHECK : SG_INFO_OK;
}

static int
command_take(const sg_io_hdr_t *h, struct vtp_cmd *c)
{
	if (h->interface_id != 'S' || h->iovec_count != 0 || !h->cmdp ||
	    h->cmd_len < 6 || h->cmd_len > WIRE_CDB_MAX ||
	    h->dxfer_len > WIRE_DATA_MAX || (h->dxfer_len > 0 && !h->dxferp))
		return fail(EINVAL);
	if (direction(h->dxfer_direction, &c->dir) < 0)
		return -1;
	memcpy(c->cdb, h->cmdp, h->cmd_len);
	c->cdb_len = h->cmd_len;
	c->in = c->dir == WIRE_IN ? h->dxferp : NULL;
	c->out = c->dir == WIRE_OUT ? h->dxferp : NULL;
	c->len = c->dir == WIRE_NONE ? 0 : h->dxfer_len;
	c->timeout_ms = h->timeout < 1u << 30 ? (int)h->timeout : -1;
	if (c->timeout_ms == 0)
		c->timeout_ms = 60000;
	return 0;
}

static int
sg_io(struct vtp_node *n, void *arg)
{
	sg_io_hdr_t h;
	struct vtp_cmd c = {.cdb_len = 0};
	struct vtp_reply r;
	struct timespec start;

	memcpy(&h, arg, sizeof(h));
	if (command_take(&h, &c) < 0)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &start);
	if (vtp_exec(n, &c, &r) < 0) {
		if (errno != ETIMEDOUT)
			return fail(EIO);
		reply_put(&h, &r);
		h.host_status = DID_TIME_OUT;
		h.info = SG_INFO_CHECK;
	} else {
		reply_put(&h, &r);
	}
	h.duration = elapsed_ms(&start);
	memcpy(arg, &h, sizeof(h));
	return 0;
}

static int
put_int(void *arg, int v)
{
	memcpy(arg, &v, sizeof(v));
	return 0;
}

int
vtp_sg_ioctl(struct vtp_node *n, unsigned long request, void *arg)
{
	static const int idlun[2] = {0, 0};

	if (request == SG_GET_TIMEOUT)
		return TIMEOUT_JIFFIES;
	if (!arg)
		return fail(EFAULT);
	switch (request) {
	case SG_IO:
		return sg_io(n, arg);
	case SG_GET_VERSION_NUM:
		return put_int(arg, VERSION);
	case SG_GET_RESERVED_SIZE:
		return put_int(arg, RESERVED_SIZE);
	case SG_SET_RESERVED_SIZE:
	case SG_SET_TIMEOUT:
		return 0;
	case GET_IDLUN:
		memcpy(arg, idlun, sizeof(idlun));
		return 0;
	case GET_BUS_NUMBER:
		return put_int(arg, 0);
	}
	return fail(ENOTTY);
}
