#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/fixture.h"
#include "tests/unit/tools/tests.h"
#include "tools/run_env.h"

static struct fx *fx;
static struct run_env env;
static const struct tape_node real = {.sg = "/dev/sg3", .nst = "/dev/nst0"};
static const struct tape_node none;

static void
setup(void)
{
	fx = fx_new();
	unsetenv("VTAPE");
	setenv("LD_PRELOAD", "/mine.so", 1);
}

static void
teardown(void)
{
	run_env_free(&env);
	fx_free(&fx);
}

START_TEST(a_real_drive_gives_its_own_node)
{
	ck_assert_int_eq(run_env_make(&env, "/dev/sg3", &real), 0);
	ck_assert_str_eq(env.set[0], "TAPE=/dev/nst0");
	ck_assert_ptr_null(env.set[1]);
}
END_TEST

START_TEST(a_virtual_drive_gives_a_node_and_its_socket_from_the_root)
{
	char name[600], want[600];

	fx_write_text(fx_path(fx, "sock"), "");
	snprintf(name, sizeof(name), "vtape:%s", fx_path(fx, "./sock"));
	snprintf(want, sizeof(want), "VTAPE=/dev/nst9=%s", fx_path(fx, "sock"));
	ck_assert_int_eq(run_env_make(&env, name, &none), 0);
	ck_assert_str_eq(env.set[0], "TAPE=/dev/nst9");
	ck_assert_str_eq(env.set[1], want);
	ck_assert_ptr_null(env.set[2]); /* LD_PRELOAD is set already */
}
END_TEST

START_TEST(what_the_caller_set_stays)
{
	setenv("VTAPE", "/dev/nst4=/some/sock", 1);
	ck_assert_int_eq(run_env_make(&env, "vtape:x", &none), 0);
	ck_assert_str_eq(env.set[0], "TAPE=/dev/nst4");
	ck_assert_ptr_null(env.set[1]);
}
END_TEST

START_TEST(the_preload_library_lies_beside_the_program)
{
	unsetenv("LD_PRELOAD");
	setenv("VTAPE", "/dev/nst4=/some/sock", 1);
	if (run_env_make(&env, "vtape:x", &none) == KMS_ERR_NOTFOUND) {
		ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_NOTFOUND),
		    "LD_PRELOAD"));
		return; /* the library is not built */
	}
	ck_assert_ptr_nonnull(strstr(env.set[1], "/lib/libvtape-preload.so"));
}
END_TEST

START_TEST(a_socket_that_is_not_there_is_named)
{
	ck_assert_int_eq(run_env_make(&env, "vtape:/no/such", &none),
	    KMS_ERR_NOTFOUND);
	ck_assert_ptr_null(env.set[0]);
}
END_TEST

TCase *
run_env_case(void)
{
	TCase *t = tcase_create("run_env");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_real_drive_gives_its_own_node);
	tcase_add_test(t,
	    a_virtual_drive_gives_a_node_and_its_socket_from_the_root);
	tcase_add_test(t, what_the_caller_set_stays);
	tcase_add_test(t, the_preload_library_lies_beside_the_program);
	tcase_add_test(t, a_socket_that_is_not_there_is_named);
	return t;
}
