/*
 * The page that sets a key, as a drive reads it: what is accepted encodes
 * back to the very bytes, and a refusal points into the page.
 */
#include <string.h>

#include "kms/base/crypt.h"
#include "tape/page.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct kms_secret *key = NULL, *back = NULL;
	struct tape_sde s;
	size_t field;

	if (tape_sde_decode(p, len, &s, &key, &field)) {
		fuzz_must(key == NULL, "a refused page gave a key");
		fuzz_must(field <= len || field <= 2,
		    "the field pointer leads out of the page");
		return 0;
	}
	s.key = key;
	fuzz_must(tape_sde_encode(&s, &back) == 0, "it does not encode");
	/* A descriptor of length 0 has two forms: there, and not there. */
	if (kms_secret_len(back) == len)
		fuzz_must(kms_equal(kms_secret_bytes(back), p, len),
		    "it encodes to other bytes");
	else
		fuzz_must(s.kad.u_len == 0 || s.kad.a_len == 0,
		    "it encodes to another length");
	kms_secret_free(&back);
	kms_secret_free(&key);
	return 0;
}
