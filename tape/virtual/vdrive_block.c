#include "tape/virtual/vdrive_block.h"

#include <string.h>

#include "kms/base/crypt.h"
#include "kms/base/log.h"

#define MARKS_MAX 65536u /* in one command: it must not take long */
/* Room kept behind the early warning, for trailers and filemarks. */
#define EARLY_WARNING(capacity) ((capacity) / 64 + 65536)

#define RAW_EXTRA (KMS_GCM_IV + KMS_GCM_TAG)

enum { FIXED = 1, SILI = 2 };
enum { CHECK_ENCRYPT = 3 }; /* CEEM */

static uint32_t
cdb_u24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | (uint32_t)p[2];
}

/* What a read or write is about. */
struct transfer {
	bool fixed;
	uint32_t count;     /* blocks, or bytes of the one variable block */
	uint32_t block_len; /* of each block */
	uint32_t done;      /* blocks */
};

static bool
transfer_check(const struct vt_drive *d, struct vt_command *c, bool out,
    struct transfer *t)
{
	t->fixed = (c->cdb[1] & FIXED) != 0;
	t->count = cdb_u24(c->cdb + 2);
	t->block_len = t->fixed ? d->block_len : t->count;
	t->done = 0;
	if (t->fixed && (d->block_len == 0 || (c->cdb[1] & SILI))) {
		vt_command_bad_cdb(c, 1);
		return false;
	}
	uint64_t bytes = t->fixed ? (uint64_t)t->count * t->block_len
				  : t->count;
	if (t->block_len > VT_BLOCK_MAX || bytes > VT_BLOCK_MAX) {
		vt_command_bad_cdb(c, 2);
		return false;
	}
	/* A reader may have more room than it asked for. */
	if (out ? bytes != c->out_len : bytes > c->in_cap) {
		vt_command_fail(c, TAPE_KEY_ABORTED, VT_DATA_PHASE);
		return false;
	}
	return true;
}

/* What INFORMATION says is left: bytes of a variable block, else blocks. */
static int64_t
residue(const struct transfer *t)
{
	return t->fixed ? (int64_t)t->count - t->done : (int64_t)t->count;
}

/*
 * The tenth key that fails locks the drive against more of them until the
 * tape is unloaded; reading again under one key is one failure.
 */
static void
wrong_key(struct vt_drive *d, const struct vt_param *p)
{
	if (d->wrong_kic == p->kic)
		return;
	d->wrong_kic = p->kic;
	if (d->wrong_keys < VT_WRONG_KEYS_MAX)
		d->wrong_keys++;
}

/* May this encrypted block be given out, and decrypted? 0 or the sense. */
static unsigned
encrypted_refusal(struct vt_drive *d, const struct vt_param *p,
    const struct vt_record *r)
{
	if (p->dec == TAPE_DEC_DISABLE)
		return VT_CANNOT_DECRYPT;
	if (p->ceem == CHECK_ENCRYPT)
		return VT_MODE_MISMATCH;
	if (p->dec == TAPE_DEC_RAW)
		return r->raw ? 0 : VT_NOT_RAW_READABLE;
	if (vt_param_fits(p, r))
		return 0;
	wrong_key(d, p);
	return VT_WRONG_KEY;
}

/* Checks the object at the position before a byte of it moves. */
static bool
read_check(struct vt_drive *d, const struct vt_param *p,
    const struct transfer *t, struct vt_command *c)
{
	struct vt_record r;

	if (vt_cartridge_head(d->tape, d->at, &r) != 0) {
		vt_command_residue(c, TAPE_KEY_MEDIUM, VT_READ_ERROR,
		    residue(t));
		return false;
	}
	unsigned code = 0;
	if (r.kind == VT_ENCRYPTED)
		code = encrypted_refusal(d, p, &r);
	else if (p->dec == TAPE_DEC_DECRYPT)
		code = VT_CLEAR_WHILE_DECRYPTING;
	if (code == 0)
		return true;
	vt_command_residue(c, TAPE_KEY_PROTECT, (enum vt_asc)code, residue(t));
	return false;
}

/* How long the block looks to the initiator: raw ones carry IV and tag. */
static size_t
visible_len(const struct vt_drive *d, const struct vt_param *p)
{
	size_t len = vt_cartridge_len(d->tape, d->at);
	bool raw = p->dec == TAPE_DEC_RAW &&
	    vt_cartridge_is_encrypted(d->tape, d->at);

	return raw ? len + RAW_EXTRA : len;
}

/* buf: room of visible_len. A raw block is IV, ciphertext, tag. */
static int
fetch(struct vt_drive *d, const struct vt_param *p, uint8_t *buf)
{
	struct vt_record r;
	bool raw = p->dec == TAPE_DEC_RAW &&
	    vt_cartridge_is_encrypted(d->tape, d->at);

	int err = vt_cartridge_get(d->tape, d->at, &r,
	    raw ? buf + sizeof(r.iv) : buf);
	if (err || r.kind != VT_ENCRYPTED)
		return err;
	if (!raw)
		return vt_param_open(p, &r, buf);
	memcpy(buf, r.iv, sizeof(r.iv));
	memcpy(buf + sizeof(r.iv) + r.len, r.tag, sizeof(r.tag));
	return 0;
}

static void
fetch_failed(const struct vt_drive *d, int err, const struct transfer *t,
    struct vt_command *c)
{
	bool tampered = err == KMS_ERR_DAMAGED &&
	    vt_cartridge_is_encrypted(d->tape, d->at);

	vt_command_residue(c, tampered ? TAPE_KEY_PROTECT : TAPE_KEY_MEDIUM,
	    tampered ? VT_INTEGRITY : VT_READ_ERROR, residue(t));
}

/* Wrong length (SSC-4 7.2): whether it is an error depends on SILI. */
static bool
length_report(const struct vt_drive *d, size_t len, const struct transfer *t,
    struct vt_command *c)
{
	bool sili = (c->cdb[1] & SILI) != 0;

	if (len == t->block_len ||
	    (sili && (len < t->block_len || d->block_len == 0)))
		return true;
	int64_t left = t->fixed ? residue(t)
				: (int64_t)t->block_len - (int64_t)len;
	vt_command_residue(c, TAPE_KEY_NO_SENSE, VT_NOTHING, left);
	c->sense.ili = true;
	return false;
}

/* What stands at the position, when it is not a block. */
static bool
at_block(struct vt_drive *d, const struct transfer *t, struct vt_command *c)
{
	if (d->at == vt_cartridge_end(d->tape)) {
		if (vt_cartridge_damaged(d->tape))
			vt_command_residue(c, TAPE_KEY_MEDIUM, VT_READ_ERROR,
			    residue(t));
		else
			vt_command_residue(c, TAPE_KEY_BLANK, VT_END_OF_DATA,
			    residue(t));
		return false;
	}
	if (vt_cartridge_is_mark(d->tape, d->at)) {
		d->at++;
		vt_command_residue(c, TAPE_KEY_NO_SENSE, VT_FILEMARK_DETECTED,
		    residue(t));
		c->sense.filemark = true;
		return false;
	}
	return true;
}

/* One block; false when the command ends here. A block that is longer than
 * its room is read aside, for it must be verified whole. */
static bool
read_one(struct vt_drive *d, const struct vt_param *p, struct transfer *t,
    struct vt_command *c)
{
	if (!at_block(d, t, c) || !read_check(d, p, t, c))
		return false;
	size_t len = visible_len(d, p), room = t->block_len;
	uint8_t *to = c->in + c->in_len;
	uint8_t *buf = len <= room ? to : d->scratch;
	int err = fetch(d, p, buf);
	if (err) {
		fetch_failed(d, err, t, c);
		return false;
	}
	d->at++;
	if (buf != to)
		memcpy(to, buf, room);
	if (!length_report(d, len, t, c)) {
		c->in_len += t->fixed ? 0 : (len < room ? len : room);
		return false;
	}
	c->in_len += len < room ? len : room;
	t->done++;
	return true;
}

void
vt_block_read(struct vt_drive *d, struct vt_nexus *n, struct vt_command *c)
{
	const struct vt_param *p = vt_drive_param(d, n);
	struct transfer t;

	if (!transfer_check(d, c, false, &t) || t.count == 0)
		return;
	uint32_t blocks = t.fixed ? t.count : 1;
	while (t.done < blocks && read_one(d, p, &t, c))
		;
}

static bool
write_check(struct vt_drive *d, struct vt_nexus *n, struct vt_command *c)
{
	if (!vt_drive_can_write(d))
		vt_command_fail(c, TAPE_KEY_PROTECT, VT_WRITE_PROTECTED);
	else if (vt_cartridge_header(d->tape)->generation < d->kind.writes_from)
		vt_command_fail(c, TAPE_KEY_PROTECT, VT_CANNOT_WRITE_MEDIUM);
	else if (n->locked && n->locked_kic != vt_drive_param(d, n)->kic)
		vt_command_fail(c, TAPE_KEY_PROTECT, VT_KIC_CHANGED);
	else
		return true;
	return false;
}

static void
write_failed(int err, int64_t left, struct vt_command *c)
{
	if (err == KMS_ERR_LIMIT) {
		vt_command_residue(c, TAPE_KEY_OVERFLOW, VT_END_OF_MEDIUM,
		    left);
		c->sense.eom = true;
	} else {
		vt_command_residue(c, TAPE_KEY_MEDIUM, VT_WRITE_ERROR, left);
	}
}

static int
has_room(const struct vt_drive *d, uint64_t bytes)
{
	uint64_t capacity = vt_cartridge_header(d->tape)->capacity;
	uint64_t used = vt_cartridge_used(d->tape);

	if (used > capacity || bytes > capacity - used)
		return kms_fail(KMS_ERR_LIMIT, "cartridge: end of medium");
	return 0;
}

static int
write_one(struct vt_drive *d, const struct vt_param *p, uint8_t *data,
    uint32_t len)
{
	struct vt_record r;
	bool encrypt = p->enc == TAPE_ENC_ENCRYPT;

	int err = has_room(d, VT_RECORD_MAX + (uint64_t)len);
	if (err)
		return err;
	vt_cartridge_next(d->tape, encrypt ? VT_ENCRYPTED : VT_PLAIN, &r);
	r.len = len;
	if (encrypt)
		err = vt_param_seal(p, &r, data);
	if (!err)
		err = vt_cartridge_put(d->tape, &r, data);
	if (!err)
		d->at++;
	return err;
}

/* Would the end be near with so many bytes more? */
static bool
near_end(const struct vt_drive *d, uint64_t bytes)
{
	uint64_t capacity = vt_cartridge_header(d->tape)->capacity;

	return vt_cartridge_used(d->tape) + bytes + EARLY_WARNING(capacity) >
	    capacity;
}

/* Written, but the end is near (SSC-4 4.2.3). */
static void
early_warning(const struct vt_drive *d, struct vt_command *c)
{
	if (!near_end(d, 0))
		return;
	vt_command_residue(c, TAPE_KEY_NO_SENSE, VT_END_OF_MEDIUM, 0);
	c->sense.eom = true;
}

/*
 * Buffered mode 1: an initiator that is answered now sends its next block
 * while this one is encrypted and stored. Only where nothing but a failing
 * disk can be in the way; else the reply waits, and says what was in it.
 */
static bool
answers_early(const struct vt_drive *d, const struct transfer *t)
{
	uint32_t blocks = t->fixed ? t->count : 1;
	uint64_t bytes = (uint64_t)blocks * (VT_RECORD_MAX + t->block_len);

	return d->buffered && !near_end(d, bytes) &&
	    vt_cartridge_has_disk(d->tape, bytes);
}

static int
write_blocks(struct vt_drive *d, const struct vt_param *p, struct transfer *t,
    struct vt_command *c)
{
	uint32_t blocks = t->fixed ? t->count : 1;

	while (t->done < blocks) {
		uint8_t *from = c->out + (size_t)t->done * t->block_len;
		int err = write_one(d, p, from, t->block_len);
		if (err)
			return err;
		t->done++;
	}
	return 0;
}

/*
 * GOOD was said: the initiator hears of it with its next command. A full
 * disk too is a write error then, not the end of the medium: whoever changes
 * tapes there believes that all he was told GOOD for is on this one.
 */
static void
defer(struct vt_nexus *n, int err, const struct transfer *t)
{
	struct vt_command lost = {0};

	kms_log(KMS_LOG_ERROR, "vtape.lost", "cause=\"%s\"",
	    kms_err_cause(err));
	vt_command_residue(&lost, TAPE_KEY_MEDIUM, VT_WRITE_ERROR, residue(t));
	n->deferred = lost.sense;
	n->deferred.deferred = n->has_deferred = true;
}

void
vt_block_write(struct vt_drive *d, struct vt_nexus *n, struct vt_command *c)
{
	const struct vt_param *p = vt_drive_param(d, n);
	struct transfer t;

	if (!transfer_check(d, c, true, &t) || !write_check(d, n, c) ||
	    t.count == 0)
		return;
	int err = vt_cartridge_cut(d->tape, d->at);
	if (!err && answers_early(d, &t))
		vt_command_answer(c);
	if (!err)
		err = write_blocks(d, p, &t, c);
	if (err && c->answered)
		defer(n, err, &t);
	else if (err)
		write_failed(err, residue(&t), c);
	else
		early_warning(d, c);
}

void
vt_block_write_marks(struct vt_drive *d, struct vt_nexus *n,
    struct vt_command *c)
{
	uint32_t count = cdb_u24(c->cdb + 2), done = 0;
	bool immediate = (c->cdb[1] & 1) != 0;
	struct vt_record r;

	if (count > MARKS_MAX) {
		vt_command_bad_cdb(c, 2);
		return;
	}
	if (count > 0 && !write_check(d, n, c))
		return;
	int err = count > 0 ? vt_cartridge_cut(d->tape, d->at) : 0;
	while (!err && done < count) {
		err = has_room(d, VT_RECORD_MAX);
		if (err)
			break;
		vt_cartridge_next(d->tape, VT_FILEMARK, &r);
		err = vt_cartridge_put(d->tape, &r, NULL);
		if (!err) {
			d->at++;
			done++;
		}
	}
	if (!err && !immediate && vt_drive_can_write(d))
		err = vt_cartridge_sync(d->tape);
	if (err)
		write_failed(err, (int64_t)count - done, c);
	else if (count > 0)
		early_warning(d, c);
}

/* From here to the end: the file is cut, LONG or not. */
void
vt_block_erase(struct vt_drive *d, struct vt_nexus *n, struct vt_command *c)
{
	if (!write_check(d, n, c))
		return;
	int err = vt_cartridge_cut(d->tape, d->at);
	if (!err)
		err = vt_cartridge_sync(d->tape);
	if (err)
		write_failed(err, 0, c);
}
