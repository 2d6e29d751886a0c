/*
 * Keys handed out under another key of the client's (KMIP 1.4 sections 2.1.5
 * and 2.1.6): AES key wrap by an Active key whose usage mask says Wrap Key.
 * The wrapping key is released like any other, for the host uses it.
 */
#ifndef KMS_KMIP_WRAP_H
#define KMS_KMIP_WRAP_H

#include "kms/kmip/op.h"

struct kmip_wrap {
	char uid[KMS_TAG_TEXT]; /* of the wrapping key */
	struct kms_tag tag;
	uint32_t encoding;      /* enum kmip_encoding */
	struct kms_secret *kek; /* owned */
};

/* A Key Wrapping Specification; then the wrapping key itself, outside any
 * transaction. */
int kmip_wrap_read(struct kmip_wrap *, const struct kmip_item *spec,
    unsigned minor) KMS_MUST;
int kmip_wrap_open(struct kmip_batch *, struct kmip_wrap *) KMS_MUST;
void kmip_wrap_clear(struct kmip_wrap *);

/* Key Value, wrapped: a Byte String. material: the object's bytes. */
int kmip_wrap_put_value(const struct kmip_wrap *, struct kms_wr *,
    const uint8_t *material, size_t len) KMS_MUST;
/* Key Wrapping Data, which says how. */
void kmip_wrap_put_data(const struct kmip_wrap *, unsigned minor,
    struct kms_wr *);

#endif
