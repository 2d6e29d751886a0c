/*
 * Pages a drive sends. What is accepted must have one meaning: written and
 * read again it is the same.
 */
#include <string.h>

#include "tape/keys.h"
#include "tape/page.h"
#include "tests/fuzz/fuzz.h"

#define ROOM 2048u
#define LIST_MAX 256u

/* Bytes to meaning to bytes; 0 when refused. */
typedef size_t (*round_fn)(const uint8_t *, size_t, uint8_t out[ROOM]);

static size_t
round_capabilities(const uint8_t *p, size_t len, uint8_t out[ROOM])
{
	struct tape_capabilities c;
	struct kms_wr w;

	if (tape_capabilities_decode(p, len, &c))
		return 0;
	kms_wr_fixed(&w, out, ROOM);
	tape_capabilities_encode(&w, &c);
	return w.len;
}

static size_t
round_management(const uint8_t *p, size_t len, uint8_t out[ROOM])
{
	struct tape_management m;
	struct kms_wr w;

	if (tape_management_decode(p, len, &m))
		return 0;
	kms_wr_fixed(&w, out, ROOM);
	tape_management_encode(&w, &m);
	return w.len;
}

/* A tag looked up by one of its names must be found by it again. */
static void
names_hold(const struct tape_kad *k)
{
	struct tape_name names[TAPE_NAMES_MAX];
	size_t n = tape_kad_names(k, names);

	fuzz_must(n <= TAPE_NAMES_MAX, "too many names");
	for (size_t i = 0; i < n; i++)
		fuzz_must(tape_kad_has(k, names[i].bytes, names[i].len),
		    "a name is not among the names");
}

static size_t
round_status(const uint8_t *p, size_t len, uint8_t out[ROOM])
{
	struct tape_status s;
	struct kms_wr w;

	if (tape_status_decode(p, len, &s))
		return 0;
	names_hold(&s.kad);
	kms_wr_fixed(&w, out, ROOM);
	tape_status_encode(&w, &s);
	return w.len;
}

static size_t
round_next_block(const uint8_t *p, size_t len, uint8_t out[ROOM])
{
	struct tape_next_block b;
	struct kms_wr w;

	if (tape_next_block_decode(p, len, &b))
		return 0;
	names_hold(&b.kad);
	kms_wr_fixed(&w, out, ROOM);
	tape_next_block_encode(&w, &b);
	return w.len;
}

static size_t
round_protocols(const uint8_t *p, size_t len, uint8_t out[ROOM])
{
	uint8_t list[LIST_MAX];
	struct kms_wr w;
	size_t n;

	if (tape_protocols_decode(p, len, list, LIST_MAX, &n))
		return 0;
	kms_wr_fixed(&w, out, ROOM);
	tape_protocols_encode(&w, list, n);
	return w.len;
}

static size_t
round_list(const uint8_t *p, size_t len, uint8_t out[ROOM])
{
	uint16_t list[LIST_MAX];
	struct kms_wr w;
	size_t n;

	if (tape_page_list_decode(p, len, TAPE_PAGE_OUT_SUPPORT, list, LIST_MAX,
		&n))
		return 0;
	kms_wr_fixed(&w, out, ROOM);
	tape_page_list_encode(&w, TAPE_PAGE_OUT_SUPPORT, list, n);
	return w.len;
}

static void
canonical(round_fn round, const uint8_t *p, size_t len)
{
	uint8_t once[ROOM], twice[ROOM];
	size_t n = round(p, len, once);

	if (n == 0)
		return;
	fuzz_must(round(once, n, twice) == n && memcmp(once, twice, n) == 0,
	    "a page reads differently the second time");
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static const round_fn rounds[] = {round_capabilities, round_management,
	    round_status, round_next_block, round_protocols, round_list};

	for (size_t i = 0; i < sizeof(rounds) / sizeof(rounds[0]); i++)
		canonical(rounds[i], p, len);
	return 0;
}
