#include "kms/base/buf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#define GROW_FIRST 256u

void
kms_rd_init(struct kms_rd *rd, const void *p, size_t len)
{
	*rd = (struct kms_rd){.p = p, .len = len};
}

const uint8_t *
kms_rd_bytes(struct kms_rd *rd, size_t n)
{
	const uint8_t *p;

	if (rd->bad || n > rd->len - rd->at) {
		rd->bad = true;
		return NULL;
	}
	if (n == 0) /* an empty input may have no address */
		return (const uint8_t *)"";
	p = rd->p + rd->at;
	rd->at += n;
	return p;
}

uint8_t
kms_rd_u8(struct kms_rd *rd)
{
	const uint8_t *p = kms_rd_bytes(rd, 1);

	return p == NULL ? 0 : p[0];
}

uint16_t
kms_rd_u16(struct kms_rd *rd)
{
	const uint8_t *p = kms_rd_bytes(rd, 2);

	return p == NULL ? 0 : kms_get16(p);
}

uint32_t
kms_rd_u24(struct kms_rd *rd)
{
	const uint8_t *p = kms_rd_bytes(rd, 3);

	return p == NULL ? 0 : (uint32_t)p[0] << 16 | kms_get16(p + 1);
}

uint32_t
kms_rd_u32(struct kms_rd *rd)
{
	const uint8_t *p = kms_rd_bytes(rd, 4);

	return p == NULL ? 0 : kms_get32(p);
}

uint64_t
kms_rd_u64(struct kms_rd *rd)
{
	const uint8_t *p = kms_rd_bytes(rd, 8);

	return p == NULL ? 0 : kms_get64(p);
}

void
kms_rd_copy(struct kms_rd *rd, void *out, size_t n)
{
	const uint8_t *p = kms_rd_bytes(rd, n);

	if (n == 0)
		return;
	if (p == NULL)
		memset(out, 0, n);
	else
		memcpy(out, p, n);
}

void
kms_rd_sub(struct kms_rd *rd, size_t n, struct kms_rd *sub)
{
	const uint8_t *p = kms_rd_bytes(rd, n);

	kms_rd_init(sub, p, p == NULL ? 0 : n);
	sub->bad = p == NULL;
}

void
kms_rd_skip(struct kms_rd *rd, size_t n)
{
	(void)kms_rd_bytes(rd, n);
}

void
kms_rd_str(struct kms_rd *rd, char *out, size_t cap)
{
	size_t n = kms_rd_u16(rd);
	const uint8_t *p = kms_rd_bytes(rd, n);

	if (p != NULL && n < cap && memchr(p, '\0', n) == NULL) {
		memcpy(out, p, n);
		out[n] = '\0';
		return;
	}
	rd->bad = true;
	if (cap > 0)
		out[0] = '\0';
}

size_t
kms_rd_left(const struct kms_rd *rd)
{
	return rd->bad ? 0 : rd->len - rd->at;
}

int
kms_rd_check(const struct kms_rd *rd, const char *what)
{
	if (rd->bad)
		return kms_fail(KMS_ERR_DAMAGED, "%s: truncated", what);
	return 0;
}

int
kms_rd_end(const struct kms_rd *rd, const char *what)
{
	int r = kms_rd_check(rd, what);

	if (r == 0 && rd->at != rd->len)
		r = kms_fail(KMS_ERR_DAMAGED, "%s: %zu bytes too many", what,
		    rd->len - rd->at);
	return r;
}

void
kms_wr_fixed(struct kms_wr *wr, void *p, size_t cap)
{
	*wr = (struct kms_wr){.p = p, .cap = cap, .max = cap};
}

void
kms_wr_grow(struct kms_wr *wr, size_t max)
{
	*wr = (struct kms_wr){.max = max, .grows = true};
}

/* The old copy is wiped: it may be the plaintext of a sealed row. */
static void
grow(struct kms_wr *wr, size_t need)
{
	size_t cap = wr->cap == 0 ? GROW_FIRST : wr->cap;
	uint8_t *p;

	while (cap < need)
		cap = cap > wr->max / 2 ? wr->max : cap * 2;
	if (cap > wr->max)
		cap = wr->max;
	p = malloc(cap);
	if (p == NULL) {
		wr->err = KMS_ERR_MEMORY;
		return;
	}
	if (wr->p != NULL) {
		memcpy(p, wr->p, wr->len);
		OPENSSL_cleanse(wr->p, wr->cap);
		free(wr->p);
	}
	wr->p = p;
	wr->cap = cap;
}

/* Room for n bytes, already counted in len; NULL when there is none. */
static uint8_t *
extend(struct kms_wr *wr, size_t n)
{
	uint8_t *at;

	if (wr->err != 0)
		return NULL;
	if (n > wr->max - wr->len) {
		wr->err = KMS_ERR_LIMIT;
		return NULL;
	}
	if (wr->len + n > wr->cap) {
		grow(wr, wr->len + n);
		if (wr->err != 0)
			return NULL;
	}
	at = wr->p + wr->len;
	wr->len += n;
	return at;
}

void
kms_wr_u8(struct kms_wr *wr, uint8_t v)
{
	uint8_t *p = extend(wr, 1);

	if (p != NULL)
		p[0] = v;
}

void
kms_wr_u16(struct kms_wr *wr, uint16_t v)
{
	uint8_t *p = extend(wr, 2);

	if (p != NULL)
		kms_put16(p, v);
}

void
kms_wr_u24(struct kms_wr *wr, uint32_t v)
{
	uint8_t *p;

	if (v > 0xffffff && wr->err == 0)
		wr->err = KMS_ERR_LIMIT;
	p = extend(wr, 3);
	if (p == NULL)
		return;
	p[0] = (uint8_t)(v >> 16);
	kms_put16(p + 1, (uint16_t)v);
}

void
kms_wr_u32(struct kms_wr *wr, uint32_t v)
{
	uint8_t *p = extend(wr, 4);

	if (p != NULL)
		kms_put32(p, v);
}

void
kms_wr_u64(struct kms_wr *wr, uint64_t v)
{
	uint8_t *p = extend(wr, 8);

	if (p != NULL)
		kms_put64(p, v);
}

void
kms_wr_bytes(struct kms_wr *wr, const void *b, size_t n)
{
	uint8_t *p;

	if (n == 0)
		return;
	p = extend(wr, n);
	if (p != NULL)
		memcpy(p, b, n);
}

void
kms_wr_zero(struct kms_wr *wr, size_t n)
{
	uint8_t *p;

	if (n == 0)
		return;
	p = extend(wr, n);
	if (p != NULL)
		memset(p, 0, n);
}

void
kms_wr_str(struct kms_wr *wr, const char *s)
{
	size_t n = strlen(s);

	if (n > UINT16_MAX && wr->err == 0)
		wr->err = KMS_ERR_LIMIT;
	kms_wr_u16(wr, (uint16_t)n);
	kms_wr_bytes(wr, s, n);
}

size_t
kms_wr_reserve(struct kms_wr *wr, size_t n)
{
	size_t where = wr->len;

	assert(n >= 1 && n <= 4);
	kms_wr_zero(wr, n);
	return where;
}

void
kms_wr_fill(struct kms_wr *wr, size_t where, size_t n)
{
	size_t v, i;

	if (wr->err != 0)
		return;
	assert(n >= 1 && n <= 4 && n <= wr->len && where <= wr->len - n);
	v = wr->len - where - n;
	if (v >> (8 * n) != 0) {
		wr->err = KMS_ERR_LIMIT;
		return;
	}
	for (i = n; i > 0; i--, v >>= 8)
		wr->p[where + i - 1] = (uint8_t)v;
}

int
kms_wr_check(const struct kms_wr *wr, const char *what)
{
	if (wr->err == KMS_ERR_LIMIT)
		return kms_fail(wr->err,
		    "%s: over %zu bytes, or a part over "
		    "its field",
		    what, wr->max);
	if (wr->err != 0)
		return kms_fail(wr->err, "%s: out of memory", what);
	return 0;
}

void
kms_wr_free(struct kms_wr *wr)
{
	if (wr->grows && wr->p != NULL) {
		OPENSSL_cleanse(wr->p, wr->cap);
		free(wr->p);
	}
	*wr = (struct kms_wr){0};
}

void
kms_hex(const void *b, size_t n, char *out)
{
	static const char digit[] = "0123456789abcdef";
	const uint8_t *p = b;
	size_t i;

	for (i = 0; i < n; i++) {
		*out++ = digit[p[i] >> 4];
		*out++ = digit[p[i] & 15];
	}
	*out = '\0';
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The text is never quoted in the cause: it may be a key. */
int
kms_unhex(const char *s, void *out, size_t cap, size_t *len)
{
	uint8_t *p = out;
	size_t digits = 0;
	int v;

	*len = 0;
	for (; *s != '\0'; s++) {
		if (strchr(" \t-:", *s) != NULL)
			continue;
		v = hex_value(*s);
		if (v < 0)
			return kms_fail(KMS_ERR_USAGE,
			    "hex: character %zu is not a digit", digits + 1);
		if (digits / 2 >= cap)
			return kms_fail(KMS_ERR_USAGE,
			    "hex: more than %zu bytes", cap);
		if (digits % 2 == 0)
			p[digits / 2] = (uint8_t)(v << 4);
		else
			p[digits / 2] = (uint8_t)(p[digits / 2] | v);
		digits++;
	}
	if (digits == 0)
		return kms_fail(KMS_ERR_USAGE, "hex: empty");
	if (digits % 2 != 0)
		return kms_fail(KMS_ERR_USAGE,
		    "hex: odd number of digits (%zu)", digits);
	*len = digits / 2;
	return 0;
}

/* Length of the well-formed sequence at p (RFC 3629 section 4), 0 for none;
 * the code point into *cp. */
static size_t
utf8_one(const uint8_t *p, size_t left, uint32_t *cp)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n, i;

	if (p[0] < 0x80) {
		*cp = p[0];
		return 1;
	}
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (n > left)
		return 0;
	*cp = p[0] & (0x7fu >> n);
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (p[i] & 0x3fu);
	}
	if (*cp < least[n] || *cp > 0x10ffff)
		return 0;
	if (*cp >= 0xd800 && *cp <= 0xdfff)
		return 0;
	return n;
}

bool
kms_utf8(const char *s, size_t len)
{
	const uint8_t *p = (const uint8_t *)s;
	uint32_t cp;
	size_t n;

	for (; len > 0; p += n, len -= n) {
		n = 1;
		if (*p >= 0x20 && *p < 0x7f)
			continue;
		n = utf8_one(p, len, &cp);
		if (n == 0)
			return false;
		if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
			return false;
	}
	return true;
}
