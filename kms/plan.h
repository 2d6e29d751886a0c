/*
 * What a createemptydb under way means to make in the token, kept in PATH.new
 * so that a killed one can be cleared up: the header with its slots in place
 * "next" and their CKA_IDs, and what half-made objects were there before. The
 * list lies, not sealed (there is no key yet), in the row that the finished
 * store's first audit row replaces:
 *     row 2, kind FACT, generation 0: version(1) | count(2) | 32 bytes each
 */
#ifndef KMS_PLAN_H
#define KMS_PLAN_H

#include "kms/header.h"
#include "kms/rows.h"

#define KMS_PLAN_ROW 2u
#define KMS_PLAN_DEBRIS_MAX 1024u

struct kms_plan {
	struct kms_header header;
	/* False: the store in PATH.new is finished but for its name. */
	bool pending;
	uint8_t debris[KMS_PLAN_DEBRIS_MAX][32];
	size_t ndebris;
};

/* "PATH.new". */
int kms_plan_path(const char *path, char *out, size_t cap) KMS_MUST;

/*
 * NOTFOUND: none. EXISTS: what lies there is a store with changes in it, not
 * the leftover of a createemptydb. DAMAGED: it may name keys in the token.
 */
int kms_plan_read(const char *path_new, struct kms_plan *) KMS_MUST;
/* Durable when it returns 0. Replaces the plan that is there, or makes the
 * file: it bears the name PATH.new only when the plan is in it. */
int kms_plan_write(const char *path_new, const struct kms_plan *) KMS_MUST;

#endif
