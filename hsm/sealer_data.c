/* What the sealer does with data keys. */
#include <string.h>

#include "hsm/cipher.h"
#include "hsm/sealer_impl.h"
#include "hsm/wrap.h"

/* The arguments of an operation: each uses those it needs. */
struct job {
	struct hsm_job base; /* first: the one is the other */
	struct hsm_sealer *z;
	const struct kms_secret *key;
	struct kms_secret **key_out;
	const struct kms_wrapped *in;
	struct kms_wrapped *out;
	size_t n; /* of out */
	struct kms_crypt *crypt;
	unsigned *ciphers;
};

static int
run(struct kms_sealer *s, struct job *j)
{
	j->z = (struct hsm_sealer *)s;
	return hsm_job_run(j->z->token, j->z->ring, &j->base);
}

static struct job *
job_of(struct hsm_job *base)
{
	return (struct job *)base;
}

/* Proven on the spot: a wrap under the wrong key would lose the data key. */
static int
do_wrap(struct hsm_job *base, struct hsm_session *s)
{
	struct job *j = job_of(base);
	struct hsm_master m;
	int r;

	r = hsm_keyring_get(j->z->ring, s, j->base.slot, &m);
	if (r == 0)
		r = hsm_keyring_prove(j->z->ring, s, j->base.slot, &m);
	if (r == 0)
		r = hsm_wrap_make(s, &m, j->key, j->out);
	return r;
}

int
hsm_sealer_wrap(struct kms_sealer *s, const struct kms_slot *slot,
    const struct kms_secret *key, struct kms_wrapped *out)
{
	struct job j = {.base.run = do_wrap,
	    .base.slot = slot,
	    .key = key,
	    .out = out};

	memset(out, 0, sizeof(*out));
	return run(s, &j);
}

static int
does_not_open(const struct job *j)
{
	return kms_fail(KMS_ERR_AUTH,
	    "a wrapped key does not open under master key '%s' (%s)",
	    j->base.slot->id, kms_err_cause(KMS_ERR_AUTH));
}

/* key_out NULL: only proven. */
static int
do_unwrap(struct hsm_job *base, struct hsm_session *s)
{
	struct job *j = job_of(base);
	struct hsm_master m;
	int r;

	r = hsm_keyring_get(j->z->ring, s, j->base.slot, &m);
	if (r != 0)
		return r;
	r = j->key_out != NULL ? hsm_wrap_open(s, &m, j->in, j->key_out)
			       : hsm_wrap_prove(s, &m, j->in);
	if (r == KMS_ERR_AUTH)
		return does_not_open(j);
	if (r != 0)
		return kms_fail_add(r, "master key '%s'", j->base.slot->id);
	r = hsm_keyring_learn(j->z->ring, j->base.slot, j->in);
	if (r != 0)
		kms_secret_free(j->key_out);
	return r;
}

int
hsm_sealer_unwrap(struct kms_sealer *s, const struct kms_slot *slot,
    const struct kms_wrapped *in, struct kms_secret **out)
{
	struct job j = {
	    .base.run = do_unwrap,
	    .base.slot = slot,
	    .in = in,
	    .key_out = out,
	};

	*out = NULL;
	return run(s, &j);
}

int
hsm_sealer_prove(struct kms_sealer *s, const struct kms_slot *slot,
    const struct kms_wrapped *in)
{
	struct job j = {
	    .base.run = do_unwrap,
	    .base.slot = slot,
	    .in = in,
	};

	return run(s, &j);
}

/* What the token does with a key that it holds: asked once. The host has all
 * of them. */
static int
look_for_ciphers(struct job *j, struct hsm_session *s,
    const struct hsm_master *m, unsigned *ciphers)
{
	struct hsm_quirks *q = hsm_keyring_quirks(j->z->ring);
	int r;

	*ciphers = KMS_CIPHERS_ALL;
	if (!hsm_mech_wraps(m->mech))
		return 0;
	*ciphers = q->ciphers;
	if (*ciphers != 0)
		return 0;
	r = hsm_cipher_probe(s, ciphers);
	if (r == 0)
		q->ciphers = *ciphers;
	return r;
}

static int
do_ciphers(struct hsm_job *base, struct hsm_session *s)
{
	struct job *j = job_of(base);
	struct hsm_master m;
	int r;

	r = hsm_keyring_get(j->z->ring, s, j->base.slot, &m);
	return r != 0 ? r : look_for_ciphers(j, s, &m, j->ciphers);
}

int
hsm_sealer_ciphers(struct kms_sealer *s, const struct kms_slot *slot,
    unsigned *out)
{
	struct job j = {.base.run = do_ciphers,
	    .base.slot = slot,
	    .ciphers = out};

	*out = 0;
	return run(s, &j);
}

static int
do_crypt(struct hsm_job *base, struct hsm_session *s)
{
	struct job *j = job_of(base);
	struct kms_crypt *c = j->crypt;
	struct hsm_master m;
	unsigned has;
	int r;

	r = hsm_keyring_get(j->z->ring, s, j->base.slot, &m);
	if (r == 0)
		r = look_for_ciphers(j, s, &m, &has);
	if (r == 0 && (has & 1u << c->cipher) == 0)
		return kms_fail(KMS_ERR_USAGE, "%s: the token does not do it",
		    kms_cipher_name(c->cipher));
	if (r == 0)
		r = hsm_wrap_crypt(s, &m, j->in, c);
	return r == KMS_ERR_AUTH ? does_not_open(j) : r;
}

int
hsm_sealer_crypt(struct kms_sealer *s, const struct kms_slot *slot,
    const struct kms_wrapped *in, struct kms_crypt *c)
{
	struct job j = {
	    .base.run = do_crypt,
	    .base.slot = slot,
	    .in = in,
	    .crypt = c,
	};
	int r;

	c->out = NULL;
	r = kms_cipher_check(c);
	return r != 0 ? r : run(s, &j);
}

/* Proven before, so that no wrong key is used, and again after the last: by
 * the same handle, in the same session, so that none was between. */
static int
do_rewrap(struct hsm_job *base, struct hsm_session *s)
{
	struct job *j = job_of(base);
	struct kms_wrapped moved[KMS_REWRAP_MOST];
	struct hsm_master from, to;
	size_t i;
	int r;

	if (j->n > KMS_REWRAP_MOST)
		return kms_fail(KMS_ERR_INTERNAL, "rewrap: %zu keys", j->n);

	r = hsm_keyring_get(j->z->ring, s, j->base.slot, &from);
	if (r == 0)
		r = hsm_keyring_get(j->z->ring, s, j->base.to, &to);
	if (r == 0)
		r = hsm_keyring_prove(j->z->ring, s, j->base.to, &to);
	for (i = 0; r == 0 && i < j->n; i++) {
		moved[i] = j->out[i];
		r = hsm_wrap_move(s, &from, &to, &moved[i]);
	}
	if (r == 0)
		r = hsm_keyring_prove(j->z->ring, s, j->base.to, &to);
	if (r == 0)
		memcpy(j->out, moved, j->n * sizeof(moved[0]));
	return r;
}

int
hsm_sealer_rewrap(struct kms_sealer *s, const struct kms_slot *from,
    const struct kms_slot *to, struct kms_wrapped *w, size_t n)
{
	struct job j = {.base.run = do_rewrap,
	    .base.slot = from,
	    .base.to = to,
	    .out = w,
	    .n = n};

	return run(s, &j);
}
