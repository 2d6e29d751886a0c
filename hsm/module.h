/*
 * One PKCS#11 module, loaded and initialised by libp11 (with locking by the
 * operating system), used by raw calls. libp11's slots are listed once, at
 * load; its login, sessions and later listings are never used: in 0.4.12 they
 * hang when C_OpenSession fails, or close our sessions. Not thread-safe:
 * its owner (hsm/token) keeps others out while loading and unloading.
 */
#ifndef HSM_MODULE_H
#define HSM_MODULE_H

#include "hsm/uri.h"

struct hsm_module;

/* KMS_ERR_TOKEN names the file and the loader's or the module's reason.
 * KMS_ERR_NOTFOUND: a token would not tell about itself, perhaps only because
 * another process is logging in to it; worth another load. */
int hsm_module_load(const char *path, struct hsm_module **) KMS_MUST;
/* C_Finalize and unload. Every session is closed, every object handle and
 * libp11 key is dead by then; the caller sees to that. In a forked child it
 * only frees memory: a C_Finalize there can end the parent's sessions. */
void hsm_module_unload(struct hsm_module **);

/* Borrowed until unload. */
CK_FUNCTION_LIST *hsm_module_functions(const struct hsm_module *);

/* The one token that the URI names. None: KMS_ERR_NOTFOUND, which lists what
 * is there; several: KMS_ERR_CONFIG. */
int hsm_module_find(const struct hsm_module *, const struct hsm_uri *,
    CK_SLOT_ID *) KMS_MUST;

#endif
