/*
 * A drive in this process with two initiators, and commands to it as bytes.
 * Pages are written out by hand here, not by tape/page.c: both ends of one
 * codec could be wrong in the same way.
 */
#ifndef TESTS_VTAPE_RIG_H
#define TESTS_VTAPE_RIG_H

#include <check.h>

#include "tape/virtual/opcode.h"
#include "tests/lib/fixture.h"

#define RIG_IN (64u * 1024)

struct rig {
	struct fx *fx;
	const char *path; /* of the cartridge */
	struct vt_drive *d;
	struct vt_nexus *a, *b;
	/* The last command's reply. */
	uint8_t status, in[RIG_IN];
	size_t in_len;
	struct tape_sense sense;
};

/* An LTO generation's drive with a blank cartridge of that generation and
 * 64 MB capacity; more by vt_options. */
struct rig *rig_new(unsigned generation);
struct rig *rig_new_with(const struct vt_options *);
void rig_free(struct rig *);

/* Another blank cartridge, or the same one again. */
void rig_insert(struct rig *, const char *path);
const char *rig_cartridge(struct rig *, const char *name, unsigned generation,
    uint64_t capacity);

struct cdb {
	uint8_t b[16];
};
/* Sends; the CDB's length is that of its group. */
void rig_run(struct rig *, struct vt_nexus *, struct cdb, const void *out,
    size_t out_len, size_t in_cap);
/* As above, and it must end so. */
void rig_good(struct rig *, struct vt_nexus *, struct cdb);
void rig_in(struct rig *, struct vt_nexus *, struct cdb, size_t in_cap);
void rig_refused(struct rig *, uint8_t key, uint16_t asc);

/* Usual commands, by initiator a, that must end GOOD. */
void rig_write(struct rig *, const void *, size_t);
void rig_write_text(struct rig *, const char *);
void rig_marks(struct rig *, uint8_t count);
void rig_locate(struct rig *, uint32_t object);
/* Reads one variable block with room of in_cap; status is left to see. */
void rig_read(struct rig *, struct vt_nexus *, size_t in_cap);
void rig_read_text(struct rig *, const char *want);
uint64_t rig_position(struct rig *);

/* Set Data Encryption, byte by byte. */
struct sde {
	uint8_t scope_lock, flags, enc, dec, algorithm, key_format, kad_format;
	size_t key_len; /* the key is key_len times key_byte */
	uint8_t key_byte;
	const char *u, *a; /* KADs; NULL: none */
	bool a_first;      /* in the wrong order */
};
/* What a load for writing sends: scope ALL, ENCRYPT + MIXED. */
struct sde sde_load(uint8_t key_byte, const char *u);
struct sde sde_off(void);
size_t sde_encode(const struct sde *, uint8_t *page);
void rig_sde(struct rig *, struct vt_nexus *, const struct sde *);
void rig_sde_bytes(struct rig *, struct vt_nexus *, const uint8_t *, size_t);
void rig_sde_good(struct rig *, struct vt_nexus *, const struct sde *);
/* SPIN page of protocol 20h into in. */
void rig_spin(struct rig *, struct vt_nexus *, uint16_t page);
uint32_t rig_kic(struct rig *, struct vt_nexus *);

#endif
