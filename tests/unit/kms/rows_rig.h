/* A file of rows and what the tests of it begin with: three rows of kind 3,
 * generation 1, each filled with a byte of its id and generation. */
#ifndef TESTS_UNIT_KMS_ROWS_RIG_H
#define TESTS_UNIT_KMS_ROWS_RIG_H

#include <check.h>

#include "kms/rows.h"
#include "tests/lib/fixture.h"

extern struct fx *fx;
extern const char *path;
extern struct kms_rows *rows; /* open on path */

void rows_setup(void);
void rows_teardown(void);

struct kms_rows *rows_open_as(const char *, bool create, bool readonly,
    unsigned wait_ms);
/* What opening it says; it is closed again. */
int rows_try_open(const char *, bool create, bool readonly);
/* rows, closed and opened. */
void rows_reopen(void);

int rows_put_size(struct kms_rows *, uint64_t id, uint64_t generation,
    size_t len);
void rows_put(uint64_t id, uint64_t generation);

/* For kms_rows_scan, with a struct rows_seen: checks each row's content. */
struct rows_seen {
	size_t n;
	uint64_t id[64], generation[64];
};
int rows_see(void *, const struct kms_row *);
size_t rows_count(struct kms_rows *);

TCase *test_rows_file(void);

#endif
