/*
 * One initiator as the drive knows it (an I_T nexus): what it has to be told,
 * and its part in encryption.
 */
#ifndef TAPE_VIRTUAL_NEXUS_H
#define TAPE_VIRTUAL_NEXUS_H

#include "tape/virtual/command.h"
#include "tape/virtual/param.h"

/* Unit attentions, told in this order (SAM-5 5.14). */
enum vt_attention {
	VT_ATTENTION_RESET = 1,
	VT_ATTENTION_MEDIUM = 2,
	VT_ATTENTION_MODE = 4,
	VT_ATTENTION_KEY = 8,
};

struct vt_nexus {
	unsigned attention; /* set of enum vt_attention */
	/* A block that was answered for and is not on tape (SPC-4 4.5.7):
	 * told instead of the next command, which does nothing. */
	bool has_deferred;
	struct tape_sense deferred;
	bool registered; /* used protocol 20h: wants VT_ATTENTION_KEY */
	bool prevents;   /* medium removal */
	enum tape_scope scope;
	struct vt_param local; /* in force when scope is LOCAL */
	/* LOCK: tied to this key instance counter. */
	bool locked;
	uint32_t locked_kic;
};

/* Takes the most urgent one as sense; false when there is none. */
bool vt_nexus_attention(struct vt_nexus *, struct tape_sense *);
/* The same for a deferred error. */
bool vt_nexus_deferred(struct vt_nexus *, struct tape_sense *);
/* After a power cycle: nothing is known of it but that it must be told. */
void vt_nexus_reset(struct vt_nexus *);

#endif
