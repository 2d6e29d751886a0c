/* What the store itself keeps of the rows that it loads. */
#include "kms/load.h"

bool
kms_load_wants(unsigned kind)
{
	return kind == KMS_KIND_GROUP || kind == KMS_KIND_KEY ||
	    kind == KMS_KIND_FACT;
}

/* The store came back, with its own log, an older copy of it or none: nobody
 * can say what the log of then would tell. */
static bool
came_back(unsigned event)
{
	return event == KMS_EVENT_STORE_ACCEPT ||
	    event == KMS_EVENT_STORE_RESTORE ||
	    event == KMS_EVENT_STORE_REBIND || event == KMS_EVENT_MASTER_RESET;
}

static void
note_change(struct kms_store *s, uint64_t id, unsigned event, bool forced)
{
	kms_tally_note(&s->tally, event, forced);
	if (came_back(event) && id > s->log_restart_id)
		s->log_restart_id = id;
}

int
kms_load_note(struct kms_store *s, const struct kms_record *record)
{
	const struct kms_fact *fact = &record->u.fact;
	uint64_t younger;

	if (record->kind == KMS_KIND_AUDIT)
		note_change(s, record->id, record->u.audit.event,
		    record->u.audit.forced);
	if (record->kind != KMS_KIND_FACT)
		return 0;
	if (fact->type == KMS_FACT_HOLDS)
		s->holds_id = record->id;
	if (fact->type == KMS_FACT_LOG_RESTART &&
	    fact->len == KMS_LOG_RESTART_LEN) {
		younger = kms_get64(fact->bytes + KMS_LOG_RESTART_AT);
		if (younger > s->log_restart_id)
			s->log_restart_id = younger;
	}
	return kms_cover_note(&s->cover, fact);
}

void
kms_load_note_audit(struct kms_store *s, uint64_t id, const void *plain,
    size_t len)
{
	unsigned event;
	bool forced;

	if (kms_record_peek_audit(plain, len, &event, &forced))
		note_change(s, id, event, forced);
}
