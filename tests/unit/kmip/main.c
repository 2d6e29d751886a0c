/* Everything libkmip promises, in one program. */
#include "tests/unit/kmip/kmip_tests.h"

#include <stdlib.h>

#include "kms/base/log.h"
#include "kms/base/secret.h"

int
main(void)
{
	Suite *s = suite_create("kmip");
	SRunner *sr;
	int failed;

	kms_log_open("test-kmip", false, false, KMS_LOG_ERROR);
	if (kms_secret_init(1u << 20, KMS_SECRET_OPTIONAL) != 0)
		return EXIT_FAILURE;
	suite_add_tcase(s, test_def());
	suite_add_tcase(s, test_reason());
	suite_add_tcase(s, test_ttlv());
	suite_add_tcase(s, test_msg());
	suite_add_tcase(s, test_stored());
	suite_add_tcase(s, test_object());
	suite_add_tcase(s, test_wrap());
	suite_add_tcase(s, test_crypt());
	suite_add_tcase(s, test_state());
	suite_add_tcase(s, test_batch());
	suite_add_tcase(s, test_attr());
	suite_add_tcase(s, test_find());
	suite_add_tcase(s, test_profile());
	suite_add_tcase(s, test_field());
	suite_add_tcase(s, test_authz());
	suite_add_tcase(s, test_server());
	suite_add_tcase(s, test_conn());
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
