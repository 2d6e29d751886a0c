/* A release log and what the tests of it begin with: records that are made of
 * their numbers. */
#ifndef TESTS_UNIT_KMS_LOG_RIG_H
#define TESTS_UNIT_KMS_LOG_RIG_H

#include <check.h>

#include "kms/release_log_impl.h"
#include "tests/lib/fixture.h"

extern const uint8_t log_uuid[16];
extern struct fx *log_fx;
extern const char *log_path;
extern struct kms_secret *log_key;
extern struct kms_release_log_options log_opt;
extern struct kms_release_log *rlog;
extern struct kms_log_head log_head; /* as a root would hold it */
extern struct kms_release_log_report log_report;

void log_setup(void);
void log_teardown(void);
struct kms_release_entry log_entry(unsigned n);
int log_append(unsigned n);
void log_append_all(unsigned from, unsigned to);
void log_reopen(void);
int log_try_open(void);
/* Records are numbered and made of their numbers. */
int log_see(void *ctx, const struct kms_release_entry *e);
unsigned log_scan(int want);

TCase *test_release_log_damage(void);

#endif
