/*
 * One bounded byte cursor for everything that is parsed or built: store
 * rows, header, log, SCSI pages, KMIP. All integers are big-endian.
 * Reading never runs over; writing has a sticky error, checked once at the
 * end. Not thread-safe; plain values.
 */
#ifndef KMS_BASE_BUF_H
#define KMS_BASE_BUF_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kms/base/err.h"

/* Reader over borrowed bytes. After a failed read every further one fails
 * too and yields zeros, so a decoder may check once at its end. */
struct kms_rd {
	const uint8_t *p;
	size_t len, at;
	bool bad;
};

void kms_rd_init(struct kms_rd *, const void *, size_t len);
uint8_t kms_rd_u8(struct kms_rd *);
uint16_t kms_rd_u16(struct kms_rd *);
uint32_t kms_rd_u24(struct kms_rd *);
uint32_t kms_rd_u32(struct kms_rd *);
uint64_t kms_rd_u64(struct kms_rd *);
/* Borrowed pointer to the next n bytes; NULL (and bad) when there are fewer. */
const uint8_t *kms_rd_bytes(struct kms_rd *, size_t n);
/* Copies n bytes out; zeros on failure. */
void kms_rd_copy(struct kms_rd *, void *, size_t n);
/* A sub-reader over the next n bytes. */
void kms_rd_sub(struct kms_rd *, size_t n, struct kms_rd *sub);
void kms_rd_skip(struct kms_rd *, size_t n);
/* Text preceded by a 16-bit length, copied and terminated into cap bytes;
 * bad when it does not fit or holds a NUL. */
void kms_rd_str(struct kms_rd *, char *, size_t cap);
size_t kms_rd_left(const struct kms_rd *);
/* 0 when nothing failed; KMS_ERR_DAMAGED with "what: truncated" otherwise. */
int kms_rd_check(const struct kms_rd *, const char *what) KMS_MUST;
/* As check, and nothing may be left over. */
int kms_rd_end(const struct kms_rd *, const char *what) KMS_MUST;

/* Writer. Either over borrowed memory of fixed size, or growing up to max.
 * Growing memory is malloc'ed and wiped on growth and on free, so that it
 * may carry sealed-row plaintext; keys go into kms_secret. */
struct kms_wr {
	uint8_t *p;
	size_t len, cap, max;
	bool grows;
	int err; /* sticky: 0, KMS_ERR_LIMIT or KMS_ERR_MEMORY */
};

void kms_wr_fixed(struct kms_wr *, void *, size_t cap);
void kms_wr_grow(struct kms_wr *, size_t max);
void kms_wr_u8(struct kms_wr *, uint8_t);
void kms_wr_u16(struct kms_wr *, uint16_t);
void kms_wr_u24(struct kms_wr *, uint32_t);
void kms_wr_u32(struct kms_wr *, uint32_t);
void kms_wr_u64(struct kms_wr *, uint64_t);
void kms_wr_bytes(struct kms_wr *, const void *, size_t);
void kms_wr_zero(struct kms_wr *, size_t);
/* Text with a 16-bit length in front; over 65,535 bytes is LIMIT. */
void kms_wr_str(struct kms_wr *, const char *);
/* Leaves room for an integer of n bytes (1, 2, 3, 4) and returns where. */
size_t kms_wr_reserve(struct kms_wr *, size_t n);
/* Writes there the number of bytes put since the reservation. */
void kms_wr_fill(struct kms_wr *, size_t where, size_t n);
int kms_wr_check(const struct kms_wr *, const char *what) KMS_MUST;
/* Wipes and frees what grew; borrowed memory is its owner's to wipe. */
void kms_wr_free(struct kms_wr *);

/* Big-endian at an address, for fixed layouts. Here, because a row of the
 * store takes two dozen of them. */
static inline void
kms_put16(uint8_t *p, uint16_t v)
{
	v = htobe16(v);
	memcpy(p, &v, sizeof(v));
}

static inline void
kms_put32(uint8_t *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
}

static inline void
kms_put64(uint8_t *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, sizeof(v));
}

static inline uint16_t
kms_get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return be16toh(v);
}

static inline uint32_t
kms_get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static inline uint64_t
kms_get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

/* Lower-case hex of n bytes into out (2n + 1 bytes). */
void kms_hex(const void *, size_t n, char *out);
/* Hex of either case, blanks, dashes and colons skipped, into at most cap
 * bytes. KMS_ERR_USAGE when it is not hex, odd, empty or too long. */
int kms_unhex(const char *, void *out, size_t cap, size_t *len) KMS_MUST;

/* Well-formed UTF-8 (RFC 3629) without control characters. */
bool kms_utf8(const char *, size_t len);

#endif
