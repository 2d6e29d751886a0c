#include "tests/unit/kms/known.h"

#include <string.h>

static void
fetch(struct stores *t, const struct kms_tag *tag, uint8_t out[32])
{
	struct kms_secret *key = NULL;

	ok(kms_release_fetch(t->store, tag, &key));
	memcpy(out, kms_secret_bytes(key), 32);
	kms_secret_free(&key);
}

void
known_learn(struct stores *t, struct known *known)
{
	add_group(t, "ENCR_a");
	add_key(t, "ENCR_a", "one", KMS_ACTIVE, &known->tag[0]);
	add_key(t, "ENCR_a", "two", KMS_ACTIVE, &known->tag[1]);
	fetch(t, &known->tag[0], known->key[0]);
	fetch(t, &known->tag[1], known->key[1]);
}

static int
see_key(void *arg, const struct kms_key_view *view)
{
	const struct known *known = arg;
	bool second = kms_tag_equal(&view->key.tag, &known->tag[1]);

	ck_assert(second || kms_tag_equal(&view->key.tag, &known->tag[0]));
	ck_assert_str_eq(view->key.name, second ? "two" : "one");
	ck_assert_int_eq(view->key.state, second ? KMS_ACTIVE : KMS_INACTIVE);
	return 0;
}

void
known_answers(struct stores *t, struct known *known)
{
	struct kms_tx *tx;
	uint8_t key[32];
	int i;

	for (i = 0; i < 2; i++) {
		fetch(t, &known->tag[i], key);
		ck_assert_mem_eq(key, known->key[i], 32);
	}
	stores_read(t, &tx);
	ok(kms_key_list(tx, NULL, see_key, known));
	kms_tx_abort(&tx);
}
