#include <stdio.h>
#include <string.h>

#include "kms/catalog.h"
#include "kms/group.h"
#include "kms/naming.h"
#include "tools/cmd_audit.h"
#include "tools/open.h"
#include "tools/print.h"

struct listing {
	struct print *print;
	struct kms_naming *names;
	const char *group; /* of this one only; NULL: all */
	size_t n;
};

static int
print_entry(void *arg, const struct kms_catalog_entry *e)
{
	struct listing *l = arg;
	struct print *p = l->print;
	struct kms_name_of name;
	char tag[KMS_TAG_TEXT];
	int r;

	r = kms_naming_find(l->names, &e->tag, &name);
	if (r != 0)
		return r;
	if (l->group != NULL && strcmp(l->group, name.group) != 0)
		return 0;
	l->n++;
	kms_tag_text(&e->tag, tag);
	print_record(p);
	print_text(p, "volume", "Volume", e->volume[0] ? e->volume : NULL);
	print_text(p, "medium", "Medium Serial",
	    e->medium[0] ? e->medium : NULL);
	print_text(p, "group", "Key Group Name",
	    name.group[0] ? name.group : NULL);
	print_text(p, "name", "Key Name", name.key[0] ? name.key : NULL);
	print_text(p, "tag", "Key Tag", tag);
	print_bool(p, "held", "Key In Store", name.held);
	print_text(p, "drive", "Last Drive", e->drive[0] ? e->drive : NULL);
	print_bool(p, "written", "Written", e->written);
	print_time(p, "first", "First Load", e->first);
	print_time(p, "last", "Last Load", e->last);
	print_number(p, "loads", "Loads", e->loads);
	return 0;
}

/* What was asked for by name and is not there is not an empty list. */
static int
check_asked(struct open *at, const struct cli *cli, size_t n)
{
	struct kms_group_view view;
	struct kms_tx *tx = NULL;
	int r;

	if (n > 0)
		return 0;
	if (cli_has(cli, "volume"))
		return kms_fail(KMS_ERR_NOTFOUND,
		    "%s: no key was loaded for this volume, as far as the "
		    "release log goes back; p11kmsdrive -status shows what the "
		    "tape names",
		    cli_value(cli, "volume"));
	if (cli_has(cli, "tag"))
		return kms_fail(KMS_ERR_NOTFOUND,
		    "tag %s: no tape was loaded with it, as far as the release "
		    "log goes back",
		    cli_value(cli, "tag"));
	if (!cli_has(cli, "kgname"))
		return 0;
	r = kms_tx_begin(at->store, &at->actor, KMS_READ, &tx);
	if (r == 0)
		r = kms_group_view(tx, cli_value(cli, "kgname"), &view);
	kms_tx_abort(&tx);
	return r;
}

static int
list(struct open *at, const struct kms_catalog *catalog,
    const struct kms_tag *tag, bool complete)
{
	struct listing l = {.group = cli_value(at->cli, "kgname")};
	int r;

	r = kms_naming_new(at->store, &at->actor, &l.names);
	if (r == 0)
		r = print_new(print_form(at->cli), NULL, &l.print);
	if (r == 0) {
		print_bool(l.print, "complete", NULL, complete);
		print_list(l.print, "catalog");
		r = kms_catalog_each(catalog, tag, cli_value(at->cli, "volume"),
		    print_entry, &l);
	}
	if (r == 0)
		r = check_asked(at, at->cli, l.n);
	if (r == 0) {
		print_count(l.print, "Number of Tapes and Keys", l.n);
		r = print_end(&l.print);
	}
	print_free(&l.print);
	kms_naming_free(&l.names);
	return r;
}

/* Of a damaged log what is good is shown, and then the damage is said. */
static int
load_and_list(struct open *at, struct kms_catalog *catalog,
    const struct kms_tag *tag)
{
	bool complete = true;
	char cause[512];
	int r, listed;

	r = kms_catalog_load(catalog, at->store, &at->actor, &complete);
	if (r != 0 && r != KMS_ERR_DAMAGED)
		return r;
	snprintf(cause, sizeof(cause), "%s", kms_err_cause(r));
	listed = list(at, catalog, tag, complete && r == 0);
	if (r != 0)
		return kms_fail(r, "%s", cause);
	if (listed == 0 && !complete)
		fprintf(stderr,
		    "%s: a release log was lost, or the store restored: "
		    "what was loaded before may be missing here\n",
		    at->cli->program->name);
	return listed;
}

int
cmd_catalog(struct cli *cli)
{
	struct kms_catalog *catalog = NULL;
	struct open at = {.cli = cli};
	struct kms_tag tag;
	int r = 0;

	if (cli_has(cli, "tag"))
		r = kms_tag_parse(&tag, cli_value(cli, "tag"));
	if (r == 0)
		r = open_all(&at, cli);
	if (r == 0)
		r = kms_catalog_new(&catalog);
	if (r == 0)
		r = load_and_list(&at, catalog,
		    cli_has(cli, "tag") ? &tag : NULL);
	kms_catalog_free(&catalog);
	open_close(&at);
	return r;
}
