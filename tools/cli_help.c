#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/cli.h"

/* clang-format off */
const struct cli_option cli_common[] = {
	CLI_VALUE("config", "FILE", "instead of $P11KMS_CONFIG, else "
	    CLI_CONFIG_DEFAULT),
	CLI_VALUE("wait", "TIME", "how long a busy store is waited for (10s)"),
	CLI_FLAG("json", "answer as JSON"),
	CLI_FLAG("help", "this text"),
	CLI_FLAG("version", "the version"),
	CLI_END
};
/* clang-format on */

static void
print_usage(FILE *f, const struct cli_program *p,
    const struct cli_operation *op)
{
	const struct cli_option *o;
	unsigned no = 0;

	fprintf(f, "usage: %s -%s%s%s", p->name, op->name, op->value ? " " : "",
	    op->value ? op->value : "");
	for (o = op->options; o && o->name; o++) {
		const char *open = o->required ? " " : " [";
		const char *close = o->required ? "" : "]";

		if (o->one_of != 0) {
			open = o->one_of == no ? " | " : " (";
			close = o[1].name && o[1].one_of == o->one_of ? ""
								      : ")";
			no = o->one_of;
		}
		fprintf(f, "%s-%s%s%s%s", open, o->name, o->value ? " " : "",
		    o->value ? o->value : "", close);
	}
	fprintf(f, "%s%s\n  %s\n", op->json ? " [-json]" : "",
	    op->command ? " -- CMD ARG…" : "", op->help);
}

static void
print_options(FILE *f, const struct cli_option *o, bool json)
{
	for (; o && o->name; o++)
		if (json || strcmp(o->name, "json") != 0)
			fprintf(f, "  -%-18s %s\n", o->name, o->help);
}

int
cli_help(const struct cli *cli, char **text)
{
	const struct cli_program *p = cli->program;
	const struct cli_operation *op = cli->operation;
	size_t len;
	FILE *f = open_memstream(text, &len);

	if (f == NULL)
		return kms_fail(KMS_ERR_MEMORY, "help: %s", strerror(errno));
	if (op != NULL) {
		print_usage(f, p, op);
		print_options(f, op->options, true);
		print_options(f, cli_common, op->json);
	} else {
		fprintf(f, "%s: %s\n\n", p->name, p->help);
		if (p->bare != NULL)
			fprintf(f, "  %-19s %s\n", p->bare->name,
			    p->bare->help);
		for (op = p->operations; op->name != NULL; op++)
			fprintf(f, "  -%-18s %s\n", op->name, op->help);
		fprintf(f,
		    "\n%s -OPERATION -help shows its options. One dash "
		    "or two; names in full.\nExit status: 0 done, 1 failed, "
		    "2 usage, 3 not found, 4 wrong passphrase or PIN, 5 token\n"
		    "unavailable, 6 store damaged or rolled back, 7 drive "
		    "refused or not proven, 8 refused\nby a gate or state, "
		    "9 busy.\n",
		    p->name);
	}
	if (fclose(f) != 0)
		return kms_fail(KMS_ERR_MEMORY, "help: %s", strerror(errno));
	return 0;
}
