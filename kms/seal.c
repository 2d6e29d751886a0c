#include "kms/seal.h"

#include <stdlib.h>
#include <string.h>

#define FORMAT 1u
#define INFO "p11kms/1/row"
#define AAD_LEN (16u + 2 + 2 + 8 + 8 + 2)
#define HEAD_LEN (2u + KMS_GCM_IV) /* before the ciphertext */
#define KEYS_MAX 4u /* file keys open at once: current, next, spare */

struct kms_seal {
	uint8_t aad[AAD_LEN]; /* store and format; the rest is each row's */
	struct {
		uint16_t slot;
		struct kms_gcm *gcm;
	} key[KEYS_MAX];
	size_t n;
	size_t current; /* index of the key that seals; n when there is none */
};

int
kms_seal_new(const uint8_t uuid[16], struct kms_seal **out)
{
	struct kms_seal *s;

	*out = NULL;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return kms_fail(KMS_ERR_MEMORY, "seal: out of memory");
	memcpy(s->aad, uuid, 16);
	kms_put16(s->aad + 16, FORMAT);
	s->current = KEYS_MAX;
	*out = s;
	return 0;
}

void
kms_seal_free(struct kms_seal **sp)
{
	size_t i;

	if (sp == NULL || *sp == NULL)
		return;
	for (i = 0; i < (*sp)->n; i++)
		kms_gcm_free(&(*sp)->key[i].gcm);
	free(*sp);
	*sp = NULL;
}

static struct kms_gcm *
find(const struct kms_seal *s, uint16_t slot)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->key[i].slot == slot)
			return s->key[i].gcm;
	return NULL;
}

int
kms_seal_add(struct kms_seal *s, uint16_t slot,
    const struct kms_secret *file_key, bool current)
{
	const struct kms_bytes info = {INFO, sizeof(INFO) - 1};
	struct kms_secret *key = NULL;
	int r;

	if (s->n == KEYS_MAX || find(s, slot) != NULL)
		return kms_fail(KMS_ERR_INTERNAL,
		    "seal: slot %u is there, or too many keys", slot);
	r = kms_hkdf(file_key, info, KMS_KEY_LEN, &key);
	if (r == 0)
		r = kms_gcm_new(key, &s->key[s->n].gcm);
	kms_secret_free(&key);
	if (r != 0)
		return r;
	s->key[s->n].slot = slot;
	if (current)
		s->current = s->n;
	s->n++;
	return 0;
}

int
kms_seal_use(struct kms_seal *s, uint16_t slot)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		if (s->key[i].slot != slot)
			continue;
		s->current = i;
		return 0;
	}
	return kms_fail(KMS_ERR_INTERNAL, "seal: slot %u is not open", slot);
}

uint16_t
kms_seal_slot(const struct kms_row *row)
{
	return row->len < KMS_SEAL_OVERHEAD ? 0 : kms_get16(row->sealed);
}

/* Every clear column, so that a row proves where it belongs. */
static struct kms_bytes
row_aad(struct kms_seal *s, const struct kms_row *row, uint16_t slot)
{
	kms_put16(s->aad + 18, row->kind);
	kms_put64(s->aad + 20, row->id);
	kms_put64(s->aad + 28, row->generation);
	kms_put16(s->aad + 36, slot);
	return (struct kms_bytes){s->aad, AAD_LEN};
}

int
kms_seal_row(struct kms_seal *s, const struct kms_row *where, const void *plain,
    size_t len, struct kms_wr *out, uint8_t tag[16])
{
	uint8_t iv[KMS_GCM_IV];
	uint16_t slot;
	uint8_t *text;
	size_t at;
	int r;

	if (s->current >= s->n)
		return kms_fail(KMS_ERR_INTERNAL, "seal: no current key");
	if (len > KMS_SEALED_MAX - KMS_SEAL_OVERHEAD)
		return kms_fail(KMS_ERR_LIMIT, "row of %zu bytes", len);
	r = kms_random(iv, sizeof(iv));
	if (r != 0)
		return r;
	slot = s->key[s->current].slot;
	kms_wr_u16(out, slot);
	kms_wr_bytes(out, iv, sizeof(iv));
	at = out->len;
	kms_wr_zero(out, len);
	r = kms_wr_check(out, "sealed row");
	if (r != 0)
		return r;
	text = out->p + at;
	r = kms_gcm_seal(s->key[s->current].gcm, iv, row_aad(s, where, slot),
	    plain, len, text, tag);
	if (r != 0)
		return r;
	kms_wr_bytes(out, tag, KMS_GCM_TAG);
	return kms_wr_check(out, "sealed row");
}

const uint8_t *
kms_seal_tag(const struct kms_row *row)
{
	if (row->len < KMS_SEAL_OVERHEAD)
		return NULL;
	return row->sealed + row->len - KMS_GCM_TAG;
}

int
kms_seal_open(struct kms_seal *s, const struct kms_row *row, uint8_t *plain,
    size_t *len)
{
	struct kms_gcm *gcm;
	uint16_t slot;
	int r;

	*len = 0;
	if (row->len < KMS_SEAL_OVERHEAD || row->len > KMS_SEALED_MAX)
		return kms_fail(KMS_ERR_DAMAGED, "row %llu: %zu bytes",
		    (unsigned long long)row->id, row->len);
	slot = kms_get16(row->sealed);
	gcm = find(s, slot);
	if (gcm == NULL)
		return kms_fail(KMS_ERR_DAMAGED,
		    "row %llu: sealed under slot %u, which is not open",
		    (unsigned long long)row->id, slot);
	r = kms_gcm_open(gcm, row->sealed + 2, row_aad(s, row, slot),
	    row->sealed + HEAD_LEN, row->len - KMS_SEAL_OVERHEAD, plain,
	    kms_seal_tag(row));
	if (r != 0)
		return kms_fail_add(r, "row %llu", (unsigned long long)row->id);
	*len = row->len - KMS_SEAL_OVERHEAD;
	return 0;
}
