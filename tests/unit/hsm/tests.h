/*
 * Tests against a real SoftHSM token. It is made once per run, and copied for
 * each test; Check runs each test in a process of its own, and the module is
 * loaded only there.
 */
#ifndef TESTS_UNIT_HSM_TESTS_H
#define TESTS_UNIT_HSM_TESTS_H

#include <check.h>

#include "hsm/sealer.h"
#include "kms/base/crypt.h"
#include "tests/lib/fixture.h"

/* The token of this test, and what to open it with. */
extern struct fx *fx;
extern struct hsm_options options;
extern struct kms_sealer *sealer;

/* Checked fixtures. */
void token_copy(void); /* the token is there, nothing is open */
void token_open(void); /* and sealer is open, through p11fault */
void token_away(void); /* closes, removes */

/* A case of tests with token_copy or token_open around each. */
TCase *case_copied(const char *name);
TCase *case_opened(const char *name);

/* Opens with options; the error is the test's. */
int open_sealer(void);
void open_ok(void);
void close_sealer(void);

/* Rules for p11fault from now on (see there). */
void faults(const char *rules);
/* How often it was called, from the start of the test, by all processes. */
unsigned calls_of(const char *name);
/* Rules for what is opened next. */
void faults_at_start(const char *rules);

/* Replaces the URI's module or PIN source. */
void use_softhsm(void);
void use_pin(const char *pin);
void use_uri(const char *pin_source);
void name_token(const char *token, const char *module, const char *pin_source);
const char *pin_file(void);
const char *token_path(const char *name);

/* The module that is open, for raw calls in a session of its own. */
struct raw {
	CK_FUNCTION_LIST *f;
	CK_SESSION_HANDLE h;
};
struct raw raw_open(void);
/* Logs in by itself: when no sealer is open. */
struct raw raw_login(void);
size_t raw_find(struct raw, CK_OBJECT_CLASS, const char *label,
    CK_OBJECT_HANDLE *, size_t cap);
/* A secret key with everything a master key needs, but what follows: pairs of
 * attribute and bool, ended by CK_UNAVAILABLE_INFORMATION. */
CK_OBJECT_HANDLE raw_make(struct raw, const char *label, const void *id,
    size_t id_len, const CK_ULONG *pairs);

/* "HMK one", "KPK two" …: CKA_ID is 16 times fill. */
struct kms_slot slot_of(enum kms_role, uint8_t fill);
/* Made in the token. */
struct kms_slot made(enum kms_role, uint8_t fill);
struct kms_secret *secret_of(uint8_t fill);

/* Both keys there and what was expected. */
#define assert_ok(expr) ck_assert_msg_ok((expr), #expr)
void ck_assert_msg_ok(int r, const char *what);
/* r is the code, and the cause holds the text. */
void assert_fails(int r, int code, const char *text);

TCase *uri_tests(void);
TCase *ckr_tests(void);
TCase *pin_tests(void);
TCase *guard_tests(void);
TCase *lock_tests(void);
TCase *pool_tests(void);
TCase *token_tests(void);
TCase *key_tests(void);
TCase *refused_tests(void);
TCase *wrap_tests(void);
TCase *crypt_tests(void);
TCase *anchor_tests(void);
TCase *recover_tests(void);
TCase *adopt_tests(void);
TCase *thread_tests(void);
TCase *pkey_tests(void);

#endif
