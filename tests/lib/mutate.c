#include "tests/lib/mutate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/fixture.h"

struct run {
	const uint8_t *sample;
	size_t len, count;
	void (*fn)(void *, const struct mutant *);
	void *ctx;
};

/* A copy of the sample's first len bytes; what lies beyond is 0. */
static uint8_t *
copy(const struct run *run, size_t len)
{
	size_t n = len < run->len ? len : run->len;
	uint8_t *p = calloc(1, len > 0 ? len : 1);

	if (p == NULL)
		fx_die("mutate: out of memory");
	if (n > 0)
		memcpy(p, run->sample, n);
	return p;
}

static void
call(struct run *run, const uint8_t *p, struct mutant *m)
{
	m->p = p;
	run->count++;
	run->fn(run->ctx, m);
}

static void
set_byte(struct run *run, size_t at, uint8_t value)
{
	struct mutant m = {.len = run->len};
	uint8_t *p;

	if (run->sample[at] == value)
		return;
	p = copy(run, run->len);
	p[at] = value;
	snprintf(m.what, sizeof(m.what), "byte %zu set to %02x", at, value);
	call(run, p, &m);
	free(p);
}

static void
flip_bit(struct run *run, size_t at, unsigned bit)
{
	struct mutant m = {.len = run->len};
	uint8_t *p = copy(run, run->len);

	p[at] = (uint8_t)(p[at] ^ (1u << bit));
	snprintf(m.what, sizeof(m.what), "bit %u of byte %zu", bit, at);
	call(run, p, &m);
	free(p);
}

static void
resize(struct run *run, size_t len)
{
	struct mutant m = {.len = len};
	uint8_t *p = copy(run, len);

	snprintf(m.what, sizeof(m.what), "%zu bytes of %zu", len, run->len);
	call(run, p, &m);
	free(p);
}

size_t
mutate(const void *sample, size_t len,
    void (*fn)(void *, const struct mutant *), void *ctx)
{
	struct run run = {.sample = sample, .len = len, .fn = fn, .ctx = ctx};
	unsigned bit;
	size_t at;

	for (at = 0; at < len; at++) {
		for (bit = 0; bit < 8; bit++)
			flip_bit(&run, at, bit);
		set_byte(&run, at, 0x00);
		set_byte(&run, at, 0xff);
		resize(&run, at);
	}
	resize(&run, len + 1);
	return run.count;
}
