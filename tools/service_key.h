/*
 * The server's TLS keys that are in the token. A connection may outlive the
 * configuration it was made under, so a key stays until the service ends.
 */
#ifndef TOOLS_SERVICE_KEY_H
#define TOOLS_SERVICE_KEY_H

#include <openssl/evp.h>

#include "kms/base/sealer.h"
#include "tools/config.h"

struct hsm_pkey;

#define SERVICE_KEYS_MAX 16u

struct service_keys {
	struct hsm_pkey *key[SERVICE_KEYS_MAX];
	size_t n;
};

/* NULL when the configuration names a file. One that is there already is
 * taken again when it is the certificate's. LIMIT: too many reloads, each with
 * another key. */
int service_keys_get(struct service_keys *, struct kms_sealer *,
    const struct config_tls *, EVP_PKEY **) KMS_MUST;
/* After the server. */
void service_keys_free(struct service_keys *);

#endif
