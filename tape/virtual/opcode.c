#include "tape/virtual/opcode.h"

#include <string.h>

#include "tape/virtual/vdrive_block.h"
#include "tape/virtual/vdrive_info.h"
#include "tape/virtual/vdrive_mode.h"
#include "tape/virtual/vdrive_move.h"
#include "tape/virtual/vdrive_tde.h"

enum {
	ALWAYS = 1, /* despite attentions and reservations of others */
	SHARED = 2, /* despite reservations of others */
	LOADED = 4, /* needs a tape */
};

struct row {
	uint8_t op, len, flags;
	/* Bits an initiator may set, from byte 1; the control byte is zero. */
	uint8_t usage[15];
	void (*run)(struct vt_drive *, struct vt_nexus *, struct vt_command *);
};

#define FF 0xFF
/* clang-format off */
static const struct row table[] = {
    {0x00,  6, LOADED, {0}, vt_info_test_ready},
    {0x01,  6, LOADED, {0x01}, vt_move_rewind},
    {0x03,  6, ALWAYS, {0x01, 0, 0, FF}, vt_info_request_sense},
    {0x05,  6, 0,      {0}, vt_info_block_limits},
    {0x08,  6, LOADED, {0x03, FF, FF, FF}, vt_block_read},
    {0x0A,  6, LOADED, {0x01, FF, FF, FF}, vt_block_write},
    {0x10,  6, LOADED, {0x01, FF, FF, FF}, vt_block_write_marks},
    {0x11,  6, LOADED, {0x0F, FF, FF, FF}, vt_move_space},
    {0x12,  6, ALWAYS, {0x01, FF, FF, FF}, vt_info_inquiry},
    {0x15,  6, 0,      {0x10, 0, 0, FF}, vt_mode_select},
    {0x16,  6, 0,      {0}, vt_info_reserve},
    {0x17,  6, SHARED, {0}, vt_info_release},
    {0x19,  6, LOADED, {0x03}, vt_block_erase},
    {0x1A,  6, 0,      {0x08, FF, FF, FF}, vt_mode_sense},
    {0x1B,  6, 0,      {0x01, 0, 0, 0x0F}, vt_move_load},
    {0x1E,  6, SHARED, {0, 0, 0, 0x03}, vt_info_prevent},
    {0x2B, 10, LOADED, {0x05, 0, FF, FF, FF, FF}, vt_move_locate10},
    {0x34, 10, LOADED, {0x1F, 0, 0, 0, 0, 0, FF, FF}, vt_move_position},
    {0x4D, 10, 0,      {0, FF, 0, 0, 0, 0, FF, FF}, vt_info_log_sense},
    {0x55, 10, 0,      {0x10, 0, 0, 0, 0, 0, FF, FF}, vt_mode_select},
    {0x5A, 10, 0,      {0x18, FF, FF, 0, 0, 0, FF, FF}, vt_mode_sense},
    {0x8C, 16, LOADED, {0x1F, 0, 0, 0, 0, 0, 0, FF, FF, FF, FF, FF, FF, 0x01},
	vt_info_read_attribute},
    {0x92, 16, LOADED, {0x39, 0, 0, FF, FF, FF, FF, FF, FF, FF, FF},
	vt_move_locate16},
    {0xA2, 12, SHARED, {FF, FF, FF, 0, 0, FF, FF, FF, FF}, vt_tde_in},
    {0xB5, 12, 0,      {FF, FF, FF, 0, 0, FF, FF, FF, FF}, vt_tde_out},
};
/* clang-format on */

static const struct row *
row_find(uint8_t op)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].op == op)
			return &table[i];
	return NULL;
}

/* The first byte with a bit that must be zero; 0 when there is none. */
static size_t
reserved_find(const struct row *r, const struct vt_command *c)
{
	for (size_t i = 1; i < r->len; i++)
		if ((c->cdb[i] & ~r->usage[i - 1]) != 0)
			return i;
	return 0;
}

static bool
may_run(const struct vt_drive *d, struct vt_nexus *n, const struct row *r,
    struct vt_command *c)
{
	if ((r->flags & ALWAYS) == 0 &&
	    (vt_nexus_attention(n, &c->sense) ||
		vt_nexus_deferred(n, &c->sense))) {
		c->status = TAPE_CHECK;
		return false;
	}
	if ((r->flags & (ALWAYS | SHARED)) == 0 && d->reserved &&
	    d->reserved != n) {
		c->status = TAPE_RESERVED;
		return false;
	}
	size_t bad = d->opt.lenient ? 0 : reserved_find(r, c);
	if (c->cdb_len < r->len || bad) {
		vt_command_bad_cdb(c, bad);
		return false;
	}
	if ((r->flags & LOADED) != 0 && !d->loaded) {
		vt_command_fail(c, TAPE_KEY_NOT_READY, VT_NO_MEDIUM);
		return false;
	}
	return true;
}

void
vt_opcode_run(struct vt_drive *d, struct vt_nexus *n, struct vt_command *c)
{
	const struct row *r = row_find(c->cdb[0]);

	c->status = TAPE_GOOD;
	c->in_len = 0;
	c->answered = false;
	memset(&c->sense, 0, sizeof(c->sense));
	if (r && may_run(d, n, r, c))
		r->run(d, n, c);
	else if (!r)
		vt_command_fail(c, TAPE_KEY_ILLEGAL, VT_INVALID_OPCODE);
}
