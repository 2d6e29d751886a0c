#include "tape/page.h"

#include <string.h>

#define PAGE_HEAD 4u
#define STATUS_FIXED 24u
#define NEXT_BLOCK_FIXED 16u
#define MANAGEMENT_FIXED 16u
#define CAPABILITIES_FIXED 20u
#define DESCRIPTOR_BODY 20u

enum { KAD_U = 0x00, KAD_A = 0x01 };

static bool
bit(uint8_t byte, unsigned n)
{
	return ((unsigned)byte >> n & 1u) != 0;
}

static uint8_t
bits(uint8_t byte, unsigned low, unsigned width)
{
	return (uint8_t)((unsigned)byte >> low & ((1u << width) - 1));
}

static uint8_t
put_bits(uint8_t value, unsigned low, unsigned width)
{
	return (uint8_t)((value & ((1u << width) - 1)) << low);
}

static uint8_t
put_bit(bool on, unsigned n)
{
	return (uint8_t)((on ? 1u : 0u) << n);
}

void
tape_cdb_spin(uint8_t cdb[12], uint8_t protocol, uint16_t page, uint32_t alloc)
{
	memset(cdb, 0, 12);
	cdb[0] = 0xA2;
	cdb[1] = protocol;
	kms_put16(cdb + 2, page);
	kms_put32(cdb + 6, alloc);
}

void
tape_cdb_spout(uint8_t cdb[12], uint8_t protocol, uint16_t page, uint32_t len)
{
	memset(cdb, 0, 12);
	cdb[0] = 0xB5;
	cdb[1] = protocol;
	kms_put16(cdb + 2, page);
	kms_put32(cdb + 6, len);
}

/*
 * A reader over the page's body: the shorter of what the page says and what
 * came. Behind the page's length lies padding of the allocation; and mhvtl
 * announces twelve bytes more than it sends.
 */
static int
page_open(const uint8_t *p, size_t len, uint16_t want, size_t fixed,
    struct kms_rd *r)
{
	struct kms_rd head;

	kms_rd_init(&head, p, len);
	uint16_t code = kms_rd_u16(&head);
	uint16_t body = kms_rd_u16(&head);
	if (head.bad)
		return kms_fail(KMS_ERR_DRIVE,
		    "page %04Xh: only %zu bytes came", want, len);
	if (code != want)
		return kms_fail(KMS_ERR_DRIVE,
		    "page %04Xh: the drive answered with page %04Xh", want,
		    code);
	size_t have = len - PAGE_HEAD;
	if (have > body)
		have = body;
	if (have + PAGE_HEAD < fixed)
		return kms_fail(KMS_ERR_DRIVE,
		    "page %04Xh: page length %u, %zu bytes came: too short",
		    want, body, len);
	kms_rd_init(r, p + PAGE_HEAD, have);
	return 0;
}

static size_t
page_begin(struct kms_wr *w, uint16_t page)
{
	kms_wr_u16(w, page);
	return kms_wr_reserve(w, 2);
}

int
tape_page_list_decode(const uint8_t *p, size_t len, uint16_t want_page,
    uint16_t *list, size_t cap, size_t *n)
{
	struct kms_rd r;

	*n = 0;
	int err = page_open(p, len, want_page, PAGE_HEAD, &r);
	if (err)
		return err;
	if (kms_rd_left(&r) % 2 != 0 || kms_rd_left(&r) / 2 > cap)
		return kms_fail(KMS_ERR_DRIVE,
		    "page %04Xh: a list of %zu bytes", want_page,
		    kms_rd_left(&r));
	while (kms_rd_left(&r) > 0)
		list[(*n)++] = kms_rd_u16(&r);
	return 0;
}

void
tape_page_list_encode(struct kms_wr *w, uint16_t page, const uint16_t *list,
    size_t n)
{
	size_t at = page_begin(w, page);

	for (size_t i = 0; i < n; i++)
		kms_wr_u16(w, list[i]);
	kms_wr_fill(w, at, 2);
}

int
tape_protocols_decode(const uint8_t *p, size_t len, uint8_t *list, size_t cap,
    size_t *n)
{
	struct kms_rd r;

	*n = 0;
	kms_rd_init(&r, p, len);
	kms_rd_skip(&r, 6);
	uint16_t count = kms_rd_u16(&r);
	const uint8_t *codes = kms_rd_bytes(&r, count);
	if (r.bad || count > cap)
		return kms_fail(KMS_ERR_DRIVE,
		    "list of security protocols: %u codes in %zu bytes", count,
		    len);
	if (count > 0)
		memcpy(list, codes, count);
	*n = count;
	return 0;
}

void
tape_protocols_encode(struct kms_wr *w, const uint8_t *list, size_t n)
{
	kms_wr_zero(w, 6);
	size_t at = kms_wr_reserve(w, 2);
	kms_wr_bytes(w, list, n);
	kms_wr_fill(w, at, 2);
}

/* One algorithm descriptor, without its first four bytes (SSC-4 8.5.2.4). */
static void
algorithm_decode(struct kms_rd *r, struct tape_algorithm *a)
{
	uint8_t b = kms_rd_u8(r);
	a->avfmv = bit(b, 7);
	a->sdk_c = bit(b, 6);
	a->mac_c = bit(b, 5);
	a->ded_c = bit(b, 4);
	a->decrypt_c = bits(b, 2, 2);
	a->encrypt_c = bits(b, 0, 2);
	b = kms_rd_u8(r);
	a->avfclp = bits(b, 6, 2);
	a->nonce = bits(b, 4, 2);
	a->kadf_c = bit(b, 3);
	a->vcelb_c = bit(b, 2);
	a->u_fixed = bit(b, 1);
	a->a_fixed = bit(b, 0);
	a->u_max = kms_rd_u16(r);
	a->a_max = kms_rd_u16(r);
	a->key_len = kms_rd_u16(r);
	b = kms_rd_u8(r);
	a->dkad_c = bits(b, 6, 2);
	a->eemc_c = bits(b, 4, 2);
	a->rdmc_c = bits(b, 1, 3);
	a->earem = bit(b, 0);
	a->eedk_max = bits(kms_rd_u8(r), 0, 4);
	a->msdk = kms_rd_u16(r);
	a->eedk_size = kms_rd_u16(r);
	kms_rd_skip(r, 2);
	a->code = kms_rd_u32(r);
}

static void
algorithm_encode(struct kms_wr *w, const struct tape_algorithm *a)
{
	kms_wr_u8(w, a->index);
	kms_wr_u8(w, 0);
	kms_wr_u16(w, DESCRIPTOR_BODY);
	kms_wr_u8(w,
	    put_bit(a->avfmv, 7) | put_bit(a->sdk_c, 6) | put_bit(a->mac_c, 5) |
		put_bit(a->ded_c, 4) | put_bits(a->decrypt_c, 2, 2) |
		put_bits(a->encrypt_c, 0, 2));
	kms_wr_u8(w,
	    put_bits(a->avfclp, 6, 2) | put_bits(a->nonce, 4, 2) |
		put_bit(a->kadf_c, 3) | put_bit(a->vcelb_c, 2) |
		put_bit(a->u_fixed, 1) | put_bit(a->a_fixed, 0));
	kms_wr_u16(w, a->u_max);
	kms_wr_u16(w, a->a_max);
	kms_wr_u16(w, a->key_len);
	kms_wr_u8(w,
	    put_bits(a->dkad_c, 6, 2) | put_bits(a->eemc_c, 4, 2) |
		put_bits(a->rdmc_c, 1, 3) | put_bit(a->earem, 0));
	kms_wr_u8(w, put_bits(a->eedk_max, 0, 4));
	kms_wr_u16(w, a->msdk);
	kms_wr_u16(w, a->eedk_size);
	kms_wr_zero(w, 2);
	kms_wr_u32(w, a->code);
}

int
tape_capabilities_decode(const uint8_t *p, size_t len,
    struct tape_capabilities *c)
{
	struct kms_rd r;

	memset(c, 0, sizeof(*c));
	int err = page_open(p, len, TAPE_PAGE_CAPABILITIES, CAPABILITIES_FIXED,
	    &r);
	if (err)
		return err;
	uint8_t b = kms_rd_u8(&r);
	c->extdecc = bits(b, 2, 2);
	c->cfg_p = bits(b, 0, 2);
	kms_rd_skip(&r, 15);
	/* A descriptor must begin within the page and be whole in what came:
	 * a captured page of two algorithms counts four bytes too few. */
	size_t end = PAGE_HEAD + r.len;
	kms_rd_init(&r, p + CAPABILITIES_FIXED, len - CAPABILITIES_FIXED);
	while (CAPABILITIES_FIXED + r.at < end) {
		struct kms_rd body;

		uint8_t index = kms_rd_u8(&r);
		kms_rd_skip(&r, 1);
		/* Later standards lengthen descriptors: step by the length
		 * given, read what is known. */
		kms_rd_sub(&r, kms_rd_u16(&r), &body);
		if (r.bad || kms_rd_left(&body) < DESCRIPTOR_BODY ||
		    c->n == TAPE_ALGORITHMS_MAX)
			return kms_fail(KMS_ERR_DRIVE,
			    "page 0010h: algorithm descriptor %zu is cut, too "
			    "short or one too many",
			    c->n + 1);
		c->alg[c->n].index = index;
		algorithm_decode(&body, &c->alg[c->n]);
		c->n++;
	}
	return 0;
}

void
tape_capabilities_encode(struct kms_wr *w, const struct tape_capabilities *c)
{
	size_t at = page_begin(w, TAPE_PAGE_CAPABILITIES);

	kms_wr_u8(w, put_bits(c->extdecc, 2, 2) | put_bits(c->cfg_p, 0, 2));
	kms_wr_zero(w, 15);
	for (size_t i = 0; i < c->n; i++)
		algorithm_encode(w, &c->alg[i]);
	kms_wr_fill(w, at, 2);
}

int
tape_management_decode(const uint8_t *p, size_t len, struct tape_management *m)
{
	struct kms_rd r;

	memset(m, 0, sizeof(*m));
	int err = page_open(p, len, TAPE_PAGE_MANAGEMENT, MANAGEMENT_FIXED, &r);
	if (err)
		return err;
	m->lock_c = bit(kms_rd_u8(&r), 0);
	uint8_t b = kms_rd_u8(&r);
	m->ckod_c = bit(b, 2);
	m->ckorp_c = bit(b, 1);
	m->ckorl_c = bit(b, 0);
	kms_rd_skip(&r, 1);
	b = kms_rd_u8(&r);
	m->aitn_c = bit(b, 2);
	m->local_c = bit(b, 1);
	m->public_c = bit(b, 0);
	return 0;
}

void
tape_management_encode(struct kms_wr *w, const struct tape_management *m)
{
	size_t at = page_begin(w, TAPE_PAGE_MANAGEMENT);

	kms_wr_u8(w, put_bit(m->lock_c, 0));
	kms_wr_u8(w,
	    put_bit(m->ckod_c, 2) | put_bit(m->ckorp_c, 1) |
		put_bit(m->ckorl_c, 0));
	kms_wr_u8(w, 0);
	kms_wr_u8(w,
	    put_bit(m->aitn_c, 2) | put_bit(m->local_c, 1) |
		put_bit(m->public_c, 0));
	kms_wr_zero(w, 8);
	kms_wr_fill(w, at, 2);
}

size_t
tape_kad_trim(const uint8_t *p, size_t len)
{
	while (len > 0 && (p[len - 1] == 0x00 || p[len - 1] == ' '))
		len--;
	return len;
}

void
tape_text_take(const uint8_t *p, size_t len, char *out, size_t cap)
{
	size_t n = 0;

	while (len > 0 && (p[0] == ' ' || p[0] == 0x00)) {
		p++;
		len--;
	}
	while (n < len && n < cap - 1 && p[n] >= 0x20 && p[n] < 0x7F) {
		out[n] = (char)p[n];
		n++;
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
}

/* Copies one KAD in; one kind twice, or over our limit, is refused. */
static int
kad_take(const uint8_t *p, size_t len, uint8_t *to, size_t max, bool *seen)
{
	if (*seen || len > max)
		return kms_fail(KMS_ERR_DRIVE,
		    "key-associated data: %s of %zu bytes",
		    *seen ? "a second descriptor" : "a descriptor", len);
	*seen = true;
	if (len > 0)
		memcpy(to, p, len);
	return 0;
}

int
tape_kads_decode(struct kms_rd *r, struct tape_kad *k)
{
	bool seen_u = false, seen_a = false;
	int err = 0;

	memset(k, 0, sizeof(*k));
	while (!err && kms_rd_left(r) > 0) {
		uint8_t type = kms_rd_u8(r);
		uint8_t auth = bits(kms_rd_u8(r), 0, 3);
		size_t len = kms_rd_u16(r);
		const uint8_t *p = kms_rd_bytes(r, len);
		if (r->bad) {
			err = kms_fail(KMS_ERR_DRIVE,
			    "key-associated data: a descriptor is cut");
		} else if (type == KAD_U) {
			err = kad_take(p, len, k->u, sizeof(k->u), &seen_u);
			k->u_len = err ? 0 : len;
			k->u_auth = auth;
		} else if (type == KAD_A) {
			err = kad_take(p, len, k->a, sizeof(k->a), &seen_a);
			k->a_len = err ? 0 : len;
			k->a_auth = auth;
		}
		/* Nonce, metadata and wrapped keys (02h-04h) name no key. */
	}
	return err;
}

static void
kad_encode(struct kms_wr *w, uint8_t type, uint8_t auth, const uint8_t *p,
    size_t len)
{
	if (len == 0)
		return;
	kms_wr_u8(w, type);
	kms_wr_u8(w, put_bits(auth, 0, 3));
	kms_wr_u16(w, (uint16_t)len);
	kms_wr_bytes(w, p, len);
}

/* Ascending order of type is demanded by some drives (T10000). */
void
tape_kads_encode(struct kms_wr *w, const struct tape_kad *k)
{
	kad_encode(w, KAD_U, k->u_auth, k->u, k->u_len);
	kad_encode(w, KAD_A, k->a_auth, k->a, k->a_len);
}

int
tape_status_decode(const uint8_t *p, size_t len, struct tape_status *s)
{
	struct kms_rd r;

	memset(s, 0, sizeof(*s));
	int err = page_open(p, len, TAPE_PAGE_STATUS, STATUS_FIXED, &r);
	if (err)
		return err;
	uint8_t b = kms_rd_u8(&r);
	s->nexus_scope = bits(b, 5, 3);
	s->key_scope = bits(b, 0, 3);
	uint8_t enc = kms_rd_u8(&r), dec = kms_rd_u8(&r);
	if (enc > TAPE_ENC_ENCRYPT || dec > TAPE_DEC_MIXED)
		return kms_fail(KMS_ERR_DRIVE,
		    "page 0020h: encryption mode %u, decryption mode %u", enc,
		    dec);
	s->enc = (enum tape_enc_mode)enc;
	s->dec = (enum tape_dec_mode)dec;
	s->algorithm = kms_rd_u8(&r);
	s->kic = kms_rd_u32(&r);
	b = kms_rd_u8(&r);
	s->control = bits(b, 4, 3);
	s->vcelb = bit(b, 3);
	s->ceems = bits(b, 1, 2);
	s->rdmd = bit(b, 0);
	s->kad_format = kms_rd_u8(&r);
	s->asdk = kms_rd_u16(&r);
	kms_rd_skip(&r, 8);
	return tape_kads_decode(&r, &s->kad);
}

void
tape_status_encode(struct kms_wr *w, const struct tape_status *s)
{
	size_t at = page_begin(w, TAPE_PAGE_STATUS);

	kms_wr_u8(w,
	    put_bits(s->nexus_scope, 5, 3) | put_bits(s->key_scope, 0, 3));
	kms_wr_u8(w, (uint8_t)s->enc);
	kms_wr_u8(w, (uint8_t)s->dec);
	kms_wr_u8(w, s->algorithm);
	kms_wr_u32(w, s->kic);
	kms_wr_u8(w,
	    put_bits(s->control, 4, 3) | put_bit(s->vcelb, 3) |
		put_bits(s->ceems, 1, 2) | put_bit(s->rdmd, 0));
	kms_wr_u8(w, s->kad_format);
	kms_wr_u16(w, s->asdk);
	kms_wr_zero(w, 8);
	tape_kads_encode(w, &s->kad);
	kms_wr_fill(w, at, 2);
}

int
tape_next_block_decode(const uint8_t *p, size_t len, struct tape_next_block *b)
{
	struct kms_rd r;

	memset(b, 0, sizeof(*b));
	int err = page_open(p, len, TAPE_PAGE_NEXT_BLOCK, NEXT_BLOCK_FIXED, &r);
	if (err)
		return err;
	b->object = kms_rd_u64(&r);
	uint8_t x = kms_rd_u8(&r);
	b->compression = bits(x, 4, 4);
	b->encryption = bits(x, 0, 4);
	b->algorithm = kms_rd_u8(&r);
	x = kms_rd_u8(&r);
	b->emes = bit(x, 1);
	b->rdmds = bit(x, 0);
	b->kad_format = kms_rd_u8(&r);
	return tape_kads_decode(&r, &b->kad);
}

void
tape_next_block_encode(struct kms_wr *w, const struct tape_next_block *b)
{
	size_t at = page_begin(w, TAPE_PAGE_NEXT_BLOCK);

	kms_wr_u64(w, b->object);
	kms_wr_u8(w,
	    put_bits(b->compression, 4, 4) | put_bits(b->encryption, 0, 4));
	kms_wr_u8(w, b->algorithm);
	kms_wr_u8(w, put_bit(b->emes, 1) | put_bit(b->rdmds, 0));
	kms_wr_u8(w, b->kad_format);
	tape_kads_encode(w, &b->kad);
	kms_wr_fill(w, at, 2);
}
