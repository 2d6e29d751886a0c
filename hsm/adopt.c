#include "hsm/adopt.h"

#include <string.h>

#include "hsm/trial.h"

static int
find_wanted(struct hsm_session *s, const struct kms_wanted *w,
    CK_OBJECT_HANDLE *out)
{
	CK_OBJECT_HANDLE h[2];
	struct hsm_template t;
	size_t n;
	int r;

	hsm_template_init(&t);
	hsm_template_number(&t, CKA_CLASS, CKO_SECRET_KEY);
	if (w->label != NULL)
		hsm_template_bytes(&t, CKA_LABEL, w->label, strlen(w->label));
	if (w->cka_id_len > 0)
		hsm_template_bytes(&t, CKA_ID, w->cka_id, w->cka_id_len);
	if (t.n == 1)
		return kms_fail(KMS_ERR_INTERNAL,
		    "adopt: neither label nor CKA_ID");
	r = hsm_object_find(s, &t, h, 2, &n);
	if (r != 0)
		return r;
	if (n == 0)
		return kms_fail(KMS_ERR_NOTFOUND,
		    "no secret key of that %s in the token; pkcs11-tool "
		    "--login --list-objects shows what it holds",
		    w->label != NULL ? "label" : "CKA_ID");
	if (n > 1)
		return kms_fail(KMS_ERR_MASTER,
		    "several secret keys have that %s; name it by its CKA_ID, "
		    "which only one key may have",
		    w->label != NULL ? "label" : "CKA_ID");
	*out = h[0];
	return 0;
}

/* We find it again by CKA_ID alone: it must have one, and be alone with it. */
static int
read_id(struct hsm_session *s, CK_OBJECT_HANDLE h, struct kms_slot *slot)
{
	CK_OBJECT_HANDLE same[HSM_SAME_ID_MAX];
	size_t n;
	int r;

	r = hsm_object_read(s, h, CKA_ID, slot->cka_id, sizeof(slot->cka_id),
	    &slot->cka_id_len);
	if (r == 0 && slot->cka_id_len == 0)
		r = kms_fail(KMS_ERR_MASTER,
		    "has no CKA_ID, by which it would be found again; give it "
		    "one with the token's own tool");
	if (r == 0)
		r = hsm_master_find_all(s, slot, same, &n);
	if (r == 0 && n != 1)
		r = kms_fail(KMS_ERR_MASTER,
		    "%zu keys share its CKA_ID; give it one of its own with "
		    "the token's own tool",
		    n);
	return r;
}

/* The first mechanism of the key's pair of usages that works with it. */
static int
find_mech(struct hsm_session *s, struct hsm_master *m,
    struct kms_wrapped *known)
{
	static const enum kms_mech wrapping[] = {KMS_MECH_AES_KW,
	    KMS_MECH_AES_KWP};
	static const enum kms_mech crypting[] = {KMS_MECH_AES_GCM,
	    KMS_MECH_AES_CBC};
	bool wraps = false;
	int r;

	r = hsm_attr_wraps(s, m->h, &wraps);
	for (size_t i = 0; r == 0 && i < 2; i++) {
		m->mech = wraps ? wrapping[i] : crypting[i];
		r = hsm_attr_check(s, m->h, m->mech);
		if (r != 0)
			return r;
		r = hsm_trial_master(s, m, NULL, known);
		if (r == 0)
			return hsm_trial_locked(s, m, false);
		if (r != KMS_ERR_MASTER)
			return r;
		s->rv = CKR_OK;
		r = i == 0 ? 0 : r;
	}
	return r;
}

int
hsm_adopt_key(struct hsm_session *s, struct hsm_quirks *q,
    const struct kms_wanted *w, struct kms_slot *slot,
    struct kms_attr_report *report, struct kms_wrapped *known)
{
	struct hsm_master m = {.quirks = q};
	bool right;
	int r;

	slot->role = w->role;
	r = find_wanted(s, w, &m.h);
	if (r == 0)
		r = read_id(s, m.h, slot);
	if (r == 0 && report != NULL)
		r = hsm_attr_report(s, m.h, KMS_MECH_NONE, report, &right);
	if (r == 0)
		r = find_mech(s, &m, known);
	if (r != 0)
		return kms_fail_add(r, "%s to adopt%s",
		    w->role == KMS_ROLE_HMK ? "HMK" : "KPK",
		    r == KMS_ERR_MASTER ? " (-preview shows what it must be)"
					: "");
	slot->mech = m.mech;
	if (report != NULL)
		report->mech = m.mech;
	return 0;
}
