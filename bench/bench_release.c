/*
 * What a release costs beside the token's own work, in one run:
 *   fetch    look-up, check, unwrap below the log, against the raw unwrap of
 *            the same bytes
 *   release  with its record durable, against that unwrap and one bare append
 *            and fdatasync of a record's length
 *
 *   bench_release DIR [RECORDS]...
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/common.h"
#include "kms/release.h"

#define ROUNDS 31u
#define FETCHES 200u
#define RELEASES 20u
#define APPEND 256u
#define AREA (1u << 20) /* written before, so that appends change no size */

static void
raw_unwrap(struct bench *b)
{
	struct kms_secret *key;

	bench_must("unwrap",
	    b->sealer->unwrap(b->sealer, &b->kpk, &b->material.wrapped, &key));
	kms_secret_free(&key);
}

/* These two wait for nothing: of the processor, so that others who use the
 * machine meanwhile do not count. */
static double
time_fetch(struct bench *b, const struct kms_tag *tags, size_t n)
{
	struct kms_secret *key;
	double start = bench_cpu();
	size_t i;

	for (i = 0; i < FETCHES; i++) {
		bench_must("fetch",
		    kms_release_fetch(b->store, &tags[(size_t)random() % n],
			&key));
		kms_secret_free(&key);
	}
	return (bench_cpu() - start) / FETCHES;
}

static double
time_unwrap(struct bench *b)
{
	double start = bench_cpu();
	size_t i;

	for (i = 0; i < FETCHES; i++)
		raw_unwrap(b);
	return (bench_cpu() - start) / FETCHES;
}

static double
time_release(struct bench *b, const struct kms_tag *tags, size_t n)
{
	const struct kms_purpose purpose = {.use = KMS_USE_READ,
	    .drive = "HU1328WLGW",
	    .volume = "VOL001L8"};
	struct kms_secret *key;
	double start = bench_now();
	size_t i;

	for (i = 0; i < RELEASES; i++) {
		bench_must("release",
		    kms_release(b->store, &b->actor,
			&tags[(size_t)random() % n], &purpose, &key));
		kms_secret_free(&key);
	}
	return (bench_now() - start) / RELEASES;
}

static int
open_area(const char *dir)
{
	static const uint8_t zeros[4096];
	char path[1024];
	size_t i;
	int fd;

	snprintf(path, sizeof(path), "%s/append", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	for (i = 0; fd >= 0 && i < AREA / sizeof(zeros); i++) {
		if (write(fd, zeros, sizeof(zeros)) != sizeof(zeros))
			fd = -1;
	}
	if (fd < 0 || fsync(fd) != 0)
		bench_die(path, KMS_ERR_IO);
	return fd;
}

static double
time_append(struct bench *b, int fd, off_t *at)
{
	uint8_t record[APPEND] = {1};
	double start = bench_now();
	size_t i;

	for (i = 0; i < RELEASES; i++) {
		raw_unwrap(b);
		if (pwrite(fd, record, sizeof(record), *at) !=
			(ssize_t)sizeof(record) ||
		    fdatasync(fd) != 0)
			bench_die("append", KMS_ERR_IO);
		*at = (*at + APPEND) % AREA;
	}
	return (bench_now() - start) / RELEASES;
}

static bool
run(struct bench *b, const char *dir, size_t n)
{
	double fetch[ROUNDS], unwrap[ROUNDS], release[ROUNDS], append[ROUNDS];
	struct bench_result below = {.what = "fetch",
	    .a_name = "unwrap",
	    .b_name = "fetch",
	    .n = n,
	    .a = unwrap,
	    .b = fetch,
	    .rounds = ROUNDS,
	    .bound = 0.9,
	    .at_least = true};
	struct bench_result logged = {.what = "release",
	    .a_name = "unwrap+append",
	    .b_name = "release",
	    .n = n,
	    .a = append,
	    .b = release,
	    .rounds = ROUNDS,
	    .bound = 0.8,
	    .at_least = true};
	struct kms_tag *tags = bench_fill(b, n);
	int fd = open_area(dir);
	off_t at = 0;
	size_t i;
	bool good;

	for (i = 0; i < ROUNDS; i++) {
		fetch[i] = time_fetch(b, tags, n);
		unwrap[i] = time_unwrap(b);
		/* In turn: whoever is first meets a disk at rest. */
		if (i % 2 == 0)
			release[i] = time_release(b, tags, n);
		append[i] = time_append(b, fd, &at);
		if (i % 2 != 0)
			release[i] = time_release(b, tags, n);
	}
	good = bench_report(&below);
	good = bench_report(&logged) && good;
	close(fd);
	free(tags);
	return good;
}

int
main(int argc, char **argv)
{
	static const size_t usual[] = {1000, 100000};
	bool good = true;
	struct bench b;
	char name[32];
	size_t n;
	int i, last = argc > 2 ? argc - 2 : 2;

	if (argc < 2) {
		fprintf(stderr, "usage: bench_release DIR [RECORDS]...\n");
		return 2;
	}
	bench_must("memory", kms_secret_init(1u << 18, KMS_SECRET_OPTIONAL));
	for (i = 0; i < last; i++) {
		n = argc > 2 ? strtoul(argv[i + 2], NULL, 10) : usual[i];
		if (n == 0)
			return 2;
		snprintf(name, sizeof(name), "release-%zu", n);
		bench_begin(&b, argv[1], name);
		good = run(&b, argv[1], n) && good;
		bench_end(&b);
	}
	return good ? 0 : 1;
}
