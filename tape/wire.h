/*
 * The messages between a virtual drive and its initiators over a Unix
 * stream socket. libc only: the preload library includes nothing else.
 *
 * Request:  'V' 'T' '1' kind(1) | cdb_len(1) dir(1) 0 0 | len(4) | cdb(16) |
 *           data (dir out)
 * Reply:    'V' 'T' '1' kind(1) | status(1) sense_len(1) 0 0 | len(4) |
 *           sense | data (dir in)
 * Big-endian. Each connection is one I_T nexus. What an operator asks (all
 * kinds but WIRE_SCSI) is refused with status 02h and the cause, as text,
 * where sense would be.
 */
#ifndef TAPE_WIRE_H
#define TAPE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define WIRE_DATA_MAX 8388608u
#define WIRE_REQ_HEAD 28u
#define WIRE_REP_HEAD 12u
#define WIRE_CDB_MAX 16u
#define WIRE_SENSE_MAX 252u

enum wire_kind {
	WIRE_SCSI = 1,
	WIRE_RESET = 2,  /* power cycle: key gone, unit attention for all */
	WIRE_INSERT = 3, /* data: path of a cartridge file, absolute */
	WIRE_EJECT = 4,
	WIRE_STOP = 5,
};
enum wire_dir { WIRE_NONE = 0, WIRE_IN = 1, WIRE_OUT = 2 };

struct wire_req {
	uint8_t kind, cdb_len, dir;
	uint32_t len;
	uint8_t cdb[WIRE_CDB_MAX];
};
struct wire_rep {
	uint8_t kind, status, sense_len;
	uint32_t len;
};

/* Heads to bytes and back. decode: 0, or -1 when it is not ours, a length is
 * over its bound or a field has no meaning. */
void wire_req_encode(const struct wire_req *, uint8_t[WIRE_REQ_HEAD]);
int wire_req_decode(const uint8_t[WIRE_REQ_HEAD], struct wire_req *);
void wire_rep_encode(const struct wire_rep *, uint8_t[WIRE_REP_HEAD]);
int wire_rep_decode(const uint8_t[WIRE_REP_HEAD], struct wire_rep *);

/* Whole buffers or -1 with errno (EPIPE on end of file, ETIMEDOUT when
 * nothing moves for timeout_ms; -1: for ever). */
int wire_send(int fd, const void *, size_t, int timeout_ms);
int wire_recv(int fd, void *, size_t, int timeout_ms);
/* Connected socket, close-on-exec, or -1 with errno. */
int wire_connect(const char *path);

/*
 * One command there and back. in: room of cap bytes; *got what came; sense:
 * room of WIRE_SENSE_MAX. -1 with errno (EPROTO: not our protocol): the
 * stream is out of step then, and the caller closes it. For WIRE_OUT the
 * drive may not reply before it has read all data.
 */
int wire_exec(int fd, const struct wire_req *, const void *out, void *in,
    size_t cap, size_t *got, uint8_t *status, uint8_t *sense, size_t *sense_len,
    int timeout_ms);

/*
 * A program that was started with a key asks for the one of the tape's next
 * block: it connects to the socket that WIRE_ASK_ENV names, and one byte
 * comes back. No key passes here: whoever listens loads the drive itself.
 */
#define WIRE_ASK_ENV "P11KMS_NEXT_KEY"
#define WIRE_ASK_LOADED 1u  /* read again */
#define WIRE_ASK_REFUSED 0u /* there is no key for it */
/*
 * One that was started to write tells, in the same way and before it writes,
 * that another tape may be in: it goes on record. REFUSED: the drive could not
 * be asked which tape that is.
 */
#define WIRE_TELL_ENV "P11KMS_NEW_TAPE"

/* 0: LOADED. -1 with errno: refused (EACCES), or nobody answers. */
int wire_ask(const char *path, int timeout_ms);

#endif
