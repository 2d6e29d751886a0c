/* The test cases of this program. */
#ifndef TESTS_VTAPE_SUITE_H
#define TESTS_VTAPE_SUITE_H

#include <check.h>

TCase *record_tests(void);
TCase *cartridge_tests(void);
TCase *info_tests(void);
TCase *block_tests(void);
TCase *buffer_tests(void);
TCase *move_tests(void);
TCase *tde_tests(void);
TCase *key_tests(void);
TCase *nexus_tests(void);
TCase *process_tests(void);
TCase *program_tests(void);

#endif
