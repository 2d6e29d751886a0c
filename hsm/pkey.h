/*
 * An EC key pair of the token as an EVP_PKEY: to sign (-audit -sign), or as
 * the key of a TLS server. OpenSSL asks, C_Sign answers, on a session of the
 * pool and by the retry rule, so that it goes on after the token was away;
 * each signature is verified before it is handed out.
 *
 * libp11's own EVP_PKEY is not used: it is bound to the module as it was
 * loaded. Used after a reload (which hsm/job does by itself when the token was
 * away) it waits for ever: measured, 0.4.12.
 */
#ifndef HSM_PKEY_H
#define HSM_PKEY_H

#include <openssl/evp.h>

#include "hsm/token.h"

struct hsm_pkey;

/*
 * uri: pkcs11:object=LABEL or id=…, or both; a token named in it must be this
 * one. Exactly one EC private key must match, and its public key be found in
 * it or beside it (same CKA_ID): NOTFOUND, CONFIG say what there is. A trial
 * signature proves that the two belong together: MASTER.
 *
 * Any thread may sign. Free it after everything that uses the EVP_PKEY
 * (SSL_CTX, EVP_PKEY_CTX) and before the token is closed.
 */
int hsm_pkey_load(struct hsm_token *, const char *uri, struct hsm_pkey **)
    KMS_MUST;
void hsm_pkey_free(struct hsm_pkey **);

/* Borrowed. */
EVP_PKEY *hsm_pkey_get(const struct hsm_pkey *);

#endif
