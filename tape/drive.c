#include "tape/drive_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INQUIRY_ROOM 96u
#define INQUIRY_LEAST 36u
#define TYPE_TAPE 0x01u
#define MODE_LEN 12u /* header and one block descriptor (SPC-4 7.5.5) */
#define LOG_CUMULATIVE 0x40u
#define LOG_STATISTICS 0x14u /* device statistics (SSC-4 8.3.5) */
#define LOG_LOADS 0x0000u    /* lifetime volume loads */
#define TRIES 3u /* the command, and twice more after unit attentions */

static bool
note(struct tape_drive *d, const struct tape_sense *s)
{
	enum tape_sense_class class = tape_sense_find(s)->class;

	if (class == TAPE_SENSE_KEY_LOST)
		d->noted.reset = true;
	else if (class == TAPE_SENSE_NEW_MEDIUM)
		d->noted.medium = true;
	else if (s->key == TAPE_KEY_ATTENTION &&
	    class == TAPE_SENSE_KEY_CHANGED)
		d->noted.key = true;
	/* A deferred error is about an earlier command: this one was not
	 * done (SPC-4 4.5.5). */
	return s->key == TAPE_KEY_ATTENTION || s->deferred;
}

int
tape_drive_exec(struct tape_drive *d, const struct tape_cmd *cmd,
    const char *what, size_t *got, struct tape_sense *s)
{
	struct tape_reply reply;
	struct tape_sense sense;
	int err = KMS_ERR_INTERNAL;

	*got = 0;
	for (unsigned i = 0; i < TRIES; i++) {
		memset(&reply, 0, sizeof(reply));
		memset(&sense, 0, sizeof(sense));
		err = d->t->exec(d->t, cmd, &reply);
		if (err) {
			err = kms_fail_add(err, "%s", what);
			break;
		}
		if (reply.got > cmd->len || reply.sense_len > TAPE_SENSE_MAX) {
			err = kms_fail(KMS_ERR_IO,
			    "%s: more bytes came than there was room for",
			    what);
			break;
		}
		err = tape_sense_check(reply.status, reply.sense,
		    reply.sense_len, what, &sense);
		if (!err)
			*got = reply.got;
		if (!err || reply.status != TAPE_CHECK || !note(d, &sense))
			break;
	}
	if (s)
		*s = sense;
	return err;
}

static int
inquiry(struct tape_drive *d, bool vpd, uint8_t page, size_t *got)
{
	struct tape_cmd cmd = {.cdb_len = 6, .dir = TAPE_IN};

	cmd.cdb[0] = 0x12;
	cmd.cdb[1] = vpd;
	cmd.cdb[2] = page;
	cmd.cdb[4] = INQUIRY_ROOM;
	cmd.in = d->page;
	cmd.len = INQUIRY_ROOM;
	cmd.timeout_ms = DRIVE_TIMEOUT_MS;
	return tape_drive_exec(d, &cmd, "INQUIRY", got, NULL);
}

/* A drive without page 80h has no serial; that is all. */
int
tape_drive_serial(struct tape_drive *d, char serial[TAPE_SERIAL_MAX + 1])
{
	size_t got;

	serial[0] = '\0';
	int err = inquiry(d, true, 0x80, &got);
	if (err == KMS_ERR_DRIVE)
		return 0;
	if (err)
		return err;
	if (got < 4 || d->page[1] != 0x80)
		return 0;
	size_t len = kms_get16(d->page + 2);
	if (len > got - 4)
		len = got - 4;
	tape_text_take(d->page + 4, len, serial, TAPE_SERIAL_MAX + 1);
	return 0;
}

static int
identify(struct tape_drive *d)
{
	size_t got;

	int err = inquiry(d, false, 0, &got);
	if (err)
		return err;
	if (got < INQUIRY_LEAST)
		return kms_fail(KMS_ERR_DRIVE, "INQUIRY: only %zu bytes came",
		    got);
	if (d->page[0] != TYPE_TAPE)
		return kms_fail(KMS_ERR_DRIVE,
		    "this is no tape drive (device type %02Xh); see "
		    "p11kmsdrive -list",
		    d->page[0] & 0x1Fu);
	tape_text_take(d->page + 8, 8, d->id.vendor, sizeof(d->id.vendor));
	tape_text_take(d->page + 16, 16, d->id.product, sizeof(d->id.product));
	tape_text_take(d->page + 32, 4, d->id.revision, sizeof(d->id.revision));
	return tape_drive_serial(d, d->id.serial);
}

int
tape_drive_open(struct tape_transport **t, struct tape_drive **out)
{
	*out = NULL;
	struct tape_drive *d = calloc(1, sizeof(*d));
	if (!d) {
		(*t)->close(t);
		return kms_fail(KMS_ERR_MEMORY, "tape drive: out of memory");
	}
	d->t = *t;
	*t = NULL;
	int err = identify(d);
	if (err) {
		tape_drive_close(&d);
		return err;
	}
	*out = d;
	return 0;
}

void
tape_drive_close(struct tape_drive **d)
{
	if (!d || !*d)
		return;
	if ((*d)->t)
		(*d)->t->close(&(*d)->t);
	free(*d);
	*d = NULL;
}

const struct tape_identity *
tape_drive_identity(const struct tape_drive *d)
{
	return &d->id;
}

struct tape_noted
tape_drive_noted(const struct tape_drive *d)
{
	return d->noted;
}

/* "ULT3580-TD8", "ULTRIUM-HH6", "Ultrium 5-SCSI", "LTO-7 HH". */
unsigned
tape_drive_generation(const struct tape_identity *id)
{
	static const char *const marks[] = {"-TD", "-HH", "ltrium ", "TRIUM ",
	    "LTO-"};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		const char *at = strstr(id->product, marks[i]);
		if (!at)
			continue;
		const char *digit = at + strlen(marks[i]);
		if (*digit >= '1' && *digit <= '9')
			return (unsigned)(*digit - '0');
	}
	return 0;
}

/* The received page lies in d->page. */
int
tape_drive_page(struct tape_drive *d, uint8_t protocol, uint16_t page,
    const char *what, size_t *got, struct tape_sense *s)
{
	struct tape_cmd cmd = {.cdb_len = 12, .dir = TAPE_IN};

	tape_cdb_spin(cmd.cdb, protocol, page, DRIVE_PAGE_ROOM);
	cmd.in = d->page;
	cmd.len = DRIVE_PAGE_ROOM;
	/* The next block may have to be fetched from tape first. */
	cmd.timeout_ms = protocol == TAPE_SP_TDE && page == TAPE_PAGE_NEXT_BLOCK
	    ? DRIVE_TIMEOUT_TAPE_MS
	    : DRIVE_TIMEOUT_MS;
	memset(d->page, 0, sizeof(d->page));
	return tape_drive_exec(d, &cmd, what, got, s);
}

int
tape_drive_medium(struct tape_drive *d, bool *in)
{
	struct tape_cmd cmd = {.cdb_len = 6, .dir = TAPE_NONE};
	struct tape_sense s;
	size_t got;

	cmd.timeout_ms = DRIVE_TIMEOUT_MS;
	*in = false;
	int err = tape_drive_exec(d, &cmd, "TEST UNIT READY", &got, &s);
	if (!err) {
		*in = true;
		return 0;
	}
	if (tape_sense_find(&s)->class == TAPE_SENSE_NO_MEDIUM)
		return 0;
	/* Initialising command required: there, but not threaded. */
	if (s.key == TAPE_KEY_NOT_READY && s.asc == 0x04 && s.ascq == 0x02)
		return 0;
	return err;
}

int
tape_drive_block_len(struct tape_drive *d, uint32_t *len)
{
	struct tape_cmd cmd = {.cdb = {0x1A, 0, 0, 0, MODE_LEN},
	    .cdb_len = 6,
	    .dir = TAPE_IN};
	size_t got;

	*len = 0;
	cmd.in = d->page;
	cmd.len = MODE_LEN;
	cmd.timeout_ms = DRIVE_TIMEOUT_MS;
	int err = tape_drive_exec(d, &cmd, "MODE SENSE", &got, NULL);
	if (err)
		return err;
	if (got < MODE_LEN || d->page[3] < 8)
		return kms_fail(KMS_ERR_DRIVE,
		    "MODE SENSE: no block descriptor came");
	*len = kms_get32(d->page + 8) & 0xFFFFFF;
	return 0;
}

/* The parameter of that code (SPC-4 7.3.2), as a number. */
static bool
log_parameter(const uint8_t *p, size_t len, uint16_t want, uint64_t *value)
{
	struct kms_rd r;

	kms_rd_init(&r, p, len);
	kms_rd_skip(&r, 4); /* the page's header */
	while (kms_rd_left(&r) >= 4) {
		uint16_t code = kms_rd_u16(&r);
		kms_rd_skip(&r, 1);
		uint8_t n = kms_rd_u8(&r);
		const uint8_t *b = kms_rd_bytes(&r, n);
		if (!b || (code == want && (n == 0 || n > 8)))
			return false;
		if (code != want)
			continue;
		for (*value = 0; n > 0; n--)
			*value = *value << 8 | *b++;
		return true;
	}
	return false;
}

int
tape_drive_loads(struct tape_drive *d, bool *known, uint64_t *loads)
{
	struct tape_cmd cmd = {.cdb = {0x4D, 0,
				   LOG_CUMULATIVE | LOG_STATISTICS},
	    .cdb_len = 10,
	    .dir = TAPE_IN};
	size_t got;

	*known = false;
	kms_put16(cmd.cdb + 7, DRIVE_PAGE_ROOM);
	cmd.in = d->page;
	cmd.len = DRIVE_PAGE_ROOM;
	cmd.timeout_ms = DRIVE_TIMEOUT_MS;
	int err = tape_drive_exec(d, &cmd, "LOG SENSE", &got, NULL);
	if (!err)
		*known = (d->page[0] & 0x3F) == LOG_STATISTICS &&
		    log_parameter(d->page, got, LOG_LOADS, loads);
	if (err != KMS_ERR_DRIVE && err != KMS_ERR_BUSY)
		return err;
	kms_err_clear();
	return 0;
}

int
tape_drive_status(struct tape_drive *d, struct tape_status *st)
{
	size_t got;

	memset(st, 0, sizeof(*st));
	int err = tape_drive_page(d, TAPE_SP_TDE, TAPE_PAGE_STATUS,
	    "encryption status", &got, NULL);
	return err ? err : tape_status_decode(d->page, got, st);
}

static bool
cannot_tell(const struct tape_sense *s)
{
	switch (tape_sense_find(s)->class) {
	case TAPE_SENSE_BLANK: /* LTO-4 on a blank tape */
	case TAPE_SENSE_NO_MEDIUM:
	case TAPE_SENSE_NOT_READY:
	case TAPE_SENSE_UNSUPPORTED:
		return true;
	default:
		return s->key == TAPE_KEY_MEDIUM;
	}
}

int
tape_drive_next(struct tape_drive *d, enum tape_next *next,
    struct tape_next_block *b)
{
	/* Indexed by the page's encryption status. */
	static const enum tape_next meaning[] = {TAPE_NEXT_UNKNOWN,
	    TAPE_NEXT_UNKNOWN, TAPE_NEXT_MARK, TAPE_NEXT_CLEAR,
	    TAPE_NEXT_UNSUPPORTED, TAPE_NEXT_READABLE, TAPE_NEXT_LOCKED};
	struct tape_sense s;
	size_t got;

	*next = TAPE_NEXT_UNKNOWN;
	memset(b, 0, sizeof(*b));
	int err = tape_drive_page(d, TAPE_SP_TDE, TAPE_PAGE_NEXT_BLOCK,
	    "next block's encryption status", &got, &s);
	if (err) {
		if (!cannot_tell(&s))
			return err;
		kms_err_clear();
		return 0;
	}
	err = tape_next_block_decode(d->page, got, b);
	if (err)
		return err;
	if (b->encryption >= sizeof(meaning) / sizeof(meaning[0]))
		return kms_fail(KMS_ERR_DRIVE,
		    "next block's encryption status: %u is not defined",
		    b->encryption);
	*next = meaning[b->encryption];
	return 0;
}
