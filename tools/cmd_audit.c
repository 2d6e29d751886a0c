#include "tools/cmd_audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hsm/pkey.h"
#include "kms/trail.h"
#include "tools/open.h"
#include "tools/print.h"
#include "tools/sign.h"

/* --- entries ----------------------------------------------------------- */

static void
print_who(struct print *p, const struct kms_who *who)
{
	print_text(p, "actor", "Actor", who->name);
	if (who->uid != UINT32_MAX)
		print_number(p, "uid", NULL, who->uid);
	if (who->login_uid != UINT32_MAX)
		print_number(p, "login_uid", NULL, who->login_uid);
	if (who->sudo_user[0] != '\0')
		print_text(p, "sudo_user", "Sudo User", who->sudo_user);
	print_text(p, "host", "Host", who->host);
}

static const char *
or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

static void
print_change(struct print *p, const struct kms_audit *a)
{
	print_bool(p, "forced", "Forced", a->forced);
	print_text(p, "reason", "Reason", or_null(a->reason));
}

static void
print_release(struct print *p, const struct kms_release_entry *e)
{
	print_number(p, "record", "Release Record", e->seq);
	print_text(p, "use", "Use", kms_use_name(e->use));
	print_text(p, "state", "State Then",
	    kms_state_name((enum kms_state)e->state));
	print_text(p, "drive", "Drive Serial", or_null(e->drive));
	print_text(p, "volume", "Volume", or_null(e->volume));
	print_text(p, "medium", "Medium Serial", or_null(e->medium));
}

static int
print_entry(void *arg, const struct kms_trail_entry *e)
{
	struct print *p = arg;
	char tag[KMS_TAG_TEXT];

	if (e->tag->len > 0)
		kms_tag_text(e->tag, tag);
	print_record(p);
	print_time(p, "time", "Time", e->time);
	print_number(p, "generation", "Generation", e->generation);
	print_text(p, "event", "Event",
	    kms_event_name(e->change != NULL ? e->change->event
					     : KMS_EVENT_RELEASE));
	print_who(p, e->who);
	print_text(p, "group", "Key Group Name", or_null(e->group));
	print_text(p, "name", "Name", or_null(e->name));
	print_text(p, "tag", "Key Tag", e->tag->len > 0 ? tag : NULL);
	if (e->change != NULL)
		print_change(p, e->change);
	else
		print_release(p, e->release);
	return 0;
}

/* --- verification ------------------------------------------------------ */

static int
print_report(const struct cli *cli, const struct kms_trail_report *t)
{
	struct print *p = NULL;
	int r = print_new(print_form(cli), NULL, &p);

	if (r != 0)
		return r;
	print_number(p, "generation", "Generation", t->generation);
	print_number(p, "changes", "Changes", t->changes);
	print_number(p, "releases", "Releases", t->releases);
	print_number(p, "proven_releases", "Releases the Store Vouches for",
	    t->proven);
	print_time(p, "proven_time", "Vouched for at", t->proven_time);
	print_number(p, "lost_logs", "Earlier Logs Lost", t->lost_logs);
	print_number(p, "lost_releases", "Releases Known Lost",
	    t->lost_records);
	return print_end(&p);
}

static int
verify(struct open *at, const struct cli *cli)
{
	const struct kms_trail_filter all = {0};
	struct kms_trail_report report;
	int r;

	r = kms_trail_walk(at->store, &at->actor, &all, NULL, NULL, &report);
	return r == 0 ? print_report(cli, &report) : r;
}

/* --- the operation ----------------------------------------------------- */

static int
parse_filter(const struct cli *cli, struct kms_trail_filter *f,
    struct kms_tag *tag)
{
	int r = 0;

	*f = (struct kms_trail_filter){.actor = cli_value(cli, "actor")};
	if (cli_has(cli, "since"))
		r = cli_time(cli_value(cli, "since"), &f->since);
	if (r == 0 && cli_has(cli, "until"))
		r = cli_time(cli_value(cli, "until"), &f->until);
	if (r == 0 && cli_has(cli, "tag")) {
		r = kms_tag_parse(tag, cli_value(cli, "tag"));
		f->tag = tag;
	}
	return r;
}

/* Which store this is about, and as of when. */
static int
print_head(struct print *p, struct kms_store *store)
{
	struct kms_header *header = calloc(1, sizeof(*header));
	char uuid[2 * sizeof(header->uuid) + 1];

	if (header == NULL)
		return kms_fail(KMS_ERR_MEMORY, "header: out of memory");
	kms_store_header(store, header);
	kms_hex(header->uuid, sizeof(header->uuid), uuid);
	free(header);
	print_text(p, "store", NULL, uuid);
	print_number(p, "generation", NULL, kms_store_generation(store));
	print_time(p, "made", NULL, kms_tx_now());
	return 0;
}

static int
show(struct open *at, enum print_form form, const struct kms_trail_filter *f,
    FILE *out)
{
	struct kms_trail_report report;
	struct print *p = NULL;
	int r;

	r = print_new(form, NULL, &p);
	if (r == 0)
		r = print_head(p, at->store);
	if (r == 0) {
		print_stream(p, "audit", out);
		r = kms_trail_walk(at->store, &at->actor, f, print_entry, p,
		    &report);
	}
	if (r == 0)
		r = print_end(&p);
	print_free(&p);
	return r;
}

/* --- signature --------------------------------------------------------- */

static int
load_key(const struct open *at, struct hsm_pkey **key)
{
	const char *uri = at->config->token.sign_key;

	*key = NULL;
	if (uri == NULL)
		return kms_fail(KMS_ERR_CONFIG,
		    "[token] sign_key is not set; name an EC key of the token "
		    "there, pkcs11:object=LABEL");
	return hsm_pkey_load(hsm_sealer_token(at->sealer), uri, key);
}

static int
print_check(const struct cli *cli)
{
	const char *path = cli_value(cli, "path");
	struct print *p = NULL;
	char *check = NULL;
	int r;

	if (asprintf(&check,
		"openssl dgst -sha256 -verify %s.pub -signature %s.sig %s",
		path, path, path) < 0)
		return kms_fail(KMS_ERR_MEMORY, "output: out of memory");
	r = print_new(print_form(cli), NULL, &p);
	if (r == 0) {
		print_text(p, "path", "Signed", path);
		print_text(p, "check", "To Check It", check);
		r = print_end(&p);
	}
	free(check);
	return r;
}

/* The files are the caller's, so they are made before the store's owner is
 * acted as. */
static int
sign_trail(struct open *at, struct cli *cli, const struct kms_trail_filter *f)
{
	struct hsm_pkey *key = NULL;
	struct sign *sign = NULL;
	int r, left;

	r = sign_open(cli_value(cli, "path"), &sign);
	if (r == 0)
		r = open_all(at, cli);
	if (r == 0)
		r = load_key(at, &key);
	if (r == 0)
		r = show(at, PRINT_JSON, f, sign_content(sign));
	if (r == 0)
		r = sign_finish(sign, hsm_pkey_get(key));
	hsm_pkey_free(&key);
	left = open_leave(at); /* to remove, as their maker, what failed */
	sign_close(&sign);
	if (r == 0)
		r = left;
	return r == 0 ? print_check(cli) : r;
}

static int
check_options(const struct cli *cli)
{
	bool sign = cli_has(cli, "sign");

	if (sign != cli_has(cli, "path"))
		return kms_fail(KMS_ERR_USAGE,
		    "-sign and -path go together: the file that is signed");
	if (sign && cli_has(cli, "verify"))
		return kms_fail(KMS_ERR_USAGE,
		    "-verify and -sign: one at a time");
	return 0;
}

int
cmd_audit(struct cli *cli)
{
	struct open at = {.cli = cli};
	struct kms_trail_filter filter;
	struct kms_tag tag;
	int r;

	r = check_options(cli);
	if (r == 0)
		r = parse_filter(cli, &filter, &tag);
	if (r == 0 && cli_has(cli, "sign")) {
		r = sign_trail(&at, cli, &filter);
		goto out;
	}
	if (r == 0)
		r = open_all(&at, cli);
	if (r == 0 && cli_has(cli, "verify"))
		r = verify(&at, cli);
	else if (r == 0)
		r = show(&at, print_form(cli), &filter, stdout);
out:
	open_close(&at);
	return r;
}
