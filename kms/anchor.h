/*
 * The generation anchor: what the token remembers of the store, so that an
 * older copy put in its place is noticed (doc/FORMATS.md §5):
 *     version(1) | lineage(16) | generation(8) | SHA-256(root)(32) |
 *     time(8) | host length(1) | host | CMAC(16)
 * The CMAC is under HKDF(file key, "p11kms/1/anchor"). Pure: the sealer
 * keeps the bytes, store and tx decide when they move.
 */
#ifndef KMS_ANCHOR_H
#define KMS_ANCHOR_H

#include "kms/base/sealer.h"
#include "kms/root.h"

#define KMS_ANCHOR_HOST 63u

struct kms_anchor_view {
	uint8_t lineage[16];
	uint64_t generation;
	uint8_t root_sha256[32];
	int64_t time;
	char host[KMS_ANCHOR_HOST + 1]; /* which host wrote it */
};

/* The key of the MAC, from the file key. */
int kms_anchor_key(const struct kms_secret *file_key, struct kms_secret **)
    KMS_MUST;

/* What an anchor for this root says; host is this machine's name. */
int kms_anchor_of_root(const struct kms_root *, struct kms_anchor_view *)
    KMS_MUST;
int kms_anchor_encode(const struct kms_anchor_view *,
    const struct kms_secret *key, struct kms_anchor *) KMS_MUST;
/* DAMAGED when the MAC or the layout is not ours. */
int kms_anchor_decode(struct kms_anchor_view *, const struct kms_secret *key,
    const struct kms_anchor *) KMS_MUST;

/* The generation that an anchor claims, its MAC not looked at (no key at
 * hand); 0 when it is too short. For caution, never for trust. */
uint64_t kms_anchor_claims(const struct kms_anchor *);

/* How a root stands to the anchor. */
enum kms_anchor_verdict {
	KMS_ANCHOR_EQUAL,
	/* The root is the one change after the anchor: a crash between
	 * COMMIT and put. Writing the anchor heals it. */
	KMS_ANCHOR_HEALS,
	KMS_ANCHOR_IS_NEWER, /* the store is an older one */
	KMS_ANCHOR_FORKED,   /* same generation, another root */
	KMS_ANCHOR_IS_OLDER, /* more than one change behind: not by a crash */
	KMS_ANCHOR_OTHER_LINEAGE,
	KMS_ANCHOR_ABSENT,
	KMS_ANCHOR_INVALID, /* some, none of them valid under this file key */
};

/*
 * Compares with the highest valid one of the n that the token holds; that
 * one is left in *view (zeros when there is none). hash is the root's.
 */
int kms_anchor_compare(const struct kms_anchor *, size_t n,
    const struct kms_secret *key, const struct kms_root *,
    struct kms_anchor_view *, enum kms_anchor_verdict *) KMS_MUST;

/* ROLLBACK with the words for an administrator; 0 for EQUAL and HEALS. */
int kms_anchor_check(enum kms_anchor_verdict, const struct kms_anchor_view *,
    const struct kms_root *) KMS_MUST;

#endif
