#include "tape/volumes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAUSE_ROOM 256u

static bool
is_same(const struct tape_medium *a, const struct tape_medium *b)
{
	return strcmp(a->serial, b->serial) == 0 &&
	    strcmp(a->barcode, b->barcode) == 0;
}

int
tape_volumes_begin(struct tape_volumes *v)
{
	return tape_drive_loads(v->drive, &v->counts, &v->loads);
}

/* One of the loads since the last look, if any, brought what is in now. */
static int
count_loads(struct tape_volumes *v, bool *in)
{
	uint64_t now = 0;
	bool counts = false;

	/* Asked first: a tape that comes in between is counted next time. */
	int err = v->counts ? tape_drive_loads(v->drive, &counts, &now) : 0;
	if (!err)
		err = tape_drive_medium(v->drive, in);
	if (err || !v->counts)
		return err;
	v->counts = counts && now >= v->loads;
	if (v->counts && now > v->loads)
		v->unseen += now - v->loads - (*in ? 1 : 0);
	v->loads = now;
	return 0;
}

/* Two tapes without a name are the same one unless the drive said that it was
 * changed. */
static bool
is_known(struct tape_volumes *v, const struct tape_medium *m)
{
	bool changed = tape_drive_noted(v->drive).medium;

	if (tape_medium_is_unnamed(m) && tape_medium_is_unnamed(&v->last) &&
	    changed && !v->unnamed)
		return false;
	return is_same(m, &v->last);
}

/* Before it is noted: what happens meanwhile, it is not forgotten. */
static int
add_missed(struct tape_volumes *v, const struct tape_medium *m, bool *added)
{
	for (size_t i = 0; i < v->n_missed; i++)
		if (is_same(&v->missed[i], m))
			return 0;
	struct tape_medium *more = realloc(v->missed,
	    (v->n_missed + 1) * sizeof(*more));
	if (!more)
		return kms_fail(KMS_ERR_MEMORY, "tapes: out of memory");
	v->missed = more;
	v->missed[v->n_missed++] = *m;
	v->unnamed |= tape_medium_is_unnamed(m);
	*added = true;
	return 0;
}

static int
note(struct tape_volumes *v, const struct tape_medium *m, bool ended)
{
	if (tape_medium_is_unnamed(m))
		return kms_fail(KMS_ERR_DRIVE,
		    "it has neither barcode nor serial in its chip");
	return v->note(v->arg, m, ended);
}

/* *fresh: a tape that was not in before is in now; it is the last missed. */
static int
look(struct tape_volumes *v, bool *fresh)
{
	struct tape_medium m;
	bool in = false;

	*fresh = false;
	int err = count_loads(v, &in);
	if (err || !in)
		return err;
	err = tape_medium_read(v->drive, &m);
	if (err || is_known(v, &m))
		return err;
	err = add_missed(v, &m, fresh);
	if (!err)
		v->last = m;
	return err;
}

/* What fails now is tried again when the job has ended. */
int
tape_volumes_look(struct tape_volumes *v)
{
	bool fresh;

	int err = look(v, &fresh);
	if (!err && fresh && note(v, &v->last, false) == 0)
		v->n_missed--;
	return err;
}

static const char *
name_of(const struct tape_medium *m)
{
	if (tape_medium_is_unnamed(m))
		return "without a name";
	return m->barcode[0] ? m->barcode : m->serial;
}

/* What could be recorded is missed no more; the first error. */
static int
note_missed(struct tape_volumes *v)
{
	char cause[CAUSE_ROOM] = "";
	size_t left = 0;
	int first = 0;

	for (size_t i = 0; i < v->n_missed; i++) {
		int err = note(v, &v->missed[i], true);
		if (!err)
			continue;
		if (!first)
			snprintf(cause, sizeof(cause), "%s",
			    kms_err_cause(err));
		first = first ? first : err;
		v->missed[left++] = v->missed[i];
	}
	v->n_missed = left;
	return first ? kms_fail(first,
			   "tape %s was in the drive with the key and is not "
			   "in the catalog: %s",
			   name_of(&v->missed[0]), cause)
		     : 0;
}

static int
check_seen(const struct tape_volumes *v)
{
	if (v->unseen == 0)
		return 0;
	return kms_fail(KMS_ERR_UNPROVEN,
	    "by the drive's own count, so many tapes were in it with the key "
	    "and not seen: %llu; record each that the catalog lacks with "
	    "p11kmsdrive -note -tag T -volume V, and have the script that "
	    "changes tapes run p11kmsdrive -note",
	    (unsigned long long)v->unseen);
}

int
tape_volumes_end(struct tape_volumes *v)
{
	char cause[CAUSE_ROOM] = "";
	bool fresh;

	int err = look(v, &fresh);
	if (err)
		snprintf(cause, sizeof(cause), "%s", kms_err_cause(err));
	int missed = note_missed(v);
	if (missed)
		return missed;
	if (err)
		return kms_fail(err,
		    "which tape is in the drive now cannot be told: %s; look "
		    "whether the catalog has it, or record it with p11kmsdrive "
		    "-note",
		    cause);
	return check_seen(v);
}

void
tape_volumes_free(struct tape_volumes *v)
{
	free(v->missed);
	v->missed = NULL;
	v->n_missed = 0;
}
