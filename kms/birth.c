#include "kms/birth.h"

#include "kms/anchor.h"
#include "kms/audit.h"
#include "kms/draw.h"
#include "kms/plan.h"

int
kms_birth_keys(struct kms_birth *b)
{
	struct kms_header_slot *hmk = &b->header->slot[0];
	struct kms_header_slot *kpk = &b->header->slot[1];
	struct kms_root *root = &b->root;
	int r;

	r = kms_draw_secret(b->sealer, &b->file_key);
	if (r == 0)
		r = b->sealer->wrap(b->sealer, &hmk->slot, b->file_key,
		    &hmk->file_key);
	root->nproofs = 1;
	root->proof[0].slot = kpk->slot.no;
	if (r == 0)
		r = b->sealer->wrap(b->sealer, &kpk->slot, NULL,
		    &root->proof[0].wrapped);
	if (r == 0)
		r = kms_draw_secret(b->sealer, &root->set_key);
	if (r == 0)
		r = kms_draw_secret(b->sealer, &root->log_key);
	if (r == 0)
		r = kms_draw(b->sealer, root->lineage, sizeof(root->lineage));
	if (r == 0)
		r = kms_anchor_key(b->file_key, &b->anchor_key);
	if (r == 0)
		r = kms_seal_new(b->header->uuid, &b->seal);
	if (r == 0)
		r = kms_seal_add(b->seal, hmk->slot.no, b->file_key, true);
	return r;
}

static int
seal_into(struct kms_birth *b, struct kms_row *row, const struct kms_wr *plain,
    struct kms_wr *sealed, uint8_t gcm[16])
{
	int r;

	r = kms_wr_check(plain, "row");
	if (r == 0)
		r = kms_seal_row(b->seal, row, plain->p, plain->len, sealed,
		    gcm);
	row->sealed = sealed->p;
	row->len = sealed->len;
	return r;
}

/* The first audit row: that, when and by whom the store was made. */
static int
put_audit(struct kms_birth *b, struct kms_rows *rows)
{
	const struct kms_step step = {.event = KMS_EVENT_STORE_CREATE,
	    .subject = b->header->slot[0].slot.id};
	struct kms_row row = {.id = KMS_PLAN_ROW,
	    .generation = 1,
	    .kind = KMS_KIND_AUDIT};
	struct kms_sum *sum = NULL;
	struct kms_wr plain, sealed;
	uint8_t gcm[16];
	int r;

	kms_wr_grow(&plain, KMS_SEALED_MAX - KMS_SEAL_OVERHEAD);
	kms_wr_grow(&sealed, KMS_SEALED_MAX);
	r = kms_audit_of_step(&b->audit, b->who, &step, b->root.time);
	if (r == 0)
		r = kms_record_encode(&b->audit, &plain);
	if (r == 0)
		r = seal_into(b, &row, &plain, &sealed, gcm);
	if (r == 0)
		r = kms_rows_put(rows, &row);
	if (r == 0)
		r = kms_sum_new(b->root.set_key, &sum);
	if (r == 0)
		r = kms_sum_add(sum, row.kind, row.id, row.generation, gcm);
	if (r == 0)
		r = kms_sum_get(sum, b->root.sum);
	b->root.count[KMS_KIND_AUDIT] = 1;
	kms_sum_free(&sum);
	kms_wr_free(&sealed);
	kms_wr_free(&plain);
	return r;
}

static int
put_header(struct kms_birth *b, struct kms_rows *rows)
{
	struct kms_wr wr;
	int r;

	kms_wr_grow(&wr, KMS_HEADER_MAX);
	r = kms_header_encode(b->header, &wr);
	if (r == 0)
		r = kms_header_hash(wr.p, wr.len, b->root.header_sha256);
	if (r == 0)
		r = kms_rows_put_header(rows, wr.p, wr.len,
		    b->root.header_sha256);
	kms_wr_free(&wr);
	return r;
}

/* Tried before COMMIT: a token that takes no data object is noted in the
 * header, which the root names and the anchor in turn. */
static int
put_anchor(struct kms_birth *b)
{
	struct kms_anchor_view view;
	struct kms_anchor anchor;
	int r;

	r = kms_anchor_of_root(&b->root, &view);
	if (r == 0)
		r = kms_anchor_encode(&view, b->anchor_key, &anchor);
	if (r == 0)
		r = b->sealer->anchor_put(b->sealer, b->header->uuid, &anchor);
	return r;
}

static int
put_root(struct kms_birth *b, struct kms_rows *rows)
{
	struct kms_row row = {.id = KMS_ROOT_ID,
	    .generation = 1,
	    .kind = KMS_KIND_ROOT};
	struct kms_wr plain, sealed;
	uint8_t gcm[16];
	int r;

	kms_wr_grow(&plain, KMS_ROOT_MAX);
	kms_wr_grow(&sealed, KMS_ROOT_MAX + KMS_SEAL_OVERHEAD);
	r = kms_root_encode(&b->root, &plain);
	if (r == 0)
		r = seal_into(b, &row, &plain, &sealed, gcm);
	if (r == 0)
		r = kms_rows_put(rows, &row);
	kms_wr_free(&sealed);
	kms_wr_free(&plain);
	return r;
}

/* One commit turns the plan into the store. */
static int
put_store(struct kms_birth *b, struct kms_rows *rows)
{
	int r;

	b->root.generation = 1;
	b->root.next_id = KMS_PLAN_ROW + 1;
	b->root.seals = 2;
	r = kms_rows_begin_write(rows);
	if (r == 0)
		r = put_audit(b, rows);
	if (r == 0)
		r = put_header(b, rows);
	if (r == 0)
		r = put_anchor(b);
	if (r == KMS_ERR_NOTFOUND) {
		b->header->anchor = false;
		r = put_header(b, rows);
	}
	if (r == 0)
		r = put_root(b, rows);
	if (r == 0)
		r = kms_rows_commit(rows);
	return r;
}

int
kms_birth_write(struct kms_birth *b, const char *path_new, unsigned wait_ms)
{
	const struct kms_rows_options options = {.path = path_new,
	    .wait_ms = wait_ms};
	struct kms_rows *rows = NULL;
	int r;

	r = kms_rows_open(&options, &rows);
	if (r == 0)
		r = put_store(b, rows);
	kms_rows_close(&rows);
	return r;
}

void
kms_birth_clear(struct kms_birth *b)
{
	kms_secret_free(&b->file_key);
	kms_secret_free(&b->anchor_key);
	kms_root_clear(&b->root);
	kms_seal_free(&b->seal);
}
