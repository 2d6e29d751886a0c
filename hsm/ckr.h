/*
 * The one translation of CK_RV: its name, our error, and what the retry rule
 * may make of it. Codes that a token invented itself are treated like
 * CKR_GENERAL_ERROR.
 */
#ifndef HSM_CKR_H
#define HSM_CKR_H

#include <p11-kit/pkcs11.h>

#include "kms/base/err.h"

enum hsm_ckr_class {
	HSM_CKR_REFUSED, /* about the request: the same again fails again */
	HSM_CKR_PIN,   /* a verdict on the PIN, or its length: never retried */
	HSM_CKR_STALE, /* session, handle or operation may be out of date */
	HSM_CKR_AWAY,  /* token, device or module is gone: load again */
};

/* "CKR_PIN_LOCKED"; "vendor code" or "unknown code" for the rest. */
const char *hsm_ckr_name(CK_RV);
enum hsm_ckr_class hsm_ckr_class(CK_RV);
/* KMS_ERR_PIN, KMS_ERR_MEMORY, else KMS_ERR_TOKEN. */
int hsm_ckr_error(CK_RV);
/* Records "call: CKR_NAME (0x…)", and what to do where that is known.
 * Returns hsm_ckr_error. */
int hsm_ckr_fail(CK_RV, const char *call);

#endif
