#include "hsm/trial.h"

#include <string.h>

#include "hsm/ckr.h"
#include "hsm/host.h"
#include "hsm/object.h"

/* Which of our own errors is no verdict on the key or the mechanism. */
static bool
is_trouble(int r, CK_RV rv)
{
	return r == KMS_ERR_MEMORY || r == KMS_ERR_LIMIT ||
	    r == KMS_ERR_INTERNAL ||
	    (rv != CKR_OK && hsm_ckr_class(rv) == HSM_CKR_AWAY);
}

static int
same_key(struct hsm_session *s, const struct hsm_master *m,
    const struct kms_wrapped *w, const struct kms_secret *key)
{
	struct kms_secret *again = NULL;
	int r;

	r = hsm_wrap_open(s, m, w, &again);
	if (r == 0 && !kms_secret_equal(again, key))
		r = kms_fail(KMS_ERR_MASTER, "unwraps to another key");
	kms_secret_free(&again);
	return r;
}

/* One bit of the last byte: CBC shows it by the check value, others refuse. */
static int
refuses_altered(struct hsm_session *s, const struct hsm_master *m,
    const struct kms_wrapped *w)
{
	struct kms_wrapped bad = *w;
	struct kms_secret *key = NULL;
	int r;

	bad.bytes[bad.len - 1] ^= 1;
	r = hsm_wrap_open(s, m, &bad, &key);
	kms_secret_free(&key);
	if (r == KMS_ERR_AUTH)
		return 0;
	return r != 0
	    ? r
	    : kms_fail(KMS_ERR_MASTER, "takes an altered wrapped key");
}

static int
host_agrees(const struct hsm_master *m, const struct kms_secret *value,
    const struct kms_wrapped *w, const struct kms_secret *key)
{
	struct kms_secret *by_host = NULL;
	int r;

	r = hsm_host_unwrap(m->mech, value, w, &by_host);
	if (r == KMS_ERR_AUTH || (r == 0 && !kms_secret_equal(by_host, key)))
		r = kms_fail(KMS_ERR_MASTER,
		    "is not the key that was put in, or its %s is not the "
		    "standard one",
		    hsm_mech_name(m->mech));
	kms_secret_free(&by_host);
	return r;
}

/* Wraps in s, all else in s2, which the last step may leave unusable. */
static int
chain(struct hsm_session *s, struct hsm_session *s2, const struct hsm_master *m,
    const struct kms_secret *value, struct kms_wrapped *w)
{
	struct kms_secret *key = NULL;
	struct kms_wrapped moved;
	int r;

	r = hsm_wrap_make(s, m, NULL, w);
	if (r == 0)
		r = hsm_wrap_open(s2, m, w, &key);
	if (r == 0) {
		moved = *w;
		r = hsm_wrap_move(s2, m, m, &moved);
	}
	if (r == 0)
		r = same_key(s2, m, &moved, key);
	if (r == 0 && value != NULL)
		r = host_agrees(m, value, w, key);
	if (r == 0)
		r = refuses_altered(s2, m, w);
	kms_secret_free(&key);
	return r;
}

int
hsm_trial_master(struct hsm_session *s, const struct hsm_master *m,
    const struct kms_secret *value, struct kms_wrapped *known)
{
	struct hsm_session s2;
	int r;

	r = hsm_session_beside(s, &s2);
	if (r != 0)
		return r;
	r = chain(s, &s2, m, value, known);
	hsm_session_close(&s2);
	if (r == 0)
		return 0;
	if (s->rv == CKR_OK)
		s->rv = s2.rv;
	if (is_trouble(r, s->rv))
		return r;
	return kms_fail(KMS_ERR_MASTER, "self-test: %s: %s",
	    hsm_mech_name(m->mech), kms_err_cause(r));
}

/* Copying the key with the opposite usages, or changing them, would undo the
 * separation: with both pairs the token gives up data keys. */
static int
refuses_copy(struct hsm_session *s, CK_OBJECT_HANDLE h, bool wraps)
{
	CK_OBJECT_HANDLE copy = CK_INVALID_HANDLE;
	struct hsm_template t;

	hsm_template_init(&t);
	hsm_template_bool(&t, CKA_TOKEN, false);
	hsm_template_bool(&t, wraps ? CKA_DECRYPT : CKA_UNWRAP, true);
	if (s->f->C_CopyObject(s->h, h, t.a, t.n, &copy) != CKR_OK)
		return 0;
	hsm_object_discard(s, copy);
	return kms_fail(KMS_ERR_MASTER,
	    "self-test: the token copies it with more usages");
}

/* Only on a key just made: a kill during C_SetAttributeValue can lose it. */
static int
refuses_change(struct hsm_session *s, CK_OBJECT_HANDLE h, bool wraps)
{
	struct hsm_template t;

	hsm_template_init(&t);
	hsm_template_bool(&t, wraps ? CKA_DECRYPT : CKA_UNWRAP, true);
	if (s->f->C_SetAttributeValue(s->h, h, t.a, t.n) != CKR_OK)
		return 0;
	return kms_fail(KMS_ERR_MASTER,
	    "self-test: the token lets its usages be changed");
}

int
hsm_trial_locked(struct hsm_session *s, const struct hsm_master *m,
    bool just_made)
{
	bool wraps = hsm_mech_wraps(m->mech);
	int r;

	r = refuses_copy(s, m->h, wraps);
	if (r == 0 && just_made)
		r = refuses_change(s, m->h, wraps);
	return r;
}

static int
make_throwaway(struct hsm_session *s, enum kms_mech mech, CK_OBJECT_HANDLE *out)
{
	CK_MECHANISM gen = {CKM_AES_KEY_GEN, NULL, 0};
	bool wraps = hsm_mech_wraps(mech);
	struct hsm_template t;
	CK_RV rv;

	hsm_template_init(&t);
	hsm_template_number(&t, CKA_CLASS, CKO_SECRET_KEY);
	hsm_template_number(&t, CKA_KEY_TYPE, CKK_AES);
	hsm_template_bool(&t, CKA_TOKEN, false);
	hsm_template_bool(&t, CKA_SENSITIVE, true);
	hsm_template_bool(&t, CKA_EXTRACTABLE, false);
	hsm_template_bool(&t, CKA_WRAP, wraps);
	hsm_template_bool(&t, CKA_UNWRAP, wraps);
	hsm_template_bool(&t, CKA_ENCRYPT, !wraps);
	hsm_template_bool(&t, CKA_DECRYPT, !wraps);
	hsm_template_number(&t, CKA_VALUE_LEN, KMS_KEY_LEN);
	rv = s->f->C_GenerateKey(s->h, &gen, t.a, t.n, out);
	return rv == CKR_OK ? 0 : hsm_session_fail(s, rv, "C_GenerateKey");
}

/* In a session of its own, which takes the throw-away key with it. */
static int
try_mech(struct hsm_session *s, struct hsm_quirks *q, enum kms_mech mech)
{
	struct hsm_master m = {.mech = mech, .quirks = q};
	struct hsm_session own;
	struct kms_wrapped w;
	int r;

	r = hsm_session_beside(s, &own);
	if (r != 0)
		return r;
	r = make_throwaway(&own, mech, &m.h);
	if (r == 0)
		r = hsm_trial_master(&own, &m, NULL, &w);
	hsm_session_close(&own);
	if (is_trouble(r, own.rv))
		s->rv = own.rv;
	return r;
}

int
hsm_trial_probe(struct hsm_session *s, struct hsm_quirks *q,
    enum kms_mech *mech)
{
	static const enum kms_mech order[] = {
	    KMS_MECH_AES_KW,
	    KMS_MECH_AES_KWP,
	    KMS_MECH_AES_GCM,
	    KMS_MECH_AES_CBC,
	};
	int r = KMS_ERR_INTERNAL;

	*mech = KMS_MECH_NONE;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		r = try_mech(s, q, order[i]);
		if (r == 0) {
			*mech = order[i];
			return 0;
		}
		if (is_trouble(r, s->rv))
			return r;
	}
	return kms_fail(KMS_ERR_TOKEN,
	    "token: has none of AES-KW, AES-KWP, AES-GCM and AES-CBC in "
	    "working order (%s)",
	    kms_err_cause(r));
}
