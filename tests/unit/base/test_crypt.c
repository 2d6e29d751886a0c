#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#include "kms/base/crypt.h"
#include "tests/lib/mutate.h"
#include "tests/unit/base/tests.h"

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13 to
 * 16: AES-256, 96-bit IV. */
static const struct {
	const char *key, *iv, *aad, *plain, *sealed, *tag;
} gcm[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000",
	"000000000000000000000000", "", "", "",
	"530f8afbc74536b9a963b4f1c4cb738b"},
    {"0000000000000000000000000000000000000000000000000000000000000000",
	"000000000000000000000000", "", "00000000000000000000000000000000",
	"cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	"cafebabefacedbaddecaf888", "",
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
	"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
	"b094dac5d93471bdec1a502270e3cc6c"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	"cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
	"76fc6ece0f4e1768cddf8853bb2d551b"},
};

static struct kms_gcm *
gcm_of(const char *hex)
{
	struct kms_secret *key = secret_of_hex(hex);
	struct kms_gcm *g;

	ck_assert_int_eq(kms_gcm_new(key, &g), 0);
	kms_secret_free(&key); /* the key is not borrowed */
	return g;
}

START_TEST(gcm_seals_as_the_published_vectors)
{
	struct hex iv = from_hex(gcm[_i].iv), aad = from_hex(gcm[_i].aad);
	struct hex in = from_hex(gcm[_i].plain);
	struct kms_gcm *g = gcm_of(gcm[_i].key);
	uint8_t out[128], tag[16];
	int again;

	for (again = 0; again < 2; again++) {
		ck_assert_int_eq(kms_gcm_seal(g, iv.p,
				     (struct kms_bytes){aad.p, aad.len}, in.p,
				     in.len, out, tag),
		    0);
		assert_hex(out, in.len, gcm[_i].sealed);
		assert_hex(tag, 16, gcm[_i].tag);
	}
	kms_gcm_free(&g);
}
END_TEST

START_TEST(gcm_opens_the_published_vectors)
{
	struct hex iv = from_hex(gcm[_i].iv), aad = from_hex(gcm[_i].aad);
	struct hex in = from_hex(gcm[_i].sealed), tag = from_hex(gcm[_i].tag);
	struct kms_gcm *g = gcm_of(gcm[_i].key);
	uint8_t out[128];
	int again;

	for (again = 0; again < 2; again++) {
		ck_assert_int_eq(kms_gcm_open(g, iv.p,
				     (struct kms_bytes){aad.p, aad.len}, in.p,
				     in.len, out, tag.p),
		    0);
		assert_hex(out, in.len, gcm[_i].plain);
	}
	kms_gcm_free(&g);
	ck_assert_ptr_null(g);
	kms_gcm_free(&g);
	kms_gcm_free(NULL);
}
END_TEST

/* iv 12 | aad 20 | sealed 60 | tag 16, as one message */
static void
does_not_open(void *ctx, const struct mutant *m)
{
	struct kms_gcm *g = ctx;
	uint8_t out[60], zero[60] = {0};

	if (m->len != 12 + 20 + 60 + 16)
		return; /* lengths are the caller's */
	memset(out, 0x11, sizeof(out));
	ck_assert_msg(kms_gcm_open(g, m->p, (struct kms_bytes){m->p + 12, 20},
			  m->p + 32, 60, out, m->p + 92) == KMS_ERR_DAMAGED,
	    "opens with %s", m->what);
	ck_assert_msg(memcmp(out, zero, 60) == 0, "plaintext shown with %s",
	    m->what);
}

START_TEST(gcm_refuses_every_mutation_and_shows_nothing)
{
	struct hex part[4] = {from_hex(gcm[3].iv), from_hex(gcm[3].aad),
	    from_hex(gcm[3].sealed), from_hex(gcm[3].tag)};
	struct kms_gcm *g = gcm_of(gcm[3].key);
	uint8_t whole[108], *at = whole;
	size_t i;

	for (i = 0; i < 4; i++) {
		memcpy(at, part[i].p, part[i].len);
		at += part[i].len;
	}
	ck_assert_uint_eq((size_t)(at - whole), sizeof(whole));
	mutate(whole, sizeof(whole), does_not_open, g);
	/* and after all those failures the right one still opens */
	ck_assert_int_eq(kms_gcm_open(g, whole,
			     (struct kms_bytes){whole + 12, 20}, whole + 32, 60,
			     whole + 32, whole + 92),
	    0);
	assert_hex(whole + 32, 60, gcm[3].plain);
	kms_gcm_free(&g);
}
END_TEST

START_TEST(gcm_works_in_place)
{
	uint8_t buf[5] = "tape", tag[16], iv[12] = {1};
	struct kms_bytes none = {NULL, 0};
	struct kms_gcm *g = gcm_of(gcm[2].key);

	ck_assert_int_eq(kms_gcm_seal(g, iv, none, buf, 5, buf, tag), 0);
	ck_assert_mem_ne(buf, "tape", 5);
	ck_assert_int_eq(kms_gcm_open(g, iv, none, buf, 5, buf, tag), 0);
	ck_assert_mem_eq(buf, "tape", 5);
	kms_gcm_free(&g);
}
END_TEST

START_TEST(a_key_of_another_length_is_refused)
{
	struct kms_secret *s;
	struct kms_gcm *g;
	struct kms_ecb *e;
	uint8_t out[16];
	size_t len;

	for (len = 0; len <= 64; len += 16) {
		if (len == 32)
			continue;
		ck_assert_int_eq(kms_secret_new(len, &s), 0);
		ck_assert_int_eq(kms_gcm_new(s, &g), KMS_ERR_INTERNAL);
		ck_assert_ptr_null(g);
		ck_assert_int_eq(kms_ecb_new(s, &e), KMS_ERR_INTERNAL);
		ck_assert_ptr_null(e);
		ck_assert_int_eq(kms_cmac(s, "", 0, out), KMS_ERR_INTERNAL);
		ck_assert_int_eq(kms_kcv(s, out), KMS_ERR_INTERNAL);
		kms_secret_free(&s);
	}
}
END_TEST

/* FIPS 197, C.3 */
START_TEST(ecb_is_aes_256)
{
	struct kms_secret
	    *key = secret_of_hex("000102030405060708090a0b0c0d0e0f"
				 "101112131415161718191a1b1c1d1e1f");
	struct hex in = from_hex("00112233445566778899aabbccddeeff"
				 "00000000000000000000000000000000"
				 "00112233445566778899aabbccddeeff");
	struct kms_ecb *e;
	uint8_t out[48];

	ck_assert_int_eq(kms_ecb_new(key, &e), 0);
	kms_secret_free(&key);
	ck_assert_int_eq(kms_ecb_blocks(e, in.p, out, 3), 0);
	assert_hex(out, 16, "8ea2b7ca516745bfeafc49904b496089");
	assert_hex(out + 32, 16, "8ea2b7ca516745bfeafc49904b496089");
	ck_assert_int_eq(kms_ecb_blocks(e, in.p, in.p, 1), 0);
	assert_hex(in.p, 16, "8ea2b7ca516745bfeafc49904b496089");
	ck_assert_int_eq(kms_ecb_blocks(e, in.p, out, 0), 0);
	kms_ecb_free(&e);
	kms_ecb_free(&e);
	kms_ecb_free(NULL);
}
END_TEST

/* SP 800-38B, examples for AES-256 */
static const struct {
	size_t len;
	const char *mac;
} cmac[] = {
    {0, "028962f61b7bf89efc6b551f4667d983"},
    {16, "28a7023f452e8f82bd4bf28d8c37c35c"},
    {40, "aaf3d8f1de5640c232f5b169b9c911e6"},
    {64, "e1992190549f6ed5696a2c056c315410"},
};

START_TEST(cmac_is_as_published)
{
	struct kms_secret
	    *key = secret_of_hex("603deb1015ca71be2b73aef0857d7781"
				 "1f352c073b6108d72d9810a30914dff4");
	struct hex in = from_hex("6bc1bee22e409f96e93d7e117393172a"
				 "ae2d8a571e03ac9c9eb76fac45af8e51"
				 "30c81c46a35ce411e5fbc1191a0a52ef"
				 "f69f2445df4f9b17ad2b417be66c3710");
	uint8_t out[16];

	ck_assert_int_eq(kms_cmac(key, in.p, cmac[_i].len, out), 0);
	assert_hex(out, 16, cmac[_i].mac);
	kms_secret_free(&key);
}
END_TEST

/* RFC 5869, A.3: salt and info empty */
START_TEST(hkdf_is_as_published)
{
	struct kms_secret *
	    ikm = secret_of_hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
	struct kms_secret *out;

	ck_assert_int_eq(kms_hkdf(ikm, (struct kms_bytes){NULL, 0}, 42, &out),
	    0);
	assert_hex(kms_secret_bytes(out), 42,
	    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879e"
	    "c3454e5f3c738d2d9d201395faa4b61a96c8");
	kms_secret_free(&ikm);
	kms_secret_free(&out);
}
END_TEST

/* RFC 5869, A.1: its PRK is where the expansion begins */
START_TEST(hkdf_expand_is_as_published)
{
	struct kms_secret
	    *prk = secret_of_hex("077709362c2e32df0ddc3f0dc47bba63"
				 "90b6c73bb50f9c3122ec844ad7c2b3e5");
	struct hex info = from_hex("f0f1f2f3f4f5f6f7f8f9");
	struct kms_secret *out;

	ck_assert_int_eq(kms_hkdf_expand(prk,
			     (struct kms_bytes){info.p, info.len}, 42, &out),
	    0);
	assert_hex(kms_secret_bytes(out), 42,
	    "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c"
	    "5db02d56ecc4c5bf34007208d5b887185865");
	kms_secret_free(&prk);
	kms_secret_free(&out);
}
END_TEST

START_TEST(hkdf_gives_1_to_64_bytes)
{
	struct kms_secret *key, *out;
	struct kms_bytes info = {"x", 1};

	ck_assert_int_eq(kms_secret_new(32, &key), 0);
	ck_assert_int_eq(kms_hkdf(key, info, 64, &out), 0);
	kms_secret_free(&out);
	ck_assert_int_eq(kms_hkdf(key, info, 65, &out), KMS_ERR_INTERNAL);
	ck_assert_ptr_null(out);
	ck_assert_int_eq(kms_hkdf_expand(key, info, 0, &out), KMS_ERR_INTERNAL);
	kms_secret_free(&key);
}
END_TEST

/* Widely published values for PBKDF2-HMAC-SHA512 with 4,096 rounds, first 32
 * of 64 bytes (one block, so a prefix). */
static const struct {
	const char *phrase, *salt, *out;
} pbkdf2[] = {
    {"password", "salt",
	"d197b1b33db0143e018b12f3d1d1479e"
	"6cdebdcc97c5c0f87f6902e072f457b5"},
    {"passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt",
	"8c0511f4c6e597c6ac6315d8f0362e22"
	"5f3c501495ba23b868c005174dc4ee71"},
};

static struct kms_secret *
phrase_of(const char *text)
{
	struct kms_secret *s;

	ck_assert_int_eq(kms_secret_new(strlen(text), &s), 0);
	memcpy(kms_secret_fill(s), text, strlen(text));
	return s;
}

START_TEST(pbkdf2_is_as_published)
{
	struct kms_secret *phrase = phrase_of(pbkdf2[_i].phrase), *out;
	struct kms_bytes salt = {pbkdf2[_i].salt, strlen(pbkdf2[_i].salt)};

	ck_assert_int_eq(kms_pbkdf2(phrase, salt, 12, &out), 0);
	ck_assert_uint_eq(kms_secret_len(out), 32);
	assert_hex(kms_secret_bytes(out), 32, pbkdf2[_i].out);
	kms_secret_free(&phrase);
	kms_secret_free(&out);
}
END_TEST

/* The cost may come from a tape: an absurd one must not hang. */
START_TEST(pbkdf2_takes_costs_10_to_26)
{
	const unsigned bad[] = {0, 9, 27, 31, 63, 64, 255};
	struct kms_secret *phrase = phrase_of("password"), *out;
	struct kms_bytes salt = {"salt", 4};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(kms_pbkdf2(phrase, salt, bad[i], &out),
		    KMS_ERR_LIMIT);
		ck_assert_ptr_null(out);
	}
	ck_assert_int_eq(kms_pbkdf2(phrase, salt, 10, &out), 0);
	kms_secret_free(&out);
	kms_secret_free(&phrase);
}
END_TEST

START_TEST(pbkdf2_takes_an_empty_phrase_and_salt)
{
	struct kms_secret *phrase = phrase_of(""), *out;

	ck_assert_int_eq(kms_pbkdf2(phrase, (struct kms_bytes){NULL, 0}, 10,
			     &out),
	    0);
	kms_secret_free(&out);
	kms_secret_free(&phrase);
}
END_TEST

/* FIPS 180-4 */
START_TEST(sha256_is_as_published)
{
	uint8_t out[32];

	ck_assert_int_eq(kms_sha256("abc", 3, out), 0);
	assert_hex(out, 32,
	    "ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad");
	ck_assert_int_eq(kms_sha256("", 0, out), 0);
	assert_hex(out, 32,
	    "e3b0c44298fc1c149afbf4c8996fb924"
	    "27ae41e4649b934ca495991b7852b855");
}
END_TEST

START_TEST(the_check_value_is_of_the_documented_block)
{
	struct kms_secret
	    *key = secret_of_hex("000102030405060708090a0b0c0d0e0f"
				 "101112131415161718191a1b1c1d1e1f");
	uint8_t kcv[8], block[16];
	struct kms_ecb *e;

	ck_assert_mem_eq(kms_kcv_block, "p11kms check\0\0\0\0", 16);
	ck_assert_int_eq(kms_kcv(key, kcv), 0);
	assert_hex(kcv, 8, "9c602b49a65c74ce");
	ck_assert_int_eq(kms_ecb_new(key, &e), 0);
	ck_assert_int_eq(kms_ecb_blocks(e, kms_kcv_block, block, 1), 0);
	ck_assert_mem_eq(block, kcv, 8);
	kms_ecb_free(&e);
	kms_secret_free(&key);
}
END_TEST

START_TEST(random_bytes_differ)
{
	uint8_t a[32] = {0}, b[32] = {0};
	struct kms_secret *s, *t;

	ck_assert_int_eq(kms_random(a, 32), 0);
	ck_assert_int_eq(kms_random(b, 32), 0);
	ck_assert_mem_ne(a, b, 32);
	ck_assert_int_eq(kms_random(a, 0), 0);
	ck_assert_int_eq(kms_random_secret(32, &s), 0);
	ck_assert_int_eq(kms_random_secret(32, &t), 0);
	ck_assert(!kms_secret_equal(s, t));
	kms_secret_free(&s);
	kms_secret_free(&t);
}
END_TEST

START_TEST(equal_and_wipe_do_what_they_say)
{
	char a[] = "abc";

	ck_assert(kms_equal("abc", a, 3));
	ck_assert(!kms_equal("abd", a, 3));
	ck_assert(kms_equal("x", "y", 0));
	kms_wipe(a, 3);
	ck_assert_mem_eq(a, "\0\0\0", 4);
}
END_TEST

/* A stale entry would be reported for somebody else's call, or end a TLS
 * connection. */
START_TEST(openssls_error_queue_is_left_empty)
{
	uint8_t out[4], tag[16] = {0}, iv[12] = {0};
	struct kms_gcm *g = gcm_of(gcm[0].key);

	ck_assert_int_eq(kms_gcm_open(g, iv, (struct kms_bytes){NULL, 0},
			     "abcd", 4, out, tag),
	    KMS_ERR_DAMAGED);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	ck_assert_ptr_null(EVP_MAC_fetch(NULL, "no such thing", NULL));
	ck_assert_int_eq(kms_crypt_fail("fetch"), KMS_ERR_INTERNAL);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_INTERNAL),
	    "fetch: "));
	ck_assert_uint_eq(ERR_peek_error(), 0);
	ck_assert_int_eq(kms_crypt_fail("what"), KMS_ERR_INTERNAL);
	kms_gcm_free(&g);
}
END_TEST

Suite *
crypt_suite(void)
{
	Suite *s = suite_create("crypt");
	TCase *t = tcase_create("crypt");

	tcase_add_checked_fixture(t, secrets_on, NULL);
	tcase_add_loop_test(t, gcm_seals_as_the_published_vectors, 0, 4);
	tcase_add_loop_test(t, gcm_opens_the_published_vectors, 0, 4);
	tcase_add_test(t, gcm_refuses_every_mutation_and_shows_nothing);
	tcase_add_test(t, gcm_works_in_place);
	tcase_add_test(t, a_key_of_another_length_is_refused);
	tcase_add_test(t, ecb_is_aes_256);
	tcase_add_loop_test(t, cmac_is_as_published, 0, 4);
	tcase_add_test(t, hkdf_is_as_published);
	tcase_add_test(t, hkdf_expand_is_as_published);
	tcase_add_test(t, hkdf_gives_1_to_64_bytes);
	tcase_add_loop_test(t, pbkdf2_is_as_published, 0, 2);
	tcase_add_test(t, pbkdf2_takes_costs_10_to_26);
	tcase_add_test(t, pbkdf2_takes_an_empty_phrase_and_salt);
	tcase_add_test(t, sha256_is_as_published);
	tcase_add_test(t, the_check_value_is_of_the_documented_block);
	tcase_add_test(t, random_bytes_differ);
	tcase_add_test(t, equal_and_wipe_do_what_they_say);
	tcase_add_test(t, openssls_error_queue_is_left_empty);
	suite_add_tcase(s, t);
	return s;
}
