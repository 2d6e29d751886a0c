/* Whatever is done to the file: the answers as before, or none. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/unit/kms/known.h"
#include "tests/unit/kms/stores.h"

/* --- every byte ------------------------------------------------------- */

static void
is_a_refusal(int r)
{
	switch (r) {
	case KMS_ERR_DAMAGED:
	case KMS_ERR_VERSION:
	case KMS_ERR_MASTER:
	case KMS_ERR_TOKEN:
	case KMS_ERR_ROLLBACK:
		return;
	default:
		ck_abort_msg("%s: %s", kms_err_name(r), kms_err_cause(r));
	}
}

static void
flip(const char *path, size_t at)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= (uint8_t)(1u << (at % 8));
	ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
	close(fd);
}

/* One bit of every byte, the loop cut into parts so that each is short. */
#define PARTS 8

START_TEST(one_flipped_bit_changes_no_answer)
{
	struct saved saved;
	struct known known;
	struct stores t;
	size_t i, refused = 0;
	int r;

	stores_new(&t, false);
	known_learn(&t, &known);
	stores_close(&t);
	save_file(t.fx, t.path, &saved);
	for (i = (size_t)_i; i < saved.len; i += PARTS * FX_STEP) {
		flip(t.path, i);
		r = kms_store_open(&t.options, &t.store);
		if (r == 0) {
			known_answers(&t, &known);
			stores_close(&t);
		} else {
			is_a_refusal(r);
			refused++;
		}
		flip(t.path, i);
	}
	/* The control: there is something to find, and it was all put back. */
	ck_assert_uint_gt(refused, 100 / FX_STEP);
	stores_open(&t);
	known_answers(&t, &known);
	stores_end(&t);
}
END_TEST

/* --- rows ------------------------------------------------------------- */

/* Rows of learn(): 1 root, 2 audit of creation, 3 group, 4 its audit, 5 the
 * first key, … The first key was active, so it has an older version too. */
static const char *const swaps[] = {
    "DELETE FROM rows WHERE id = 5",
    "DELETE FROM rows WHERE id = 2",
    "DELETE FROM rows WHERE id = 1",
    "UPDATE rows SET id = 500 WHERE id = 5",
    "INSERT INTO rows SELECT 500, kind, generation, sealed FROM rows "
    "WHERE id = 5",
    "UPDATE rows SET kind = 5 WHERE id = 5",
    "UPDATE rows SET generation = generation + 1 WHERE id = 3",
    "UPDATE rows SET generation = generation - 1 WHERE id = 5",
    "UPDATE rows SET sealed = (SELECT sealed FROM rows WHERE id = 2) "
    "WHERE id = 4",
    "CREATE TEMP TABLE x AS SELECT * FROM rows WHERE id IN (2, 4);"
    "UPDATE rows SET (kind, generation, sealed) = (SELECT kind, generation, "
    "sealed FROM x WHERE x.id = 6 - rows.id) WHERE id IN (2, 4)",
    "UPDATE rows SET sealed = zeroblob(length(sealed)) WHERE id = 1",
    "UPDATE rows SET sealed = substr(sealed, 1, 20) WHERE id = 5",
};

#define SWAPS ((int)(sizeof(swaps) / sizeof(swaps[0])))

START_TEST(rows_that_were_tampered_with_are_refused_at_open)
{
	struct known known;
	struct stores t;

	stores_new(&t, false);
	known_learn(&t, &known);
	stores_close(&t);
	run_sql(t.path, swaps[_i]);
	stores_refused(&t, KMS_ERR_DAMAGED);
	stores_end(&t);
}
END_TEST

START_TEST(rows_that_were_tampered_with_are_refused_by_a_running_process)
{
	struct kms_secret *key = NULL;
	struct kms_tx *tx = NULL;
	struct known known;
	struct saved saved;
	struct stores t;

	stores_new(&t, false);
	known_learn(&t, &known);
	save_file(t.fx, t.path, &saved);
	run_sql(t.path, swaps[_i]);
	fails(kms_release_fetch(t.store, &known.tag[0], &key), KMS_ERR_DAMAGED,
	    NULL);
	ck_assert_ptr_null(key);
	fails(kms_tx_begin(t.store, &t.actor, KMS_READ, &tx), KMS_ERR_DAMAGED,
	    NULL);
	fails(kms_tx_begin(t.store, &t.actor, KMS_WRITE, &tx), KMS_ERR_DAMAGED,
	    NULL);
	/* Mended, it answers again without a restart. */
	put_back(t.path, &saved, false);
	known_answers(&t, &known);
	stores_end(&t);
}
END_TEST

static void
keep_row(struct stores *t, const char *table, int id)
{
	char sql[128];

	snprintf(sql, sizeof(sql),
	    "ATTACH '%s' AS k; CREATE TABLE k.%s AS SELECT * FROM rows WHERE "
	    "id = %d",
	    fx_path(t->fx, "kept"), table, id);
	run_sql(t->path, sql);
}

static void
put_row_back(struct stores *t, const char *table)
{
	char sql[128];

	snprintf(sql, sizeof(sql),
	    "ATTACH '%s' AS k; REPLACE INTO rows SELECT * FROM k.%s",
	    fx_path(t->fx, "kept"), table);
	run_sql(t->path, sql);
}

/* The older version is well sealed; root and sum alone tell. */
START_TEST(a_row_replaced_by_an_older_version_of_itself_is_refused)
{
	struct kms_tx *tx = NULL;
	struct kms_tag tag;
	struct stores t;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_key(&t, "ENCR_a", "one", KMS_ACTIVE, &tag);
	keep_row(&t, "old", 5);
	stores_write(&t, &tx);
	ok(kms_key_set_state(tx, "ENCR_a", "one", KMS_INACTIVE));
	ok(kms_tx_commit(&tx));
	put_row_back(&t, "old");
	fails(kms_tx_begin(t.store, &t.actor, KMS_READ, &tx), KMS_ERR_DAMAGED,
	    NULL);
	stores_close(&t);
	stores_refused(&t, KMS_ERR_DAMAGED);
	stores_end(&t);
}
END_TEST

START_TEST(an_older_root_with_its_rows_is_not_taken_for_a_change)
{
	struct kms_tx *tx = NULL;
	struct stores t;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	keep_row(&t, "old", 1);
	add_group(&t, "ENCR_b");
	put_row_back(&t, "old");
	fails(kms_tx_begin(t.store, &t.actor, KMS_READ, &tx), KMS_ERR_ROLLBACK,
	    "older by 1");
	stores_close(&t);
	stores_refused(&t, KMS_ERR_DAMAGED); /* root and rows disagree */
	stores_end(&t);
}
END_TEST

TCase *
test_tamper(void)
{
	TCase *tc = tcase_create("tamper");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, one_flipped_bit_changes_no_answer, 0, PARTS);
	tcase_add_loop_test(tc,
	    rows_that_were_tampered_with_are_refused_at_open, 0, SWAPS);
	tcase_add_loop_test(tc,
	    rows_that_were_tampered_with_are_refused_by_a_running_process, 0,
	    SWAPS);
	tcase_add_test(tc,
	    a_row_replaced_by_an_older_version_of_itself_is_refused);
	tcase_add_test(tc,
	    an_older_root_with_its_rows_is_not_taken_for_a_change);
	return tc;
}
