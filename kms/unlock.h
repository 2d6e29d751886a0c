/*
 * What the token's two master keys open: the file keys that the rows are
 * sealed under, and the proofs that the KPK is the right one. From the header
 * in s->header; called while the store is loaded.
 */
#ifndef KMS_UNLOCK_H
#define KMS_UNLOCK_H

#include "kms/store_impl.h"

/* The seal with all file keys in use, and the anchors' keys. TOKEN: the HMK
 * is not there; MASTER, by name: it is another one, twice there, or its
 * attributes are wrong. */
int kms_unlock_file_keys(struct kms_store *) KMS_MUST;
/* The KPK (and the next one of a rotation) opens its proof in this root. */
int kms_unlock_prove_kpk(struct kms_store *, const struct kms_root *) KMS_MUST;
/* Is this the token that the store is bound to? MASTER; not asked where any
 * age will do. */
int kms_unlock_check_bound(struct kms_store *) KMS_MUST;

#endif
