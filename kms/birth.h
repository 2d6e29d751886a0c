/*
 * A store's first generation: file key, root, header and audit row, written
 * in one commit over the plan in PATH.new. The master keys are in the token.
 */
#ifndef KMS_BIRTH_H
#define KMS_BIRTH_H

#include "kms/root.h"
#include "kms/seal.h"
#include "kms/rows.h"

struct kms_birth {
	struct kms_sealer *sealer; /* borrowed */
	/* Slot 0 is the current HMK, slot 1 the current KPK; borrowed. The
	 * wrapped file key is filled in, and anchor set to what the token
	 * can do. */
	struct kms_header *header;
	const struct kms_who *who; /* borrowed */
	struct kms_root root;
	struct kms_record audit; /* the first: filled in when it is put */
	struct kms_secret *file_key, *anchor_key;
	struct kms_seal *seal;
};

/* Draws and wraps the file key and the KPK's proof, draws all else that the
 * root holds. */
int kms_birth_keys(struct kms_birth *) KMS_MUST;
/* root.time and root.log are the caller's. Durable when it returns 0: file,
 * then anchor in the token. */
int kms_birth_write(struct kms_birth *, const char *path_new, unsigned wait_ms)
    KMS_MUST;
void kms_birth_clear(struct kms_birth *);

#endif
