#include "kms/state.h"
#include "tests/unit/kms/tests.h"

/* NetBackup's rules, written out: rows from, columns to. */
static const bool allowed[5][5] = {
    /*            prelive active inactive deprecated terminated */
    /* prelive */ {true, true, false, false, false},
    /* active */ {false, true, true, false, false},
    /* inactive */ {false, true, true, true, false},
    /* deprecated */ {false, false, true, true, true},
    /* terminated */ {false, false, false, true, true},
};

START_TEST(every_step_is_netbackups)
{
	int from, to, r;

	for (from = 1; from <= 5; from++)
		for (to = 1; to <= 5; to++) {
			r = kms_state_check((enum kms_state)from,
			    (enum kms_state)to);
			ck_assert_msg(r ==
				(allowed[from - 1][to - 1] ? 0 : KMS_ERR_STATE),
			    "%d to %d: %d", from, to, r);
		}
}
END_TEST

START_TEST(a_refused_step_names_the_way)
{
	ck_assert_int_eq(kms_state_check(KMS_ACTIVE, KMS_TERMINATED),
	    KMS_ERR_STATE);
	assert_cause(KMS_ERR_STATE, "active, inactive, deprecated, terminated");
	ck_assert_int_eq(kms_state_check(KMS_TERMINATED, KMS_ACTIVE),
	    KMS_ERR_STATE);
	assert_cause(KMS_ERR_STATE, "terminated, deprecated, inactive, active");
	ck_assert_int_eq(kms_state_check(KMS_PRELIVE, KMS_INACTIVE),
	    KMS_ERR_STATE);
	assert_cause(KMS_ERR_STATE, "prelive, active, inactive");
	ck_assert_int_eq(kms_state_check(KMS_ACTIVE, KMS_PRELIVE),
	    KMS_ERR_STATE);
	assert_cause(KMS_ERR_STATE, "never becomes prelive again");
}
END_TEST

START_TEST(a_state_that_is_none_is_a_bug)
{
	ck_assert_int_eq(kms_state_check((enum kms_state)0, KMS_ACTIVE),
	    KMS_ERR_INTERNAL);
	ck_assert_int_eq(kms_state_check(KMS_ACTIVE, (enum kms_state)6),
	    KMS_ERR_INTERNAL);
	ck_assert(!kms_state_encrypts((enum kms_state)6));
	ck_assert(!kms_state_decrypts((enum kms_state)0));
	ck_assert(!kms_state_deletable((enum kms_state)77));
	ck_assert_str_eq(kms_state_name((enum kms_state)6), "?");
}
END_TEST

START_TEST(who_encrypts_decrypts_and_may_be_deleted)
{
	static const struct {
		enum kms_state s;
		bool encrypts, decrypts, deletable;
	} want[] = {
	    {KMS_PRELIVE, false, false, true},
	    {KMS_ACTIVE, true, true, false},
	    {KMS_INACTIVE, false, true, false},
	    {KMS_DEPRECATED, false, false, false},
	    {KMS_TERMINATED, false, false, true},
	};
	size_t i;

	for (i = 0; i < 5; i++) {
		ck_assert(kms_state_encrypts(want[i].s) == want[i].encrypts);
		ck_assert(kms_state_decrypts(want[i].s) == want[i].decrypts);
		ck_assert(kms_state_deletable(want[i].s) == want[i].deletable);
	}
}
END_TEST

START_TEST(names_go_both_ways)
{
	enum kms_state s, got;
	int i;

	for (i = 1; i <= 5; i++) {
		s = (enum kms_state)i;
		ck_assert_int_eq(kms_state_parse(kms_state_name(s), &got), 0);
		ck_assert(got == s);
	}
	ck_assert_int_eq(kms_state_parse("Active", &got), KMS_ERR_USAGE);
	ck_assert_int_eq(kms_state_parse("", &got), KMS_ERR_USAGE);
	assert_cause(KMS_ERR_USAGE, "use prelive, active, inactive");
}
END_TEST

Suite *
state_suite(void)
{
	Suite *s = suite_create("state");
	TCase *t = tcase_create("state");

	tcase_add_test(t, every_step_is_netbackups);
	tcase_add_test(t, a_refused_step_names_the_way);
	tcase_add_test(t, a_state_that_is_none_is_a_bug);
	tcase_add_test(t, who_encrypts_decrypts_and_may_be_deleted);
	tcase_add_test(t, names_go_both_ways);
	suite_add_tcase(s, t);
	return s;
}
