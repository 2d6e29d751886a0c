/* Everything libkms promises, in one program. */
#include <stdlib.h>

#include "kms/base/secret.h"
#include "tests/unit/kms/stores.h"

int
main(void)
{
	Suite *s = suite_create("kms");
	SRunner *sr;
	int failed;

	if (kms_secret_init(1u << 18, KMS_SECRET_PLAIN) != 0)
		return EXIT_FAILURE;
	suite_add_tcase(s, test_store());
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
