#include "tools/service_key.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "hsm/pkey.h"
#include "hsm/sealer.h"

#define URI "pkcs11:"

/* Is it the key of that certificate? A file that is none is found by whoever
 * uses it. */
static bool
fits(const char *path, EVP_PKEY *key)
{
	BIO *bio = BIO_new_file(path, "r");
	X509 *cert = NULL;
	bool good;

	if (bio != NULL)
		cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	good = cert != NULL && X509_check_private_key(cert, key) == 1;
	ERR_clear_error();
	X509_free(cert);
	BIO_free(bio);
	return good;
}

int
service_keys_get(struct service_keys *keys, struct kms_sealer *sealer,
    const struct config_tls *c, EVP_PKEY **out)
{
	struct hsm_pkey *last = keys->n > 0 ? keys->key[keys->n - 1] : NULL;
	int r;

	*out = NULL;
	if (strncmp(c->key, URI, strlen(URI)) != 0)
		return 0;
	if (last == NULL || !fits(c->cert, hsm_pkey_get(last))) {
		if (keys->n == SERVICE_KEYS_MAX)
			return kms_fail(KMS_ERR_LIMIT,
			    "the TLS key was changed %u times; restart the "
			    "service",
			    SERVICE_KEYS_MAX);
		r = hsm_pkey_load(hsm_sealer_token(sealer), c->key, &last);
		if (r != 0)
			return kms_fail_add(r, "[server] key");
		keys->key[keys->n++] = last;
	}
	*out = hsm_pkey_get(last);
	return 0;
}

void
service_keys_free(struct service_keys *keys)
{
	while (keys->n > 0)
		hsm_pkey_free(&keys->key[--keys->n]);
}
