#include "tests/unit/hsm/tests.h"

#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hsm/lock.h"
#include "kms/base/file.h"

static struct hsm_lock *lock;

static void
bind_lock(unsigned wait_ms)
{
	assert_ok(hsm_lock_new(options.lock_dir, wait_ms, &lock));
	assert_ok(hsm_lock_bind(lock, "ab 12/"));
}

static const char *
lock_file(void)
{
	return fx_path(fx, "locks/p11kms-ab_12_.lock");
}

START_TEST(the_file_carries_the_serial)
{
	bind_lock(1000);
	assert_ok(hsm_lock_enter(lock));
	ck_assert(fx_exists(lock_file()));
	hsm_lock_leave(lock);
}
END_TEST

START_TEST(its_holder_enters_again)
{
	int fd;

	bind_lock(1000);
	assert_ok(hsm_lock_enter(lock));
	assert_ok(hsm_lock_enter(lock));
	hsm_lock_leave(lock);
	ck_assert_int_eq(kms_file_lock(lock_file(), 0, &fd), KMS_ERR_BUSY);
	hsm_lock_leave(lock);
	assert_ok(kms_file_lock(lock_file(), 0, &fd));
	kms_file_unlock(&fd);
}
END_TEST

START_TEST(another_process_makes_it_busy)
{
	int fd;

	bind_lock(20);
	assert_ok(kms_file_lock(lock_file(), 0, &fd));
	assert_fails(hsm_lock_enter(lock), KMS_ERR_BUSY, "token lock");
	kms_file_unlock(&fd);
	assert_ok(hsm_lock_enter(lock));
	hsm_lock_leave(lock);
}
END_TEST

static void *
enter(void *result)
{
	*(int *)result = hsm_lock_enter(lock);
	if (*(int *)result == 0)
		hsm_lock_leave(lock);
	return NULL;
}

START_TEST(another_thread_makes_it_busy)
{
	pthread_t t;
	int r;

	bind_lock(20);
	assert_ok(hsm_lock_enter(lock));
	ck_assert_int_eq(pthread_create(&t, NULL, enter, &r), 0);
	ck_assert_int_eq(pthread_join(t, NULL), 0);
	ck_assert_int_eq(r, KMS_ERR_BUSY);
	hsm_lock_leave(lock);
	ck_assert_int_eq(pthread_create(&t, NULL, enter, &r), 0);
	ck_assert_int_eq(pthread_join(t, NULL), 0);
	ck_assert_int_eq(r, 0);
}
END_TEST

START_TEST(somebody_elses_file_is_named_with_its_owner)
{
	if (geteuid() != 0)
		return; /* only root can give a file away, and then be kept out */
	bind_lock(20);
	fx_write_text(lock_file(), "");
	ck_assert_int_eq(chown(lock_file(), 65534, 65534), 0);
	ck_assert_int_eq(setegid(12345), 0);
	ck_assert_int_eq(chmod(options.lock_dir, 0711), 0);
	ck_assert_int_eq(chmod(fx_path(fx, "%s", "."), 0711), 0);
	ck_assert_int_eq(seteuid(12345), 0);
	assert_fails(hsm_lock_enter(lock), KMS_ERR_CONFIG,
	    "belongs to nobody (uid 65534)");
	ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(a_missing_directory_names_the_setting)
{
	assert_ok(hsm_lock_new("/nowhere", 20, &lock));
	assert_ok(hsm_lock_bind(lock, "1"));
	assert_fails(hsm_lock_enter(lock), KMS_ERR_CONFIG, "[token] lock_dir");
}
END_TEST

static volatile sig_atomic_t caught;

static void
on_term(int sig)
{
	(void)sig;
	caught = 1;
}

START_TEST(signals_wait_until_restored)
{
	sigset_t old;

	ck_assert(signal(SIGTERM, on_term) != SIG_ERR);
	hsm_signals_block(&old);
	ck_assert_int_eq(raise(SIGTERM), 0);
	ck_assert_int_eq(caught, 0);
	hsm_signals_restore(&old);
	ck_assert_int_eq(caught, 1);
}
END_TEST

static void
free_lock(void)
{
	hsm_lock_free(&lock);
}

TCase *
lock_tests(void)
{
	TCase *tc = case_copied("lock");

	tcase_add_checked_fixture(tc, NULL, free_lock);
	tcase_add_test(tc, the_file_carries_the_serial);
	tcase_add_test(tc, its_holder_enters_again);
	tcase_add_test(tc, another_process_makes_it_busy);
	tcase_add_test(tc, another_thread_makes_it_busy);
	tcase_add_test(tc, somebody_elses_file_is_named_with_its_owner);
	tcase_add_test(tc, a_missing_directory_names_the_setting);
	tcase_add_test(tc, signals_wait_until_restored);
	return tc;
}
