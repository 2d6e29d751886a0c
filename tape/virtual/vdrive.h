/*
 * The drive's state: medium, position, encryption parameters, initiators.
 * The vdrive_*.c files work on it command by command; opcode.c decides
 * which may. One thread.
 */
#ifndef TAPE_VIRTUAL_VDRIVE_H
#define TAPE_VIRTUAL_VDRIVE_H

#include "tape/virtual/cartridge.h"
#include "tape/virtual/nexus.h"
#include "tape/virtual/personality.h"

#define VT_NEXUS_MAX 32u
#define VT_WRONG_KEYS_MAX 10u /* then 7/26/10 (HP LTO-4 manual p. 72) */

struct vt_options {
	unsigned generation;    /* 4..9 */
	const char *serial;     /* 1..16 characters */
	bool lenient;           /* the manners of a widespread software VTL */
	bool library_owns_keys; /* CFG_P 2: SPOUT is refused */
	bool encryption_off;    /* as a library's setting does it */
	bool fixed_kads;        /* UKADF, AKADF: KADs of full length only */
};

struct vt_drive {
	struct vt_options opt;
	char serial[17];
	struct vt_personality kind; /* a copy: options change it */
	struct vt_cartridge *tape;  /* NULL: empty */
	bool loaded;                /* threaded, not at the slot */
	uint64_t loads;             /* so far */
	uint64_t at;                /* the next object */
	uint32_t block_len;         /* 0: variable */
	bool buffered;              /* WRITE may be answered early */
	bool descriptor_sense, compress;
	struct vt_param shared; /* of all nexuses with scope PUBLIC or ALL */
	uint32_t kic;           /* the last key instance counter given */
	/* Keys that failed to decrypt since the last load (26h/10h). */
	unsigned wrong_keys;
	uint32_t wrong_kic;
	uint8_t *scratch; /* a block longer than its reader's room */
	struct vt_nexus *nexus[VT_NEXUS_MAX];
	struct vt_nexus *reserved; /* RESERVE(6); NULL: nobody */
};

/* Empty and just switched on. */
int vt_drive_new(const struct vt_options *, struct vt_drive **) KMS_MUST;
void vt_drive_free(struct vt_drive **);

/* A new initiator, KMS_ERR_LIMIT when there are too many. It has missed
 * nothing: what happened before, nobody promised to tell it. */
int vt_drive_join(struct vt_drive *, struct vt_nexus **) KMS_MUST;
/* I_T nexus loss: its own parameters, reservation and PREVENT go. */
void vt_drive_leave(struct vt_drive *, struct vt_nexus **);

/* Takes the cartridge over and loads it. KMS_ERR_EXISTS when one is in;
 * KMS_ERR_USAGE: too old or too new for this drive to read. */
int vt_drive_insert(struct vt_drive *, struct vt_cartridge **) KMS_MUST;
/* KMS_ERR_NOTFOUND: empty; KMS_ERR_STATE: an initiator prevents removal. */
int vt_drive_eject(struct vt_drive *) KMS_MUST;
/* Power off and on: keys, locks and reservations are gone, the tape is
 * rewound, every initiator is told. */
void vt_drive_reset(struct vt_drive *);

/* Unthreads: rewinds and, with CKOD, forgets keys. load: the way back. */
void vt_drive_demount(struct vt_drive *);
void vt_drive_load(struct vt_drive *);

/* Tells every initiator but one (NULL: all). */
void vt_drive_tell(struct vt_drive *, const struct vt_nexus *except,
    enum vt_attention);

/* The parameters that govern this nexus. */
struct vt_param *vt_drive_param(struct vt_drive *, struct vt_nexus *);
/* Ends a reservation; CKORL takes its holder's key with it. */
void vt_drive_release(struct vt_drive *);
bool vt_drive_can_write(const struct vt_drive *);

#endif
