#include <string.h>

#include "kms/base/crypt.h"
#include "kms/derive.h"
#include "kms/policy.h"
#include "tests/unit/kms/tests.h"

/* Computed with the openssl command and with Python's hashlib;
 * tests/cli/openssl_recovers_key.sh recovers the keys of both tags. */
#define PHRASE "correct horse battery staple"
#define B1_TAG \
	"b111b053d4467fab000102030405060708090a0b0c0d0e0f1011121314151617"
#define B1_KEY \
	"2d74b86258621dce706195af7ed74041b460fae1df69e515493f89bbb6505336"
#define B1_TAG_10 \
	"b10a5e56f7852ac5000102030405060708090a0b0c0d0e0f1011121314151617"
#define B1_KEY_10 \
	"6201d4a26332b6e17d1b3cb701c41f30e262997f2c305ee0ea8807a0bb321467"
#define SEED "f65e3a03b1627f6cccb546a00a0567218b7be6057fe0118b40536faeac0ed321"
#define B3_TAG \
	"b311219cf3d29e92404142434445464748494a4b4c4d4e4fa0a1a2a3a4a5a6a7"
#define B3_KEY \
	"b69aba276d00f1bb357b2f21c6e0e28aa689cacccbd66fb0f1967311cbc26fae"
#define HMK "70a8dbccd3e9f85b4fb3d696491239add4400455f882d31c73a1648a831ee2b0"
#define KPK "94c7598fdc77bc3bf1afadb67dc9e1b31b72fd72563c9dc3f62ff2086507c3f3"
#define HMK_JOINED \
	"2cd946fef9c372f0072aff81060f5604a10b398a063a6b51c032981b5fb68958"

static struct kms_secret *phrase, *key;

static void
setup(void)
{
	phrase = secret_from(PHRASE, strlen(PHRASE));
}

static void
teardown(void)
{
	kms_secret_free(&phrase);
	kms_secret_free(&key);
}

static void
assert_key(const char *want)
{
	ck_assert_ptr_nonnull(key);
	assert_hex(kms_secret_bytes(key), kms_secret_len(key), want);
	kms_secret_free(&key);
}

static struct kms_tag
tag_of(const char *hex)
{
	struct kms_tag tag;

	ck_assert_int_eq(kms_tag_parse(&tag, hex), 0);
	return tag;
}

static void
assert_tag(const struct kms_tag *tag, const char *want)
{
	char text[KMS_TAG_TEXT];

	kms_tag_text(tag, text);
	ck_assert_str_eq(text, want);
}

START_TEST(a_data_key_of_its_own_phrase_is_the_known_one)
{
	uint8_t salt[24];
	struct kms_tag tag;
	uint8_t i;

	for (i = 0; i < sizeof(salt); i++)
		salt[i] = i;
	ck_assert_int_eq(kms_derive_data_new(phrase, 17, salt, &tag, &key), 0);
	assert_tag(&tag, B1_TAG);
	assert_key(B1_KEY);
	ck_assert_int_eq(kms_derive_data(phrase, &tag, &key), 0);
	assert_key(B1_KEY);
}
END_TEST

START_TEST(recovery_takes_costs_that_creation_refuses)
{
	const uint8_t salt[24] = {0};
	struct kms_tag tag = tag_of(B1_TAG_10);

	ck_assert_int_eq(kms_derive_data(phrase, &tag, &key), 0);
	assert_key(B1_KEY_10);
	ck_assert_int_eq(kms_derive_data_new(phrase, 16, salt, &tag, &key),
	    KMS_ERR_CONFIG);
	ck_assert_ptr_null(key);
	ck_assert_int_eq(kms_derive_data_new(phrase, 27, salt, &tag, &key),
	    KMS_ERR_CONFIG);
	ck_assert_int_eq(kms_derive_cost_check(17), 0);
	ck_assert_int_eq(kms_derive_cost_check(26), 0);
}
END_TEST

START_TEST(a_wrong_phrase_or_tag_is_caught_by_the_tag)
{
	struct kms_secret *other = secret_from("correct horse", 13);
	struct kms_tag tag = tag_of(B1_TAG_10);
	size_t i;

	ck_assert_int_eq(kms_derive_data(other, &tag, &key), KMS_ERR_AUTH);
	ck_assert_ptr_null(key);
	assert_cause(KMS_ERR_AUTH, "phrase or tag is wrong");
	for (i = 2; i < 32; i++) {
		tag.b[i] ^= 1;
		ck_assert_int_eq(kms_derive_data(phrase, &tag, &key),
		    KMS_ERR_AUTH);
		ck_assert_ptr_null(key);
		tag.b[i] ^= 1;
	}
	kms_secret_free(&other);
}
END_TEST

START_TEST(a_tag_of_another_kind_is_named)
{
	struct kms_tag b1 = tag_of(B1_TAG_10), b3 = tag_of(B3_TAG);
	struct kms_tag b0 = tag_of("b000"
				   "5e56f7852ac5"
				   "000102030405060708090a0b0c0d0e0f"
				   "1011121314151617");
	struct kms_tag foreign = tag_of("0102");
	struct kms_secret *seed = key_of(1);

	ck_assert_int_eq(kms_derive_data(phrase, &b3, &key), KMS_ERR_USAGE);
	assert_cause(KMS_ERR_USAGE, "a key of its group's phrase, not of");
	ck_assert_int_eq(kms_derive_data(phrase, &b0, &key), KMS_ERR_USAGE);
	assert_cause(KMS_ERR_USAGE, "a random key");
	ck_assert_int_eq(kms_derive_data(phrase, &foreign, &key),
	    KMS_ERR_USAGE);
	assert_cause(KMS_ERR_USAGE, "not made here");
	ck_assert_int_eq(kms_derive_group(seed, &b1, &key), KMS_ERR_USAGE);
	assert_cause(KMS_ERR_USAGE, "a key of its own phrase");
	ck_assert_ptr_null(key);
	kms_secret_free(&seed);
}
END_TEST

START_TEST(a_key_of_the_groups_phrase_is_the_known_one)
{
	uint8_t salt[16], nonce[8], i;
	struct kms_secret *seed;
	struct kms_tag tag;

	for (i = 0; i < 16; i++)
		salt[i] = (uint8_t)(0x40 + i);
	for (i = 0; i < 8; i++)
		nonce[i] = (uint8_t)(0xa0 + i);
	ck_assert_int_eq(kms_derive_seed(phrase, salt, 17, &seed), 0);
	assert_hex(kms_secret_bytes(seed), 32, SEED);
	ck_assert_int_eq(kms_derive_group_new(seed, salt, nonce, 17, &tag,
			     &key),
	    0);
	assert_tag(&tag, B3_TAG);
	assert_key(B3_KEY);
	ck_assert_int_eq(kms_derive_group(seed, &tag, &key), 0);
	assert_key(B3_KEY);
	tag.b[31] ^= 1;
	ck_assert_int_eq(kms_derive_group(seed, &tag, &key), KMS_ERR_AUTH);
	kms_secret_free(&seed);
}
END_TEST

START_TEST(master_keys_are_the_known_ones_and_differ_by_role)
{
	struct kms_slot slot = {.role = KMS_ROLE_HMK,
	    .kdf = KMS_KDF_PBKDF2_SHA512,
	    .cost = 17};
	uint8_t i;

	for (i = 0; i < 16; i++)
		slot.salt[i] = (uint8_t)(0x60 + i);
	ck_assert_int_eq(kms_derive_master(phrase, &slot, &key), 0);
	assert_key(HMK);
	slot.role = KMS_ROLE_KPK;
	ck_assert_int_eq(kms_derive_master(phrase, &slot, &key), 0);
	assert_key(KPK);
	slot.kdf = KMS_KDF_NONE;
	ck_assert_int_eq(kms_derive_master(phrase, &slot, &key), KMS_ERR_USAGE);
	assert_cause(KMS_ERR_USAGE, "does not come from a passphrase");
}
END_TEST

START_TEST(components_join_with_their_lengths)
{
	struct kms_slot slot = {.role = KMS_ROLE_HMK,
	    .kdf = KMS_KDF_PBKDF2_SHA512,
	    .cost = 17};
	struct kms_secret *part[2], *joined;
	uint8_t i;

	for (i = 0; i < 16; i++)
		slot.salt[i] = (uint8_t)(0x60 + i);
	part[0] = secret_from("first part", 10);
	part[1] = secret_from("second", 6);
	ck_assert_int_eq(kms_phrase_join(part, 2, &joined), 0);
	assert_hex(kms_secret_bytes(joined), kms_secret_len(joined),
	    "000a6669727374207061727400067365636f6e64");
	ck_assert_int_eq(kms_derive_master(joined, &slot, &key), 0);
	assert_key(HMK_JOINED);
	kms_secret_free(&joined);
	ck_assert_int_eq(kms_phrase_join(part, 1, &joined), KMS_ERR_USAGE);
	ck_assert_int_eq(kms_phrase_join(part, KMS_COMPONENTS_MAX + 1, &joined),
	    KMS_ERR_USAGE);
	kms_secret_free(&part[1]);
	part[1] = secret_from("", 0);
	ck_assert_int_eq(kms_phrase_join(part, 2, &joined), KMS_ERR_PHRASE);
	ck_assert_ptr_null(joined);
	kms_secret_free(&part[0]);
	kms_secret_free(&part[1]);
}
END_TEST

static int
check(const char *text, size_t len, unsigned min)
{
	struct kms_secret *s = secret_from(text, len);
	int r = kms_phrase_check(s, min);

	kms_secret_free(&s);
	return r;
}

static void
refused(const char *text, unsigned min, const char *why)
{
	ck_assert_int_eq(check(text, strlen(text), min), KMS_ERR_PHRASE);
	assert_cause(KMS_ERR_PHRASE, why);
	if (text[0] != '\0')
		ck_assert_ptr_null(strstr(kms_err_cause(KMS_ERR_PHRASE), text));
}

START_TEST(each_rule_of_phrases_refuses_with_its_reason)
{
	char longest[KMS_PHRASE_MAX + 2];

	refused("", 0, "is empty");
	refused("\n", 0, "is empty");
	refused(" leading", 0, "begins or ends with a blank");
	refused("trailing ", 0, "begins or ends with a blank");
	refused("trailing \n", 0, "begins or ends with a blank");
	refused("tab\there", 0, "not printable ASCII");
	refused("two lines\n\n", 0, "not printable ASCII");
	refused("Schl\xc3\xbcssel", 0, "not printable ASCII");
	refused("del\x7f", 0, "not printable ASCII");
	refused("tiny", 15, "shorter than 15 bytes");
	ck_assert_int_eq(check("nul\0nul", 7, 0), KMS_ERR_PHRASE);
	memset(longest, 'x', sizeof(longest));
	ck_assert_int_eq(check(longest, KMS_PHRASE_MAX, 15), 0);
	ck_assert_int_eq(check(longest, KMS_PHRASE_MAX + 1, 15),
	    KMS_ERR_PHRASE);
	assert_cause(KMS_ERR_PHRASE, "over 1024 bytes");
}
END_TEST

START_TEST(recovering_has_no_least_length)
{
	ck_assert_int_eq(check("x", 1, 0), 0);
	ck_assert_int_eq(check("x", 1, 1), 0);
	ck_assert_int_eq(check("x", 1, 2), KMS_ERR_PHRASE);
}
END_TEST

START_TEST(one_line_end_is_stripped_and_no_more)
{
	static const char *const line[] = {"a b", "a b\n", "a b\r\n"};
	struct kms_secret *s;
	size_t i;

	for (i = 0; i < 3; i++) {
		s = secret_from(line[i], strlen(line[i]));
		ck_assert_int_eq(kms_phrase_check(s, 0), 0);
		assert_hex(kms_secret_bytes(s), kms_secret_len(s), "612062");
		kms_secret_free(&s);
	}
	ck_assert_int_eq(check("a b\r", 4, 0), KMS_ERR_PHRASE);
}
END_TEST

START_TEST(a_generated_phrase_has_its_form_and_passes_the_rules)
{
	size_t i;

	kms_secret_free(&phrase);
	ck_assert_int_eq(kms_phrase_new(&phrase), 0);
	ck_assert_uint_eq(kms_secret_len(phrase), 39);
	for (i = 0; i < 39; i++)
		ck_assert(i % 5 == 4
			? kms_secret_bytes(phrase)[i] == '-'
			: strchr("acdefghjkmnpqrtvwxy34679",
			      kms_secret_bytes(phrase)[i]) != NULL);
	ck_assert_int_eq(kms_phrase_check(phrase, KMS_PHRASE_MIN_DEFAULT), 0);
}
END_TEST

START_TEST(every_symbol_and_no_phrase_comes_twice)
{
	struct kms_secret *last = NULL, *s;
	unsigned seen[128] = {0}, symbols = 0;
	size_t i, j;

	for (i = 0; i < 400; i++) {
		ck_assert_int_eq(kms_phrase_new(&s), 0);
		ck_assert(last == NULL || !kms_secret_equal(last, s));
		for (j = 0; j < 34; j++)
			seen[kms_secret_bytes(s)[j]]++;
		kms_secret_free(&last);
		last = kms_secret_take(&s);
	}
	kms_secret_free(&last);
	/* 400 × 28 symbols over 24: 467 each; 5.6 sigma are 118 */
	for (i = 0; i < 128; i++)
		if (i != '-' && seen[i] > 0) {
			symbols++;
			ck_assert_uint_gt(seen[i], 467 - 118);
			ck_assert_uint_lt(seen[i], 467 + 118);
		}
	ck_assert_uint_eq(symbols, 24);
}
END_TEST

START_TEST(a_mistyped_generated_phrase_is_refused_when_creating)
{
	char text[] = "acde-fghj-kmnp-qrtv-wxy3-4679-acde-mt6c";
	size_t i;

	ck_assert_int_eq(check(text, 39, 15), 0);
	for (i = 0; i < 39; i++) {
		char was = text[i];

		if (was == '-')
			continue;
		text[i] = was == 'a' ? 'c' : 'a';
		ck_assert_int_eq(check(text, 39, 15), KMS_ERR_PHRASE);
		assert_cause(KMS_ERR_PHRASE, "check group");
		ck_assert_int_eq(check(text, 39, 0), 0);
		text[i] = was;
	}
	/* any other form is a phrase like others */
	text[0] = 'b';
	ck_assert_int_eq(check(text, 39, 15), 0);
}
END_TEST

Suite *
derive_suite(void)
{
	Suite *s = suite_create("derive");
	TCase *t = tcase_create("derive");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_data_key_of_its_own_phrase_is_the_known_one);
	tcase_add_test(t, recovery_takes_costs_that_creation_refuses);
	tcase_add_test(t, a_wrong_phrase_or_tag_is_caught_by_the_tag);
	tcase_add_test(t, a_tag_of_another_kind_is_named);
	tcase_add_test(t, a_key_of_the_groups_phrase_is_the_known_one);
	tcase_add_test(t, master_keys_are_the_known_ones_and_differ_by_role);
	tcase_add_test(t, components_join_with_their_lengths);
	tcase_add_test(t, each_rule_of_phrases_refuses_with_its_reason);
	tcase_add_test(t, recovering_has_no_least_length);
	tcase_add_test(t, one_line_end_is_stripped_and_no_more);
	tcase_add_test(t, a_generated_phrase_has_its_form_and_passes_the_rules);
	tcase_add_test(t, every_symbol_and_no_phrase_comes_twice);
	tcase_add_test(t, a_mistyped_generated_phrase_is_refused_when_creating);
	suite_add_tcase(s, t);
	return s;
}
