#include "tape/virtual/command.h"

#include <string.h>

void
vt_command_answer(struct vt_command *c)
{
	c->answered = true;
	if (c->answer)
		c->answer(c);
}

void
vt_command_fail(struct vt_command *c, enum tape_sense_key key, enum vt_asc code)
{
	c->status = TAPE_CHECK;
	c->sense.key = (uint8_t)key;
	c->sense.asc = (uint8_t)((unsigned)code >> 8);
	c->sense.ascq = (uint8_t)((unsigned)code & 0xFF);
}

void
vt_command_residue(struct vt_command *c, enum tape_sense_key key,
    enum vt_asc code, int64_t residue)
{
	vt_command_fail(c, key, code);
	c->sense.has_info = true;
	c->sense.info = (uint64_t)residue;
}

static void
bad_field(struct vt_command *c, bool in_cdb, size_t byte)
{
	vt_command_fail(c, TAPE_KEY_ILLEGAL,
	    in_cdb ? VT_INVALID_CDB : VT_INVALID_LIST);
	c->sense.has_field = true;
	c->sense.field_in_cdb = in_cdb;
	c->sense.field = (uint16_t)byte;
}

void
vt_command_bad_cdb(struct vt_command *c, size_t byte)
{
	bad_field(c, true, byte);
}

void
vt_command_bad_list(struct vt_command *c, size_t byte)
{
	bad_field(c, false, byte);
}

void
vt_command_reply(struct vt_command *c, const struct kms_wr *w, size_t alloc)
{
	size_t n = w->len;

	if (w->err) {
		vt_command_fail(c, TAPE_KEY_HARDWARE, VT_INTERNAL);
		return;
	}
	if (n > alloc)
		n = alloc;
	if (n > c->in_cap)
		n = c->in_cap;
	if (n > 0)
		memcpy(c->in, w->p, n);
	c->in_len = n;
}
