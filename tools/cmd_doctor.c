#include "tools/cmd_doctor.h"

#include "tools/doctor.h"

/* Each part needs the one before; what cannot be looked at is said. */
static int
examine(struct doctor *d)
{
	int r;

	doctor_host(d);
	doctor_header(d);
	r = doctor_token(d);
	if (r != 0) {
		doctor_say(d, DOCTOR_WARNING, "store",
		    "bring the token back, then run this again",
		    "not looked into: keys, groups, backups, drills and log "
		    "are read with the token only");
		return 0;
	}
	r = open_store(d->at);
	if (r != 0) {
		doctor_say_error(d, DOCTOR_PROBLEM, "store", r);
		return 0;
	}
	doctor_say(d, DOCTOR_OK, "store", NULL,
	    "every row verified, generation %llu",
	    (unsigned long long)kms_store_generation(d->at->store));
	return doctor_store(d);
}

int
cmd_doctor(struct cli *cli)
{
	struct open at = {.cli = cli};
	struct doctor d = {.at = &at};
	int r;

	r = open_config(&at, cli);
	if (r == 0)
		r = open_owner(&at);
	if (r == 0)
		r = print_new(cli->json ? PRINT_JSON : PRINT_LINES, "checks",
		    &d.print);
	if (r == 0)
		r = examine(&d);
	if (r == 0)
		r = print_end(&d.print);
	print_free(&d.print);
	open_close(&at);
	if (r != 0 || d.problems == 0)
		return r;
	return kms_fail(KMS_ERR_IO,
	    "%zu problems and %zu warnings; do what the lines say", d.problems,
	    d.warnings);
}
