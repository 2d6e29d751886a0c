#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/tools/tests.h"
#include "tools/cli.h"

static int
nothing(struct cli *cli)
{
	(void)cli;
	return 0;
}

/* clang-format off */
static const struct cli_option create_options[] = {
	CLI_REQUIRED("kgname", "N", "the group"),
	CLI_VALUE("desc", "T", "a description"),
	CLI_FLAG("force", "even so"),
	CLI_WORDS("pools", "A", "one or more"),
	CLI_END
};
static const struct cli_option load_options[] = {
	CLI_REQUIRED("drive", "D", "the drive"),
	CLI_ONE_OF(1, "kgname", "POOL", "to write"),
	CLI_ONE_OF(1, "read", NULL, "to read"),
	CLI_END
};
static const struct cli_operation operations[] = {
	{.name = "create", .run = nothing, .options = create_options,
	 .help = "makes one", .json = true},
	{.name = "delete", .run = nothing, .options = create_options,
	 .help = "deletes one"},
	{.name = "run", .run = nothing, .options = load_options,
	 .help = "runs CMD", .command = true, .own_base = 100},
	{.name = "listen", .run = nothing, .value = "SOCKET",
	 .help = "waits there"},
	{.name = NULL}
};
static const struct cli_program program = {
	.name = "prog", .help = "a program", .operations = operations
};
/* clang-format on */

static char *line[12];
static struct cli cli;

/* Parses "prog" and the words, blanks between them. */
static int
parse(const char *words)
{
	static char copy[500];
	char *save = NULL, *text = NULL;
	int argc = 0, r;

	snprintf(copy, sizeof(copy), "%s", words);
	line[argc++] = (char[]){"prog"};
	for (char *w = strtok_r(copy, " ", &save); w != NULL && argc < 11;
	     w = strtok_r(NULL, " ", &save))
		line[argc++] = w;
	line[argc] = NULL;
	memset(&cli, 0, sizeof(cli));
	r = cli_parse(&program, argc, line, &cli, &text);
	ck_assert_ptr_null(text);
	return r;
}

static void
assert_refused(const char *words, const char *says)
{
	int r = parse(words);

	ck_assert_msg(r == KMS_ERR_USAGE, "'%s' gave %s", words,
	    kms_err_name(r));
	ck_assert_msg(strstr(kms_err_cause(r), says) != NULL,
	    "'%s': \"%s\" does not say \"%s\"", words, kms_err_cause(r), says);
}

static char *
text_of(const char *word1, const char *word2)
{
	char *argv[] = {(char[]){"prog"}, strdup(word1),
	    word2 != NULL ? strdup(word2) : NULL, NULL};
	char *text = NULL;

	memset(&cli, 0, sizeof(cli));
	ck_assert_int_eq(cli_parse(&program, word2 != NULL ? 3 : 2, argv, &cli,
			     &text),
	    0);
	ck_assert_ptr_nonnull(text);
	free(argv[1]);
	free(argv[2]);
	return text;
}

START_TEST(one_dash_two_dashes_and_bare_are_the_same)
{
	static const char *const same[] = {
	    "-create -kgname X -desc Y",
	    "--create --kgname X --desc Y",
	    "create -kgname X --desc Y",
	    "-kgname X -create -desc Y",
	    "create -kgname=X --desc=Y",
	};

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		ck_assert_int_eq(parse(same[i]), 0);
		ck_assert_str_eq(cli.operation->name, "create");
		ck_assert_str_eq(cli_value(&cli, "kgname"), "X");
		ck_assert_str_eq(cli_value(&cli, "desc"), "Y");
		ck_assert(!cli_has(&cli, "force"));
	}
}
END_TEST

START_TEST(an_abbreviation_is_refused_with_the_full_name)
{
	assert_refused("-delet -kgname X", "-delete");
	assert_refused("delet -kgname X", "-delete");
	assert_refused("-delete -kgname X -fo", "-force");
	assert_refused("-delete -kg X", "-kgname");
	assert_refused("-create -kgname X -js", "-json");
}
END_TEST

START_TEST(an_unknown_option_is_refused_with_those_there_are)
{
	assert_refused("-create -kgname X -tag T", "-kgname -desc -force");
	assert_refused("-frobnicate", "-help");
	assert_refused("frobnicate", "-help");
	assert_refused("-delete -kgname X -json", "-kgname -desc -force");
}
END_TEST

START_TEST(two_operations_in_one_call_are_refused)
{
	assert_refused("-create -kgname X -delete", "two operations");
	assert_refused("create -delete", "two operations");
	assert_refused("-create -create", "two operations");
	assert_refused("-create -kgname -delete", "two operations");
}
END_TEST

START_TEST(a_typographic_dash_is_named)
{
	assert_refused("\xe2\x80\x93"
		       "create -kgname X",
	    "U+2013");
	assert_refused("-create \xe2\x80\x94kgname X", "U+2014");
	assert_refused("-create -kgname \xe2\x88\x92json", "U+2212");
	assert_refused("\x96"
		       "create",
	    "96h");
	ck_assert_int_eq(parse("-create -kgname=\xe2\x80\x93x"), 0);
}
END_TEST

START_TEST(what_is_missing_is_named)
{
	assert_refused("", "no operation");
	assert_refused("-create", "-kgname N");
	assert_refused("-create -kgname", "-kgname");
	assert_refused("-create -kgname -desc", "-kgname=");
	assert_refused("-run -drive d -- true", "-kgname, -read");
	assert_refused("-run -drive d -read -kgname P -- true",
	    "-kgname, -read");
	assert_refused("-run -drive d -read", "CMD");
	assert_refused("-run -drive d -read --", "CMD");
	assert_refused("-listen", "SOCKET");
}
END_TEST

START_TEST(what_is_too_much_is_named)
{
	assert_refused("-create -kgname X Y", "'Y'");
	assert_refused("-create -kgname X -kgname Y", "twice");
	assert_refused("-create -kgname X -force=yes", "takes no value");
	assert_refused("-create=1 -kgname X", "takes no value");
	assert_refused("-create -kgname X -- true", "'--'");
}
END_TEST

START_TEST(everything_behind_two_dashes_is_the_command)
{
	ck_assert_int_eq(parse("run -drive d -read -- tar -create --help"), 0);
	ck_assert_str_eq(cli.operation->name, "run");
	ck_assert_str_eq(cli.command[0], "tar");
	ck_assert_str_eq(cli.command[1], "-create");
	ck_assert_str_eq(cli.command[2], "--help");
	ck_assert_ptr_null(cli.command[3]);
}
END_TEST

START_TEST(an_operation_may_have_its_own_value)
{
	ck_assert_int_eq(parse("-listen sock"), 0);
	ck_assert_str_eq(cli.operand, "sock");
	ck_assert_int_eq(parse("listen sock"), 0);
	ck_assert_str_eq(cli.operand, "sock");
	ck_assert_int_eq(parse("-listen=sock"), 0);
	ck_assert_str_eq(cli.operand, "sock");
}
END_TEST

START_TEST(the_configuration_is_option_then_environment_then_default)
{
	unsetenv("P11KMS_CONFIG");
	ck_assert_int_eq(parse("-create -kgname X"), 0);
	ck_assert_str_eq(cli.config, "/etc/p11kms/p11kms.conf");
	ck_assert(!cli.config_given);
	setenv("P11KMS_CONFIG", "/env", 1);
	ck_assert_int_eq(parse("-create -kgname X"), 0);
	ck_assert_str_eq(cli.config, "/env");
	ck_assert_int_eq(parse("-create -kgname X -config /opt"), 0);
	ck_assert_str_eq(cli.config, "/opt");
	ck_assert(cli.config_given);
}
END_TEST

START_TEST(wait_is_a_duration_and_ten_seconds_without)
{
	ck_assert_int_eq(parse("-create -kgname X"), 0);
	ck_assert_uint_eq(cli.wait_ms, 10000);
	ck_assert_int_eq(parse("-create -kgname X -wait 30s"), 0);
	ck_assert_uint_eq(cli.wait_ms, 30000);
	ck_assert_int_eq(parse("-create -kgname X -wait 0s"), 0);
	ck_assert_uint_eq(cli.wait_ms, 0);
	assert_refused("-create -kgname X -wait 30", "30s");
	assert_refused("-create -kgname X -wait 2d", "one day");
}
END_TEST

START_TEST(durations_have_one_number_and_one_unit)
{
	static const char *const bad[] = {"", "s", "90", "1.5h", "-1s", "1w",
	    " 1s", "1s ", "1h30m", "0x1s", "99999999999d", "+1s"};
	uint64_t s;

	ck_assert_int_eq(cli_duration("90d", &s), 0);
	ck_assert_uint_eq(s, 90 * 86400);
	ck_assert_int_eq(cli_duration("12h", &s), 0);
	ck_assert_uint_eq(s, 12 * 3600);
	ck_assert_int_eq(cli_duration("30m", &s), 0);
	ck_assert_uint_eq(s, 1800);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(cli_duration(bad[i], &s) == KMS_ERR_USAGE,
		    "'%s' was taken", bad[i]);
}
END_TEST

START_TEST(numbers_keep_their_bounds)
{
	uint64_t n;

	ck_assert_int_eq(cli_number("17", 17, 26, &n), 0);
	ck_assert_uint_eq(n, 17);
	ck_assert_int_eq(cli_number("16", 17, 26, &n), KMS_ERR_USAGE);
	ck_assert_int_eq(cli_number("27", 17, 26, &n), KMS_ERR_USAGE);
	ck_assert_int_eq(cli_number("18446744073709551616", 0, UINT64_MAX, &n),
	    KMS_ERR_USAGE);
	ck_assert_int_eq(cli_number("", 0, 9, &n), KMS_ERR_USAGE);
}
END_TEST

START_TEST(help_lists_operations_and_their_options)
{
	char *all = text_of("-help", NULL), *one = text_of("create", "--help");

	for (const struct cli_operation *o = operations; o->name; o++)
		ck_assert_ptr_nonnull(strstr(all, o->name));
	ck_assert_ptr_nonnull(strstr(one, "-kgname"));
	ck_assert_ptr_nonnull(strstr(one, "-json"));
	ck_assert_ptr_null(strstr(one, "-read"));
	free(all);
	free(one);
}
END_TEST

START_TEST(the_version_names_the_program)
{
	char *text = text_of("-version", NULL);

	ck_assert_str_eq(text, "prog " CLI_VERSION "\n");
	free(text);
}
END_TEST

START_TEST(an_option_of_words_takes_all_up_to_the_next_option)
{
	ck_assert_int_eq(parse("create -pools A B C -kgname X"), 0);
	ck_assert_uint_eq(cli.nwords, 3);
	ck_assert_str_eq(cli.words[0], "A");
	ck_assert_str_eq(cli.words[2], "C");
	ck_assert_str_eq(cli_value(&cli, "kgname"), "X");
	ck_assert_int_eq(parse("create -kgname X -pools=-A"), 0);
	ck_assert_uint_eq(cli.nwords, 1);
	ck_assert_str_eq(cli.words[0], "-A");
	ck_assert_int_eq(parse("create -kgname X"), 0);
	ck_assert_uint_eq(cli.nwords, 0);
	assert_refused("create -kgname X -pools", "needs its A");
	assert_refused("create -kgname X -pools=A B", "unexpected word 'B'");
}
END_TEST

TCase *
cli_case(void)
{
	TCase *t = tcase_create("cli");

	tcase_add_test(t, one_dash_two_dashes_and_bare_are_the_same);
	tcase_add_test(t, an_abbreviation_is_refused_with_the_full_name);
	tcase_add_test(t, an_unknown_option_is_refused_with_those_there_are);
	tcase_add_test(t, two_operations_in_one_call_are_refused);
	tcase_add_test(t, a_typographic_dash_is_named);
	tcase_add_test(t, what_is_missing_is_named);
	tcase_add_test(t, what_is_too_much_is_named);
	tcase_add_test(t, an_option_of_words_takes_all_up_to_the_next_option);
	tcase_add_test(t, everything_behind_two_dashes_is_the_command);
	tcase_add_test(t, an_operation_may_have_its_own_value);
	tcase_add_test(t,
	    the_configuration_is_option_then_environment_then_default);
	tcase_add_test(t, wait_is_a_duration_and_ten_seconds_without);
	tcase_add_test(t, durations_have_one_number_and_one_unit);
	tcase_add_test(t, numbers_keep_their_bounds);
	tcase_add_test(t, help_lists_operations_and_their_options);
	tcase_add_test(t, the_version_names_the_program);
	return t;
}
