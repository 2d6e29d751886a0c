#ifndef TESTS_UNIT_TOOLS_H
#define TESTS_UNIT_TOOLS_H

#include <check.h>

TCase *cli_case(void);
TCase *config_case(void);
TCase *prompt_case(void);
TCase *print_case(void);
TCase *run_env_case(void);
TCase *kit_case(void);
TCase *keyfile_case(void);

#endif
