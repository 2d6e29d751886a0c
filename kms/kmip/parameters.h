/*
 * Cryptographic Parameters (KMIP 1.4 section 3.6), as far as AES here goes:
 * ECB and CBC with or without PKCS #5 padding, GCM. What only matters to other
 * algorithms is accepted and not looked at.
 */
#ifndef KMS_KMIP_PARAMETERS_H
#define KMS_KMIP_PARAMETERS_H

#include "kms/base/cipher.h"
#include "kms/kmip/ttlv.h"

struct kmip_parameters {
	enum kms_cipher cipher;
	bool padded;
	bool no_random_iv; /* the client said so, and has to bring its own */
	size_t tag_len;    /* bytes; of GCM */
	bool tag_said;
};

/* MISSING_DATA without a mode, INVALID_FIELD, FEATURE_NOT_SUPPORTED. */
int kmip_parameters_read(const struct kmip_item *, unsigned minor, bool lenient,
    struct kmip_parameters *) KMS_MUST;

#endif
