#include "hsm/sealer_impl.h"

#include <stdlib.h>
#include <string.h>

#include "hsm/adopt.h"
#include "hsm/anchor.h"
#include "hsm/debris.h"
#include "hsm/trial.h"

/* The arguments of an operation: each uses those it needs. */
struct job {
	struct hsm_job base; /* first: the one is the other */
	struct hsm_sealer *z;
	const struct kms_slot *named; /* a key not used, only looked at */
	struct kms_slot *made;
	const struct kms_secret *key;
	const struct kms_wanted *wanted;
	struct kms_attr_report *report;
	const uint8_t (*known_debris)[32];
	uint8_t (*debris)[32];
	const uint8_t *uuid;
	const struct kms_anchor *anchor;
	struct kms_anchor *anchors;
	uint8_t *random;
	size_t size, *count; /* of the array among them, and of what is in it */
	struct hsm_info *info;
	enum kms_mech *mech;
};

static struct hsm_sealer *
self(struct kms_sealer *s)
{
	return (struct hsm_sealer *)s;
}

static int
run(struct kms_sealer *s, struct job *j)
{
	j->z = self(s);
	return hsm_job_run(j->z->token, j->z->ring, &j->base);
}

static int
run_locked(struct kms_sealer *s, struct job *j)
{
	j->z = self(s);
	return hsm_job_run_locked(j->z->token, j->z->ring, &j->base);
}

static struct job *
job_of(struct hsm_job *base)
{
	return (struct job *)base;
}

static void
put_names(const struct hsm_sealer *z, struct kms_slot *slot)
{
	memcpy(slot->token_label, hsm_token_label(z->token),
	    sizeof(slot->token_label));
	memcpy(slot->token_serial, hsm_token_serial(z->token),
	    sizeof(slot->token_serial));
}

static int
do_make(struct hsm_job *base, struct hsm_session *s)
{
	struct job *j = job_of(base);
	struct hsm_quirks *q = hsm_keyring_quirks(j->z->ring);
	struct kms_wrapped known;
	int r;

	hsm_keyring_remove(j->z->ring, j->made);
	r = hsm_master_make(s, q, j->key, j->made, &known);
	if (r != 0)
		return r;
	put_names(j->z, j->made);
	return hsm_keyring_learn(j->z->ring, j->made, &known);
}

static int
make(struct kms_sealer *s, const struct kms_secret *key, struct kms_slot *slot)
{
	struct job j = {
	    .base.run = do_make,
	    .base.alone = true,
	    .key = key,
	    .made = slot,
	};

	return run_locked(s, &j);
}

/* A preview fills a slot of its own, and learns nothing. */
static int
do_adopt(struct hsm_job *base, struct hsm_session *s)
{
	struct job *j = job_of(base);
	struct hsm_quirks *q = hsm_keyring_quirks(j->z->ring);
	struct kms_slot slot = {.role = KMS_ROLE_HMK};
	struct kms_wrapped known;
	int r;

	if (j->made != NULL)
		slot = *j->made;
	r = hsm_adopt_key(s, q, j->wanted, &slot, j->report, &known);
	if (r != 0 || j->made == NULL)
		return r;
	put_names(j->z, &slot);
	*j->made = slot;
	return hsm_keyring_learn(j->z->ring, j->made, &known);
}

static int
adopt(struct kms_sealer *s, const struct kms_wanted *wanted,
    struct kms_slot *slot, struct kms_attr_report *report)
{
	struct job j = {
	    .base.run = do_adopt,
	    .wanted = wanted,
	    .made = slot,
	    .report = report,
	};

	return run(s, &j);
}

static int
do_describe(struct hsm_job *base, struct hsm_session *s)
{
	struct job *j = job_of(base);
	const struct kms_slot *slot = j->named;
	CK_OBJECT_HANDLE h[HSM_SAME_ID_MAX];
	bool right;
	size_t n;
	int r;

	r = hsm_master_find_all(s, slot, h, &n);
	if (r == 0 && n == 0)
		r = kms_fail(KMS_ERR_NOTFOUND,
		    "master key '%s': is not in the token; restore it with "
		    "p11kms "
		    "-resethmk, -resetkpk or -rebind",
		    slot->id);
	if (r == 0 && n > 1)
		r = kms_fail(KMS_ERR_MASTER,
		    "master key '%s': %zu keys have its CKA_ID; remove all but "
		    "the "
		    "right one with the token's own tool",
		    slot->id, n);
	if (r != 0)
		return r;
	return hsm_attr_report(s, h[0], slot->mech, j->report, &right);
}

static int
describe(struct kms_sealer *s, const struct kms_slot *slot,
    struct kms_attr_report *report)
{
	struct job j = {.base.run = do_describe,
	    .named = slot,
	    .report = report};

	return run(s, &j);
}

static int
do_check(struct hsm_job *base, struct hsm_session *s)
{
	struct job *j = job_of(base);
	struct hsm_master m;

	hsm_keyring_forget(j->z->ring, j->base.slot);
	return hsm_keyring_get(j->z->ring, s, j->base.slot, &m);
}

static int
check(struct kms_sealer *s, const struct kms_slot *slot)
{
	struct job j = {.base.run = do_check, .base.slot = slot};

	return run(s, &j);
}

static int
do_drop(struct hsm_job *base, struct hsm_session *s)
{
	struct job *j = job_of(base);
	hsm_keyring_remove(j->z->ring, j->named);
	return hsm_master_drop(s, j->named);
}

static int
drop(struct kms_sealer *s, const struct kms_slot *slot)
{
	struct job j = {.base.run = do_drop, .named = slot};

	return run_locked(s, &j);
}

static int
do_debris_list(struct hsm_job *base, struct hsm_session *s)
{
	struct job *j = job_of(base);
	return hsm_debris_list(s, j->debris, j->size, j->count);
}

static int
debris_list(struct kms_sealer *s, uint8_t (*list)[32], size_t cap, size_t *n)
{
	struct job j = {
	    .base.run = do_debris_list,
	    .base.alone = true,
	    .debris = list,
	    .size = cap,
	    .count = n,
	};

	return run_locked(s, &j);
}

static int
do_debris_sweep(struct hsm_job *base, struct hsm_session *s)
{
	struct job *j = job_of(base);
	return hsm_debris_sweep(s, j->known_debris, j->size, j->count);
}

static int
debris_sweep(struct kms_sealer *s, const uint8_t (*list)[32], size_t n,
    size_t *swept)
{
	struct job j = {
	    .base.run = do_debris_sweep,
	    .base.alone = true,
	    .known_debris = list,
	    .size = n,
	    .count = swept,
	};

	return run_locked(s, &j);
}

static int
do_random(struct hsm_job *base, struct hsm_session *s)
{
	struct job *j = job_of(base);
	CK_RV rv = s->f->C_GenerateRandom(s->h, j->random, j->size);

	return rv == CKR_OK ? 0 : hsm_session_fail(s, rv, "C_GenerateRandom");
}

static int
random_bytes(struct kms_sealer *s, uint8_t *out, size_t len)
{
	struct job j = {.base.run = do_random, .random = out, .size = len};

	return run(s, &j);
}

static int
do_anchor_get(struct hsm_job *base, struct hsm_session *s)
{
	struct job *j = job_of(base);
	return hsm_anchor_get(s, j->uuid, j->anchors, j->size, j->count);
}

static int
anchor_get(struct kms_sealer *s, const uint8_t uuid[16], struct kms_anchor *out,
    size_t cap, size_t *n)
{
	struct job j = {
	    .base.run = do_anchor_get,
	    .uuid = uuid,
	    .anchors = out,
	    .size = cap,
	    .count = n,
	};

	return run(s, &j);
}

static int
do_anchor_put(struct hsm_job *base, struct hsm_session *s)
{
	struct job *j = job_of(base);
	return hsm_anchor_put(s, j->uuid, j->anchor);
}

static int
anchor_put(struct kms_sealer *s, const uint8_t uuid[16],
    const struct kms_anchor *a)
{
	struct job j = {.base.run = do_anchor_put, .uuid = uuid, .anchor = a};

	return run_locked(s, &j);
}

static int
lock(struct kms_sealer *s)
{
	return hsm_lock_enter(hsm_token_lock(self(s)->token));
}

static void
unlock(struct kms_sealer *s)
{
	hsm_lock_leave(hsm_token_lock(self(s)->token));
}

static void
name(struct kms_sealer *s, char label[33], char serial[17])
{
	memcpy(label, hsm_token_label(self(s)->token), 33);
	memcpy(serial, hsm_token_serial(self(s)->token), 17);
}

static void
close_sealer(struct kms_sealer **s)
{
	struct hsm_sealer *z;

	if (s == NULL || *s == NULL)
		return;
	z = self(*s);
	hsm_token_close(&z->token);
	hsm_keyring_free(&z->ring);
	free(z);
	*s = NULL;
}

static const struct kms_sealer functions = {
    .make = make,
    .adopt = adopt,
    .describe = describe,
    .check = check,
    .drop = drop,
    .debris_list = debris_list,
    .debris_sweep = debris_sweep,
    .wrap = hsm_sealer_wrap,
    .unwrap = hsm_sealer_unwrap,
    .prove = hsm_sealer_prove,
    .rewrap = hsm_sealer_rewrap,
    .crypt = hsm_sealer_crypt,
    .ciphers = hsm_sealer_ciphers,
    .random = random_bytes,
    .anchor_get = anchor_get,
    .anchor_put = anchor_put,
    .lock = lock,
    .unlock = unlock,
    .name = name,
    .close = close_sealer,
};

int
hsm_sealer_open(const struct hsm_options *o, struct kms_sealer **out)
{
	struct kms_sealer *base;
	struct hsm_sealer *z;
	int r;

	*out = NULL;
	z = calloc(1, sizeof(*z));
	if (z == NULL)
		return kms_fail(KMS_ERR_MEMORY, "sealer: out of memory");
	z->base = functions;
	r = hsm_keyring_new(&z->ring);
	if (r == 0)
		r = hsm_token_open(o, &z->token);
	base = &z->base;
	if (r != 0)
		close_sealer(&base);
	*out = base;
	return r;
}

static int
do_info(struct hsm_job *base, struct hsm_session *s)
{
	struct job *j = job_of(base);
	return hsm_token_info(j->z->token, s, j->info);
}

static int
do_probe(struct hsm_job *base, struct hsm_session *s)
{
	struct job *j = job_of(base);
	return hsm_trial_probe(s, hsm_keyring_quirks(j->z->ring), j->mech);
}

int
hsm_sealer_info(struct kms_sealer *s, struct hsm_info *out, enum kms_mech *mech)
{
	struct job info = {.base.run = do_info, .info = out};
	struct job probe = {.base.run = do_probe, .mech = mech};
	int r;

	r = run(s, &info);
	if (r == 0 && mech != NULL)
		r = run(s, &probe);
	return r;
}

struct hsm_token *
hsm_sealer_token(struct kms_sealer *s)
{
	return self(s)->token;
}
