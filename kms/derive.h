/*
 * Phrases: their rules, their parts, and the keys that come from them
 * (doc/FORMATS.md §6). Slow functions (the KDF: about a second at cost 21)
 * are called with no lock held.
 */
#ifndef KMS_DERIVE_H
#define KMS_DERIVE_H

#include "kms/base/sealer.h"
#include "kms/tag.h"

/* Strips one trailing LF or CRLF, then: printable ASCII, 1–1,024 bytes, no
 * leading or trailing blank. min 0: recovering, no least length. Else
 * KMS_ERR_PHRASE with the reason, never the phrase. */
int kms_phrase_check(struct kms_secret *, unsigned min) KMS_MUST;
/* n components joined, each preceded by its length in two bytes. */
int kms_phrase_join(struct kms_secret *const *, size_t n,
    struct kms_secret **) KMS_MUST;
/* A strong phrase: at least 125 random bits in groups of letters and digits
 * that cannot be misread, and a check group. */
int kms_phrase_new(struct kms_secret **) KMS_MUST;

/* Master key from phrase, the slot's salt and cost. */
int kms_derive_master(const struct kms_secret *phrase,
    const struct kms_slot *, struct kms_secret **) KMS_MUST;

/* B1, new: draws a salt (the caller passes 24 random bytes), fills the tag. */
int kms_derive_data_new(const struct kms_secret *phrase, unsigned cost,
    const uint8_t salt[24], struct kms_tag *, struct kms_secret **) KMS_MUST;
/* B1, again: KMS_ERR_AUTH "phrase or tag is wrong" when the tag's check says
 * so; KMS_ERR_USAGE when the tag is of another kind, saying which. */
int kms_derive_data(const struct kms_secret *phrase, const struct kms_tag *,
    struct kms_secret **) KMS_MUST;

/* The group's seed (32 bytes) from its phrase. */
int kms_derive_seed(const struct kms_secret *phrase, const uint8_t salt[16],
    unsigned cost, struct kms_secret **) KMS_MUST;
/* B3, new and again: from the seed; the tag's salt is group salt | nonce. */
int kms_derive_group_new(const struct kms_secret *seed,
    const uint8_t group_salt[16], const uint8_t nonce[8], unsigned cost,
    struct kms_tag *, struct kms_secret **) KMS_MUST;
int kms_derive_group(const struct kms_secret *seed, const struct kms_tag *,
    struct kms_secret **) KMS_MUST;

#endif
