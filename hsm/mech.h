/*
 * The mechanisms of kms_mech as PKCS#11 knows them, and how tokens differ in
 * them.
 */
#ifndef HSM_MECH_H
#define HSM_MECH_H

#include <stdatomic.h>
#include <stdbool.h>

#include "hsm/pool.h"
#include "kms/base/crypt.h"
#include "kms/base/sealer.h"

/* How this token differs; found out at first use, kept while it is open. */
struct hsm_quirks {
	atomic_bool bare_template; /* see hsm_datakey_readable */
	atomic_bool old_kwp;       /* CKM_AES_KEY_WRAP_PAD, not _KWP (3.0) */
	atomic_uint ciphers;       /* hsm_cipher_probe's; 0: not asked yet */
};

/* A master key in hand: the handle is of the session's generation. */
struct hsm_master {
	CK_OBJECT_HANDLE h;
	enum kms_mech mech;
	struct hsm_quirks *quirks;
};

/* "AES-KW" …; "no mechanism" for what is none. */
const char *hsm_mech_name(enum kms_mech);
/* Wrapping (C_WrapKey, C_UnwrapKey), so that the master key needs CKA_WRAP and
 * CKA_UNWRAP and the data key can stay inside; else C_Encrypt and C_Decrypt,
 * by CKA_ENCRYPT and CKA_DECRYPT. */
bool hsm_mech_wraps(enum kms_mech);
/* quirks may be NULL but for KWP. */
CK_MECHANISM_TYPE hsm_mech_type(enum kms_mech, const struct hsm_quirks *);

/* KMS_ERR_AUTH: not as long as the mechanism makes a wrapped key. */
int hsm_mech_check_len(enum kms_mech, const struct kms_wrapped *) KMS_MUST;
/* KMS_ERR_AUTH: another key than was wrapped. */
int hsm_mech_check_kcv(const uint8_t kcv[KMS_KCV_LEN],
    const struct kms_wrapped *) KMS_MUST;
/*
 * Records a failed unwrap: KMS_ERR_AUTH when the token says so of the wrapped
 * bytes themselves (SoftHSM: CKR_GENERAL_ERROR); another code for a handle or
 * session that it does not know, or a token that is away, for that says
 * nothing about them.
 */
int hsm_mech_unwrap_fail(struct hsm_session *, CK_RV, const char *call);

#endif
