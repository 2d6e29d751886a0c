#include "hsm/module.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libp11.h>

#include "hsm/ckr.h"

struct hsm_module {
	void *dl;
	CK_FUNCTION_LIST *f;
	PKCS11_CTX *ctx;
	PKCS11_SLOT *slot;
	unsigned n;
	bool loaded; /* ctx has initialised the module */
	pid_t pid;
	char path[];
};

/* Before libp11 does: it would print the loader's complaint to stderr. What
 * libp11 loads afterwards is this same module. */
static int
open_library(struct hsm_module *m)
{
	CK_C_GetFunctionList get = NULL;
	void *symbol;
	CK_RV rv;

	m->dl = dlopen(m->path, RTLD_NOW | RTLD_LOCAL);
	if (m->dl == NULL)
		return kms_fail(KMS_ERR_TOKEN,
		    "PKCS#11 module: %s; check module-path in the token URI",
		    dlerror());
	symbol = dlsym(m->dl, "C_GetFunctionList");
	if (symbol == NULL)
		return kms_fail(KMS_ERR_TOKEN,
		    "%s: not a PKCS#11 module; check module-path in the token "
		    "URI",
		    m->path);
	memcpy(&get, &symbol, sizeof(get));
	rv = get(&m->f);
	if (rv != CKR_OK)
		return hsm_ckr_fail(rv, "C_GetFunctionList");
	return 0;
}

/* libp11 leaves the CK_RV in OpenSSL's queue, as the reason. */
static int
libp11_fail(const struct hsm_module *m, const char *what)
{
	unsigned long e = ERR_peek_last_error();
	int r;

	r = hsm_ckr_fail((CK_RV)ERR_GET_REASON(e), what);
	ERR_clear_error();
	return kms_fail_add(r, "%s", m->path);
}

static int
initialise(struct hsm_module *m)
{
	int r;

	m->ctx = PKCS11_CTX_new();
	if (m->ctx == NULL)
		return kms_fail(KMS_ERR_MEMORY, "libp11: out of memory");
	if (PKCS11_CTX_load(m->ctx, m->path) != 0)
		return libp11_fail(m, "C_Initialize");
	m->loaded = true;
	if (PKCS11_enumerate_slots(m->ctx, &m->slot, &m->n) != 0) {
		r = libp11_fail(m, "listing its tokens");
		return kms_fail(KMS_ERR_NOTFOUND, "%s", kms_err_cause(r));
	}
	return 0;
}

int
hsm_module_load(const char *path, struct hsm_module **out)
{
	struct hsm_module *m = NULL;
	size_t len = strlen(path) + 1;
	int r;

	*out = NULL;
	m = calloc(1, sizeof(*m) + len);
	if (m == NULL)
		return kms_fail(KMS_ERR_MEMORY, "module: out of memory");
	memcpy(m->path, path, len);
	m->pid = getpid();
	r = open_library(m);
	if (r == 0)
		r = initialise(m);
	if (r == 0) {
		*out = m;
		m = NULL; /* transferred */
	}
	hsm_module_unload(&m);
	return r;
}

void
hsm_module_unload(struct hsm_module **module)
{
	struct hsm_module *m;

	if (module == NULL || *module == NULL)
		return;
	m = *module;
	if (m->pid == getpid()) {
		if (m->slot != NULL)
			PKCS11_release_all_slots(m->ctx, m->slot, m->n);
		if (m->loaded)
			PKCS11_CTX_unload(m->ctx);
		if (m->ctx != NULL)
			PKCS11_CTX_free(m->ctx);
		if (m->dl != NULL)
			(void)dlclose(m->dl);
	}
	free(m);
	*module = NULL;
}

CK_FUNCTION_LIST *
hsm_module_functions(const struct hsm_module *m)
{
	return m->f;
}

/* Blank-padded, not terminated: the form of CK_TOKEN_INFO. */
static void
pad(CK_UTF8CHAR *to, size_t size, const char *from)
{
	size_t len = from == NULL ? 0 : strnlen(from, size);

	memset(to, ' ', size);
	if (len > 0)
		memcpy(to, from, len);
}

/* libp11's strings back in the form that the URI is matched against: that
 * saves a C_GetTokenInfo for every token of the module. */
static bool
matches(const struct hsm_uri *u, const PKCS11_TOKEN *t)
{
	CK_TOKEN_INFO info = {0};

	if (t == NULL || !t->initialized)
		return false;
	pad(info.label, sizeof(info.label), t->label);
	pad(info.manufacturerID, sizeof(info.manufacturerID), t->manufacturer);
	pad(info.model, sizeof(info.model), t->model);
	pad(info.serialNumber, sizeof(info.serialNumber), t->serialnr);
	return hsm_uri_matches(u, &info);
}

static int
not_found(const struct hsm_module *m, const struct hsm_uri *u)
{
	char list[160] = "";
	size_t at = 0;
	int n;

	for (unsigned i = 0; i < m->n && at < sizeof(list) - 1; i++) {
		const PKCS11_TOKEN *t = m->slot[i].token;

		if (t == NULL || !t->initialized)
			continue;
		n = snprintf(list + at, sizeof(list) - at, "%s'%.32s'",
		    at == 0 ? "" : ", ", t->label == NULL ? "" : t->label);
		at += n < 0 ? 0 : (size_t)n;
	}
	return kms_fail(KMS_ERR_NOTFOUND,
	    "token %s: not found in %s (tokens there: %s); is it initialised "
	    "and connected? pkcs11-tool --module %s -L lists them",
	    hsm_uri_name(u), m->path, list[0] == '\0' ? "none" : list, m->path);
}

int
hsm_module_find(const struct hsm_module *m, const struct hsm_uri *u,
    CK_SLOT_ID *slot)
{
	unsigned found = 0;

	for (unsigned i = 0; i < m->n; i++) {
		if (!matches(u, m->slot[i].token))
			continue;
		found++;
		*slot = PKCS11_get_slotid_from_slot(&m->slot[i]);
	}
	if (found == 0)
		return not_found(m, u);
	if (found > 1)
		return kms_fail(KMS_ERR_CONFIG,
		    "token %s: %u tokens in %s match; add serial= to the token "
		    "URI",
		    hsm_uri_name(u), found, m->path);
	return 0;
}
