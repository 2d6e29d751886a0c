/*
 * Reading and writing as Linux's st driver does it (Documentation/scsi/
 * st.rst): variable and fixed blocks, end of file at a filemark, ENOSPC at
 * the early warning, a filemark when a writer closes. Left out: fixed-block
 * reads that are no multiple of the block (EINVAL), and exclusive opening.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mtio.h>

#include "tape/virtual/preload.h"

enum {
	TIMEOUT_MS = 600000,
	ATTENTIONS = 10,
	GOOD = 0,
	NO_SENSE = 0,
	RECOVERED = 1,
	NOT_READY = 2,
	MEDIUM = 3,
	ATTENTION = 6,
	BLANK = 8,
	OVERFLOW = 13,
	ASC_MEDIUM_CHANGED = 0x28,
	ASC_RESET = 0x29,
	ASC_SECURITY = 0x74,
	ASCQ_NO_KEY = 0x01,
	ASCQ_WRONG_KEY = 0x03,
};

static int
fail(int e)
{
	errno = e;
	return -1;
}

/*
 * A command of the driver itself. Parameters that somebody else changed are
 * no business of a reader or writer; a reset or another tape is.
 */
static int
run(struct vtp_node *n, struct vtp_cmd *c, struct vtp_reply *r)
{
	c->timeout_ms = TIMEOUT_MS;
	for (int i = 0; i < ATTENTIONS; i++) {
		if (vtp_exec(n, c, r) < 0)
			return fail(EIO);
		if (r->status != 2 || r->key != ATTENTION)
			return 0;
		if (r->asc == ASC_RESET)
			n->unknown = true;
		if (r->asc == ASC_RESET || r->asc == ASC_MEDIUM_CHANGED)
			return 0;
	}
	return 0;
}

static struct vtp_cmd
in_cmd(uint8_t op, void *in, size_t len)
{
	return (struct vtp_cmd){.cdb = {op},
	    .cdb_len = 6,
	    .dir = WIRE_IN,
	    .in = in,
	    .len = len};
}

/* 0 ready, 1 no tape or not ready. Attentions are taken in on the way. */
static int
test_ready(struct vtp_node *n, struct vtp_reply *r)
{
	struct vtp_cmd c = {.cdb_len = 6};

	for (int i = 0; i < ATTENTIONS; i++) {
		if (run(n, &c, r) < 0)
			return -1;
		if (r->status == GOOD)
			return 0;
		if (r->key != ATTENTION)
			return r->key == NOT_READY ? 1 : fail(EIO);
	}
	return fail(EIO);
}

static int
limits_read(struct vtp_node *n)
{
	uint8_t b[12];
	struct vtp_cmd limits = in_cmd(0x05, b, 6);
	struct vtp_cmd mode = in_cmd(0x1A, b, 12);
	struct vtp_reply r;

	mode.cdb[4] = 12;
	if (run(n, &limits, &r) < 0)
		return -1;
	if (r.status != GOOD || r.got < 6)
		return fail(EIO);
	n->block_max = (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 |
	    (uint32_t)b[3];
	n->block_min = (uint32_t)b[4] << 8 | (uint32_t)b[5];
	if (run(n, &mode, &r) < 0)
		return -1;
	if (r.status != GOOD || r.got < 12)
		return fail(EIO);
	n->protect = (b[2] & 0x80) != 0;
	n->buffered = b[2] >> 4 & 7;
	n->density = b[4];
	n->block_size = (uint32_t)b[9] << 16 | (uint32_t)b[10] << 8 |
	    (uint32_t)b[11];
	return 0;
}

/* An empty drive is told at once; the kernel would wait two minutes. */
int
vtp_st_open(struct vtp_node *n)
{
	bool writes = (n->flags & O_ACCMODE) != O_RDONLY;
	bool waits = (n->flags & O_NONBLOCK) == 0;
	struct vtp_reply r;

	int not_ready = test_ready(n, &r);
	if (not_ready < 0)
		return -1;
	n->unknown = false;
	n->ready = !not_ready;
	if (not_ready)
		return waits ? fail(ENOMEDIUM) : 0;
	if (limits_read(n) < 0)
		return -1;
	return n->protect && writes && waits ? fail(EROFS) : 0;
}

/* What a program must have done before it may read or write. */
static int
io_check(const struct vtp_node *n, size_t len)
{
	if (n->kind == VTP_SG)
		return fail(EINVAL);
	if (!n->ready)
		return fail(ENOMEDIUM);
	if (n->unknown)
		return fail(EIO);
	if (n->block_size && len % n->block_size != 0)
		return fail(EINVAL);
	if (len > WIRE_DATA_MAX && n->block_size)
		return fail(EINVAL);
	return 0;
}

static void
count_put(const struct vtp_node *n, size_t len, struct vtp_cmd *c)
{
	size_t v = n->block_size ? len / n->block_size : len;

	c->cdb[1] = n->block_size != 0;
	c->cdb[2] = (uint8_t)(v >> 16);
	c->cdb[3] = (uint8_t)(v >> 8);
	c->cdb[4] = (uint8_t)v;
}

/* The block has another length than asked for. */
static ssize_t
wrong_length(struct vtp_node *n, const struct vtp_reply *r, size_t len)
{
	struct vtp_reply back;

	if (n->block_size == 0)
		return r->residue < 0 || (uint64_t)r->residue > len
		    ? fail(ENOMEM)
		    : (ssize_t)(len - (size_t)r->residue);
	/* In front of the odd block again. */
	if (vtp_st_space(n, 0, -1, &back) < 0 || back.status != GOOD ||
	    r->got == 0)
		return fail(EIO);
	return (ssize_t)r->got;
}

/*
 * Is the object before this place a filemark? The kernel's driver would know
 * from the process that read it; the tape is left where it was.
 */
static bool
is_behind_mark(struct vtp_node *n)
{
	struct vtp_reply back, forth;

	if (vtp_st_space(n, 0, -1, &back) < 0)
		return false;
	bool mark = back.status == 2 && back.filemark;
	if (!mark && back.status != GOOD)
		return false;
	return vtp_st_space(n, 0, 1, &forth) == 0 && mark;
}

/* What a read brought, before the filemark state is told. */
static ssize_t
read_result(struct vtp_node *n, const struct vtp_reply *r, size_t len)
{
	if (r->status == GOOD)
		return (ssize_t)r->got;
	if (r->status != 2)
		return fail(r->status == 0x18 ? EBUSY : EIO);
	if (r->key == NO_SENSE && r->filemark) {
		n->mark = VTP_MARK_HIT;
		return n->block_size ? (ssize_t)r->got : 0;
	}
	if (r->key == NO_SENSE && r->ili)
		return wrong_length(n, r, len);
	if (r->key == BLANK && n->block_size && r->got > 0)
		return (ssize_t)r->got;
	if (r->key == BLANK &&
	    (n->mark == VTP_BEHIND_MARK ||
		(n->mark == VTP_NO_MARK && is_behind_mark(n)))) {
		n->mark = VTP_EOD_2;
		return 0;
	}
	return fail(EIO);
}

/* Nothing came: the filemark has been told, or the end a second time. */
static void
mark_advance(struct vtp_node *n, ssize_t got)
{
	if (got > 0 && n->mark == VTP_BEHIND_MARK)
		n->mark = VTP_NO_MARK;
	else if (got == 0 && n->mark == VTP_MARK_HIT)
		n->mark = VTP_BEHIND_MARK;
	else if (got == 0 && n->mark == VTP_EOD_2)
		n->mark = VTP_EOD;
}

/* The tape stands before a block that needs another key (SSC-4 4.2.22). */
static bool
needs_key(const struct vtp_reply *r)
{
	return r->status == 2 && r->asc == ASC_SECURITY &&
	    (r->ascq == ASCQ_NO_KEY || r->ascq == ASCQ_WRONG_KEY);
}

/*
 * READ, and again for what is left once the next key is in the drive. Asked
 * once for each block: a key that does not help is not asked for again.
 * *done: bytes of fixed blocks that came before the change of keys.
 */
static int
read_on(struct vtp_node *n, uint8_t *buf, size_t len, size_t *done,
    struct vtp_reply *r)
{
	bool asked = false;

	*done = 0;
	for (;;) {
		struct vtp_cmd c = in_cmd(0x08, buf + *done, len - *done);
		count_put(n, len - *done, &c);
		if (run(n, &c, r) < 0)
			return -1;
		if (!needs_key(r))
			return 0;
		asked = asked && r->got == 0;
		*done += r->got;
		r->got = 0;
		if (asked || !vtp_next_key_loaded())
			return 0;
		asked = true;
	}
}

ssize_t
vtp_st_read(struct vtp_node *n, void *buf, size_t len)
{
	size_t room = len < WIRE_DATA_MAX ? len : WIRE_DATA_MAX, done;
	struct vtp_reply r;

	if ((n->flags & O_ACCMODE) == O_WRONLY)
		return fail(EBADF);
	if (io_check(n, len) < 0)
		return -1;
	if (len == 0)
		return 0;
	if (n->mark >= VTP_EOD_1) {
		if (n->mark >= VTP_EOD)
			return fail(EIO);
		n->mark++;
		return 0;
	}
	n->motion = VTP_READING;
	if (n->mark == VTP_MARK_HIT) {
		mark_advance(n, 0);
		return 0;
	}
	if (read_on(n, buf, room, &done, &r) < 0)
		return -1;
	ssize_t got = read_result(n, &r, room - done);
	if (done > 0)
		got = (ssize_t)done + (got > 0 ? got : 0);
	mark_advance(n, got);
	return got;
}

/* Some or all did not get on tape: what was written counts, if any. */
static ssize_t
write_result(struct vtp_node *n, const struct vtp_reply *r, size_t len)
{
	uint64_t left = r->residue > 0 ? (uint64_t)r->residue : 0;

	if (r->status == GOOD) {
		if (n->mark == VTP_EOD_1)
			n->mark = VTP_END_OK;
		else if (n->mark != VTP_END_OK)
			n->mark = VTP_NO_MARK;
		return (ssize_t)len;
	}
	if (r->status != 2 || !r->eom ||
	    (r->key != NO_SENSE && r->key != RECOVERED && r->key != OVERFLOW))
		return fail(r->status == 0x18 ? EBUSY : EIO);
	left *= n->block_size ? n->block_size : 1;
	if (left > len)
		left = len;
	n->mark = VTP_END_OK;
	return left < len ? (ssize_t)(len - left) : fail(ENOSPC);
}

static int
write_check(struct vtp_node *n, size_t len)
{
	if ((n->flags & O_ACCMODE) == O_RDONLY)
		return fail(EBADF);
	if (io_check(n, len) < 0)
		return -1;
	if (n->block_size == 0 && len != 0 &&
	    (len < n->block_min || len > n->block_max))
		return fail(EINVAL);
	if (n->protect)
		return fail(EACCES);
	if (n->mark == VTP_END_OK) {
		n->mark = VTP_EOD_1;
		return fail(ENOSPC);
	}
	return n->mark == VTP_END_ERROR ? fail(EIO) : 0;
}

ssize_t
vtp_st_write(struct vtp_node *n, const void *buf, size_t len)
{
	struct vtp_cmd c = {.cdb = {0x0A},
	    .cdb_len = 6,
	    .dir = WIRE_OUT,
	    .out = buf,
	    .len = len};
	struct vtp_reply r;

	if (write_check(n, len) < 0)
		return -1;
	if (len == 0)
		return 0;
	count_put(n, len, &c);
	n->motion = VTP_WRITING;
	if (run(n, &c, &r) < 0)
		return -1;
	return write_result(n, &r, len);
}

int
vtp_st_marks(struct vtp_node *n, uint32_t count, bool immediate)
{
	struct vtp_cmd c = {.cdb = {0x10, immediate, (uint8_t)(count >> 16),
				(uint8_t)(count >> 8), (uint8_t)count},
	    .cdb_len = 6};
	struct vtp_reply r;

	if (run(n, &c, &r) < 0)
		return -1;
	bool warned = r.status == 2 && r.eom && r.residue == 0 &&
	    (r.key == NO_SENSE || r.key == RECOVERED);
	if (r.status != GOOD && !warned)
		return fail(r.key == OVERFLOW ? ENOSPC : EIO);
	n->motion = VTP_IDLE;
	n->mark = VTP_BEHIND_MARK;
	return 0;
}

/* The last close: a filemark behind what was written, and so on. */
int
vtp_st_finish(struct vtp_node *n)
{
	const struct mtop rewind = {MTREW, 1};
	struct vtp_reply r;
	int result = 0;

	if (!n->ready || n->unknown)
		return 0;
	if (n->motion == VTP_WRITING)
		result = vtp_st_marks(n, 1, false);
	else if (n->kind == VTP_NST && n->mark == VTP_MARK_HIT)
		result = vtp_st_space(n, 1, -1, &r);
	if (n->kind == VTP_ST && vtp_st_operate(n, &rewind) < 0)
		result = -1;
	return result;
}

int
vtp_st_space(struct vtp_node *n, uint8_t code, int32_t count,
    struct vtp_reply *r)
{
	struct vtp_cmd c = {.cdb = {0x11, code,
				(uint8_t)((uint32_t)count >> 16),
				(uint8_t)((uint32_t)count >> 8),
				(uint8_t)count},
	    .cdb_len = 6};

	return run(n, &c, r);
}

static int
tell(struct vtp_node *n, void *arg)
{
	struct mtpos p = {0};
	uint32_t block;

	if (vtp_st_tell(n, &block) < 0)
		return -1;
	p.mt_blkno = block;
	memcpy(arg, &p, sizeof(p));
	return 0;
}

int
vtp_st_ioctl(struct vtp_node *n, unsigned long request, void *arg)
{
	struct mtop op;
	struct mtget get;

	if (n->kind == VTP_SG ||
	    (request != MTIOCTOP && request != MTIOCGET && request != MTIOCPOS))
		return vtp_sg_ioctl(n, request, arg);
	if (!arg)
		return fail(EFAULT);
	if (request == MTIOCPOS)
		return tell(n, arg);
	if (request == MTIOCTOP) {
		memcpy(&op, arg, sizeof(op));
		return vtp_st_operate(n, &op);
	}
	if (vtp_st_status(n, &get) < 0)
		return -1;
	memcpy(arg, &get, sizeof(get));
	return 0;
}
