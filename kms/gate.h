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

/* What the gates ask about a key; from its record or from the directory. */
struct kms_gate_key {
	enum kms_origin origin;
	uint32_t flags;
	uint16_t slot; /* KPK that wraps it */
	uint64_t id;   /* of its row: is it in a backup? 0: not added yet */
};
/* Inside the store (a transaction, or a release). */
void kms_gate_look(const struct kms_store *, const struct kms_gate_key *,
    struct kms_gate_view *);
/* May it be served for writing? The gate being off, everything may. */
bool kms_gate_servable(const struct kms_store *, const struct kms_gate_key *);
/* GATE, with the two ways out. */
int kms_gate_refuse(const char *name);

int kms_gate_view(struct kms_tx *, const struct kms_key *, uint64_t id,
    struct kms_gate_view *) KMS_MUST;
/* May this key be released for writing? GATE says which two ways lead out. */
int kms_gate_serve(struct kms_tx *, const struct kms_key *, uint64_t id)
    KMS_MUST;
/* May it be deleted? GATE: it was released while active; -force -reason. */
int kms_gate_delete(struct kms_tx *, const struct kms_key *) KMS_MUST;

#endif
