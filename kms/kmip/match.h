/*
 * Criteria of a search, and whether an object meets them all (KMIP 1.4
 * section 4.9): structures in part, two dates as a range, a usage mask as a
 * subset.
 */
#ifndef KMS_KMIP_MATCH_H
#define KMS_KMIP_MATCH_H

#include "kms/kmip/view.h"

#define KMIP_CRITERIA_MAX 64u

struct kmip_match {
	unsigned minor; /* the client's */
	bool fresh;     /* never handed out */
	struct kmip_attr want[KMIP_CRITERIA_MAX];
	size_t n;
};

/* One more criterion, an Attribute; borrowed. INVALID_FIELD. */
int kmip_match_add(struct kmip_match *, const struct kmip_item *) KMS_MUST;
/* Destroyed objects meet nothing. */
int kmip_match_meets(const struct kmip_match *, const struct kmip_view *,
    bool *yes) KMS_MUST;

#endif
