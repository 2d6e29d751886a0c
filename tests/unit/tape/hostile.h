/* A drive that is up to something, a key for it, and the one property: a load
 * that reports success is a load that truly happened. */
#ifndef TESTS_UNIT_TAPE_HOSTILE_H
#define TESTS_UNIT_TAPE_HOSTILE_H

#include "tests/unit/tape/mock.h"
#include "tests/unit/tape/suite.h"

extern struct mock hostile;
extern struct tape_drive *hostile_drive;
extern struct kms_secret *hostile_key;
extern struct tape_load hostile_load;

void hostile_begin(void);
void hostile_setup(void);
void hostile_teardown(void);
bool hostile_truly_loaded(void);
/* The one property. */
int hostile_is_honest(const char *what);

#endif
