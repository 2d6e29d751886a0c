/* The suites of everything below the store, and what they share. */
#ifndef TESTS_UNIT_KMS_TESTS_H
#define TESTS_UNIT_KMS_TESTS_H

#include <check.h>

#include "kms/record.h"
#include "kms/root.h"

#define SUITES(X) \
	X(tag)    \
	X(state)  \
	X(header) \
	X(record) \
	X(derive) \
	X(seal) X(intake) X(root) X(table) X(directory) X(rows) X(release_log)

#define X(name) Suite *name##_suite(void);
SUITES(X)
#undef X

struct kms_secret *secret_from(const void *, size_t);
/* 32 bytes, all of that value. */
struct kms_secret *key_of(uint8_t);
void assert_hex(const void *, size_t, const char *want);
/* Is the recorded cause for this code one that says so? */
void assert_cause(int code, const char *part);

/* Full samples, every field used. What they own is freed by clear. */
void sample_header(struct kms_header *);
void sample_record(enum kms_kind, struct kms_record *);
void sample_who(struct kms_who *);
void sample_root(struct kms_root *);

#endif
