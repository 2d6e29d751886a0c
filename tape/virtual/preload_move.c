/* MTIOCTOP, and where the tape is (st.rst; mtio.h). */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mtio.h>

#include "tape/virtual/preload.h"

enum {
	TIMEOUT_MS = 600000,
	GOOD = 0,
	CHECK = 2,
	NO_SENSE = 0,
	BLANK = 8,
	SPACE_BLOCKS = 0,
	SPACE_MARKS = 1,
	SPACE_END = 3,
	WEOF_IMMEDIATE = 35, /* MTWEOFI, which glibc's mtio.h lacks */
};
#define SPACE_MAX 0x7FFFFF

static int
fail(int e)
{
	errno = e;
	return -1;
}

/* A command without data that must end GOOD. */
static int
plain(struct vtp_node *n, const uint8_t *cdb, size_t len)
{
	struct vtp_cmd c = {.cdb_len = (uint8_t)len, .timeout_ms = TIMEOUT_MS};
	struct vtp_reply r;

	memcpy(c.cdb, cdb, len);
	if (vtp_exec(n, &c, &r) < 0 || r.status != GOOD)
		return fail(EIO);
	return 0;
}

static int
locate(struct vtp_node *n, uint32_t object)
{
	const uint8_t cdb[10] = {0x2B, 0, 0, (uint8_t)(object >> 24),
	    (uint8_t)(object >> 16), (uint8_t)(object >> 8), (uint8_t)object};

	return plain(n, cdb, sizeof(cdb));
}

/* Object number and filemarks before it, by the long form. */
static int
position(struct vtp_node *n, uint64_t *object, uint64_t *file)
{
	uint8_t b[32];
	struct vtp_cmd c = {.cdb = {0x34, 6},
	    .cdb_len = 10,
	    .dir = WIRE_IN,
	    .in = b,
	    .len = sizeof(b),
	    .timeout_ms = TIMEOUT_MS};
	struct vtp_reply r;

	if (vtp_exec(n, &c, &r) < 0 || r.status != GOOD || r.got < 32)
		return fail(EIO);
	*object = *file = 0;
	for (size_t i = 0; i < 8; i++) {
		*object = *object << 8 | b[8 + i];
		*file = *file << 8 | b[16 + i];
	}
	return 0;
}

int
vtp_st_tell(struct vtp_node *n, uint32_t *block)
{
	uint64_t object, file;

	if (!n->ready)
		return fail(EIO);
	if (position(n, &object, &file) < 0)
		return -1;
	*block = (uint32_t)object;
	return 0;
}

/*
 * The kernel counts blocks as they pass and knows nothing when it has not
 * seen them; the tape itself can be asked: how far back is the last
 * filemark, and is there something ahead? It is left where it was.
 */
static int
place(struct vtp_node *n, long *file, long *block, bool *at_end)
{
	uint64_t object, marks, start = 0;
	struct vtp_reply r;

	if (position(n, &object, &marks) < 0)
		return -1;
	if (marks > 0) {
		if (vtp_st_space(n, SPACE_MARKS, -1, &r) < 0 ||
		    position(n, &start, &(uint64_t){0}) < 0)
			return -1;
		start++;
		if (locate(n, (uint32_t)object) < 0)
			return -1;
	}
	if (vtp_st_space(n, SPACE_BLOCKS, 1, &r) < 0)
		return -1;
	*at_end = r.status == CHECK && r.key == BLANK;
	*file = (long)marks;
	*block = (long)(object - start);
	return locate(n, (uint32_t)object);
}

int
vtp_st_status(struct vtp_node *n, struct mtget *g)
{
	long file = -1, block = -1;
	bool at_end = false;

	memset(g, 0, sizeof(*g));
	g->mt_type = MT_ISSCSI2;
	if (n->ready && !n->unknown && place(n, &file, &block, &at_end) < 0)
		return -1;
	g->mt_fileno = (__daddr_t)file;
	g->mt_blkno = (__daddr_t)block;
	g->mt_dsreg = (long)n->density << MT_ST_DENSITY_SHIFT |
	    (long)(n->block_size & MT_ST_BLKSIZE_MASK);
	unsigned long s = GMT_IM_REP_EN(~0ul);
	if (n->protect)
		s |= GMT_WR_PROT(~0ul);
	if (block == 0)
		s |= file == 0 ? GMT_BOT(~0ul) : GMT_EOF(~0ul);
	if (n->mark == VTP_END_OK || n->mark == VTP_END_ERROR)
		s |= GMT_EOT(~0ul);
	else if (at_end)
		s |= GMT_EOD(~0ul);
	s |= n->ready ? GMT_ONLINE(~0ul) : GMT_DR_OPEN(~0ul);
	g->mt_gstat = (long)s;
	return 0;
}

/* SPACE; the end of data and a filemark in the way are errors. */
static int
space(struct vtp_node *n, uint8_t code, int32_t count)
{
	struct vtp_reply r;

	if (vtp_st_space(n, code, count, &r) < 0)
		return -1;
	n->mark = VTP_NO_MARK;
	if (r.status == GOOD)
		return 0;
	if (r.key == BLANK)
		n->mark = VTP_EOD;
	else if (r.key == NO_SENSE && r.filemark && count > 0)
		n->mark = VTP_BEHIND_MARK;
	return fail(EIO);
}

static int
to_end(struct vtp_node *n)
{
	int r = space(n, SPACE_END, 0);

	if (r == 0)
		n->mark = VTP_EOD;
	return r;
}

static int
forward_files(struct vtp_node *n, int32_t count)
{
	int r = space(n, SPACE_MARKS, count);

	if (r == 0)
		n->mark = VTP_BEHIND_MARK;
	return r;
}

/* MODE SELECT(6) with a block descriptor, as MTSETBLK, MTSETDENSITY and
 * MTSETDRVBUFFER: what does not change goes along as it is. */
static int
descriptor_set(struct vtp_node *n, uint8_t density, uint32_t block,
    uint8_t buffered)
{
	uint8_t list[12] = {0, 0, (uint8_t)(buffered << 4), 8, density, 0, 0, 0,
	    0, (uint8_t)(block >> 16), (uint8_t)(block >> 8), (uint8_t)block};
	struct vtp_cmd c = {.cdb = {0x15, 0x10, 0, 0, sizeof(list)},
	    .cdb_len = 6,
	    .dir = WIRE_OUT,
	    .out = list,
	    .len = sizeof(list),
	    .timeout_ms = TIMEOUT_MS};
	struct vtp_reply r;

	if (vtp_exec(n, &c, &r) < 0 || r.status != GOOD)
		return fail(EIO);
	n->block_size = block;
	n->density = density;
	n->buffered = buffered;
	return 0;
}

/* Data compression page: read it, change DCE, write it back. */
static int
compression_set(struct vtp_node *n, bool on)
{
	uint8_t b[20];
	struct vtp_cmd c = {.cdb = {0x1A, 0x08, 0x0F, 0, sizeof(b)},
	    .cdb_len = 6,
	    .dir = WIRE_IN,
	    .in = b,
	    .len = sizeof(b),
	    .timeout_ms = TIMEOUT_MS};
	struct vtp_reply r;

	if (vtp_exec(n, &c, &r) < 0 || r.status != GOOD || r.got != sizeof(b))
		return fail(EIO);
	b[0] = 0;
	b[6] = (uint8_t)((b[6] & 0x7F) | (on ? 0x80 : 0));
	c = (struct vtp_cmd){.cdb = {0x15, 0x10, 0, 0, sizeof(b)},
	    .cdb_len = 6,
	    .dir = WIRE_OUT,
	    .out = b,
	    .len = sizeof(b),
	    .timeout_ms = TIMEOUT_MS};
	if (vtp_exec(n, &c, &r) < 0 || r.status != GOOD)
		return fail(EIO);
	return 0;
}

static int
load_unload(struct vtp_node *n, bool load)
{
	const uint8_t cdb[6] = {0x1B, 0, 0, 0, load};

	if (plain(n, cdb, sizeof(cdb)) < 0)
		return -1;
	n->mark = VTP_NO_MARK;
	n->ready = load;
	return load ? vtp_st_open(n) : 0;
}

static int
rewind_tape(struct vtp_node *n)
{
	static const uint8_t cdb[6] = {0x01};

	n->mark = VTP_NO_MARK;
	return plain(n, cdb, sizeof(cdb));
}

static int
erase(struct vtp_node *n, bool whole)
{
	const uint8_t cdb[6] = {0x19, whole};

	return plain(n, cdb, sizeof(cdb));
}

static int
prevent(struct vtp_node *n, bool lock)
{
	const uint8_t cdb[6] = {0x1E, 0, 0, 0, lock};

	return plain(n, cdb, sizeof(cdb));
}

static int
operate(struct vtp_node *n, int16_t op, int32_t count)
{
	uint32_t u = (uint32_t)count;

	switch (op) {
	case MTFSF:
		return forward_files(n, count);
	case MTFSFM:
		return forward_files(n, count) < 0 ? -1
						   : space(n, SPACE_MARKS, -1);
	case MTBSF:
		return space(n, SPACE_MARKS, -count);
	case MTBSFM:
		return space(n, SPACE_MARKS, -count) < 0 ? -1
							 : forward_files(n, 1);
	case MTFSR:
		return space(n, SPACE_BLOCKS, count);
	case MTBSR:
		return space(n, SPACE_BLOCKS, -count);
	case MTEOM:
		return to_end(n);
	case MTWEOF:
	case WEOF_IMMEDIATE:
		return vtp_st_marks(n, u, op == WEOF_IMMEDIATE);
	case MTREW:
	case MTRETEN:
		return rewind_tape(n);
	case MTSEEK:
		n->mark = VTP_NO_MARK;
		return locate(n, u);
	case MTERASE:
		return erase(n, count != 0);
	case MTOFFL:
	case MTUNLOAD:
		return load_unload(n, false);
	case MTLOAD:
		return load_unload(n, true);
	case MTLOCK:
	case MTUNLOCK:
		return prevent(n, op == MTLOCK);
	case MTSETBLK:
		return descriptor_set(n, n->density, u, n->buffered);
	case MTSETDENSITY:
		return descriptor_set(n, (uint8_t)u, n->block_size,
		    n->buffered);
	case MTCOMPRESSION:
		return compression_set(n, (count & 1) != 0);
	case MTSETDRVBUFFER: /* or options of the kernel's driver */
		return (u & MT_ST_OPTIONS) != 0
		    ? 0
		    : descriptor_set(n, n->density, n->block_size, u & 7);
	case MTNOP:
		return 0;
	}
	return fail(EINVAL);
}

/* After a reset only what finds a known place again may go on. */
static bool
finds_place(int16_t op)
{
	return op == MTREW || op == MTOFFL || op == MTRETEN || op == MTERASE ||
	    op == MTSEEK || op == MTEOM;
}

static bool
leaves_data(int16_t op)
{
	return op == MTREW || op == MTOFFL || op == MTSEEK || op == MTBSF ||
	    op == MTBSFM;
}

static bool
keeps_motion(int16_t op)
{
	return op == MTNOP || op == MTSETBLK || op == MTSETDENSITY ||
	    op == MTSETDRVBUFFER;
}

/* A filemark that data came before, and that no read has told yet, counts as
 * not passed (the drive has passed it). */
static int32_t
untold_mark(struct vtp_node *n, int16_t op, int32_t count)
{
	if (n->mark != VTP_MARK_HIT)
		return count;
	if (op == MTFSF || op == MTFSFM)
		return count - 1;
	return op == MTBSF || op == MTBSFM ? count + 1 : count;
}

int
vtp_st_operate(struct vtp_node *n, const struct mtop *m)
{
	int16_t op = m->mt_op;
	int32_t count = m->mt_count;

	if (count < 0 ||
	    (count > SPACE_MAX && op != MTSEEK && op != MTSETDRVBUFFER))
		return fail(EINVAL);
	if (!n->ready && op != MTLOAD && op != MTNOP && op != MTOFFL &&
	    op != MTSETDRVBUFFER)
		return fail(ENOMEDIUM);
	if (n->unknown && !finds_place(op))
		return fail(EIO);
	n->unknown = false;
	count = untold_mark(n, op, count);
	if (n->motion == VTP_WRITING && leaves_data(op)) {
		if (vtp_st_marks(n, 1, false) < 0)
			return -1;
		count += op == MTBSF || op == MTBSFM;
	}
	if (!keeps_motion(op))
		n->motion = VTP_IDLE;
	return operate(n, op, count);
}
