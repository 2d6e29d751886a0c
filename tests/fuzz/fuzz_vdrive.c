/*
 * Commands to a drive, whatever they are: no reply is longer than its room,
 * every refusal has sense, the position stays on the tape, and key and modes
 * go together.
 *
 * Input: commands of 16 bytes CDB, one byte (bit 0: which initiator, bit 1:
 * data come in), two bytes length, and that many bytes of data if they go
 * out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tape/virtual/opcode.h"
#include "tests/fuzz/fuzz.h"

#define ROOM (64u * 1024)

static char path[64];
static struct vt_drive *drive;

static void
drive_end(void)
{
	vt_drive_free(&drive);
	unlink(path);
}

/* One drive and cartridge for all inputs, in memory where there is room. */
static void
drive_begin(void)
{
	const struct vt_options opt = {.generation = 8, .serial = "FUZZ"};
	const struct vt_label l = {8, 4 << 20, "FUZZ01L8"};
	struct vt_cartridge *c = NULL;

	snprintf(path, sizeof(path), "%s/p11kms-fuzz.%ld",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
	    (long)getpid());
	unlink(path);
	fuzz_must(vt_cartridge_create(path, &l) == 0, "create");
	fuzz_must(vt_cartridge_open(path, &c) == 0, "open");
	fuzz_must(vt_drive_new(&opt, &drive) == 0, "drive");
	fuzz_must(vt_drive_insert(drive, &c) == 0, "insert");
	atexit(drive_end);
}

static void
check_reply(const struct vt_drive *d, const struct vt_command *c)
{
	const struct vt_param *p = &d->shared;
	bool decrypts = p->dec == TAPE_DEC_DECRYPT || p->dec == TAPE_DEC_MIXED;

	fuzz_must(c->in_len <= c->in_cap, "a reply longer than its room");
	fuzz_must(c->status == TAPE_GOOD || c->status == TAPE_CHECK ||
		c->status == TAPE_RESERVED,
	    "an unknown status");
	fuzz_must(c->status != TAPE_CHECK || c->sense.key || c->sense.asc ||
		c->sense.ascq || c->sense.ili,
	    "a refusal without sense");
	fuzz_must(d->at <= vt_cartridge_end(d->tape), "off the tape");
	fuzz_must((p->enc == TAPE_ENC_ENCRYPT || decrypts) == (p->gcm != NULL),
	    "key and modes do not go together");
}

/* One command off the input; false at its end. */
static bool
command(struct vt_drive *d, struct vt_nexus **n, struct kms_rd *r)
{
	static uint8_t in[ROOM], out[ROOM], cdb[16];

	kms_rd_copy(r, cdb, sizeof(cdb));
	uint8_t how = kms_rd_u8(r);
	size_t len = kms_rd_u16(r);
	bool comes_in = (how & 2) != 0;
	if (!comes_in)
		kms_rd_copy(r, out, len);
	if (r->bad)
		return false;
	struct vt_command c = {
	    .cdb = cdb,
	    .cdb_len = sizeof(cdb),
	    .out = comes_in ? NULL : out,
	    .out_len = comes_in ? 0 : len,
	    .in = comes_in ? in : NULL,
	    .in_cap = comes_in ? len : 0,
	};
	vt_opcode_run(d, n[how & 1], &c);
	check_reply(d, &c);
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct vt_nexus *n[2];
	struct kms_rd r;

	if (!drive)
		drive_begin();
	drive->opt.lenient = len % 2 == 1;
	fuzz_must(vt_cartridge_cut(drive->tape, 0) == 0, "cut");
	fuzz_must(vt_drive_join(drive, &n[0]) == 0, "join");
	fuzz_must(vt_drive_join(drive, &n[1]) == 0, "join");
	kms_rd_init(&r, p, len);
	while (command(drive, n, &r))
		;
	vt_drive_leave(drive, &n[0]);
	vt_drive_leave(drive, &n[1]);
	vt_drive_reset(drive);
	return 0;
}
