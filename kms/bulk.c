#include "kms/bulk.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LARGE_PAGE ((size_t)2 << 20)
#define LARGE (LARGE_PAGE / 2) /* less than half a page is no use of one */

static void *
large(size_t len)
{
	void *p;

	len = (len + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
	if (posix_memalign(&p, LARGE_PAGE, len) != 0)
		return NULL;
	(void)madvise(p, len, MADV_HUGEPAGE); /* advice only */
	return p;
}

void *
kms_bulk_grow(void *old, size_t used, size_t n, size_t size)
{
	void *p;

	if (n > (SIZE_MAX - LARGE_PAGE) / size || used > n)
		return NULL;
	p = n * size < LARGE ? malloc(n * size) : large(n * size);
	if (p == NULL)
		return NULL;
	if (used > 0)
		memcpy(p, old, used * size);
	free(old);
	return p;
}
