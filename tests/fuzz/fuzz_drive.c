/*
 * A drive that answers anything: opening, listing, loading, exchanging a key,
 * proving and clearing never crash, and none succeeds unless the drive said
 * what it must. Each answer is decoded on the way: INQUIRY, attributes, mode
 * and all encryption pages, sense.
 *
 * Input: one byte (bit 0: to write), then an answer for each command: one
 * byte kind (0 GOOD, 1 CHECK CONDITION, 2 no status, 3 time-out, else that
 * status byte), two bytes length, and that many bytes of data or sense. Behind
 * the last one there is no status.
 */
#include <string.h>

#include "tape/exchange.h"
#include "tape/medium.h"
#include "tests/fuzz/fuzz.h"

struct anything {
	struct tape_transport t; /* first */
	struct kms_rd in;
	/* What the drive said last, and took. */
	bool took_key, took_off;
	uint8_t enc, dec;
};

static void
answer(struct anything *a, const struct tape_cmd *c, struct tape_reply *r,
    uint8_t kind)
{
	bool sense = kind == 1;
	size_t room = sense ? sizeof(r->sense) : c->dir == TAPE_IN ? c->len : 0;
	size_t len = kms_rd_u16(&a->in);
	const uint8_t *p = kms_rd_bytes(&a->in, len);

	r->status = kind == 0 ? TAPE_GOOD : sense ? TAPE_CHECK : kind;
	if (!p)
		return;
	if (len > room)
		len = room;
	if (len > 0)
		memcpy(sense ? r->sense : c->in, p, len);
	if (sense)
		r->sense_len = len;
	else
		r->got = len;
}

static void
remember(struct anything *a, const struct tape_cmd *c,
    const struct tape_reply *r)
{
	bool status = c->cdb[0] == 0xA2 && c->cdb[1] == TAPE_SP_TDE &&
	    kms_get16(c->cdb + 2) == TAPE_PAGE_STATUS;

	if (c->cdb[0] == 0xB5 && r->status == TAPE_GOOD) {
		a->took_key = kms_get16(c->out + 18) == KMS_KEY_LEN;
		a->took_off = !a->took_key;
	}
	if (status && r->status == TAPE_GOOD && r->got > 6) {
		a->enc = c->in[5];
		a->dec = c->in[6];
	}
}

static int
anything_exec(struct tape_transport *t, const struct tape_cmd *c,
    struct tape_reply *r)
{
	struct anything *a = (struct anything *)(void *)t;
	uint8_t kind = kms_rd_u8(&a->in);

	memset(r, 0, sizeof(*r));
	if (c->dir == TAPE_IN)
		memset(c->in, 0, c->len);
	if (a->in.bad || kind == 2)
		return kms_fail(KMS_ERR_IO, "no status");
	if (kind == 3)
		return kms_fail(KMS_ERR_TIMEOUT, "no answer");
	answer(a, c, r, kind);
	remember(a, c, r);
	return 0;
}

static void
anything_close(struct tape_transport **t)
{
	*t = NULL;
}

static void
key_make(uint8_t byte, struct kms_secret **key)
{
	uint8_t raw[KMS_KEY_LEN];

	memset(raw, byte, sizeof(raw));
	fuzz_must(kms_secret_from(raw, sizeof(raw), key) == 0, "key");
}

static int
next_key(void *arg, struct tape_load *l, struct kms_secret **key)
{
	(void)arg;
	key_make(8, key);
	*l = (struct tape_load){.key = *key, .kad = {.u = "two", .u_len = 3}};
	return 0;
}

/* All that the tools ask of a drive. */
static void
exercise(struct anything *a, struct tape_drive *d, bool write)
{
	struct tape_exchange x = {.drive = d, .next_key = next_key};
	struct tape_load l = {.write = write, .kad = {.u = "one", .u_len = 3}};
	struct kms_secret *key = NULL;
	struct tape_drive_state st;
	enum tape_ability ability;
	struct tape_loaded loaded;
	struct tape_medium m;
	uint32_t len;

	(void)!tape_drive_ability(d, &ability);
	(void)!tape_medium_read(d, &m);
	(void)!tape_drive_block_len(d, &len);
	(void)!tape_drive_state(d, &st);
	key_make(7, &key);
	l.key = key;
	int err = tape_drive_load(d, &l, &loaded);
	kms_secret_free(&key);
	fuzz_must(err ||
		(a->took_key && a->dec == TAPE_DEC_MIXED &&
		    a->enc == (write ? 2 : 0)),
	    "a load that the drive did not prove");
	if (!err && tape_drive_prove(d, &loaded) == 0 && !write)
		err = tape_exchange_key(&x, &loaded);
	fuzz_must(err || a->took_key, "a key exchanged that was not taken");
	err = tape_drive_clear(d);
	fuzz_must(err || (a->enc == 0 && a->dec == 0),
	    "cleared, and the drive did not say so");
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct anything a = {
	    .t = {.exec = anything_exec, .close = anything_close},
	    .enc = 0xFF,
	    .dec = 0xFF,
	};
	struct tape_transport *t = &a.t;
	struct tape_drive *d = NULL;

	kms_rd_init(&a.in, p, len);
	bool write = (kms_rd_u8(&a.in) & 1) != 0;
	if (tape_drive_open(&t, &d) == 0)
		exercise(&a, d, write);
	tape_drive_close(&d);
	return 0;
}
