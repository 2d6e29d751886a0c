#include "kms/root.h"

#include <stdlib.h>
#include <string.h>

#include "kms/rows.h"

#define LAYOUT 1u
#define BLOCK 16u

/* Rows whose blocks wait for one call of AES: enough to hide what the call
 * itself costs, few enough to stay in the first cache. */
#define BATCH 128u

void
kms_root_clear(struct kms_root *root)
{
	kms_secret_free(&root->set_key);
	kms_secret_free(&root->log_key);
	memset(root, 0, sizeof(*root));
}

int
kms_root_copy(struct kms_root *to, const struct kms_root *from)
{
	int r;

	*to = *from;
	to->set_key = to->log_key = NULL;
	r = kms_secret_dup(from->set_key, &to->set_key);
	if (r == 0)
		r = kms_secret_dup(from->log_key, &to->log_key);
	if (r != 0)
		kms_root_clear(to);
	return r;
}

static bool
root_fits(const struct kms_root *root)
{
	size_t i, j;

	if (root->generation == 0 || root->next_id <= KMS_ROOT_ID ||
	    root->seals > KMS_SEALS_MAX || root->seals_next > KMS_SEALS_MAX ||
	    root->nproofs > KMS_SLOTS_MAX)
		return false;
	for (i = 0; i < root->nproofs; i++) {
		if (root->proof[i].wrapped.len == 0 ||
		    root->proof[i].wrapped.len > KMS_WRAPPED_MAX)
			return false;
		for (j = 0; j < i; j++)
			if (root->proof[i].slot == root->proof[j].slot)
				return false;
	}
	return true;
}

static void
put_key(struct kms_wr *wr, const struct kms_secret *key)
{
	kms_wr_bytes(wr, kms_secret_bytes(key), KMS_KEY_LEN);
}

static int
get_key(struct kms_rd *rd, struct kms_secret **out)
{
	int r;

	r = kms_secret_new(KMS_KEY_LEN, out);
	if (r == 0)
		kms_rd_copy(rd, kms_secret_fill(*out), KMS_KEY_LEN);
	return r;
}

static void
put_log_head(struct kms_wr *wr, const struct kms_log_head *head)
{
	kms_wr_bytes(wr, head->id, sizeof(head->id));
	kms_wr_u64(wr, head->seq);
	kms_wr_bytes(wr, head->tag, sizeof(head->tag));
	kms_wr_u64(wr, head->size);
}

static void
get_log_head(struct kms_rd *rd, struct kms_log_head *head)
{
	kms_rd_copy(rd, head->id, sizeof(head->id));
	head->seq = kms_rd_u64(rd);
	kms_rd_copy(rd, head->tag, sizeof(head->tag));
	head->size = kms_rd_u64(rd);
}

int
kms_root_encode(const struct kms_root *root, struct kms_wr *wr)
{
	size_t i;

	if (!root_fits(root) || root->set_key == NULL ||
	    root->log_key == NULL ||
	    kms_secret_len(root->set_key) != KMS_KEY_LEN ||
	    kms_secret_len(root->log_key) != KMS_KEY_LEN)
		return kms_fail(KMS_ERR_LIMIT,
		    "root: a field is out of bounds");
	kms_wr_u8(wr, LAYOUT);
	kms_wr_bytes(wr, root->lineage, sizeof(root->lineage));
	kms_wr_u64(wr, root->generation);
	kms_wr_u64(wr, root->next_id);
	kms_wr_u64(wr, (uint64_t)root->time);
	kms_wr_u64(wr, root->seals);
	kms_wr_u64(wr, root->seals_next);
	kms_wr_bytes(wr, root->header_sha256, sizeof(root->header_sha256));
	kms_wr_bytes(wr, root->previous, sizeof(root->previous));
	for (i = 1; i <= KMS_KINDS; i++)
		kms_wr_u64(wr, root->count[i]);
	kms_wr_bytes(wr, root->sum, sizeof(root->sum));
	put_log_head(wr, &root->log);
	put_key(wr, root->set_key);
	put_key(wr, root->log_key);
	kms_wr_u8(wr, (uint8_t)root->nproofs);
	for (i = 0; i < root->nproofs; i++) {
		kms_wr_u16(wr, root->proof[i].slot);
		kms_wrapped_encode(&root->proof[i].wrapped, wr);
	}
	return kms_wr_check(wr, "root");
}

static int
decode_layout(struct kms_rd *rd)
{
	unsigned layout = kms_rd_u8(rd);

	if (layout > LAYOUT)
		return kms_fail(KMS_ERR_VERSION,
		    "root: layout %u is newer than this program's %u; use the "
		    "newer p11kms",
		    layout, LAYOUT);
	if (layout != LAYOUT)
		return kms_fail(KMS_ERR_DAMAGED, "root: layout %u never was",
		    layout);
	return 0;
}

static int
decode_content(struct kms_root *root, struct kms_rd *rd)
{
	size_t i;
	int r;

	kms_rd_copy(rd, root->lineage, sizeof(root->lineage));
	root->generation = kms_rd_u64(rd);
	root->next_id = kms_rd_u64(rd);
	root->time = (int64_t)kms_rd_u64(rd);
	root->seals = kms_rd_u64(rd);
	root->seals_next = kms_rd_u64(rd);
	kms_rd_copy(rd, root->header_sha256, sizeof(root->header_sha256));
	kms_rd_copy(rd, root->previous, sizeof(root->previous));
	for (i = 1; i <= KMS_KINDS; i++)
		root->count[i] = kms_rd_u64(rd);
	kms_rd_copy(rd, root->sum, sizeof(root->sum));
	get_log_head(rd, &root->log);
	r = get_key(rd, &root->set_key);
	if (r == 0)
		r = get_key(rd, &root->log_key);
	if (r != 0)
		return r;
	root->nproofs = kms_rd_u8(rd);
	if (root->nproofs > KMS_SLOTS_MAX)
		return kms_fail(KMS_ERR_DAMAGED, "root: number of proofs");
	for (i = 0; i < root->nproofs; i++) {
		root->proof[i].slot = kms_rd_u16(rd);
		kms_wrapped_decode(&root->proof[i].wrapped, rd);
	}
	return 0;
}

int
kms_root_decode(struct kms_root *root, const void *p, size_t len)
{
	struct kms_rd rd;
	int r;

	memset(root, 0, sizeof(*root));
	kms_rd_init(&rd, p, len);
	r = decode_layout(&rd);
	if (r == 0)
		r = decode_content(root, &rd);
	if (r == 0)
		r = kms_rd_end(&rd, "root");
	if (r == 0 && !root_fits(root))
		r = kms_fail(KMS_ERR_DAMAGED, "root: a field is out of bounds");
	if (r != 0)
		kms_root_clear(root);
	return r;
}

int
kms_root_hash(const struct kms_root *root, uint8_t out[32])
{
	struct kms_secret *s = NULL;
	struct kms_wr wr;
	int r;

	r = kms_secret_new(KMS_ROOT_MAX, &s);
	if (r != 0)
		return r;
	kms_wr_fixed(&wr, kms_secret_fill(s), KMS_ROOT_MAX);
	r = kms_root_encode(root, &wr);
	if (r == 0)
		r = kms_sha256(wr.p, wr.len, out);
	kms_secret_free(&s);
	return r;
}

/* --- the multiset hash ------------------------------------------------- */

struct kms_sum {
	struct kms_ecb *ecb;
	uint64_t high, low;
	size_t n; /* waiting */
	uint8_t first[BATCH][BLOCK], gcm[BATCH][BLOCK];
	bool removes[BATCH];
};

int
kms_sum_new(const struct kms_secret *set_key, struct kms_sum **out)
{
	struct kms_sum *sum;
	int r;

	*out = NULL;
	sum = calloc(1, sizeof(*sum));
	if (sum == NULL)
		return kms_fail(KMS_ERR_MEMORY, "sum: out of memory");
	r = kms_ecb_new(set_key, &sum->ecb);
	if (r != 0) {
		kms_sum_free(&sum);
		return r;
	}
	*out = sum;
	return 0;
}

void
kms_sum_free(struct kms_sum **sp)
{
	if (sp == NULL || *sp == NULL)
		return;
	kms_ecb_free(&(*sp)->ecb);
	free(*sp);
	*sp = NULL;
}

static void
add(struct kms_sum *sum, const uint8_t mac[BLOCK])
{
	uint64_t low = kms_get64(mac + 8);

	sum->low += low;
	sum->high += kms_get64(mac) + (sum->low < low);
}

static void
subtract(struct kms_sum *sum, const uint8_t mac[BLOCK])
{
	uint64_t low = kms_get64(mac + 8);

	sum->high -= kms_get64(mac) + (sum->low < low);
	sum->low -= low;
}

/* CBC-MAC over all rows that wait, first block by first block. */
static int
flush(struct kms_sum *sum)
{
	size_t i, j;
	int r;

	if (sum->n == 0)
		return 0;
	r = kms_ecb_blocks(sum->ecb, sum->first[0], sum->first[0], sum->n);
	for (i = 0; r == 0 && i < sum->n; i++)
		for (j = 0; j < BLOCK; j++)
			sum->gcm[i][j] ^= sum->first[i][j];
	if (r == 0)
		r = kms_ecb_blocks(sum->ecb, sum->gcm[0], sum->gcm[0], sum->n);
	for (i = 0; r == 0 && i < sum->n; i++) {
		if (sum->removes[i])
			subtract(sum, sum->gcm[i]);
		else
			add(sum, sum->gcm[i]);
	}
	sum->n = 0;
	return r;
}

static int
put(struct kms_sum *sum, bool removes, uint16_t kind, uint64_t id,
    uint64_t generation, const uint8_t tag[16])
{
	uint8_t *b = sum->first[sum->n];

	/* kind(1) id(7): one word, so neither may run into the other */
	if (kind > UINT8_MAX || id >> 56 != 0)
		return kms_fail(KMS_ERR_LIMIT, "sum: kind %u, row %llu", kind,
		    (unsigned long long)id);
	kms_put64(b, (uint64_t)kind << 56 | id);
	kms_put64(b + 8, generation);
	memcpy(sum->gcm[sum->n], tag, BLOCK);
	sum->removes[sum->n] = removes;
	sum->n++;
	return sum->n == BATCH ? flush(sum) : 0;
}

int
kms_sum_add(struct kms_sum *sum, uint16_t kind, uint64_t id,
    uint64_t generation, const uint8_t tag[16])
{
	return put(sum, false, kind, id, generation, tag);
}

int
kms_sum_remove(struct kms_sum *sum, uint16_t kind, uint64_t id,
    uint64_t generation, const uint8_t tag[16])
{
	return put(sum, true, kind, id, generation, tag);
}

void
kms_sum_set(struct kms_sum *sum, const uint8_t value[16])
{
	sum->n = 0;
	sum->high = kms_get64(value);
	sum->low = kms_get64(value + 8);
}

int
kms_sum_get(struct kms_sum *sum, uint8_t value[16])
{
	int r;

	r = flush(sum);
	kms_put64(value, sum->high);
	kms_put64(value + 8, sum->low);
	return r;
}
