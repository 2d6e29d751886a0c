/*
 * Sense data of any form: read without harm, classed, told as one line, and
 * kept whole by the descriptor format.
 */
#include <string.h>

#include "tape/sense.h"
#include "tests/fuzz/fuzz.h"

static void
same(const struct tape_sense *a, const struct tape_sense *b)
{
	fuzz_must(a->key == b->key && a->asc == b->asc && a->ascq == b->ascq &&
		a->deferred == b->deferred,
	    "the code changed");
	fuzz_must(a->has_field == b->has_field && a->field == b->field &&
		a->field_in_cdb == b->field_in_cdb && a->bit == b->bit,
	    "the field pointer changed");
	fuzz_must(a->has_info == b->has_info && a->info == b->info &&
		a->filemark == b->filemark && a->eom == b->eom &&
		a->ili == b->ili,
	    "the residue changed");
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	uint8_t out[TAPE_SENSE_ROOM];
	struct tape_sense s, back;

	bool known = tape_sense_decode(p, len, &s);
	const struct tape_sense_rule *r = tape_sense_find(&s);
	fuzz_must(r && r->name && r->todo, "a code without an answer");
	int err = tape_sense_check(TAPE_CHECK, p, len, "fuzz", &back);
	fuzz_must(err != 0 || s.key <= TAPE_KEY_RECOVERED,
	    "a failure counts as done");
	fuzz_must(!err || strlen(kms_err_cause(err)) > 0, "no cause");
	if (!known)
		return 0;
	size_t n = tape_sense_encode(&s, true, out);
	fuzz_must(n <= sizeof(out) && tape_sense_decode(out, n, &back),
	    "it does not encode");
	same(&s, &back);
	return 0;
}
