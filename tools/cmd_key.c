#include "tools/cmd_key.h"

#include <stdio.h>
#include <string.h>

#include "kms/derive.h"
#include "kms/group.h"
#include "kms/key.h"
#include "kms/material.h"
#include "tools/cmd_kit.h"
#include "tools/cmd_transfer.h"
#include "tools/open.h"
#include "tools/print.h"

int
cmd_key_show(const struct cli *cli, const struct kms_key_view *view, bool held)
{
	struct print *p = NULL;
	int r = print_new(print_form(cli), "keys", &p);

	if (held)
		fprintf(stderr,
		    "%s: this key is held already; nothing was changed\n",
		    cli->program->name);
	if (r == 0)
		r = print_key(p, view);
	if (r == 0)
		r = print_end(&p);
	print_free(&p);
	return r;
}

int
cmd_key_check_group(struct open *at, const char *group, bool *has_phrase)
{
	struct kms_group_view view;
	struct kms_tx *tx = NULL;
	int r;

	r = kms_tx_begin(at->store, &at->actor, KMS_READ, &tx);
	if (r == 0)
		r = kms_group_view(tx, group, &view);
	kms_tx_abort(&tx);
	if (has_phrase != NULL)
		*has_phrase = r == 0 && view.has_phrase;
	return r;
}

/* Slow: the KDF and the token, with no transaction open. */
static int
make_material(struct open *at, const char *group,
    const struct kms_secret *phrase, struct kms_material *m)
{
	bool has_phrase;
	int r = cmd_key_check_group(at, group, &has_phrase);

	if (r != 0)
		return r;
	if (phrase != NULL)
		return kms_material_phrase(at->store, phrase, m);
	if (has_phrase)
		return kms_material_group(at->store, group, m);
	return kms_material_random(at->store, m);
}

int
cmd_key_add(struct open *at, const struct kms_key_new *key)
{
	struct kms_key_view view;
	struct kms_tx *tx = NULL;
	bool held = false;
	int r;

	r = kms_tx_begin(at->store, &at->actor, KMS_WRITE, &tx);
	if (r == 0)
		r = kms_key_add(tx, key, &view, &held);
	if (r == 0 && !held)
		r = kms_tx_commit(&tx);
	kms_tx_abort(&tx);
	return r == 0 ? cmd_key_show(at->cli, &view, held) : r;
}

int
cmd_key_create(struct cli *cli)
{
	struct prompt_ask ask = {
	    .what = "key passphrase",
	    .twice = true,
	    .may_be_empty = true,
	};
	struct kms_material material;
	struct kms_key_new key = {
	    .group = cli_value(cli, "kgname"),
	    .name = cli_value(cli, "keyname"),
	    .description = cli_value(cli, "desc"),
	    .state = cli_has(cli, "activate") ? KMS_ACTIVE : KMS_PRELIVE,
	    .event = KMS_EVENT_KEY_CREATE,
	    .material = &material,
	};
	struct kms_secret *phrase = NULL;
	struct open at = {.cli = cli};
	int r = 0;

	if (key.name != NULL)
		r = kms_name_check("key name", key.name);
	if (r == 0)
		r = open_config(&at, cli);
	if (r == 0 && !cli_has(cli, "nopphrase")) {
		ask.min = at.config->policy.phrase_min;
		r = prompt_phrase_alone(&ask, &phrase);
	}
	if (r == 0)
		r = open_rest(&at);
	if (r == 0)
		r = make_material(&at, key.group, phrase, &material);
	kms_secret_free(&phrase);
	if (r == 0)
		r = cmd_key_add(&at, &key);
	open_close(&at);
	return r;
}

static int
recover_one(struct cli *cli)
{
	struct prompt_ask ask = {.what = "passphrase of the key or its group"};
	struct kms_material material;
	struct kms_key_new key = {
	    .group = cli_value(cli, "kgname"),
	    .name = cli_value(cli, "keyname"),
	    .description = cli_value(cli, "desc"),
	    .state = KMS_INACTIVE,
	    .event = KMS_EVENT_KEY_RECOVER,
	    .material = &material,
	};
	struct kms_secret *phrase = NULL;
	struct open at = {.cli = cli};
	struct kms_tag tag;
	int r;

	if (!cli_has(cli, "tag"))
		return kms_fail(KMS_ERR_USAGE,
		    "-recoverkey needs one of -tag, -list, -from");
	r = kms_name_check("key name", key.name);
	if (r == 0)
		r = kms_tag_parse(&tag, cli_value(cli, "tag"));
	if (r == 0)
		r = kms_derive_has_phrase(&tag);
	if (r == 0)
		r = open_config(&at, cli);
	if (r == 0)
		r = prompt_phrase_alone(&ask, &phrase);
	if (r == 0)
		r = open_rest(&at);
	if (r == 0)
		r = cmd_key_check_group(&at, key.group, NULL);
	if (r == 0)
		r = kms_material_recover(at.store, phrase, &tag, &material);
	kms_secret_free(&phrase);
	if (r == 0)
		r = cmd_key_add(&at, &key);
	open_close(&at);
	return r;
}

/* -list names many keys; all else names one. */
int
cmd_key_recover(struct cli *cli)
{
	bool list = cli_has(cli, "list");

	if (list &&
	    (cli_has(cli, "kgname") || cli_has(cli, "keyname") ||
		cli_has(cli, "desc") || cli_has(cli, "tag") ||
		cli_has(cli, "from")))
		return kms_fail(KMS_ERR_USAGE,
		    "-list names its keys and groups itself; leave out "
		    "-kgname, -keyname, -tag, -desc and -from");
	if (!list && (!cli_has(cli, "kgname") || !cli_has(cli, "keyname")))
		return kms_fail(KMS_ERR_USAGE,
		    "-recoverkey needs -kgname and -keyname");
	if (list)
		return cmd_kit_recover(cli);
	return cli_has(cli, "from") ? cmd_transfer_recover(cli)
				    : recover_one(cli);
}

/* What -modifykey asks for; KMS_ERR_USAGE when that is nothing. */
static int
parse_change(const struct cli *cli, struct kms_key_change *c)
{
	const char *state = cli_value(cli, "state");
	int r = 0;

	*c = (struct kms_key_change){
	    .name = cli_value(cli, "name"),
	    .description = cli_value(cli, "desc"),
	    .move_to = cli_value(cli, "move_to_kgname"),
	    .reason = cli_value(cli, "reason"),
	    .allowserve = cli_has(cli, "allowserve"),
	    .set_state = state != NULL || cli_has(cli, "activate"),
	    .state = KMS_ACTIVE,
	};
	if (state != NULL && cli_has(cli, "activate"))
		return kms_fail(KMS_ERR_USAGE,
		    "-activate and -state say the same thing; give one");
	if (c->allowserve && c->reason == NULL)
		return kms_fail(KMS_ERR_USAGE, "-allowserve needs -reason");
	if (!c->allowserve && c->reason != NULL)
		return kms_fail(KMS_ERR_USAGE, "-reason goes with -allowserve");
	if (c->name == NULL && c->description == NULL && c->move_to == NULL &&
	    !c->allowserve && !c->set_state)
		return kms_fail(KMS_ERR_USAGE,
		    "nothing to change: give -state, -activate, -name, -desc, "
		    "-move_to_kgname or -allowserve");
	if (state != NULL)
		r = kms_state_parse(state, &c->state);
	if (r == 0 && c->name != NULL)
		r = kms_name_check("key name", c->name);
	return r;
}

int
cmd_key_modify(struct cli *cli)
{
	const char *group = cli_value(cli, "kgname");
	const char *name = cli_value(cli, "keyname");
	struct kms_key_change change;
	struct kms_key_view view;
	struct kms_tx *tx = NULL;
	struct open at = {.cli = cli};
	int r;

	r = parse_change(cli, &change);
	if (r == 0)
		r = open_all(&at, cli);
	if (r == 0)
		r = kms_tx_begin(at.store, &at.actor, KMS_WRITE, &tx);
	if (r == 0)
		r = kms_key_modify(tx, group, name, &change);
	if (r == 0)
		r = kms_key_view(tx, change.move_to ? change.move_to : group,
		    change.name ? change.name : name, &view);
	if (r == 0)
		r = kms_tx_commit(&tx);
	if (r == 0)
		r = cmd_key_show(cli, &view, false);
	kms_tx_abort(&tx);
	open_close(&at);
	return r;
}

int
cmd_key_delete(struct cli *cli)
{
	const char *group = cli_value(cli, "kgname");
	const char *name = cli_value(cli, "keyname");
	struct kms_tx *tx = NULL;
	struct open at = {.cli = cli};
	int r;

	r = open_all(&at, cli);
	if (r == 0)
		r = kms_tx_begin(at.store, &at.actor, KMS_WRITE, &tx);
	if (r == 0)
		r = kms_key_delete(tx, group, name, cli_has(cli, "force"),
		    cli_value(cli, "reason"));
	if (r == 0)
		r = kms_tx_commit(&tx);
	if (r == 0)
		printf("Key %s of %s is deleted\n", name, group);
	kms_tx_abort(&tx);
	open_close(&at);
	return r;
}

struct list {
	struct print *print;
	size_t n;
};

static int
list_one(void *arg, const struct kms_key_view *view)
{
	struct list *l = arg;

	l->n++;
	return print_key(l->print, view);
}

/* A group or key asked for by name and not there is not an empty list. */
static int
check_asked(struct kms_tx *tx, const struct kms_key_filter *f, size_t n)
{
	struct kms_key_view view;
	uint64_t id;
	int r = 0;

	if (f->group != NULL)
		r = kms_group_id(tx, f->group, &id);
	if (r != 0 || n > 0)
		return r;
	if (f->tag != NULL)
		return kms_key_view_tag(tx, f->tag, &view);
	if (f->name != NULL)
		return kms_key_view(tx, f->group, f->name, &view);
	return 0;
}

int
cmd_key_list(struct cli *cli)
{
	struct kms_key_filter filter = {
	    .group = cli_value(cli, "kgname"),
	    .name = cli_value(cli, "keyname"),
	    .active_only = cli_has(cli, "activekey"),
	};
	struct list l = {.n = 0};
	struct kms_tx *tx = NULL;
	struct open at = {.cli = cli};
	struct kms_tag tag;
	int r = 0;

	if (cli_has(cli, "tag")) {
		r = kms_tag_parse(&tag, cli_value(cli, "tag"));
		filter.tag = &tag;
	}
	if (r == 0)
		r = print_new(print_form(cli), "keys", &l.print);
	if (r == 0)
		r = open_all(&at, cli);
	if (r == 0)
		r = kms_tx_begin(at.store, &at.actor, KMS_READ, &tx);
	if (r == 0)
		r = kms_key_list(tx, &filter, list_one, &l);
	if (r == 0)
		r = check_asked(tx, &filter, l.n);
	kms_tx_abort(&tx);
	if (r == 0) {
		print_count(l.print, "Number of Keys", l.n);
		r = print_end(&l.print);
	}
	print_free(&l.print);
	open_close(&at);
	return r;
}
