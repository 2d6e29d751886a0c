#include <openssl/err.h>
#include <string.h>

#include "kms/base/cipher.h"
#include "tests/unit/base/tests.h"

#define NIST_KEY                           \
	"603deb1015ca71be2b73aef0857d7781" \
	"1f352c073b6108d72d9810a30914dff4"
#define NIST_TEXT                          \
	"6bc1bee22e409f96e93d7e117393172a" \
	"ae2d8a571e03ac9c9eb76fac45af8e51"

/* SP 800-38A F.1.5 and F.2.5, the first two blocks; McGrew and Viega's test
 * case 16. */
static const struct {
	enum kms_cipher cipher;
	const char *key, *iv, *aad, *plain, *out, *tag;
} vectors[] = {
    {KMS_CIPHER_ECB, NIST_KEY, "", "", NIST_TEXT,
	"f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870", ""},
    {KMS_CIPHER_CBC, NIST_KEY, "000102030405060708090a0b0c0d0e0f", "",
	NIST_TEXT,
	"f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d", ""},
    {KMS_CIPHER_GCM,
	"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	"cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
	"76fc6ece0f4e1768cddf8853bb2d551b"},
};
#define VECTORS ((int)(sizeof(vectors) / sizeof(vectors[0])))

struct given {
	struct hex iv, aad, plain, out, tag;
	struct kms_secret *key;
	struct kms_crypt c;
};

static void
give(struct given *g, int i, bool decrypt)
{
	g->iv = from_hex(vectors[i].iv);
	g->aad = from_hex(vectors[i].aad);
	g->plain = from_hex(vectors[i].plain);
	g->out = from_hex(vectors[i].out);
	g->tag = from_hex(vectors[i].tag);
	g->key = secret_of_hex(vectors[i].key);
	g->c = (struct kms_crypt){.cipher = vectors[i].cipher,
	    .decrypt = decrypt,
	    .in = {decrypt ? g->out.p : g->plain.p, g->plain.len},
	    .aad = {g->aad.p, g->aad.len},
	    .iv_len = g->iv.len,
	    .tag_len = g->tag.len};
	memcpy(g->c.iv, g->iv.p, g->iv.len);
	if (decrypt)
		memcpy(g->c.tag, g->tag.p, g->tag.len);
}

static void
taken(struct given *g)
{
	kms_secret_free(&g->c.out);
	kms_secret_free(&g->key);
}

START_TEST(each_mode_is_as_published)
{
	struct given g;

	give(&g, _i, false);
	ck_assert_int_eq(kms_cipher_run(g.key, &g.c), 0);
	assert_hex(kms_secret_bytes(g.c.out), kms_secret_len(g.c.out),
	    vectors[_i].out);
	assert_hex(g.c.tag, g.c.tag_len, vectors[_i].tag);
	taken(&g);
	give(&g, _i, true);
	ck_assert_int_eq(kms_cipher_run(g.key, &g.c), 0);
	assert_hex(kms_secret_bytes(g.c.out), kms_secret_len(g.c.out),
	    vectors[_i].plain);
	taken(&g);
}
END_TEST

START_TEST(a_shorter_tag_is_the_beginning_of_the_whole)
{
	struct given g;

	give(&g, 2, false);
	g.c.tag_len = 12;
	ck_assert_int_eq(kms_cipher_run(g.key, &g.c), 0);
	ck_assert_mem_eq(g.c.tag, g.tag.p, 12);
	taken(&g);
	give(&g, 2, true);
	g.c.tag_len = 12;
	ck_assert_int_eq(kms_cipher_run(g.key, &g.c), 0);
	taken(&g);
}
END_TEST

/* Every bit of IV, additional data, text and tag. */
START_TEST(gcm_decrypts_nothing_that_was_altered)
{
	struct given g;
	struct {
		uint8_t *p;
		size_t len;
	} part[4];
	size_t i, bit;

	give(&g, 2, true);
	part[0].p = g.c.iv, part[0].len = g.c.iv_len;
	part[1].p = g.aad.p, part[1].len = g.aad.len;
	part[2].p = g.out.p, part[2].len = g.out.len;
	part[3].p = g.c.tag, part[3].len = g.c.tag_len;
	for (i = 0; i < 4; i++)
		for (bit = 0; bit < 8 * part[i].len; bit++) {
			part[i].p[bit / 8] ^= (uint8_t)(1u << bit % 8);
			ck_assert_int_eq(kms_cipher_run(g.key, &g.c),
			    KMS_ERR_USAGE);
			ck_assert_ptr_null(g.c.out);
			part[i].p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	ck_assert_int_eq(kms_cipher_run(g.key, &g.c), 0);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	taken(&g);
}
END_TEST

START_TEST(padded_data_of_every_length_comes_back)
{
	uint8_t text[50];
	struct given g;
	struct kms_crypt back;
	size_t n;

	memset(text, 0x10, sizeof(text));
	for (n = 0; n < sizeof(text); n++) {
		give(&g, _i, false);
		g.c.padded = true;
		g.c.in = (struct kms_bytes){text, n};
		ck_assert_int_eq(kms_cipher_run(g.key, &g.c), 0);
		ck_assert_uint_eq(kms_secret_len(g.c.out), n / 16 * 16 + 16);
		back = g.c;
		back.decrypt = true;
		back.in.p = kms_secret_bytes(g.c.out);
		back.in.len = kms_secret_len(g.c.out);
		ck_assert_int_eq(kms_cipher_run(g.key, &back), 0);
		ck_assert_uint_eq(kms_secret_len(back.out), n);
		ck_assert_mem_eq(kms_secret_bytes(back.out), text, n);
		kms_secret_free(&back.out);
		taken(&g);
	}
}
END_TEST

START_TEST(what_is_no_padding_is_refused)
{
	static const char *const ends[] = {"00", "11", "ff", "0302", "020303"};
	struct kms_secret *s;
	size_t i, n;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct hex end = from_hex(ends[i]);

		ck_assert_int_eq(kms_secret_new(32, &s), 0);
		n = 32 - end.len;
		memcpy(kms_secret_fill(s) + n, end.p, end.len);
		ck_assert_int_eq(kms_cipher_unpad(s), KMS_ERR_USAGE);
		kms_secret_free(&s);
	}
	ck_assert_int_eq(kms_secret_new(0, &s), 0);
	ck_assert_int_eq(kms_cipher_unpad(s), KMS_ERR_USAGE);
	kms_secret_free(&s);
	/* longer than all there is */
	ck_assert_int_eq(kms_secret_new(1, &s), 0);
	*kms_secret_fill(s) = 2;
	ck_assert_int_eq(kms_cipher_unpad(s), KMS_ERR_USAGE);
	kms_secret_free(&s);
}
END_TEST

static const struct {
	enum kms_cipher cipher;
	bool decrypt, padded;
	size_t in, aad, iv, tag;
} wrong[] = {
    {0, false, false, 16, 0, 0, 0},
    {KMS_CIPHER_GCM + 1, false, false, 16, 0, 0, 0},
    {KMS_CIPHER_ECB, false, false, 0, 0, 0, 0},
    {KMS_CIPHER_ECB, false, false, 17, 0, 0, 0},
    {KMS_CIPHER_ECB, false, false, 16, 0, 16, 0},
    {KMS_CIPHER_ECB, true, true, 0, 0, 0, 0},
    {KMS_CIPHER_ECB, true, true, 15, 0, 0, 0},
    {KMS_CIPHER_CBC, false, false, 15, 0, 16, 0},
    {KMS_CIPHER_CBC, false, true, 15, 0, 12, 0},
    {KMS_CIPHER_CBC, false, true, 15, 0, 0, 0},
    {KMS_CIPHER_CBC, false, true, 15, 1, 16, 0},
    {KMS_CIPHER_CBC, true, true, 16, 0, 16, 16},
    {KMS_CIPHER_CBC, false, true, KMS_CRYPT_MAX + 1, 0, 16, 0},
    {KMS_CIPHER_CBC, true, true, KMS_CRYPT_MAX + 32, 0, 16, 0},
    {KMS_CIPHER_GCM, false, false, 16, 0, 16, 16},
    {KMS_CIPHER_GCM, false, false, 16, 0, 0, 16},
    {KMS_CIPHER_GCM, false, true, 16, 0, 12, 16},
    {KMS_CIPHER_GCM, false, false, 16, 0, 12, 0},
    {KMS_CIPHER_GCM, true, false, 16, 0, 12, 11},
    {KMS_CIPHER_GCM, true, false, 16, 0, 12, 17},
    {KMS_CIPHER_GCM, false, false, 1, KMS_CRYPT_MAX + 1, 12, 16},
};

START_TEST(what_does_not_fit_is_refused)
{
	static const uint8_t zeros[KMS_CRYPT_MAX + 64];
	struct kms_secret *key = secret_of_hex(NIST_KEY);
	struct kms_crypt c = {.cipher = wrong[_i].cipher,
	    .decrypt = wrong[_i].decrypt,
	    .padded = wrong[_i].padded,
	    .in = {zeros, wrong[_i].in},
	    .aad = {zeros, wrong[_i].aad},
	    .iv_len = wrong[_i].iv,
	    .tag_len = wrong[_i].tag};

	ck_assert_int_eq(kms_cipher_run(key, &c), KMS_ERR_USAGE);
	ck_assert_ptr_null(c.out);
	kms_secret_free(&key);
}
END_TEST

Suite *
cipher_suite(void)
{
	Suite *s = suite_create("cipher");
	TCase *t = tcase_create("cipher");

	tcase_add_checked_fixture(t, secrets_on, NULL);
	tcase_add_loop_test(t, each_mode_is_as_published, 0, VECTORS);
	tcase_add_test(t, a_shorter_tag_is_the_beginning_of_the_whole);
	tcase_add_test(t, gcm_decrypts_nothing_that_was_altered);
	tcase_add_loop_test(t, padded_data_of_every_length_comes_back, 0, 2);
	tcase_add_test(t, what_is_no_padding_is_refused);
	tcase_add_loop_test(t, what_does_not_fit_is_refused, 0,
	    (int)(sizeof(wrong) / sizeof(wrong[0])));
	suite_add_tcase(s, t);
	return s;
}
