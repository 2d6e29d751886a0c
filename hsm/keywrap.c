#include "hsm/keywrap.h"

#include <string.h>

/* RFC 5649 has two numbers: a token that does not know one is asked by the
 * other, and the answer kept. */
static bool
other_kwp(const struct hsm_master *m, CK_RV rv)
{
	if (rv != CKR_MECHANISM_INVALID || m->mech != KMS_MECH_AES_KWP)
		return false;
	return !atomic_exchange(&m->quirks->old_kwp, true);
}

static CK_RV
wrap_call(struct hsm_session *s, const struct hsm_master *m, CK_OBJECT_HANDLE d,
    struct kms_wrapped *w)
{
	CK_MECHANISM k = {hsm_mech_type(m->mech, m->quirks), NULL, 0};
	CK_ULONG len = sizeof(w->bytes);
	CK_RV rv;

	rv = s->f->C_WrapKey(s->h, &k, m->h, d, w->bytes, &len);
	w->len = rv == CKR_OK ? len : 0;
	return rv;
}

static CK_RV
unwrap_call(struct hsm_session *s, const struct hsm_master *m,
    const struct kms_wrapped *w, struct hsm_template *t, CK_OBJECT_HANDLE *d)
{
	CK_MECHANISM k = {hsm_mech_type(m->mech, m->quirks), NULL, 0};
	CK_BYTE in[KMS_WRAPPED_MAX];

	memcpy(in, w->bytes, w->len);
	return s->f->C_UnwrapKey(s->h, &k, m->h, in, w->len, t->a, t->n, d);
}

static int
unwrap_as(struct hsm_session *s, const struct hsm_master *m,
    const struct kms_wrapped *w, struct hsm_template *t, CK_OBJECT_HANDLE *d)
{
	CK_RV rv;
	int r;

	*d = CK_INVALID_HANDLE;
	r = hsm_mech_check_len(m->mech, w);
	if (r != 0)
		return r;
	rv = unwrap_call(s, m, w, t, d);
	if (other_kwp(m, rv))
		rv = unwrap_call(s, m, w, t, d);
	return rv == CKR_OK ? 0 : hsm_mech_unwrap_fail(s, rv, "C_UnwrapKey");
}

static int
unwrap_hidden(struct hsm_session *s, const struct hsm_master *m,
    const struct kms_wrapped *w, CK_OBJECT_HANDLE *d)
{
	struct hsm_template t;

	hsm_datakey_hidden(&t);
	return unwrap_as(s, m, w, &t, d);
}

static bool
is_template_refusal(CK_RV rv)
{
	return rv == CKR_ATTRIBUTE_READ_ONLY ||
	    rv == CKR_TEMPLATE_INCONSISTENT || rv == CKR_TEMPLATE_INCOMPLETE;
}

static int
unwrap_readable(struct hsm_session *s, const struct hsm_master *m,
    const struct kms_wrapped *w, CK_OBJECT_HANDLE *d)
{
	bool bare = m->quirks->bare_template;
	struct hsm_template t;
	CK_RV rv;

	*d = CK_INVALID_HANDLE;
	hsm_datakey_readable(&t, bare);
	rv = unwrap_call(s, m, w, &t, d);
	if (other_kwp(m, rv))
		rv = unwrap_call(s, m, w, &t, d);
	if (!bare && is_template_refusal(rv)) {
		hsm_datakey_readable(&t, true);
		rv = unwrap_call(s, m, w, &t, d);
		if (rv == CKR_OK)
			m->quirks->bare_template = true;
	}
	return rv == CKR_OK ? 0 : hsm_mech_unwrap_fail(s, rv, "C_UnwrapKey");
}

static int
check_inside(struct hsm_session *s, CK_OBJECT_HANDLE d,
    const struct kms_wrapped *w)
{
	uint8_t kcv[KMS_KCV_LEN];
	int r;

	r = hsm_datakey_kcv(s, d, kcv);
	return r != 0 ? r : hsm_mech_check_kcv(kcv, w);
}

/* Destroys a session object after work on it; its failure counts only when
 * the work itself went well. */
static int
done_with(struct hsm_session *s, CK_OBJECT_HANDLE d, int r)
{
	if (r == 0)
		return hsm_object_destroy(s, d);
	hsm_object_discard(s, d);
	return r;
}

int
hsm_keywrap_prove(struct hsm_session *s, const struct hsm_master *m,
    const struct kms_wrapped *w)
{
	CK_OBJECT_HANDLE d;
	int r;

	r = unwrap_hidden(s, m, w, &d);
	if (r == 0)
		r = check_inside(s, d, w);
	return done_with(s, d, r);
}

/* Wraps a data key that is in the token already, and reads it back. */
static int
wrap_object(struct hsm_session *s, const struct hsm_master *m,
    CK_OBJECT_HANDLE d, struct kms_wrapped *w)
{
	CK_RV rv;
	int r;

	rv = wrap_call(s, m, d, w);
	if (other_kwp(m, rv))
		rv = wrap_call(s, m, d, w);
	if (rv != CKR_OK)
		return hsm_session_fail(s, rv, "C_WrapKey");
	r = hsm_mech_check_len(m->mech, w);
	return r != 0 ? r : hsm_keywrap_prove(s, m, w);
}

int
hsm_keywrap_wrap(struct hsm_session *s, const struct hsm_master *m,
    const struct kms_secret *key, struct kms_wrapped *w)
{
	CK_OBJECT_HANDLE d = CK_INVALID_HANDLE;
	int r;

	if (key == NULL) {
		r = hsm_datakey_born(s, &d);
		if (r == 0)
			r = hsm_datakey_kcv(s, d, w->kcv);
	} else {
		r = kms_kcv(key, w->kcv);
		if (r == 0)
			r = hsm_datakey_put(s, key, &d);
	}
	if (r == 0)
		r = wrap_object(s, m, d, w);
	return done_with(s, d, r);
}

int
hsm_keywrap_unwrap(struct hsm_session *s, const struct hsm_master *m,
    const struct kms_wrapped *w, struct kms_secret **out)
{
	struct kms_secret *key = NULL;
	uint8_t kcv[KMS_KCV_LEN];
	CK_OBJECT_HANDLE d;
	int r;

	r = unwrap_readable(s, m, w, &d);
	if (r == 0)
		r = hsm_datakey_read(s, d, &key);
	r = done_with(s, d, r);
	if (r == 0)
		r = kms_kcv(key, kcv);
	if (r == 0)
		r = hsm_mech_check_kcv(kcv, w);
	if (r == 0)
		*out = kms_secret_take(&key);
	kms_secret_free(&key);
	return r;
}

/* A key that only decrypts cannot tell its check value: another of the same
 * bytes does before. */
static int
run_cipher(struct hsm_session *s, const struct hsm_master *m,
    const struct kms_wrapped *w, struct kms_crypt *c)
{
	CK_OBJECT_HANDLE d = CK_INVALID_HANDLE;
	struct hsm_template t;
	int r = 0;

	hsm_datakey_single(&t, c->decrypt);
	if (c->decrypt)
		r = hsm_keywrap_prove(s, m, w);
	if (r == 0)
		r = unwrap_as(s, m, w, &t, &d);
	if (r == 0 && !c->decrypt)
		r = check_inside(s, d, w);
	if (r == 0)
		r = hsm_cipher_run(s, d, c);
	return done_with(s, d, r);
}

int
hsm_keywrap_crypt(struct hsm_session *s, const struct hsm_master *m,
    const struct kms_wrapped *w, struct kms_crypt *c)
{
	int r;

	r = run_cipher(s, m, w, c);
	if (r != KMS_ERR_USAGE || s->rv == CKR_OK)
		return r;
	/* SoftHSM says CKR_GENERAL_ERROR of a wrong tag as of its own
	 * failure; one that still does its work meant the tag. */
	r = hsm_keywrap_prove(s, m, w);
	if (r != 0)
		return r;
	s->rv = CKR_OK;
	return kms_cipher_refuse(c);
}

int
hsm_keywrap_move(struct hsm_session *s, const struct hsm_master *from,
    const struct hsm_master *to, const struct kms_wrapped *in,
    struct kms_wrapped *out)
{
	CK_OBJECT_HANDLE d;
	int r;

	r = unwrap_hidden(s, from, in, &d);
	if (r == 0)
		r = check_inside(s, d, in);
	memcpy(out->kcv, in->kcv, sizeof(out->kcv));
	if (r == 0)
		r = wrap_object(s, to, d, out);
	return done_with(s, d, r);
}
