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
 * writes the anchor, audits. Needs a reason. *lost: changes given up. A
 * store that needs no acceptance: STATE. */
int kms_setup_accept(const struct kms_store_options *, const struct kms_actor *,
    const char *reason, uint64_t *lost) KMS_MUST;

#endif
