/*
 * A tool started cold: p11kmsutil -listkeys on a store of 100 keys against
 * the least that any program must do with the token (bench/floor/cold.c).
 * Alternating in the same run, each in a process of its own; what is compared
 * is the processor time of both (their waits are for the token's lock file
 * and the disk, and those are another bench's), and the wall's is shown.
 *
 *   bench_cold P11KMSUTIL FLOOR DIR
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/common.h"
#include "kms/base/file.h"

#define KEYS 100u
#define ROUNDS 101u

struct times {
	double wall[ROUNDS], cpu[ROUNDS];
};

static double
seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* Its output goes nowhere. */
static void
run(char *const argv[], struct times *t, size_t round)
{
	posix_spawn_file_actions_t actions;
	struct rusage used;
	double begin;
	pid_t pid;
	int status;

	if (posix_spawn_file_actions_init(&actions) != 0 ||
	    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO,
		"/dev/null", O_WRONLY, 0) != 0)
		bench_die("posix_spawn", KMS_ERR_MEMORY);
	begin = bench_now();
	if (posix_spawn(&pid, argv[0], &actions, NULL, argv, environ) != 0 ||
	    wait4(pid, &status, 0, &used) != pid)
		bench_die(argv[0], KMS_ERR_IO);
	t->wall[round] = bench_now() - begin;
	t->cpu[round] = seconds(used.ru_utime) + seconds(used.ru_stime);
	posix_spawn_file_actions_destroy(&actions);
	if (status != 0)
		bench_die("a program failed; what it said is above",
		    KMS_ERR_INTERNAL);
}

static void
write_config(const struct bench *b, const char *path)
{
	char uri[1024], uri_path[1100], text[4096];
	size_t len;

	snprintf(uri_path, sizeof(uri_path), "%s/uri", b->dir);
	bench_must("uri", kms_file_read(uri_path, sizeof(uri) - 1, uri, &len));
	uri[len] = '\0';
	snprintf(text, sizeof(text),
	    "[store]\npath = %s\n[token]\nuri = %slock_dir = %s\n", b->path,
	    uri, b->dir);
	bench_must("configuration", kms_file_replace(path, text, strlen(text)));
}

int
main(int argc, char **argv)
{
	static struct times tool, floor;
	static char op[] = "-listkeys", option[] = "-config";
	static char module[] = "/usr/lib/softhsm/libsofthsm2.so";
	static char label[] = "p11kms";
	static char config[1024], pin[1024];
	char *const ours[] = {argv[1], option, config, op, NULL};
	char *const least[] = {argv[2], module, label, pin, NULL};
	struct bench_result cpu = {.what = "cold -listkeys, processor",
	    .a_name = "p11kmsutil",
	    .b_name = "floor",
	    .n = KEYS,
	    .a = tool.cpu,
	    .b = floor.cpu,
	    .rounds = ROUNDS,
	    .bound = 1.3};
	struct bench_result wall = cpu;
	static struct bench b;
	bool holds;

	if (argc != 4) {
		fprintf(stderr, "usage: bench_cold P11KMSUTIL FLOOR DIR\n");
		return 2;
	}
	bench_must("memory", kms_secret_init(1u << 20, KMS_SECRET_OPTIONAL));
	bench_begin(&b, argv[3], "cold");
	free(bench_fill(&b, KEYS));
	bench_end(&b);
	snprintf(config, sizeof(config), "%s/cold.conf", argv[3]);
	snprintf(pin, sizeof(pin), "%s/pin", argv[3]);
	write_config(&b, config);
	for (size_t i = 0; i < ROUNDS; i++) {
		run(ours, &tool, i);
		run(least, &floor, i);
	}
	wall.what = "cold -listkeys, wall";
	wall.a = tool.wall;
	wall.b = floor.wall;
	(void)bench_report(&wall);
	holds = bench_report(&cpu);
	return holds ? 0 : 1;
}
