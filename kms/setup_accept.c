#include "kms/quiesce.h"
#include "kms/setup_impl.h"
#include "kms/store_impl.h"

/* The newest generation that the token knows of, of whatever lineage: the new
 * one begins above it, so that an anchor which a kill leaves beside the new
 * one is never the higher of the two. */
int
kms_setup_new_lineage(struct kms_tx *tx, enum kms_event event,
    const char *reason)
{
	struct kms_store *s = kms_tx_store(tx);
	const struct kms_step step = {.event = event,
	    .alone = true,
	    .reason = reason};
	int r;

	r = kms_tx_new_lineage(tx, s->anchor.generation);
	if (r == 0)
		r = kms_tx_step(tx, &step);
	if (r == 0)
		r = kms_quiesce_clear(tx);
	return r;
}

static int
check_needed(const struct kms_store *s)
{
	if (s->verdict != KMS_ANCHOR_EQUAL && s->verdict != KMS_ANCHOR_HEALS)
		return 0;
	if (!s->header->anchor)
		return kms_fail(KMS_ERR_STATE,
		    "the token keeps no anchor for this store, so there is "
		    "nothing to accept");
	return kms_fail(KMS_ERR_STATE,
	    "store is the one its anchor in the token is for; there is "
	    "nothing to accept");
}

int
kms_setup_accept(const struct kms_store_options *options,
    const struct kms_actor *actor, const char *reason, uint64_t *lost)
{
	struct kms_store *s = NULL;
	struct kms_tx *tx = NULL;
	int r;

	*lost = 0;
	if (reason == NULL || reason[0] == '\0')
		return kms_fail(KMS_ERR_USAGE, "a reason is needed: -reason T");
	r = kms_store_open_any(options, &s);
	if (r == 0)
		r = check_needed(s);
	if (r != 0)
		goto out;
	*lost = s->verdict == KMS_ANCHOR_IS_NEWER ? kms_store_behind(s)
						  : KMS_SETUP_LOST_UNKNOWN;
	r = kms_tx_begin_quiesced(s, actor, &tx);
	if (r == 0)
		r = kms_setup_new_lineage(tx, KMS_EVENT_STORE_ACCEPT, reason);
	if (r == 0)
		r = kms_tx_commit(&tx);
out:
	kms_tx_abort(&tx);
	kms_store_close(&s);
	return r;
}
