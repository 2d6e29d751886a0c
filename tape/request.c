#include "tape/request.h"

#include <string.h>

static int
no_key(const char *why)
{
	return kms_fail(KMS_ERR_NOTFOUND, "%s", why);
}

/* What the next block on tape names. */
static int
kad_from_tape(struct tape_drive *d, struct tape_kad *kad)
{
	struct tape_name names[TAPE_NAMES_MAX];
	struct tape_next_block b;
	enum tape_next next;
	bool medium;

	int err = tape_drive_medium(d, &medium);
	if (err)
		return err;
	if (!medium)
		return no_key("no tape in the drive; insert one");
	err = tape_drive_next(d, &next, &b);
	if (err)
		return err;
	switch (next) {
	case TAPE_NEXT_LOCKED:
	case TAPE_NEXT_READABLE:
		break;
	case TAPE_NEXT_CLEAR:
		return no_key("the next block is not encrypted; no key is "
			      "needed to read it");
	case TAPE_NEXT_UNSUPPORTED:
		return kms_fail(KMS_ERR_DRIVE,
		    "the next block is encrypted by an algorithm that this "
		    "drive does not have; use a newer drive");
	case TAPE_NEXT_MARK:
		return no_key("a filemark comes next; position the tape to a "
			      "block (mt fsf 1), or name the key with -tag");
	case TAPE_NEXT_UNKNOWN:
		return no_key("the drive cannot tell which key comes next; "
			      "position the tape to a block (mt rewind), or "
			      "name the key with -tag");
	}
	if (tape_kad_names(&b.kad, names) == 0)
		return no_key("the next block is encrypted, but names no key; "
			      "name it with -tag");
	*kad = b.kad;
	return 0;
}

static int
kad_from_tag(const struct tape_request *q, struct tape_kad *kad)
{
	if (q->tag_len == 0 || q->tag_len > TAPE_UKAD_MAX)
		return kms_fail(KMS_ERR_USAGE,
		    "a key tag is 1 to %u bytes long, not %zu", TAPE_UKAD_MAX,
		    q->tag_len);
	memcpy(kad->u, q->tag, q->tag_len);
	kad->u_len = q->tag_len;
	return 0;
}

int
tape_request_key(struct tape_drive *d, struct tape_keys *keys,
    const struct tape_request *q, struct tape_load *load,
    struct kms_secret **key)
{
	struct tape_want want = {0};
	struct tape_kad named = {0};
	struct tape_capabilities caps;
	struct tape_medium m;
	int err = 0;

	memset(load, 0, sizeof(*load));
	*key = NULL;
	if ((q->pool != NULL) + (q->tag != NULL) + (q->read ? 1 : 0) != 1)
		return kms_fail(KMS_ERR_USAGE,
		    "a key is asked for by pool, by tag, or by the tape");
	if (q->tag)
		err = kad_from_tag(q, &named);
	else if (q->read)
		err = kad_from_tape(d, &named);
	/* A drive that will not take it must not cost a released key. */
	if (!err)
		err = tape_drive_capabilities(d, &caps);
	if (!err)
		err = tape_medium_read(d, &m);
	if (err)
		return err;
	if (q->tape)
		*q->tape = m;
	want.pool = q->pool;
	want.kad = q->pool ? NULL : &named;
	want.drive = tape_drive_identity(d)->serial;
	want.volume = q->volume ? q->volume : m.barcode;
	want.medium = m.serial;
	err = keys->get(keys, &want, &load->kad, key);
	if (err)
		return err;
	load->write = q->pool != NULL;
	load->key = *key;
	load->keep_on_unload = q->keep_on_unload;
	return 0;
}
