/* Recoverable = survives the loss of host and token; computed when asked,
 * never stored (DESIGN §7). And the two gates that ask it. */
#ifndef KMS_GATE_H
#define KMS_GATE_H

#include "kms/tx.h"

enum kms_recoverable {
	KMS_RECOVERABLE_NONE,
	KMS_RECOVERABLE_PASSPHRASE,
	KMS_RECOVERABLE_GROUP,
	KMS_RECOVERABLE_BACKUP,
};
const char *kms_recoverable_name(enum kms_recoverable); /* passphrase … none */

struct kms_gate_view {
	enum kms_recoverable recoverable;
	bool needs_token; /* only the HSM's own backup could bring it back */
	bool waived;
};

int kms_gate_view(struct kms_tx *, const struct kms_key *, uint64_t generation,
    struct kms_gate_view *) KMS_MUST;
/* May this key be released for writing? GATE says which two ways lead out. */
int kms_gate_serve(struct kms_tx *, const struct kms_key *,
    uint64_t generation) KMS_MUST;
/* May it be deleted? GATE: it was released while active; -force -reason. */
int kms_gate_delete(struct kms_tx *, const struct kms_key *) KMS_MUST;

#endif
