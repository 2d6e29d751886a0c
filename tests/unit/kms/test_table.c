/* The two parts of the directory that are nobody else's: hash and table. */
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "kms/siphash.h"
#include "kms/table.h"
#include "tests/unit/kms/tests.h"

static void
openssl_siphash(const uint8_t key[16], const uint8_t *in, size_t len,
    uint8_t out[16])
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	size_t size = 16, n;
	unsigned c = 1, d = 3;
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
	    OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_C_ROUNDS, &c),
	    OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_D_ROUNDS, &d),
	    OSSL_PARAM_construct_end(),
	};

	ck_assert_int_eq(EVP_MAC_init(ctx, key, 16, params), 1);
	ck_assert_int_eq(EVP_MAC_update(ctx, in, len), 1);
	ck_assert_int_eq(EVP_MAC_final(ctx, out, &n, 16), 1);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
}

static uint64_t
little(const uint8_t *p)
{
	uint64_t v = 0;
	int i;

	for (i = 7; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

START_TEST(siphash_is_openssls_at_every_length)
{
	uint8_t key[16], in[300], want[16], i8;
	struct kms_siphash_key k;
	uint64_t got[2];
	size_t len;

	for (i8 = 0; i8 < 16; i8++)
		key[i8] = (uint8_t)(i8 * 11 + 1);
	for (len = 0; len < sizeof(in); len++)
		in[len] = (uint8_t)(len * 7);
	k.k[0] = little(key);
	k.k[1] = little(key + 8);
	for (len = 0; len <= sizeof(in); len++) {
		openssl_siphash(key, in, len, want);
		kms_siphash(&k, in, len, got);
		ck_assert(got[0] == little(want));
		ck_assert(got[1] == little(want + 8));
	}
}
END_TEST

#define MODEL 1024u

/* Index i lies under hash model[i], or nowhere when live[i] is false. */
static uint32_t model[MODEL];
static bool live[MODEL];

/* Plain ifs: each ck_assert writes to a pipe. */
static bool
holds(const struct kms_table *t, uint32_t hash, uint32_t index)
{
	struct kms_table_walk w;
	uint32_t i, hits = 0;

	for (i = kms_table_first(t, hash, &w); i != KMS_TABLE_NONE;
	     i = kms_table_next(t, &w)) {
		if (i >= MODEL || !live[i] || model[i] != hash)
			ck_abort_msg("index %u under a hash not its own", i);
		hits += i == index;
	}
	if (hits > 1)
		ck_abort_msg("index %u twice", index);
	return hits == 1;
}

static void
like_model(const struct kms_table *t, uint32_t i)
{
	if (holds(t, model[i], i) != live[i])
		ck_abort_msg("index %u", i);
}

/* Few different hashes, so that chains are long and wrap around. */
START_TEST(a_table_is_what_a_list_is_after_100000_changes)
{
	struct kms_table t = {0};
	uint32_t i, used = 0;
	size_t n;

	srandom(1);
	like_model(&t, 0);
	for (n = 0; n < 100000; n++) {
		i = (uint32_t)random() % MODEL;
		like_model(&t, i);
		if (live[i]) {
			kms_table_remove(&t, model[i], i);
			used--;
		} else {
			model[i] = (uint32_t)random() % 97 * 0x01000193u;
			ck_assert_int_eq(kms_table_reserve(&t, used + 1), 0);
			kms_table_insert(&t, model[i], i);
			used++;
		}
		live[i] = !live[i];
		like_model(&t, i);
	}
	for (i = 0; i < MODEL; i++)
		like_model(&t, i);
	kms_table_free(&t);
	ck_assert_uint_eq(kms_table_memory(&t), 0);
}
END_TEST

START_TEST(a_table_over_its_limit_is_refused)
{
	struct kms_table t = {0};

	ck_assert_int_eq(kms_table_reserve(&t, ((size_t)1 << 30) + 1),
	    KMS_ERR_LIMIT);
	kms_table_free(&t);
}
END_TEST

Suite *
table_suite(void)
{
	Suite *s = suite_create("table");
	TCase *t = tcase_create("table");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, siphash_is_openssls_at_every_length);
	tcase_add_test(t, a_table_is_what_a_list_is_after_100000_changes);
	tcase_add_test(t, a_table_over_its_limit_is_refused);
	suite_add_tcase(s, t);
	return s;
}
