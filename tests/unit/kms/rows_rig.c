#include "tests/unit/kms/rows_rig.h"

#include <string.h>
#include <sys/stat.h>

#include "tests/unit/kms/faults.h"
#include "tests/unit/kms/stores.h"

struct fx *fx;
const char *path;
struct kms_rows *rows;

struct kms_rows *
rows_open_as(const char *p, bool create, bool readonly, unsigned wait_ms)
{
	struct kms_rows_options opt = {.path = p,
	    .create = create,
	    .readonly = readonly,
	    .wait_ms = wait_ms};
	struct kms_rows *r;

	ok(kms_rows_open(&opt, &r));
	return r;
}

int
rows_try_open(const char *p, bool create, bool readonly)
{
	struct kms_rows_options opt = {.path = p,
	    .create = create,
	    .readonly = readonly};
	struct kms_rows *r = NULL;
	int rc;

	rc = kms_rows_open(&opt, &r);
	ck_assert((rc == 0) == (r != NULL));
	kms_rows_close(&r);
	return rc;
}

void
rows_reopen(void)
{
	kms_rows_close(&rows);
	rows = rows_open_as(path, false, false, 10000);
}

int
rows_put_size(struct kms_rows *r, uint64_t id, uint64_t generation, size_t len)
{
	static uint8_t sealed[4096];
	struct kms_row row = {.id = id,
	    .generation = generation,
	    .kind = 3,
	    .sealed = sealed,
	    .len = len};

	memset(sealed, (int)(id * 31 + generation), len);
	return kms_rows_put(r, &row);
}

void
rows_put(uint64_t id, uint64_t generation)
{
	ok(rows_put_size(rows, id, generation, 100));
}

void
rows_setup(void)
{
	umask(022);
	fx = fx_new();
	path = fx_path(fx, "kms.db");
	rows = rows_open_as(path, true, false, 10000);
	ok(kms_rows_begin_write(rows));
	ok(kms_rows_put_header(rows, "header", 6, (const uint8_t[32]){1, 2}));
	rows_put(1, 1);
	rows_put(2, 1);
	rows_put(3, 1);
	ok(kms_rows_commit(rows));
}

void
rows_teardown(void)
{
	fault_sync(0);
	kms_rows_close(&rows);
	fx_free(&fx);
}

int
rows_see(void *ctx, const struct kms_row *row)
{
	struct rows_seen *s = ctx;

	if (s->n < 64) {
		s->id[s->n] = row->id;
		s->generation[s->n] = row->generation;
	}
	ck_assert_uint_eq(row->kind, 3);
	ck_assert_uint_eq(row->sealed[row->len - 1],
	    (uint8_t)(row->id * 31 + row->generation));
	s->n++;
	return 0;
}

size_t
rows_count(struct kms_rows *r)
{
	struct rows_seen s = {0};

	ok(kms_rows_scan(r, 0, rows_see, &s));
	return s.n;
}
