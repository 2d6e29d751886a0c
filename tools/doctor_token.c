/* The token, its PIN, and what of it the store's header knows. */
#include <stdlib.h>

#include "kms/plan.h"
#include "tools/doctor.h"

/* A PKCS#11 token tells no number, only these. */
static void
check_pin(struct doctor *d, const struct hsm_info *info)
{
	if (info->pin_locked)
		doctor_say(d, DOCTOR_PROBLEM, "pin",
		    "have the token's security officer reset it",
		    "the user PIN is locked");
	else if (info->pin_final_try)
		doctor_say(d, DOCTOR_PROBLEM, "pin",
		    "log in once with the right PIN by the vendor's own tool",
		    "one more wrong PIN locks the token");
	else if (info->pin_count_low)
		doctor_say(d, DOCTOR_WARNING, "pin",
		    "find out who tries; the next right login resets it",
		    "a wrong PIN was tried since the last login");
	else if (info->pin_to_be_changed || !info->pin_set)
		doctor_say(d, DOCTOR_WARNING, "pin",
		    "set it by the vendor's own tool",
		    "the user PIN is not the final one");
	else
		doctor_say(d, DOCTOR_OK, "pin", NULL,
		    "no wrong PIN was tried since the last login");
}

static void
check_debris(struct doctor *d)
{
	struct kms_sealer *sealer = d->at->sealer;
	uint8_t(*list)[32] = calloc(KMS_PLAN_DEBRIS_MAX, sizeof(*list));
	size_t n = 0;
	int r;

	if (list == NULL) {
		r = kms_fail(KMS_ERR_MEMORY, "half-made objects: no memory");
	} else {
		r = sealer->debris_list(sealer, list, KMS_PLAN_DEBRIS_MAX, &n);
	}
	if (r != 0)
		doctor_say_error(d, DOCTOR_WARNING, "debris", r);
	else if (n > 0)
		doctor_say(d, DOCTOR_WARNING, "debris",
		    "see whose they are with pkcs11-tool -O, and delete them",
		    "%zu half-made objects without label or ID lie in the "
		    "token",
		    n);
	else
		doctor_say(d, DOCTOR_OK, "debris", NULL,
		    "no half-made objects in the token");
	free(list);
}

int
doctor_token(struct doctor *d)
{
	struct hsm_options options;
	struct hsm_info info;
	int r;

	open_token_options(d->at, &options);
	r = hsm_token_peek(&options, &info);
	if (r != 0) {
		doctor_say_error(d, DOCTOR_PROBLEM, "token", r);
		return r;
	}
	doctor_say(d, DOCTOR_OK, "token", NULL, "%s (%s, serial %s) is there",
	    info.label, info.model, info.serial);
	check_pin(d, &info);
	r = open_sealer(d->at);
	if (r != 0) {
		doctor_say_error(d, DOCTOR_PROBLEM, "login", r);
		return r;
	}
	check_debris(d);
	return 0;
}

/* --- header ----------------------------------------------------------- */

static void
check_slots(struct doctor *d, const struct kms_header *h)
{
	size_t i, next = 0, old = 0;

	for (i = 0; i < h->n; i++) {
		next += h->slot[i].slot.place == KMS_SLOT_NEXT;
		old += h->slot[i].slot.place == KMS_SLOT_SUPERSEDED;
	}
	if (next > 0)
		doctor_say(d, DOCTOR_PROBLEM, "masters",
		    "run -modifyhmk or -modifykpk again; it goes on",
		    "a rotation of a master key was not finished");
	else if (old > 0)
		doctor_say(d, DOCTOR_WARNING, "masters",
		    "make a backup, then p11kms -retiremaster -reason T",
		    "%zu superseded master keys are still in the token", old);
	else
		doctor_say(d, DOCTOR_OK, "masters", NULL,
		    "no superseded master key is left");
}

void
doctor_header(struct doctor *d)
{
	struct kms_header *header = NULL;
	int r = open_header(d->at->config->store.path, &header);

	if (r != 0) {
		doctor_say_error(d, DOCTOR_PROBLEM, "header", r);
		return;
	}
	check_slots(d, header);
	if (header->anchor)
		doctor_say(d, DOCTOR_OK, "rollback", NULL,
		    "the token remembers the store: an older copy is refused");
	else
		doctor_say(d, DOCTOR_WARNING, "rollback",
		    "use a token that takes private data objects",
		    "rollback is not detected: this token keeps no anchor");
	free(header);
}
