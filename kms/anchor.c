#include "kms/anchor.h"

#include <string.h>
#include <unistd.h>

#define VERSION 1u
#define MAC_LEN 16u
#define GENERATION_AT (1u + 16u)

int
kms_anchor_key(const struct kms_secret *file_key, struct kms_secret **key)
{
	static const char info[] = "p11kms/1/anchor";
	const struct kms_bytes bytes = {info, sizeof(info) - 1};

	return kms_hkdf(file_key, bytes, KMS_KEY_LEN, key);
}

/* gethostname(2) need not terminate what it cuts. */
static void
this_host(char host[KMS_ANCHOR_HOST + 1])
{
	size_t i;

	memset(host, 0, KMS_ANCHOR_HOST + 1);
	if (gethostname(host, KMS_ANCHOR_HOST) != 0)
		return;
	for (i = 0; host[i] != '\0'; i++) {
		if (host[i] <= ' ' || host[i] > '~')
			host[i] = '?';
	}
}

int
kms_anchor_of_root(const struct kms_root *root, struct kms_anchor_view *view)
{
	memset(view, 0, sizeof(*view));
	memcpy(view->lineage, root->lineage, sizeof(view->lineage));
	view->generation = root->generation;
	view->time = root->time;
	this_host(view->host);
	return kms_root_hash(root, view->root_sha256);
}

int
kms_anchor_encode(const struct kms_anchor_view *view,
    const struct kms_secret *key, struct kms_anchor *anchor)
{
	size_t host = strnlen(view->host, KMS_ANCHOR_HOST);
	uint8_t mac[MAC_LEN];
	struct kms_wr wr;
	int r;

	memset(anchor, 0, sizeof(*anchor));
	kms_wr_fixed(&wr, anchor->bytes, sizeof(anchor->bytes));
	kms_wr_u8(&wr, VERSION);
	kms_wr_bytes(&wr, view->lineage, sizeof(view->lineage));
	kms_wr_u64(&wr, view->generation);
	kms_wr_bytes(&wr, view->root_sha256, sizeof(view->root_sha256));
	kms_wr_u64(&wr, (uint64_t)view->time);
	kms_wr_u8(&wr, (uint8_t)host);
	kms_wr_bytes(&wr, view->host, host);
	r = kms_wr_check(&wr, "anchor");
	if (r == 0)
		r = kms_cmac(key, anchor->bytes, wr.len, mac);
	if (r != 0)
		return r;
	kms_wr_bytes(&wr, mac, sizeof(mac));
	anchor->len = wr.len;
	return kms_wr_check(&wr, "anchor");
}

static int
decode_host(struct kms_rd *rd, struct kms_anchor_view *view)
{
	size_t n = kms_rd_u8(rd);

	if (n > KMS_ANCHOR_HOST)
		return kms_fail(KMS_ERR_DAMAGED, "anchor: host of %zu bytes",
		    n);
	kms_rd_copy(rd, view->host, n);
	return kms_rd_end(rd, "anchor");
}

int
kms_anchor_decode(struct kms_anchor_view *view, const struct kms_secret *key,
    const struct kms_anchor *anchor)
{
	uint8_t mac[MAC_LEN];
	struct kms_rd rd;
	int r;

	memset(view, 0, sizeof(*view));
	if (anchor->len < MAC_LEN || anchor->len > sizeof(anchor->bytes))
		return kms_fail(KMS_ERR_DAMAGED, "anchor: %zu bytes",
		    anchor->len);
	r = kms_cmac(key, anchor->bytes, anchor->len - MAC_LEN, mac);
	if (r != 0)
		return r;
	if (!kms_equal(mac, anchor->bytes + anchor->len - MAC_LEN, MAC_LEN))
		return kms_fail(KMS_ERR_DAMAGED,
		    "anchor: not written under this store's file key");
	kms_rd_init(&rd, anchor->bytes, anchor->len - MAC_LEN);
	if (kms_rd_u8(&rd) != VERSION)
		return kms_fail(KMS_ERR_VERSION,
		    "anchor: format is newer than this program");
	kms_rd_copy(&rd, view->lineage, sizeof(view->lineage));
	view->generation = kms_rd_u64(&rd);
	kms_rd_copy(&rd, view->root_sha256, sizeof(view->root_sha256));
	view->time = (int64_t)kms_rd_u64(&rd);
	return decode_host(&rd, view);
}

uint64_t
kms_anchor_claims(const struct kms_anchor *anchor)
{
	return anchor->len < GENERATION_AT + 8
	    ? 0
	    : kms_get64(anchor->bytes + GENERATION_AT);
}

/* False when none is valid. One that cannot be read is passed over: a kill
 * between the new and the destruction of the old leaves both. */
static bool
highest(const struct kms_anchor *anchor, size_t n, const struct kms_secret *key,
    struct kms_anchor_view *best)
{
	struct kms_anchor_view view;
	bool found = false;
	size_t i;

	memset(best, 0, sizeof(*best));
	for (i = 0; i < n; i++) {
		if (kms_anchor_decode(&view, key, &anchor[i]) != 0)
			continue;
		if (found && view.generation <= best->generation)
			continue;
		*best = view;
		found = true;
	}
	kms_err_clear();
	return found;
}

static enum kms_anchor_verdict
judge(const struct kms_anchor_view *view, const struct kms_root *root,
    const uint8_t hash[32])
{
	if (memcmp(view->lineage, root->lineage, sizeof(view->lineage)) != 0)
		return KMS_ANCHOR_OTHER_LINEAGE;
	if (view->generation > root->generation)
		return KMS_ANCHOR_IS_NEWER;
	if (view->generation == root->generation)
		return kms_equal(view->root_sha256, hash, 32)
		    ? KMS_ANCHOR_EQUAL
		    : KMS_ANCHOR_FORKED;
	if (root->generation - view->generation == 1 &&
	    kms_equal(view->root_sha256, root->previous, 32))
		return KMS_ANCHOR_HEALS;
	return KMS_ANCHOR_IS_OLDER;
}

int
kms_anchor_compare(const struct kms_anchor *anchor, size_t n,
    const struct kms_secret *key, const struct kms_root *root,
    struct kms_anchor_view *view, enum kms_anchor_verdict *verdict)
{
	uint8_t hash[32];
	int r;

	r = kms_root_hash(root, hash);
	if (r != 0)
		return r;
	if (highest(anchor, n, key, view))
		*verdict = judge(view, root, hash);
	else
		*verdict = n == 0 ? KMS_ANCHOR_ABSENT : KMS_ANCHOR_INVALID;
	return 0;
}

static int
refuse_older(const struct kms_anchor_view *view, const struct kms_root *root)
{
	unsigned long long lost = view->generation - root->generation;
	char time[KMS_TIME_TEXT];

	kms_time_text(view->time, time);
	return kms_fail(KMS_ERR_ROLLBACK,
	    "store is older by %llu change%s than its anchor in the token "
	    "(last change on %s at %s); put the newer store back, or give "
	    "them up with p11kms -acceptrestore -reason T",
	    lost, lost == 1 ? "" : "s", view->host, time);
}

static int
refuse_lineage(const struct kms_anchor_view *view)
{
	char time[KMS_TIME_TEXT];

	kms_time_text(view->time, time);
	return kms_fail(KMS_ERR_ROLLBACK,
	    "this store's history was superseded: the token's anchor belongs "
	    "to one that a restore began, last changed on %s at %s; use that "
	    "store, or take this one with p11kms -acceptrestore -reason T",
	    view->host, time);
}

int
kms_anchor_check(enum kms_anchor_verdict verdict,
    const struct kms_anchor_view *view, const struct kms_root *root)
{
	switch (verdict) {
	case KMS_ANCHOR_EQUAL:
	case KMS_ANCHOR_HEALS:
		return 0;
	case KMS_ANCHOR_IS_NEWER:
		return refuse_older(view, root);
	case KMS_ANCHOR_OTHER_LINEAGE:
		return refuse_lineage(view);
	case KMS_ANCHOR_FORKED:
		return kms_fail(KMS_ERR_ROLLBACK,
		    "store is another one of the same generation %llu than "
		    "its anchor in the token was written for; put the right "
		    "store back, or take this one with p11kms -acceptrestore "
		    "-reason T",
		    (unsigned long long)root->generation);
	case KMS_ANCHOR_IS_OLDER:
		return kms_fail(KMS_ERR_ROLLBACK,
		    "the token's anchor is older than the store (generation "
		    "%llu, store %llu): the token was set back; accept with "
		    "p11kms -acceptrestore -reason T",
		    (unsigned long long)view->generation,
		    (unsigned long long)root->generation);
	case KMS_ANCHOR_ABSENT:
		return kms_fail(KMS_ERR_ROLLBACK,
		    "the token holds no anchor of this store, so its age "
		    "cannot be proven; accept it with p11kms -acceptrestore "
		    "-reason T");
	case KMS_ANCHOR_INVALID:
		break;
	}
	return kms_fail(KMS_ERR_ROLLBACK,
	    "the token's anchor is not valid under this store's file key, so "
	    "the store's age cannot be proven; accept it with p11kms "
	    "-acceptrestore -reason T");
}
