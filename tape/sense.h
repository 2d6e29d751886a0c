/*
 * Sense data (SPC-4 4.5): fixed and descriptor format, both directions, and
 * what each code means for encrypted tape: which error, what to do next.
 * The one place where SCSI status and sense become a kms_err. Any thread.
 */
#ifndef TAPE_SENSE_H
#define TAPE_SENSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kms/base/err.h"

#define TAPE_SENSE_ROOM 252u /* longest sense data (SPC-4 4.5.1) */

enum tape_status_byte {
	TAPE_GOOD = 0x00,
	TAPE_CHECK = 0x02,
	TAPE_BUSY = 0x08,
	TAPE_RESERVED = 0x18,
	TAPE_SET_FULL = 0x28,
	TAPE_ABORTED = 0x40,
};

enum tape_sense_key {
	TAPE_KEY_NO_SENSE = 0x0,
	TAPE_KEY_RECOVERED = 0x1,
	TAPE_KEY_NOT_READY = 0x2,
	TAPE_KEY_MEDIUM = 0x3,
	TAPE_KEY_HARDWARE = 0x4,
	TAPE_KEY_ILLEGAL = 0x5,
	TAPE_KEY_ATTENTION = 0x6,
	TAPE_KEY_PROTECT = 0x7,
	TAPE_KEY_BLANK = 0x8,
	TAPE_KEY_ABORTED = 0xB,
	TAPE_KEY_OVERFLOW = 0xD,
};

struct tape_sense {
	bool deferred; /* about an earlier command (71h, 73h) */
	uint8_t key, asc, ascq;
	bool filemark, eom, ili;
	bool has_info; /* residue of READ, SPACE: two's complement */
	uint64_t info;
	/* Field pointer (SPC-4 4.5.2.4.2): which byte was refused. */
	bool has_field, field_in_cdb, has_bit;
	uint8_t bit;
	uint16_t field;
};

/* What a caller acts on. */
enum tape_sense_class {
	TAPE_SENSE_NOTHING,     /* no sense, recovered, informational */
	TAPE_SENSE_ATTENTION,   /* unit attention without meaning for keys */
	TAPE_SENSE_NEW_MEDIUM,  /* another tape: the key may be the wrong one */
	TAPE_SENSE_KEY_LOST,    /* reset or power on: assume so */
	TAPE_SENSE_KEY_CHANGED, /* by another nexus or the library */
	TAPE_SENSE_NOT_READY,
	TAPE_SENSE_NO_MEDIUM,
	TAPE_SENSE_BLANK,      /* nothing written here: "cannot tell" */
	TAPE_SENSE_KEY_NEEDED, /* encrypted block, decryption off */
	TAPE_SENSE_WRONG_KEY,
	TAPE_SENSE_CLEAR_BLOCK, /* block in clear while only decrypting */
	TAPE_SENSE_TAMPERED,
	TAPE_SENSE_LIMIT,       /* too many wrong keys; unload first */
	TAPE_SENSE_LIBRARY,     /* the library owns the keys */
	TAPE_SENSE_UNSUPPORTED, /* this drive or page knows no encryption */
	TAPE_SENSE_REFUSED,     /* a field of what was sent */
	TAPE_SENSE_SECURITY,    /* other refusals of group 74h */
	TAPE_SENSE_FAILED,      /* everything else */
};

/* One line of the table: err is the code to return, todo the advice. */
struct tape_sense_rule {
	enum tape_sense_class class;
	int err;
	const char *name, *todo;
};

/* False when there is no sense data of a known format; then all is zero.
 * Cut-off sense is read as far as it goes. */
bool tape_sense_decode(const uint8_t *, size_t, struct tape_sense *);
/* Fixed (70h) or descriptor (72h) format; returns the length. */
size_t tape_sense_encode(const struct tape_sense *, bool descriptor,
    uint8_t out[TAPE_SENSE_ROOM]);

/* Never NULL. */
const struct tape_sense_rule *tape_sense_find(const struct tape_sense *);
/* "DATA PROTECT" */
const char *tape_sense_key_name(uint8_t key);

/*
 * Status byte and sense as 0 or an error that says
 * "what: DATA PROTECT, incorrect data encryption key (7/74/03); what to do".
 * *s is filled also on success (all zero when there is no sense).
 */
int tape_sense_check(uint8_t status, const uint8_t *sense, size_t len,
    const char *what, struct tape_sense *s) KMS_MUST;

#endif
