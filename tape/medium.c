#include "tape/medium.h"

#include <string.h>

#define READ_ATTRIBUTE 0x8Cu
#define ROOM 512u
#define TIMEOUT_MS 60000u
#define BARCODE 0x0806u
#define MEDIUM_SERIAL 0x0401u

/* Finds one attribute in the list that came; "" when it is not there. */
static void
attribute_take(const uint8_t *p, size_t len, uint16_t want, char *out)
{
	struct kms_rd r, list;

	out[0] = '\0';
	kms_rd_init(&r, p, len);
	size_t said = kms_rd_u32(&r);
	if (said > kms_rd_left(&r))
		said = kms_rd_left(&r);
	kms_rd_sub(&r, said, &list);
	while (kms_rd_left(&list) > 0) {
		uint16_t id = kms_rd_u16(&list);
		kms_rd_skip(&list, 1);
		uint16_t n = kms_rd_u16(&list);
		const uint8_t *value = kms_rd_bytes(&list, n);
		if (!value)
			return;
		if (id != want || n > TAPE_ATTRIBUTE_MAX)
			continue;
		tape_text_take(value, n, out, TAPE_ATTRIBUTE_MAX + 1);
		return;
	}
}

static int
attribute_read(struct tape_drive *d, uint16_t id, char *out)
{
	uint8_t data[ROOM];
	struct tape_cmd cmd = {.cdb_len = 16, .dir = TAPE_IN};
	struct tape_sense s;
	size_t got;

	out[0] = '\0';
	cmd.cdb[0] = READ_ATTRIBUTE;
	kms_put16(cmd.cdb + 8, id);
	kms_put32(cmd.cdb + 10, ROOM);
	cmd.in = data;
	cmd.len = ROOM;
	cmd.timeout_ms = TIMEOUT_MS;
	int err = tape_drive_exec(d, &cmd, "medium attribute", &got, &s);
	if (!err) {
		attribute_take(data, got, id, out);
		return 0;
	}
	/* Nothing of what a drive answers here is worth failing for. */
	return err == KMS_ERR_DRIVE || err == KMS_ERR_BUSY ? 0 : err;
}

int
tape_medium_read(struct tape_drive *d, struct tape_medium *m)
{
	memset(m, 0, sizeof(*m));
	int err = attribute_read(d, MEDIUM_SERIAL, m->serial);
	if (!err)
		err = attribute_read(d, BARCODE, m->barcode);
	if (!err)
		kms_err_clear();
	return err;
}

bool
tape_medium_is_unnamed(const struct tape_medium *m)
{
	return m->serial[0] == '\0' && m->barcode[0] == '\0';
}
