/* The soft sealer keeps the contract of kms_sealer. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kms/base/crypt.h"
#include "tests/lib/fixture.h"
#include "tests/lib/mutate.h"
#include "tests/lib/soft_sealer.h"
#include "tests/unit/base/tests.h"

static const uint8_t uuid[16] = "a store's uuid.", other_uuid[16] = "another";
static struct fx *fx;
static struct kms_sealer *sealer;

static void
setup(void)
{
	secrets_on();
	fx = fx_new();
	ck_assert_int_eq(soft_sealer_new(NULL, &sealer), 0);
}

static void
teardown(void)
{
	sealer->close(&sealer);
	fx_free(&fx);
}

static struct kms_slot
slot_of(const char *id)
{
	struct kms_slot slot = {.role = KMS_ROLE_KPK, .cka_id_len = 16};

	snprintf(slot.id, sizeof(slot.id), "%s", id);
	memcpy(slot.cka_id, id, strnlen(id, slot.cka_id_len));
	return slot;
}

static struct kms_slot
made(struct kms_sealer *s, const char *id)
{
	struct kms_slot slot = slot_of(id);

	ck_assert_int_eq(s->make(s, NULL, &slot), 0);
	return slot;
}

static struct kms_secret *
unwrapped(struct kms_sealer *s, const struct kms_slot *slot,
    const struct kms_wrapped *w)
{
	struct kms_secret *k;

	ck_assert_int_eq(s->unwrap(s, slot, w, &k), 0);
	return k;
}

START_TEST(make_fills_the_slot)
{
	struct kms_slot slot = made(sealer, "a");
	char label[33], serial[17];

	ck_assert_int_eq((int)slot.mech, KMS_MECH_AES_KW);
	sealer->name(sealer, label, serial);
	ck_assert_str_eq(slot.token_label, label);
	ck_assert_str_eq(slot.token_serial, serial);
	ck_assert_int_eq(sealer->check(sealer, &slot), 0);
	ck_assert_uint_eq(soft_sealer_count(sealer), 1);
}
END_TEST

/* RFC 3394, 4.6: 256 bits of key data with a 256-bit KEK */
START_TEST(wrapping_is_rfc_3394)
{
	struct kms_secret
	    *kek = secret_of_hex("000102030405060708090a0b0c0d0e0f"
				 "101112131415161718191a1b1c1d1e1f");
	struct kms_secret
	    *data = secret_of_hex("00112233445566778899aabbccddeeff"
				  "000102030405060708090a0b0c0d0e0f");
	struct kms_slot slot = slot_of("rfc");
	struct kms_wrapped w;
	struct kms_secret *back;

	ck_assert_int_eq(sealer->make(sealer, kek, &slot), 0);
	ck_assert_int_eq(sealer->wrap(sealer, &slot, data, &w), 0);
	assert_hex(w.bytes, w.len,
	    "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326"
	    "cbc7f0e71a99f43bfb988b9b7a02dd21");
	back = unwrapped(sealer, &slot, &w);
	ck_assert(kms_secret_equal(back, data));
	kms_secret_free(&back);
	kms_secret_free(&data);
	kms_secret_free(&kek);
}
END_TEST

START_TEST(a_key_born_in_the_token_unwraps_and_is_new_each_time)
{
	struct kms_slot slot = made(sealer, "a");
	struct kms_wrapped w[2];
	struct kms_secret *k[2];
	uint8_t kcv[8];
	int i;

	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(sealer->wrap(sealer, &slot, NULL, &w[i]), 0);
		k[i] = unwrapped(sealer, &slot, &w[i]);
		ck_assert_int_eq(kms_kcv(k[i], kcv), 0);
		ck_assert_mem_eq(kcv, w[i].kcv, 8);
	}
	ck_assert(!kms_secret_equal(k[0], k[1]));
	kms_secret_free(&k[0]);
	kms_secret_free(&k[1]);
}
END_TEST

static void
does_not_unwrap(void *ctx, const struct mutant *m)
{
	const struct kms_slot *slot = ctx;
	struct kms_wrapped w = {.len = m->len < 8 ? 0 : m->len - 8};
	struct kms_secret *k;

	if (m->len < 8 || w.len > sizeof(w.bytes))
		return;
	memcpy(w.kcv, m->p, 8);
	memcpy(w.bytes, m->p + 8, w.len);
	ck_assert_msg(sealer->unwrap(sealer, slot, &w, &k) == KMS_ERR_AUTH,
	    "unwraps with %s", m->what);
	ck_assert_ptr_null(k);
}

START_TEST(no_mutation_of_a_wrapped_key_unwraps)
{
	struct kms_slot slot = made(sealer, "a");
	struct kms_wrapped w;
	uint8_t whole[48];

	ck_assert_int_eq(sealer->wrap(sealer, &slot, NULL, &w), 0);
	ck_assert_uint_eq(w.len, 40);
	memcpy(whole, w.kcv, 8);
	memcpy(whole + 8, w.bytes, 40);
	mutate(whole, sizeof(whole), does_not_unwrap, &slot);
}
END_TEST

START_TEST(rewrap_moves_a_key_and_changes_nothing_when_it_fails)
{
	struct kms_slot a = made(sealer, "a"), b = made(sealer, "b");
	struct kms_slot none = slot_of("none");
	struct kms_wrapped w, before;
	struct kms_secret *k, *l;

	ck_assert_int_eq(sealer->wrap(sealer, &a, NULL, &w), 0);
	before = w;
	k = unwrapped(sealer, &a, &w);
	ck_assert_int_eq(sealer->rewrap(sealer, &a, &none, &w, 1),
	    KMS_ERR_MASTER);
	ck_assert_int_eq(sealer->rewrap(sealer, &b, &a, &w, 1), KMS_ERR_AUTH);
	ck_assert_mem_eq(&w, &before, sizeof(w));
	ck_assert_int_eq(sealer->rewrap(sealer, &a, &b, &w, 1), 0);
	l = unwrapped(sealer, &b, &w);
	ck_assert(kms_secret_equal(k, l));
	kms_secret_free(&l);
	ck_assert_int_eq(sealer->unwrap(sealer, &a, &w, &l), KMS_ERR_AUTH);
	kms_secret_free(&k);
}
END_TEST

START_TEST(make_again_adopts_without_a_secret_and_replaces_with_one)
{
	struct kms_slot slot = made(sealer, "a");
	struct kms_secret *secret, *k;
	struct kms_wrapped w;

	ck_assert_int_eq(sealer->wrap(sealer, &slot, NULL, &w), 0);
	ck_assert_int_eq(sealer->make(sealer, NULL, &slot), 0);
	k = unwrapped(sealer, &slot, &w);
	kms_secret_free(&k);
	ck_assert_int_eq(kms_random_secret(32, &secret), 0);
	ck_assert_int_eq(sealer->make(sealer, secret, &slot), 0);
	ck_assert_int_eq(sealer->unwrap(sealer, &slot, &w, &k), KMS_ERR_AUTH);
	ck_assert_uint_eq(soft_sealer_count(sealer), 1);
	kms_secret_free(&secret);
}
END_TEST

START_TEST(a_dropped_key_is_gone)
{
	struct kms_slot slot = made(sealer, "a");
	struct kms_wrapped w;

	ck_assert_int_eq(sealer->drop(sealer, &slot), 0);
	ck_assert_int_eq(sealer->drop(sealer, &slot), 0);
	ck_assert_int_eq(sealer->check(sealer, &slot), KMS_ERR_NOTFOUND);
	ck_assert_int_eq(sealer->wrap(sealer, &slot, NULL, &w), KMS_ERR_MASTER);
}
END_TEST

START_TEST(only_one_fitting_key_is_adopted)
{
	static const uint8_t id[] = "owner's";
	struct soft_planted p = {KMS_ROLE_HMK, "made by owner", id, sizeof(id),
	    NULL, true};
	struct kms_wanted by_label = {KMS_ROLE_HMK, "made by owner", NULL, 0};
	struct kms_wanted by_id = {KMS_ROLE_HMK, NULL, id, sizeof(id)};
	struct kms_attr_report report;
	struct kms_slot slot = {0};

	ck_assert_int_eq(sealer->adopt(sealer, &by_label, &slot, NULL),
	    KMS_ERR_NOTFOUND);
	ck_assert_int_eq(soft_sealer_plant(sealer, &p), 0);
	ck_assert_int_eq(sealer->adopt(sealer, &by_label, &slot, &report),
	    KMS_ERR_MASTER);
	ck_assert(!report.line[0].ok);
	memcpy(slot.cka_id, id, sizeof(id));
	slot.cka_id_len = sizeof(id);
	ck_assert_int_eq(sealer->drop(sealer, &slot), 0);
	p.extractable = false;
	ck_assert_int_eq(soft_sealer_plant(sealer, &p), 0);
	ck_assert_int_eq(sealer->adopt(sealer, &by_id, NULL, &report), 0);
	ck_assert(report.line[0].ok);
	memset(&slot, 0, sizeof(slot));
	ck_assert_int_eq(sealer->adopt(sealer, &by_label, &slot, NULL), 0);
	ck_assert_int_eq((int)slot.origin, KMS_SLOT_ADOPTED);
	ck_assert_mem_eq(slot.cka_id, id, sizeof(id));
	ck_assert_int_eq(soft_sealer_plant(sealer, &p), 0);
	ck_assert_int_eq(sealer->adopt(sealer, &by_id, &slot, NULL),
	    KMS_ERR_MASTER);
	ck_assert_int_eq(sealer->check(sealer, &slot), KMS_ERR_MASTER);
}
END_TEST

START_TEST(anchors_belong_to_their_store)
{
	struct kms_anchor a = {.bytes = "one", .len = 3}, got[2];
	size_t n;

	ck_assert_int_eq(sealer->anchor_get(sealer, uuid, got, 2, &n), 0);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(sealer->anchor_put(sealer, uuid, &a), 0);
	ck_assert_int_eq(sealer->anchor_put(sealer, other_uuid, &a), 0);
	memcpy(a.bytes, "two", 3);
	ck_assert_int_eq(sealer->anchor_put(sealer, uuid, &a), 0);
	ck_assert_int_eq(sealer->anchor_get(sealer, uuid, got, 2, &n), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_mem_eq(got[0].bytes, "two", 3);
	ck_assert_int_eq(sealer->anchor_get(sealer, other_uuid, got, 2, &n), 0);
	ck_assert_mem_eq(got[0].bytes, "one", 3);
}
END_TEST

START_TEST(its_faults_change_nothing)
{
	struct soft_control *c = soft_sealer_control(sealer);
	struct kms_anchor a = {.bytes = "one", .len = 3}, got[2];
	struct kms_slot slot = made(sealer, "a");
	uint8_t random[4];
	size_t n;

	ck_assert_int_eq(sealer->anchor_put(sealer, uuid, &a), 0);
	memcpy(a.bytes, "two", 3);
	c->put_fails = true;
	ck_assert_int_eq(sealer->anchor_put(sealer, uuid, &a), KMS_ERR_TOKEN);
	c->put_fails = false;
	c->no_anchor = true;
	ck_assert_int_eq(sealer->anchor_put(sealer, uuid, &a),
	    KMS_ERR_NOTFOUND);
	ck_assert_int_eq(sealer->anchor_get(sealer, uuid, got, 2, &n),
	    KMS_ERR_NOTFOUND);
	c->no_anchor = false;
	c->away = true;
	ck_assert_int_eq(sealer->check(sealer, &slot), KMS_ERR_TOKEN);
	ck_assert_int_eq(sealer->random(sealer, random, 4), KMS_ERR_TOKEN);
	c->away = false;
	ck_assert_int_eq(sealer->anchor_get(sealer, uuid, got, 2, &n), 0);
	ck_assert_mem_eq(got[0].bytes, "one", 3);
	ck_assert_int_eq(sealer->check(sealer, &slot), 0);
}
END_TEST

START_TEST(there_is_never_debris)
{
	uint8_t list[4][32];
	size_t n = 9;

	ck_assert_int_eq(sealer->debris_list(sealer, list, 4, &n), 0);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(sealer->debris_sweep(sealer,
			     (const uint8_t(*)[32])list, 0, &n),
	    0);
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(two_of_one_path_share_keys_and_anchors)
{
	const char *path = fx_path(fx, "token");
	struct kms_anchor a = {.bytes = "one", .len = 3}, got[2];
	char label[33], serial[2][17];
	struct kms_sealer *one, *two;
	struct kms_slot slot;
	struct kms_wrapped w;
	struct kms_secret *k;
	size_t n;

	ck_assert_int_eq(soft_sealer_new(path, &one), 0);
	ck_assert_int_eq(soft_sealer_new(path, &two), 0);
	one->name(one, label, serial[0]);
	two->name(two, label, serial[1]);
	ck_assert_str_eq(serial[0], serial[1]);
	slot = made(one, "a");
	ck_assert_int_eq(two->wrap(two, &slot, NULL, &w), 0);
	k = unwrapped(one, &slot, &w);
	kms_secret_free(&k);
	ck_assert_int_eq(two->anchor_put(two, uuid, &a), 0);
	ck_assert_int_eq(one->anchor_get(one, uuid, got, 2, &n), 0);
	ck_assert_uint_eq(n, 1);
	one->close(&one);
	two->close(&two);
	ck_assert_ptr_null(one);
	ck_assert_int_eq(soft_sealer_new(path, &one), 0);
	ck_assert_int_eq(one->check(one, &slot), 0);
	one->close(&one);
}
END_TEST

/* Each process reads the anchor's counter and puts one more, locked. */
START_TEST(the_lock_excludes_other_processes)
{
	const char *path = fx_path(fx, "token");
	struct kms_anchor a = {.bytes = {0}, .len = 1}, got[2];
	const unsigned procs = 3, rounds = 10;
	struct kms_sealer *s;
	unsigned i, j;
	int status;
	size_t n;

	ck_assert_int_eq(soft_sealer_new(path, &s), 0);
	ck_assert_int_eq(s->anchor_put(s, uuid, &a), 0);
	s->close(&s);
	for (i = 0; i < procs; i++) {
		if (fork() != 0)
			continue;
		if (soft_sealer_new(path, &s) != 0)
			_exit(1);
		for (j = 0; j < rounds; j++) {
			if (s->lock(s) != 0 ||
			    s->anchor_get(s, uuid, got, 2, &n) != 0)
				_exit(2);
			got[0].bytes[0]++;
			if (s->anchor_put(s, uuid, &got[0]) != 0)
				_exit(3);
			s->unlock(s);
		}
		_exit(0);
	}
	for (i = 0; i < procs; i++) {
		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_int_eq(soft_sealer_new(path, &s), 0);
	ck_assert_int_eq(s->anchor_get(s, uuid, got, 2, &n), 0);
	ck_assert_uint_eq(got[0].bytes[0], procs * rounds);
	s->close(&s);
}
END_TEST

static unsigned counter;

static void *
count_up(void *arg)
{
	unsigned i, was;

	(void)arg;
	for (i = 0; i < 100; i++) {
		if (sealer->lock(sealer) != 0)
			return NULL;
		was = counter;
		sched_yield();
		counter = was + 1;
		sealer->unlock(sealer);
	}
	return NULL;
}

START_TEST(the_lock_excludes_threads)
{
	pthread_t t[3];
	int i;

	for (i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, count_up, NULL),
		    0);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_join(t[i], NULL), 0);
	ck_assert_uint_eq(counter, 300);
}
END_TEST

Suite *
soft_suite(void)
{
	Suite *s = suite_create("soft sealer");
	TCase *t = tcase_create("soft sealer");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, make_fills_the_slot);
	tcase_add_test(t, wrapping_is_rfc_3394);
	tcase_add_test(t, a_key_born_in_the_token_unwraps_and_is_new_each_time);
	tcase_add_test(t, no_mutation_of_a_wrapped_key_unwraps);
	tcase_add_test(t, rewrap_moves_a_key_and_changes_nothing_when_it_fails);
	tcase_add_test(t,
	    make_again_adopts_without_a_secret_and_replaces_with_one);
	tcase_add_test(t, a_dropped_key_is_gone);
	tcase_add_test(t, only_one_fitting_key_is_adopted);
	tcase_add_test(t, anchors_belong_to_their_store);
	tcase_add_test(t, its_faults_change_nothing);
	tcase_add_test(t, there_is_never_debris);
	tcase_add_test(t, two_of_one_path_share_keys_and_anchors);
	tcase_add_test(t, the_lock_excludes_other_processes);
	tcase_add_test(t, the_lock_excludes_threads);
	suite_add_tcase(s, t);
	return s;
}
