#include "hsm/datakey.h"

#include <string.h>

#include "hsm/inject.h"

#define BLOCK 16u

static void
begin(struct hsm_template *t)
{
	hsm_template_init(t);
	hsm_template_number(t, CKA_CLASS, CKO_SECRET_KEY);
	hsm_template_number(t, CKA_KEY_TYPE, CKK_AES);
	hsm_template_bool(t, CKA_TOKEN, false);
}

void
hsm_datakey_hidden(struct hsm_template *t)
{
	begin(t);
	hsm_template_bool(t, CKA_SENSITIVE, true);
	hsm_template_bool(t, CKA_EXTRACTABLE, true);
	hsm_template_bool(t, CKA_ENCRYPT, true);
}

void
hsm_datakey_readable(struct hsm_template *t, bool bare)
{
	begin(t);
	if (bare)
		return;
	hsm_template_bool(t, CKA_SENSITIVE, false);
	hsm_template_bool(t, CKA_EXTRACTABLE, true);
}

static void
usage(struct hsm_template *t, bool encrypt, bool decrypt)
{
	begin(t);
	hsm_template_bool(t, CKA_SENSITIVE, true);
	hsm_template_bool(t, CKA_EXTRACTABLE, false);
	hsm_template_bool(t, CKA_ENCRYPT, encrypt);
	hsm_template_bool(t, CKA_DECRYPT, decrypt);
	hsm_template_bool(t, CKA_SIGN, false);
	hsm_template_bool(t, CKA_VERIFY, false);
	hsm_template_bool(t, CKA_WRAP, false);
	hsm_template_bool(t, CKA_UNWRAP, false);
	hsm_template_bool(t, CKA_DERIVE, false);
}

void
hsm_datakey_single(struct hsm_template *t, bool decrypt)
{
	usage(t, !decrypt, decrypt);
}

void
hsm_datakey_both(struct hsm_template *t)
{
	usage(t, true, true);
}

int
hsm_datakey_born(struct hsm_session *s, CK_OBJECT_HANDLE *out)
{
	CK_MECHANISM m = {CKM_AES_KEY_GEN, NULL, 0};
	struct hsm_template t;
	CK_RV rv;

	*out = CK_INVALID_HANDLE;
	hsm_datakey_hidden(&t);
	hsm_template_number(&t, CKA_VALUE_LEN, KMS_KEY_LEN);
	rv = s->f->C_GenerateKey(s->h, &m, t.a, t.n, out);
	return rv == CKR_OK ? 0 : hsm_session_fail(s, rv, "C_GenerateKey");
}

int
hsm_datakey_put(struct hsm_session *s, const struct kms_secret *key,
    CK_OBJECT_HANDLE *out)
{
	struct hsm_template t;

	hsm_datakey_hidden(&t);
	return hsm_inject(s, key, &t, out);
}

int
hsm_datakey_kcv(struct hsm_session *s, CK_OBJECT_HANDLE h,
    uint8_t kcv[KMS_KCV_LEN])
{
	CK_MECHANISM m = {CKM_AES_ECB, NULL, 0};
	CK_BYTE in[BLOCK], out[BLOCK];
	CK_ULONG len = sizeof(out);
	CK_RV rv;

	rv = s->f->C_EncryptInit(s->h, &m, h);
	if (rv != CKR_OK)
		return hsm_session_fail(s, rv, "C_EncryptInit(ECB)");
	memcpy(in, kms_kcv_block, sizeof(in));
	rv = s->f->C_Encrypt(s->h, in, sizeof(in), out, &len);
	if (rv != CKR_OK)
		return hsm_session_fail(s, rv, "C_Encrypt(ECB)");
	if (len != sizeof(out))
		return kms_fail(KMS_ERR_TOKEN,
		    "C_Encrypt(ECB): %lu bytes for 16", len);
	memcpy(kcv, out, KMS_KCV_LEN);
	return 0;
}

/* TPMs answer CKR_OK with no bytes where they will not show the value. */
int
hsm_datakey_read(struct hsm_session *s, CK_OBJECT_HANDLE h,
    struct kms_secret **out)
{
	struct kms_secret *key = NULL;
	CK_ATTRIBUTE a = {CKA_VALUE, NULL, KMS_KEY_LEN};
	CK_RV rv;
	int r;

	*out = NULL;
	r = kms_secret_new(KMS_KEY_LEN, &key);
	if (r != 0)
		return r;
	a.pValue = kms_secret_fill(key);
	rv = s->f->C_GetAttributeValue(s->h, h, &a, 1);
	if (rv != CKR_OK)
		r = hsm_session_fail(s, rv, "C_GetAttributeValue(CKA_VALUE)");
	else if (a.ulValueLen != KMS_KEY_LEN)
		r = kms_fail(KMS_ERR_TOKEN,
		    "token: does not show the value of an unwrapped key");
	else
		*out = kms_secret_take(&key);
	kms_secret_free(&key);
	return r;
}
