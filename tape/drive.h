/*
 * One tape drive: who it is, what it can, what it holds, loading a key with
 * proof, clearing it with proof. Nothing here moves the tape. One thread at
 * a time; act at job boundaries only, for every command may eat a unit
 * attention that the kernel's tape driver should have seen.
 */
#ifndef TAPE_DRIVE_H
#define TAPE_DRIVE_H

#include "tape/keys.h"
#include "tape/page.h"
#include "tape/sense.h"
#include "tape/transport.h"

#define TAPE_SERIAL_MAX 64u

struct tape_drive;

/* Printable ASCII, no blanks at either end. */
struct tape_identity {
	char vendor[9], product[17], revision[5], serial[TAPE_SERIAL_MAX + 1];
};

/* INQUIRY and VPD page 80h. Takes the transport, also when it fails.
 * KMS_ERR_DRIVE when it is not a tape drive. */
int tape_drive_open(struct tape_transport **, struct tape_drive **) KMS_MUST;
void tape_drive_close(struct tape_drive **);
const struct tape_identity *tape_drive_identity(const struct tape_drive *);
/* LTO generation told by the product's name; 0 when it does not say. */
unsigned tape_drive_generation(const struct tape_identity *);

/*
 * One command; unit attentions are noted and it is sent again, at most
 * twice. 0, or the error of its status and sense, with what in front. s may
 * be NULL.
 */
int tape_drive_exec(struct tape_drive *, const struct tape_cmd *,
    const char *what, size_t *got, struct tape_sense *s) KMS_MUST;

/* What unit attentions told since the drive was opened. */
struct tape_noted {
	bool reset;  /* 29h: assume that the key is lost */
	bool medium; /* 28h: perhaps another tape */
	bool key;    /* 2Ah/11h, 12h: parameters changed by somebody else */
};
struct tape_noted tape_drive_noted(const struct tape_drive *);

enum tape_ability {
	TAPE_ABLE,         /* this host may set keys */
	TAPE_ABLE_NOT,     /* the drive knows no tape encryption */
	TAPE_SWITCHED_OFF, /* protocol 20h is hidden by drive or library */
	TAPE_LIBRARY,      /* the library owns the keys */
};
/* For listings: never an error for what a drive cannot do. */
int tape_drive_ability(struct tape_drive *, enum tape_ability *) KMS_MUST;
const char *tape_ability_name(enum tape_ability);

/* Is a tape in and ready? Becoming ready is KMS_ERR_BUSY. */
int tape_drive_medium(struct tape_drive *, bool *in) KMS_MUST;

/* The length of fixed blocks; 0: blocks of any length (MODE SENSE). */
int tape_drive_block_len(struct tape_drive *, uint32_t *len) KMS_MUST;

/* How many tapes the drive has loaded in its life (LOG SENSE, device
 * statistics). known is false when it does not say. */
int tape_drive_loads(struct tape_drive *, bool *known, uint64_t *loads)
    KMS_MUST;

/* KMS_ERR_DRIVE, saying why, when this host cannot set keys. */
int tape_drive_capabilities(struct tape_drive *, struct tape_capabilities *)
    KMS_MUST;

/* What is known of the next logical block (SSC-4 8.5.2.8). */
enum tape_next {
	TAPE_NEXT_UNKNOWN,     /* cannot tell now; not an error */
	TAPE_NEXT_MARK,        /* a filemark */
	TAPE_NEXT_CLEAR,       /* not encrypted */
	TAPE_NEXT_UNSUPPORTED, /* encrypted, this drive cannot read it */
	TAPE_NEXT_READABLE,    /* encrypted, and the loaded key fits */
	TAPE_NEXT_LOCKED,      /* encrypted: the KAD says which key it needs */
};
int tape_drive_next(struct tape_drive *, enum tape_next *,
    struct tape_next_block *) KMS_MUST;
const char *tape_next_name(enum tape_next);

struct tape_drive_state {
	struct tape_status status;
	bool loaded; /* one of the two modes is on: a key is in the drive */
	uint32_t algorithm; /* security algorithm code, 0 unknown */
	bool medium;
	enum tape_next next;
	struct tape_next_block block;
};
int tape_drive_state(struct tape_drive *, struct tape_drive_state *) KMS_MUST;
/* Data encryption status alone. */
int tape_drive_status(struct tape_drive *, struct tape_status *) KMS_MUST;

const char *tape_enc_name(enum tape_enc_mode);
const char *tape_dec_name(enum tape_dec_mode);
/* Who sets the drive's parameters: "host", "library", … */
const char *tape_control_name(uint8_t control);
/* "AES-256-GCM"; NULL when it is not known. */
const char *tape_algorithm_name(uint32_t code);

/* key and kad are borrowed. Writing: kad goes on tape. Reading: kad.u is the
 * tag the key was asked by, for the proof; nothing of it is sent. */
struct tape_load {
	bool write;
	const struct kms_secret *key;
	struct tape_kad kad;
	bool keep_on_unload; /* do not ask the drive to drop it on demount */
};

/* What the drive has proven; for tape_drive_prove later. */
struct tape_loaded {
	enum tape_enc_mode enc;
	enum tape_dec_mode dec;
	uint32_t kic;
	struct tape_kad kad; /* as the drive reports it */
	uint8_t algorithm, ceem;
	bool ckod;     /* the drive drops the key itself on demount */
	bool keep;     /* demounts are expected */
	bool by_block; /* the next block on tape was checked too */
};

/*
 * Loads a key and reads back what the drive then says: modes, KAD, a changed
 * key instance counter; for reading also the next block when it is known.
 * 0 is returned only when all of it is as it should be. Else:
 * KMS_ERR_DRIVE or BUSY: refused, the drive is as it was (the text says
 * what it holds); KMS_ERR_UNPROVEN: it took something, which was cleared
 * again (or the text says that it could not be).
 */
int tape_drive_load(struct tape_drive *, const struct tape_load *,
    struct tape_loaded *) KMS_MUST;

/* A drive without a key, where the tape begins in clear: cleared, and what
 * tape_drive_prove compares with. */
int tape_drive_bare(struct tape_drive *, struct tape_loaded *) KMS_MUST;

/* Is it still exactly what was loaded, in the same drive, with no reset in
 * between? KMS_ERR_UNPROVEN with the difference. */
int tape_drive_prove(struct tape_drive *, const struct tape_loaded *) KMS_MUST;

/* Switches both modes off and proves it; tried twice. A drive that has
 * nothing loaded is 0. KMS_ERR_UNPROVEN when the key may still be there. */
int tape_drive_clear(struct tape_drive *) KMS_MUST;

#endif
