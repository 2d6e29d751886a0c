#include "hsm/cipher.h"

#include <string.h>

#include "hsm/ckr.h"
#include "hsm/datakey.h"
#include "hsm/inject.h"
#include "hsm/mech.h"

void
hsm_cipher_init(struct hsm_cipher *p, enum kms_cipher cipher)
{
	memset(p, 0, sizeof(*p));
	switch (cipher) {
	case KMS_CIPHER_ECB:
		p->m.mechanism = CKM_AES_ECB;
		return;
	case KMS_CIPHER_CBC:
		p->m.mechanism = CKM_AES_CBC;
		p->m.pParameter = p->iv;
		p->m.ulParameterLen = kms_cipher_iv_len(cipher);
		return;
	case KMS_CIPHER_GCM:
		break;
	}
	p->m.mechanism = CKM_AES_GCM;
	p->m.pParameter = &p->gcm;
	p->m.ulParameterLen = sizeof(p->gcm);
	p->gcm.pIv = p->iv;
	p->gcm.ulIvLen = KMS_GCM_IV;
	p->gcm.ulIvBits = KMS_GCM_IV * 8;
	p->gcm.ulTagBits = KMS_GCM_TAG * 8;
}

/* The token's pointers are not const, though it only reads there. */
static void
set_parameters(struct hsm_cipher *p, const struct kms_crypt *c)
{
	hsm_cipher_init(p, c->cipher);
	memcpy(p->iv, c->iv, sizeof(p->iv));
	memcpy(&p->gcm.pAAD, &c->aad.p, sizeof(p->gcm.pAAD));
	p->gcm.ulAADLen = c->aad.len;
	p->gcm.ulTagBits = c->tag_len * 8;
}

static int
encrypt(struct hsm_session *s, CK_OBJECT_HANDLE h, struct kms_crypt *c,
    struct kms_secret *in, struct kms_secret *out)
{
	CK_ULONG len = kms_secret_len(out);
	struct hsm_cipher p;
	CK_RV rv;

	set_parameters(&p, c);
	rv = s->f->C_EncryptInit(s->h, &p.m, h);
	if (rv != CKR_OK)
		return hsm_session_fail(s, rv, "C_EncryptInit");
	rv = s->f->C_Encrypt(s->h, kms_secret_fill(in),
	    kms_secret_len(in) - c->tag_len, kms_secret_fill(out), &len);
	if (rv != CKR_OK)
		return hsm_session_fail(s, rv, "C_Encrypt");
	/* in FIPS mode some put their own IV there */
	if (len != kms_secret_len(in) || memcmp(p.iv, c->iv, sizeof(p.iv)) != 0)
		return kms_fail(KMS_ERR_TOKEN,
		    "C_Encrypt(%s): not with this IV, or not of this length",
		    kms_cipher_name(c->cipher));
	len -= c->tag_len;
	memcpy(c->tag, kms_secret_bytes(out) + len, c->tag_len);
	return kms_secret_truncate(out, len);
}

static int
decrypt(struct hsm_session *s, CK_OBJECT_HANDLE h, struct kms_crypt *c,
    struct kms_secret *in, struct kms_secret *out)
{
	CK_ULONG len = kms_secret_len(out);
	struct hsm_cipher p;
	CK_RV rv;
	int r;

	set_parameters(&p, c);
	memcpy(kms_secret_fill(in) + c->in.len, c->tag, c->tag_len);
	rv = s->f->C_DecryptInit(s->h, &p.m, h);
	if (rv != CKR_OK)
		return hsm_session_fail(s, rv, "C_DecryptInit");
	rv = s->f->C_Decrypt(s->h, kms_secret_fill(in), kms_secret_len(in),
	    kms_secret_fill(out), &len);
	if (rv != CKR_OK) {
		r = hsm_mech_unwrap_fail(s, rv, "C_Decrypt");
		return r == KMS_ERR_AUTH ? kms_cipher_refuse(c) : r;
	}
	if (len != c->in.len)
		return kms_fail(KMS_ERR_TOKEN,
		    "C_Decrypt(%s): %lu bytes for %zu",
		    kms_cipher_name(c->cipher), len, c->in.len);
	return kms_secret_truncate(out, len);
}

/* The ciphertext of GCM ends with its tag; SoftHSM wants room for all of it
 * when it decrypts. */
int
hsm_cipher_run(struct hsm_session *s, CK_OBJECT_HANDLE h, struct kms_crypt *c)
{
	struct kms_secret *in = NULL, *out = NULL;
	int r;

	c->out = NULL;
	r = kms_cipher_check(c);
	if (r == 0)
		r = kms_cipher_input(c, c->tag_len, &in);
	if (r == 0)
		r = kms_secret_new(kms_secret_len(in), &out);
	if (r == 0)
		r = c->decrypt ? decrypt(s, h, c, in, out)
			       : encrypt(s, h, c, in, out);
	if (r == 0 && c->padded && c->decrypt)
		r = kms_cipher_unpad(out);
	if (r == 0)
		c->out = kms_secret_take(&out);
	kms_secret_free(&out);
	kms_secret_free(&in);
	return r;
}

/* --- what the token does ------------------------------------------------ */

/* A throw-away key, known on both sides. */
struct probe {
	struct hsm_session s;
	struct kms_secret *key;
	CK_OBJECT_HANDLE h;
};

static const uint8_t
    sample[2 * KMS_CIPHER_BLOCK] = "text that both sides encrypt";

static void
ask(struct kms_crypt *c, enum kms_cipher cipher)
{
	*c = (struct kms_crypt){
	    .cipher = cipher,
	    .in = {sample, sizeof(sample)},
	    .iv_len = kms_cipher_iv_len(cipher),
	    .tag_len = cipher == KMS_CIPHER_GCM ? KMS_GCM_TAG : 0,
	};
	if (c->tag_len > 0)
		c->aad = (struct kms_bytes){sample, 5};
	memset(c->iv, 7, c->iv_len);
}

/* Encrypts as the host does, and decrypts what the host encrypted. */
static int
try_one(struct probe *p, enum kms_cipher cipher, bool *does)
{
	struct kms_crypt host, token, back;
	int r;

	ask(&host, cipher);
	ask(&token, cipher);
	ask(&back, cipher);
	r = kms_cipher_run(p->key, &host);
	if (r != 0)
		return r;
	r = hsm_cipher_run(&p->s, p->h, &token);
	*does = r == 0 && kms_secret_equal(host.out, token.out) &&
	    memcmp(host.tag, token.tag, sizeof(host.tag)) == 0;
	back.decrypt = true;
	back.in.p = kms_secret_bytes(host.out);
	memcpy(back.tag, host.tag, sizeof(back.tag));
	if (*does) {
		r = hsm_cipher_run(&p->s, p->h, &back);
		*does = r == 0 &&
		    memcmp(kms_secret_bytes(back.out), sample,
			sizeof(sample)) == 0;
	}
	kms_secret_free(&host.out);
	kms_secret_free(&token.out);
	kms_secret_free(&back.out);
	return r;
}

/* A refusal is an answer, a token that goes away is none. A call that failed
 * may leave its session unusable: the next mode has a new one. */
static int
try_in_session(struct hsm_session *s, struct probe *p, enum kms_cipher cipher,
    bool *does)
{
	struct hsm_template t;
	int r;

	*does = false;
	r = hsm_session_beside(s, &p->s);
	if (r != 0)
		return r;
	hsm_datakey_both(&t);
	r = hsm_inject(&p->s, p->key, &t, &p->h);
	if (r == 0) {
		r = try_one(p, cipher, does);
		hsm_object_discard(&p->s, p->h);
	}
	hsm_session_close(&p->s);
	if (r == 0 || r == KMS_ERR_MEMORY || r == KMS_ERR_LIMIT)
		return r;
	if (p->s.rv == CKR_OK || hsm_ckr_class(p->s.rv) == HSM_CKR_REFUSED ||
	    p->s.rv == CKR_GENERAL_ERROR) {
		kms_err_clear();
		return 0;
	}
	s->rv = p->s.rv;
	return r;
}

/* ECB comes last, for every token here has it: check values are made by it.
 * Without it the refusals before were no answers either. */
int
hsm_cipher_probe(struct hsm_session *s, unsigned *ciphers)
{
	static const enum kms_cipher all[] = {KMS_CIPHER_GCM, KMS_CIPHER_CBC,
	    KMS_CIPHER_ECB};
	struct probe p = {.key = NULL};
	bool does;
	size_t i;
	int r;

	*ciphers = 0;
	r = kms_random_secret(KMS_KEY_LEN, &p.key);
	for (i = 0; r == 0 && i < sizeof(all) / sizeof(all[0]); i++) {
		r = try_in_session(s, &p, all[i], &does);
		if (r == 0 && does)
			*ciphers |= 1u << all[i];
	}
	if (r == 0 && (*ciphers & 1u << KMS_CIPHER_ECB) == 0)
		r = kms_fail(KMS_ERR_TOKEN,
		    "token: does not encrypt under a key that was put in");
	kms_secret_free(&p.key);
	return r;
}
