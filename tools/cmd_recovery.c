#include "tools/cmd_recovery.h"

#include <stdio.h>
#include <stdlib.h>

#include "kms/setup.h"
#include "tools/open.h"
#include "tools/print.h"

/* Owner and token, and the store's options, but no store yet. */
static int
open_without_store(struct open *at, const struct cli *cli,
    struct kms_store_options *options)
{
	int r;

	r = open_config(at, cli);
	if (r == 0)
		r = open_owner(at);
	if (r == 0)
		r = open_sealer(at);
	if (r == 0)
		open_store_options(at, options);
	return r;
}

static int
show(const struct cli *cli, const struct kms_setup_bound *bound,
    const char *did)
{
	struct print *p = NULL;
	int r = print_new(print_form(cli), NULL, &p);

	if (r != 0)
		return r;
	print_text(p, "done", "Done", did);
	print_bool(p, "complete", "Store Ready", bound->complete);
	print_text(p, "missing", "Still Missing",
	    bound->complete ? NULL : bound->missing);
	return print_end(&p);
}

/* The key that is missing: in the middle of a rotation it may be the next. */
static const struct kms_slot *
find_missing(const struct open *at, struct kms_header *header,
    enum kms_role role)
{
	const struct kms_header_slot *now, *next;

	now = kms_header_find(header, role, KMS_SLOT_CURRENT);
	next = kms_header_find(header, role, KMS_SLOT_NEXT);
	if (now == NULL)
		return NULL;
	if (next != NULL && next->slot.mech != KMS_MECH_NONE &&
	    at->sealer->check(at->sealer, &now->slot) == 0)
		return &next->slot;
	kms_err_clear();
	return &now->slot;
}

/* How many parts the phrase was entered in stands in the header. */
static int
ask(const struct open *at, enum kms_role role, struct kms_secret **phrase)
{
	const struct kms_slot *slot;
	struct kms_header *header = NULL;
	struct prompt_ask what;
	char name[100];
	int r;

	r = open_header(at->config->store.path, &header);
	if (r != 0)
		return r;
	slot = find_missing(at, header, role);
	snprintf(name, sizeof(name), "%s passphrase ('%.60s')",
	    kms_role_name(role), slot == NULL ? "" : slot->id);
	what = (struct prompt_ask){.what = name,
	    .components = slot == NULL ? 0 : slot->components};
	r = prompt_phrase_alone(&what, phrase);
	free(header);
	return r;
}

static int
reset(struct cli *cli, enum kms_role role)
{
	struct kms_store_options options;
	struct open at = {.cli = cli};
	struct kms_secret *phrase = NULL;
	struct kms_setup_bound bound;
	int r;

	r = open_without_store(&at, cli, &options);
	if (r == 0)
		r = ask(&at, role, &phrase);
	if (r == 0)
		r = kms_setup_reset(&options, &at.actor, role, phrase, &bound);
	if (r == 0)
		r = show(cli, &bound,
		    bound.was_there ? "the key was in the token already"
				    : "the key is back in the token");
	kms_secret_free(&phrase);
	open_close(&at);
	return r;
}

int
cmd_recovery_reset_hmk(struct cli *cli)
{
	return reset(cli, KMS_ROLE_HMK);
}

int
cmd_recovery_reset_kpk(struct cli *cli)
{
	return reset(cli, KMS_ROLE_KPK);
}

int
cmd_recovery_rebind(struct cli *cli)
{
	static const struct kms_setup_bound bound = {.complete = true};
	struct kms_store_options options;
	struct open at = {.cli = cli};
	int r;

	r = open_without_store(&at, cli, &options);
	if (r == 0)
		r = kms_setup_rebind(&options, &at.actor);
	if (r == 0)
		r = show(cli, &bound, "the store is bound to this token");
	open_close(&at);
	return r;
}

int
cmd_recovery_restore(struct cli *cli)
{
	struct kms_store_options options;
	struct open at = {.cli = cli};
	struct kms_setup_bound bound;
	int r;

	r = open_without_store(&at, cli, &options);
	if (r == 0)
		r = kms_setup_restore(&options, &at.actor,
		    cli_value(cli, "path"), cli_value(cli, "reason"), &bound);
	if (r == 0)
		r = show(cli, &bound, "the store is in its place");
	open_close(&at);
	return r;
}
