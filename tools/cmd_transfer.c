#include "tools/cmd_transfer.h"

#include <stdio.h>
#include <string.h>

#include "kms/group.h"
#include "kms/kmip/stored.h"
#include "kms/transfer.h"
#include "tools/cmd_key.h"
#include "tools/keyfile.h"
#include "tools/open.h"
#include "tools/print.h"

/* --- export ----------------------------------------------------------- */

static int
show_export(const struct cli *cli, const char *path,
    const struct kms_transfer_exported *done)
{
	struct print *p = NULL;
	int r = print_new(print_form(cli), NULL, &p);

	if (r != 0)
		return r;
	print_text(p, "path", "Container", path);
	print_number(p, "groups", "Number of Key Groups", done->groups);
	print_number(p, "keys", "Number of Keys", done->keys);
	return print_end(&p);
}

int
cmd_transfer_export(struct cli *cli)
{
	struct kms_transfer_export options = {
	    .path = cli_value(cli, "path"),
	    .group = cli->words,
	    .ngroups = cli->nwords,
	};
	struct prompt_ask ask = {.what = "export passphrase", .twice = true};
	struct kms_transfer_exported done;
	struct keyfile_list list = {0};
	struct kms_secret *phrase = NULL;
	struct open at = {.cli = cli};
	int r;

	r = open_config(&at, cli);
	if (r == 0)
		r = kms_transfer_check_export(&at.config->policy);
	if (r == 0 && cli_has(cli, "key_file"))
		r = keyfile_list_read(&list, cli_value(cli, "key_file"));
	if (r == 0) {
		options.key = list.line;
		options.nkeys = list.n;
		ask.min = at.config->policy.phrase_min;
		r = prompt_phrase_alone(&ask, &phrase);
	}
	if (r == 0)
		r = open_rest(&at);
	if (r == 0) {
		options.phrase = phrase;
		r = open_say_owner(&at,
		    kms_transfer_export(at.store, &at.actor, &options, &done));
	}
	if (r == 0)
		r = show_export(cli, options.path, &done);
	kms_secret_free(&phrase);
	keyfile_list_free(&list);
	open_close(&at);
	return r;
}

/* --- import ----------------------------------------------------------- */

struct import {
	struct print *print;
	size_t imported, duplicates, demoted, no_phrase;
};

static int
import_one(void *arg, const struct kms_transfer_line *line)
{
	struct import *m = arg;

	m->imported += !line->duplicate;
	m->duplicates += line->duplicate;
	m->demoted += line->demoted;
	m->no_phrase += line->no_phrase;
	(void)print_key(m->print, line->view);
	print_text(m->print, "from_group", "Exported Group Name",
	    line->from_group);
	print_text(m->print, "from_name", "Exported Key Name", line->from_name);
	print_bool(m->print, "duplicate", "Duplicate, Skipped",
	    line->duplicate);
	return 0;
}

/* What a listing of keys does not say by itself. */
static void
add_notes(const struct cli *cli, const struct import *m)
{
	const char *name = cli->program->name;

	if (cli_has(cli, "preview"))
		fprintf(stderr, "%s: a preview; nothing was changed\n", name);
	else if (m->imported == 0)
		fprintf(stderr,
		    "%s: all of these keys are held already; nothing was "
		    "changed\n",
		    name);
	else if (m->duplicates > 0)
		fprintf(stderr,
		    "%s: %zu of the %zu keys are held already and were "
		    "skipped\n",
		    name, m->duplicates, m->imported + m->duplicates);
	if (m->demoted > 0)
		fprintf(stderr,
		    "%s: %zu key(s) were active and are inactive here, for "
		    "their group has an active key\n",
		    name, m->demoted);
	if (m->no_phrase > 0)
		fprintf(stderr,
		    "%s: %zu key(s) come back from the phrase of the group "
		    "they were made in; the group here has none, so that its "
		    "new keys are random (p11kmsutil -modifykg -phrase)\n",
		    name, m->no_phrase);
}

static int
finish_import(const struct cli *cli, struct import *m)
{
	int r;

	print_count(m->print, "Number of Keys", m->imported + m->duplicates);
	r = print_end(&m->print);
	if (r == 0)
		add_notes(cli, m);
	return r;
}

int
cmd_transfer_import(struct cli *cli)
{
	static const struct prompt_ask ask = {.what = "export passphrase"};
	struct kms_transfer_import options = {
	    .path = cli_value(cli, "path"),
	    .description = cli_value(cli, "desc"),
	    .preserve_name = cli_has(cli, "preserve_kgname"),
	    .merge = cli_has(cli, "merge"),
	    .preview = cli_has(cli, "preview"),
	    .check_attrs = kmip_stored_check,
	};
	struct kms_secret *phrase = NULL;
	struct open at = {.cli = cli};
	struct import m = {0};
	int r;

	r = print_new(print_form(cli), "keys", &m.print);
	if (r == 0)
		r = open_config(&at, cli);
	if (r == 0)
		r = prompt_phrase_alone(&ask, &phrase);
	if (r == 0)
		r = open_rest(&at);
	if (r == 0) {
		options.phrase = phrase;
		r = open_say_owner(&at,
		    kms_transfer_import(at.store, &at.actor, &options,
			import_one, &m));
	}
	if (r == 0)
		r = finish_import(cli, &m);
	kms_secret_free(&phrase);
	print_free(&m.print);
	open_close(&at);
	return r;
}

/* --- a foreign key ---------------------------------------------------- */

/* The descriptor in the file, or -tag; both only if they are the same. */
static int
choose_tag(const struct cli *cli, struct kms_tag *tag)
{
	struct kms_tag given = {0};
	int r;

	if (!cli_has(cli, "tag"))
		return tag->len > 0
		    ? 0
		    : kms_fail(KMS_ERR_USAGE,
			  "the key file has no descriptor; give the tag that "
			  "the tape carries (p11kmsdrive -status) with -tag "
			  "HEX");
	r = kms_tag_parse(&given, cli_value(cli, "tag"));
	if (r == 0 && tag->len > 0 && !kms_tag_equal(&given, tag))
		r = kms_fail(KMS_ERR_USAGE,
		    "the descriptor in the key file is not what -tag says; "
		    "give the one that the tape carries (p11kmsdrive -status)");
	*tag = given;
	return r;
}

int
cmd_transfer_import_key(struct cli *cli)
{
	static const struct kms_key_past past;
	struct kms_material material;
	const struct kms_key_new new = {
	    .group = cli_value(cli, "kgname"),
	    .name = cli_value(cli, "keyname"),
	    .description = cli_value(cli, "desc"),
	    .state = KMS_INACTIVE,
	    .event = KMS_EVENT_KEY_IMPORT,
	    .material = &material,
	    .past = &past,
	};
	struct kms_secret *key = NULL;
	struct kms_tag tag = {0};
	struct open at = {.cli = cli};
	int r;

	r = kms_name_check("key name", new.name);
	if (r == 0)
		r = open_config(&at, cli);
	if (r == 0)
		r = keyfile_read(cli_value(cli, "keyfile"), &key, &tag);
	if (r == 0)
		r = choose_tag(cli, &tag);
	if (r == 0)
		r = open_rest(&at);
	if (r == 0)
		r = cmd_key_check_group(&at, new.group, NULL);
	if (r == 0)
		r = kms_material_import(at.store, key, &tag, &material);
	kms_secret_free(&key);
	if (r == 0)
		r = cmd_key_add(&at, &new);
	open_close(&at);
	return r;
}

/* --- one key out of a backup ------------------------------------------ */

int
cmd_transfer_recover(struct cli *cli)
{
	struct kms_transfer_recover options = {
	    .from = cli_value(cli, "from"),
	    .group = cli_value(cli, "kgname"),
	    .name = cli_value(cli, "keyname"),
	    .description = cli_value(cli, "desc"),
	};
	struct open at = {.cli = cli};
	struct kms_key_view view;
	struct kms_tag tag;
	bool held;
	int r;

	r = kms_name_check("key name", options.name);
	if (r == 0 && cli_has(cli, "tag")) {
		r = kms_tag_parse(&tag, cli_value(cli, "tag"));
		options.tag = &tag;
	}
	if (r == 0)
		r = open_all(&at, cli);
	if (r == 0)
		r = cmd_key_check_group(&at, options.group, NULL);
	if (r == 0)
		r = open_say_owner(&at,
		    kms_transfer_recover(at.store, &at.actor, &options, &view,
			&held));
	if (r == 0)
		r = cmd_key_show(cli, &view, held);
	open_close(&at);
	return r;
}
