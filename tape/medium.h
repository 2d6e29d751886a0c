/*
 * Which tape is in the drive: what its own memory chip says.
 */
#ifndef TAPE_MEDIUM_H
#define TAPE_MEDIUM_H

#include "tape/drive.h"

#define TAPE_ATTRIBUTE_MAX 32u

/* "" where the cartridge does not say: many have no barcode in the chip. */
struct tape_medium {
	char barcode[TAPE_ATTRIBUTE_MAX + 1]; /* attribute 0806h */
	char serial[TAPE_ATTRIBUTE_MAX + 1];  /* attribute 0401h */
};

/* It says neither. */
bool tape_medium_is_unnamed(const struct tape_medium *);

/* READ ATTRIBUTE (SPC-4 6.16). No tape, or a drive without the command, is
 * 0 and two empty strings. */
int tape_medium_read(struct tape_drive *, struct tape_medium *) KMS_MUST;

#endif
