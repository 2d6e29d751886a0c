/*
 * One request message: its items in order, over as few transactions as its
 * error option allows (KMIP 1.4 sections 6.13 to 6.15).
 *
 * A key is fetched outside any transaction, after all that was changed before
 * it in the batch is committed: what was handed out must not be undone. So a
 * batch that asks for Undo and fetches after a change is refused.
 */
#ifndef KMS_KMIP_BATCH_H
#define KMS_KMIP_BATCH_H

#include "kms/kmip/op.h"

struct kmip_message {
	const uint8_t *p;
	size_t len;
	bool locked; /* lies in locked memory: may carry a key */
};

/* In locked memory when a key is in it. */
struct kmip_reply {
	struct kms_secret *secret;
	struct kms_wr plain;
};
const uint8_t *kmip_reply_bytes(const struct kmip_reply *, size_t *len);
void kmip_reply_clear(struct kmip_reply *);

/*
 * Always an answer, unless there is no memory for one: what goes wrong with
 * an item is that item's result, what is wrong with the message an answer
 * without operation.
 */
int kmip_batch_run(struct kmip_service *, const struct kmip_actor *,
    const struct kmip_message *, struct kmip_reply *) KMS_MUST;

#endif
