/* What p11kmsdrive is told and asked by a program that it started. */
#include <errno.h>
#include <stdlib.h>

#include "tape/virtual/preload.h"

enum {
	TIMEOUT_MS = 600000,
	WRITE = 0x0A,
	LOAD_UNLOAD = 0x1B,
	ATTENTION = 6,
	ASC_MEDIUM_CHANGED = 0x28,
	ASC_RESET = 0x29,
};

bool
vtp_next_key_loaded(void)
{
	const char *path = getenv(WIRE_ASK_ENV);

	return path && wire_ask(path, TIMEOUT_MS) == 0;
}

/* Told before the first block, for it must be on record when there is one.
 * Where it cannot be, the job ends with an error: what is being written is
 * worth more than the record of it. */
void
vtp_before(struct vtp_node *n, const struct vtp_cmd *c)
{
	const char *path = c->cdb[0] == WRITE && !n->told
	    ? getenv(WIRE_TELL_ENV)
	    : NULL;
	int e = errno;

	if (path)
		n->told = wire_ask(path, TIMEOUT_MS) == 0;
	errno = e;
}

void
vtp_after(struct vtp_node *n, const struct vtp_cmd *c,
    const struct vtp_reply *r)
{
	if (c->cdb[0] == LOAD_UNLOAD ||
	    (r->status == 2 && r->key == ATTENTION &&
		(r->asc == ASC_MEDIUM_CHANGED || r->asc == ASC_RESET)))
		n->told = false;
}
