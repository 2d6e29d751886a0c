#include "kms/siphash.h"

#include <endian.h>
#include <string.h>

/* Passed by value, so that the compiler keeps it in registers. */
struct state {
	uint64_t a, b, c, d;
};

static uint64_t
rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static struct state
turn(struct state s)
{
	s.a += s.b;
	s.b = rotl(s.b, 13) ^ s.a;
	s.a = rotl(s.a, 32);
	s.c += s.d;
	s.d = rotl(s.d, 16) ^ s.c;
	s.a += s.d;
	s.d = rotl(s.d, 21) ^ s.a;
	s.c += s.b;
	s.b = rotl(s.b, 17) ^ s.c;
	s.c = rotl(s.c, 32);
	return s;
}

static struct state
take(struct state s, uint64_t word)
{
	s.d ^= word;
	s = turn(s);
	s.a ^= word;
	return s;
}

static uint64_t
word_at(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

/* The bytes after the last whole word, and the length in the top one. */
static uint64_t
last_word(const uint8_t *p, size_t left, size_t len)
{
	uint8_t b[8] = {0};

	memcpy(b, p, left);
	b[7] = (uint8_t)len;
	return word_at(b);
}

void
kms_siphash(const struct kms_siphash_key *key, const void *in, size_t len,
    uint64_t out[2])
{
	struct state s = {
	    .a = key->k[0] ^ UINT64_C(0x736f6d6570736575),
	    .b = key->k[1] ^ UINT64_C(0x646f72616e646f6d) ^ 0xee,
	    .c = key->k[0] ^ UINT64_C(0x6c7967656e657261),
	    .d = key->k[1] ^ UINT64_C(0x7465646279746573),
	};
	const uint8_t *p = in;
	size_t left = len;

	for (; left >= 8; left -= 8, p += 8)
		s = take(s, word_at(p));
	s = take(s, last_word(p, left, len));
	s.c ^= 0xee;
	s = turn(turn(turn(s)));
	out[0] = s.a ^ s.b ^ s.c ^ s.d;
	s.b ^= 0xdd;
	s = turn(turn(turn(s)));
	out[1] = s.a ^ s.b ^ s.c ^ s.d;
}
