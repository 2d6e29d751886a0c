/* What cartridge.c and cartridge_open.c share. */
#ifndef TAPE_VIRTUAL_CARTRIDGE_IMPL_H
#define TAPE_VIRTUAL_CARTRIDGE_IMPL_H

#include <sys/types.h>

#include "kms/base/crypt.h"
#include "tape/virtual/cartridge.h"

struct object {
	uint64_t offset;
	uint64_t marks; /* filemarks before it */
	uint32_t len;
	uint8_t kind, head_len;
};

struct vt_cartridge {
	int fd;
	bool protected, damaged, dirty;
	struct vt_header header; /* its medium key is wiped: see medium */
	struct kms_gcm *medium;  /* guards plain blocks */
	struct object *index;
	size_t count, room;
	uint64_t end_offset, file_len, marks, encrypted;
	uint32_t last_crc;
	/* The newest mark in the file, and what is on disk since. */
	struct vt_end mark, synced;
};

/* LIMIT when the disk is full, IO otherwise; with errno. */
int vt_cartridge_error(const char *what);
int vt_cartridge_write_at(int fd, const void *, size_t, off_t) KMS_MUST;
/* Room for one more object; add cannot fail after it. */
int vt_cartridge_index_reserve(struct vt_cartridge *) KMS_MUST;
void vt_cartridge_index_add(struct vt_cartridge *, const struct vt_record *);

#endif
