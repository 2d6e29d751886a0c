#include "hsm/wrap.h"

#include <string.h>

#include "hsm/keycrypt.h"
#include "hsm/keywrap.h"

/* A key that does not come back must not be given out as wrapped. */
static int
wrap_and_read_back(struct hsm_session *s, const struct hsm_master *m,
    const struct kms_secret *key, struct kms_wrapped *w)
{
	int r;

	r = hsm_mech_wraps(m->mech) ? hsm_keywrap_wrap(s, m, key, w)
				    : hsm_keycrypt_wrap(s, m, key, w);
	if (r == KMS_ERR_AUTH)
		r = kms_fail(KMS_ERR_TOKEN,
		    "token: what it wrapped does not unwrap again: %s",
		    kms_err_cause(r));
	return r;
}

int
hsm_wrap_make(struct hsm_session *s, const struct hsm_master *m,
    const struct kms_secret *key, struct kms_wrapped *out)
{
	struct kms_wrapped w;
	int r;

	memset(&w, 0, sizeof(w));
	memset(out, 0, sizeof(*out));
	if (key != NULL && kms_secret_len(key) != KMS_KEY_LEN)
		return kms_fail(KMS_ERR_INTERNAL, "wrap: a key of %zu bytes",
		    kms_secret_len(key));
	r = wrap_and_read_back(s, m, key, &w);
	if (r == 0)
		*out = w;
	return r;
}

int
hsm_wrap_open(struct hsm_session *s, const struct hsm_master *m,
    const struct kms_wrapped *w, struct kms_secret **out)
{
	int r;

	*out = NULL;
	r = hsm_mech_check_len(m->mech, w);
	if (r != 0)
		return r;
	return hsm_mech_wraps(m->mech) ? hsm_keywrap_unwrap(s, m, w, out)
				       : hsm_keycrypt_unwrap(s, m, w, out);
}

int
hsm_wrap_prove(struct hsm_session *s, const struct hsm_master *m,
    const struct kms_wrapped *w)
{
	struct kms_secret *key = NULL;
	int r;

	r = hsm_mech_check_len(m->mech, w);
	if (r != 0)
		return r;
	if (hsm_mech_wraps(m->mech))
		return hsm_keywrap_prove(s, m, w);
	r = hsm_keycrypt_unwrap(s, m, w, &key);
	kms_secret_free(&key);
	return r;
}

int
hsm_wrap_crypt(struct hsm_session *s, const struct hsm_master *m,
    const struct kms_wrapped *w, struct kms_crypt *c)
{
	struct kms_secret *key = NULL;
	int r;

	c->out = NULL;
	if (hsm_mech_wraps(m->mech))
		return hsm_keywrap_crypt(s, m, w, c);
	r = hsm_wrap_open(s, m, w, &key);
	if (r == 0)
		r = kms_cipher_run(key, c);
	kms_secret_free(&key);
	return r;
}

int
hsm_wrap_move(struct hsm_session *s, const struct hsm_master *from,
    const struct hsm_master *to, struct kms_wrapped *w)
{
	struct kms_secret *key = NULL;
	struct kms_wrapped out;
	int r;

	memset(&out, 0, sizeof(out));
	r = hsm_mech_check_len(from->mech, w);
	if (r != 0)
		return r;
	if (hsm_mech_wraps(from->mech) && hsm_mech_wraps(to->mech)) {
		r = hsm_keywrap_move(s, from, to, w, &out);
	} else {
		r = hsm_wrap_open(s, from, w, &key);
		if (r == 0)
			r = hsm_wrap_make(s, to, key, &out);
		kms_secret_free(&key);
	}
	if (r == 0)
		*w = out;
	return r;
}
