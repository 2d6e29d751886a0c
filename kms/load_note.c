/* What the store itself keeps of the rows that it loads. */
#include "kms/load.h"

bool
kms_load_wants(unsigned kind)
{
	return kind == KMS_KIND_GROUP || kind == KMS_KIND_KEY ||
	    kind == KMS_KIND_FACT;
}

int
kms_load_note(struct kms_store *s, const struct kms_record *record)
{
	const struct kms_fact *fact = &record->u.fact;
	uint64_t younger;

	if (record->kind == KMS_KIND_AUDIT)
		kms_tally_note(&s->tally, record->u.audit.event,
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
kms_load_note_audit(struct kms_store *s, const void *plain, size_t len)
{
	unsigned event;
	bool forced;

	if (kms_record_peek_audit(plain, len, &event, &forced))
		kms_tally_note(&s->tally, event, forced);
}
