/*
 * From file and token to a verified store in memory: header, file key, root,
 * then every row, all in one view of the file. Called with the store to
 * itself (being opened, or its lock taken to exclude).
 */
#ifndef KMS_LOAD_H
#define KMS_LOAD_H

#include "kms/store_impl.h"

/* Opens the file and remembers which one it was. */
int kms_load_connect(struct kms_store *) KMS_MUST;
/* True when the path leads to another file now, or to none. */
bool kms_load_moved(const struct kms_store *);

/*
 * Header, keys, root and all rows; the view (or write transaction) is open
 * already. What was in memory is given up first, so after an error there is
 * nothing: the caller answers no one.
 */
int kms_load_all(struct kms_store *) KMS_MUST;
/* The proof of that KPK out of the root, with the HMK alone in the token. */
int kms_load_proof(struct kms_store *, uint16_t kpk, struct kms_wrapped *)
    KMS_MUST;
/* The same as all with the header and file key at hand: root and rows only. */
int kms_load_rows(struct kms_store *) KMS_MUST;

/* Copy 1 or 2 of the header and its hash; DAMAGED when it does not match the
 * one stored with it. The writer grows. */
int kms_load_copy(struct kms_rows *, unsigned copy, struct kms_wr *body,
    uint8_t hash[32]) KMS_MUST;

/* Reads, opens and decodes the root row, nothing else. gcm: its seal's tag. */
int kms_load_root(struct kms_store *, struct kms_root *, uint8_t gcm[16])
    KMS_MUST;
/* May this root come after the one in memory? ROLLBACK: of an older
 * generation, of another lineage, or not grown out of ours. */
int kms_load_follows(struct kms_store *, const struct kms_root *) KMS_MUST;
/* Takes a root over as the store's own; *root is then empty. */
int kms_load_take_root(struct kms_store *, struct kms_root *,
    const uint8_t gcm[16]) KMS_MUST;
/* Counts and multiset of what is in memory against the root. */
int kms_load_compare(struct kms_store *, const struct kms_root *) KMS_MUST;

/* Needs the record of this kind decoded: the directory, or the holds. */
bool kms_load_wants(unsigned kind);
/* The fact of a restarted log: id(16) | records(8) | first younger row(8). */
#define KMS_LOG_RESTART_LEN 32u
#define KMS_LOG_RESTART_AT 24u
/* Notes what the store itself keeps of a record (the row of the holds). */
int kms_load_note(struct kms_store *, const struct kms_record *) KMS_MUST;
/* The same of an audit row, which is not decoded for it. */
void kms_load_note_audit(struct kms_store *, uint64_t id, const void *plain,
    size_t len);

#endif
