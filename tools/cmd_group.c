#include "tools/cmd_group.h"

#include <stdio.h>
#include <string.h>

#include "kms/group.h"
#include "kms/material.h"
#include "tools/open.h"
#include "tools/print.h"

static int
check_cipher(const char *cipher)
{
	if (cipher == NULL || strcmp(cipher, "AES_256") == 0)
		return 0;
	return kms_fail(KMS_ERR_USAGE, "-cipher %s: only AES_256 is made",
	    cipher);
}

/* The group's phrase as -phrase asks for it; NULL without. */
static int
ask_phrase(const struct open *at, struct kms_secret **phrase)
{
	struct prompt_ask ask = {
	    .what = "group passphrase",
	    .min = at->config->policy.phrase_min,
	    .twice = true,
	};

	*phrase = NULL;
	if (!cli_has(at->cli, "phrase"))
		return 0;
	return prompt_phrase_alone(&ask, phrase);
}

/*
 * Configuration, phrase, store, and the phrase's seed, in that order: a bad
 * phrase costs no login. *use is NULL without a phrase.
 */
static int
begin(struct open *at, const struct cli *cli, struct kms_seed *seed,
    const struct kms_seed **use)
{
	struct kms_secret *phrase = NULL;
	int r;

	*use = NULL;
	r = open_config(at, cli);
	if (r == 0)
		r = ask_phrase(at, &phrase);
	if (r == 0)
		r = open_rest(at);
	if (r == 0 && phrase != NULL) {
		r = kms_material_seed(at->store, phrase, seed);
		*use = seed;
	}
	kms_secret_free(&phrase);
	return r;
}

static int
show(const struct cli *cli, const struct kms_group_view *view)
{
	struct print *p = NULL;
	int r = print_new(print_form(cli), "groups", &p);

	if (r == 0)
		r = print_group(p, view);
	if (r == 0)
		r = print_end(&p);
	print_free(&p);
	return r;
}

/* The group as it will be, read before the commit: then it is printed. */
static int
commit_and_show(struct open *at, struct kms_tx **tx, const char *name)
{
	struct kms_group_view view;
	int r = kms_group_view(*tx, name, &view);

	if (r == 0)
		r = kms_tx_commit(tx);
	return r == 0 ? show(at->cli, &view) : r;
}

int
cmd_group_create(struct cli *cli)
{
	const char *name = cli_value(cli, "kgname");
	const char *description = cli_value(cli, "desc");
	const struct kms_seed *use;
	struct kms_tx *tx = NULL;
	struct open at = {.cli = cli};
	struct kms_seed seed;
	int r;

	r = check_cipher(cli_value(cli, "cipher"));
	if (r == 0)
		r = kms_name_check("group name", name);
	if (r == 0)
		r = begin(&at, cli, &seed, &use);
	if (r == 0)
		r = kms_tx_begin(at.store, &at.actor, KMS_WRITE, &tx);
	if (r == 0)
		r = kms_group_add(tx, name, description, use);
	if (r == 0)
		r = commit_and_show(&at, &tx, name);
	kms_tx_abort(&tx);
	open_close(&at);
	return r;
}

int
cmd_group_modify(struct cli *cli)
{
	const char *name = cli_value(cli, "kgname");
	struct kms_group_change change = {
	    .name = cli_value(cli, "name"),
	    .description = cli_value(cli, "desc"),
	};
	struct kms_tx *tx = NULL;
	struct open at = {.cli = cli};
	struct kms_seed seed;
	int r = 0;

	if (change.name == NULL && change.description == NULL &&
	    !cli_has(cli, "phrase"))
		return kms_fail(KMS_ERR_USAGE,
		    "nothing to change: give -name, -desc or -phrase");
	if (change.name != NULL)
		r = kms_name_check("group name", change.name);
	if (r == 0)
		r = begin(&at, cli, &seed, &change.seed);
	if (r == 0)
		r = kms_tx_begin(at.store, &at.actor, KMS_WRITE, &tx);
	if (r == 0)
		r = kms_group_modify(tx, name, &change);
	if (r == 0)
		r = commit_and_show(&at, &tx,
		    change.name != NULL ? change.name : name);
	kms_tx_abort(&tx);
	open_close(&at);
	return r;
}

int
cmd_group_delete(struct cli *cli)
{
	const char *name = cli_value(cli, "kgname");
	struct kms_tx *tx = NULL;
	struct open at = {.cli = cli};
	int r;

	r = open_all(&at, cli);
	if (r == 0)
		r = kms_tx_begin(at.store, &at.actor, KMS_WRITE, &tx);
	if (r == 0)
		r = kms_group_delete(tx, name, cli_has(cli, "force"),
		    cli_value(cli, "reason"));
	if (r == 0)
		r = kms_tx_commit(&tx);
	if (r == 0)
		printf("Key group %s is deleted\n", name);
	kms_tx_abort(&tx);
	open_close(&at);
	return r;
}

struct list {
	struct print *print;
	bool empty_only, without_active;
	size_t n;
};

static int
list_one(void *arg, const struct kms_group_view *view)
{
	struct list *l = arg;

	if ((l->empty_only && view->keys > 0) ||
	    (l->without_active && view->active_key[0] != '\0'))
		return 0;
	l->n++;
	return print_group(l->print, view);
}

int
cmd_group_list(struct cli *cli)
{
	const char *name = cli_value(cli, "kgname");
	struct list l = {
	    .empty_only = cli_has(cli, "emptykgs"),
	    .without_active = cli_has(cli, "noactive"),
	};
	struct kms_group_view view;
	struct kms_tx *tx = NULL;
	struct open at = {.cli = cli};
	int r;

	r = print_new(print_form(cli), "groups", &l.print);
	if (r == 0)
		r = open_all(&at, cli);
	if (r == 0)
		r = kms_tx_begin(at.store, &at.actor, KMS_READ, &tx);
	if (r == 0 && name == NULL)
		r = kms_group_list(tx, list_one, &l);
	else if (r == 0) {
		r = kms_group_view(tx, name, &view);
		if (r == 0)
			r = list_one(&l, &view);
	}
	kms_tx_abort(&tx);
	if (r == 0) {
		print_count(l.print, "Number of Key Groups", l.n);
		r = print_end(&l.print);
	}
	print_free(&l.print);
	open_close(&at);
	return r;
}
