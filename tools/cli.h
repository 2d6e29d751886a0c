/*
 * The command line of every program: one table of operations, one table of
 * options for each. One dash or two, names in full, the operation bare when
 * it comes first. Help is made from the tables, so that it cannot lie.
 */
#ifndef TOOLS_CLI_H
#define TOOLS_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "kms/base/err.h"
#include "tools/harden.h"

#define CLI_VERSION "0.1.0"
#define CLI_OPTIONS_MAX 16u
#define CLI_CONFIG_DEFAULT "/etc/p11kms/p11kms.conf"

struct cli_option {
	const char *name;
	const char *value; /* what help calls its value; NULL: a flag */
	const char *help;
	bool required;
	unsigned one_of; /* not 0: exactly one option of this number is given */
	bool words; /* one value or more; one such option in a table at most */
};

/* clang-format off */
#define CLI_FLAG(name, help) {name, NULL, help, false, 0, false}
#define CLI_VALUE(name, value, help) {name, value, help, false, 0, false}
#define CLI_WORDS(name, value, help) {name, value, help, false, 0, true}
#define CLI_REQUIRED(name, value, help) {name, value, help, true, 0, false}
#define CLI_ONE_OF(no, name, value, help) {name, value, help, false, no, false}
#define CLI_END {NULL, NULL, NULL, false, 0, false}
/* clang-format on */

struct cli;

struct cli_operation {
	const char *name, *help;
	const struct cli_option *options; /* ends with a NULL name */
	int (*run)(struct cli *);
	bool json;         /* lists or reports: takes -json */
	bool command;      /* takes -- CMD ARG… */
	int own_base;      /* added to the exit status of our own failures */
	const char *value; /* what help calls its own value; NULL: none */
};

struct cli_program {
	const char *name, *help;
	const struct cli_operation *operations; /* ends with a NULL name */
	/* What it does when no operation is named; NULL: that is an error. */
	const struct cli_operation *bare;
};

/* One parsed command line. Everything is borrowed from argv. */
struct cli {
	const struct cli_program *program;
	const struct cli_operation *operation;
	const char *operand; /* the operation's own value, or NULL */
	const char *config;
	bool json, config_given;
	unsigned wait_ms;
	char **command; /* NULL-terminated words behind -- */
	int status; /* set by an operation that ends with another's status */
	struct harden harden;
	const char *given[CLI_OPTIONS_MAX]; /* "" for a flag; else NULL */
	/* Of the option that takes words: all of them, up to the next option. */
	const char *const *words;
	size_t nwords;
};

/* main of every program: hardens, parses, runs, prints the one error line. */
int cli_main(const struct cli_program *, int argc, char **argv);

/*
 * The command line into *cli. KMS_ERR_USAGE names the word and what may stand
 * in its place. A help or version request leaves *text (the caller frees it)
 * and operation->run is not to be called.
 */
int cli_parse(const struct cli_program *, int argc, char **argv, struct cli *,
    char **text) KMS_MUST;

/* Help for the operation, or for the program without one; free(3) it. */
int cli_help(const struct cli *, char **text) KMS_MUST;
/* -config, -wait, -json, -help, -version. */
extern const struct cli_option cli_common[];

/* The option's value, "" for a flag, NULL when it was not given. The name is
 * one of the operation's table. */
const char *cli_value(const struct cli *, const char *name);
bool cli_has(const struct cli *, const char *name);

/* "90d", "12h", "30m", "30s" as seconds; KMS_ERR_USAGE otherwise. */
int cli_duration(const char *, uint64_t *seconds) KMS_MUST;
/* "2026-11-24T10:00:00Z", "2026-11-24", or so long ago ("12h"), as
 * microseconds since 1970; KMS_ERR_USAGE otherwise. */
int cli_time(const char *, int64_t *us) KMS_MUST;
/* A decimal number of min..max; KMS_ERR_USAGE otherwise. */
int cli_number(const char *, uint64_t min, uint64_t max, uint64_t *) KMS_MUST;

#endif
