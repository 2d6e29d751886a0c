/*
 * Set Data Encryption, SPOUT page 0010h (SSC-4 8.5.3.2): the one page that
 * carries a key. It is built in locked memory and parsed without copying
 * the key anywhere else.
 */
#include "tape/page.h"

#include <string.h>

#define SDE_FIXED 20u
#define SDE_KEY_MAX 512u /* a key wrapped by the drive's RSA-2048 key */

int
tape_sde_encode(const struct tape_sde *s, struct kms_secret **page)
{
	struct kms_secret *out = NULL;
	struct kms_wr w;
	size_t key_len = s->key ? kms_secret_len(s->key) : 0;
	size_t len = SDE_FIXED + key_len;

	*page = NULL;
	if (s->kad.u_len > TAPE_UKAD_MAX || s->kad.a_len > TAPE_AKAD_MAX ||
	    key_len > SDE_KEY_MAX)
		return kms_fail(KMS_ERR_INTERNAL,
		    "page to set encryption: a key or its data is too long");
	len += s->kad.u_len ? 4 + s->kad.u_len : 0;
	len += s->kad.a_len ? 4 + s->kad.a_len : 0;
	int err = kms_secret_new(len, &out);
	if (err)
		return err;
	kms_wr_fixed(&w, kms_secret_fill(out), len);
	kms_wr_u16(&w, TAPE_PAGE_SET_ENCRYPTION);
	kms_wr_u16(&w, (uint16_t)(len - 4));
	kms_wr_u8(&w, (uint8_t)((unsigned)s->scope << 5 | (s->lock ? 1u : 0u)));
	kms_wr_u8(&w,
	    (uint8_t)((s->ceem & 3u) << 6 | (s->rdmc & 3u) << 4 |
		(s->sdk ? 8u : 0u) | (s->ckod ? 4u : 0u) |
		(s->ckorp ? 2u : 0u) | (s->ckorl ? 1u : 0u)));
	kms_wr_u8(&w, (uint8_t)s->enc);
	kms_wr_u8(&w, (uint8_t)s->dec);
	kms_wr_u8(&w, s->algorithm);
	kms_wr_u8(&w, s->key_format);
	kms_wr_u8(&w, s->kad_format);
	kms_wr_zero(&w, 7);
	kms_wr_u16(&w, (uint16_t)key_len);
	if (s->key)
		kms_wr_bytes(&w, kms_secret_bytes(s->key), key_len);
	tape_kads_encode(&w, &s->kad);
	err = kms_wr_check(&w, "page to set encryption");
	if (err) {
		kms_secret_free(&out);
		return err;
	}
	*page = kms_secret_take(&out);
	return 0;
}

static int
bad_field(size_t *field, size_t at)
{
	*field = at;
	return kms_fail(KMS_ERR_DRIVE,
	    "page to set encryption: byte %zu is not valid", at);
}

/* The fixed part; reserved bits must be zero. */
static int
fixed_decode(const uint8_t *p, size_t len, struct tape_sde *s, size_t *field)
{
	if (len < SDE_FIXED || kms_get16(p + 2) != len - 4)
		return bad_field(field, 2);
	if (kms_get16(p) != TAPE_PAGE_SET_ENCRYPTION)
		return bad_field(field, 0);
	if (p[4] >> 5 > TAPE_SCOPE_ALL || (p[4] & 0x1E) != 0)
		return bad_field(field, 4);
	s->scope = (enum tape_scope)(p[4] >> 5);
	s->lock = (p[4] & 1) != 0;
	s->ceem = (uint8_t)(p[5] >> 6);
	s->rdmc = (uint8_t)(p[5] >> 4 & 3);
	if (s->rdmc == 1)
		return bad_field(field, 5);
	s->sdk = (p[5] & 8) != 0;
	s->ckod = (p[5] & 4) != 0;
	s->ckorp = (p[5] & 2) != 0;
	s->ckorl = (p[5] & 1) != 0;
	if (p[6] > TAPE_ENC_ENCRYPT)
		return bad_field(field, 6);
	s->enc = (enum tape_enc_mode)p[6];
	if (p[7] > TAPE_DEC_MIXED)
		return bad_field(field, 7);
	s->dec = (enum tape_dec_mode)p[7];
	s->algorithm = p[8];
	if (p[9] > 3)
		return bad_field(field, 9);
	s->key_format = p[9];
	if (p[10] > 2)
		return bad_field(field, 10);
	s->kad_format = p[10];
	for (size_t i = 11; i < 18; i++)
		if (p[i] != 0)
			return bad_field(field, i);
	return 0;
}

/* Stricter than data-in: known types, ascending, AUTHENTICATED zero. */
static int
kads_check(const uint8_t *p, size_t at, size_t len, size_t *field)
{
	int last = -1;

	while (at < len) {
		if (len - at < 4 || kms_get16(p + at + 2) > len - at - 4)
			return bad_field(field, at);
		if (p[at] > 1 || p[at] <= last)
			return bad_field(field, at);
		if (p[at + 1] != 0)
			return bad_field(field, at + 1);
		if (kms_get16(p + at + 2) >
		    (p[at] == 0 ? TAPE_UKAD_MAX : TAPE_AKAD_MAX))
			return bad_field(field, at + 2);
		last = p[at];
		at += 4u + kms_get16(p + at + 2);
	}
	return 0;
}

int
tape_sde_decode(const uint8_t *p, size_t len, struct tape_sde *s,
    struct kms_secret **key, size_t *field)
{
	struct kms_secret *k = NULL;
	struct kms_rd r;

	*key = NULL;
	*field = 0;
	memset(s, 0, sizeof(*s));
	int err = fixed_decode(p, len, s, field);
	if (err)
		return err;
	size_t key_len = kms_get16(p + 18);
	if (key_len > len - SDE_FIXED || key_len > SDE_KEY_MAX)
		return bad_field(field, 18);
	err = kads_check(p, SDE_FIXED + key_len, len, field);
	if (err)
		return err;
	kms_rd_init(&r, p + SDE_FIXED + key_len, len - SDE_FIXED - key_len);
	err = tape_kads_decode(&r, &s->kad);
	if (err)
		return err;
	if (key_len > 0) {
		err = kms_secret_new(key_len, &k);
		if (err)
			return err;
		memcpy(kms_secret_fill(k), p + SDE_FIXED, key_len);
	}
	*key = kms_secret_take(&k);
	return 0;
}
