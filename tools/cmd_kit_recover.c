/* -recoverkey -list KIT.json: every key of a kit that a phrase brings back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kms/derive.h"
#include "kms/material.h"
#include "tools/cmd_kit.h"
#include "tools/kit.h"
#include "tools/open.h"
#include "tools/print.h"

/* Keys to a transaction: one fsync and one anchor for all of them. */
#define BATCH 64u

struct recover {
	struct open *at;
	const struct kit *kit;
	struct prompt *prompt;
	struct print *print;
	/* Proven, not added yet. */
	struct {
		const struct kit_key *key;
		struct kms_material material;
		struct kms_key_view view;
		bool shown;
	} batch[BATCH];
	size_t n;
	/* What was refused: the first of it, by name; the rest counted. */
	size_t refused, missing;
	int first;
	char why[512];
};

/* --- refusals --------------------------------------------------------- */

/* One entry's own fault; the others are brought back all the same. */
static bool
is_own_fault(int r)
{
	return r == KMS_ERR_AUTH || r == KMS_ERR_PHRASE ||
	    r == KMS_ERR_EXISTS || r == KMS_ERR_LIMIT || r == KMS_ERR_NOTFOUND;
}

/* Counts it and goes on, or passes on what concerns more than this entry. */
static int
refuse(struct recover *c, int r, const char *entry)
{
	if (!is_own_fault(r))
		return kms_fail_add(r, "%s", entry);
	if (c->refused++ == 0) {
		c->first = r;
		snprintf(c->why, sizeof(c->why), "%s: %s", entry,
		    kms_err_cause(r));
	}
	kms_err_clear();
	return 0;
}

static void
name_key(const struct kit_key *k, char out[], size_t cap)
{
	snprintf(out, cap, "key %s/%s", k->group, k->name);
}

static int
refuse_key(struct recover *c, int r, const struct kit_key *k)
{
	char entry[600];

	name_key(k, entry, sizeof(entry));
	return refuse(c, r, entry);
}

/* --- adding ----------------------------------------------------------- */

static int
add_one(struct recover *c, struct kms_tx *tx, size_t i)
{
	const struct kit_key *k = c->batch[i].key;
	const struct kms_key_new new = {
	    .group = k->group,
	    .name = k->name,
	    .description = k->description[0] != '\0' ? k->description : NULL,
	    .state = KMS_INACTIVE,
	    .event = KMS_EVENT_KEY_RECOVER,
	    .material = &c->batch[i].material,
	};
	bool held;
	int r;

	r = kms_tx_mark(tx);
	if (r == 0)
		r = kms_key_add(tx, &new, &c->batch[i].view, &held);
	c->batch[i].shown = r == 0;
	if (r == 0)
		return 0;
	kms_tx_rewind(tx);
	return refuse_key(c, r, k);
}

/* Shown once they are durable. */
static int
add_batch(struct recover *c)
{
	struct kms_tx *tx = NULL;
	size_t i;
	int r;

	if (c->n == 0)
		return 0;
	r = kms_tx_begin(c->at->store, &c->at->actor, KMS_WRITE, &tx);
	for (i = 0; r == 0 && i < c->n; i++)
		r = add_one(c, tx, i);
	if (r == 0)
		r = kms_tx_commit(&tx);
	kms_tx_abort(&tx);
	for (i = 0; r == 0 && i < c->n; i++)
		if (c->batch[i].shown)
			r = print_key(c->print, &c->batch[i].view);
	c->n = 0;
	return r;
}

/* m proved right, or r says why it did not. */
static int
take(struct recover *c, int r, const struct kit_key *k,
    const struct kms_material *m)
{
	if (r != 0)
		return refuse_key(c, r, k);
	c->batch[c->n].key = k;
	c->batch[c->n].material = *m;
	c->n++;
	return c->n == BATCH ? add_batch(c) : 0;
}

/* --- phrases ---------------------------------------------------------- */

static int
ask(struct recover *c, const char *entry, struct kms_secret **phrase)
{
	char what[100];
	const struct prompt_ask ask = {.what = what};

	snprintf(what, sizeof(what), "passphrase of %.80s", entry);
	return prompt_phrase(c->prompt, &ask, phrase);
}

static int
recover_group(struct recover *c, size_t at, const struct kms_secret *seed)
{
	const struct kit *kit = c->kit;
	struct kms_material m;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < kit->keys; i++) {
		if (kit->key[i].needs != KIT_NEEDS_GROUP ||
		    kit->key[i].phrase != at)
			continue;
		r = take(c,
		    kms_material_recover_seed(c->at->store, seed,
			&kit->key[i].tag, &m),
		    &kit->key[i], &m);
	}
	return r;
}

/* One KDF for all the keys of a group's phrase. */
static int
recover_phrase(struct recover *c, size_t at)
{
	const struct kit_phrase *p = &c->kit->phrase[at];
	struct kms_secret *phrase = NULL, *seed = NULL;
	char entry[600];
	int r;

	snprintf(entry, sizeof(entry), "group %s, phrase %zu",
	    p->group[0] != '\0' ? p->group : "(deleted)", p->number);
	r = ask(c, entry, &phrase);
	if (r == 0)
		r = kms_derive_seed(phrase, p->is.salt, p->is.cost, &seed);
	kms_secret_free(&phrase);
	if (r != 0)
		return refuse(c, r, entry);
	r = recover_group(c, at, seed);
	kms_secret_free(&seed);
	return r;
}

static int
recover_key(struct recover *c, const struct kit_key *k)
{
	struct kms_secret *phrase = NULL;
	struct kms_material m;
	char entry[600];
	int r;

	name_key(k, entry, sizeof(entry));
	r = ask(c, entry, &phrase);
	if (r == 0)
		r = kms_material_recover(c->at->store, phrase, &k->tag, &m);
	kms_secret_free(&phrase);
	return take(c, r, k, &m);
}

/* Group phrases first, then keys, each in the file's order. What was proven
 * before an error is kept. */
static int
recover_all(struct recover *c)
{
	const struct kit *kit = c->kit;
	int r = 0, added;
	size_t i;

	for (i = 0; r == 0 && i < kit->phrases; i++)
		if (kit->phrase[i].keys > 0)
			r = recover_phrase(c, i);
	for (i = 0; r == 0 && i < kit->keys; i++)
		if (kit->key[i].needs == KIT_NEEDS_PHRASE)
			r = recover_key(c, &kit->key[i]);
	if (r == 0 || c->n == 0)
		return r == 0 ? add_batch(c) : r;
	snprintf(c->why, sizeof(c->why), "%s", kms_err_cause(r));
	added = add_batch(c);
	return added != 0 ? added : kms_fail(r, "%s", c->why);
}

/* --- before and after ------------------------------------------------- */

/* Said before anybody is asked for a phrase. */
static int
check_groups(struct recover *c)
{
	const struct kit *kit = c->kit;
	const char *last = "";
	struct kms_tx *tx = NULL;
	uint64_t id;
	size_t i;
	int r;

	r = kms_tx_begin(c->at->store, &c->at->actor, KMS_READ, &tx);
	for (i = 0; r == 0 && i < kit->keys; i++) {
		if (kit->key[i].needs == KIT_NEEDS_BACKUP ||
		    strcmp(last, kit->key[i].group) == 0)
			continue;
		last = kit->key[i].group;
		r = kms_group_id(tx, last, &id);
		if (r != 0)
			r = kms_fail_add(r, "key %s/%s", last,
			    kit->key[i].name);
	}
	kms_tx_abort(&tx);
	return r;
}

/* Keys without a phrase that the store does not hold either. */
static int
count_missing(struct recover *c)
{
	const struct kit *kit = c->kit;
	struct kms_key_view *view = malloc(sizeof(*view));
	struct kms_tx *tx = NULL;
	size_t i;
	int r;

	if (view == NULL)
		return kms_fail(KMS_ERR_MEMORY, "list: %s", strerror(errno));
	r = kms_tx_begin(c->at->store, &c->at->actor, KMS_READ, &tx);
	for (i = 0; r == 0 && i < kit->keys; i++) {
		if (kit->key[i].needs != KIT_NEEDS_BACKUP)
			continue;
		r = kms_key_view_tag(tx, &kit->key[i].tag, view);
		if (r != KMS_ERR_NOTFOUND)
			continue;
		r = 0;
		if (c->missing++ == 0 && c->refused == 0)
			snprintf(c->why, sizeof(c->why), "key %s/%s",
			    kit->key[i].group, kit->key[i].name);
	}
	kms_tx_abort(&tx);
	free(view);
	return r;
}

/* The one error line, when not every key of the kit is held now. */
static int
judge(const struct recover *c)
{
	if (c->refused > 0)
		return kms_fail(c->first,
		    "%s (%zu refused, %zu more without a passphrase); what was "
		    "right is kept: run it again for the rest",
		    c->why, c->refused, c->missing);
	if (c->missing > 0)
		return kms_fail(KMS_ERR_NOTFOUND,
		    "%s: no passphrase exists for it (%zu such keys); bring "
		    "them back with p11kmsutil -recoverkey -from BACKUP",
		    c->why, c->missing);
	return 0;
}

/* What is kept is shown also when an error ended it. */
static int
run(struct recover *c)
{
	int r, shown = 0;

	r = check_groups(c);
	if (r == 0)
		r = print_new(print_form(c->at->cli), "keys", &c->print);
	if (r == 0)
		r = prompt_open(&c->prompt);
	if (r == 0)
		r = recover_all(c);
	prompt_close(&c->prompt);
	if (r == 0)
		r = count_missing(c);
	if (c->print != NULL)
		shown = print_end(&c->print);
	if (r == 0)
		r = shown;
	return r == 0 ? judge(c) : r;
}

int
cmd_kit_recover(struct cli *cli)
{
	struct recover *c = calloc(1, sizeof(*c));
	struct open at = {.cli = cli};
	struct kit *kit = NULL;
	int r;

	if (c == NULL)
		return kms_fail(KMS_ERR_MEMORY, "list: %s", strerror(errno));
	r = kit_json_read(cli_value(cli, "list"), &kit);
	if (r == 0)
		r = open_all(&at, cli);
	if (r == 0) {
		c->at = &at;
		c->kit = kit;
		r = run(c);
	}
	kit_free(&kit);
	open_close(&at);
	free(c);
	return r;
}
