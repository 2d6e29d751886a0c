/* Everything libkms promises, in one program. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/kms/stores.h"
#include "tests/unit/kms/tests.h"

/* PLAIN so that ASan sees overruns; LOCKED when P11KMS_TEST_SECRET=locked. */
static int
secrets_on(void)
{
	const char *mode = getenv("P11KMS_TEST_SECRET");
	bool locked = mode != NULL && strcmp(mode, "locked") == 0;

	return kms_secret_init(1u << 18,
	    locked ? KMS_SECRET_LOCKED : KMS_SECRET_PLAIN);
}

int
main(void)
{
	Suite *s = suite_create("kms");
	SRunner *sr;
	int failed;

	if (secrets_on() != 0)
		return EXIT_FAILURE;
	suite_add_tcase(s, test_store());
	suite_add_tcase(s, test_tamper());
	suite_add_tcase(s, test_age());
	suite_add_tcase(s, test_setup());
	suite_add_tcase(s, test_tx());
	suite_add_tcase(s, test_group());
	suite_add_tcase(s, test_key());
	suite_add_tcase(s, test_gate());
	suite_add_tcase(s, test_release());
	suite_add_tcase(s, test_crypt());
	suite_add_tcase(s, test_verify());
	suite_add_tcase(s, test_backup());
	suite_add_tcase(s, test_bind());
	suite_add_tcase(s, test_rewrap());
	suite_add_tcase(s, test_rewrap_killed());
	suite_add_tcase(s, test_container());
	suite_add_tcase(s, test_transfer());
	suite_add_tcase(s, test_drill());
	suite_add_tcase(s, test_rotate());
	sr = srunner_create(s);
#define X(name) srunner_add_suite(sr, name##_suite());
	SUITES(X)
#undef X
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
