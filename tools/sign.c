#include "tools/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/pem.h>

#define SIGNATURE_MAX 256u
#define CHUNK 65536u

enum { CONTENT, SIGNATURE, PUBLIC, FILES };

struct sign {
	char *path[FILES];
	FILE *f[FILES];
	bool done;
};

static int
open_one(struct sign *s, unsigned which, const char *path, const char *suffix)
{
	int fd;

	if (asprintf(&s->path[which], "%s%s", path, suffix) < 0) {
		s->path[which] = NULL;
		return kms_fail(KMS_ERR_MEMORY, "%s: out of memory", path);
	}
	fd = open(s->path[which], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0) {
		s->f[which] = fdopen(fd, "w+");
		if (s->f[which] != NULL)
			return 0;
		(void)close(fd);
	}
	return kms_fail(errno == EEXIST ? KMS_ERR_EXISTS : KMS_ERR_IO,
	    "%s: %s; nothing was signed", s->path[which], strerror(errno));
}

int
sign_open(const char *path, struct sign **out)
{
	struct sign *s = calloc(1, sizeof(*s));
	int r;

	*out = NULL;
	if (s == NULL)
		return kms_fail(KMS_ERR_MEMORY, "%s: out of memory", path);
	r = open_one(s, CONTENT, path, "");
	if (r == 0)
		r = open_one(s, SIGNATURE, path, ".sig");
	if (r == 0)
		r = open_one(s, PUBLIC, path, ".pub");
	if (r == 0)
		*out = s;
	else
		sign_close(&s);
	return r;
}

void
sign_close(struct sign **sp)
{
	struct sign *s = sp != NULL ? *sp : NULL;
	unsigned i;

	if (s == NULL)
		return;
	for (i = 0; i < FILES; i++) {
		if (s->f[i] != NULL)
			(void)fclose(s->f[i]);
		if (s->f[i] != NULL && s->path[i] != NULL && !s->done)
			(void)unlink(s->path[i]);
		free(s->path[i]);
	}
	free(s);
	*sp = NULL;
}

FILE *
sign_content(struct sign *s)
{
	return s->f[CONTENT];
}

/* What was written is read back: that is what is signed. */
static int
digest_content(struct sign *s, EVP_MD_CTX *md)
{
	char *chunk = malloc(CHUNK);
	size_t n;
	int r = 0;

	if (chunk == NULL)
		return kms_fail(KMS_ERR_MEMORY, "signature: out of memory");
	rewind(s->f[CONTENT]);
	while (r == 0 && (n = fread(chunk, 1, CHUNK, s->f[CONTENT])) > 0)
		if (EVP_DigestSignUpdate(md, chunk, n) != 1)
			r = kms_fail(KMS_ERR_INTERNAL, "signature: digest");
	free(chunk);
	if (r == 0 && ferror(s->f[CONTENT]))
		r = kms_fail(KMS_ERR_IO, "%s: cannot be read back",
		    s->path[CONTENT]);
	return r;
}

static int
put_signature(struct sign *s, EVP_PKEY *key)
{
	unsigned char sig[SIGNATURE_MAX];
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	size_t len = sizeof(sig);
	int r = 0;

	if (md == NULL ||
	    EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key) != 1)
		r = kms_fail(KMS_ERR_MEMORY, "signature: out of memory");
	if (r == 0)
		r = digest_content(s, md);
	if (r == 0 && EVP_DigestSignFinal(md, sig, &len) != 1)
		r = kms_fail(KMS_ERR_TOKEN,
		    "the token does not sign; nothing was signed");
	if (r == 0)
		(void)fwrite(sig, 1, len, s->f[SIGNATURE]);
	EVP_MD_CTX_free(md);
	return r;
}

int
sign_finish(struct sign *s, EVP_PKEY *key)
{
	unsigned i;
	int r = 0;

	if (fflush(s->f[CONTENT]) != 0)
		return kms_fail(KMS_ERR_IO, "%s: %s", s->path[CONTENT],
		    strerror(errno));
	r = put_signature(s, key);
	if (r == 0 && PEM_write_PUBKEY(s->f[PUBLIC], key) != 1)
		r = kms_fail(KMS_ERR_INTERNAL, "public key: not written");
	for (i = 0; i < FILES && r == 0; i++)
		if (fflush(s->f[i]) != 0 || fsync(fileno(s->f[i])) != 0)
			r = kms_fail(KMS_ERR_IO, "%s: %s", s->path[i],
			    strerror(errno));
	s->done = r == 0;
	return r;
}
