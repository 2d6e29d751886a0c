#include <stdlib.h>

#include "kms/base/log.h"
#include "kms/base/secret.h"
#include "tests/unit/vtape/child.h"
#include "tests/unit/vtape/suite.h"

int
main(int argc, char **argv)
{
	if (argc == 2)
		return child_main(argv[1]);
	kms_log_open("test-vtape", true, false, KMS_LOG_ERROR);
	if (kms_secret_init(1 << 16, KMS_SECRET_PLAIN))
		return EXIT_FAILURE;
	Suite *s = suite_create("vtape");
	suite_add_tcase(s, record_tests());
	suite_add_tcase(s, cartridge_tests());
	suite_add_tcase(s, info_tests());
	suite_add_tcase(s, block_tests());
	suite_add_tcase(s, buffer_tests());
	suite_add_tcase(s, move_tests());
	suite_add_tcase(s, tde_tests());
	suite_add_tcase(s, key_tests());
	suite_add_tcase(s, nexus_tests());
	suite_add_tcase(s, process_tests());
	suite_add_tcase(s, program_tests());
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
