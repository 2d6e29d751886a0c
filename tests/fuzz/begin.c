#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include <unistd.h>

#include "kms/base/crypt.h"
#include "kms/base/log.h"
#include "kms/base/secret.h"

/* Secrets in plain memory, so that the sanitizers see an overrun; files in
 * memory, for there are thousands; no log. */
int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 1);
	kms_log_open("fuzz", false, false, KMS_LOG_ERROR);
	/* OpenSSL's exit handler is to run after those of the targets. */
	uint8_t byte;
	if (kms_random(&byte, 1))
		return -1;
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
