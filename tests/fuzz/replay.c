/*
 * Stands in for libFuzzer: each file of the directories given, and every
 * small change of it, through the target once.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/lib/fixture.h"
#include "tests/lib/mutate.h"

#define PATH_ROOM 1024

static void
one(void *ctx, const struct mutant *m)
{
	(void)ctx;
	LLVMFuzzerTestOneInput(m->p, m->len);
}

static size_t
replay_file(struct fx *fx, const char *path)
{
	size_t len;
	uint8_t *sample = fx_read(fx, path, &len);

	LLVMFuzzerTestOneInput(sample, len);
	return 1 + mutate(sample, len, one, NULL);
}

static size_t
replay_dir(struct fx *fx, const char *dir)
{
	char path[PATH_ROOM];
	const struct dirent *e;
	size_t n = 0;

	DIR *d = opendir(dir);
	if (!d)
		fx_die("%s: no corpus", dir);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		n += replay_file(fx, path);
	}
	closedir(d);
	return n;
}

int
main(int argc, char **argv)
{
	size_t n = 0;

	if (LLVMFuzzerInitialize(&argc, &argv))
		return EXIT_FAILURE;
	struct fx *fx = fx_new();
	for (int i = 1; i < argc; i++)
		n += replay_dir(fx, argv[i]);
	fx_free(&fx);
	printf("%s: %zu inputs\n", argv[0], n);
	return n > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
