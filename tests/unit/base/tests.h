/* The suites of this program, and what they share. */
#ifndef TESTS_UNIT_BASE_TESTS_H
#define TESTS_UNIT_BASE_TESTS_H

#include <check.h>
#include <stddef.h>
#include <stdint.h>

#include "kms/base/secret.h"

Suite *err_suite(void);
Suite *log_suite(void);
Suite *secret_suite(void);
Suite *buf_suite(void);
Suite *text_suite(void);
Suite *crypt_suite(void);
Suite *cipher_suite(void);
Suite *failing_suite(void);
Suite *file_suite(void);
Suite *lib_suite(void);
Suite *soft_suite(void);

/* PLAIN, so that ASan sees overruns; LOCKED when P11KMS_TEST_SECRET=locked. */
extern enum kms_secret_mode secret_mode;

/* Checked fixture: the secret heap in that mode. */
void secrets_on(void);

/* Bytes of a hex string of at most 128 bytes; "" is none. */
struct hex {
	uint8_t p[128];
	size_t len;
};
struct hex from_hex(const char *);
struct kms_secret *secret_of_hex(const char *);
void assert_hex(const void *, size_t, const char *);

#endif
