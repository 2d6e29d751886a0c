/*
 * Objects of the token: templates, finding, reading, destroying. All on a
 * session that the caller holds; a failed call is remembered in it.
 */
#ifndef HSM_OBJECT_H
#define HSM_OBJECT_H

#include <stdbool.h>
#include <stddef.h>

#include "hsm/pool.h"

#define HSM_TEMPLATE_MAX 24u

/*
 * Attributes in the order they were added, which some tokens care about. The
 * small values lie in the template itself: it is not copied, and borrowed
 * bytes outlive it.
 */
struct hsm_template {
	CK_ATTRIBUTE a[HSM_TEMPLATE_MAX];
	CK_ULONG n;
	CK_ULONG number[HSM_TEMPLATE_MAX];
	CK_BBOOL flag[HSM_TEMPLATE_MAX];
};

void hsm_template_init(struct hsm_template *);
void hsm_template_bool(struct hsm_template *, CK_ATTRIBUTE_TYPE, bool);
void hsm_template_number(struct hsm_template *, CK_ATTRIBUTE_TYPE, CK_ULONG);
void hsm_template_bytes(struct hsm_template *, CK_ATTRIBUTE_TYPE, const void *,
    size_t);

/* The first cap objects that match; *n may be cap when there are more. */
int hsm_object_find(struct hsm_session *, struct hsm_template *,
    CK_OBJECT_HANDLE *, size_t cap, size_t *n) KMS_MUST;

/*
 * Bytes of one attribute into at most cap. *len is 0 when the object lacks it
 * or does not show it. An object that is gone by now: KMS_ERR_NOTFOUND, rv
 * not set. Longer than cap: KMS_ERR_LIMIT.
 */
int hsm_object_read(struct hsm_session *, CK_OBJECT_HANDLE, CK_ATTRIBUTE_TYPE,
    void *, size_t cap, size_t *len) KMS_MUST;

/* An object that is gone already is 0. */
int hsm_object_destroy(struct hsm_session *, CK_OBJECT_HANDLE) KMS_MUST;

/* For clean-up after another error, whose cause and rv are kept. */
void hsm_object_discard(struct hsm_session *, CK_OBJECT_HANDLE);

#endif
