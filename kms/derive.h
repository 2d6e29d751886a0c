/*
 * Phrases: their rules, their parts, and the keys that come from them
 * (doc/FORMATS.md §7). Slow functions (the KDF: about a second at cost 21)
 * are called with no lock held.
 */
#ifndef KMS_DERIVE_H
#define KMS_DERIVE_H

#include "kms/header.h"
#include "kms/tag.h"

/* Strips one trailing LF or CRLF, then: printable ASCII, 1–1,024 bytes, no
 * leading or trailing blank. min 0: recovering, no least length. Else
 * KMS_ERR_PHRASE with the reason, never the phrase. */
int kms_phrase_check(struct kms_secret *, unsigned min) KMS_MUST;
/* 2 to 16 components joined, each preceded by its length in two bytes. */
int kms_phrase_join(struct kms_secret *const *, size_t n, struct kms_secret **)
    KMS_MUST;
/* A strong phrase: 128 random bits in seven groups of letters and digits that
 * cannot be misread, and a check group. When creating, phrase_check refuses
 * a phrase of this form whose check group is wrong: it was mistyped. */
int kms_phrase_new(struct kms_secret **) KMS_MUST;

/* 17 to 26, for what is created; KMS_ERR_CONFIG. Recovery takes 10 to 26. */
int kms_derive_cost_check(unsigned cost) KMS_MUST;

/* Master key from phrase, the slot's salt and cost. */
int kms_derive_master(const struct kms_secret *phrase, const struct kms_slot *,
    struct kms_secret **) KMS_MUST;

/* B1, new: salt is 24 random bytes; fills the tag. */
int kms_derive_data_new(const struct kms_secret *phrase, unsigned cost,
    const uint8_t salt[24], struct kms_tag *, struct kms_secret **) KMS_MUST;
/* B1, again: KMS_ERR_AUTH "phrase or tag is wrong" when the tag's check says
 * so; KMS_ERR_USAGE when the tag is of another kind, saying which. */
int kms_derive_data(const struct kms_secret *phrase, const struct kms_tag *,
    struct kms_secret **) KMS_MUST;

/* Could a phrase bring the key of this tag back? USAGE says that none exists,
 * and what does instead. */
int kms_derive_has_phrase(const struct kms_tag *) KMS_MUST;

/* The group's seed (32 bytes) from its phrase. */
int kms_derive_seed(const struct kms_secret *phrase, const uint8_t salt[16],
    unsigned cost, struct kms_secret **) KMS_MUST;
/* B3, new and again: from the seed; the tag's salt is group salt | nonce. */
int kms_derive_group_new(const struct kms_secret *seed,
    const uint8_t group_salt[16], const uint8_t nonce[8], unsigned cost,
    struct kms_tag *, struct kms_secret **) KMS_MUST;
int kms_derive_group(const struct kms_secret *seed, const struct kms_tag *,
    struct kms_secret **) KMS_MUST;

/* B1 or B3, from the tag and its own or its group's phrase alone. */
int kms_derive_again(const struct kms_secret *phrase, const struct kms_tag *,
    struct kms_secret **) KMS_MUST;

#endif
