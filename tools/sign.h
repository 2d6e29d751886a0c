/*
 * A file with its signature (FILE.sig, DER) and public key (FILE.pub, PEM)
 * beside it, to be checked by openssl alone. All three are made as the caller
 * before the tool turns into the store's owner, and removed again unless the
 * signature was made.
 */
#ifndef TOOLS_SIGN_H
#define TOOLS_SIGN_H

#include <stdio.h>

#include <openssl/evp.h>

#include "kms/base/err.h"

struct sign;

/* EXISTS: never over a file. */
int sign_open(const char *path, struct sign **) KMS_MUST;
/* Where the content goes. */
FILE *sign_content(struct sign *);
/* Content, signature and public key are on disk when it returns 0. */
int sign_finish(struct sign *, EVP_PKEY *) KMS_MUST;
void sign_close(struct sign **);

#endif
