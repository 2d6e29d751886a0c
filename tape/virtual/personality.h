/*
 * What distinguishes the drive generations, as a table (facts from the
 * vendors' SCSI references; the vendor name is our own, so that nobody takes
 * this drive for a real one).
 */
#ifndef TAPE_VIRTUAL_PERSONALITY_H
#define TAPE_VIRTUAL_PERSONALITY_H

#include "tape/page.h"

#define VT_VENDOR "P11KMS"
#define VT_REVISION "0001"

struct vt_personality {
	unsigned generation;
	const char *product;
	uint8_t density;
	uint64_t capacity; /* native, bytes */
	/* Oldest cartridge generation it reads, and writes. */
	unsigned reads_from, writes_from;
	struct tape_algorithm algorithm;
};

/* 4..9; NULL for others. lenient: the values of a widespread software VTL. */
const struct vt_personality *vt_personality_find(unsigned generation,
    bool lenient);

#endif
