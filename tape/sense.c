#include "tape/sense.h"

#include <stdio.h>
#include <string.h>

#include "kms/base/buf.h"

#define ANY 0xFFu
#define FIXED_LEN 18u

struct row {
	uint8_t key, asc, first, last; /* ANY matches all; ascq first..last */
	struct tape_sense_rule rule;
};

static const char manual[] = "see the drive's manual";
static const char library[] = "the library owns this drive's keys: set it to "
			      "application-managed encryption";

/* clang-format off */
static const struct row table[] = {
#define ROW(key, asc, first, last, class, err, name, todo) \
	{key, asc, first, last, {TAPE_SENSE_##class, KMS_ERR_##err, name, todo}},
/* Not ready */
ROW(0x2, 0x3A, 0x00, 0xFF, NO_MEDIUM, DRIVE, "no tape in the drive",
    "insert a tape")
ROW(0x2, 0x04, 0x01, 0x01, NOT_READY, BUSY, "the drive is becoming ready",
    "try again in a minute")
ROW(0x2, 0x04, 0x02, 0x02, NOT_READY, DRIVE, "the tape is not loaded",
    "load the tape (mt load)")
ROW(0x2, ANY, 0x00, 0xFF, NOT_READY, BUSY, "the drive is not ready",
    "look at the drive and try again")
/* Unit attentions: what happened since this host last asked */
ROW(0x6, 0x28, 0x00, 0xFF, NEW_MEDIUM, BUSY, "the tape may have been changed",
    "check the tape and load its key again")
ROW(0x6, 0x29, 0x00, 0xFF, KEY_LOST, BUSY, "the drive was reset or switched on",
    "its key is gone: load it again")
ROW(0x6, 0x2A, 0x11, 0x11, KEY_CHANGED, BUSY,
    "another host changed the drive's encryption parameters",
    "find out who, then load the key again")
ROW(0x6, 0x2A, 0x12, 0x12, KEY_CHANGED, BUSY,
    "the library or the drive changed the encryption parameters",
    "find out why, then load the key again")
ROW(0x6, 0xEE, 0x12, 0x19, KEY_CHANGED, BUSY,
    "the library changed the drive's key",
    library)
ROW(0x6, ANY, 0x00, 0xFF, ATTENTION, BUSY, "unit attention",
    "try again")
/* Keys and encrypted blocks */
ROW(0x7, 0x26, 0x10, 0x10, LIMIT, DRIVE, "too many wrong keys were tried",
    "unload the tape (or switch the drive off and on), then load the key "
    "that the tape names")
ROW(0x7, 0x2A, 0x13, 0x13, KEY_CHANGED, UNPROVEN,
    "the key instance counter has changed",
    "stop: another host set its own key; the data may not be under yours")
ROW(ANY, 0x74, 0x01, 0x01, KEY_NEEDED, DRIVE, "unable to decrypt data",
    "load the key that the tape names (-load -read)")
ROW(ANY, 0x74, 0x02, 0x02, CLEAR_BLOCK, DRIVE,
    "unencrypted data while decrypting",
    "this part of the tape is in clear: load with decryption mode mixed, "
    "or check that it is the right tape")
ROW(ANY, 0x74, 0x03, 0x03, WRONG_KEY, DRIVE, "incorrect data encryption key",
    "load the key that the tape names (-load -read); never try keys in turn")
ROW(ANY, 0x74, 0x04, 0x04, TAMPERED, DRIVE,
    "cryptographic integrity validation failed",
    "do not try again: the data on tape was changed or is damaged; keep "
    "the tape")
ROW(ANY, 0x74, 0x05, 0x05, WRONG_KEY, DRIVE, "error decrypting data",
    "ask the drive which key the next block needs (-status)")
ROW(ANY, 0x74, 0x06, 0x06, SECURITY, DRIVE,
    "unknown signature verification key",
    manual)
ROW(ANY, 0x74, 0x07, 0x07, SECURITY, DRIVE, "encryption parameters not usable",
    manual)
ROW(ANY, 0x74, 0x08, 0x08, SECURITY, DRIVE,
    "digital signature validation failed",
    manual)
ROW(ANY, 0x74, 0x09, 0x09, SECURITY, DRIVE, "encryption mode mismatch on read",
    "the block was written under another encryption mode")
ROW(ANY, 0x74, 0x0A, 0x0A, SECURITY, DRIVE,
    "encrypted block not enabled for raw reading",
    "load its key")
ROW(ANY, 0x74, 0x0B, 0x0B, SECURITY, DRIVE, "incorrect encryption parameters",
    manual)
ROW(ANY, 0x74, 0x0C, 0x0C, SECURITY, DRIVE,
    "unable to decrypt the parameter list",
    manual)
ROW(ANY, 0x74, 0x0D, 0x0D, SECURITY, DRIVE,
    "the encryption algorithm is disabled",
    "enable it in the drive or library")
/* Others own the keys */
ROW(ANY, 0x74, 0x21, 0x21, LIBRARY, DRIVE,
    "data encryption configuration is prevented",
    library)
ROW(ANY, 0x74, 0x61, 0x64, LIBRARY, DRIVE, "external key manager error",
    library)
ROW(ANY, 0x74, 0x6E, 0x6F, LIBRARY, DRIVE, "external key manager control",
    library)
ROW(ANY, 0xEE, 0x00, 0xFF, LIBRARY, DRIVE, "IBM: library-managed encryption",
    library)
ROW(ANY, 0xEF, 0x00, 0xFF, LIBRARY, DRIVE,
    "IBM: library-managed encryption, key required",
    library)
ROW(ANY, 0x74, 0x00, 0xFF, SECURITY, DRIVE, "security error",
    manual)
/* Refusals of what was sent */
ROW(0x5, 0x20, 0x00, 0x00, UNSUPPORTED, DRIVE,
    "the drive does not know this command",
    "it has no tape encryption, or it is switched off in the library")
ROW(0x5, 0x24, 0x00, 0x00, UNSUPPORTED, DRIVE, "invalid field in CDB",
    "the drive lacks this page, or encryption is switched off in the "
    "drive or library")
ROW(0x5, 0x26, 0x10, 0x10, LIMIT, DRIVE, "too many wrong keys were tried",
    "unload the tape (or switch the drive off and on)")
ROW(0x5, 0x26, 0x11, 0x11, REFUSED, DRIVE, "incomplete key-associated data",
    "the drive demands key-associated data of another length")
ROW(0x5, 0x26, 0x12, 0x12, REFUSED, DRIVE,
    "vendor-specific key reference not found",
    manual)
ROW(0x5, 0x26, 0x00, 0xFF, REFUSED, DRIVE, "invalid field in parameter list",
    "the drive does not take this setting")
ROW(0x5, 0x1A, 0x00, 0x00, REFUSED, DRIVE, "parameter list length error",
    manual)
ROW(0x5, 0x55, 0x08, 0x08, REFUSED, DRIVE,
    "too many supplemental decryption keys",
    "clear the drive first")
ROW(0x5, ANY, 0x00, 0xFF, FAILED, DRIVE, "illegal request",
    manual)
/* The rest */
ROW(0x8, ANY, 0x00, 0xFF, BLANK, DRIVE, "nothing is written here",
    "position the tape, or write first")
ROW(0x0, 0x00, 0x05, 0x05, BLANK, DRIVE, "end of data",
    "position the tape")
ROW(0x0, ANY, 0x00, 0xFF, NOTHING, INTERNAL, "no sense",
    "nothing to do")
ROW(0x1, ANY, 0x00, 0xFF, NOTHING, INTERNAL, "recovered error",
    "nothing to do")
ROW(0x7, 0x27, 0x00, 0xFF, FAILED, DRIVE, "write protected",
    "move the tape's write-protect tab")
ROW(0x7, ANY, 0x00, 0xFF, FAILED, DRIVE, "data protect",
    manual)
ROW(0x3, ANY, 0x00, 0xFF, FAILED, DRIVE, "medium error",
    "clean the drive, then suspect the tape")
ROW(0x4, ANY, 0x00, 0xFF, FAILED, DRIVE, "hardware error",
    "have the drive looked at")
ROW(0xB, ANY, 0x00, 0xFF, FAILED, BUSY, "command aborted",
    "try again")
ROW(ANY, ANY, 0x00, 0xFF, FAILED, DRIVE, "the command failed",
    manual)
#undef ROW
};

static const char *const key_names[16] = {
	"NO SENSE", "RECOVERED ERROR", "NOT READY", "MEDIUM ERROR",
	"HARDWARE ERROR", "ILLEGAL REQUEST", "UNIT ATTENTION", "DATA PROTECT",
	"BLANK CHECK", "VENDOR SPECIFIC", "COPY ABORTED", "ABORTED COMMAND",
	"RESERVED", "VOLUME OVERFLOW", "MISCOMPARE", "COMPLETED",
};
/* clang-format on */

const char *
tape_sense_key_name(uint8_t key)
{
	return key_names[key & 0xF];
}

static bool
matches(uint8_t want, uint8_t have)
{
	return want == ANY || want == have;
}

const struct tape_sense_rule *
tape_sense_find(const struct tape_sense *s)
{
	size_t last = sizeof(table) / sizeof(table[0]) - 1;

	for (size_t i = 0; i < last; i++) {
		const struct row *r = &table[i];
		if (matches(r->key, s->key) && matches(r->asc, s->asc) &&
		    s->ascq >= r->first && s->ascq <= r->last)
			return &r->rule;
	}
	return &table[last].rule;
}

/* Three bytes: SKSV, C/D, BPV and bit pointer, then the field pointer. */
static void
field_decode(const uint8_t *p, struct tape_sense *s)
{
	if (s->key != TAPE_KEY_ILLEGAL || (p[0] & 0x80) == 0)
		return;
	s->has_field = true;
	s->field_in_cdb = (p[0] & 0x40) != 0;
	s->has_bit = (p[0] & 0x08) != 0;
	s->bit = s->has_bit ? p[0] & 0x07 : 0;
	s->field = kms_get16(p + 1);
}

static void
field_encode(const struct tape_sense *s, uint8_t *p)
{
	p[0] = (uint8_t)(0x80 | (s->field_in_cdb ? 0x40 : 0) |
	    (s->has_bit ? 0x08 | (s->bit & 7) : 0));
	kms_put16(p + 1, s->field);
}

static void
stream_decode(uint8_t b, struct tape_sense *s)
{
	s->filemark = (b & 0x80) != 0;
	s->eom = (b & 0x40) != 0;
	s->ili = (b & 0x20) != 0;
}

static uint8_t
stream_encode(const struct tape_sense *s)
{
	return (uint8_t)((s->filemark ? 0x80 : 0) | (s->eom ? 0x40 : 0) |
	    (s->ili ? 0x20 : 0));
}

/* SPC-4 4.5.3. p holds what came, cut at its own additional length. */
static void
fixed_decode(const uint8_t *in, size_t len, struct tape_sense *s)
{
	uint8_t p[FIXED_LEN] = {0};

	if (len >= 8 && len > 8u + in[7])
		len = 8u + in[7];
	memcpy(p, in, len < FIXED_LEN ? len : FIXED_LEN);
	s->key = p[2] & 0xF;
	stream_decode(p[2] & 0xE0, s);
	s->has_info = (p[0] & 0x80) != 0 && len >= 7;
	/* 32 bits, sign-extended: a residue may be negative. */
	if (s->has_info)
		s->info = (uint64_t)(int64_t)(int32_t)kms_get32(p + 3);
	s->asc = p[12];
	s->ascq = p[13];
	if (len >= FIXED_LEN)
		field_decode(p + 15, s);
}

static void
descriptor_take(uint8_t type, const uint8_t *body, size_t len,
    struct tape_sense *s)
{
	if (type == 0x00 && len >= 10) {
		s->has_info = (body[0] & 0x80) != 0;
		s->info = s->has_info ? kms_get64(body + 2) : 0;
	} else if (type == 0x02 && len >= 5) {
		field_decode(body + 2, s);
	} else if (type == 0x04 && len >= 2) {
		stream_decode(body[1], s);
	}
}

/* SPC-4 4.5.2: a head of eight bytes, then descriptors. */
static void
descriptors_decode(const uint8_t *p, size_t len, struct tape_sense *s)
{
	struct kms_rd r;

	if (len >= 8 && len > 8u + p[7])
		len = 8u + p[7];
	s->key = len > 1 ? p[1] & 0xF : 0;
	s->asc = len > 2 ? p[2] : 0;
	s->ascq = len > 3 ? p[3] : 0;
	if (len <= 8)
		return;
	kms_rd_init(&r, p + 8, len - 8);
	while (kms_rd_left(&r) >= 2) {
		uint8_t type = kms_rd_u8(&r);
		uint8_t n = kms_rd_u8(&r);
		const uint8_t *body = kms_rd_bytes(&r, n);
		if (!body)
			return;
		descriptor_take(type, body, n, s);
	}
}

bool
tape_sense_decode(const uint8_t *p, size_t len, struct tape_sense *s)
{
	memset(s, 0, sizeof(*s));
	if (len == 0)
		return false;
	uint8_t code = p[0] & 0x7F;
	s->deferred = code == 0x71 || code == 0x73;
	if (code == 0x70 || code == 0x71)
		fixed_decode(p, len, s);
	else if (code == 0x72 || code == 0x73)
		descriptors_decode(p, len, s);
	else
		return false;
	return true;
}

static size_t
fixed_encode(const struct tape_sense *s, uint8_t *out)
{
	out[0] = (uint8_t)((s->deferred ? 0x71 : 0x70) |
	    (s->has_info ? 0x80 : 0));
	out[2] = (uint8_t)((s->key & 0xF) | stream_encode(s));
	if (s->has_info)
		kms_put32(out + 3, (uint32_t)s->info);
	out[7] = FIXED_LEN - 8;
	out[12] = s->asc;
	out[13] = s->ascq;
	if (s->has_field)
		field_encode(s, out + 15);
	return FIXED_LEN;
}

static size_t
descriptors_encode(const struct tape_sense *s, uint8_t *out)
{
	size_t n = 8;

	out[0] = s->deferred ? 0x73 : 0x72;
	out[1] = s->key & 0xF;
	out[2] = s->asc;
	out[3] = s->ascq;
	if (s->has_info) {
		out[n + 1] = 10;
		out[n + 2] = 0x80;
		kms_put64(out + n + 4, s->info);
		n += 12;
	}
	if (s->has_field) {
		out[n] = 0x02;
		out[n + 1] = 6;
		field_encode(s, out + n + 4);
		n += 8;
	}
	if (stream_encode(s)) {
		out[n] = 0x04;
		out[n + 1] = 2;
		out[n + 3] = stream_encode(s);
		n += 4;
	}
	out[7] = (uint8_t)(n - 8);
	return n;
}

size_t
tape_sense_encode(const struct tape_sense *s, bool descriptor,
    uint8_t out[TAPE_SENSE_ROOM])
{
	memset(out, 0, TAPE_SENSE_ROOM);
	return descriptor ? descriptors_encode(s, out) : fixed_encode(s, out);
}

/* ", at byte 5 bit 3 of the parameter list" or nothing. */
static void
field_text(const struct tape_sense *s, char *out, size_t cap)
{
	int n = 0;

	out[0] = '\0';
	if (!s->has_field)
		return;
	n = snprintf(out, cap, ", at byte %u", s->field);
	if (s->has_bit)
		n += snprintf(out + n, cap - (size_t)n, " bit %u", s->bit);
	snprintf(out + n, cap - (size_t)n, " of the %s",
	    s->field_in_cdb ? "command" : "parameter list");
}

static int
status_error(uint8_t status, const char *what)
{
	switch (status) {
	case TAPE_BUSY:
	case TAPE_SET_FULL:
		return kms_fail(KMS_ERR_BUSY,
		    "%s: the drive is busy; try again", what);
	case TAPE_RESERVED:
		return kms_fail(KMS_ERR_BUSY,
		    "%s: reservation conflict: another host holds the drive; "
		    "release it there",
		    what);
	case TAPE_ABORTED:
		return kms_fail(KMS_ERR_BUSY,
		    "%s: the drive dropped the command; try again", what);
	default:
		return kms_fail(KMS_ERR_DRIVE,
		    "%s: the drive answered with status %02Xh and no sense",
		    what, status);
	}
}

int
tape_sense_check(uint8_t status, const uint8_t *sense, size_t len,
    const char *what, struct tape_sense *s)
{
	char field[64];
	bool known = tape_sense_decode(sense, len, s);

	if (status == TAPE_GOOD)
		return 0;
	if (status != TAPE_CHECK || !known)
		return status_error(status, what);
	const struct tape_sense_rule *r = tape_sense_find(s);
	if (r->class == TAPE_SENSE_NOTHING)
		return 0;
	field_text(s, field, sizeof(field));
	return kms_fail(r->err, "%s: %s, %s (%X/%02X/%02X)%s; %s", what,
	    tape_sense_key_name(s->key), r->name, s->key, s->asc, s->ascq,
	    field, r->todo);
}
