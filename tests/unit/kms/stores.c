#include "tests/unit/kms/stores.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "kms/logbook.h"

void
ok(int r)
{
	ck_assert_msg(r == 0, "%s: %s", kms_err_name(r), kms_err_cause(r));
}

void
fails(int r, int code, const char *word)
{
	ck_assert_msg(r == code, "%s, not %s: %s", kms_err_name(r),
	    kms_err_name(code), r == 0 ? "" : kms_err_cause(r));
	if (word != NULL)
		ck_assert_msg(strstr(kms_err_cause(r), word) != NULL,
		    "no '%s' in: %s", word, kms_err_cause(r));
}

void
stores_begin(struct stores *t, bool shared)
{
	static const struct kms_policy policy = KMS_POLICY_DEFAULT;

	memset(t, 0, sizeof(*t));
	t->fx = fx_new();
	t->path = fx_path(t->fx, "kms.db");
	t->log_path = fx_path(t->fx, "kms.log");
	t->token_path = shared ? fx_path(t->fx, "token") : NULL;
	ok(soft_sealer_new(t->token_path, &t->sealer));
	kms_actor_local(&t->actor);
	t->options = (struct kms_store_options){.path = t->path,
	    .sealer = t->sealer,
	    .policy = policy,
	    .wait_ms = 10000};
	t->options.policy.kdf_cost = KMS_KDF_COST_CREATE_MIN;
}

int
stores_create(struct stores *t)
{
	const struct kms_setup_master hmk = {.id = "HMK 1"};
	const struct kms_setup_master kpk = {.id = "KPK 1"};

	return kms_setup_create(&t->options, &t->actor, &hmk, &kpk);
}

void
stores_create_of_phrases(struct stores *t)
{
	struct kms_secret *a, *b;
	struct kms_setup_master hmk = {.id = "HMK 1"}, kpk = {.id = "KPK 1"};

	a = secret_of(HMK_PHRASE);
	b = secret_of(KPK_PHRASE);
	hmk.phrase = a;
	kpk.phrase = b;
	ok(kms_setup_create(&t->options, &t->actor, &hmk, &kpk));
	kms_secret_free(&a);
	kms_secret_free(&b);
}

void
stores_open(struct stores *t)
{
	ok(kms_store_open(&t->options, &t->store));
}

void
stores_refused(struct stores *t, int code)
{
	int r = kms_store_open(&t->options, &t->store);

	ck_assert_msg(r == code, "%s, not %s: %s", kms_err_name(r),
	    kms_err_name(code), r == 0 ? "" : kms_err_cause(r));
	ck_assert_ptr_null(t->store);
}

void
stores_close(struct stores *t)
{
	kms_store_close(&t->store);
}

void
stores_new(struct stores *t, bool shared)
{
	stores_begin(t, shared);
	ok(stores_create(t));
	stores_open(t);
}

void
stores_end(struct stores *t)
{
	stores_close(t);
	t->sealer->close(&t->sealer);
	fx_free(&t->fx);
}

void
stores_write(struct stores *t, struct kms_tx **tx)
{
	ok(kms_tx_begin(t->store, &t->actor, KMS_WRITE, tx));
}

void
stores_read(struct stores *t, struct kms_tx **tx)
{
	ok(kms_tx_begin(t->store, &t->actor, KMS_READ, tx));
}

void
add_group(struct stores *t, const char *name)
{
	struct kms_tx *tx;

	stores_write(t, &tx);
	ok(kms_group_add(tx, name, NULL, NULL));
	ok(kms_tx_commit(&tx));
}

void
add_key(struct stores *t, const char *group, const char *name,
    enum kms_state state, struct kms_tag *tag)
{
	struct kms_material material;
	const struct kms_key_new new = {.group = group,
	    .name = name,
	    .state = KMS_PRELIVE,
	    .event = KMS_EVENT_KEY_CREATE,
	    .material = &material};
	const struct kms_key_change change = {.allowserve = true,
	    .reason = "test",
	    .set_state = true,
	    .state = state};
	struct kms_key_view view;
	struct kms_tx *tx;
	bool held;

	ok(kms_material_random(t->store, &material));
	stores_write(t, &tx);
	ok(kms_key_add(tx, &new, &view, &held));
	ck_assert(!held);
	ok(kms_key_modify(tx, group, view.key.name, &change));
	ok(kms_tx_commit(&tx));
	if (tag != NULL)
		*tag = view.key.tag;
}

struct kms_secret *
secret_of(const char *text)
{
	struct kms_secret *s;
	char copy[256];

	ck_assert_uint_lt(strlen(text), sizeof(copy));
	memcpy(copy, text, strlen(text));
	ok(kms_secret_from(copy, strlen(text), &s));
	return s;
}

void
run_sql(const char *path, const char *statements)
{
	sqlite3 *db = NULL;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, statements, NULL, NULL, NULL) ==
		SQLITE_OK,
	    "%s: %s", statements, sqlite3_errmsg(db));
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

void
save_file(struct fx *fx, const char *path, struct saved *saved)
{
	saved->p = fx_read(fx, path, &saved->len);
}

void
put_back(const char *path, const struct saved *saved, bool in_place)
{
	int fd;

	if (!in_place)
		ck_assert_int_eq(unlink(path), 0);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, saved->p, saved->len, 0),
	    (ssize_t)saved->len);
	ck_assert_int_eq(ftruncate(fd, (off_t)saved->len), 0);
	close(fd);
}

void
release_bytes(struct stores *t, const struct kms_tag *tag, enum kms_use use,
    uint8_t out[32])
{
	const struct kms_purpose purpose = {.use = use};
	struct kms_secret *key = NULL;

	ok(kms_release(t->store, &t->actor, tag, &purpose, &key));
	ck_assert_uint_eq(kms_secret_len(key), 32);
	memcpy(out, kms_secret_bytes(key), 32);
	kms_secret_free(&key);
}

static int
see_release(void *arg, const struct kms_release_entry *e)
{
	struct released *seen = arg;

	seen->n++;
	seen->last = *e;
	return 0;
}

void
released(struct stores *t, struct released *seen)
{
	struct kms_release_log *log;

	memset(seen, 0, sizeof(*seen));
	ok(kms_logbook_get(t->store, &log));
	ok(kms_release_log_scan(log, see_release, seen, NULL));
}
