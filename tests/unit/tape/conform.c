#include "tests/unit/tape/conform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tape/node.h"
#include "tape/request.h"
#include "tape/sg.h"
#include "tape/wire.h"
#include "tests/unit/tape/mock.h"

#define BLOCK 70000u

static struct tape_drive *d;
static uint8_t block[BLOCK], back[BLOCK];

static void
must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "not so: %s (%s)\n", what,
	    kms_err_cause(KMS_ERR_INTERNAL));
	exit(EXIT_FAILURE);
}

/* Two keys: tag-A's bytes are 'A', tag-B's 'B'; pools are called A and B.
 * wrong: they come with other bytes. */
static bool wrong;

static int
ring_get(struct tape_keys *keys, const struct tape_want *w,
    struct tape_kad *kad, struct kms_secret **key)
{
	char tag[] = "tag-?";

	(void)keys;
	for (char c = 'A'; c <= 'B'; c++) {
		tag[4] = c;
		if (w->pool ? w->pool[0] != c
			    : !tape_kad_has(w->kad, (uint8_t *)tag, 5))
			continue;
		memset(kad, 0, sizeof(*kad));
		memcpy(kad->u, tag, 5);
		kad->u_len = 5;
		*key = mock_key((uint8_t)(wrong ? c + 1 : c));
		return 0;
	}
	return kms_fail(KMS_ERR_NOTFOUND, "no such key");
}

static int
load(const struct tape_request *q, struct tape_loaded *out)
{
	struct tape_keys ring = {.get = ring_get};
	struct kms_secret *key = NULL;
	struct tape_load l;

	int err = tape_request_key(d, &ring, q, &l, &key);
	if (!err)
		err = tape_drive_load(d, &l, out);
	kms_secret_free(&key);
	return err;
}

static int
load_pool(const char *pool, bool keep, struct tape_loaded *out)
{
	struct tape_request q = {.pool = pool, .keep_on_unload = keep};

	return load(&q, out);
}

static int
load_read(struct tape_loaded *out)
{
	struct tape_request q = {.read = true};

	return load(&q, out);
}

/* Six-byte commands; len in bytes 2 to 4. */
static int
tape(uint8_t op, uint8_t byte1, size_t len, enum tape_dir dir, size_t *got,
    struct tape_sense *s)
{
	struct tape_cmd c = {.cdb_len = 6, .dir = dir, .timeout_ms = 60000};

	c.cdb[0] = op;
	c.cdb[1] = byte1;
	c.cdb[2] = (uint8_t)(len >> 16);
	c.cdb[3] = (uint8_t)(len >> 8);
	c.cdb[4] = (uint8_t)len;
	c.len = dir == TAPE_NONE ? 0 : len;
	c.out = block;
	c.in = back;
	return tape_drive_exec(d, &c, "tape", got, s);
}

static void
simple(uint8_t op, uint8_t byte4, const char *what)
{
	struct tape_sense s;
	size_t got;

	must(tape(op, 0, byte4, TAPE_NONE, &got, &s) == 0, what);
}

static void
write_block(uint8_t seed)
{
	struct tape_sense s;
	size_t got;

	memset(block, seed, sizeof(block));
	must(tape(0x0A, 0, BLOCK, TAPE_OUT, &got, &s) == 0, "a block written");
}

static void
read_block(uint8_t seed)
{
	struct tape_sense s;
	size_t got;

	memset(block, seed, sizeof(block));
	must(tape(0x08, 0, BLOCK, TAPE_IN, &got, &s) == 0, "a block read");
	must(got == BLOCK, "a whole block came back");
	must(memcmp(block, back, BLOCK) == 0, "the block came back the same");
}

static void
read_fails(enum tape_sense_class class, const char *what)
{
	struct tape_sense s;
	size_t got;

	must(tape(0x08, 0, BLOCK, TAPE_IN, &got, &s) != 0, what);
	must(tape_sense_find(&s)->class == class, what);
}

static void
read_mark(void)
{
	struct tape_sense s;
	size_t got;

	must(tape(0x08, 0, BLOCK, TAPE_IN, &got, &s) == 0 && s.filemark,
	    "a filemark read");
	must(got == 0, "no data with the filemark");
}

static void
next_is(enum tape_next want, const char *tag)
{
	struct tape_drive_state st;

	must(tape_drive_state(d, &st) == 0, "the state is told");
	must(st.next == want, "the next block is what was written");
	if (tag)
		must(tape_kad_has(&st.block.kad, (const uint8_t *)tag, 5),
		    "the next block names its key");
}

static bool
off(void)
{
	struct tape_status s;

	return tape_drive_status(d, &s) == 0 && s.enc == TAPE_ENC_DISABLE &&
	    s.dec == TAPE_DEC_DISABLE;
}

/* Two blocks under A, one under B, one in clear, a filemark behind each. */
static void
write_tape(void)
{
	struct tape_loaded l;

	must(load_pool("A", false, &l) == 0, "key A is loaded to write");
	write_block(1);
	write_block(2);
	simple(0x10, 1, "a filemark");
	must(tape_drive_prove(d, &l) == 0, "key A stayed");
	must(load_pool("B", false, &l) == 0, "key B is loaded to write");
	write_block(3);
	simple(0x10, 1, "a filemark");
	must(tape_drive_clear(d) == 0 && off(), "the drive is cleared");
	write_block(4);
	simple(0x10, 1, "a filemark");
	simple(0x01, 0, "a rewind");
}

static void
read_tape(void)
{
	struct tape_loaded l;

	next_is(TAPE_NEXT_LOCKED, "tag-A");
	read_fails(TAPE_SENSE_KEY_NEEDED, "nothing is read without a key");
	must(load_read(&l) == 0 && l.by_block, "the tape finds key A");
	read_block(1);
	read_block(2);
	read_mark();
	next_is(TAPE_NEXT_LOCKED, "tag-B");
	read_fails(TAPE_SENSE_WRONG_KEY, "nothing is read with key A");
	must(load_read(&l) == 0 && l.by_block, "the tape finds key B");
	read_block(3);
	read_mark();
	next_is(TAPE_NEXT_CLEAR, NULL);
	must(load_read(&l) == KMS_ERR_NOTFOUND, "a block in clear needs none");
	read_block(4);
	must(tape_drive_clear(d) == 0 && off(), "the drive is cleared");
	simple(0x01, 0, "a rewind");
}

static void
short_reads(void)
{
	struct tape_loaded l;
	struct tape_sense s;
	size_t got;

	must(load_read(&l) == 0, "the tape finds key A");
	/* A shorter room: what fits, and the sense says so. */
	int err = tape(0x08, 0, 100, TAPE_IN, &got, &s);
	must(err != 0 || s.ili, "a block longer than its room is told");
	must(got <= 100, "no more came than there was room");
	must(tape_drive_clear(d) == 0, "the drive is cleared");
	simple(0x01, 0, "a rewind");
}

static void
wrong_key(void)
{
	struct tape_loaded l;

	wrong = true;
	must(load_read(&l) == KMS_ERR_UNPROVEN, "a wrong key is not proven");
	wrong = false;
	must(off(), "a wrong key is cleared");
}

static void
operate(const char *socket, enum wire_kind kind)
{
	struct wire_req q = {.kind = (uint8_t)kind};
	uint8_t sense[WIRE_SENSE_MAX], status = 1;
	size_t got, sense_len;

	int fd = wire_connect(socket);
	must(fd >= 0 &&
		wire_exec(fd, &q, NULL, NULL, 0, &got, &status, sense,
		    &sense_len, 60000) == 0 &&
		status == TAPE_GOOD,
	    "the operator reaches the drive");
	close(fd);
}

static void
losses(const char *socket, bool lenient)
{
	struct tape_loaded l;

	must(load_pool("A", false, &l) == 0, "key A is loaded");
	operate(socket, WIRE_RESET);
	must(tape_drive_prove(d, &l) == KMS_ERR_UNPROVEN, "a reset is noticed");
	must(tape_drive_clear(d) == 0 && off(), "cleared after the reset");
	must(load_pool("A", false, &l) == 0, "key A is loaded again");
	simple(0x1B, 0, "an unload");
	simple(0x1B, 1, "a load");
	/* As mhvtl: the key stays although it was told to drop it, so there
	 * is nothing to notice. */
	if (!lenient)
		must(tape_drive_prove(d, &l) == KMS_ERR_UNPROVEN,
		    "a demount is noticed");
	must(tape_drive_clear(d) == 0 && off(), "cleared after the demount");
	must(load_pool("A", true, &l) == 0, "key A is loaded to stay");
	simple(0x1B, 0, "an unload");
	simple(0x1B, 1, "a load");
	must(tape_drive_prove(d, &l) == 0, "the key stayed over a demount");
	must(tape_drive_clear(d) == 0 && off(), "cleared at the end");
}

static void
refused(const char *text)
{
	struct tape_loaded l;

	must(load_pool("A", false, &l) == KMS_ERR_DRIVE, "the load is refused");
	must(strstr(kms_err_cause(KMS_ERR_DRIVE), text) != NULL, text);
}

int
conform_main(const char *spec, const char *socket, const char *profile)
{
	struct tape_transport *t = NULL;
	struct tape_medium m;
	bool virtual = strncmp(spec, "vtape:", 6) == 0;

	int err = virtual ? tape_node_open("/nonexistent", spec, &t, NULL)
			  : tape_sg_open(spec, &t);
	must(err == 0 && tape_drive_open(&t, &d) == 0, "the drive opens");
	must(strcmp(tape_drive_identity(d)->vendor, "P11KMS") == 0,
	    "the drive says who it is");
	must(tape_medium_read(d, &m) == 0 && strcmp(m.barcode, "A00001L8") == 0,
	    "the tape has its barcode");
	if (strcmp(profile, "-libraryowned") == 0) {
		refused("library owns");
	} else if (strcmp(profile, "-noencryption") == 0) {
		refused("switched off");
	} else {
		write_tape();
		read_tape();
		short_reads();
		wrong_key();
		losses(socket, strcmp(profile, "-lenient") == 0);
	}
	tape_drive_close(&d);
	return EXIT_SUCCESS;
}
