/* A key at work for a client: it stays, and is watched over as if it left. */
#include <string.h>
#include <sys/stat.h>

#include "kms/logbook.h"
#include "kms/store_impl.h"
#include "tests/unit/kms/stores.h"

static const char text[] = "a secret of the client's";

static struct kms_crypt
job(bool decrypt)
{
	struct kms_crypt c = {.cipher = KMS_CIPHER_CBC,
	    .padded = true,
	    .decrypt = decrypt,
	    .in = {text, sizeof(text)},
	    .iv_len = 16};

	return c;
}

static int
encrypt(struct stores *t, const struct kms_tag *tag, struct kms_crypt *c)
{
	int r;

	*c = job(false);
	r = kms_release_crypt(t->store, &t->actor, tag, c);
	ck_assert((c->out != NULL) == (r == 0));
	return r;
}

/* What c made; its end is looked at when it went well. */
static int
decrypt(struct stores *t, const struct kms_tag *tag, const struct kms_crypt *c)
{
	struct kms_crypt d = job(true);
	int r;

	d.in.p = kms_secret_bytes(c->out);
	d.in.len = kms_secret_len(c->out);
	r = kms_release_crypt(t->store, &t->actor, tag, &d);
	ck_assert((d.out != NULL) == (r == 0));
	if (r == 0) {
		ck_assert_uint_eq(kms_secret_len(d.out), sizeof(text));
		ck_assert_mem_eq(kms_secret_bytes(d.out), text, sizeof(text));
	}
	kms_secret_free(&d.out);
	return r;
}

static void
with_key(struct stores *t, struct kms_tag *tag)
{
	stores_new(t, false);
	add_group(t, "ENCR_a");
	add_key(t, "ENCR_a", "k", KMS_ACTIVE, tag);
}

static int
set_state(struct stores *t, enum kms_state state)
{
	struct kms_tx *tx;
	int r;

	stores_write(t, &tx);
	r = kms_key_set_state(tx, "ENCR_a", "k", state);
	if (r == 0)
		return kms_tx_commit(&tx);
	kms_tx_abort(&tx);
	return r;
}

START_TEST(an_active_key_does_both_an_inactive_one_decrypts)
{
	static const char *const allowed[] = {"ed", ".d", "..", ".."};
	struct kms_tag tag;
	struct stores t;
	struct kms_crypt c, again;
	size_t s;

	with_key(&t, &tag);
	ok(encrypt(&t, &tag, &c));
	for (s = 0; s < 4; s++) {
		ok(set_state(&t, (enum kms_state)(KMS_ACTIVE + s)));
		if (allowed[s][0] == 'e')
			ok(encrypt(&t, &tag, &again));
		else
			fails(encrypt(&t, &tag, &again), KMS_ERR_STATE,
			    "does not encrypt");
		kms_secret_free(&again.out);
		if (allowed[s][1] == 'd')
			ok(decrypt(&t, &tag, &c));
		else
			fails(decrypt(&t, &tag, &c), KMS_ERR_STATE,
			    "does not decrypt");
	}
	kms_secret_free(&c.out);
	stores_end(&t);
}
END_TEST

START_TEST(a_prelive_key_does_neither)
{
	struct kms_tag tag;
	struct stores t;
	struct kms_crypt c;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	add_key(&t, "ENCR_a", "k", KMS_PRELIVE, &tag);
	fails(encrypt(&t, &tag, &c), KMS_ERR_STATE, "prelive");
	stores_end(&t);
}
END_TEST

static bool
may_not(const struct kms_actor *actor, enum kms_event e, const char *g)
{
	(void)actor;
	(void)e;
	return strcmp(g, "ENCR_a") != 0;
}

START_TEST(an_actor_of_other_groups_may_not)
{
	struct kms_tag tag;
	struct stores t;
	struct kms_crypt c;

	with_key(&t, &tag);
	t.actor.may = may_not;
	fails(encrypt(&t, &tag, &c), KMS_ERR_DENIED, "ENCR_a");
	stores_end(&t);
}
END_TEST

/* What was encrypted is readable for as long as the key is: only encryption
 * asks whether it would survive. */
START_TEST(a_key_that_would_be_lost_does_not_encrypt)
{
	struct kms_material m;
	const struct kms_key_new new = {.group = "ENCR_a",
	    .name = "k",
	    .state = KMS_ACTIVE,
	    .event = KMS_EVENT_KEY_CREATE,
	    .material = &m};
	struct kms_key_view view;
	struct kms_crypt c;
	struct kms_tx *tx;
	struct stores t;
	bool held;

	stores_new(&t, false);
	add_group(&t, "ENCR_a");
	ok(kms_material_random(t.store, &m));
	stores_write(&t, &tx);
	ok(kms_key_add(tx, &new, &view, &held));
	ok(kms_tx_commit(&tx));
	fails(encrypt(&t, &m.tag, &c), KMS_ERR_GATE, "-backup");
	t.store->policy.serve_gate = false;
	ok(encrypt(&t, &m.tag, &c));
	t.store->policy.serve_gate = true;
	ok(decrypt(&t, &m.tag, &c));
	kms_secret_free(&c.out);
	stores_end(&t);
}
END_TEST

START_TEST(each_use_is_recorded_and_no_refusal_is)
{
	struct kms_crypt c;
	struct kms_tag tag;
	struct stores t;
	struct released seen;

	with_key(&t, &tag);
	ok(encrypt(&t, &tag, &c));
	released(&t, &seen);
	ck_assert_uint_eq(seen.n, 1);
	ck_assert(kms_tag_equal(&seen.last.tag, &tag));
	ck_assert_str_eq(kms_use_name(seen.last.use), "encrypt");
	ok(decrypt(&t, &tag, &c));
	released(&t, &seen);
	ck_assert_uint_eq(seen.n, 2);
	ck_assert_str_eq(kms_use_name(seen.last.use), "decrypt");
	ok(kms_secret_truncate(c.out, 16));
	fails(decrypt(&t, &tag, &c), KMS_ERR_USAGE, "padding");
	kms_secret_free(&c.out);
	soft_sealer_control(t.sealer)->away = true;
	fails(encrypt(&t, &tag, &c), KMS_ERR_TOKEN, NULL);
	soft_sealer_control(t.sealer)->away = false;
	released(&t, &seen);
	ck_assert_uint_eq(seen.n, 2);
	stores_end(&t);
}
END_TEST

START_TEST(what_cannot_be_recorded_is_not_told)
{
	struct kms_crypt c;
	struct kms_tag tag;
	struct stores t;

	with_key(&t, &tag);
	stores_close(&t);
	ck_assert_int_eq(chmod(t.log_path, 0644), 0);
	stores_open(&t);
	fails(encrypt(&t, &tag, &c), KMS_ERR_CONFIG, "0600");
	ck_assert_int_eq(chmod(t.log_path, 0600), 0);
	ok(encrypt(&t, &tag, &c));
	kms_secret_free(&c.out);
	stores_end(&t);
}
END_TEST

START_TEST(a_key_that_encrypted_is_not_deleted)
{
	struct kms_crypt c;
	struct kms_tag tag;
	struct kms_tx *tx;
	struct stores t;

	with_key(&t, &tag);
	ok(encrypt(&t, &tag, &c));
	kms_secret_free(&c.out);
	ok(set_state(&t, KMS_INACTIVE));
	ok(set_state(&t, KMS_DEPRECATED));
	ok(set_state(&t, KMS_TERMINATED));
	stores_write(&t, &tx);
	fails(kms_key_delete(tx, "ENCR_a", "k", false, NULL), KMS_ERR_GATE,
	    "-force");
	kms_tx_abort(&tx);
	stores_end(&t);
}
END_TEST

START_TEST(the_token_is_asked_for_its_modes)
{
	struct kms_tag tag;
	struct stores t;
	unsigned has;

	with_key(&t, &tag);
	ok(kms_release_ciphers(t.store, &has));
	ck_assert_uint_eq(has, KMS_CIPHERS_ALL);
	soft_sealer_control(t.sealer)->no_ciphers = 1u << KMS_CIPHER_GCM;
	ok(kms_release_ciphers(t.store, &has));
	ck_assert_uint_eq(has, KMS_CIPHERS_ALL & ~(1u << KMS_CIPHER_GCM));
	stores_end(&t);
}
END_TEST

TCase *
test_crypt(void)
{
	TCase *tc = tcase_create("crypt");

	tcase_add_test(tc, an_active_key_does_both_an_inactive_one_decrypts);
	tcase_add_test(tc, a_prelive_key_does_neither);
	tcase_add_test(tc, an_actor_of_other_groups_may_not);
	tcase_add_test(tc, a_key_that_would_be_lost_does_not_encrypt);
	tcase_add_test(tc, each_use_is_recorded_and_no_refusal_is);
	tcase_add_test(tc, what_cannot_be_recorded_is_not_told);
	tcase_add_test(tc, a_key_that_encrypted_is_not_deleted);
	tcase_add_test(tc, the_token_is_asked_for_its_modes);
	return tc;
}
