#include "hsm/keyring.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "hsm/master.h"
#include "hsm/wrap.h"

/* Slots of a store: two current, two next, and those not yet retired. */
#define ENTRIES_MAX 64u

struct entry {
	uint8_t cka_id[KMS_CKAID_MAX];
	size_t cka_id_len;
	enum kms_mech mech;
	CK_OBJECT_HANDLE h; /* CK_INVALID_HANDLE: not found yet */
	unsigned generation;
	struct kms_wrapped known; /* len 0: none yet */
};

/* mutex guards the entries; it is never held during a call to the token. */
struct hsm_keyring {
	pthread_mutex_t mutex;
	struct entry entry[ENTRIES_MAX];
	size_t n;
	struct hsm_quirks quirks;
};

int
hsm_keyring_new(struct hsm_keyring **out)
{
	struct hsm_keyring *k;

	*out = NULL;
	k = calloc(1, sizeof(*k));
	if (k == NULL || pthread_mutex_init(&k->mutex, NULL) != 0) {
		free(k);
		return kms_fail(KMS_ERR_MEMORY, "keyring: out of memory");
	}
	*out = k;
	return 0;
}

void
hsm_keyring_free(struct hsm_keyring **k)
{
	if (k == NULL || *k == NULL)
		return;
	(void)pthread_mutex_destroy(&(*k)->mutex);
	free(*k);
	*k = NULL;
}

struct hsm_quirks *
hsm_keyring_quirks(struct hsm_keyring *k)
{
	return &k->quirks;
}

static struct entry *
find_locked(struct hsm_keyring *k, const struct kms_slot *slot)
{
	for (size_t i = 0; i < k->n; i++) {
		struct entry *e = &k->entry[i];

		if (e->cka_id_len == slot->cka_id_len &&
		    e->mech == slot->mech &&
		    memcmp(e->cka_id, slot->cka_id, e->cka_id_len) == 0)
			return e;
	}
	return NULL;
}

static int
add_locked(struct hsm_keyring *k, const struct kms_slot *slot,
    struct entry **out)
{
	struct entry *e = find_locked(k, slot);

	if (e == NULL && k->n == ENTRIES_MAX)
		return kms_fail(KMS_ERR_LIMIT,
		    "over %u master keys in use; retire some", ENTRIES_MAX);
	if (e == NULL) {
		e = &k->entry[k->n++];
		memset(e, 0, sizeof(*e));
		memcpy(e->cka_id, slot->cka_id, slot->cka_id_len);
		e->cka_id_len = slot->cka_id_len;
		e->mech = slot->mech;
	}
	*out = e;
	return 0;
}

static CK_OBJECT_HANDLE
cached(struct hsm_keyring *k, const struct kms_slot *slot, unsigned generation)
{
	CK_OBJECT_HANDLE h = CK_INVALID_HANDLE;
	struct entry *e;

	(void)pthread_mutex_lock(&k->mutex);
	e = find_locked(k, slot);
	if (e != NULL && e->generation == generation)
		h = e->h;
	(void)pthread_mutex_unlock(&k->mutex);
	return h;
}

static int
keep(struct hsm_keyring *k, const struct kms_slot *slot,
    const struct hsm_session *s, CK_OBJECT_HANDLE h)
{
	struct entry *e;
	int r;

	(void)pthread_mutex_lock(&k->mutex);
	r = add_locked(k, slot, &e);
	if (r == 0) {
		e->h = h;
		e->generation = s->generation;
	}
	(void)pthread_mutex_unlock(&k->mutex);
	return r;
}

static bool
known_blob(struct hsm_keyring *k, const struct kms_slot *slot,
    struct kms_wrapped *out)
{
	struct entry *e;
	bool known;

	(void)pthread_mutex_lock(&k->mutex);
	e = find_locked(k, slot);
	known = e != NULL && e->known.len > 0;
	if (known)
		*out = e->known;
	(void)pthread_mutex_unlock(&k->mutex);
	return known;
}

bool
hsm_keyring_is_known(struct hsm_keyring *k, const struct kms_slot *slot)
{
	struct kms_wrapped w;

	return known_blob(k, slot, &w);
}

int
hsm_keyring_prove(struct hsm_keyring *k, struct hsm_session *s,
    const struct kms_slot *slot, const struct hsm_master *m)
{
	struct kms_wrapped known;
	int r;

	if (!known_blob(k, slot, &known))
		return kms_fail(KMS_ERR_MASTER,
		    "master key '%s': is not proven yet, so nothing is wrapped "
		    "under it; see p11kmsutil -doctor",
		    slot->id);
	r = hsm_wrap_prove(s, m, &known);
	if (r == KMS_ERR_AUTH)
		r = kms_fail(KMS_ERR_MASTER,
		    "master key '%s': the token now holds another key under "
		    "its CKA_ID (%s)",
		    slot->id, kms_err_cause(r));
	return r;
}

int
hsm_keyring_get(struct hsm_keyring *k, struct hsm_session *s,
    const struct kms_slot *slot, struct hsm_master *m)
{
	int r;

	m->mech = slot->mech;
	m->quirks = &k->quirks;
	m->h = cached(k, slot, s->generation);
	if (m->h != CK_INVALID_HANDLE)
		return 0;
	r = hsm_master_find(s, slot, &m->h);
	if (r == 0 && hsm_keyring_is_known(k, slot))
		r = hsm_keyring_prove(k, s, slot, m);
	return r != 0 ? r : keep(k, slot, s, m->h);
}

void
hsm_keyring_forget(struct hsm_keyring *k, const struct kms_slot *slot)
{
	struct entry *e;

	(void)pthread_mutex_lock(&k->mutex);
	e = find_locked(k, slot);
	if (e != NULL)
		e->h = CK_INVALID_HANDLE;
	(void)pthread_mutex_unlock(&k->mutex);
}

void
hsm_keyring_remove(struct hsm_keyring *k, const struct kms_slot *slot)
{
	struct entry *e;

	(void)pthread_mutex_lock(&k->mutex);
	e = find_locked(k, slot);
	if (e != NULL)
		*e = k->entry[--k->n];
	(void)pthread_mutex_unlock(&k->mutex);
}

int
hsm_keyring_learn(struct hsm_keyring *k, const struct kms_slot *slot,
    const struct kms_wrapped *w)
{
	struct entry *e;
	int r;

	(void)pthread_mutex_lock(&k->mutex);
	r = add_locked(k, slot, &e);
	if (r == 0 && e->known.len == 0)
		e->known = *w;
	(void)pthread_mutex_unlock(&k->mutex);
	return r;
}
