#include "tools/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kms/base/log.h"

#define WAIT_DEFAULT_MS 10000u
#define WAIT_MAX_S 86400u

/* One word taken apart: "--kgname=X" is name "kgname", value "X". */
struct word {
	const char *text, *name, *value;
	size_t name_len;
};

static bool
is_dashed(const char *s)
{
	return s[0] == '-' && s[1] != '\0';
}

static void
split(const char *text, struct word *w)
{
	w->text = text;
	w->name = text + (text[1] == '-' ? 2 : 1);
	w->name_len = strcspn(w->name, "=");
	w->value = w->name[w->name_len] == '=' ? w->name + w->name_len + 1
					       : NULL;
}

static bool
is_named(const struct word *w, const char *name)
{
	return strlen(name) == w->name_len &&
	    strncmp(name, w->name, w->name_len) == 0;
}

/* Dashes that word processors and web pages put where a '-' was typed. */
static int
check_dash(const char *s)
{
	static const struct {
		const char *bytes, *name;
	} dash[] = {
	    {"\xe2\x80\x90", "U+2010"},
	    {"\xe2\x80\x91", "U+2011"},
	    {"\xe2\x80\x92", "U+2012"},
	    {"\xe2\x80\x93", "U+2013"},
	    {"\xe2\x80\x94", "U+2014"},
	    {"\xe2\x80\x95", "U+2015"},
	    {"\xe2\x88\x92", "U+2212"},
	    {"\xef\xb9\xa3", "U+FE63"},
	    {"\xef\xbc\x8d", "U+FF0D"},
	    {"\xc2\xad", "U+00AD"},
	    {"\x96", "byte 96h"},
	    {"\x97", "byte 97h"},
	};
	size_t i;

	for (i = 0; i < sizeof(dash) / sizeof(dash[0]); i++)
		if (strncmp(s, dash[i].bytes, strlen(dash[i].bytes)) == 0)
			return kms_fail(KMS_ERR_USAGE,
			    "'%s' begins with a typographic dash (%s), pasted "
			    "from a text; type a plain '-'",
			    s, dash[i].name);
	return 0;
}

static const struct cli_option *
find_option(const struct cli_option *o, const struct word *w)
{
	for (; o != NULL && o->name != NULL; o++)
		if (is_named(w, o->name))
			return o;
	return NULL;
}

static const struct cli_operation *
find_operation(const struct cli_program *p, const struct word *w)
{
	const struct cli_operation *o;

	for (o = p->operations; o->name != NULL; o++)
		if (is_named(w, o->name))
			return o;
	return NULL;
}

static bool
is_prefix(const struct word *w, const char *name)
{
	return w->name_len > 0 && w->name_len < strlen(name) &&
	    strncmp(name, w->name, w->name_len) == 0;
}

/* The operation or option that a shortened word seems to mean, or NULL. */
static const char *
guess(const struct cli *cli, const struct word *w)
{
	const struct cli_option *opt;
	const struct cli_operation *op;

	if (cli->operation != NULL)
		for (opt = cli->operation->options; opt && opt->name; opt++)
			if (is_prefix(w, opt->name))
				return opt->name;
	for (op = cli->program->operations; op->name != NULL; op++)
		if (is_prefix(w, op->name))
			return op->name;
	for (opt = cli_common; opt->name != NULL; opt++)
		if (is_prefix(w, opt->name))
			return opt->name;
	return NULL;
}

static int
fail_unknown(const struct cli *cli, const struct word *w)
{
	const struct cli_operation *op = cli->operation;
	const char *meant = guess(cli, w);
	const struct cli_option *o;
	char list[300];
	size_t at = 0;

	if (meant != NULL)
		return kms_fail(KMS_ERR_USAGE,
		    "unknown option '%s'; names are taken in full: -%s",
		    w->text, meant);
	if (op == NULL)
		return kms_fail(KMS_ERR_USAGE,
		    "unknown operation '%s'; %s -help lists them", w->text,
		    cli->program->name);
	list[0] = '\0';
	for (o = op->options; o && o->name && at < sizeof(list); o++)
		at += (size_t)snprintf(list + at, sizeof(list) - at, " -%s",
		    o->name);
	return kms_fail(KMS_ERR_USAGE,
	    "unknown option '%s'; -%s takes%s -config -wait%s -help", w->text,
	    op->name, list, op->json ? " -json" : "");
}

/* Its own value follows the operation, or a '='. */
static int
take_operand(struct cli *cli, const struct cli_operation *op,
    const struct word *w, const char *next)
{
	if (op->value == NULL && w->value != NULL)
		return kms_fail(KMS_ERR_USAGE, "operation -%s takes no value",
		    op->name);
	if (op->value == NULL)
		return 0;
	if (w->value != NULL)
		cli->operand = w->value;
	else if (next != NULL && !is_dashed(next))
		cli->operand = next;
	return 0;
}

/*
 * The operation may stand anywhere with a dash, or bare as the first word.
 * Sets cli->operation, or leaves it NULL when there is none.
 */
static int
parse_operation(struct cli *cli, int argc, char **argv)
{
	const struct cli_operation *op;
	struct word w;
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		int r = check_dash(argv[i]);

		if (r != 0)
			return r;
		w = (struct word){argv[i], argv[i], NULL, strlen(argv[i])};
		if (is_dashed(argv[i]))
			split(argv[i], &w);
		else if (i != 1)
			continue;
		op = find_operation(cli->program, &w);
		if (op == NULL && !is_dashed(argv[i]))
			return fail_unknown(cli, &w);
		if (op == NULL)
			continue;
		if (cli->operation != NULL)
			return kms_fail(KMS_ERR_USAGE,
			    "two operations in one call: -%s and -%s",
			    cli->operation->name, op->name);
		r = take_operand(cli, op, &w, argv[i + 1]);
		if (r != 0)
			return r;
		cli->operation = op;
	}
	return 0;
}

static int
take_value(const struct cli_option *o, const struct word *w, int *at, int argc,
    char **argv, const char **value)
{
	const char *next = *at + 1 < argc ? argv[*at + 1] : NULL;

	*value = "";
	if (o->value == NULL) {
		if (w->value != NULL)
			return kms_fail(KMS_ERR_USAGE,
			    "option -%s takes no value", o->name);
		return 0;
	}
	if (w->value != NULL) {
		*value = w->value;
		return 0;
	}
	if (next == NULL || is_dashed(next))
		return kms_fail(KMS_ERR_USAGE,
		    "option -%s needs its %s; one that begins with a dash is "
		    "written -%s=%s",
		    o->name, o->value, o->name, o->value);
	(*at)++;
	*value = next;
	return 0;
}

static int
set_common(struct cli *cli, const struct cli_option *o, const char *value)
{
	uint64_t s;
	int r;

	if (strcmp(o->name, "config") == 0) {
		cli->config = value;
		cli->config_given = true;
	} else if (strcmp(o->name, "json") == 0) {
		cli->json = true;
	} else if (strcmp(o->name, "wait") == 0) {
		r = cli_duration(value, &s);
		if (r != 0)
			return kms_fail_add(r, "-wait");
		if (s > WAIT_MAX_S)
			return kms_fail(KMS_ERR_USAGE,
			    "-wait: at most one day");
		cli->wait_ms = (unsigned)s * 1000;
	}
	return 0;
}

/* The words behind the first, up to the next option. A value behind a '='
 * stands alone. */
static void
take_words(struct cli *cli, const char *const *value, int *at, int argc,
    char **argv)
{
	cli->words = value;
	cli->nwords = 1;
	if (*value != argv[*at])
		return;
	cli->words = (const char *const *)(argv + *at);
	while (*at + 1 < argc && !is_dashed(argv[*at + 1])) {
		++*at;
		cli->nwords++;
	}
}

/* One dashed word and its value; moves *at over a value taken. */
static int
parse_option(struct cli *cli, int *at, int argc, char **argv)
{
	const struct cli_option *table = cli->operation != NULL
	    ? cli->operation->options
	    : NULL;
	const struct cli_option *o;
	const char *value;
	struct word w;
	size_t i;
	int r;

	split(argv[*at], &w);
	if (find_operation(cli->program, &w) != NULL) {
		/* parse_operation took it, and its value */
		*at += cli->operand == argv[*at + 1] && cli->operand != NULL;
		return 0;
	}
	o = find_option(table, &w);
	if (o == NULL)
		o = find_option(cli_common, &w);
	if (o == NULL ||
	    (strcmp(o->name, "json") == 0 && cli->operation &&
		!cli->operation->json))
		return fail_unknown(cli, &w);
	r = take_value(o, &w, at, argc, argv, &value);
	if (r != 0)
		return r;
	if (find_option(table, &w) == NULL)
		return set_common(cli, o, value);
	i = (size_t)(o - table);
	if (cli->given[i] != NULL)
		return kms_fail(KMS_ERR_USAGE, "option -%s is given twice",
		    o->name);
	cli->given[i] = value;
	if (o->words)
		take_words(cli, &cli->given[i], at, argc, argv);
	return 0;
}

static int
parse_words(struct cli *cli, int argc, char **argv)
{
	int i, r;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			if (cli->operation == NULL || !cli->operation->command)
				return kms_fail(KMS_ERR_USAGE,
				    "'--' goes with a command to run only");
			cli->command = argv + i + 1;
			return 0;
		}
		if (is_dashed(argv[i])) {
			r = parse_option(cli, &i, argc, argv);
			if (r != 0)
				return r;
		} else if (i != 1 && argv[i] != cli->operand) {
			return kms_fail(KMS_ERR_USAGE,
			    "unexpected word '%s'; a value with blanks is "
			    "quoted",
			    argv[i]);
		}
	}
	return 0;
}

/* The options that share a one_of number, as "-a, -b or -c" would be read. */
static void
list_one_of(const struct cli_operation *op, unsigned no, char *out, size_t cap)
{
	const struct cli_option *o;
	size_t at = 0;

	out[0] = '\0';
	for (o = op->options; o->name != NULL; o++)
		if (o->one_of == no && at < cap)
			at += (size_t)snprintf(out + at, cap - at, "%s-%s",
			    at > 0 ? ", " : "", o->name);
}

static int
check_complete(const struct cli *cli)
{
	const struct cli_operation *op = cli->operation;
	unsigned given[CLI_OPTIONS_MAX] = {0};
	char list[200];
	size_t i;

	if (op->value != NULL && cli->operand == NULL)
		return kms_fail(KMS_ERR_USAGE, "operation -%s needs its %s",
		    op->name, op->value);
	for (i = 0; op->options && op->options[i].name; i++) {
		if (op->options[i].required && cli->given[i] == NULL)
			return kms_fail(KMS_ERR_USAGE, "-%s needs -%s %s",
			    op->name, op->options[i].name,
			    op->options[i].value);
		if (cli->given[i] != NULL)
			given[op->options[i].one_of]++;
	}
	for (i = 0; op->options && op->options[i].name; i++) {
		unsigned no = op->options[i].one_of;

		if (no == 0 || given[no] == 1)
			continue;
		list_one_of(op, no, list, sizeof(list));
		return kms_fail(KMS_ERR_USAGE, "-%s needs one of %s", op->name,
		    list);
	}
	if (op->command && (cli->command == NULL || cli->command[0] == NULL))
		return kms_fail(KMS_ERR_USAGE, "-%s needs -- CMD ARG…",
		    op->name);
	return 0;
}

/* -help and -version are answered whatever else the line says. */
static bool
asks(int argc, char **argv, const char *what)
{
	struct word w;
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (!is_dashed(argv[i]))
			continue;
		split(argv[i], &w);
		if (is_named(&w, what) && w.value == NULL)
			return true;
	}
	return false;
}

int
cli_parse(const struct cli_program *program, int argc, char **argv,
    struct cli *cli, char **text)
{
	const char *env = getenv("P11KMS_CONFIG");
	int r;

	*text = NULL;
	cli->program = program;
	cli->operation = NULL;
	cli->config = env != NULL && env[0] != '\0' ? env : CLI_CONFIG_DEFAULT;
	cli->config_given = env != NULL && env[0] != '\0';
	cli->wait_ms = WAIT_DEFAULT_MS;
	r = parse_operation(cli, argc, argv);
	if (r != 0)
		return r;
	if (asks(argc, argv, "help"))
		return cli_help(cli, text);
	if (asks(argc, argv, "version"))
		return asprintf(text, "%s %s\n", program->name, CLI_VERSION) < 0
		    ? kms_fail(KMS_ERR_MEMORY, "version: out of memory")
		    : 0;
	r = parse_words(cli, argc, argv);
	if (r != 0)
		return r;
	if (cli->operation == NULL)
		cli->operation = program->bare;
	if (cli->operation == NULL)
		return kms_fail(KMS_ERR_USAGE,
		    "no operation; %s -help lists them", program->name);
	return check_complete(cli);
}

const char *
cli_value(const struct cli *cli, const char *name)
{
	const struct cli_option *o = cli->operation->options;
	size_t i;

	for (i = 0; o && o[i].name; i++)
		if (strcmp(o[i].name, name) == 0)
			return cli->given[i];
	return NULL;
}

bool
cli_has(const struct cli *cli, const char *name)
{
	return cli_value(cli, name) != NULL;
}

/* A listing that did not reach its reader is a failure, even if all else
 * was done. */
static int
flush_output(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	return kms_fail(KMS_ERR_IO,
	    "standard output: %s; the operation itself was done",
	    strerror(errno));
}

int
cli_main(const struct cli_program *program, int argc, char **argv)
{
	struct cli cli = {.status = 0};
	char *text;
	int r;

	harden_start(&cli.harden);
	kms_log_open(program->name, true, true, KMS_LOG_WARN);
	r = cli_parse(program, argc, argv, &cli, &text);
	if (r == 0 && text != NULL)
		fputs(text, stdout);
	else if (r == 0 && cli.operation != NULL)
		r = cli.operation->run(&cli);
	if (r == 0)
		r = flush_output();
	free(text);
	if (r != 0)
		fprintf(stderr, "%s: %s\n", program->name, kms_err_cause(r));
	if (r == 0 || cli.status != 0)
		return cli.status;
	return (cli.operation != NULL ? cli.operation->own_base : 0) +
	    kms_err_status(r);
}
