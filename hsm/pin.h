/*
 * Reading the user PIN: from a file (0600), a systemd credential, or a
 * terminal through the caller's function. Never from arguments, environment
 * or the URI, and never kept: it is read again for each login.
 */
#ifndef HSM_PIN_H
#define HSM_PIN_H

#include "hsm/uri.h"
#include "kms/base/secret.h"

#define HSM_PIN_MAX 255u

/* Asks a person; token is what to name in the prompt. */
typedef int hsm_pin_ask(void *arg, const char *token, struct kms_secret **pin);

/*
 * One trailing LF or CRLF is not part of the PIN. KMS_ERR_PIN: empty, or too
 * long to be one. KMS_ERR_CONFIG: the source cannot be used, why, and what to
 * do. *typed tells a PIN typed just now, which no guard holds back. ask may be
 * NULL: then a URI without pin-source is KMS_ERR_CONFIG.
 */
int hsm_pin_read(const struct hsm_uri *, hsm_pin_ask *ask, void *arg,
    struct kms_secret **pin, bool *typed) KMS_MUST;

/* What the token takes, so that no login is spent on a PIN it cannot be. */
int hsm_pin_check(const struct kms_secret *pin, const CK_TOKEN_INFO *) KMS_MUST;

#endif
