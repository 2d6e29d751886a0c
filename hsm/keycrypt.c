#include "hsm/keycrypt.h"

#include <string.h>

#define CIPHER_MAX (KMS_KEY_LEN + KMS_GCM_TAG)

/* The mechanism with its parameters; returns the length of its IV. */
static size_t
cipher_init(struct hsm_cipher *c, enum kms_mech mech)
{
	enum kms_cipher cipher = mech == KMS_MECH_AES_CBC ? KMS_CIPHER_CBC
							  : KMS_CIPHER_GCM;

	hsm_cipher_init(c, cipher);
	return kms_cipher_iv_len(cipher);
}

/* iv | ciphertext (| tag). The IV is copied after the call: a token in FIPS
 * mode puts its own there. */
static int
encrypt(struct hsm_session *s, const struct hsm_master *m,
    const struct kms_secret *key, struct kms_wrapped *w)
{
	CK_ULONG len = CIPHER_MAX;
	struct kms_secret *in = NULL;
	struct hsm_cipher c;
	size_t iv_len;
	CK_RV rv;
	int r;

	iv_len = cipher_init(&c, m->mech);
	r = kms_random(c.iv, iv_len);
	/* C_Encrypt's input is not const */
	if (r == 0)
		r = kms_secret_dup(key, &in);
	if (r == 0)
		r = kms_kcv(key, w->kcv);
	if (r != 0)
		goto out;
	rv = s->f->C_EncryptInit(s->h, &c.m, m->h);
	if (rv == CKR_OK)
		rv = s->f->C_Encrypt(s->h, kms_secret_fill(in), KMS_KEY_LEN,
		    w->bytes + iv_len, &len);
	if (rv != CKR_OK) {
		r = hsm_session_fail(s, rv, "C_Encrypt");
		goto out;
	}
	memcpy(w->bytes, c.iv, iv_len);
	w->len = iv_len + len;
	r = hsm_mech_check_len(m->mech, w);
out:
	kms_secret_free(&in);
	return r;
}

/* SoftHSM wants room for the whole ciphertext. */
int
hsm_keycrypt_unwrap(struct hsm_session *s, const struct hsm_master *m,
    const struct kms_wrapped *w, struct kms_secret **out)
{
	CK_ULONG len = CIPHER_MAX;
	struct kms_secret *key = NULL;
	CK_BYTE in[CIPHER_MAX];
	uint8_t kcv[KMS_KCV_LEN];
	struct hsm_cipher c;
	size_t iv_len;
	CK_RV rv;
	int r;

	iv_len = cipher_init(&c, m->mech);
	r = kms_secret_new(CIPHER_MAX, &key);
	if (r != 0)
		return r;
	memcpy(c.iv, w->bytes, iv_len);
	memcpy(in, w->bytes + iv_len, w->len - iv_len);
	rv = s->f->C_DecryptInit(s->h, &c.m, m->h);
	if (rv == CKR_OK)
		rv = s->f->C_Decrypt(s->h, in, w->len - iv_len,
		    kms_secret_fill(key), &len);
	if (rv != CKR_OK)
		r = hsm_mech_unwrap_fail(s, rv, "C_Decrypt");
	else if (len != KMS_KEY_LEN)
		r = kms_fail(KMS_ERR_AUTH, "C_Decrypt: a key of %lu bytes",
		    len);
	else
		r = kms_secret_truncate(key, KMS_KEY_LEN);
	if (r == 0)
		r = kms_kcv(key, kcv);
	if (r == 0)
		r = hsm_mech_check_kcv(kcv, w);
	if (r == 0)
		*out = kms_secret_take(&key);
	kms_secret_free(&key);
	return r;
}

/* C_GenerateRandom mixed with the host's own, so that neither alone decides. */
static int
random_key(struct hsm_session *s, struct kms_secret **out)
{
	struct kms_secret *a = NULL, *b = NULL;
	uint8_t *p;
	CK_RV rv;
	int r;

	r = kms_random_secret(KMS_KEY_LEN, &a);
	if (r == 0)
		r = kms_secret_new(KMS_KEY_LEN, &b);
	if (r != 0)
		goto out;
	rv = s->f->C_GenerateRandom(s->h, kms_secret_fill(b), KMS_KEY_LEN);
	if (rv != CKR_OK) {
		r = hsm_session_fail(s, rv, "C_GenerateRandom");
		goto out;
	}
	p = kms_secret_fill(a);
	for (size_t i = 0; i < KMS_KEY_LEN; i++)
		p[i] ^= kms_secret_bytes(b)[i];
	*out = kms_secret_take(&a);
out:
	kms_secret_free(&a);
	kms_secret_free(&b);
	return r;
}

int
hsm_keycrypt_wrap(struct hsm_session *s, const struct hsm_master *m,
    const struct kms_secret *key, struct kms_wrapped *w)
{
	struct kms_secret *born = NULL, *again = NULL;
	int r = 0;

	if (key == NULL)
		r = random_key(s, &born);
	if (r == 0)
		r = encrypt(s, m, key != NULL ? key : born, w);
	if (r == 0)
		r = hsm_keycrypt_unwrap(s, m, w, &again);
	kms_secret_free(&again);
	kms_secret_free(&born);
	return r;
}
