#include "hsm/ckr.h"

#define AWAY_HINT "; is the token connected and its service running?"

/* PKCS#11 2.40 and 3.0: name, class, what to do next. */
#define CKR_LIST(X)                                                          \
	X(CKR_CANCEL, STALE, "")                                             \
	X(CKR_HOST_MEMORY, STALE, "")                                        \
	X(CKR_SLOT_ID_INVALID, AWAY, AWAY_HINT)                              \
	X(CKR_GENERAL_ERROR, STALE, "; see the module's own log")            \
	X(CKR_FUNCTION_FAILED, STALE, "; see the module's own log")          \
	X(CKR_ARGUMENTS_BAD, REFUSED, "")                                    \
	X(CKR_CANT_LOCK, REFUSED, "; the module cannot be used by threads")  \
	X(CKR_ATTRIBUTE_READ_ONLY, REFUSED, "")                              \
	X(CKR_ATTRIBUTE_SENSITIVE, REFUSED, "")                              \
	X(CKR_ATTRIBUTE_TYPE_INVALID, REFUSED, "")                           \
	X(CKR_ATTRIBUTE_VALUE_INVALID, REFUSED, "")                          \
	X(CKR_ACTION_PROHIBITED, REFUSED, "")                                \
	X(CKR_DATA_INVALID, REFUSED, "")                                     \
	X(CKR_DATA_LEN_RANGE, REFUSED, "")                                   \
	X(CKR_DEVICE_ERROR, AWAY, AWAY_HINT)                                 \
	X(CKR_DEVICE_MEMORY, STALE, "; the token is full")                   \
	X(CKR_DEVICE_REMOVED, AWAY, AWAY_HINT)                               \
	X(CKR_ENCRYPTED_DATA_INVALID, REFUSED, "")                           \
	X(CKR_ENCRYPTED_DATA_LEN_RANGE, REFUSED, "")                         \
	X(CKR_FUNCTION_CANCELED, STALE, "")                                  \
	X(CKR_FUNCTION_NOT_PARALLEL, REFUSED, "")                            \
	X(CKR_FUNCTION_NOT_SUPPORTED, REFUSED, "")                           \
	X(CKR_KEY_HANDLE_INVALID, STALE, "")                                 \
	X(CKR_KEY_SIZE_RANGE, REFUSED, "")                                   \
	X(CKR_KEY_TYPE_INCONSISTENT, REFUSED, "")                            \
	X(CKR_KEY_NOT_NEEDED, REFUSED, "")                                   \
	X(CKR_KEY_CHANGED, STALE, "")                                        \
	X(CKR_KEY_NEEDED, REFUSED, "")                                       \
	X(CKR_KEY_INDIGESTIBLE, REFUSED, "")                                 \
	X(CKR_KEY_FUNCTION_NOT_PERMITTED, REFUSED, "")                       \
	X(CKR_KEY_NOT_WRAPPABLE, REFUSED, "")                                \
	X(CKR_KEY_UNEXTRACTABLE, REFUSED, "")                                \
	X(CKR_MECHANISM_INVALID, REFUSED, "")                                \
	X(CKR_MECHANISM_PARAM_INVALID, REFUSED, "")                          \
	X(CKR_OBJECT_HANDLE_INVALID, STALE, "")                              \
	X(CKR_OPERATION_ACTIVE, STALE, "")                                   \
	X(CKR_OPERATION_NOT_INITIALIZED, STALE, "")                          \
	X(CKR_PIN_INCORRECT, PIN, "")                                        \
	X(CKR_PIN_INVALID, PIN, "")                                          \
	X(CKR_PIN_LEN_RANGE, PIN, "")                                        \
	X(CKR_PIN_EXPIRED, PIN, "; set a new one with the token's own tool") \
	X(CKR_PIN_LOCKED, PIN,                                               \
	    "; only the token's security officer unlocks it")                \
	X(CKR_SESSION_CLOSED, STALE, "")                                     \
	X(CKR_SESSION_COUNT, STALE, "; the token's sessions are used up")    \
	X(CKR_SESSION_HANDLE_INVALID, STALE, "")                             \
	X(CKR_SESSION_PARALLEL_NOT_SUPPORTED, REFUSED, "")                   \
	X(CKR_SESSION_READ_ONLY, REFUSED, "")                                \
	X(CKR_SESSION_EXISTS, REFUSED, "")                                   \
	X(CKR_SESSION_READ_ONLY_EXISTS, REFUSED, "")                         \
	X(CKR_SESSION_READ_WRITE_SO_EXISTS, REFUSED, "")                     \
	X(CKR_SIGNATURE_INVALID, REFUSED, "")                                \
	X(CKR_SIGNATURE_LEN_RANGE, REFUSED, "")                              \
	X(CKR_TEMPLATE_INCOMPLETE, REFUSED, "")                              \
	X(CKR_TEMPLATE_INCONSISTENT, REFUSED, "")                            \
	X(CKR_TOKEN_NOT_PRESENT, AWAY, AWAY_HINT)                            \
	X(CKR_TOKEN_NOT_RECOGNIZED, AWAY, AWAY_HINT)                         \
	X(CKR_TOKEN_WRITE_PROTECTED, REFUSED,                                \
	    "; the token is write-protected")                                \
	X(CKR_UNWRAPPING_KEY_HANDLE_INVALID, STALE, "")                      \
	X(CKR_UNWRAPPING_KEY_SIZE_RANGE, REFUSED, "")                        \
	X(CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT, REFUSED, "")                 \
	X(CKR_USER_ALREADY_LOGGED_IN, REFUSED, "")                           \
	X(CKR_USER_NOT_LOGGED_IN, AWAY, "")                                  \
	X(CKR_USER_PIN_NOT_INITIALIZED, PIN,                                 \
	    "; the token has no user PIN yet")                               \
	X(CKR_USER_TYPE_INVALID, REFUSED, "")                                \
	X(CKR_USER_ANOTHER_ALREADY_LOGGED_IN, REFUSED, "")                   \
	X(CKR_USER_TOO_MANY_TYPES, REFUSED, "")                              \
	X(CKR_WRAPPED_KEY_INVALID, REFUSED, "")                              \
	X(CKR_WRAPPED_KEY_LEN_RANGE, REFUSED, "")                            \
	X(CKR_WRAPPING_KEY_HANDLE_INVALID, STALE, "")                        \
	X(CKR_WRAPPING_KEY_SIZE_RANGE, REFUSED, "")                          \
	X(CKR_WRAPPING_KEY_TYPE_INCONSISTENT, REFUSED, "")                   \
	X(CKR_RANDOM_SEED_NOT_SUPPORTED, REFUSED, "")                        \
	X(CKR_RANDOM_NO_RNG, REFUSED, "")                                    \
	X(CKR_DOMAIN_PARAMS_INVALID, REFUSED, "")                            \
	X(CKR_BUFFER_TOO_SMALL, REFUSED, "")                                 \
	X(CKR_INFORMATION_SENSITIVE, REFUSED, "")                            \
	X(CKR_CRYPTOKI_NOT_INITIALIZED, AWAY, "")                            \
	X(CKR_CRYPTOKI_ALREADY_INITIALIZED, STALE, "")                       \
	X(CKR_MUTEX_BAD, STALE, "")                                          \
	X(CKR_FIPS_SELF_TEST_FAILED, AWAY, AWAY_HINT)                        \
	X(CKR_LIBRARY_LOAD_FAILED, AWAY, "")                                 \
	X(CKR_FUNCTION_REJECTED, REFUSED, "; the token's policy forbids it")

static const struct ckr {
	CK_RV rv;
	const char *name, *hint;
	enum hsm_ckr_class class;
} table[] = {
#define X(rv, class, hint) {rv, #rv, hint, HSM_CKR_##class},
    CKR_LIST(X)
#undef X
};

static const struct ckr vendor = {0, "vendor code", "", HSM_CKR_STALE};
static const struct ckr unknown = {0, "unknown code", "", HSM_CKR_STALE};

static const struct ckr *
lookup(CK_RV rv)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].rv == rv)
			return &table[i];
	}
	return rv >= CKR_VENDOR_DEFINED ? &vendor : &unknown;
}

const char *
hsm_ckr_name(CK_RV rv)
{
	return rv == CKR_OK ? "CKR_OK" : lookup(rv)->name;
}

enum hsm_ckr_class
hsm_ckr_class(CK_RV rv)
{
	return lookup(rv)->class;
}

int
hsm_ckr_error(CK_RV rv)
{
	if (lookup(rv)->class == HSM_CKR_PIN)
		return KMS_ERR_PIN;
	return rv == CKR_HOST_MEMORY ? KMS_ERR_MEMORY : KMS_ERR_TOKEN;
}

int
hsm_ckr_fail(CK_RV rv, const char *call)
{
	return kms_fail(hsm_ckr_error(rv), "%s: %s (0x%lx)%s", call,
	    hsm_ckr_name(rv), rv, lookup(rv)->hint);
}
