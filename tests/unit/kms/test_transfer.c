/* Keys from store to store: recorded before they leave, all or nothing where
 * they come in, and never another key under a tag that is held. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kms/backup.h"
#include "kms/base/crypt.h"
#include "kms/container.h"
#include "kms/logbook.h"
#include "kms/stats.h"
#include "kms/store_impl.h"
#include "kms/transfer.h"
#include "tests/unit/kms/stores.h"

#define PHRASE "the phrase of the container"

/* What an import said of its keys, in their order. */
struct told {
	size_t n;
	bool duplicate[8], renamed[8], demoted[8], no_phrase[8];
	char group[8][KMS_NAME_MAX + 1], name[8][KMS_NAME_MAX + 1];
	enum kms_state state[8];
	int64_t created[8];
};

static int
note(void *arg, const struct kms_transfer_line *line)
{
	struct told *told = arg;
	size_t i = told->n++;

	ck_assert_uint_lt(i, 8);
	told->duplicate[i] = line->duplicate;
	told->renamed[i] = line->renamed;
	told->demoted[i] = line->demoted;
	told->no_phrase[i] = line->no_phrase;
	strcpy(told->group[i], line->view->group);
	strcpy(told->name[i], line->view->key.name);
	told->state[i] = line->view->key.state;
	told->created[i] = line->view->key.created;
	return 0;
}

static void
begin(struct stores *t)
{
	stores_new(t, false);
	stores_close(t);
	t->options.policy.export_allowed = true;
	stores_open(t);
}

static int
export_to(struct stores *t, const char *path)
{
	struct kms_secret *phrase = secret_of(PHRASE);
	const struct kms_transfer_export options = {.path = path,
	    .phrase = phrase};
	struct kms_transfer_exported done;
	int r;

	r = kms_transfer_export(t->store, &t->actor, &options, &done);
	kms_secret_free(&phrase);
	return r;
}

static int
import_from(struct stores *t, struct kms_transfer_import *options,
    const char *path, struct told *told)
{
	struct kms_secret *phrase = secret_of(PHRASE);
	int r;

	memset(told, 0, sizeof(*told));
	options->path = path;
	options->phrase = phrase;
	r = kms_transfer_import(t->store, &t->actor, options, note, told);
	kms_secret_free(&phrase);
	return r;
}

/* Two tape keys, one of them active, and one prelive in another group. */
static void
fill(struct stores *t, struct kms_tag tag[3])
{
	add_group(t, "ENCR_a");
	add_group(t, "ENCR_b");
	add_key(t, "ENCR_a", "k1", KMS_ACTIVE, &tag[0]);
	add_key(t, "ENCR_a", "k2", KMS_ACTIVE, &tag[1]);
	add_key(t, "ENCR_b", "k1", KMS_PRELIVE, &tag[2]);
}

/* --- export ----------------------------------------------------------- */

static int
count_exports(void *arg, const struct kms_release_entry *e)
{
	*(size_t *)arg += e->use == KMS_USE_EXPORT;
	return 0;
}

static size_t
exports_recorded(struct stores *t)
{
	struct kms_release_log *log;
	size_t n = 0;

	ok(kms_logbook_get(t->store, &log));
	ok(kms_release_log_scan(log, count_exports, &n, NULL));
	return n;
}

START_TEST(every_key_is_a_recorded_release_in_any_state_past_the_serve_gate)
{
	struct kms_material material;
	const struct kms_key_new new = {.group = "ENCR_a",
	    .name = "random",
	    .state = KMS_PRELIVE,
	    .event = KMS_EVENT_KEY_CREATE,
	    .material = &material};
	struct kms_key_view view;
	struct kms_tag tag[3];
	struct kms_tx *tx;
	struct stores t;
	bool held;

	begin(&t);
	fill(&t, tag);
	ok(kms_material_random(t.store, &material));
	stores_write(&t, &tx);
	ok(kms_key_add(tx, &new, &view, &held));
	ok(kms_tx_commit(&tx));
	ok(export_to(&t, fx_path(t.fx, "c.kms")));
	ck_assert_uint_eq(exports_recorded(&t), 4);
	stores_end(&t);
}
END_TEST

/* More than are taken at once: each once, in order, each recorded once. */
START_TEST(many_keys_leave_once_each_and_in_order)
{
	const unsigned keys = 300;
	struct kms_container_reader *reader = NULL;
	struct kms_secret *phrase = secret_of(PHRASE);
	struct kms_container_entry e;
	struct kms_tag tag;
	struct stores t;
	char name[16];
	unsigned i;

	begin(&t);
	add_group(&t, "ENCR_a");
	for (i = 0; i < keys; i++) {
		snprintf(name, sizeof(name), "k%u", i);
		add_key(&t, "ENCR_a", name, KMS_PRELIVE, &tag);
	}
	ok(export_to(&t, fx_path(t.fx, "c.kms")));
	ck_assert_uint_eq(exports_recorded(&t), keys);
	ok(kms_container_open(fx_path(t.fx, "c.kms"), phrase, &reader));
	for (i = 0; i < keys; i++) {
		snprintf(name, sizeof(name), "k%u", i);
		ok(kms_container_next(reader, &e));
		ck_assert_str_eq(e.name, name);
		ck_assert_uint_eq(kms_secret_len(e.key), 32);
		kms_container_entry_clear(&e);
	}
	fails(kms_container_next(reader, &e), KMS_ERR_NOTFOUND, NULL);
	kms_container_close(&reader);
	kms_secret_free(&phrase);
	stores_end(&t);
}
END_TEST

START_TEST(what_cannot_be_recorded_leaves_no_container)
{
	struct kms_tag tag[3];
	struct stores t;

	begin(&t);
	fill(&t, tag);
	stores_close(&t);
	ck_assert_int_eq(unlink(t.log_path), 0);
	ck_assert_int_eq(mkdir(t.log_path, 0700), 0);
	stores_open(&t);
	ck_assert_int_ne(export_to(&t, fx_path(t.fx, "c.kms")), 0);
	ck_assert(!fx_exists(fx_path(t.fx, "c.kms")));
	ck_assert(!fx_exists(fx_path(t.fx, "c.kms.part")));
	stores_end(&t);
}
END_TEST

START_TEST(export_is_refused_while_the_policy_says_off)
{
	struct kms_tag tag[3];
	struct stores t;

	stores_new(&t, false);
	fill(&t, tag);
	fails(export_to(&t, fx_path(t.fx, "c.kms")), KMS_ERR_GATE,
	    "export = on");
	ck_assert(!fx_exists(fx_path(t.fx, "c.kms")));
	ck_assert_uint_eq(exports_recorded(&t), 0);
	stores_end(&t);
}
END_TEST

START_TEST(a_name_with_slashes_is_exported_when_only_one_key_is_meant)
{
	static const char *const names[] = {"s/v/k"};
	struct kms_secret *phrase = secret_of(PHRASE);
	struct kms_transfer_export options = {.phrase = phrase,
	    .key = names,
	    .nkeys = 1};
	struct kms_transfer_exported done;
	struct stores t;

	begin(&t);
	options.path = fx_path(t.fx, "c.kms");
	add_group(&t, "s/v");
	add_key(&t, "s/v", "k", KMS_PRELIVE, NULL);
	ok(kms_transfer_export(t.store, &t.actor, &options, &done));
	ck_assert_uint_eq(done.keys, 1);
	add_group(&t, "s");
	add_key(&t, "s", "v/k", KMS_PRELIVE, NULL);
	options.path = fx_path(t.fx, "d.kms");
	fails(kms_transfer_export(t.store, &t.actor, &options, &done),
	    KMS_ERR_USAGE, "two keys");
	kms_secret_free(&phrase);
	stores_end(&t);
}
END_TEST

/* --- import ----------------------------------------------------------- */

START_TEST(keys_arrive_bit_by_bit_with_tag_state_and_time_and_once)
{
	struct kms_transfer_import options = {.preserve_name = true};
	struct kms_key_view view;
	uint8_t there[32], here[32];
	uint64_t generation;
	struct kms_tag tag[3];
	struct told told;
	struct stores a, b;
	struct kms_tx *tx;
	const char *path;

	begin(&a);
	fill(&a, tag);
	path = fx_path(a.fx, "c.kms");
	ok(export_to(&a, path));
	stores_read(&a, &tx);
	ok(kms_key_view_tag(tx, &tag[0], &view));
	kms_tx_abort(&tx);
	begin(&b);
	ok(import_from(&b, &options, path, &told));
	ck_assert_uint_eq(told.n, 3);
	ck_assert_int_eq(told.state[0], KMS_INACTIVE);
	ck_assert_int_eq(told.state[1], KMS_ACTIVE);
	ck_assert_int_eq(told.state[2], KMS_PRELIVE);
	ck_assert_int_eq(told.created[0], view.key.created);
	release_bytes(&a, &tag[0], KMS_USE_READ, there);
	release_bytes(&b, &tag[0], KMS_USE_READ, here);
	ck_assert_mem_eq(there, here, 32);
	generation = kms_store_generation(b.store);
	ok(import_from(&b, &options, path, &told));
	ck_assert(told.duplicate[0] && told.duplicate[1] && told.duplicate[2]);
	ck_assert_uint_eq(kms_store_generation(b.store), generation);
	stores_end(&b);
	stores_end(&a);
}
END_TEST

START_TEST(a_preview_and_a_wrong_phrase_change_nothing)
{
	struct kms_transfer_import options = {.preview = true};
	struct kms_secret *wrong = secret_of("another phrase than that");
	uint64_t generation;
	struct kms_tag tag[3];
	struct told told = {0};
	struct stores a, b;
	const char *path;

	begin(&a);
	fill(&a, tag);
	path = fx_path(a.fx, "c.kms");
	ok(export_to(&a, path));
	begin(&b);
	generation = kms_store_generation(b.store);
	ok(import_from(&b, &options, path, &told));
	ck_assert_uint_eq(told.n, 3);
	options = (struct kms_transfer_import){.path = path, .phrase = wrong};
	fails(kms_transfer_import(b.store, &b.actor, &options, note, &told),
	    KMS_ERR_AUTH, NULL);
	ck_assert_uint_eq(kms_store_generation(b.store), generation);
	kms_secret_free(&wrong);
	stores_end(&b);
	stores_end(&a);
}
END_TEST

START_TEST(a_merge_displaces_no_active_key_and_no_name)
{
	struct kms_transfer_import options = {.merge = true};
	struct kms_key_view view;
	struct kms_tag tag[3], mine;
	struct told told;
	struct stores a, b;
	struct kms_tx *tx;

	begin(&a);
	fill(&a, tag);
	ok(export_to(&a, fx_path(a.fx, "c.kms")));
	begin(&b);
	add_group(&b, "ENCR_a");
	add_key(&b, "ENCR_a", "k2", KMS_ACTIVE, &mine);
	options.merge = false;
	options.preserve_name = true;
	fails(import_from(&b, &options, fx_path(a.fx, "c.kms"), &told),
	    KMS_ERR_EXISTS, "-merge");
	options.merge = true;
	ok(import_from(&b, &options, fx_path(a.fx, "c.kms"), &told));
	ck_assert(!told.renamed[0] && told.renamed[1]);
	ck_assert(!told.demoted[0] && told.demoted[1]);
	ck_assert_int_eq(told.state[1], KMS_INACTIVE);
	ck_assert_str_eq(told.group[1], "ENCR_a");
	stores_read(&b, &tx);
	ok(kms_key_active(tx, "ENCR_a", &view));
	ck_assert(kms_tag_equal(&view.key.tag, &mine));
	kms_tx_abort(&tx);
	stores_end(&b);
	stores_end(&a);
}
END_TEST

/* One key that is what its maker wants: a container has no other seal than
 * its phrase. */
static void
forge(const char *path, const struct kms_tag *tag, enum kms_origin origin)
{
	static const uint8_t uuid[16] = "another store..";
	struct kms_container_entry e = {.group = "ENCR_f",
	    .name = "forged",
	    .tag = *tag,
	    .origin = origin,
	    .state = KMS_ACTIVE,
	    .created = 1,
	    .activated = 2};
	struct kms_secret *phrase = secret_of(PHRASE);
	struct kms_container_writer *w;

	ok(kms_secret_new(KMS_KEY_LEN, &e.key));
	ok(kms_container_create(path, phrase, KMS_KDF_COST_CREATE_MIN, uuid,
	    &w));
	ok(kms_container_add(w, &e));
	ok(kms_container_finish(&w));
	kms_secret_free(&e.key);
	kms_secret_free(&phrase);
}

START_TEST(a_key_that_is_not_what_its_record_says_stays_outside)
{
	struct kms_transfer_import options = {.preserve_name = true};
	struct kms_tag tag[3], other = {.len = 5, .b = "other"};
	uint64_t generation;
	struct told told;
	struct stores t;

	begin(&t);
	fill(&t, tag);
	generation = kms_store_generation(t.store);
	forge(fx_path(t.fx, "1"), &tag[0], KMS_ORIGIN_PHRASE);
	fails(import_from(&t, &options, fx_path(t.fx, "1"), &told),
	    KMS_ERR_DAMAGED, "tag");
	forge(fx_path(t.fx, "2"), &other, KMS_ORIGIN_PHRASE);
	fails(import_from(&t, &options, fx_path(t.fx, "2"), &told),
	    KMS_ERR_DAMAGED, "tag");
	forge(fx_path(t.fx, "3"), &tag[0], KMS_ORIGIN_IMPORT);
	fails(import_from(&t, &options, fx_path(t.fx, "3"), &told),
	    KMS_ERR_EXISTS, "another key");
	ck_assert_uint_eq(kms_store_generation(t.store), generation);
	forge(fx_path(t.fx, "4"), &other, KMS_ORIGIN_IMPORT);
	ok(import_from(&t, &options, fx_path(t.fx, "4"), &told));
	stores_end(&t);
}
END_TEST

static int
none_is_readable(const void *attrs, size_t len)
{
	(void)attrs;
	(void)len;
	return kms_fail(KMS_ERR_DAMAGED, "KMIP attributes: not readable");
}

START_TEST(a_key_whose_attributes_cannot_be_read_is_named_and_stays_outside)
{
	struct kms_transfer_import options = {.preserve_name = true};
	struct kms_tag tag[3], other = {.len = 5, .b = "other"};
	uint64_t generation;
	struct told told;
	struct stores t;

	begin(&t);
	fill(&t, tag);
	generation = kms_store_generation(t.store);
	forge(fx_path(t.fx, "1"), &other, KMS_ORIGIN_IMPORT);
	options.check_attrs = none_is_readable;
	fails(import_from(&t, &options, fx_path(t.fx, "1"), &told),
	    KMS_ERR_DAMAGED, "' of group '");
	ck_assert_uint_eq(kms_store_generation(t.store), generation);
	stores_end(&t);
}
END_TEST

START_TEST(an_imported_key_is_deleted_with_force_alone)
{
	struct kms_transfer_import options = {.preserve_name = true};
	struct kms_tag tag[3];
	struct told told;
	struct stores a, b;
	struct kms_tx *tx;

	begin(&a);
	fill(&a, tag);
	ok(export_to(&a, fx_path(a.fx, "c.kms")));
	begin(&b);
	ok(import_from(&b, &options, fx_path(a.fx, "c.kms"), &told));
	stores_write(&b, &tx);
	fails(kms_key_delete(tx, "ENCR_b", "k1", false, NULL), KMS_ERR_GATE,
	    "imported");
	ok(kms_key_delete(tx, "ENCR_b", "k1", true, "test"));
	ok(kms_tx_commit(&tx));
	stores_end(&b);
	stores_end(&a);
}
END_TEST

/* --- out of a backup -------------------------------------------------- */

static const char *
back_up(struct stores *t)
{
	const char *path = fx_path(t->fx, "b.db");
	const struct kms_backup_options options = {.path = path};
	struct kms_verify_report report;
	struct kms_backup b;

	ok(kms_backup_make(t->store, &t->actor, &options, &b, &report));
	return path;
}

static int
recover(struct stores *t, const struct kms_transfer_recover *options,
    struct kms_key_view *view, bool *held)
{
	return kms_transfer_recover(t->store, &t->actor, options, view, held);
}

START_TEST(a_deleted_key_comes_back_out_of_a_backup_inactive)
{
	struct kms_transfer_recover options = {.group = "ENCR_b", .name = "k1"};
	struct kms_key_view view;
	uint8_t before[32], after[32];
	struct kms_tag tag[3];
	struct stores t;
	struct kms_tx *tx;
	bool held;

	begin(&t);
	fill(&t, tag);
	options.from = back_up(&t);
	ok(recover(&t, &options, &view, &held));
	ck_assert(held);
	release_bytes(&t, &tag[2], KMS_USE_EXPORT, before);
	stores_write(&t, &tx);
	ok(kms_key_delete(tx, "ENCR_b", "k1", true, "test"));
	ok(kms_tx_commit(&tx));
	ok(recover(&t, &options, &view, &held));
	ck_assert(!held);
	ck_assert_int_eq(view.key.state, KMS_INACTIVE);
	ck_assert(kms_tag_equal(&view.key.tag, &tag[2]));
	release_bytes(&t, &tag[2], KMS_USE_READ, after);
	ck_assert_mem_eq(before, after, 32);
	options.name = "none";
	fails(recover(&t, &options, &view, &held), KMS_ERR_NOTFOUND, "b.db");
	stores_end(&t);
}
END_TEST

START_TEST(the_backup_of_another_store_gives_nothing)
{
	struct kms_transfer_recover options = {.group = "ENCR_b", .name = "k1"};
	struct kms_key_view view;
	struct kms_tag tag[3];
	struct stores t, other;
	bool held;

	begin(&t);
	fill(&t, tag);
	options.from = back_up(&t);
	stores_begin(&other, false);
	other.options.sealer = t.sealer; /* one token, two stores */
	ok(stores_create(&other));
	stores_open(&other);
	add_group(&other, "ENCR_b");
	fails(recover(&other, &options, &view, &held), KMS_ERR_USAGE,
	    "another store");
	stores_end(&other);
	stores_end(&t);
}
END_TEST

TCase *
test_transfer(void)
{
	TCase *tc = tcase_create("transfer");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc,
	    every_key_is_a_recorded_release_in_any_state_past_the_serve_gate);
	tcase_add_test(tc, many_keys_leave_once_each_and_in_order);
	tcase_add_test(tc, what_cannot_be_recorded_leaves_no_container);
	tcase_add_test(tc, export_is_refused_while_the_policy_says_off);
	tcase_add_test(tc,
	    a_name_with_slashes_is_exported_when_only_one_key_is_meant);
	tcase_add_test(tc,
	    keys_arrive_bit_by_bit_with_tag_state_and_time_and_once);
	tcase_add_test(tc, a_preview_and_a_wrong_phrase_change_nothing);
	tcase_add_test(tc, a_merge_displaces_no_active_key_and_no_name);
	tcase_add_test(tc,
	    a_key_that_is_not_what_its_record_says_stays_outside);
	tcase_add_test(tc,
	    a_key_whose_attributes_cannot_be_read_is_named_and_stays_outside);
	tcase_add_test(tc, an_imported_key_is_deleted_with_force_alone);
	tcase_add_test(tc, a_deleted_key_comes_back_out_of_a_backup_inactive);
	tcase_add_test(tc, the_backup_of_another_store_gives_nothing);
	return tc;
}
