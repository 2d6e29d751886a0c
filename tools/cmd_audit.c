#include "tools/cmd_audit.h"

#include <stdio.h>
#include <string.h>

#include "kms/trail.h"
#include "tools/open.h"
#include "tools/print.h"

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

static int
show(struct open *at, const struct cli *cli, const struct kms_trail_filter *f,
    FILE *out)
{
	struct kms_trail_report report;
	struct print *p = NULL;
	int r;

	r = print_new(print_form(cli), NULL, &p);
	if (r != 0)
		return r;
	print_stream(p, "audit", out);
	r = kms_trail_walk(at->store, &at->actor, f, print_entry, p, &report);
	if (r == 0)
		r = print_end(&p);
	print_free(&p);
	return r;
}

int
cmd_audit(struct cli *cli)
{
	struct open at = {.cli = cli};
	struct kms_trail_filter filter;
	struct kms_tag tag;
	int r;

	r = parse_filter(cli, &filter, &tag);
	if (r == 0)
		r = open_all(&at, cli);
	if (r == 0 && cli_has(cli, "verify"))
		r = verify(&at, cli);
	else if (r == 0)
		r = show(&at, cli, &filter, stdout);
	open_close(&at);
	return r;
}
