/*
 * The store: file, header, file keys, root, directory, release log and
 * anchor, opened, verified whole, and kept caught up with other processes.
 * Any thread: readers share, a change excludes.
 */
#ifndef KMS_STORE_H
#define KMS_STORE_H

#include "kms/base/sealer.h"
#include "kms/header.h"
#include "kms/policy.h"

struct kms_store;

struct kms_store_options {
	const char *path;
	struct kms_sealer *sealer; /* borrowed; outlives the store */
	struct kms_policy policy;
	unsigned wait_ms;
	/* Reads a copy where it lies: no lock, no log, and the anchor is
	 * compared and reported, never required nor moved. */
	bool readonly;
};

enum kms_anchor_state {
	KMS_ANCHOR_KEPT = 1,    /* equal, or one change was healed */
	KMS_ANCHOR_NONE = 2,    /* this token takes no data object */
	KMS_ANCHOR_OLDER = 3,   /* readonly only: behind the anchor */
	KMS_ANCHOR_FOREIGN = 4, /* readonly only: other lineage, or none */
};

/*
 * Both master keys are proven, every row is opened and the multiset, header
 * hash and anchor are compared before it returns. TOKEN: key or token away.
 * MASTER: a key of that CKA_ID is wrong, by name. DAMAGED names the part.
 * ROLLBACK: how many changes would be lost, or who superseded this lineage
 * and when. VERSION: newer format.
 */
int kms_store_open(const struct kms_store_options *, struct kms_store **)
    KMS_MUST;
void kms_store_close(struct kms_store **);

/* Header only, no token: for -info and -resethmk. Either copy will do; both
 * bad is DAMAGED. */
int kms_store_read_header(const char *path, struct kms_header *) KMS_MUST;

const struct kms_policy *kms_store_policy(const struct kms_store *);
struct kms_sealer *kms_store_sealer(const struct kms_store *);
/* A copy: the header may change under a rotation by another process. */
void kms_store_header(struct kms_store *, struct kms_header *);
/* A copy of the current HMK's or KPK's slot: -gethmkid, -getkpkid. */
int kms_store_slot(struct kms_store *, enum kms_role, struct kms_slot *)
    KMS_MUST;
/* What a sealer said of a key that it wraps or unwraps by: a master key that
 * is not found is a token that is not the right one (TOKEN), never a data key
 * that does not exist. */
int kms_store_token_error(int r) KMS_MUST;
/* Does the KPK in the token still open what it wrapped? By the way that a
 * release goes: a token that was away is logged into again. Any thread,
 * outside a transaction. TOKEN, PIN, MASTER; what catching up finds. */
int kms_store_probe(struct kms_store *) KMS_MUST;
enum kms_anchor_state kms_store_anchor(const struct kms_store *);
/* Generations behind the anchor in a read-only copy (KMS_ANCHOR_OLDER). */
uint64_t kms_store_behind(const struct kms_store *);
uint64_t kms_store_generation(struct kms_store *);

/* "kms.db" → "kms.log": where the release log of that store lies. */
int kms_store_log_path(const char *path, char *out, size_t cap) KMS_MUST;

#endif
