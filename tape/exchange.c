#include "tape/exchange.h"

#include <stdio.h>
#include <string.h>

int
tape_exchange_due(struct tape_drive *d, bool *due, struct tape_next_block *b)
{
	enum tape_next next;

	*due = false;
	int err = tape_drive_next(d, &next, b);
	*due = !err && next == TAPE_NEXT_LOCKED;
	return err;
}

/* Its own key was loaded, and it is locked still: a drive that lies, for the
 * load was proven by this block. */
static bool
was_tried(const struct tape_exchange *x, const struct tape_next_block *b)
{
	return x->any && x->object == b->object &&
	    tape_kad_same(x->kad.u, x->kad.u_len, b->kad.u, b->kad.u_len) &&
	    tape_kad_same(x->kad.a, x->kad.a_len, b->kad.a, b->kad.a_len);
}

static int
load_next(struct tape_exchange *x, const struct tape_next_block *b,
    struct tape_loaded *loaded)
{
	struct tape_load load = {0};
	struct kms_secret *key = NULL;
	struct tape_next_block now;
	bool due = true;

	int err = x->next_key(x->arg, &load, &key);
	if (!err)
		err = tape_drive_load(x->drive, &load, loaded);
	kms_secret_free(&key);
	if (!err)
		err = tape_exchange_due(x->drive, &due, &now);
	if (err)
		return err;
	/* A reset in between would have rewound it. */
	if (due || !loaded->by_block || now.object != b->object)
		return kms_fail(KMS_ERR_UNPROVEN,
		    "the tape does not stand before that block any more");
	return 0;
}

static int
exchange(struct tape_exchange *x, struct tape_loaded *loaded)
{
	struct tape_next_block b;
	enum tape_next next = TAPE_NEXT_READABLE;

	int err = tape_drive_prove(x->drive, loaded);
	if (!err)
		err = tape_drive_next(x->drive, &next, &b);
	if (err || next == TAPE_NEXT_READABLE)
		return err;
	if (was_tried(x, &b))
		return kms_fail(KMS_ERR_UNPROVEN,
		    "block %llu of the tape: its own key was loaded and does "
		    "not fit; no other is tried",
		    (unsigned long long)b.object);
	x->any = true;
	x->object = b.object;
	x->kad = b.kad;
	err = load_next(x, &b, loaded);
	return err
	    ? kms_fail_add(err, "block %llu of the tape needs another key",
		  (unsigned long long)b.object)
	    : 0;
}

int
tape_exchange_key(struct tape_exchange *x, struct tape_loaded *loaded)
{
	if (x->err)
		return kms_fail(x->err, "%s", x->cause);
	x->err = exchange(x, loaded);
	if (x->err)
		snprintf(x->cause, sizeof(x->cause), "%s",
		    kms_err_cause(x->err));
	return x->err;
}
