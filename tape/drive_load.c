/*
 * A key into the drive, and out of it again. Nothing is believed that the
 * drive did not say when it was asked afterwards.
 */
#include "tape/drive_impl.h"

#include <stdio.h>
#include <string.h>

#define CEEM_OFF 1u /* do not check how a block was written */
#define CEEM_BYTE 5u
#define CAUSE_ROOM 256u

static int
spout(struct tape_drive *d, const struct tape_sde *sde, struct tape_sense *s)
{
	struct tape_cmd cmd = {.cdb_len = 12, .dir = TAPE_OUT};
	struct kms_secret *page = NULL;
	size_t got;

	memset(s, 0, sizeof(*s));
	int err = tape_sde_encode(sde, &page);
	if (err)
		return err;
	cmd.out = kms_secret_bytes(page);
	cmd.len = kms_secret_len(page);
	cmd.timeout_ms = DRIVE_TIMEOUT_MS;
	tape_cdb_spout(cmd.cdb, TAPE_SP_TDE, TAPE_PAGE_SET_ENCRYPTION,
	    (uint32_t)cmd.len);
	err = tape_drive_exec(d, &cmd,
	    sde->key ? "setting the key" : "clearing the key", &got, s);
	kms_secret_free(&page);
	return err;
}

/* CEEM 1 is what most drives take; some know only 0, and say so by pointing
 * at its byte. */
static int
spout_either(struct tape_drive *d, struct tape_sde *sde)
{
	struct tape_sense s;

	sde->ceem = CEEM_OFF;
	int err = spout(d, sde, &s);
	if (err && s.key == TAPE_KEY_ILLEGAL && s.asc == 0x26 && s.ascq == 0 &&
	    s.has_field && !s.field_in_cdb && s.field == CEEM_BYTE) {
		sde->ceem = 0;
		err = spout(d, sde, &s);
	}
	return err;
}

/* The node may lead to another drive by now (it is opened anew after each
 * key): that one is neither ours to trust nor ours to clear. */
static int
same_drive(struct tape_drive *d)
{
	char serial[TAPE_SERIAL_MAX + 1];

	int err = tape_drive_serial(d, serial);
	if (err || strcmp(serial, d->id.serial) == 0)
		return err;
	return kms_fail(KMS_ERR_UNPROVEN,
	    "another drive answers at this node: serial %s, not %s; see "
	    "p11kmsdrive -list",
	    serial, d->id.serial);
}

static bool
status_same(const struct tape_status *a, const struct tape_status *b)
{
	return a->enc == b->enc && a->dec == b->dec && a->kic == b->kic &&
	    tape_kad_same(a->kad.u, a->kad.u_len, b->kad.u, b->kad.u_len) &&
	    tape_kad_same(a->kad.a, a->kad.a_len, b->kad.a, b->kad.a_len);
}

static bool
status_off(const struct tape_status *s)
{
	return s->enc == TAPE_ENC_DISABLE && s->dec == TAPE_DEC_DISABLE;
}

static int
unproven(const char *what)
{
	return kms_fail(KMS_ERR_UNPROVEN, "the drive did not prove the key: %s",
	    what);
}

/* The data encryption status page against what was sent. */
static int
proof_of_status(const struct drive_plan *p, const struct tape_sde *sde,
    const struct tape_status *now)
{
	if (now->enc != sde->enc || now->dec != sde->dec)
		return kms_fail(KMS_ERR_UNPROVEN,
		    "the drive did not prove the key: encryption %s, "
		    "decryption %s instead of %s, %s",
		    tape_enc_name(now->enc), tape_dec_name(now->dec),
		    tape_enc_name(sde->enc), tape_dec_name(sde->dec));
	if (now->kic == p->before.kic)
		return unproven("its key instance counter did not move");
	if (now->algorithm != sde->algorithm)
		return unproven("it reports another algorithm");
	/* Not the nexus scope: that of an initiator which did not send the
	 * page itself stays PUBLIC, though the key is for ALL. */
	if (now->key_scope == TAPE_SCOPE_PUBLIC)
		return unproven("it works by its default parameters");
	if (now->control == DRIVE_CONTROL_ADC ||
	    now->control == DRIVE_CONTROL_MANAGEMENT)
		return unproven("the library took over its parameters");
	if (sde->enc != TAPE_ENC_ENCRYPT)
		return 0;
	if (!tape_kad_same(now->kad.u, now->kad.u_len, sde->kad.u,
		sde->kad.u_len))
		return unproven("it reports another key tag");
	if (sde->kad.a_len > 0 &&
	    !tape_kad_same(now->kad.a, now->kad.a_len, sde->kad.a,
		sde->kad.a_len))
		return unproven("it reports another A-KAD");
	return 0;
}

/*
 * For reading, the tape itself is the proof: the next block must now be
 * readable, and be of our tag. A block without KAD (other programs write
 * such) proves by being readable.
 */
static int
proof_of_block(struct tape_drive *d, const struct tape_load *l, bool *known)
{
	struct tape_name names[TAPE_NAMES_MAX];
	struct tape_next_block b;
	enum tape_next next;

	*known = false;
	int err = tape_drive_next(d, &next, &b);
	if (err)
		return err;
	switch (next) {
	case TAPE_NEXT_UNKNOWN:
	case TAPE_NEXT_MARK:
	case TAPE_NEXT_CLEAR:
		return 0;
	case TAPE_NEXT_UNSUPPORTED:
		return unproven("it cannot read the next block's algorithm");
	case TAPE_NEXT_LOCKED:
		return unproven("the next block needs another key");
	case TAPE_NEXT_READABLE:
		break;
	}
	if (tape_kad_names(&b.kad, names) > 0 &&
	    !tape_kad_has(&b.kad, l->kad.u, l->kad.u_len))
		return unproven("the next block has another key tag");
	*known = true;
	return 0;
}

static int
proof_of_calm(const struct tape_drive *d)
{
	if (d->noted.reset)
		return unproven("it was reset meanwhile; load the key again");
	if (d->noted.key)
		return unproven("somebody else changed its parameters");
	if (d->noted.medium)
		return unproven("the tape was changed meanwhile");
	return 0;
}

/* What the drive has now: a later look is compared with it. */
static void
found_loaded(const struct tape_status *now, struct tape_loaded *out)
{
	*out = (struct tape_loaded){
	    .enc = now->enc,
	    .dec = now->dec,
	    .kic = now->kic,
	    .kad = now->kad,
	    .algorithm = now->algorithm,
	};
}

static int
proof(struct tape_drive *d, const struct tape_load *l,
    const struct drive_plan *p, const struct tape_sde *sde,
    struct tape_loaded *out)
{
	struct tape_status now;
	bool by_block = false;

	int err = same_drive(d);
	if (!err)
		err = tape_drive_status(d, &now);
	if (!err)
		err = proof_of_status(p, sde, &now);
	if (!err && !l->write && p->medium)
		err = proof_of_block(d, l, &by_block);
	if (!err)
		err = proof_of_calm(d);
	if (err)
		return err;
	found_loaded(&now, out);
	out->ceem = sde->ceem;
	out->ckod = sde->ckod;
	out->keep = l->keep_on_unload;
	out->by_block = by_block;
	return 0;
}

/* Keeps the first cause and says what became of the drive. */
static int
fail_after(int err, const char *cause, const char *state)
{
	return kms_fail(err, "%s; %s", cause, state);
}

/*
 * SPOUT was refused, or nobody knows: the drive is asked what it holds now.
 * Unchanged means refused, unless no status came: then the command may still
 * be on its way. Anything else (mhvtl ends with encryption off and decryption
 * on) is cleared.
 */
static int
spout_failed(struct tape_drive *d, const struct drive_plan *p, int err)
{
	char cause[CAUSE_ROOM];
	struct tape_status now;

	snprintf(cause, sizeof(cause), "%s", kms_err_cause(err));
	bool known = tape_drive_status(d, &now) == 0;
	bool answered = err != KMS_ERR_IO && err != KMS_ERR_TIMEOUT;
	if (known && answered && status_same(&now, &p->before))
		return fail_after(err, cause,
		    status_off(&now) ? "no key is loaded"
				     : "the key loaded before is still there");
	if (tape_drive_clear(d))
		return fail_after(KMS_ERR_UNPROVEN, cause,
		    "the drive may hold a key and could not be cleared");
	return fail_after(known ? err : KMS_ERR_UNPROVEN, cause,
	    "the drive was cleared");
}

static int
proof_failed(struct tape_drive *d, int err)
{
	char cause[CAUSE_ROOM];

	snprintf(cause, sizeof(cause), "%s", kms_err_cause(err));
	return fail_after(KMS_ERR_UNPROVEN, cause,
	    tape_drive_clear(d)
		? "it may hold a key and could not be cleared: unload the "
		  "tape and switch the drive off and on"
		: "the drive was cleared");
}

int
tape_drive_load(struct tape_drive *d, const struct tape_load *l,
    struct tape_loaded *out)
{
	struct drive_plan p;
	struct tape_sde sde = {.scope = TAPE_SCOPE_ALL};

	memset(out, 0, sizeof(*out));
	if (!l->key || kms_secret_len(l->key) != KMS_KEY_LEN)
		return kms_fail(KMS_ERR_INTERNAL, "a drive's key is 32 bytes");
	int err = tape_drive_plan(d, l, &p);
	if (err)
		return err;
	sde.kad = p.kad;
	sde.ckod = p.ckod;
	sde.enc = l->write ? TAPE_ENC_ENCRYPT : TAPE_ENC_DISABLE;
	sde.dec = TAPE_DEC_MIXED;
	sde.algorithm = p.alg.index;
	sde.key = l->key;
	/* From here on a unit attention is about the key being loaded. */
	d->noted = (struct tape_noted){0};
	err = spout_either(d, &sde);
	if (err)
		return spout_failed(d, &p, err);
	err = proof(d, l, &p, &sde, out);
	return err ? proof_failed(d, err) : 0;
}

static int
lost(const char *what)
{
	return kms_fail(KMS_ERR_UNPROVEN,
	    "the key was lost during the run, data may be in clear: %s", what);
}

int
tape_drive_prove(struct tape_drive *d, const struct tape_loaded *l)
{
	char cause[CAUSE_ROOM];
	struct tape_status now;

	int err = same_drive(d);
	if (!err)
		err = tape_drive_status(d, &now);
	if (err) {
		snprintf(cause, sizeof(cause), "%s", kms_err_cause(err));
		return lost(cause);
	}
	if (now.enc != l->enc || now.dec != l->dec)
		return lost(l->ckod
			? "its modes are off; if the program unloads the "
			  "tape, use -keep_on_unload"
			: "its modes have changed");
	if (now.kic != l->kic || now.algorithm != l->algorithm)
		return lost("the key instance counter has changed: somebody "
			    "loaded another key");
	if (!tape_kad_same(now.kad.u, now.kad.u_len, l->kad.u, l->kad.u_len) ||
	    !tape_kad_same(now.kad.a, now.kad.a_len, l->kad.a, l->kad.a_len))
		return lost("it reports another key tag");
	if (d->noted.reset)
		return lost("the drive was reset");
	if (d->noted.key)
		return lost("somebody else changed the drive's parameters");
	if (d->noted.medium && !l->keep)
		return lost("the tape was changed; if the program changes "
			    "tapes, use -keep_on_unload");
	return 0;
}

static int
clear_once(struct tape_drive *d)
{
	struct tape_sde sde = {.scope = TAPE_SCOPE_ALL};
	struct tape_status now;

	int err = same_drive(d);
	if (err)
		return err;
	err = tape_drive_status(d, &now);
	/* Some drives refuse index 0 even when all is switched off. */
	sde.algorithm = d->algorithm ? d->algorithm
	    : !err && now.algorithm  ? now.algorithm
				     : 1;
	err = spout_either(d, &sde);
	if (tape_drive_status(d, &now) == 0) {
		if (status_off(&now))
			return 0;
		if (!err)
			err = kms_fail(KMS_ERR_UNPROVEN,
			    "encryption %s, decryption %s",
			    tape_enc_name(now.enc), tape_dec_name(now.dec));
	}
	return err ? err : KMS_ERR_UNPROVEN;
}

int
tape_drive_clear(struct tape_drive *d)
{
	char cause[CAUSE_ROOM];

	int err = clear_once(d);
	if (err)
		err = clear_once(d);
	if (!err)
		return 0;
	snprintf(cause, sizeof(cause), "%s", kms_err_cause(err));
	return kms_fail(KMS_ERR_UNPROVEN,
	    "the key may still be in the drive: %s; clear it again, or unload "
	    "the tape and switch the drive off and on",
	    cause);
}

int
tape_drive_bare(struct tape_drive *d, struct tape_loaded *out)
{
	struct tape_status now;

	memset(out, 0, sizeof(*out));
	d->noted = (struct tape_noted){0};
	int err = tape_drive_clear(d);
	if (!err)
		err = tape_drive_status(d, &now);
	if (err)
		return err;
	found_loaded(&now, out);
	out->keep = true; /* nothing is lost when the tape leaves */
	return 0;
}
