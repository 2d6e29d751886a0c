#include "tools/cmd_rotate.h"

#include <stdio.h>

#include "kms/rewrap.h"
#include "tools/asked.h"
#include "tools/open.h"
#include "tools/print.h"

static int
parse(const struct cli *cli, struct asked *a)
{
	int r;

	a->born = cli_has(cli, "nopphrase");
	r = asked_parse(cli, a);
	if (r == 0 && a->born && a->wanted.role != 0)
		return kms_fail(KMS_ERR_USAGE,
		    "-adopt takes a key that is there, -nopphrase makes one: "
		    "give one of them");
	if (r == 0 && a->born && a->components > 0)
		return kms_fail(KMS_ERR_USAGE,
		    "-nopphrase and -components do not go together");
	return r;
}

static int
ask(const struct open *at, struct asked *a)
{
	struct prompt *p = NULL;
	int r;

	r = prompt_open(&p);
	if (r == 0)
		r = asked_prompt(a, p, &at->config->policy);
	prompt_close(&p);
	return r;
}

static void
progress(void *line, enum kms_rewrap_stage stage, uint64_t done, uint64_t all)
{
	print_progress(line,
	    stage == KMS_REWRAP_MOVE ? "re-wrapped" : "verified", done, all);
}

static int
show(struct open *at, const struct kms_rewrap *job)
{
	struct print *p = NULL;
	struct kms_slot slot;
	int r;

	r = kms_store_slot(at->store, job->role, &slot);
	if (r == 0)
		r = print_new(print_form(at->cli), NULL, &p);
	if (r != 0)
		return r;
	print_text(p, "role", "Master Key", kms_role_name(job->role));
	print_text(p, "id", "ID", slot.id);
	print_text(p, "origin", "Origin", kms_slot_origin_name(slot.origin));
	print_text(p, "mechanism", "Mechanism", kms_mech_name(slot.mech));
	print_number(p, "rewrapped", "Rows Re-wrapped", job->moved);
	print_bool(p, "resumed", "Went On With Earlier", job->resumed);
	print_bool(p, "was_done", "Was Done Already", job->was_done);
	return print_end(&p);
}

/* What is left to do is said where no script reads it. */
static void
say_next(const struct open *at)
{
	fprintf(stderr,
	    "%s: note: backups made before count for no key any more; make "
	    "one now (p11kmsutil -backup), then p11kms -retiremaster removes "
	    "the old key from the token\n",
	    at->cli->program->name);
}

static int
rotate(struct open *at, const struct asked *a)
{
	const struct kms_setup_master want = asked_master(a);
	struct print_line line = {0};
	struct kms_rewrap job = {
	    .role = a->role,
	    .want = &want,
	    .progress = progress,
	    .arg = &line,
	};
	int r;

	r = kms_rewrap(at->store, &at->actor, &job);
	print_progress_end(&line);
	if (r == 0)
		r = show(at, &job);
	if (r == 0 && !job.was_done) {
		asked_warn(a, at->cli);
		say_next(at);
	}
	return r;
}

/* The phrase is asked for last: only where everything else is there. */
static int
cmd_rotate(struct cli *cli, enum kms_role role)
{
	struct asked a = {.role = role};
	struct open at = {.cli = cli};
	int r;

	r = parse(cli, &a);
	if (r == 0)
		r = open_all(&at, cli);
	if (r == 0)
		r = ask(&at, &a);
	if (r == 0)
		r = rotate(&at, &a);
	asked_forget(&a);
	open_close(&at);
	return r;
}

int
cmd_rotate_hmk(struct cli *cli)
{
	return cmd_rotate(cli, KMS_ROLE_HMK);
}

int
cmd_rotate_kpk(struct cli *cli)
{
	return cmd_rotate(cli, KMS_ROLE_KPK);
}

int
cmd_rotate_retire(struct cli *cli)
{
	struct open at = {.cli = cli};
	struct print *p = NULL;
	unsigned n = 0;
	int r;

	r = open_all(&at, cli);
	if (r == 0)
		r = kms_rewrap_retire(at.store, &at.actor,
		    cli_value(cli, "reason"), &n);
	if (r == 0)
		r = print_new(print_form(cli), NULL, &p);
	if (r == 0) {
		print_number(p, "retired", "Master Keys Retired", n);
		r = print_end(&p);
	}
	print_free(&p);
	open_close(&at);
	return r;
}
