#include "bench/common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hsm/sealer.h"
#include "kms/base/buf.h"
#include "kms/base/crypt.h"
#include "kms/base/file.h"
#include "kms/draw.h"
#include "kms/group.h"
#include "kms/key.h"
#include "kms/setup.h"

#define PER_CHANGE 5000u

void
bench_die(const char *what, int r)
{
	fprintf(stderr, "bench: %s: %s\n", what, kms_err_cause(r));
	exit(1);
}

void
bench_must(const char *what, int r)
{
	if (r != 0)
		bench_die(what, r);
}

static void
open_token(struct bench *b)
{
	struct hsm_options options = {.lock_dir = b->dir,
	    .guard_path = b->guard,
	    .sessions = BENCH_SESSIONS};
	char path[1024], uri[1024];
	size_t len;

	snprintf(path, sizeof(path), "%s/uri", b->dir);
	bench_must(path, kms_file_read(path, sizeof(uri) - 1, uri, &len));
	uri[len] = '\0';
	uri[strcspn(uri, "\n")] = '\0';
	options.uri = uri;
	bench_must("token", hsm_sealer_open(&options, &b->sealer));
}

void
bench_token(struct bench *b, const char *dir, const char *name)
{
	static const struct kms_policy policy = KMS_POLICY_DEFAULT;

	memset(b, 0, sizeof(*b));
	b->dir = dir;
	snprintf(b->path, sizeof(b->path), "%s/%s.db", dir, name);
	snprintf(b->guard, sizeof(b->guard), "%s/pin.guard", dir);
	open_token(b);
	kms_actor_local(&b->actor);
	b->options = (struct kms_store_options){.path = b->path,
	    .sealer = b->sealer,
	    .policy = policy,
	    .wait_ms = 10000};
	b->options.policy.serve_gate = false;
}

void
bench_create(struct bench *b, const struct kms_setup_master *hmk,
    const struct kms_setup_master *kpk)
{
	char log_path[sizeof(b->path)];

	bench_must("log",
	    kms_store_log_path(b->path, log_path, sizeof(log_path)));
	(void)unlink(b->path);
	(void)unlink(log_path);
	bench_must("create",
	    kms_setup_create(&b->options, &b->actor, hmk, kpk));
	bench_must("open", kms_store_open(&b->options, &b->store));
	bench_must("slot", kms_store_slot(b->store, KMS_ROLE_KPK, &b->kpk));
}

void
bench_begin(struct bench *b, const char *dir, const char *name)
{
	const struct kms_setup_master hmk = {.id = "bench HMK"};
	const struct kms_setup_master kpk = {.id = "bench KPK"};

	bench_token(b, dir, name);
	bench_create(b, &hmk, &kpk);
}

void
bench_open(struct bench *b, const char *dir, const char *name)
{
	bench_token(b, dir, name);
	bench_must("open", kms_store_open(&b->options, &b->store));
	bench_must("slot", kms_store_slot(b->store, KMS_ROLE_KPK, &b->kpk));
}

void
bench_end(struct bench *b)
{
	kms_store_close(&b->store);
	b->sealer->close(&b->sealer);
}

static void
add_some(struct bench *b, struct kms_tag *tags, size_t from, size_t n,
    void (*dress)(size_t, struct kms_wr *))
{
	struct kms_material m = b->material;
	const struct kms_key_new new = {.group = "bench",
	    .state = KMS_INACTIVE,
	    .event = KMS_EVENT_KEY_CREATE,
	    .material = &m};
	struct kms_key_view view;
	struct kms_tx *tx = NULL;
	uint8_t salt[24];
	char name[32];
	struct kms_key_new named = new;
	struct kms_wr attrs;
	bool held;
	size_t i;

	bench_must("begin", kms_tx_begin(b->store, &b->actor, KMS_WRITE, &tx));
	for (i = from; i < from + n; i++) {
		kms_wr_grow(&attrs, KMS_ATTRS_MAX);
		if (dress != NULL)
			dress(i, &attrs);
		named.attrs = attrs.p;
		named.attrs_len = attrs.len;
		bench_must("salt", kms_random(salt, sizeof(salt)));
		bench_must("tag",
		    kms_tag_make(&m.tag, KMS_TAG_RANDOM, 0, salt));
		kms_tag_set_check(&m.tag, m.wrapped.kcv);
		snprintf(name, sizeof(name), "%016llx",
		    (unsigned long long)kms_get64(salt));
		named.name = name;
		bench_must("add", kms_key_add(tx, &named, &view, &held));
		tags[i] = m.tag;
		kms_wr_free(&attrs);
	}
	bench_must("commit", kms_tx_commit(&tx));
}

struct kms_tag *
bench_fill(struct bench *b, size_t n)
{
	return bench_fill_dressed(b, n, NULL);
}

struct kms_tag *
bench_fill_dressed(struct bench *b, size_t n,
    void (*dress)(size_t, struct kms_wr *))
{
	struct kms_tag *tags = calloc(n, sizeof(*tags));
	struct kms_tx *tx = NULL;
	size_t i, some;

	if (tags == NULL)
		bench_die("memory", KMS_ERR_MEMORY);
	bench_must("key", kms_material_random(b->store, &b->material));
	bench_must("begin", kms_tx_begin(b->store, &b->actor, KMS_WRITE, &tx));
	bench_must("group", kms_group_add(tx, "bench", NULL, NULL));
	bench_must("commit", kms_tx_commit(&tx));
	for (i = 0; i < n; i += some) {
		some = n - i < PER_CHANGE ? n - i : PER_CHANGE;
		add_some(b, tags, i, some, dress);
	}
	return tags;
}

double
bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double
bench_cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double
bench_median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}

bool
bench_report(struct bench_result *r)
{
	double a = bench_median(r->a, r->rounds);
	double b = bench_median(r->b, r->rounds);
	double ratio = a / b;
	bool holds = r->at_least ? ratio >= r->bound : ratio <= r->bound;
	char records[32] = "";

	if (r->n > 0)
		snprintf(records, sizeof(records), " %zu records,", r->n);
	printf("%s:%s n %zu, %s %.1f us, %s %.1f us, ratio %.3f (%s %.2f)%s\n",
	    r->what, records, r->rounds, r->a_name, a * 1e6, r->b_name, b * 1e6,
	    ratio, r->at_least ? "at least" : "at most", r->bound,
	    holds ? "" : " MISSED");
	return holds;
}
