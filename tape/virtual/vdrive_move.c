#include "tape/virtual/vdrive_move.h"

static bool
sync_tape(struct vt_drive *d, struct vt_command *c)
{
	if (!vt_drive_can_write(d) || vt_cartridge_sync(d->tape) == 0)
		return true;
	vt_command_fail(c, TAPE_KEY_MEDIUM, VT_WRITE_ERROR);
	return false;
}

void
vt_move_rewind(struct vt_drive *d, struct vt_nexus *n, struct vt_command *c)
{
	(void)n;
	if (sync_tape(d, c))
		d->at = 0;
}

static void
space_to(struct vt_command *c, enum tape_sense_key key, enum vt_asc code,
    uint64_t left)
{
	vt_command_residue(c, key, code, (int64_t)left);
	c->sense.filemark = code == VT_FILEMARK_DETECTED;
	c->sense.eom = code == VT_BEGINNING;
}

static void
at_end(const struct vt_drive *d, struct vt_command *c, uint64_t left)
{
	if (vt_cartridge_damaged(d->tape))
		space_to(c, TAPE_KEY_MEDIUM, VT_READ_ERROR, left);
	else
		space_to(c, TAPE_KEY_BLANK, VT_END_OF_DATA, left);
}

/* A filemark ends it on its far side. */
static void
blocks_forward(struct vt_drive *d, uint64_t count, struct vt_command *c)
{
	for (; count > 0; count--) {
		if (d->at == vt_cartridge_end(d->tape)) {
			at_end(d, c, count);
			return;
		}
		if (vt_cartridge_is_mark(d->tape, d->at++)) {
			space_to(c, TAPE_KEY_NO_SENSE, VT_FILEMARK_DETECTED,
			    count);
			return;
		}
	}
}

static void
blocks_back(struct vt_drive *d, uint64_t count, struct vt_command *c)
{
	for (; count > 0; count--) {
		if (d->at == 0) {
			space_to(c, TAPE_KEY_NO_SENSE, VT_BEGINNING, count);
			return;
		}
		if (vt_cartridge_is_mark(d->tape, --d->at)) {
			space_to(c, TAPE_KEY_NO_SENSE, VT_FILEMARK_DETECTED,
			    count);
			return;
		}
	}
}

static void
marks_forward(struct vt_drive *d, uint64_t count, struct vt_command *c)
{
	uint64_t before = vt_cartridge_marks(d->tape, d->at);
	uint64_t all = vt_cartridge_marks(d->tape, vt_cartridge_end(d->tape));

	if (count == 0)
		return;
	if (all - before < count) {
		d->at = vt_cartridge_end(d->tape);
		at_end(d, c, count - (all - before));
		return;
	}
	d->at = vt_cartridge_file(d->tape, before + count);
}

static void
marks_back(struct vt_drive *d, uint64_t count, struct vt_command *c)
{
	uint64_t before = vt_cartridge_marks(d->tape, d->at);

	if (count == 0)
		return;
	if (before < count) {
		d->at = 0;
		space_to(c, TAPE_KEY_NO_SENSE, VT_BEGINNING, count - before);
		return;
	}
	/* On the near side of it: one before what lies behind it. */
	d->at = vt_cartridge_file(d->tape, before - count + 1) - 1;
}

void
vt_move_space(struct vt_drive *d, struct vt_nexus *n, struct vt_command *c)
{
	enum { BLOCKS = 0, MARKS = 1, END = 3 };
	uint32_t raw = (uint32_t)c->cdb[2] << 16 | (uint32_t)c->cdb[3] << 8 |
	    (uint32_t)c->cdb[4];
	bool back = (raw & 0x800000) != 0;
	uint64_t count = back ? 0x1000000u - raw : raw;

	(void)n;
	switch (c->cdb[1] & 0x0F) {
	case BLOCKS:
		(back ? blocks_back : blocks_forward)(d, count, c);
		break;
	case MARKS:
		(back ? marks_back : marks_forward)(d, count, c);
		break;
	case END:
		d->at = vt_cartridge_end(d->tape);
		break;
	default:
		vt_command_bad_cdb(c, 1);
	}
}

static void
locate(struct vt_drive *d, uint64_t object, struct vt_command *c)
{
	if (object <= vt_cartridge_end(d->tape)) {
		d->at = object;
		return;
	}
	d->at = vt_cartridge_end(d->tape);
	vt_command_fail(c, TAPE_KEY_BLANK, VT_END_OF_DATA);
}

void
vt_move_locate10(struct vt_drive *d, struct vt_nexus *n, struct vt_command *c)
{
	(void)n;
	locate(d, kms_get32(c->cdb + 3), c);
}

void
vt_move_locate16(struct vt_drive *d, struct vt_nexus *n, struct vt_command *c)
{
	enum { OBJECT = 0, FILE_ID = 1, END = 3 };
	uint64_t id = kms_get64(c->cdb + 4);
	uint64_t end = vt_cartridge_end(d->tape);

	(void)n;
	switch (c->cdb[1] >> 3 & 7) {
	case OBJECT:
		locate(d, id, c);
		break;
	case FILE_ID:
		locate(d,
		    id <= vt_cartridge_marks(d->tape, end)
			? vt_cartridge_file(d->tape, id)
			: end + 1,
		    c);
		break;
	case END:
		d->at = end;
		break;
	default:
		vt_command_bad_cdb(c, 1);
	}
}

void
vt_move_load(struct vt_drive *d, struct vt_nexus *n, struct vt_command *c)
{
	enum { LOAD = 1 };

	if ((c->cdb[4] & LOAD) != 0) {
		if (!d->tape) {
			vt_command_fail(c, TAPE_KEY_NOT_READY, VT_NO_MEDIUM);
		} else if (!d->loaded) {
			vt_drive_load(d);
			vt_drive_tell(d, n, VT_ATTENTION_MEDIUM);
		} else {
			d->at = 0;
		}
		return;
	}
	if (!d->loaded || !sync_tape(d, c))
		return;
	for (size_t i = 0; i < VT_NEXUS_MAX; i++) {
		if (d->nexus[i] && d->nexus[i]->prevents) {
			vt_command_fail(c, TAPE_KEY_ILLEGAL,
			    VT_REMOVAL_PREVENTED);
			return;
		}
	}
	vt_drive_demount(d);
}

static uint8_t
position_flags(const struct vt_drive *d)
{
	uint64_t capacity = vt_cartridge_header(d->tape)->capacity;
	bool full = d->at == vt_cartridge_end(d->tape) &&
	    vt_cartridge_used(d->tape) >= capacity;

	return (uint8_t)((d->at == 0 ? 0x80u : 0u) | (full ? 0x40u : 0u));
}

/* Objects over 32 bits do not fit the short form (SSC-4 7.7.2). */
static void
position_short(const struct vt_drive *d, struct kms_wr *w)
{
	bool over = d->at > UINT32_MAX;
	uint8_t flags = (uint8_t)(position_flags(d) | (over ? 0x02u : 0u));

	kms_wr_u8(w, flags);
	kms_wr_zero(w, 3);
	kms_wr_u32(w, over ? 0 : (uint32_t)d->at);
	kms_wr_u32(w, over ? 0 : (uint32_t)d->at);
	kms_wr_zero(w, 8);
}

static void
position_long(const struct vt_drive *d, struct kms_wr *w)
{
	kms_wr_u8(w, position_flags(d));
	kms_wr_zero(w, 7);
	kms_wr_u64(w, d->at);
	kms_wr_u64(w, vt_cartridge_marks(d->tape, d->at));
	kms_wr_zero(w, 8);
}

static void
position_extended(const struct vt_drive *d, struct kms_wr *w)
{
	kms_wr_u8(w, position_flags(d));
	kms_wr_u8(w, 0);
	kms_wr_u16(w, 0x1C);
	kms_wr_zero(w, 4);
	kms_wr_u64(w, d->at);
	kms_wr_u64(w, d->at);
	kms_wr_zero(w, 8);
}

void
vt_move_position(struct vt_drive *d, struct vt_nexus *n, struct vt_command *c)
{
	enum { SHORT = 0, SHORT_VENDOR = 1, LONG = 6, EXTENDED = 8 };
	uint8_t buf[32], form = c->cdb[1] & 0x1F;
	struct kms_wr w;

	(void)n;
	kms_wr_fixed(&w, buf, sizeof(buf));
	if (form == SHORT || form == SHORT_VENDOR) {
		position_short(d, &w);
	} else if (form == LONG) {
		position_long(d, &w);
	} else if (form == EXTENDED) {
		position_extended(d, &w);
	} else {
		vt_command_bad_cdb(c, 1);
		return;
	}
	/* Only the extended form has an allocation length. */
	vt_command_reply(c, &w,
	    form == EXTENDED ? kms_get16(c->cdb + 7) : sizeof(buf));
}
