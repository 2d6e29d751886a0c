#include "kms/load.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kms/age.h"
#include "kms/intake.h"
#include "kms/unlock.h"

/* How long the connection itself waits for another process: short, so that
 * our own threads get their turn between two tries. */
#define SLICE_MS 50u
/* A store of so many rows is opened by two threads. */
#define MANY_ROWS 16384u

int
kms_load_connect(struct kms_store *s)
{
	const struct kms_rows_options options = {
	    .path = s->path,
	    .readonly = s->readonly,
	    .wait_ms = s->wait_ms < SLICE_MS ? s->wait_ms : SLICE_MS,
	};
	struct stat st;
	int r;

	kms_rows_close(&s->rows);
	r = kms_rows_open(&options, &s->rows);
	if (r != 0)
		return r;
	if (stat(s->path, &st) != 0)
		return kms_fail(KMS_ERR_IO,
		    "%s: not there any more; put it back, or see p11kms "
		    "-restoredb",
		    s->path);
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return 0;
}

bool
kms_load_moved(const struct kms_store *s)
{
	struct stat st;

	return stat(s->path, &st) != 0 || st.st_dev != s->dev ||
	    st.st_ino != s->ino;
}

int
kms_load_root(struct kms_store *s, struct kms_root *root, uint8_t gcm[16])
{
	uint8_t *plain = NULL;
	struct kms_row row;
	size_t len = 0;
	int r;

	r = kms_rows_get(s->rows, KMS_ROOT_ID, &row);
	if (r == KMS_ERR_NOTFOUND)
		return kms_fail(KMS_ERR_DAMAGED, "%s: row 1 (root) is missing",
		    s->path);
	if (r != 0)
		return r;
	if (row.kind != KMS_KIND_ROOT || kms_seal_tag(&row) == NULL)
		return kms_fail(KMS_ERR_DAMAGED, "%s: row 1 is not a root",
		    s->path);
	memcpy(gcm, kms_seal_tag(&row), 16);
	plain = malloc(row.len);
	if (plain == NULL)
		return kms_fail(KMS_ERR_MEMORY, "root: out of memory");
	r = kms_seal_open(s->seal, &row, plain, &len);
	if (r == 0)
		r = kms_root_decode(root, plain, len);
	if (r == 0 && root->generation != row.generation) {
		kms_root_clear(root);
		r = kms_fail(KMS_ERR_DAMAGED,
		    "root: generation is not the row's");
	}
	kms_wipe(plain, row.len);
	free(plain);
	return r;
}

static int
refuse_lineage(struct kms_store *s)
{
	int r;

	/* The anchor knows who began the new one, and when. */
	r = kms_age_check(s, &s->root);
	if (r == KMS_ERR_ROLLBACK && s->verdict == KMS_ANCHOR_OTHER_LINEAGE)
		return r;
	return kms_fail(KMS_ERR_ROLLBACK,
	    "%s: replaced by a store of another history; start again on it",
	    s->path);
}

int
kms_load_follows(struct kms_store *s, const struct kms_root *root)
{
	const struct kms_root *ours = &s->root;
	uint8_t hash[32];
	int r;

	if (ours->generation == 0)
		return 0; /* the first one */
	if (memcmp(root->lineage, ours->lineage, sizeof(root->lineage)) != 0)
		return refuse_lineage(s);
	if (root->generation < ours->generation)
		return kms_fail(KMS_ERR_ROLLBACK,
		    "%s: replaced by a store older by %llu changes while it "
		    "was open; put the newer one back, or give them up with "
		    "p11kms -acceptrestore -reason T",
		    s->path,
		    (unsigned long long)(ours->generation - root->generation));
	r = kms_root_hash(root, hash);
	if (r != 0)
		return r;
	if (root->generation == ours->generation &&
	    !kms_equal(hash, s->root_sha256, sizeof(hash)))
		return kms_fail(KMS_ERR_ROLLBACK,
		    "%s: replaced by another store of generation %llu while "
		    "it was open",
		    s->path, (unsigned long long)root->generation);
	if (root->generation - ours->generation == 1 &&
	    !kms_equal(root->previous, s->root_sha256, sizeof(hash)))
		return kms_fail(KMS_ERR_ROLLBACK,
		    "%s: generation %llu did not grow out of ours", s->path,
		    (unsigned long long)root->generation);
	return 0;
}

int
kms_load_take_root(struct kms_store *s, struct kms_root *root,
    const uint8_t gcm[16])
{
	int r;

	r = kms_root_hash(root, s->root_sha256);
	if (r != 0)
		return r;
	if (memcmp(root->log.id, s->root.log.id, sizeof(root->log.id)) != 0)
		kms_release_log_close(&s->log); /* another one from here on */
	kms_root_clear(&s->root);
	s->root = *root;
	memset(root, 0, sizeof(*root)); /* transferred */
	memcpy(s->root_gcm, gcm, sizeof(s->root_gcm));
	return 0;
}

struct loading {
	struct kms_store *s;
	const struct kms_root *root;
};

static int
load_record(struct loading *l, const struct kms_row *row, const uint8_t *plain,
    size_t len)
{
	struct kms_record record;
	int r;

	r = kms_record_decode(&record, row->kind, plain, len);
	if (r != 0)
		return kms_fail_add(r, "row %llu", (unsigned long long)row->id);
	record.id = row->id;
	record.generation = row->generation;
	r = kms_load_note(l->s, &record);
	if (r == 0)
		r = kms_directory_load(l->s->dir, row, &record);
	kms_record_clear(&record);
	return r;
}

static int
load_row(void *arg, const struct kms_row *row, const uint8_t *plain, size_t len)
{
	struct loading *l = arg;
	int r;

	if (row->id >= l->root->next_id ||
	    row->generation > l->root->generation)
		return kms_fail(KMS_ERR_DAMAGED,
		    "row %llu: not one that the root knows of",
		    (unsigned long long)row->id);
	if (row->kind == KMS_KIND_AUDIT)
		kms_load_note_audit(l->s, row->id, plain, len);
	if (kms_load_wants(row->kind))
		r = load_record(l, row, plain, len);
	else
		r = kms_directory_load(l->s->dir, row, NULL);
	if (r != 0)
		return r;
	return kms_sum_add(l->s->sum, row->kind, row->id, row->generation,
	    kms_seal_tag(row));
}

int
kms_load_compare(struct kms_store *s, const struct kms_root *root)
{
	uint8_t sum[16];
	unsigned kind;
	uint64_t n;
	int r;

	for (kind = KMS_KIND_GROUP; kind <= KMS_KINDS; kind++) {
		n = kms_directory_count(s->dir, kind);
		if (n != root->count[kind])
			return kms_fail(KMS_ERR_DAMAGED,
			    "%s: %llu rows of kind %u where the root counts "
			    "%llu; restore a backup",
			    s->path, (unsigned long long)n, kind,
			    (unsigned long long)root->count[kind]);
	}
	r = kms_sum_get(s->sum, sum);
	if (r != 0)
		return r;
	if (!kms_equal(sum, root->sum, sizeof(sum)))
		return kms_fail(KMS_ERR_DAMAGED,
		    "%s: the rows are not those of the root (one is older, "
		    "swapped or not ours); restore a backup",
		    s->path);
	return 0;
}

static void
forget_rows(struct kms_store *s)
{
	kms_directory_free(&s->dir);
	kms_sum_free(&s->sum);
	s->holds_id = s->log_restart_id = 0;
	s->cover = (struct kms_cover){0};
	s->tally = (struct kms_tally){0};
}

/* Does it pay to begin a thread for that many? */
static bool
many(const struct kms_root *root)
{
	uint64_t rows = 0;
	unsigned kind;

	for (kind = KMS_KIND_GROUP; kind <= KMS_KINDS; kind++)
		rows += root->count[kind];
	return rows >= MANY_ROWS;
}

static int
load_rows_of(struct kms_store *s, const struct kms_root *root)
{
	struct loading l = {.s = s, .root = root};
	int r;

	forget_rows(s);
	r = kms_load_follows(s, root);
	if (r == 0)
		r = kms_directory_new(root->count, &s->dir);
	if (r == 0)
		r = kms_sum_new(root->set_key, &s->sum);
	if (r == 0)
		r = kms_intake_rows(s->rows, s->seal, many(root), load_row, &l);
	if (r == 0)
		r = kms_directory_ready(s->dir);
	if (r == 0)
		r = kms_load_compare(s, root);
	if (r != 0)
		forget_rows(s);
	return r;
}

int
kms_load_rows(struct kms_store *s)
{
	struct kms_root root = {0};
	uint8_t gcm[16];
	int r;

	r = kms_load_root(s, &root, gcm);
	if (r == 0)
		r = load_rows_of(s, &root);
	if (r == 0)
		r = kms_load_take_root(s, &root, gcm);
	kms_root_clear(&root);
	return r;
}

int
kms_load_copy(struct kms_rows *rows, unsigned copy, struct kms_wr *body,
    uint8_t hash[32])
{
	uint8_t stored[32];
	int r;

	r = kms_rows_header(rows, copy, body, stored);
	if (r == 0)
		r = kms_header_hash(body->p, body->len, hash);
	if (r == 0 && !kms_equal(hash, stored, sizeof(stored)))
		r = kms_fail(KMS_ERR_DAMAGED,
		    "header copy %u does not match its hash", copy);
	return r;
}

/* The header as this copy has it, the file key it leads to, and a root that
 * names just this header. */
static int
try_copy(struct kms_store *s, const struct kms_wr *body, const uint8_t hash[32],
    struct kms_root *root, uint8_t gcm[16])
{
	int r;

	r = kms_header_decode(s->header, body->p, body->len);
	if (r == 0)
		r = kms_unlock_file_keys(s);
	if (r == 0)
		r = kms_load_root(s, root, gcm);
	if (r == 0 && !kms_equal(hash, root->header_sha256, 32)) {
		kms_root_clear(root);
		r = kms_fail(KMS_ERR_DAMAGED,
		    "header is not the one that the root names");
	}
	return r;
}

/* Either good copy serves; when both are good and yet differ, the one that
 * the root names. */
static int
load_header(struct kms_store *s, struct kms_root *root, uint8_t gcm[16])
{
	struct kms_wr body[2];
	uint8_t hash[2][32];
	bool good[2];
	unsigned i;
	int r = 0;

	for (i = 0; i < 2; i++) {
		kms_wr_grow(&body[i], KMS_HEADER_MAX);
		r = kms_load_copy(s->rows, i + 1, &body[i], hash[i]);
		good[i] = r == 0;
	}
	s->headers_differ = !good[0] || !good[1] ||
	    !kms_equal(hash[0], hash[1], sizeof(hash[0]));
	if (!good[0] && !good[1])
		goto out;
	r = try_copy(s, &body[!good[0]], hash[!good[0]], root, gcm);
	if (r != 0 && good[0] && good[1] && s->headers_differ)
		r = try_copy(s, &body[1], hash[1], root, gcm);
out:
	for (i = 0; i < 2; i++)
		kms_wr_free(&body[i]);
	return r == 0 ? 0 : kms_fail_add(r, "%s", s->path);
}

int
kms_load_proof(struct kms_store *s, uint16_t kpk, struct kms_wrapped *proof)
{
	struct kms_root root = {0};
	uint8_t gcm[16];
	size_t i;
	int r;

	r = kms_load_connect(s);
	if (r == 0)
		r = kms_rows_begin_read(s->rows);
	if (r != 0)
		return r;
	r = load_header(s, &root, gcm);
	kms_rows_end(s->rows);
	for (i = 0; r == 0 && i < root.nproofs; i++)
		if (root.proof[i].slot == kpk)
			break;
	if (r == 0 && i == root.nproofs)
		r = kms_fail(KMS_ERR_DAMAGED, "root: no proof of KPK %u", kpk);
	if (r == 0)
		*proof = root.proof[i].wrapped;
	kms_root_clear(&root);
	return r;
}

int
kms_load_all(struct kms_store *s)
{
	struct kms_root root = {0};
	uint8_t gcm[16];
	int r;

	forget_rows(s);
	r = load_header(s, &root, gcm);
	if (r == 0)
		r = kms_unlock_prove_kpk(s, &root);
	if (r == 0)
		r = kms_unlock_check_bound(s);
	if (r == 0)
		r = load_rows_of(s, &root);
	if (r == 0)
		r = kms_load_take_root(s, &root, gcm);
	kms_root_clear(&root);
	return r;
}
