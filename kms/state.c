#include "kms/state.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define BIT(state) (1u << (state))

/* NetBackup's order; apart from the way out of prelive every step may be
 * gone back, and none may be skipped. */
static const struct {
	const char *name;
	uint8_t next; /* where it may go, one BIT each */
	bool encrypts, decrypts, deletable;
} table[KMS_STATES + 1] = {
    [KMS_PRELIVE] = {"prelive", BIT(KMS_ACTIVE), false, false, true},
    [KMS_ACTIVE] = {"active", BIT(KMS_INACTIVE), true, true, false},
    [KMS_INACTIVE] = {"inactive", BIT(KMS_ACTIVE) | BIT(KMS_DEPRECATED), false,
	true, false},
    [KMS_DEPRECATED] = {"deprecated", BIT(KMS_INACTIVE) | BIT(KMS_TERMINATED),
	false, false, false},
    [KMS_TERMINATED] = {"terminated", BIT(KMS_DEPRECATED), false, false, true},
};

static bool
is_state(unsigned s)
{
	return s >= KMS_PRELIVE && s <= KMS_TERMINATED;
}

const char *
kms_state_name(enum kms_state s)
{
	return is_state((unsigned)s) ? table[s].name : "?";
}

int
kms_state_parse(const char *text, enum kms_state *out)
{
	unsigned s;

	for (s = KMS_PRELIVE; s <= KMS_TERMINATED; s++) {
		if (strcmp(text, table[s].name) != 0)
			continue;
		*out = (enum kms_state)s;
		return 0;
	}
	return kms_fail(KMS_ERR_USAGE,
	    "state '%s' is unknown; use prelive, active, inactive, deprecated "
	    "or terminated",
	    text);
}

/* ", inactive, deprecated, terminated": the steps after from, up to to. */
static void
path(enum kms_state from, enum kms_state to, char *out, size_t cap)
{
	int step = to > from ? 1 : -1;
	size_t at = 0;
	int s;

	out[0] = '\0';
	for (s = (int)from; s != (int)to && at < cap;) {
		s += step;
		at += (size_t)snprintf(out + at, cap - at, ", %s",
		    table[s].name);
	}
}

int
kms_state_check(enum kms_state from, enum kms_state to)
{
	char steps[128];

	if (!is_state((unsigned)from) || !is_state((unsigned)to))
		return kms_fail(KMS_ERR_INTERNAL, "state %d to %d", (int)from,
		    (int)to);
	if (from == to || (table[from].next & BIT(to)) != 0)
		return 0;
	if (to == KMS_PRELIVE)
		return kms_fail(KMS_ERR_STATE,
		    "a key that is %s never becomes prelive again; create a "
		    "new one",
		    table[from].name);
	path(from, to, steps, sizeof(steps));
	return kms_fail(KMS_ERR_STATE,
	    "no step leads from %s to %s; go one by one: %s%s",
	    table[from].name, table[to].name, table[from].name, steps);
}

bool
kms_state_encrypts(enum kms_state s)
{
	return is_state((unsigned)s) && table[s].encrypts;
}

bool
kms_state_decrypts(enum kms_state s)
{
	return is_state((unsigned)s) && table[s].decrypts;
}

bool
kms_state_deletable(enum kms_state s)
{
	return is_state((unsigned)s) && table[s].deletable;
}
