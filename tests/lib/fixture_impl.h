/* What fixture.c and process.c share. */
#ifndef TESTS_LIB_FIXTURE_IMPL_H
#define TESTS_LIB_FIXTURE_IMPL_H

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

#include "tests/lib/fixture.h"

#define FX_CHILDREN 16u

/* Memory that lives as long as the fixture. */
struct fx_kept {
	struct fx_kept *next;
	char bytes[];
};

struct fx {
	char dir[PATH_MAX];
	struct fx_kept *kept;
	pid_t child[FX_CHILDREN]; /* started and not yet waited for; or 0 */
};

void *fx_alloc(struct fx *, size_t);
void fx_kill_all(struct fx *);

#endif
