/*
 * One SCSI command, one reply. The socket to vtaped and SCSI generic
 * implement it; everything above is ordinary testable code.
 */
#ifndef TAPE_TRANSPORT_H
#define TAPE_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kms/base/err.h"

#define TAPE_CDB_MAX 16u
#define TAPE_SENSE_MAX 252u

enum tape_dir { TAPE_NONE, TAPE_IN, TAPE_OUT };

struct tape_cmd {
	uint8_t cdb[TAPE_CDB_MAX];
	uint8_t cdb_len;
	enum tape_dir dir;
	const uint8_t
	    *out;    /* TAPE_OUT: borrowed; may hold a key: never logged */
	uint8_t *in; /* TAPE_IN: zeroed by the transport first */
	size_t len;  /* bytes to send, or room for bytes to receive */
	unsigned timeout_ms;
};

struct tape_reply {
	uint8_t status; /* SAM status byte */
	size_t got;     /* TAPE_IN: bytes received, never more than len */
	uint8_t sense[TAPE_SENSE_MAX];
	size_t sense_len;
};

/*
 * exec: 0 when a status came, whatever it says; sense is data. KMS_ERR_IO or
 * KMS_ERR_TIMEOUT only when none came. One thread at a time.
 */
struct tape_transport {
	int (*exec)(struct tape_transport *, const struct tape_cmd *,
	    struct tape_reply *);
	void (*close)(struct tape_transport **);
};

#endif
