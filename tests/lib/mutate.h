/*
 * Deterministic fuzzing: every small change of a valid sample, one after the
 * other, so that each decoder's test is a fuzz test with any compiler.
 */
#ifndef TESTS_LIB_MUTATE_H
#define TESTS_LIB_MUTATE_H

#include <stddef.h>
#include <stdint.h>

struct mutant {
	const uint8_t *p; /* exactly len bytes, so that ASan sees over-reads */
	size_t len;
	char what[48]; /* "bit 3 of byte 17", for the failure's message */
};

/*
 * Calls fn for each bit flipped, each byte set to 00 and to ff, each
 * truncation (0 bytes included) and one byte too many. No mutant equals the
 * sample. Returns how many there were.
 */
size_t mutate(const void *sample, size_t len,
    void (*fn)(void *ctx, const struct mutant *), void *ctx);

#endif
