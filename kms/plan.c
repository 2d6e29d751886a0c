#include "kms/plan.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kms/load.h"

#define VERSION 1u
#define WAIT_MS 1000u
#define LIST_MAX (3u + 32u * KMS_PLAN_DEBRIS_MAX)

int
kms_plan_path(const char *path, char *out, size_t cap)
{
	int n = snprintf(out, cap, "%s.new", path);

	if (n < 0 || (size_t)n >= cap)
		return kms_fail(KMS_ERR_LIMIT, "path of over %zu bytes", cap);
	return 0;
}

/* --- reading ---------------------------------------------------------- */

static int
decode_list(const struct kms_row *row, struct kms_plan *plan)
{
	struct kms_rd rd;
	size_t i;

	kms_rd_init(&rd, row->sealed, row->len);
	if (kms_rd_u8(&rd) != VERSION)
		return kms_fail(KMS_ERR_VERSION,
		    "plan: newer than this program");
	plan->ndebris = kms_rd_u16(&rd);
	if (plan->ndebris > KMS_PLAN_DEBRIS_MAX)
		return kms_fail(KMS_ERR_DAMAGED, "plan: %zu objects",
		    plan->ndebris);
	for (i = 0; i < plan->ndebris; i++)
		kms_rd_copy(&rd, plan->debris[i], 32);
	return kms_rd_end(&rd, "plan");
}

static int
read_header(struct kms_rows *rows, struct kms_header *header)
{
	struct kms_wr body;
	uint8_t hash[32];
	unsigned copy;
	int r = 0;

	for (copy = 1; copy <= 2; copy++) {
		kms_wr_grow(&body, KMS_HEADER_MAX);
		r = kms_load_copy(rows, copy, &body, hash);
		if (r == 0)
			r = kms_header_decode(header, body.p, body.len);
		kms_wr_free(&body);
		if (r == 0)
			return 0;
	}
	return r;
}

/* Row generations lie in clear, so a store that has seen a change is told
 * from a leftover without its keys. */
static int
read_rows(struct kms_rows *rows, struct kms_plan *plan)
{
	struct kms_row row;
	int r;

	r = kms_rows_get(rows, KMS_ROOT_ID, &row);
	if (r == 0 && row.generation > 1)
		return kms_fail(KMS_ERR_EXISTS,
		    "it is a store with changes in it; move it away");
	if (r != 0 && r != KMS_ERR_NOTFOUND)
		return r;
	r = kms_rows_get(rows, KMS_PLAN_ROW, &row);
	if (r != 0)
		return r == KMS_ERR_NOTFOUND
		    ? kms_fail_add(KMS_ERR_DAMAGED, "no plan in it")
		    : r;
	plan->pending = row.generation == 0;
	return plan->pending ? decode_list(&row, plan) : 0;
}

int
kms_plan_read(const char *path_new, struct kms_plan *plan)
{
	const struct kms_rows_options options = {.path = path_new,
	    .wait_ms = WAIT_MS};
	struct kms_rows *rows = NULL;
	int r;

	memset(plan, 0, sizeof(*plan));
	r = kms_rows_open(&options, &rows);
	if (r == KMS_ERR_NOTFOUND)
		return r;
	if (r == 0)
		r = read_header(rows, &plan->header);
	if (r == 0)
		r = read_rows(rows, plan);
	kms_rows_close(&rows);
	if (r == KMS_ERR_DAMAGED)
		return kms_fail_add(r,
		    "%s, left by a createemptydb that was cut short, may name "
		    "keys in the token; look with p11kms -tokeninfo, then "
		    "move it away",
		    path_new);
	return r == 0 ? 0 : kms_fail_add(r, "%s", path_new);
}

/* --- writing ---------------------------------------------------------- */

static int
put_header(struct kms_rows *rows, const struct kms_header *header)
{
	struct kms_wr wr;
	uint8_t hash[32];
	int r;

	kms_wr_grow(&wr, KMS_HEADER_MAX);
	r = kms_header_encode(header, &wr);
	if (r == 0)
		r = kms_header_hash(wr.p, wr.len, hash);
	if (r == 0)
		r = kms_rows_put_header(rows, wr.p, wr.len, hash);
	kms_wr_free(&wr);
	return r;
}

static int
put_list(struct kms_rows *rows, const struct kms_plan *plan)
{
	struct kms_row row = {.id = KMS_PLAN_ROW, .kind = KMS_KIND_FACT};
	struct kms_wr wr;
	int r;

	kms_wr_grow(&wr, LIST_MAX);
	kms_wr_u8(&wr, VERSION);
	kms_wr_u16(&wr, (uint16_t)plan->ndebris);
	kms_wr_bytes(&wr, plan->debris, plan->ndebris * 32);
	r = kms_wr_check(&wr, "plan");
	row.sealed = wr.p;
	row.len = wr.len;
	if (r == 0)
		r = kms_rows_put(rows, &row);
	kms_wr_free(&wr);
	return r;
}

static int
write_to(const struct kms_rows_options *options, const struct kms_plan *plan)
{
	struct kms_rows *rows = NULL;
	int r;

	r = kms_rows_open(options, &rows);
	if (r == 0)
		r = kms_rows_begin_write(rows);
	if (r == 0)
		r = put_header(rows, &plan->header);
	if (r == 0)
		r = put_list(rows, plan);
	if (r == 0)
		r = kms_rows_commit(rows);
	kms_rows_close(&rows);
	return r;
}

int
kms_plan_write(const char *path_new, const struct kms_plan *plan)
{
	struct kms_rows_options options = {.path = path_new,
	    .wait_ms = WAIT_MS};
	char draft[PATH_MAX];
	int n, r;

	if (access(path_new, F_OK) == 0)
		return write_to(&options, plan);
	n = snprintf(draft, sizeof(draft), "%s.draft", path_new);
	if (n < 0 || (size_t)n >= sizeof(draft))
		return kms_fail(KMS_ERR_LIMIT, "path too long");
	options.path = draft;
	options.create = true;
	r = kms_rows_remove(draft);
	if (r == 0)
		r = write_to(&options, plan);
	if (r == 0)
		r = kms_rows_install(draft, path_new);
	return r;
}
