/*
 * Any bytes as a request to a service with a store behind it: always an
 * answer, one that can be read, and never a key that was not asked for.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/kmip_world.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	const struct kmip_message m = {.p = p, .len = len, .locked = true};
	struct kmip_reply reply;

	(void)fuzz_world_ask(&m, &reply);
	kmip_reply_clear(&reply);
	return 0;
}
