#include "tests/unit/kms/rotated.h"

#include <stdio.h>

#include "kms/backup.h"
#include "kms/verify.h"

const struct kms_setup_master rotated_second = {.id = "second"};

void
rotated_begin(struct stores *t, struct keys *k, bool shared)
{
	char name[8];
	unsigned i;

	stores_new(t, shared);
	add_group(t, "ENCR_a");
	for (i = 0; i < ROTATED_KEYS; i++) {
		snprintf(name, sizeof(name), "k%u", i);
		add_key(t, "ENCR_a", name, KMS_ACTIVE, &k->tag[i]);
		release_bytes(t, &k->tag[i], KMS_USE_READ, k->key[i]);
	}
}

void
rotated_same_keys(struct stores *t, const struct keys *k)
{
	struct kms_verify_report report;
	uint8_t now[32];
	unsigned i;

	for (i = 0; i < ROTATED_KEYS; i++) {
		release_bytes(t, &k->tag[i], KMS_USE_READ, now);
		ck_assert_mem_eq(now, k->key[i], 32);
	}
	ok(kms_verify(t->store, &report, NULL, NULL));
	ck_assert_uint_eq(report.bad, 0);
}

void
rotated_current_is(struct stores *t, enum kms_role role, const char *id)
{
	struct kms_slot slot;

	ok(kms_store_slot(t->store, role, &slot));
	ck_assert_str_eq(slot.id, id);
}

int
rotated_rotate(struct stores *t, enum kms_role role)
{
	struct kms_rewrap job = {.role = role, .want = &rotated_second};

	return kms_rewrap(t->store, &t->actor, &job);
}

enum kms_role
rotated_role(int i)
{
	return i == 0 ? KMS_ROLE_HMK : KMS_ROLE_KPK;
}
