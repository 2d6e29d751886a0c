/*
 * One SCSI command inside the drive: what came, and the reply as it is
 * built. A plain value; buffers are the server's.
 */
#ifndef TAPE_VIRTUAL_COMMAND_H
#define TAPE_VIRTUAL_COMMAND_H

#include "kms/base/buf.h"
#include "tape/sense.h"

/* asc << 8 | ascq */
enum vt_asc {
	VT_NOTHING = 0x0000,
	VT_FILEMARK_DETECTED = 0x0001,
	VT_END_OF_MEDIUM = 0x0002,
	VT_BEGINNING = 0x0004,
	VT_END_OF_DATA = 0x0005,
	VT_WRITE_ERROR = 0x0C00,
	VT_READ_ERROR = 0x1100,
	VT_LIST_LENGTH = 0x1A00,
	VT_INVALID_OPCODE = 0x2000,
	VT_INVALID_CDB = 0x2400,
	VT_INVALID_LIST = 0x2600,
	VT_KEY_FAIL_LIMIT = 0x2610,
	VT_WRITE_PROTECTED = 0x2700,
	VT_MEDIUM_CHANGED = 0x2800,
	VT_RESET = 0x2900,
	VT_MODE_CHANGED = 0x2A01,
	VT_KEY_CHANGED = 0x2A11,
	VT_KIC_CHANGED = 0x2A13,
	VT_CANNOT_READ_MEDIUM = 0x3001,
	VT_CANNOT_WRITE_MEDIUM = 0x3005,
	VT_SAVING_UNSUPPORTED = 0x3900,
	VT_NO_MEDIUM = 0x3A00,
	VT_INTERNAL = 0x4400,
	VT_DATA_PHASE = 0x4B00,
	VT_REMOVAL_PREVENTED = 0x5302,
	VT_CANNOT_DECRYPT = 0x7401,
	VT_CLEAR_WHILE_DECRYPTING = 0x7402,
	VT_WRONG_KEY = 0x7403,
	VT_INTEGRITY = 0x7404,
	VT_MODE_MISMATCH = 0x7409,
	VT_NOT_RAW_READABLE = 0x740A,
	VT_KEYS_PREVENTED = 0x7421,
};

struct vt_command {
	const uint8_t *cdb; /* 16 bytes, zeros behind cdb_len */
	size_t cdb_len;
	uint8_t *out; /* from the initiator; encrypted in place */
	size_t out_len;
	uint8_t *in; /* to the initiator */
	size_t in_cap, in_len;
	uint8_t status;
	struct tape_sense sense;
	/* Sends GOOD at once, to whom; the command's work goes on behind it.
	 * NULL: the reply waits for the work. */
	void (*answer)(struct vt_command *);
	void *whom;
	bool answered;
};

/* The initiator may go on: status and sense no longer reach it. */
void vt_command_answer(struct vt_command *);
/* CHECK CONDITION. Data already put stays. */
void vt_command_fail(struct vt_command *, enum tape_sense_key, enum vt_asc);
/* As above with the residue in INFORMATION (negative: two's complement). */
void vt_command_residue(struct vt_command *, enum tape_sense_key, enum vt_asc,
    int64_t residue);
/* ILLEGAL REQUEST that points at a byte of the CDB or parameter list. */
void vt_command_bad_cdb(struct vt_command *, size_t byte);
void vt_command_bad_list(struct vt_command *, size_t byte);
/* Data-in: at most alloc bytes of it (SPC-4 4.2.5.6). */
void vt_command_reply(struct vt_command *, const struct kms_wr *, size_t alloc);

#endif
