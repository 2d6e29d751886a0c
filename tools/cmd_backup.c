#include "tools/cmd_backup.h"

#include "kms/backup.h"
#include "tools/open.h"
#include "tools/print.h"

static int
show(const struct cli *cli, const struct kms_backup *b,
    const struct kms_verify_report *report)
{
	struct print *p = NULL;
	int r = print_new(print_form(cli), NULL, &p);

	if (r != 0)
		return r;
	print_text(p, "path", "Backup", b->path);
	print_number(p, "generation", "Generation", b->generation);
	print_number(p, "keys", "Keys", report->keys);
	print_number(p, "unwrapped", "Unwrapped in Token", report->unwrapped);
	print_bool(p, "other_device", "On Another Device", b->other_device);
	print_time(p, "time", "Time", b->time);
	return print_end(&p);
}

int
cmd_backup(struct cli *cli)
{
	struct kms_backup_options options = {.path = cli_value(cli, "path")};
	struct open at = {.cli = cli};
	struct kms_verify_report report;
	struct kms_backup b;
	int r;

	r = open_all(&at, cli);
	if (r == 0) {
		options.keep = at.config->backup.keep;
		r = open_say_owner(&at,
		    kms_backup_make(at.store, &at.actor, &options, &b,
			&report));
	}
	if (r == 0)
		r = show(cli, &b, &report);
	open_close(&at);
	return r;
}

int
cmd_backup_attest(struct cli *cli)
{
	struct open at = {.cli = cli};
	int r;

	r = open_all(&at, cli);
	if (r == 0)
		r = kms_backup_attest_hsm(at.store, &at.actor,
		    cli_value(cli, "reason"));
	open_close(&at);
	return r;
}
