#include "tools/cmd_drive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kms/tag.h"
#include "tape/drive.h"
#include "tape/job.h"
#include "tape/node.h"
#include "tape/request.h"
#include "tools/cmd_note.h"
#include "tools/open.h"
#include "tools/print.h"
#include "tools/run_env.h"

/* Enough for the pages without a key; no memory need be locked for them. */
#define PAGE_HEAP (64u * 1024)

int
cmd_drive_open(const struct cli *cli, struct tape_drive **drive,
    struct tape_node *node)
{
	struct tape_transport *t = NULL;
	int r;

	r = tape_node_open(TAPE_SYSFS, cli_value(cli, "drive"), &t, node);
	return r == 0 ? tape_drive_open(&t, drive) : r;
}

static void
print_kad(struct print *p, const char *name, const char *label,
    const uint8_t *kad, size_t len)
{
	char text[2 * TAPE_AKAD_MAX + 1];

	kms_hex(kad, len, text);
	print_text(p, name, label, len > 0 ? text : NULL);
}

static void
print_state(struct print *p, const char *spec, const struct tape_identity *id,
    const struct tape_drive_state *s)
{
	const struct tape_status *st = &s->status;

	print_text(p, "drive", "Drive", spec);
	print_text(p, "vendor", "Vendor", id->vendor);
	print_text(p, "product", "Product", id->product);
	print_text(p, "serial", "Serial", id->serial);
	print_bool(p, "loaded", "Key Loaded", s->loaded);
	print_text(p, "encryption", "Encryption Mode", tape_enc_name(st->enc));
	print_text(p, "decryption", "Decryption Mode", tape_dec_name(st->dec));
	print_text(p, "algorithm", "Algorithm",
	    tape_algorithm_name(s->algorithm));
	print_kad(p, "tag", "Key Tag", st->kad.u, st->kad.u_len);
	print_kad(p, "akad", "Authenticated KAD", st->kad.a, st->kad.a_len);
	print_number(p, "key_instance_counter", "Key Instance Counter",
	    st->kic);
	print_text(p, "control", "Controlled By",
	    tape_control_name(st->control));
	print_bool(p, "medium", "Tape In Drive", s->medium);
	print_text(p, "next_block", "Next Block", tape_next_name(s->next));
	print_kad(p, "next_tag", "Next Block Tag", s->block.kad.u,
	    s->block.kad.u_len);
}

static int
show_state(const struct cli *cli, struct tape_drive *drive)
{
	struct tape_drive_state state;
	struct print *p = NULL;
	int r;

	r = tape_drive_state(drive, &state);
	if (r == 0)
		r = print_new(print_form(cli), NULL, &p);
	if (r == 0) {
		print_state(p, cli_value(cli, "drive"),
		    tape_drive_identity(drive), &state);
		r = print_end(&p);
	}
	print_free(&p);
	return r;
}

int
cmd_drive_status(struct cli *cli)
{
	struct tape_drive *drive = NULL;
	int r = cmd_drive_open(cli, &drive, NULL);

	if (r == 0)
		r = show_state(cli, drive);
	tape_drive_close(&drive);
	return r;
}

int
cmd_drive_clear(struct cli *cli)
{
	struct tape_drive *drive = NULL;
	int r = kms_secret_init(PAGE_HEAP, KMS_SECRET_OPTIONAL);

	if (r == 0)
		r = cmd_drive_open(cli, &drive, NULL);
	if (r == 0)
		r = tape_drive_clear(drive);
	if (r == 0)
		r = show_state(cli, drive);
	tape_drive_close(&drive);
	return r;
}

/* Everything between the command line and a key for the drive. */
struct loading {
	struct open at;
	struct tape_keys *keys;
	struct tape_drive *drive;
	struct tape_node node;
	struct kms_secret *key;
	struct tape_load load;
	struct tape_medium tape; /* the one that the release names */
	bool other_tape;         /* than the one that -volume named */
};

static void
loading_end(struct loading *l)
{
	kms_secret_free(&l->key);
	if (l->keys != NULL)
		l->keys->close(&l->keys);
	tape_drive_close(&l->drive);
	open_close(&l->at);
}

/* Configuration and drive. The drive's device is opened as the caller; only
 * the store is opened as its owner. */
static int
loading_begin(struct loading *l, const struct cli *cli)
{
	int r;

	memset(l, 0, sizeof(*l));
	r = open_drive_host(&l->at, cli);
	return r == 0 ? cmd_drive_open(cli, &l->drive, &l->node) : r;
}

static int
loading_keys(struct loading *l)
{
	return open_servers(&l->at) != NULL ? open_keys_kmip(&l->at, &l->keys)
					    : open_keys(&l->at, &l->keys);
}

/* The key out of the store: from here on it counts as released. */
static int
loading_key(struct loading *l, const struct cli *cli)
{
	struct tape_request q = {
	    .pool = cli_value(cli, "kgname"),
	    .read = cli_has(cli, "read"),
	    .volume = cli_value(cli, "volume"),
	    .keep_on_unload = cli_has(cli, "keep_on_unload"),
	    .tape = &l->tape,
	};
	struct kms_tag tag;
	int r = 0;

	if (cli_has(cli, "tag")) {
		r = kms_tag_parse(&tag, cli_value(cli, "tag"));
		q.tag = tag.b;
		q.tag_len = tag.len;
	}
	if (r == 0)
		r = tape_request_key(l->drive, l->keys, &q, &l->load, &l->key);
	return r;
}

/* A job's first key. Where the tape begins in clear, as under a label, the
 * job begins without one. */
static int
loading_first(struct loading *l, const struct cli *cli, bool *none)
{
	struct tape_next_block block;
	enum tape_next next = TAPE_NEXT_UNKNOWN;
	int r = 0;

	if (cli_has(cli, "read"))
		r = tape_drive_next(l->drive, &next, &block);
	*none = next == TAPE_NEXT_CLEAR;
	return r != 0 || *none ? r : loading_key(l, cli);
}

int
cmd_drive_load(struct cli *cli)
{
	struct tape_loaded loaded;
	struct loading l;
	int r = loading_begin(&l, cli);

	if (r == 0)
		r = loading_keys(&l);
	if (r == 0)
		r = loading_key(&l, cli);
	if (r == 0)
		r = tape_drive_load(l.drive, &l.load, &loaded);
	if (r == 0)
		r = show_state(cli, l.drive);
	loading_end(&l);
	return r;
}

/*
 * The program reads on under another key: the store is opened for it as at the
 * beginning, and closed again. -volume named the first tape only.
 */
static int
next_key(void *arg, struct tape_load *load, struct kms_secret **key)
{
	struct loading *l = arg;
	struct tape_request q = {
	    .read = true,
	    .keep_on_unload = cli_has(l->at.cli, "keep_on_unload"),
	};
	struct harden hard;
	int r, left;

	l->other_tape |= tape_drive_noted(l->drive).medium;
	q.volume = l->other_tape ? NULL : cli_value(l->at.cli, "volume");
	l->at.unattended = true;
	harden_start(&hard);
	r = tape_request_key(l->drive, l->keys, &q, load, key);
	left = open_leave(&l->at);
	harden_undo(&hard);
	return r != 0 ? r : left;
}

/*
 * The program has, or had, another tape in the drive: the store is opened for
 * that as at the beginning, and closed again. The terminal is ours again when
 * it has ended.
 */
static int
note_tape(void *arg, const struct tape_medium *m, bool ended)
{
	struct loading *l = arg;
	const struct tape_want tape = {
	    .kad = &l->load.kad,
	    .drive = tape_drive_identity(l->drive)->serial,
	    .volume = m->barcode,
	    .medium = m->serial,
	};
	struct harden hard;
	int r, left;

	l->at.unattended = !ended;
	harden_start(&hard);
	r = l->keys->note(l->keys, &tape);
	left = open_leave(&l->at);
	harden_undo(&hard);
	return r != 0 ? r : left;
}

/* The drive has proven the key: nothing of ours stays open or in memory
 * while somebody else's program runs. */
static int
before_spawn(void *arg)
{
	struct loading *l = arg;

	kms_secret_free(&l->key);
	l->load.key = NULL;
	harden_undo(&l->at.cli->harden);
	return open_leave(&l->at);
}

/*
 * Reading fixed blocks, the kernel asks for many at once and drops those that
 * came before the one that failed: going on would leave a hole.
 */
static int
check_each_key(struct loading *l, const struct cli *cli)
{
	uint32_t len = 0;
	int r;

	if (!cli_has(cli, "read"))
		return kms_fail(KMS_ERR_USAGE, "-each_key goes with -read");
	r = tape_drive_block_len(l->drive, &len);
	if (r == 0 && len != 0)
		r = kms_fail(KMS_ERR_STATE,
		    "the drive is set to fixed blocks of %u bytes, and blocks "
		    "would be lost at a change of keys; set it to variable "
		    "ones first (mt setblk 0)",
		    len);
	return r;
}

/* The kernel gives a program no second chance to read a block: what it did
 * read is whole, and the tape stands before the next. */
static void
say_due(const struct cli *cli, const struct tape_job_result *result)
{
	const struct tape_kad *kad = &result->block.kad;
	char tag[2 * TAPE_UKAD_MAX + 1];

	kms_hex(kad->u, kad->u_len, tag);
	fprintf(stderr,
	    "%s: the tape goes on under another key (tag %s, block %llu): run "
	    "it again from there, or with -each_key\n",
	    cli->program->name, tag, (unsigned long long)result->block.object);
}

/* One line for each tape, with the command that records it. */
static void
say_missed(const struct loading *l, const struct tape_volumes *v)
{
	const struct tape_want tape = {
	    .kad = &l->load.kad,
	    .drive = tape_drive_identity(l->drive)->serial,
	};

	for (size_t i = 0; i < v->n_missed; i++)
		cmd_note_say_missed(l->at.cli, &tape, &v->missed[i]);
}

/* Everything is loaded or there is none to load: the program's turn. */
static int
run_program(struct loading *l, struct cli *cli, struct tape_job *job,
    bool is_virtual)
{
	struct tape_job_result result = {.started = false};
	struct tape_volumes volumes = {.drive = l->drive,
	    .note = note_tape,
	    .arg = l};
	int r;

	if (!l->keys->unnoted)
		volumes.last = l->tape;
	job->drive = l->drive;
	job->bell = is_virtual || !cli_has(cli, "read");
	job->volumes = cli_has(cli, "read") ? NULL : &volumes;
	r = tape_job_run(job, &result);
	cli->status = tape_job_exit(r, &result);
	if (r == 0 && result.due)
		say_due(cli, &result);
	say_missed(l, &volumes);
	tape_volumes_free(&volumes);
	return r;
}

int
cmd_drive_run(struct cli *cli)
{
	struct run_env env = {.set = {NULL}};
	struct loading l;
	bool none = false;
	struct tape_job job = {
	    .before_spawn = before_spawn,
	    .arg = &l,
	    .argv = cli->command,
	    .env = env.set,
	    .next_key = cli_has(cli, "read") ? next_key : NULL,
	    .again = cli_has(cli, "each_key"),
	};
	int r = loading_begin(&l, cli);

	if (r == 0 && job.again)
		r = check_each_key(&l, cli);
	if (r == 0)
		r = run_env_make(&env, cli_value(cli, "drive"), &l.node);
	if (r == 0)
		r = loading_keys(&l);
	if (r == 0)
		r = loading_first(&l, cli, &none);
	if (r == 0) {
		job.load = none ? NULL : &l.load;
		r = run_program(&l, cli, &job, env.is_virtual);
	}
	run_env_free(&env);
	loading_end(&l);
	return r;
}
