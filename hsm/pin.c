#include "hsm/pin.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "kms/base/file.h"

static int
strip_newline(struct kms_secret *pin, const char *from)
{
	const uint8_t *p = kms_secret_bytes(pin);
	size_t n = kms_secret_len(pin);

	if (n > 0 && p[n - 1] == '\n')
		n--;
	if (n > 0 && p[n - 1] == '\r')
		n--;
	if (n == 0)
		return kms_fail(KMS_ERR_PIN,
		    "PIN from %s: is empty; put the PIN into its first line",
		    from);
	if (n > HSM_PIN_MAX)
		return kms_fail(KMS_ERR_PIN,
		    "PIN from %s: over %u bytes; nothing but the PIN may be in "
		    "it",
		    from, HSM_PIN_MAX);
	return kms_secret_truncate(pin, n);
}

/*
 * systemd guards the credentials' directory itself, and where it hands a file
 * over by an access list, the mode shows group bits: it is not checked here.
 */
static int
read_credential(const char *name, struct kms_secret **out)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	struct kms_secret *pin = NULL;
	char path[PATH_MAX];
	size_t len = 0;
	int r, n;

	if (dir == NULL || dir[0] != '/')
		return kms_fail(KMS_ERR_CONFIG,
		    "PIN credential %s: no $CREDENTIALS_DIRECTORY; start it "
		    "from a unit with LoadCredentialEncrypted=%s",
		    name, name);
	n = snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return kms_fail(KMS_ERR_CONFIG,
		    "PIN credential: path is too long");
	r = kms_secret_new(HSM_PIN_MAX + 2, &pin);
	if (r != 0)
		return r;
	r = kms_file_read(path, HSM_PIN_MAX + 2, kms_secret_fill(pin), &len);
	if (r == KMS_ERR_NOTFOUND)
		r = kms_fail(KMS_ERR_CONFIG, "PIN credential: %s",
		    kms_err_cause(r));
	if (r == 0)
		r = kms_secret_truncate(pin, len);
	if (r == 0)
		*out = kms_secret_take(&pin);
	kms_secret_free(&pin);
	return r;
}

static int
read_source(const struct hsm_uri *u, hsm_pin_ask *ask, void *arg,
    struct kms_secret **out)
{
	const char *name = NULL;
	int r = KMS_ERR_INTERNAL;

	switch (hsm_uri_pin(u, &name)) {
	case HSM_URI_PIN_FILE:
		r = kms_file_read_secret(name, HSM_PIN_MAX + 2, out);
		if (r != 0)
			r = kms_fail(r == KMS_ERR_NOTFOUND ? KMS_ERR_CONFIG : r,
			    "PIN file: %s", kms_err_cause(r));
		break;
	case HSM_URI_PIN_CREDENTIAL:
		r = read_credential(name, out);
		break;
	case HSM_URI_PIN_ASK:
		if (ask == NULL)
			return kms_fail(KMS_ERR_CONFIG,
			    "token %s: no PIN; add pin-source=file:/PATH to "
			    "the token URI, or run on a terminal",
			    hsm_uri_name(u));
		r = ask(arg, hsm_uri_name(u), out);
		break;
	}
	return r;
}

int
hsm_pin_read(const struct hsm_uri *u, hsm_pin_ask *ask, void *arg,
    struct kms_secret **out, bool *typed)
{
	struct kms_secret *pin = NULL;
	const char *name = NULL;
	int r;

	*out = NULL;
	*typed = hsm_uri_pin(u, &name) == HSM_URI_PIN_ASK;
	r = read_source(u, ask, arg, &pin);
	if (r == 0)
		r = strip_newline(pin, *typed ? "the terminal" : name);
	if (r == 0)
		*out = kms_secret_take(&pin);
	kms_secret_free(&pin);
	return r;
}

int
hsm_pin_check(const struct kms_secret *pin, const CK_TOKEN_INFO *t)
{
	size_t n = kms_secret_len(pin);

	/* some tokens leave both at 0 or "unavailable" */
	if (t->ulMaxPinLen == 0 || t->ulMaxPinLen < t->ulMinPinLen)
		return 0;
	if (n >= t->ulMinPinLen && n <= t->ulMaxPinLen)
		return 0;
	return kms_fail(KMS_ERR_PIN,
	    "PIN: wrong length; the token takes %lu to %lu bytes (not tried)",
	    t->ulMinPinLen, t->ulMaxPinLen);
}
