#include "tape/virtual/vdrive_info.h"

#include <string.h>

#include "kms/base/crypt.h"

/* Text in a field of fixed width, blanks behind (SPC-4 4.3.1). */
static void
put_text(struct kms_wr *w, const char *text, size_t width)
{
	size_t len = strnlen(text, width);

	kms_wr_bytes(w, text, len);
	for (; len < width; len++)
		kms_wr_u8(w, ' ');
}

void
vt_info_test_ready(struct vt_drive *d, struct vt_nexus *n, struct vt_command *c)
{
	(void)d, (void)n, (void)c;
}

/* Sense comes with each reply already; what is left is an attention, or a
 * deferred error. */
void
vt_info_request_sense(struct vt_drive *d, struct vt_nexus *n,
    struct vt_command *c)
{
	uint8_t buf[TAPE_SENSE_ROOM];
	struct tape_sense s = {0};
	struct kms_wr w;
	bool descriptor = (c->cdb[1] & 1) != 0;

	(void)d;
	if (!vt_nexus_attention(n, &s) && !vt_nexus_deferred(n, &s) &&
	    !d->loaded) {
		s.key = TAPE_KEY_NOT_READY;
		s.asc = (uint8_t)((unsigned)VT_NO_MEDIUM >> 8);
	}
	size_t len = tape_sense_encode(&s, descriptor, buf);
	kms_wr_fixed(&w, buf, sizeof(buf));
	w.len = len;
	vt_command_reply(c, &w, c->cdb[4]);
}

static void
inquiry_standard(const struct vt_drive *d, struct kms_wr *w)
{
	kms_wr_u8(w, 0x01); /* sequential access */
	kms_wr_u8(w, 0x80); /* removable */
	kms_wr_u8(w, 0x06); /* SPC-4 */
	kms_wr_u8(w, 0x02);
	kms_wr_u8(w, 31);
	kms_wr_zero(w, 3);
	put_text(w, VT_VENDOR, 8);
	put_text(w, d->kind.product, 16);
	put_text(w, VT_REVISION, 4);
}

/* SPC-4 7.8.5: T10 vendor identification, and a locally assigned NAA. */
static void
inquiry_designators(const struct vt_drive *d, struct kms_wr *w)
{
	uint8_t hash[KMS_SHA256_LEN] = {0};

	kms_wr_u8(w, 0x02); /* ASCII */
	kms_wr_u8(w, 0x01);
	kms_wr_u8(w, 0);
	size_t at = kms_wr_reserve(w, 1);
	put_text(w, VT_VENDOR, 8);
	put_text(w, d->kind.product, 16);
	kms_wr_bytes(w, d->serial, strlen(d->serial));
	kms_wr_fill(w, at, 1);
	if (kms_sha256(d->serial, strlen(d->serial), hash) != 0)
		w->err = KMS_ERR_INTERNAL;
	hash[0] = (uint8_t)(0x30 | (hash[0] & 0x0F));
	kms_wr_u8(w, 0x01); /* binary */
	kms_wr_u8(w, 0x03);
	kms_wr_u8(w, 0);
	kms_wr_u8(w, 8);
	kms_wr_bytes(w, hash, 8);
}

static bool
inquiry_vpd(const struct vt_drive *d, uint8_t page, struct kms_wr *w)
{
	static const uint8_t pages[] = {0x00, 0x80, 0x83};

	kms_wr_u8(w, 0x01);
	kms_wr_u8(w, page);
	size_t at = kms_wr_reserve(w, 2);
	if (page == 0x00)
		kms_wr_bytes(w, pages, sizeof(pages));
	else if (page == 0x80)
		kms_wr_bytes(w, d->serial, strlen(d->serial));
	else if (page == 0x83)
		inquiry_designators(d, w);
	else
		return false;
	kms_wr_fill(w, at, 2);
	return true;
}

void
vt_info_inquiry(struct vt_drive *d, struct vt_nexus *n, struct vt_command *c)
{
	uint8_t buf[256];
	struct kms_wr w;
	bool vpd = (c->cdb[1] & 1) != 0;

	(void)n;
	kms_wr_fixed(&w, buf, sizeof(buf));
	if (!vpd && c->cdb[2] != 0) {
		vt_command_bad_cdb(c, 2);
		return;
	}
	if (!vpd)
		inquiry_standard(d, &w);
	else if (!inquiry_vpd(d, c->cdb[2], &w)) {
		vt_command_bad_cdb(c, 2);
		return;
	}
	vt_command_reply(c, &w, kms_get16(c->cdb + 3));
}

void
vt_info_block_limits(struct vt_drive *d, struct vt_nexus *n,
    struct vt_command *c)
{
	uint8_t buf[6];
	struct kms_wr w;

	(void)d, (void)n;
	kms_wr_fixed(&w, buf, sizeof(buf));
	kms_wr_u8(&w, 0);
	kms_wr_u24(&w, VT_BLOCK_MAX);
	kms_wr_u16(&w, 1);
	vt_command_reply(c, &w, sizeof(buf));
}

enum { PAGES = 0x00, STATISTICS = 0x14, CUMULATIVE = 1, COUNTER_LEN = 8 };

/* Which pages there are, and of the device statistics (SSC-4 8.3.5) how many
 * tapes were loaded. */
void
vt_info_log_sense(struct vt_drive *d, struct vt_nexus *n, struct vt_command *c)
{
	uint8_t buf[32], page = c->cdb[2] & 0x3F;
	struct kms_wr w;

	(void)n;
	kms_wr_fixed(&w, buf, sizeof(buf));
	if ((page != PAGES && page != STATISTICS) ||
	    c->cdb[2] >> 6 != CUMULATIVE) {
		vt_command_bad_cdb(c, 2);
		return;
	}
	kms_wr_u8(&w, page);
	kms_wr_u8(&w, 0);
	size_t at = kms_wr_reserve(&w, 2);
	if (page == PAGES) {
		kms_wr_u8(&w, PAGES);
		kms_wr_u8(&w, STATISTICS);
	} else {
		kms_wr_u16(&w, 0);   /* lifetime volume loads */
		kms_wr_u8(&w, 0x03); /* binary, a list parameter */
		kms_wr_u8(&w, COUNTER_LEN);
		kms_wr_u64(&w, d->loads);
	}
	kms_wr_fill(&w, at, 2);
	vt_command_reply(c, &w, kms_get16(c->cdb + 7));
}

enum { VALUES = 0, LIST = 1 };
enum { BINARY = 0, ASCII = 1, READ_ONLY = 0x80 };

static void
attribute_head(struct kms_wr *w, uint16_t id, uint8_t format, uint16_t len)
{
	kms_wr_u16(w, id);
	kms_wr_u8(w, READ_ONLY | format);
	kms_wr_u16(w, len);
}

static uint64_t
mebibytes(uint64_t bytes)
{
	return bytes >> 20;
}

/* One attribute (SPC-4 7.4), its number from 0; false behind the last. */
static bool
attribute_put(const struct vt_drive *d, size_t i, bool list, uint16_t from,
    struct kms_wr *w)
{
	static const uint16_t ids[] = {0x0000, 0x0001, 0x0400, 0x0401, 0x0806};
	const struct vt_header *h = vt_cartridge_header(d->tape);
	uint64_t used = vt_cartridge_used(d->tape);

	if (i >= sizeof(ids) / sizeof(ids[0]))
		return false;
	if (ids[i] < from)
		return true;
	if (list) {
		kms_wr_u16(w, ids[i]);
		return true;
	}
	switch (ids[i]) {
	case 0x0000: /* remaining capacity */
		attribute_head(w, ids[i], BINARY, 8);
		kms_wr_u64(w,
		    used < h->capacity ? mebibytes(h->capacity - used) : 0);
		break;
	case 0x0001: /* maximum capacity */
		attribute_head(w, ids[i], BINARY, 8);
		kms_wr_u64(w, mebibytes(h->capacity));
		break;
	case 0x0400: /* medium manufacturer */
		attribute_head(w, ids[i], ASCII, 8);
		put_text(w, VT_VENDOR, 8);
		break;
	case 0x0401: /* medium serial number */
		attribute_head(w, ids[i], ASCII, VT_TEXT);
		put_text(w, h->serial, VT_TEXT);
		break;
	case 0x0806: /* barcode */
		attribute_head(w, ids[i], ASCII, VT_TEXT);
		put_text(w, h->barcode, VT_TEXT);
		break;
	}
	return true;
}

void
vt_info_read_attribute(struct vt_drive *d, struct vt_nexus *n,
    struct vt_command *c)
{
	uint8_t buf[256];
	struct kms_wr w;
	uint8_t action = c->cdb[1] & 0x1F;
	uint16_t first = kms_get16(c->cdb + 8);

	(void)n;
	if (action != VALUES && action != LIST) {
		vt_command_bad_cdb(c, 1);
		return;
	}
	kms_wr_fixed(&w, buf, sizeof(buf));
	size_t at = kms_wr_reserve(&w, 4);
	for (size_t i = 0; attribute_put(d, i, action == LIST, first, &w); i++)
		;
	if (w.len == 4) {
		vt_command_bad_cdb(c, 8);
		return;
	}
	kms_wr_fill(&w, at, 4);
	vt_command_reply(c, &w, kms_get32(c->cdb + 10));
}

void
vt_info_prevent(struct vt_drive *d, struct vt_nexus *n, struct vt_command *c)
{
	(void)d;
	n->prevents = (c->cdb[4] & 1) != 0;
}

void
vt_info_reserve(struct vt_drive *d, struct vt_nexus *n, struct vt_command *c)
{
	(void)c;
	d->reserved = n;
}

/* By anybody else it changes nothing and is no error (SPC-2 7.22). */
void
vt_info_release(struct vt_drive *d, struct vt_nexus *n, struct vt_command *c)
{
	(void)c;
	if (d->reserved == n)
		vt_drive_release(d);
}
