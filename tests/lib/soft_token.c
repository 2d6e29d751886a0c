#include "tests/lib/soft_token.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "kms/base/buf.h"
#include "kms/base/crypt.h"
#include "kms/base/file.h"

#define IMAGE_MAX 65536u
#define WRAPPED_LEN 40u

static void
encode(struct kms_wr *wr, const struct soft_token *t)
{
	const struct soft_anchor *a;
	const struct soft_key *k;

	kms_wr_str(wr, t->serial);
	kms_wr_u16(wr, (uint16_t)t->nkeys);
	for (k = t->key; k < t->key + t->nkeys; k++) {
		kms_wr_u8(wr, (uint8_t)k->role);
		kms_wr_u8(wr, (uint8_t)k->cka_id_len);
		kms_wr_bytes(wr, k->cka_id, k->cka_id_len);
		kms_wr_str(wr, k->label);
		kms_wr_bytes(wr, k->key, sizeof(k->key));
		kms_wr_u8(wr, k->extractable);
	}
	kms_wr_u16(wr, (uint16_t)t->nanchors);
	for (a = t->anchor; a < t->anchor + t->nanchors; a++) {
		kms_wr_bytes(wr, a->uuid, sizeof(a->uuid));
		kms_wr_u16(wr, (uint16_t)a->anchor.len);
		kms_wr_bytes(wr, a->anchor.bytes, a->anchor.len);
	}
}

/* Our own file, but a test may have cut it: sizes are compared. */
static int
decode(struct kms_rd *rd, struct soft_token *t)
{
	struct soft_anchor *a;
	struct soft_key *k;

	kms_rd_str(rd, t->serial, sizeof(t->serial));
	t->nkeys = kms_rd_u16(rd);
	if (t->nkeys > SOFT_KEYS)
		return kms_fail(KMS_ERR_TOKEN, "soft token: damaged");
	for (k = t->key; k < t->key + t->nkeys; k++) {
		k->role = kms_rd_u8(rd);
		k->cka_id_len = kms_rd_u8(rd);
		if (k->cka_id_len > sizeof(k->cka_id))
			return kms_fail(KMS_ERR_TOKEN, "soft token: damaged");
		kms_rd_copy(rd, k->cka_id, k->cka_id_len);
		kms_rd_str(rd, k->label, sizeof(k->label));
		kms_rd_copy(rd, k->key, sizeof(k->key));
		k->extractable = kms_rd_u8(rd) != 0;
	}
	t->nanchors = kms_rd_u16(rd);
	if (t->nanchors > SOFT_ANCHORS)
		return kms_fail(KMS_ERR_TOKEN, "soft token: damaged");
	for (a = t->anchor; a < t->anchor + t->nanchors; a++) {
		kms_rd_copy(rd, a->uuid, sizeof(a->uuid));
		a->anchor.len = kms_rd_u16(rd);
		if (a->anchor.len > sizeof(a->anchor.bytes))
			return kms_fail(KMS_ERR_TOKEN, "soft token: damaged");
		kms_rd_copy(rd, a->anchor.bytes, a->anchor.len);
	}
	if (kms_rd_end(rd, "soft token") != 0)
		return KMS_ERR_TOKEN;
	return 0;
}

int
soft_token_open(struct soft_token *t, const char *path)
{
	uint8_t random[4];
	int r;

	*t = (struct soft_token){.path = path};
	if (path != NULL && access(path, F_OK) == 0)
		return soft_token_load(t);
	r = kms_random(random, sizeof(random));
	if (r != 0)
		return r;
	snprintf(t->serial, sizeof(t->serial), "soft%08x",
	    (unsigned)kms_get32(random));
	return soft_token_save(t);
}

int
soft_token_load(struct soft_token *t)
{
	static _Thread_local uint8_t image[IMAGE_MAX];
	struct kms_rd rd;
	size_t len;
	int r;

	if (t->path == NULL)
		return 0;
	r = kms_file_read(t->path, sizeof(image), image, &len);
	if (r != 0)
		return kms_fail_add(KMS_ERR_TOKEN, "soft token");
	kms_rd_init(&rd, image, len);
	return decode(&rd, t);
}

/* Renamed into place, so that nobody reads half of it. Not synced: tests cut
 * processes down, not the power. */
int
soft_token_save(const struct soft_token *t)
{
	char tmp[1024];
	struct kms_wr wr;
	FILE *f = NULL;
	int r;

	if (t->path == NULL)
		return 0;
	kms_wr_grow(&wr, IMAGE_MAX);
	encode(&wr, t);
	r = kms_wr_check(&wr, "soft token");
	if (r != 0)
		goto out;
	snprintf(tmp, sizeof(tmp), "%s.new", t->path);
	f = fopen(tmp, "w");
	if (f == NULL || fwrite(wr.p, 1, wr.len, f) != wr.len ||
	    fflush(f) != 0 || rename(tmp, t->path) != 0)
		r = kms_fail(KMS_ERR_TOKEN, "soft token: cannot write %s", tmp);
out:
	if (f != NULL)
		fclose(f);
	kms_wr_free(&wr);
	return r;
}

static bool
is(const struct soft_key *k, const uint8_t *cka_id, size_t len)
{
	return k->cka_id_len == len && memcmp(k->cka_id, cka_id, len) == 0;
}

size_t
soft_token_find(struct soft_token *t, const uint8_t *cka_id, size_t len,
    struct soft_key **at)
{
	struct soft_key *k;
	size_t n = 0;

	for (k = t->key; k < t->key + t->nkeys; k++) {
		if (!is(k, cka_id, len))
			continue;
		if (at != NULL)
			*at = k;
		n++;
	}
	return n;
}

int
soft_token_add(struct soft_token *t, const struct soft_key *k)
{
	if (t->nkeys == SOFT_KEYS)
		return kms_fail(KMS_ERR_TOKEN, "soft token: full");
	t->key[t->nkeys++] = *k;
	return 0;
}

void
soft_token_drop(struct soft_token *t, const uint8_t *cka_id, size_t len)
{
	size_t i, n = 0;

	for (i = 0; i < t->nkeys; i++)
		if (!is(&t->key[i], cka_id, len))
			t->key[n++] = t->key[i];
	t->nkeys = n;
}

int
soft_token_set_anchor(struct soft_token *t, const uint8_t uuid[16],
    const struct kms_anchor *anchor)
{
	size_t i, n = 0;

	for (i = 0; i < t->nanchors; i++)
		if (memcmp(t->anchor[i].uuid, uuid, 16) != 0)
			t->anchor[n++] = t->anchor[i];
	t->nanchors = n;
	if (n == SOFT_ANCHORS)
		return kms_fail(KMS_ERR_TOKEN, "soft token: full");
	memcpy(t->anchor[n].uuid, uuid, 16);
	t->anchor[n].anchor = *anchor;
	t->nanchors++;
	return 0;
}

/* RFC 3394 through EVP. KMS_ERR_AUTH when it does not unwrap. */
static int
key_wrap(const struct soft_key *master, int enc, const uint8_t *in,
    size_t in_len, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int r = 0, n;

	if (ctx == NULL)
		return kms_crypt_fail("soft token");
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_CipherInit_ex(ctx, EVP_aes_256_wrap(), NULL, master->key, NULL,
		enc) != 1)
		r = kms_crypt_fail("soft token");
	else if (EVP_CipherUpdate(ctx, out, &n, in, (int)in_len) != 1) {
		(void)kms_crypt_fail("soft token");
		r = kms_fail(KMS_ERR_AUTH, "soft token: does not unwrap");
	}
	EVP_CIPHER_CTX_free(ctx);
	return r;
}

int
soft_token_wrap(const struct soft_key *master, const struct kms_secret *data,
    struct kms_wrapped *w)
{
	struct kms_wrapped new = {.len = WRAPPED_LEN};
	struct kms_secret *born = NULL;
	int r = 0;

	if (data == NULL) {
		r = kms_random_secret(KMS_KEY_LEN, &born);
		data = born;
	}
	if (r == 0 && kms_secret_len(data) != KMS_KEY_LEN)
		r = kms_fail(KMS_ERR_INTERNAL, "soft token: key length");
	if (r == 0)
		r = key_wrap(master, 1, kms_secret_bytes(data), KMS_KEY_LEN,
		    new.bytes);
	if (r == 0)
		r = kms_kcv(data, new.kcv);
	if (r == 0)
		*w = new;
	kms_secret_free(&born);
	return r;
}

int
soft_token_unwrap(const struct soft_key *master, const struct kms_wrapped *w,
    struct kms_secret **out)
{
	struct kms_secret *data = NULL;
	uint8_t kcv[8];
	int r;

	if (w->len != WRAPPED_LEN)
		return kms_fail(KMS_ERR_AUTH, "soft token: wrapped length");
	r = kms_secret_new(KMS_KEY_LEN, &data);
	if (r != 0)
		goto out;
	r = key_wrap(master, 0, w->bytes, w->len, kms_secret_fill(data));
	if (r == 0)
		r = kms_kcv(data, kcv);
	if (r == 0 && !kms_equal(kcv, w->kcv, sizeof(kcv)))
		r = kms_fail(KMS_ERR_AUTH, "soft token: check value differs");
	if (r == 0)
		*out = kms_secret_take(&data);
out:
	kms_secret_free(&data);
	return r;
}

static bool
wanted_is(const struct kms_wanted *w, const struct soft_key *k)
{
	if (w->cka_id != NULL)
		return k->cka_id_len == w->cka_id_len &&
		    memcmp(k->cka_id, w->cka_id, w->cka_id_len) == 0;
	return strcmp(k->label, w->label) == 0;
}

int
soft_token_find_wanted(struct soft_token *t, const struct kms_wanted *w,
    struct soft_key **key)
{
	struct soft_key *k;
	size_t n = 0;

	for (k = t->key; k < t->key + t->nkeys; k++) {
		if (!wanted_is(w, k))
			continue;
		*key = k;
		n++;
	}
	if (n == 0)
		return kms_fail(KMS_ERR_NOTFOUND, "soft token: no such key");
	if (n > 1)
		return kms_fail(KMS_ERR_MASTER, "soft token: %zu keys fit", n);
	return 0;
}

int
soft_token_new_key(const struct kms_secret *secret, const struct kms_slot *slot,
    struct soft_key *k)
{
	if (slot->cka_id_len == 0 || slot->cka_id_len > sizeof(k->cka_id))
		return kms_fail(KMS_ERR_INTERNAL, "soft token: no CKA_ID");
	*k = (struct soft_key){.role = slot->role};
	memcpy(k->cka_id, slot->cka_id, slot->cka_id_len);
	k->cka_id_len = slot->cka_id_len;
	snprintf(k->label, sizeof(k->label), "p11kms %s %s",
	    slot->role == KMS_ROLE_HMK ? "HMK" : "KPK", slot->id);
	if (secret == NULL)
		return kms_random(k->key, sizeof(k->key));
	if (kms_secret_len(secret) != sizeof(k->key))
		return kms_fail(KMS_ERR_INTERNAL, "soft token: key length");
	memcpy(k->key, kms_secret_bytes(secret), sizeof(k->key));
	return 0;
}
