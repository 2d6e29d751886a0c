/*
 * A fuzz target is one file fuzz_X.c with LLVMFuzzerTestOneInput, and a
 * directory corpus/X of samples. `make fuzz` lets libFuzzer at it; `make
 * check` replays the samples, and every small change of each, with any
 * compiler. A target aborts when a property does not hold.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's names. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Says which property was broken, then aborts. */
void fuzz_must(int holds, const char *property);

#endif
