/*
 * Shared by the files of drive.h only.
 */
#ifndef TAPE_DRIVE_IMPL_H
#define TAPE_DRIVE_IMPL_H

#include "tape/drive.h"

/* LTFS's values: 60 s, and 300 s where the tape may have to move. */
#define DRIVE_TIMEOUT_MS 60000u
#define DRIVE_TIMEOUT_TAPE_MS 300000u
#define DRIVE_PAGE_ROOM 4096u
#define TAPE_AES_256_GCM 0x00010014u

struct tape_drive {
	struct tape_transport *t;
	struct tape_identity id;
	struct tape_noted noted;
	uint8_t algorithm; /* index last chosen; 0 before */
	uint8_t page[DRIVE_PAGE_ROOM];
};

#define DRIVE_CONTROL_ADC 3u
#define DRIVE_CONTROL_MANAGEMENT 4u

/* What of the drive decides how the page must look. */
struct drive_plan {
	struct tape_algorithm alg;
	bool medium, ckod;
	struct tape_kad kad; /* writing: padded as the drive wants it */
	struct tape_status before;
};
/* Asks the drive all that; KMS_ERR_DRIVE or BUSY when the load cannot be. */
int tape_drive_plan(struct tape_drive *, const struct tape_load *,
    struct drive_plan *) KMS_MUST;

/* SECURITY PROTOCOL IN; the page lies in d->page. s may be NULL. */
int tape_drive_page(struct tape_drive *, uint8_t protocol, uint16_t page,
    const char *what, size_t *got, struct tape_sense *s) KMS_MUST;
int tape_drive_serial(struct tape_drive *, char serial[TAPE_SERIAL_MAX + 1])
    KMS_MUST;

#endif
