/* What the benches of the store share: a store on a real token, many keys in
 * it, and medians. Whatever fails ends the program. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include "kms/material.h"
#include "kms/store.h"
#include "kms/tx.h"

/* As many as the service opens for its 16 workers. */
#define BENCH_SESSIONS 16u

struct bench {
	const char *dir;
	char path[1024], guard[1024];
	struct kms_sealer *sealer;
	struct kms_store_options options;
	struct kms_actor actor;
	struct kms_store *store;
	struct kms_slot kpk;
	struct kms_material material; /* what the keys of bench_fill wrap */
};

/* Says what and why, then exits with 1. */
_Noreturn void bench_die(const char *what, int r);
void bench_must(const char *what, int r);

/* DIR holds a token made by softhsm-conf/make-token.sh; NAME.db is made in
 * it, over what an earlier run left. Gates off. kms_secret_init is the
 * caller's. */
void bench_begin(struct bench *, const char *dir, const char *name);
/* The same in two steps: the token alone; a new store with these masters. */
void bench_token(struct bench *, const char *dir, const char *name);
struct kms_setup_master;
void bench_create(struct bench *, const struct kms_setup_master *hmk,
    const struct kms_setup_master *kpk);
/* What bench_begin made, in another process or before. */
void bench_open(struct bench *, const char *dir, const char *name);
void bench_end(struct bench *);

/* n inactive keys in the group "bench", each under a tag of its own, all the
 * same wrapped bytes: what a look-up and an unwrap cost does not depend on
 * them. tags, n long, is the caller's to free. */
struct kms_tag *bench_fill(struct bench *, size_t n);
/* The same with attributes, written by dress; NULL: without. */
struct kms_wr;
struct kms_tag *bench_fill_dressed(struct bench *, size_t n,
    void (*dress)(size_t i, struct kms_wr *attrs));

double bench_now(void); /* seconds */
double bench_cpu(void); /* of this process, all threads */
double bench_median(double *, size_t);

/* One line: what, n, both medians in microseconds, their ratio (a/b) against
 * a bound; at_least says on which side. Returns whether it holds. */
struct bench_result {
	const char *what, *a_name, *b_name;
	size_t n;      /* records, or 0 */
	double *a, *b; /* seconds for one; sorted by it */
	size_t rounds;
	double bound;
	bool at_least;
};
bool bench_report(struct bench_result *);

#endif
