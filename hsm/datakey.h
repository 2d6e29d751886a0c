/*
 * A data key inside the token: a session object that lives for one operation.
 * To be wrapped or proven it may encrypt, for its check value is computed in
 * the token (ECB of one block), and leave wrapped. For client data it may
 * encrypt or decrypt and cannot leave at all.
 */
#ifndef HSM_DATAKEY_H
#define HSM_DATAKEY_H

#include "hsm/object.h"
#include "kms/base/crypt.h"

/* C_GenerateKey: the host never sees it. */
int hsm_datakey_born(struct hsm_session *, CK_OBJECT_HANDLE *) KMS_MUST;
/* Puts a key of the host's in. */
int hsm_datakey_put(struct hsm_session *, const struct kms_secret *,
    CK_OBJECT_HANDLE *) KMS_MUST;
/* The template under which C_UnwrapKey makes one that stays hidden. */
void hsm_datakey_hidden(struct hsm_template *);
/*
 * The template for one whose value will be read. bare: SoftHSM needs to be
 * told EXTRACTABLE, opencryptoki refuses to be told and needs this one.
 */
void hsm_datakey_readable(struct hsm_template *, bool bare);

/* The template for one that encrypts client data, or decrypts it, once: it
 * has this one usage and never leaves the token. */
void hsm_datakey_single(struct hsm_template *, bool decrypt);
/* For a throw-away that tries both. */
void hsm_datakey_both(struct hsm_template *);

int hsm_datakey_kcv(struct hsm_session *, CK_OBJECT_HANDLE,
    uint8_t kcv[KMS_KCV_LEN]) KMS_MUST;
/* CKA_VALUE, straight into locked memory. */
int hsm_datakey_read(struct hsm_session *, CK_OBJECT_HANDLE,
    struct kms_secret **) KMS_MUST;

#endif
