/*
 * The token's name: an RFC 7512 URI, parsed by p11-kit. It names exactly one
 * token by what is written on it (label, serial …; slot numbers move), the
 * module to load, and where the PIN comes from.
 */
#ifndef HSM_URI_H
#define HSM_URI_H

#include <stdbool.h>

#include <p11-kit/pkcs11.h>

#include "kms/base/err.h"

enum hsm_uri_pin {
	HSM_URI_PIN_ASK,        /* no pin-source: from the terminal */
	HSM_URI_PIN_FILE,       /* pin-source=file:/PATH */
	HSM_URI_PIN_CREDENTIAL, /* pin-source=credential:NAME (systemd) */
};

struct hsm_uri;

/*
 * KMS_ERR_CONFIG says what is wrong with it, without repeating it: a URI with
 * a pin-value holds the PIN, and is refused for that. Refused too: no
 * module-path or a relative one, neither label nor serial, slot-id, object
 * attributes, attributes that nobody knows, and a program as PIN source.
 */
int hsm_uri_parse(const char *, struct hsm_uri **) KMS_MUST;
void hsm_uri_free(struct hsm_uri **);

/* Borrowed, as long as the URI lives. */
const char *hsm_uri_module(const struct hsm_uri *);
/* "'p11kms'" or "with serial 1234": for messages. */
const char *hsm_uri_name(const struct hsm_uri *);
/* Where the PIN comes from; *name is the path or the credential's name. */
enum hsm_uri_pin hsm_uri_pin(const struct hsm_uri *, const char **name);

bool hsm_uri_matches(const struct hsm_uri *, const CK_TOKEN_INFO *);

#endif
