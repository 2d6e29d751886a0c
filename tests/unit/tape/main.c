#include <stdlib.h>
#include <string.h>

#include "tests/unit/tape/suite.h"

#include "kms/base/secret.h"
#include "tests/unit/tape/conform.h"

int
main(int argc, char **argv)
{
	if (kms_secret_init(1 << 16, KMS_SECRET_OPTIONAL))
		return EXIT_FAILURE;
	if (argc == 5 && strcmp(argv[1], "conform") == 0)
		return conform_main(argv[2], argv[3], argv[4]);
	Suite *s = suite_create("tape");
	suite_add_tcase(s, page_tests());
	suite_add_tcase(s, sde_tests());
	suite_add_tcase(s, sense_tests());
	suite_add_tcase(s, wire_tests());
	suite_add_tcase(s, socket_tests());
	suite_add_tcase(s, keys_tests());
	suite_add_tcase(s, node_tests());
	suite_add_tcase(s, sg_tests());
	suite_add_tcase(s, drive_tests());
	suite_add_tcase(s, medium_tests());
	suite_add_tcase(s, load_tests());
	suite_add_tcase(s, hostile_tests());
	suite_add_tcase(s, mutant_tests());
	suite_add_tcase(s, request_tests());
	suite_add_tcase(s, bell_tests());
	suite_add_tcase(s, exchange_tests());
	suite_add_tcase(s, volumes_tests());
	suite_add_tcase(s, job_tests());
	suite_add_tcase(s, conform_tests());
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
