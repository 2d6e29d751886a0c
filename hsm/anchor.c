#include "hsm/anchor.h"

#include <string.h>

#include "hsm/ckr.h"
#include "kms/base/buf.h"

#define APPLICATION "p11kms"
#define LABEL_LEN 32u
#define FOUND_MAX 64u
#define LOOKS 4u /* before none is taken for none */

static void
begin(struct hsm_template *t, const char *label)
{
	hsm_template_init(t);
	hsm_template_number(t, CKA_CLASS, CKO_DATA);
	hsm_template_bool(t, CKA_TOKEN, true);
	/* public ones anybody could make, without a PIN */
	hsm_template_bool(t, CKA_PRIVATE, true);
	hsm_template_bytes(t, CKA_APPLICATION, APPLICATION,
	    strlen(APPLICATION));
	hsm_template_bytes(t, CKA_LABEL, label, LABEL_LEN);
}

/* The token will not have a data object, whatever is in it. */
static int
no_data_objects(struct hsm_session *s, int r)
{
	if (s->rv == CKR_OK || hsm_ckr_class(s->rv) != HSM_CKR_REFUSED ||
	    s->rv == CKR_TOKEN_WRITE_PROTECTED)
		return r;
	r = kms_fail(KMS_ERR_NOTFOUND,
	    "token: takes no data objects (%s), so no anchor can be kept",
	    hsm_ckr_name(s->rv));
	s->rv = CKR_OK;
	return r;
}

static int
find(struct hsm_session *s, const char *label, CK_OBJECT_HANDLE *h, size_t *n)
{
	struct hsm_template t;

	begin(&t, label);
	return hsm_object_find(s, &t, h, FOUND_MAX, n);
}

/* Empty: half-made, too long to be ours, or destroyed since it was found. */
static int
read_one(struct hsm_session *s, CK_OBJECT_HANDLE h, struct kms_anchor *a)
{
	int r;

	r = hsm_object_read(s, h, CKA_VALUE, a->bytes, sizeof(a->bytes),
	    &a->len);
	if (r != KMS_ERR_NOTFOUND && r != KMS_ERR_LIMIT)
		return r;
	a->len = 0;
	return 0;
}

static int
get_once(struct hsm_session *s, const char *label, struct kms_anchor *out,
    size_t cap, size_t *n)
{
	CK_OBJECT_HANDLE h[FOUND_MAX];
	size_t found;
	int r;

	*n = 0;
	r = find(s, label, h, &found);
	if (r != 0)
		return no_data_objects(s, r);
	for (size_t i = 0; r == 0 && i < found && *n < cap; i++) {
		r = read_one(s, h[i], &out[*n]);
		*n += r == 0 && out[*n].len > 0;
	}
	return r;
}

/*
 * A reader without the token's lock may come in the middle of a put: the old
 * one is listed and then destroyed, and the new one was not there yet to be
 * listed. That must not look like a token that remembers nothing.
 */
int
hsm_anchor_get(struct hsm_session *s, const uint8_t uuid[16],
    struct kms_anchor *out, size_t cap, size_t *n)
{
	char label[LABEL_LEN + 1];
	unsigned look = 0;
	int r;

	kms_hex(uuid, 16, label);
	do
		r = get_once(s, label, out, cap, n);
	while (r == 0 && *n == 0 && ++look < LOOKS);
	return r;
}

static int
create(struct hsm_session *s, const char *label, const struct kms_anchor *a,
    CK_OBJECT_HANDLE *out)
{
	struct hsm_template t;
	CK_RV rv;

	begin(&t, label);
	hsm_template_bytes(&t, CKA_VALUE, a->bytes, a->len);
	hsm_template_bool(&t, CKA_MODIFIABLE, false);
	rv = s->f->C_CreateObject(s->h, t.a, t.n, out);
	if (rv == CKR_OK)
		return 0;
	return no_data_objects(s, hsm_session_fail(s, rv, "C_CreateObject"));
}

static int
same_as(struct hsm_session *s, CK_OBJECT_HANDLE h, const struct kms_anchor *a,
    bool *same)
{
	struct kms_anchor there;
	int r;

	r = read_one(s, h, &there);
	*same = r == 0 && there.len == a->len &&
	    memcmp(there.bytes, a->bytes, a->len) == 0;
	return r;
}

int
hsm_anchor_put(struct hsm_session *s, const uint8_t uuid[16],
    const struct kms_anchor *a)
{
	CK_OBJECT_HANDLE h[FOUND_MAX], keep = CK_INVALID_HANDLE;
	char label[LABEL_LEN + 1];
	size_t found;
	bool same;
	int r;

	if (a->len == 0 || a->len > KMS_ANCHOR_MAX)
		return kms_fail(KMS_ERR_INTERNAL, "anchor of %zu bytes",
		    a->len);
	kms_hex(uuid, 16, label);
	r = find(s, label, h, &found);
	for (size_t i = 0; r == 0 && i < found; i++) {
		r = same_as(s, h[i], a, &same);
		if (r == 0 && same)
			keep = h[i];
	}
	if (r == 0 && keep == CK_INVALID_HANDLE)
		r = create(s, label, a, &keep);
	for (size_t i = 0; r == 0 && i < found; i++) {
		if (h[i] != keep)
			r = hsm_object_destroy(s, h[i]);
	}
	return r;
}
