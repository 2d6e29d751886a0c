/* The parts of this test program, and what they share. */
#ifndef TESTS_UNIT_KMIP_TESTS_H
#define TESTS_UNIT_KMIP_TESTS_H

#include <check.h>
#include <stddef.h>
#include <stdint.h>

TCase *test_def(void);
TCase *test_reason(void);
TCase *test_ttlv(void);
TCase *test_msg(void);
TCase *test_object(void);
TCase *test_state(void);
TCase *test_batch(void);
TCase *test_attr(void);
TCase *test_find(void);
TCase *test_profile(void);
TCase *test_field(void);
TCase *test_authz(void);
TCase *test_server(void);
TCase *test_conn(void);
TCase *test_stored(void);
TCase *test_wrap(void);
TCase *test_crypt(void);

/* Bytes written as hex with blanks; returns how many. Aborts when not hex. */
size_t hex(const char *text, uint8_t *out, size_t cap);

#endif
