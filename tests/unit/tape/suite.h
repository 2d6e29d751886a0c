#ifndef TESTS_UNIT_TAPE_SUITE_H
#define TESTS_UNIT_TAPE_SUITE_H

#include <check.h>

TCase *page_tests(void);
TCase *sde_tests(void);
TCase *sense_tests(void);
TCase *wire_tests(void);
TCase *socket_tests(void);
TCase *keys_tests(void);
TCase *node_tests(void);
TCase *sg_tests(void);
TCase *drive_tests(void);
TCase *medium_tests(void);
TCase *load_tests(void);
TCase *hostile_tests(void);
TCase *mutant_tests(void);
TCase *request_tests(void);
TCase *bell_tests(void);
TCase *exchange_tests(void);
TCase *volumes_tests(void);
TCase *job_tests(void);
TCase *conform_tests(void);

#endif
