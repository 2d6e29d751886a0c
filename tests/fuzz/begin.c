#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "kms/base/secret.h"

/* Secrets in plain memory, so that the sanitizers see an overrun. */
int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return kms_secret_init(1 << 16, KMS_SECRET_PLAIN) ? -1 : 0;
}

void
fuzz_must(int holds, const char *property)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", property);
	abort();
}
