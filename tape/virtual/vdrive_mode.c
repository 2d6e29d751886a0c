#include "tape/virtual/vdrive_mode.h"

#include <string.h>

enum {
	SENSE_6 = 0x1A,
	SELECT_6 = 0x15,
	ALL_PAGES = 0x3F,
	CURRENT = 0,
	CHANGEABLE = 1,
	SAVED = 3,
	PAGE_MAX = 16,
	DESCRIPTOR = 8,
	D_SENSE = 0x04,
	DCE = 0x80,
	BUFFERED_MODE = 0x70, /* of the device-specific byte */
	BUFFERED_1 = 0x10,
};

/* Pages without what changes; each begins with code and length. */
static const struct page {
	uint8_t len, bytes[PAGE_MAX];
	uint8_t at, mask; /* the one byte with changeable bits */
} pages[] = {
    {12, {0x0A, 10}, 2, D_SENSE},
    {16, {0x0F, 14, 0x40, 0x80, 0, 0, 0, 0x01, 0, 0, 0, 0x01}, 2, DCE},
    {16, {0x10, 14, 0, 0, 0, 0, 0, 0, 0x40}, 0, 0},
    {10, {0x11, 8, 0, 0, 0x03, 0x09}, 0, 0},
};
#define PAGES (sizeof(pages) / sizeof(pages[0]))

/* What a list asks for, before it is granted. */
struct wanted {
	bool has_block_len, descriptor_sense, compress, buffered;
	uint32_t block_len;
};

static uint8_t
changed_bits(const struct page *p, bool descriptor_sense, bool compress)
{
	if (p->bytes[0] == 0x0A)
		return descriptor_sense ? D_SENSE : 0;
	if (p->bytes[0] == 0x0F)
		return compress ? DCE : 0;
	return 0;
}

static void
page_put(const struct vt_drive *d, const struct page *p, unsigned control,
    struct kms_wr *w)
{
	uint8_t out[PAGE_MAX];

	memcpy(out, p->bytes, sizeof(out));
	if (control == CHANGEABLE) {
		memset(out + 2, 0, sizeof(out) - 2);
		out[p->at ? p->at : 2] = p->mask;
	} else if (control == CURRENT && p->mask) {
		out[p->at] |= changed_bits(p, d->descriptor_sense, d->compress);
	}
	kms_wr_bytes(w, out, p->len);
}

static uint8_t
device_specific(const struct vt_drive *d)
{
	bool protect = d->loaded && !vt_drive_can_write(d);

	return (uint8_t)((protect ? 0x80u : 0u) |
	    (d->buffered ? BUFFERED_1 : 0u));
}

/* Header, and the block descriptor unless DBD (SPC-4 7.5.5). */
static void
head_put(const struct vt_drive *d, bool six, bool descriptor, struct kms_wr *w)
{
	kms_wr_u8(w, 0); /* medium type */
	kms_wr_u8(w, device_specific(d));
	if (!six)
		kms_wr_zero(w, 3);
	kms_wr_u8(w, descriptor ? DESCRIPTOR : 0);
	if (!descriptor)
		return;
	kms_wr_u8(w, d->loaded ? d->kind.density : 0);
	kms_wr_u24(w, 0);
	kms_wr_u8(w, 0);
	kms_wr_u24(w, d->block_len);
}

void
vt_mode_sense(struct vt_drive *d, struct vt_nexus *n, struct vt_command *c)
{
	uint8_t buf[128];
	struct kms_wr w;
	bool six = c->cdb[0] == SENSE_6, found = false;
	uint8_t want = c->cdb[2] & 0x3F;
	unsigned control = c->cdb[2] >> 6;

	(void)n;
	if (control == SAVED) {
		vt_command_fail(c, TAPE_KEY_ILLEGAL, VT_SAVING_UNSUPPORTED);
		return;
	}
	kms_wr_fixed(&w, buf, sizeof(buf));
	size_t at = kms_wr_reserve(&w, six ? 1 : 2);
	head_put(d, six, (c->cdb[1] & 8) == 0, &w);
	for (size_t i = 0; i < PAGES; i++) {
		if (want != ALL_PAGES && want != pages[i].bytes[0])
			continue;
		page_put(d, &pages[i], control, &w);
		found = true;
	}
	/* Page 0 is how st asks for the block descriptor alone. */
	if ((!found && want != 0) || c->cdb[3] != 0) {
		vt_command_bad_cdb(c, found || want == 0 ? 3 : 2);
		return;
	}
	kms_wr_fill(&w, at, six ? 1 : 2);
	vt_command_reply(c, &w, six ? c->cdb[4] : kms_get16(c->cdb + 7));
}

/* Buffered mode 0 or 1; write protection is not the host's to set, and
 * there is but one speed (SSC-4 8.3.1). */
static bool
device_specific_check(struct vt_command *c, size_t at, struct wanted *want)
{
	uint8_t mode = c->out[at] & BUFFERED_MODE;

	if (mode != 0 && mode != BUFFERED_1) {
		vt_command_bad_list(c, at);
		return false;
	}
	want->buffered = mode == BUFFERED_1;
	return true;
}

/* The block descriptor; returns false when the list is refused. */
static bool
descriptor_check(const struct vt_drive *d, struct vt_command *c, size_t at,
    struct wanted *want)
{
	const uint8_t *p = c->out + at;
	uint32_t len = (uint32_t)p[5] << 16 | (uint32_t)p[6] << 8 |
	    (uint32_t)p[7];

	/* 0 default, 7Fh no change (SSC-4 8.3.1) */
	if (p[0] != 0 && p[0] != 0x7F && p[0] != d->kind.density) {
		vt_command_bad_list(c, at);
		return false;
	}
	if (len > VT_BLOCK_MAX) {
		vt_command_bad_list(c, at + 5);
		return false;
	}
	want->has_block_len = true;
	want->block_len = len;
	return true;
}

/* What is not changeable must be what MODE SENSE reports. */
static bool
page_check(struct vt_command *c, const struct page *p, size_t at,
    struct wanted *want)
{
	for (size_t i = 2; i < p->len; i++) {
		uint8_t mask = p->mask && i == p->at ? p->mask : 0;
		if (((c->out[at + i] ^ p->bytes[i]) & ~mask) != 0) {
			vt_command_bad_list(c, at + i);
			return false;
		}
	}
	if (p->bytes[0] == 0x0A)
		want->descriptor_sense = (c->out[at + 2] & D_SENSE) != 0;
	if (p->bytes[0] == 0x0F)
		want->compress = (c->out[at + 2] & DCE) != 0;
	return true;
}

static const struct page *
page_find(const struct vt_command *c, size_t at)
{
	for (size_t i = 0; i < PAGES; i++)
		if (c->out_len - at >= pages[i].len &&
		    c->out[at] == pages[i].bytes[0] &&
		    c->out[at + 1] == pages[i].bytes[1])
			return &pages[i];
	return NULL;
}

static bool
list_check(const struct vt_drive *d, struct vt_command *c, bool six,
    struct wanted *want)
{
	size_t at = six ? 4 : 8;

	if (c->out_len < at) {
		vt_command_fail(c, TAPE_KEY_ILLEGAL, VT_LIST_LENGTH);
		return false;
	}
	if (!device_specific_check(c, six ? 2 : 3, want))
		return false;
	size_t descriptor = six ? c->out[3] : kms_get16(c->out + 6);
	if (descriptor != 0 && descriptor != DESCRIPTOR) {
		vt_command_bad_list(c, six ? 3 : 6);
		return false;
	}
	if (c->out_len - at < descriptor) {
		vt_command_fail(c, TAPE_KEY_ILLEGAL, VT_LIST_LENGTH);
		return false;
	}
	if (descriptor && !descriptor_check(d, c, at, want))
		return false;
	at += descriptor;
	while (at < c->out_len) {
		const struct page *p = page_find(c, at);
		if (!p) {
			vt_command_bad_list(c, at);
			return false;
		}
		if (!page_check(c, p, at, want))
			return false;
		at += p->len;
	}
	return true;
}

void
vt_mode_select(struct vt_drive *d, struct vt_nexus *n, struct vt_command *c)
{
	bool six = c->cdb[0] == SELECT_6;
	struct wanted want = {.descriptor_sense = d->descriptor_sense,
	    .compress = d->compress};
	size_t len = six ? c->cdb[4] : kms_get16(c->cdb + 7);

	if (len != c->out_len) {
		vt_command_fail(c, TAPE_KEY_ABORTED, VT_DATA_PHASE);
		return;
	}
	if (len == 0 || !list_check(d, c, six, &want))
		return;
	if (want.has_block_len)
		d->block_len = want.block_len;
	d->descriptor_sense = want.descriptor_sense;
	d->compress = want.compress;
	d->buffered = want.buffered;
	vt_drive_tell(d, n, VT_ATTENTION_MODE);
}
