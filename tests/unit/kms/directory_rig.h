/* A directory and rows for it: what the tests of it begin with. */
#ifndef TESTS_UNIT_KMS_DIRECTORY_RIG_H
#define TESTS_UNIT_KMS_DIRECTORY_RIG_H

#include <check.h>

#include "kms/directory.h"

extern struct kms_directory *directory;
/* Of the rows that are made. */
extern uint64_t directory_generation;

void directory_setup(void);
void directory_teardown(void);
struct kms_record *group_rec(const char *name);
/* The tag is made of n. */
struct kms_record *key_rec(uint64_t group, const char *name, uint32_t n,
    enum kms_state state);
int directory_load(uint64_t id, enum kms_kind kind,
    const struct kms_record *rec);
int directory_put(uint64_t id, enum kms_kind kind, const struct kms_record *rec,
    struct kms_directory_was *was);
uint64_t directory_id(const struct kms_directory_row *row);
uint64_t directory_by_tag(uint32_t n);
const char *directory_name(uint32_t n);

TCase *test_directory_model(void);

#endif
