#include "hsm/master.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hsm/ckr.h"
#include "hsm/debris.h"
#include "hsm/inject.h"
#include "hsm/trial.h"
#include "kms/base/buf.h"

#define DEBRIS_MAX 1024u

/* What was there before a key is made. */
struct before {
	CK_OBJECT_HANDLE same_id[HSM_SAME_ID_MAX];
	size_t n, n_debris;
	uint8_t debris[DEBRIS_MAX][32];
};

/* "HMK 'site-2026' (CKA_ID 0a…)", for messages. */
static const char *
name_of(const struct kms_slot *slot, char out[KMS_ID_MAX + 160])
{
	char hex[2 * KMS_CKAID_MAX + 1];

	kms_hex(slot->cka_id, slot->cka_id_len, hex);
	(void)snprintf(out, KMS_ID_MAX + 160, "%s '%s' (CKA_ID %s)",
	    slot->role == KMS_ROLE_HMK ? "HMK" : "KPK", slot->id, hex);
	return out;
}

static int
fail_named(int r, const struct kms_slot *slot)
{
	char name[KMS_ID_MAX + 160];

	return kms_fail_add(r, "master key %s", name_of(slot, name));
}

int
hsm_master_find_all(struct hsm_session *s, const struct kms_slot *slot,
    CK_OBJECT_HANDLE *h, size_t *n)
{
	struct hsm_template t;

	if (slot->cka_id_len == 0 || slot->cka_id_len > KMS_CKAID_MAX)
		return kms_fail(KMS_ERR_INTERNAL, "master key: no CKA_ID");
	hsm_template_init(&t);
	hsm_template_number(&t, CKA_CLASS, CKO_SECRET_KEY);
	hsm_template_bytes(&t, CKA_ID, slot->cka_id, slot->cka_id_len);
	return hsm_object_find(s, &t, h, HSM_SAME_ID_MAX, n);
}

int
hsm_master_find(struct hsm_session *s, const struct kms_slot *slot,
    CK_OBJECT_HANDLE *out)
{
	CK_OBJECT_HANDLE h[HSM_SAME_ID_MAX];
	size_t n;
	int r;

	r = hsm_master_find_all(s, slot, h, &n);
	if (r == 0 && n == 0)
		r = kms_fail(KMS_ERR_NOTFOUND,
		    "is not in the token; restore it with p11kms -resethmk, "
		    "-resetkpk or -rebind");
	if (r == 0 && n > 1)
		r = kms_fail(KMS_ERR_MASTER,
		    "%zu keys have this CKA_ID; remove all but the right one "
		    "with the token's own tool",
		    n);
	if (r == 0)
		r = hsm_attr_check(s, h[0], slot->mech);
	if (r != 0)
		return fail_named(r, slot);
	*out = h[0];
	return 0;
}

static bool
is_among(CK_OBJECT_HANDLE h, const CK_OBJECT_HANDLE *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i] == h)
			return true;
	}
	return false;
}

static int
destroy_all(struct hsm_session *s, const CK_OBJECT_HANDLE *h, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = hsm_object_destroy(s, h[i]);
	return r;
}

/* More than one handful at a time is not ours, but is dropped all the same. */
int
hsm_master_drop(struct hsm_session *s, const struct kms_slot *slot)
{
	CK_OBJECT_HANDLE h[HSM_SAME_ID_MAX];
	size_t n;
	int r;

	do {
		r = hsm_master_find_all(s, slot, h, &n);
		if (r == 0)
			r = destroy_all(s, h, n);
	} while (r == 0 && n == HSM_SAME_ID_MAX);
	return r != 0 ? fail_named(r, slot) : 0;
}

static int
create_with(struct hsm_session *s, const struct kms_secret *value,
    struct hsm_template *t, CK_OBJECT_HANDLE *out)
{
	CK_MECHANISM gen = {CKM_AES_KEY_GEN, NULL, 0};
	CK_RV rv;

	if (value != NULL)
		return hsm_inject(s, value, t, out);
	rv = s->f->C_GenerateKey(s->h, &gen, t->a, t->n, out);
	return rv == CKR_OK ? 0 : hsm_session_fail(s, rv, "C_GenerateKey");
}

static bool
wants_less(CK_RV rv)
{
	return rv == CKR_ATTRIBUTE_TYPE_INVALID ||
	    rv == CKR_ATTRIBUTE_VALUE_INVALID ||
	    rv == CKR_ATTRIBUTE_READ_ONLY || rv == CKR_TEMPLATE_INCONSISTENT;
}

/* CKA_VALUE_LEN belongs to generation; SoftHSM refuses it for a value. */
static int
create(struct hsm_session *s, const struct hsm_master *m,
    const struct kms_secret *value, const struct kms_slot *slot,
    CK_OBJECT_HANDLE *out)
{
	const char *role = slot->role == KMS_ROLE_HMK ? "HMK" : "KPK";
	CK_MECHANISM_TYPE mechanism = hsm_mech_type(m->mech, m->quirks);
	char label[KMS_ID_MAX + 16];
	struct hsm_template t;
	int r = KMS_ERR_INTERNAL;

	(void)snprintf(label, sizeof(label), "p11kms %s %s", role, slot->id);
	for (unsigned less = 0; less <= HSM_ATTR_LESS; less++) {
		s->rv = CKR_OK;
		hsm_template_init(&t);
		hsm_template_number(&t, CKA_CLASS, CKO_SECRET_KEY);
		hsm_template_number(&t, CKA_KEY_TYPE, CKK_AES);
		hsm_template_bytes(&t, CKA_ID, slot->cka_id, slot->cka_id_len);
		hsm_template_bytes(&t, CKA_LABEL, label, strlen(label));
		if (value == NULL)
			hsm_template_number(&t, CKA_VALUE_LEN, KMS_KEY_LEN);
		hsm_attr_template(&t, m->mech, &mechanism, less);
		r = create_with(s, value, &t, out);
		if (r == 0 || !wants_less(s->rv))
			break;
	}
	return r;
}

/* A refused attempt can leave a half-made object, even with our CKA_ID. */
static int
sweep(struct hsm_session *s, const struct kms_slot *slot, struct before *b)
{
	CK_OBJECT_HANDLE h[HSM_SAME_ID_MAX];
	size_t n, swept;
	int r;

	r = hsm_master_find_all(s, slot, h, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (!is_among(h[i], b->same_id, b->n))
			r = hsm_object_destroy(s, h[i]);
	}
	if (r != 0)
		return r;
	return hsm_debris_sweep(s, (const uint8_t(*)[32])b->debris, b->n_debris,
	    &swept);
}

/* Without disturbing the error at hand, nor its rv. */
static void
sweep_after(struct hsm_session *s, const struct kms_slot *slot,
    struct before *b, int r)
{
	struct hsm_session same = *s;
	char cause[512];

	(void)snprintf(cause, sizeof(cause), "%s", kms_err_cause(r));
	if (sweep(&same, slot, b) != 0)
		(void)kms_fail(r, "%s", cause);
}

/* Probed only when the slot does not say. */
static int
choose_mech(struct hsm_session *s, struct hsm_quirks *q,
    const struct kms_slot *slot, enum kms_mech *mech)
{
	*mech = slot->mech;
	return *mech != KMS_MECH_NONE ? 0 : hsm_trial_probe(s, q, mech);
}

/* What is there under the planned CKA_ID, from an earlier run: 0 when it can
 * stay. A killed C_GenerateKey can leave right attributes and no key. */
static int
keep_existing(struct hsm_session *s, const struct hsm_master *m,
    struct kms_wrapped *known)
{
	int r;

	r = hsm_attr_check(s, m->h, m->mech);
	if (r == 0)
		r = hsm_trial_master(s, m, NULL, known);
	if (r == 0)
		r = hsm_trial_locked(s, m, false);
	return r;
}

static int
make_and_prove(struct hsm_session *s, struct hsm_master *m,
    const struct kms_secret *value, const struct kms_slot *slot,
    struct kms_wrapped *known)
{
	int r;

	r = create(s, m, value, slot, &m->h);
	if (r == 0)
		r = hsm_attr_check(s, m->h, m->mech);
	if (r == 0)
		r = hsm_trial_master(s, m, value, known);
	if (r == 0)
		r = hsm_trial_locked(s, m, true);
	return r;
}

static bool
is_away(const struct hsm_session *s)
{
	return s->rv != CKR_OK && hsm_ckr_class(s->rv) == HSM_CKR_AWAY;
}

static int
look_before(struct hsm_session *s, const struct kms_slot *slot,
    struct before *b)
{
	int r;

	r = hsm_master_find_all(s, slot, b->same_id, &b->n);
	if (r == 0)
		r = hsm_debris_list(s, b->debris, DEBRIS_MAX, &b->n_debris);
	return r;
}

static int
make(struct hsm_session *s, struct hsm_master *m,
    const struct kms_secret *value, const struct kms_slot *slot,
    struct kms_wrapped *known, struct before *b)
{
	int r;

	r = look_before(s, slot, b);
	if (r == 0 && b->n == 1 && value == NULL) {
		m->h = b->same_id[0];
		if (keep_existing(s, m, known) == 0)
			return 0;
		if (is_away(s))
			return KMS_ERR_TOKEN;
		s->rv = CKR_OK;
	}
	if (r == 0 && value == NULL) {
		r = destroy_all(s, b->same_id, b->n);
		b->n = 0;
	}
	if (r != 0)
		return r;
	r = make_and_prove(s, m, value, slot, known);
	if (r != 0) {
		sweep_after(s, slot, b, r);
		return r;
	}
	/* all of this CKA_ID but the one just proven */
	b->same_id[0] = m->h;
	b->n = 1;
	return sweep(s, slot, b);
}

int
hsm_master_make(struct hsm_session *s, struct hsm_quirks *q,
    const struct kms_secret *value, struct kms_slot *slot,
    struct kms_wrapped *known)
{
	struct hsm_master m = {.quirks = q};
	struct before *b = calloc(1, sizeof(*b));
	int r;

	if (b == NULL)
		return kms_fail(KMS_ERR_MEMORY, "master key: out of memory");
	r = choose_mech(s, q, slot, &m.mech);
	if (r == 0)
		r = make(s, &m, value, slot, known, b);
	free(b);
	if (r != 0)
		return fail_named(r, slot);
	slot->mech = m.mech;
	return 0;
}
