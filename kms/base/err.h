/*
 * The one error model: 0 or a negative code. A code exists only where a
 * caller acts differently on it; the cause is text, recorded once, where it
 * is known. Libraries do not log what they return.
 */
#ifndef KMS_BASE_ERR_H
#define KMS_BASE_ERR_H

#include <stddef.h>

#define KMS_MUST __attribute__((warn_unused_result))
#define KMS_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* name, what it says when no cause was recorded, the tools' exit status */
#define KMS_ERR_LIST(X)                                    \
	X(INTERNAL, "internal error", 1)                   \
	X(IO, "input/output error", 1)                     \
	X(MEMORY, "out of memory", 1)                      \
	X(LIMIT, "limit reached", 1)                       \
	X(TIMEOUT, "no answer in time", 1)                 \
	X(USAGE, "bad usage", 2)                           \
	X(CONFIG, "bad configuration", 2)                  \
	X(PHRASE, "passphrase breaks the rules", 2)        \
	X(NOTFOUND, "not found", 3)                        \
	X(AUTH, "wrong passphrase", 4)                     \
	X(PIN, "wrong PIN", 4)                             \
	X(TOKEN, "token unavailable", 5)                   \
	X(MASTER, "master key is not the one expected", 6) \
	X(DAMAGED, "store damaged", 6)                     \
	X(ROLLBACK, "store is older than its anchor", 6)   \
	X(VERSION, "format is newer than this program", 6) \
	X(DRIVE, "drive refused", 7)                       \
	X(UNPROVEN, "drive state not proven", 7)           \
	X(GATE, "refused by a gate", 8)                    \
	X(STATE, "refused in this state", 8)               \
	X(EXISTS, "exists already", 8)                     \
	X(QUIESCED, "store is quiesced", 8)                \
	X(DENIED, "not permitted", 8)                      \
	X(BUSY, "busy, try again", 9)

enum kms_err_index {
	KMS_ERR_INDEX_OK,
#define X(name, text, status) KMS_ERR_INDEX_##name,
	KMS_ERR_LIST(X)
#undef X
};

enum kms_err {
	KMS_OK = 0,
#define X(name, text, status) KMS_ERR_##name = -(int)KMS_ERR_INDEX_##name,
	KMS_ERR_LIST(X)
#undef X
};

/*
 * kms_fail(code, fmt, ...) records the cause (this thread's, at most 511 bytes,
 * replacing the last one; control characters become '?') and is the code. The
 * text says what happened to which thing and, after a semicolon, what to do
 * next; it never holds a secret.
 */
#define kms_fail(code, ...) \
	(kms_err_record(__FILE__, __LINE__, __VA_ARGS__), kms_err_as(code))

/* kms_fail_add(code, fmt, ...) puts context in front of the recorded cause:
 * "context: cause". Is the code, which may be another one than before. */
#define kms_fail_add(code, ...) (kms_err_context(__VA_ARGS__), kms_err_as(code))

/* What the two macros are made of. kms_err_as is inline so that compilers and
 * analysers see that a failure never returns 0. */
void kms_err_record(const char *file, int line, const char *fmt, ...)
    KMS_PRINTF(3, 4);
void kms_err_context(const char *fmt, ...) KMS_PRINTF(1, 2);
void kms_err_set(int code);

static inline int
kms_err_as(int code)
{
	kms_err_set(code);
	return code;
}

/* The cause recorded for this code, else the code's own text. This thread's,
 * valid until its next kms_fail. */
const char *kms_err_cause(int code);

/* "file:line" of the recorded cause, "" when none; for debug logs only. */
const char *kms_err_where(void);

/* Forgets the cause, so that an old one is never printed for a new error. */
void kms_err_clear(void);

const char *kms_err_name(int code);
const char *kms_err_text(int code);

/* Exit status of COMMANDS: 0..9. */
int kms_err_status(int code);

#endif
