/*
 * What the store remembers of copies of itself and of its token: FACT rows,
 * folded while they are loaded. The gates ask it; backup writes it. A fact
 * lies in the history that it is about, so that a store set back knows of no
 * backup younger than itself.
 */
#ifndef KMS_COVER_H
#define KMS_COVER_H

#include "kms/record.h"

/*
 * A copy that was opened again and verified key by key.
 *     version(1) | other device(1) | HMK slot(2) | KPK slot(2) |
 *     generation(8) | next id(8) | time(8) | path
 */
struct kms_backup {
	uint64_t generation, next_id; /* keys of a lower row id are in it */
	uint16_t hmk, kpk;            /* the slots it was made under */
	int64_t time;
	bool other_device; /* than the store's, when it was made */
	char path[KMS_TEXT_MAX + 1];
};

/*
 * The administrator's word that the HSM itself was backed up with these keys.
 *     version(1) | HMK slot(2) | KPK slot(2) | time(8) |
 *     for each: length(1) and CKA_ID
 */
struct kms_attestation {
	uint16_t hmk, kpk;
	int64_t time;
	uint8_t cka_id[2][KMS_CKAID_MAX];
	uint8_t cka_id_len[2];
};

/* What the gates need of them. generation 0: there is none. */
struct kms_cover_copy {
	uint64_t generation, next_id;
	uint16_t hmk, kpk;
	int64_t time;
};

/* The newest of each, for the open store; here: on the store's own device. */
struct kms_cover {
	struct kms_cover_copy here, elsewhere;
	uint16_t attested_hmk, attested_kpk; /* 0: none */
};

int kms_backup_encode(const struct kms_backup *, struct kms_wr *) KMS_MUST;
int kms_backup_decode(struct kms_backup *, const struct kms_fact *) KMS_MUST;
int kms_attestation_encode(const struct kms_attestation *, struct kms_wr *)
    KMS_MUST;
int kms_attestation_decode(struct kms_attestation *, const struct kms_fact *)
    KMS_MUST;

/* Takes note of a FACT row. DAMAGED where it does not decode. */
int kms_cover_note(struct kms_cover *, const struct kms_fact *) KMS_MUST;
/* Does a verified backup count that was made under these slots and holds the
 * key of this row id? same_device: also one on the store's own. */
bool kms_cover_holds(const struct kms_cover *, uint64_t key_id, uint16_t hmk,
    uint16_t kpk, bool same_device);

#endif
