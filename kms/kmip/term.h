/*
 * Criteria of a search as terms of the index: which one narrows it most, and
 * which the index answers whole.
 */
#ifndef KMS_KMIP_TERM_H
#define KMS_KMIP_TERM_H

#include "kms/kmip/index.h"

/* x-keygroup, in either spelling: the name of the record's own group. */
bool kmip_term_is_keygroup(const struct kmip_attr *);
/* What to look for; false: no index knows such a criterion. */
bool kmip_term_of(const struct kmip_attr *, struct kmip_sought *);
/* How far it narrows the search: the lower the better; 0: it does not. */
unsigned kmip_term_rank(const struct kmip_attr *);
/* Is the whole criterion in what the index holds, so that a hit meets it? */
bool kmip_term_proves(const struct kmip_attr *, struct kmip_sought *);

#endif
