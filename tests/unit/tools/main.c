#include <stdlib.h>

#include "tests/unit/tools/tests.h"

int
main(void)
{
	Suite *s = suite_create("tools");
	SRunner *run;
	int failed;

	suite_add_tcase(s, cli_case());
	suite_add_tcase(s, config_case());
	suite_add_tcase(s, prompt_case());
	suite_add_tcase(s, print_case());
	suite_add_tcase(s, run_env_case());
	suite_add_tcase(s, kit_case());
	suite_add_tcase(s, keyfile_case());
	run = srunner_create(s);
	srunner_run_all(run, CK_ENV);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
