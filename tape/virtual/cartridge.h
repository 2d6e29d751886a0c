/*
 * A cartridge: blocks and filemarks in a file (record.h), with an index in
 * memory. Objects are numbered from 0; the end is one behind the last.
 *
 * A filemark is on disk when vt_cartridge_sync returns; blocks behind the
 * last one may be lost when the machine stops. What a writer killed in
 * mid-record left behind is not part of the tape and is cut by the next
 * write. One thread; the file is locked against a second drive.
 */
#ifndef TAPE_VIRTUAL_CARTRIDGE_H
#define TAPE_VIRTUAL_CARTRIDGE_H

#include "tape/virtual/record.h"

struct vt_cartridge;

struct vt_label {
	unsigned generation; /* 4..9 */
	uint64_t capacity;   /* bytes of the file */
	const char *barcode; /* 1..32 printable ASCII characters */
};

/* A new file, mode 0600; KMS_ERR_EXISTS when there is one. */
int vt_cartridge_create(const char *path, const struct vt_label *) KMS_MUST;
/* A file without any write permission is a tape with its tab set.
 * KMS_ERR_BUSY: another drive has it. */
int vt_cartridge_open(const char *path, struct vt_cartridge **) KMS_MUST;
/* Records what is on disk, then closes. */
void vt_cartridge_close(struct vt_cartridge **);

const struct vt_header *vt_cartridge_header(const struct vt_cartridge *);
bool vt_cartridge_protected(const struct vt_cartridge *);
/* The records end before the end mark: what follows is damaged, not blank.
 * Reading there fails; only writing over an earlier object gives it up. */
bool vt_cartridge_damaged(const struct vt_cartridge *);
/* Bytes behind the end that no record owns: a torn tail. */
uint64_t vt_cartridge_torn(const struct vt_cartridge *);
bool vt_cartridge_has_encrypted(const struct vt_cartridge *);

uint64_t vt_cartridge_end(const struct vt_cartridge *);
uint64_t vt_cartridge_used(const struct vt_cartridge *);
/* Room for so many bytes on the disk, and some for others who write there
 * now: then a put fails only where the disk does. */
bool vt_cartridge_has_disk(const struct vt_cartridge *, uint64_t bytes);
/* For object < end. */
bool vt_cartridge_is_mark(const struct vt_cartridge *, uint64_t object);
bool vt_cartridge_is_encrypted(const struct vt_cartridge *, uint64_t object);
uint32_t vt_cartridge_len(const struct vt_cartridge *, uint64_t object);
/* Filemarks before the object (<= end). */
uint64_t vt_cartridge_marks(const struct vt_cartridge *, uint64_t object);
/* The object right behind the n-th filemark (n from 1); end when fewer. */
uint64_t vt_cartridge_file(const struct vt_cartridge *, uint64_t n);

/* Head of an object, checked. KMS_ERR_DAMAGED, KMS_ERR_IO. */
int vt_cartridge_head(struct vt_cartridge *, uint64_t object,
    struct vt_record *) KMS_MUST;
/* Head and data as stored; data: room for vt_cartridge_len. A plain block's
 * tag is checked here, an encrypted one's by whoever has the key. */
int vt_cartridge_get(struct vt_cartridge *, uint64_t object, struct vt_record *,
    uint8_t *data) KMS_MUST;

/* Everything from object on is gone. KMS_ERR_DAMAGED at a damaged end. */
int vt_cartridge_cut(struct vt_cartridge *, uint64_t object) KMS_MUST;
/* Starts a record to be put at the end: number and chain are filled in. */
void vt_cartridge_next(const struct vt_cartridge *, enum vt_kind,
    struct vt_record *);
/* Appends it; data is not changed. A plain block's tag is made here.
 * KMS_ERR_LIMIT: disk full, nothing written. */
int vt_cartridge_put(struct vt_cartridge *, struct vt_record *, uint8_t *data)
    KMS_MUST;
/* Until this returns 0, nothing is promised. */
int vt_cartridge_sync(struct vt_cartridge *) KMS_MUST;

#endif
