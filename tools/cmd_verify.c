#include "tools/cmd_verify.h"

#include <stdio.h>
#include <stdlib.h>

#include "kms/rewrap.h"
#include "kms/verify.h"
#include "tools/open.h"
#include "tools/print.h"

#define TEXT_MAX 1024u

static const char *
anchor_name(enum kms_anchor_state s)
{
	switch (s) {
	case KMS_ANCHOR_KEPT:
		return "kept";
	case KMS_ANCHOR_NONE:
		return "none";
	case KMS_ANCHOR_OLDER:
		return "older";
	case KMS_ANCHOR_FOREIGN:
		return "foreign";
	}
	return "?";
}

/* --- a copy from before a rotation ---------------------------------------- */

/* The store that the configuration names, which knows what became of its
 * keys: read as a copy is, so that nothing of it moves. What it cannot tell
 * stays unknown. */
static void
look_back(const struct open *at, const char *copy, struct kms_rewrap_past *past)
{
	struct kms_store_options options;
	struct kms_header *header = NULL;
	struct kms_store *now = NULL;
	int r;

	*past = (struct kms_rewrap_past){0};
	open_store_options(at, &options);
	options.readonly = true;
	r = open_header(copy, &header);
	if (r == 0)
		r = kms_store_open(&options, &now);
	if (r == 0)
		r = kms_rewrap_past(now, &at->actor, header, past);
	if (r != 0)
		*past = (struct kms_rewrap_past){0};
	kms_err_clear();
	kms_store_close(&now);
	free(header);
}

static void
say_past(const struct kms_rewrap_past *past, char text[TEXT_MAX])
{
	char rotated[KMS_TIME_TEXT] = "a time not known";
	char retired[KMS_TIME_TEXT] = "";

	if (past->rotated != 0)
		kms_time_text(past->rotated, rotated);
	if (past->retired != 0)
		kms_time_text(past->retired, retired);
	(void)snprintf(text, TEXT_MAX,
	    "%s under %s '%s', which was superseded by '%s' at %s%s%s",
	    past->role == KMS_ROLE_HMK ? "sealed" : "wrapped",
	    kms_role_name(past->role), past->id, past->successor, rotated,
	    retired[0] != '\0' ? " and retired at " : "", retired);
}

static void
print_past(struct print *p, const struct kms_rewrap_past *past)
{
	char text[TEXT_MAX], line[TEXT_MAX + 8];

	say_past(past, text);
	(void)snprintf(line, sizeof(line), "older: %s", text);
	print_text(p, "anchor", NULL, "older");
	print_text(p, NULL, "Anchor", line);
	print_text(p, "sealed_under", NULL, past->id);
	print_time(p, "rotated", NULL, past->rotated);
}

/* --- the answer ------------------------------------------------------------ */

static int
show_report(const struct cli *cli, const struct kms_verify_report *v,
    const struct kms_rewrap_past *past)
{
	struct print *p = NULL;
	int r = print_new(print_form(cli), NULL, &p);

	if (r != 0)
		return r;
	print_number(p, "rows", "Rows", v->rows);
	print_number(p, "groups", "Key Groups", v->groups);
	print_number(p, "keys", "Keys", v->keys);
	print_number(p, "audits", "Audit Rows", v->audits);
	print_number(p, "tombstones", "Tombstones", v->tombstones);
	print_number(p, "unwrapped", "Unwrapped in Token", v->unwrapped);
	print_number(p, "bad", "Bad", v->bad);
	print_number(p, "generation", "Generation", v->generation);
	if (past->role != 0)
		print_past(p, past);
	else
		print_text(p, "anchor", "Anchor", anchor_name(v->anchor));
	print_number(p, "behind", "Changes Behind Anchor", v->behind);
	print_bool(p, "header_copies_differ", "Header Copy Damaged",
	    v->header_copies_differ);
	return print_end(&p);
}

/* The counts are shown also when a row is bad; the error then names it. */
static int
verify(struct open *at, const char *copy)
{
	struct kms_verify_report report = {0};
	struct kms_rewrap_past past = {0};
	int r = kms_verify(at->store, &report, NULL, NULL), shown = 0;

	if (r == 0 && copy != NULL && report.anchor == KMS_ANCHOR_FOREIGN)
		look_back(at, copy, &past);
	if (r == 0 || report.bad > 0)
		shown = show_report(at->cli, &report, &past);
	return r != 0 ? r : shown;
}

/* Its master key is not in the token: that may be why. */
static int
explain(const struct open *at, const char *copy, int r)
{
	struct kms_rewrap_past past;
	char text[TEXT_MAX], cause[256];

	(void)snprintf(cause, sizeof(cause), "%s", kms_err_cause(r));
	look_back(at, copy, &past);
	if (past.role == 0)
		return kms_fail(r, "%s", cause);
	say_past(&past, text);
	return kms_fail(r,
	    "%s: older: %s; it is read where that key still is, or is brought "
	    "back behind p11kms -restoredb on an empty host",
	    copy, text);
}

static int
open_copy(struct open *at, const char *copy)
{
	struct kms_store_options options;
	int r;

	r = open_config(at, at->cli);
	if (r == 0)
		r = open_owner(at);
	if (r == 0)
		r = open_sealer(at);
	if (r != 0)
		return r;
	open_store_options(at, &options);
	options.path = copy;
	options.readonly = true;
	r = kms_store_open(&options, &at->store);
	return r == KMS_ERR_TOKEN ? explain(at, copy, r) : r;
}

int
cmd_verify(struct cli *cli)
{
	const char *copy = cli_value(cli, "store");
	struct open at = {.cli = cli};
	int r;

	r = copy == NULL ? open_all(&at, cli) : open_copy(&at, copy);
	if (r == 0)
		r = verify(&at, copy);
	open_close(&at);
	return r;
}
