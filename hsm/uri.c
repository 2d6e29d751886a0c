#include "hsm/uri.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <p11-kit/uri.h>

#define FILE_SOURCE "file:"
#define CREDENTIAL_SOURCE "credential:"

struct hsm_uri {
	P11KitUri *parsed;
	enum hsm_uri_pin pin;
	const char *pin_name; /* lies in parsed */
	char name[48];
};

static int
check_names(P11KitUri *u)
{
	CK_TOKEN_INFO *t = p11_kit_uri_get_token_info(u);
	CK_ULONG attributes = 0;

	(void)p11_kit_uri_get_attributes(u, &attributes);
	if (attributes != 0)
		return kms_fail(KMS_ERR_CONFIG,
		    "token URI: names an object; leave object, id and type out");
	if (p11_kit_uri_get_slot_id(u) != (CK_SLOT_ID)-1)
		return kms_fail(KMS_ERR_CONFIG,
		    "token URI: slot-id: slot numbers move; name the token by "
		    "token= or serial=");
	if ((t->label[0] == '\0' || t->label[0] == ' ') &&
	    t->serialNumber[0] == '\0')
		return kms_fail(KMS_ERR_CONFIG,
		    "token URI: names no token; add token=LABEL or serial=");
	return 0;
}

static int
check_module(P11KitUri *u)
{
	const char *path = p11_kit_uri_get_module_path(u);

	if (p11_kit_uri_get_module_name(u) != NULL)
		return kms_fail(KMS_ERR_CONFIG,
		    "token URI: module-name is not supported; give its file "
		    "as module-path=/…");
	if (path == NULL)
		return kms_fail(KMS_ERR_CONFIG,
		    "token URI: no module; add ?module-path=/…/libmodule.so");
	if (path[0] != '/')
		return kms_fail(KMS_ERR_CONFIG,
		    "token URI: module-path %s is not absolute", path);
	return 0;
}

/* "file:/PATH" and "file:///PATH" (RFC 8089) mean the same. */
static const char *
file_path(const char *rest)
{
	return strncmp(rest, "///", 3) == 0 ? rest + 2 : rest;
}

static int
set_pin_source(struct hsm_uri *u)
{
	const char *s = p11_kit_uri_get_pin_source(u->parsed);

	if (p11_kit_uri_get_pin_value(u->parsed) != NULL)
		return kms_fail(KMS_ERR_CONFIG,
		    "token URI: a PIN may not stand in it; put it into a file "
		    "(0600) and name that as pin-source=file:/…");
	if (s == NULL) {
		u->pin = HSM_URI_PIN_ASK;
		return 0;
	}
	if (strncmp(s, FILE_SOURCE, strlen(FILE_SOURCE)) == 0) {
		u->pin = HSM_URI_PIN_FILE;
		u->pin_name = file_path(s + strlen(FILE_SOURCE));
		if (u->pin_name[0] == '/' && u->pin_name[1] != '/')
			return 0;
		return kms_fail(KMS_ERR_CONFIG,
		    "token URI: pin-source: the file's path must be absolute");
	}
	if (strncmp(s, CREDENTIAL_SOURCE, strlen(CREDENTIAL_SOURCE)) == 0) {
		u->pin = HSM_URI_PIN_CREDENTIAL;
		u->pin_name = s + strlen(CREDENTIAL_SOURCE);
		if (u->pin_name[0] != '\0' && u->pin_name[0] != '.' &&
		    strchr(u->pin_name, '/') == NULL)
			return 0;
		return kms_fail(KMS_ERR_CONFIG,
		    "token URI: pin-source: not the name of a credential");
	}
	if (s[0] == '|')
		return kms_fail(KMS_ERR_CONFIG,
		    "token URI: pin-source may not be a program; use "
		    "file:/PATH or credential:NAME");
	return kms_fail(KMS_ERR_CONFIG,
	    "token URI: pin-source must be file:/PATH or credential:NAME");
}

/* Without the blanks that CK_TOKEN_INFO is padded with. */
static int
text_len(const CK_UTF8CHAR *p, int len)
{
	while (len > 0 && p[len - 1] == ' ')
		len--;
	return len;
}

static void
set_name(struct hsm_uri *u)
{
	const CK_TOKEN_INFO *t = p11_kit_uri_get_token_info(u->parsed);

	if (t->label[0] != '\0')
		(void)snprintf(u->name, sizeof(u->name), "'%.*s'",
		    text_len(t->label, sizeof(t->label)),
		    (const char *)t->label);
	else
		(void)snprintf(u->name, sizeof(u->name), "with serial %.*s",
		    text_len(t->serialNumber, sizeof(t->serialNumber)),
		    (const char *)t->serialNumber);
}

static int
parse(const char *text, struct hsm_uri *u)
{
	int r;

	u->parsed = p11_kit_uri_new();
	if (u->parsed == NULL)
		return kms_fail(KMS_ERR_MEMORY, "token URI: out of memory");
	r = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, u->parsed);
	if (r != P11_KIT_URI_OK)
		return kms_fail(KMS_ERR_CONFIG,
		    "token URI: %s; it reads "
		    "pkcs11:token=LABEL?module-path=/…&pin-source=file:/…",
		    p11_kit_uri_message(r));
	r = set_pin_source(u);
	if (r == 0 && p11_kit_uri_any_unrecognized(u->parsed))
		r = kms_fail(KMS_ERR_CONFIG,
		    "token URI: an attribute is unknown or too long");
	if (r == 0)
		r = check_names(u->parsed);
	if (r == 0)
		r = check_module(u->parsed);
	return r;
}

int
hsm_uri_parse(const char *text, struct hsm_uri **out)
{
	struct hsm_uri *u = NULL;
	int r;

	*out = NULL;
	u = calloc(1, sizeof(*u));
	if (u == NULL)
		return kms_fail(KMS_ERR_MEMORY, "token URI: out of memory");
	r = parse(text, u);
	if (r != 0)
		goto out;
	set_name(u);
	*out = u;
	u = NULL; /* transferred */
out:
	hsm_uri_free(&u);
	return r;
}

void
hsm_uri_free(struct hsm_uri **u)
{
	if (u == NULL || *u == NULL)
		return;
	p11_kit_uri_free((*u)->parsed);
	free(*u);
	*u = NULL;
}

const char *
hsm_uri_module(const struct hsm_uri *u)
{
	return p11_kit_uri_get_module_path(u->parsed);
}

const char *
hsm_uri_name(const struct hsm_uri *u)
{
	return u->name;
}

enum hsm_uri_pin
hsm_uri_pin(const struct hsm_uri *u, const char **name)
{
	*name = u->pin_name;
	return u->pin;
}

bool
hsm_uri_matches(const struct hsm_uri *u, const CK_TOKEN_INFO *t)
{
	return p11_kit_uri_match_token_info(u->parsed, t) == 1;
}
