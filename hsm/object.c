#include "hsm/object.h"

#include <string.h>

#include "hsm/ckr.h"

void
hsm_template_init(struct hsm_template *t)
{
	t->n = 0;
}

/* CK_ATTRIBUTE's pointer is not const, though the token only reads it. */
void
hsm_template_bytes(struct hsm_template *t, CK_ATTRIBUTE_TYPE type,
    const void *p, size_t len)
{
	CK_ATTRIBUTE *a = &t->a[t->n++];

	a->type = type;
	a->ulValueLen = len;
	memcpy(&a->pValue, &p, sizeof(p));
}

void
hsm_template_bool(struct hsm_template *t, CK_ATTRIBUTE_TYPE type, bool value)
{
	CK_BBOOL *flag = &t->flag[t->n];

	*flag = value ? CK_TRUE : CK_FALSE;
	hsm_template_bytes(t, type, flag, sizeof(*flag));
}

void
hsm_template_number(struct hsm_template *t, CK_ATTRIBUTE_TYPE type,
    CK_ULONG value)
{
	CK_ULONG *number = &t->number[t->n];

	*number = value;
	hsm_template_bytes(t, type, number, sizeof(*number));
}

/* A token may hand out fewer than asked for; only none means the end. */
static CK_RV
find_all(struct hsm_session *s, CK_OBJECT_HANDLE *h, size_t cap, size_t *n)
{
	CK_ULONG got = 0;
	CK_RV rv = CKR_OK;

	do {
		rv = s->f->C_FindObjects(s->h, h + *n, cap - *n, &got);
		if (rv == CKR_OK && got <= cap - *n)
			*n += got;
	} while (rv == CKR_OK && got > 0 && *n < cap);
	return rv;
}

int
hsm_object_find(struct hsm_session *s, struct hsm_template *t,
    CK_OBJECT_HANDLE *h, size_t cap, size_t *n)
{
	CK_RV rv, end;

	*n = 0;
	rv = s->f->C_FindObjectsInit(s->h, t->a, t->n);
	if (rv != CKR_OK)
		return hsm_session_fail(s, rv, "C_FindObjectsInit");
	rv = find_all(s, h, cap, n);
	end = s->f->C_FindObjectsFinal(s->h);
	if (rv == CKR_OK)
		rv = end;
	return rv == CKR_OK ? 0 : hsm_session_fail(s, rv, "C_FindObjects");
}

int
hsm_object_read(struct hsm_session *s, CK_OBJECT_HANDLE h,
    CK_ATTRIBUTE_TYPE type, void *p, size_t cap, size_t *len)
{
	CK_ATTRIBUTE a = {type, p, cap};
	CK_RV rv;

	*len = 0;
	rv = s->f->C_GetAttributeValue(s->h, h, &a, 1);
	if (rv == CKR_OBJECT_HANDLE_INVALID)
		return kms_fail(KMS_ERR_NOTFOUND, "token object: is gone");
	if (rv == CKR_BUFFER_TOO_SMALL)
		return kms_fail(KMS_ERR_LIMIT,
		    "token object: attribute 0x%lx is over %zu bytes", type,
		    cap);
	/* unknown, hidden, or (SoftHSM: ATTRIBUTE_VALUE_INVALID) half-made */
	if (rv != CKR_OK && hsm_ckr_class(rv) == HSM_CKR_REFUSED)
		return 0;
	if (rv != CKR_OK)
		return hsm_session_fail(s, rv, "C_GetAttributeValue");
	if (a.ulValueLen > cap)
		return 0;
	*len = a.ulValueLen;
	return 0;
}

int
hsm_object_destroy(struct hsm_session *s, CK_OBJECT_HANDLE h)
{
	CK_RV rv = s->f->C_DestroyObject(s->h, h);

	if (rv == CKR_OK || rv == CKR_OBJECT_HANDLE_INVALID)
		return 0;
	return hsm_session_fail(s, rv, "C_DestroyObject");
}

void
hsm_object_discard(struct hsm_session *s, CK_OBJECT_HANDLE h)
{
	if (h != CK_INVALID_HANDLE)
		(void)s->f->C_DestroyObject(s->h, h);
}
