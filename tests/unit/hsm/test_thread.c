#include "tests/unit/hsm/tests.h"

#include <pthread.h>

#define THREADS 4
#define ROUNDS 60
#define FAULTS 8

/* Each thread has its own key under the one KPK. */
static struct kms_slot slot;

struct worker {
	pthread_t thread;
	struct kms_wrapped w;
	struct kms_secret *key;
	unsigned right, failed, wrong;
};

static void *
work(void *arg)
{
	struct worker *me = arg;
	struct kms_secret *got;

	for (int i = 0; i < ROUNDS; i++) {
		int r = sealer->unwrap(sealer, &slot, &me->w, &got);

		if (r != 0)
			me->failed++;
		else if (kms_secret_equal(got, me->key))
			me->right++;
		else
			me->wrong++;
		kms_secret_free(&got);
		/* now and then, work that changes the token */
		if (i % 20 == 10) {
			struct kms_anchor a = {.len = 8};
			const uint8_t uuid[16] = {(uint8_t)i};

			me->failed += sealer->anchor_put(sealer, uuid, &a) != 0;
		}
	}
	return NULL;
}

static void
run(struct worker w[THREADS])
{
	for (int i = 0; i < THREADS; i++) {
		w[i] = (struct worker){.key = secret_of((uint8_t)(i + 1))};
		assert_ok(sealer->wrap(sealer, &slot, w[i].key, &w[i].w));
	}
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&w[i].thread, NULL, work,
				     &w[i]),
		    0);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(w[i].thread, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		kms_secret_free(&w[i].key);
}

START_TEST(threads_share_the_token)
{
	struct worker w[THREADS];

	slot = made(KMS_ROLE_KPK, 1);
	run(w);
	for (int i = 0; i < THREADS; i++) {
		ck_assert_uint_eq(w[i].right, ROUNDS);
		ck_assert_uint_eq(w[i].failed + w[i].wrong, 0);
	}
}
END_TEST

START_TEST(more_threads_than_sessions_take_turns)
{
	struct worker w[THREADS];

	close_sealer();
	options.sessions = 1;
	open_ok();
	slot = made(KMS_ROLE_KPK, 1);
	run(w);
	for (int i = 0; i < THREADS; i++)
		ck_assert_uint_eq(w[i].right, ROUNDS);
}
END_TEST

/* Sessions die and the token goes away under all of them, many times over,
 * and comes back with its handles renumbered: no thread sees another's key. */
START_TEST(a_token_that_comes_and_goes_gives_nobody_a_wrong_key)
{
	struct worker w[THREADS];
	unsigned right = 0;

	slot = made(KMS_ROLE_KPK, 1);
	(void)made(KMS_ROLE_HMK, 2);
	for (int i = 0; i < THREADS; i++)
		w[i].wrong = 0;
	faults("renumber C_UnwrapKey:30=32 C_UnwrapKey:60=b3 C_UnwrapKey:90=5 "
	       "C_UnwrapKey:120=30 C_GetAttributeValue:99=101 "
	       "C_UnwrapKey:150=190 C_DestroyObject:180=32 "
	       "C_UnwrapKey:200=60");
	run(w);
	for (int i = 0; i < THREADS; i++) {
		ck_assert_uint_eq(w[i].wrong, 0);
		right += w[i].right;
	}
	/* an operation that meets a second fault after its reload may fail */
	ck_assert_uint_ge(right, THREADS * ROUNDS - FAULTS);
	faults("");
	run(w);
	for (int i = 0; i < THREADS; i++)
		ck_assert_uint_eq(w[i].right, ROUNDS);
	ck_assert_uint_gt(calls_of("C_Initialize"), 3);
}
END_TEST

TCase *
thread_tests(void)
{
	TCase *tc = case_opened("threads");

	tcase_add_test(tc, threads_share_the_token);
	tcase_add_test(tc, more_threads_than_sessions_take_turns);
	tcase_add_test(tc,
	    a_token_that_comes_and_goes_gives_nobody_a_wrong_key);
	return tc;
}
