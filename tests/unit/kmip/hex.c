#include "tests/unit/kmip/kmip_tests.h"

#include "kms/base/buf.h"
#include "tests/lib/fixture.h"

size_t
hex(const char *text, uint8_t *out, size_t cap)
{
	size_t n;

	if (kms_unhex(text, out, cap, &n) != 0)
		fx_die("not a vector: %s", text);
	return n;
}
