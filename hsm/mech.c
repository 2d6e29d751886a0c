#include "hsm/mech.h"

/* PKCS#11 3.0; p11-kit's header ends before it. */
#define AES_KEY_WRAP_KWP 0x210bUL

static const struct {
	const char *name;
	CK_MECHANISM_TYPE type;
	bool wraps;
	size_t len;
} table[] = {
    [KMS_MECH_NONE] = {"no mechanism", 0, false, 0},
    [KMS_MECH_AES_KW] = {"AES-KW", CKM_AES_KEY_WRAP, true, 40},
    [KMS_MECH_AES_KWP] = {"AES-KWP", AES_KEY_WRAP_KWP, true, 40},
    [KMS_MECH_AES_GCM] = {"AES-GCM", CKM_AES_GCM, false, 60},
    [KMS_MECH_AES_CBC] = {"AES-CBC", CKM_AES_CBC, false, 48},
};

static size_t
row(enum kms_mech m)
{
	return (size_t)m < sizeof(table) / sizeof(table[0]) ? (size_t)m : 0;
}

const char *
hsm_mech_name(enum kms_mech m)
{
	return table[row(m)].name;
}

bool
hsm_mech_wraps(enum kms_mech m)
{
	return table[row(m)].wraps;
}

CK_MECHANISM_TYPE
hsm_mech_type(enum kms_mech m, const struct hsm_quirks *q)
{
	if (m == KMS_MECH_AES_KWP && q->old_kwp)
		return CKM_AES_KEY_WRAP_PAD;
	return table[row(m)].type;
}

int
hsm_mech_check_len(enum kms_mech m, const struct kms_wrapped *w)
{
	size_t len = table[row(m)].len;

	if (w->len != 0 && w->len == len)
		return 0;
	return kms_fail(KMS_ERR_AUTH,
	    "wrapped key: %zu bytes where %s makes %zu", w->len,
	    hsm_mech_name(m), len);
}

int
hsm_mech_check_kcv(const uint8_t kcv[KMS_KCV_LEN], const struct kms_wrapped *w)
{
	if (kms_equal(kcv, w->kcv, KMS_KCV_LEN))
		return 0;
	return kms_fail(KMS_ERR_AUTH, "unwrapped key: check value differs");
}

int
hsm_mech_unwrap_fail(struct hsm_session *s, CK_RV rv, const char *call)
{
	int r = hsm_session_fail(s, rv, call);

	switch (rv) {
	case CKR_GENERAL_ERROR:
	case CKR_FUNCTION_FAILED:
	case CKR_DATA_INVALID:
	case CKR_DATA_LEN_RANGE:
	case CKR_ENCRYPTED_DATA_INVALID:
	case CKR_ENCRYPTED_DATA_LEN_RANGE:
	case CKR_SIGNATURE_INVALID:
	case CKR_WRAPPED_KEY_INVALID:
	case CKR_WRAPPED_KEY_LEN_RANGE:
		return kms_fail(KMS_ERR_AUTH, "%s", kms_err_cause(r));
	default:
		return r;
	}
}
