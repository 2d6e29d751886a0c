/* The store's life: create, adopt, accept an older one. */
#ifndef KMS_SETUP_H
#define KMS_SETUP_H

#include "kms/tx.h"

/* How one master key is to come to be. Exactly one of: phrase (borrowed),
 * wanted (adopt), neither (born in the token). */
struct kms_setup_master {
	const char *id; /* the administrator's HMK ID or KPK ID */
	const struct kms_secret *phrase;
	uint8_t components; /* 0, or how many parts the phrase has */
	const struct kms_wanted *wanted;
};

/*
 * Makes both keys and the store. Writes PATH.new with the planned CKA_IDs
 * before anything is made in the token; run again after a kill it finishes or
 * removes what was left. An existing store: EXISTS, nothing touched. Equal
 * phrases: PHRASE. Takes long (two KDFs).
 */
int kms_setup_create(const struct kms_store_options *, const struct kms_actor *,
    const struct kms_setup_master *hmk, const struct kms_setup_master *kpk)
    KMS_MUST;

/* Takes an older or foreign-lineage store as it lies, starts a new lineage,
 * writes the anchor, audits. Needs a reason. *lost: changes given up, or
 * LOST_UNKNOWN where no anchor of this history tells. A store that needs no
 * acceptance: STATE. */
#define KMS_SETUP_LOST_UNKNOWN UINT64_MAX
int kms_setup_accept(const struct kms_store_options *, const struct kms_actor *,
    const char *reason, uint64_t *lost) KMS_MUST;

/* How far a store's keys have come back. */
struct kms_setup_bound {
	bool was_there;    /* the key was in the token already, and right */
	bool complete;     /* both are proven; serial and anchor are recorded */
	char missing[256]; /* why it is not complete, and what to do next */
};

/*
 * Brings the current HMK or KPK back into the token from its phrase, under
 * its old CKA_ID and mechanism; or the next one, where that is whose phrase it
 * is: a rotation cut short needs both. Proven on the host first: AUTH,
 * and nothing was changed. The KPK's proof needs the HMK in the token: TOKEN
 * says so. STATE: the key has no phrase; only the HSM's own backup helps.
 * Once both are there the store is bound as by kms_setup_rebind. Slow.
 */
int kms_setup_reset(const struct kms_store_options *, const struct kms_actor *,
    enum kms_role, const struct kms_secret *phrase, struct kms_setup_bound *)
    KMS_MUST;

/*
 * Binds the store to this token, which holds both its keys, once proven:
 * label, serial, and an anchor where the token has none. An anchor that is
 * there must fit (ROLLBACK). STATE: bound to it already.
 */
int kms_setup_rebind(const struct kms_store_options *, const struct kms_actor *)
    KMS_MUST;

/*
 * Installs a copy of a store where none is, and of the release log beside it
 * unless one is there. With both keys in the token every key is verified
 * first and the store is accepted as it is, with a new lineage if it is older
 * than its anchor. Without: installed as it lies, complete false. EXISTS.
 * BUSY: another process restores it.
 */
int kms_setup_restore(const struct kms_store_options *,
    const struct kms_actor *, const char *from, const char *reason,
    struct kms_setup_bound *) KMS_MUST;

#endif
