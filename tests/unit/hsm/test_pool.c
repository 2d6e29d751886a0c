#include "tests/unit/hsm/tests.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hsm/module.h"
#include "hsm/pool.h"

static struct hsm_module *module;
static struct hsm_pool *pool;

static void
pool_of(unsigned max, unsigned wait_ms)
{
	struct hsm_uri *uri;
	CK_SLOT_ID slot;

	assert_ok(hsm_uri_parse(options.uri, &uri));
	assert_ok(hsm_module_load(hsm_uri_module(uri), &module));
	assert_ok(hsm_module_find(module, uri, &slot));
	hsm_uri_free(&uri);
	assert_ok(hsm_pool_new(max, wait_ms, &pool));
	hsm_pool_resume(pool, hsm_module_functions(module), slot);
}

/* Another thread that acquires, and says what came of it. */
struct other {
	pthread_t thread;
	int r;
	struct hsm_session s;
};

static void *
acquire(void *arg)
{
	struct other *o = arg;

	o->r = hsm_pool_acquire(pool, false, &o->s);
	return NULL;
}

static void
start(struct other *o, void *(*f)(void *))
{
	ck_assert_int_eq(pthread_create(&o->thread, NULL, f, o), 0);
}

static void
join(struct other *o)
{
	ck_assert_int_eq(pthread_join(o->thread, NULL), 0);
}

START_TEST(a_session_given_back_is_used_again)
{
	struct hsm_session a, b;

	pool_of(2, 1000);
	assert_ok(hsm_pool_acquire(pool, false, &a));
	hsm_pool_release(pool, &a);
	assert_ok(hsm_pool_acquire(pool, false, &b));
	ck_assert_uint_eq(a.h, b.h);
	hsm_pool_release(pool, &b);
	ck_assert_uint_eq(calls_of("C_OpenSession"), 1);
}
END_TEST

START_TEST(a_full_pool_is_busy_after_its_deadline)
{
	struct hsm_session a, b;

	pool_of(1, 20);
	assert_ok(hsm_pool_acquire(pool, false, &a));
	assert_fails(hsm_pool_acquire(pool, false, &b), KMS_ERR_BUSY,
	    "no session came free");
	hsm_pool_release(pool, &a);
}
END_TEST

START_TEST(a_full_pool_waits_for_one_to_come_back)
{
	struct hsm_session a;
	struct other o;

	pool_of(1, 10000);
	assert_ok(hsm_pool_acquire(pool, false, &a));
	start(&o, acquire);
	hsm_pool_release(pool, &a);
	join(&o);
	assert_ok(o.r);
	hsm_pool_release(pool, &o.s);
}
END_TEST

START_TEST(a_dead_session_is_closed_and_its_place_free)
{
	struct hsm_session a, b;

	pool_of(1, 20);
	assert_ok(hsm_pool_acquire(pool, false, &a));
	a.rv = CKR_SESSION_HANDLE_INVALID;
	hsm_pool_release(pool, &a);
	ck_assert_uint_eq(calls_of("C_CloseSession"), 1);
	assert_ok(hsm_pool_acquire(pool, false, &b));
	hsm_pool_release(pool, &b);
	ck_assert_uint_eq(calls_of("C_OpenSession"), 2);
}
END_TEST

START_TEST(a_session_that_does_not_open_leaves_its_place)
{
	struct hsm_session a;

	pool_of(1, 20);
	faults("C_OpenSession:1=32");
	assert_fails(hsm_pool_acquire(pool, false, &a), KMS_ERR_TOKEN,
	    "CKR_DEVICE_REMOVED");
	ck_assert_uint_eq(a.rv, CKR_DEVICE_REMOVED);
	assert_ok(hsm_pool_acquire(pool, false, &a));
	hsm_pool_release(pool, &a);
}
END_TEST

START_TEST(a_token_with_fewer_sessions_makes_the_pool_smaller)
{
	struct hsm_session a, b;

	pool_of(4, 20);
	assert_ok(hsm_pool_acquire(pool, false, &a));
	faults("C_OpenSession:1+=b1");
	assert_fails(hsm_pool_acquire(pool, false, &b), KMS_ERR_BUSY, "free");
	hsm_pool_release(pool, &a);
	assert_ok(hsm_pool_acquire(pool, false, &b));
	hsm_pool_release(pool, &b);
}
END_TEST

static void *
drain(void *arg)
{
	struct other *o = arg;

	o->r = hsm_pool_drain(pool);
	return NULL;
}

START_TEST(draining_waits_for_calls_at_work_and_closes_all)
{
	struct hsm_session a, b;
	struct other o;

	pool_of(2, 10000);
	assert_ok(hsm_pool_acquire(pool, false, &a));
	assert_ok(hsm_pool_acquire(pool, false, &b));
	hsm_pool_release(pool, &b);
	start(&o, drain);
	hsm_pool_release(pool, &a);
	join(&o);
	assert_ok(o.r);
	ck_assert_uint_eq(calls_of("C_CloseSession"), 2);
}
END_TEST

START_TEST(draining_gives_up_and_leaves_all_as_it_was)
{
	struct hsm_session a, b;

	pool_of(2, 20);
	assert_ok(hsm_pool_acquire(pool, false, &a));
	assert_fails(hsm_pool_drain(pool), KMS_ERR_BUSY, "still at work");
	assert_ok(hsm_pool_acquire(pool, false, &b));
	hsm_pool_release(pool, &a);
	hsm_pool_release(pool, &b);
}
END_TEST

START_TEST(a_drained_pool_gives_nothing_out)
{
	struct hsm_session a;

	pool_of(2, 20);
	assert_ok(hsm_pool_drain(pool));
	assert_fails(hsm_pool_acquire(pool, false, &a), KMS_ERR_BUSY,
	    "try again");
}
END_TEST

START_TEST(a_token_that_is_away_is_said_so_at_once)
{
	struct hsm_session a;

	pool_of(2, 10000);
	assert_ok(hsm_pool_drain(pool));
	hsm_pool_resume(pool, NULL, 0);
	assert_fails(hsm_pool_acquire(pool, false, &a), KMS_ERR_TOKEN, "away");
	ck_assert_uint_eq(a.rv, CKR_TOKEN_NOT_PRESENT);
	ck_assert_uint_eq(a.generation, hsm_pool_generation(pool));
}
END_TEST

START_TEST(alone_is_alone)
{
	struct hsm_session a;
	struct other o;

	pool_of(2, 10000);
	assert_ok(hsm_pool_acquire(pool, true, &a));
	start(&o, acquire);
	hsm_pool_release(pool, &a);
	join(&o);
	assert_ok(o.r);
	hsm_pool_release(pool, &o.s);
}
END_TEST

START_TEST(alone_is_not_had_while_others_work)
{
	struct hsm_session a, b;

	pool_of(2, 20);
	assert_ok(hsm_pool_acquire(pool, false, &a));
	ck_assert_int_eq(hsm_pool_acquire(pool, true, &b), KMS_ERR_BUSY);
	assert_ok(hsm_pool_acquire(pool, false, &b));
	hsm_pool_release(pool, &a);
	hsm_pool_release(pool, &b);
}
END_TEST

START_TEST(a_forked_child_gets_none)
{
	struct hsm_session a;
	int status = 0;
	pid_t pid;

	pool_of(2, 1000);
	assert_ok(hsm_pool_acquire(pool, false, &a));
	hsm_pool_release(pool, &a);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(hsm_pool_acquire(pool, false, &a) == KMS_ERR_TOKEN);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(WEXITSTATUS(status), 1);
	assert_ok(hsm_pool_acquire(pool, false, &a));
	hsm_pool_release(pool, &a);
}
END_TEST

static void
free_all(void)
{
	/* a drained one would be waited for in vain; the module goes anyway */
	hsm_pool_free(&pool);
	hsm_module_unload(&module);
}

TCase *
pool_tests(void)
{
	TCase *tc = case_copied("pool");

	tcase_add_checked_fixture(tc, NULL, free_all);
	tcase_add_test(tc, a_session_given_back_is_used_again);
	tcase_add_test(tc, a_full_pool_is_busy_after_its_deadline);
	tcase_add_test(tc, a_full_pool_waits_for_one_to_come_back);
	tcase_add_test(tc, a_dead_session_is_closed_and_its_place_free);
	tcase_add_test(tc, a_session_that_does_not_open_leaves_its_place);
	tcase_add_test(tc, a_token_with_fewer_sessions_makes_the_pool_smaller);
	tcase_add_test(tc, draining_waits_for_calls_at_work_and_closes_all);
	tcase_add_test(tc, draining_gives_up_and_leaves_all_as_it_was);
	tcase_add_test(tc, a_drained_pool_gives_nothing_out);
	tcase_add_test(tc, a_token_that_is_away_is_said_so_at_once);
	tcase_add_test(tc, alone_is_alone);
	tcase_add_test(tc, alone_is_not_had_while_others_work);
	tcase_add_test(tc, a_forked_child_gets_none);
	return tc;
}
