/* Client data under a data key that stays in the token. */
#include "tests/unit/hsm/tests.h"

#include <string.h>

#include "hsm/datakey.h"

#define GCM_ALTERED_TRIES 8

static const char *const mechs[] = {"", "nomech=2109",
    "nomech=2109 nomech=210a", "nomech=2109 nomech=210a nomech=1087"};
#define MECHS ((int)(sizeof(mechs) / sizeof(mechs[0])))

static const enum kms_cipher ciphers[] = {KMS_CIPHER_ECB, KMS_CIPHER_CBC,
    KMS_CIPHER_GCM};

static const char text[] = "a key of the client's, as MSDP would have it";

static struct kms_crypt
encryption(enum kms_cipher cipher)
{
	struct kms_crypt c = {
	    .cipher = cipher,
	    .padded = cipher != KMS_CIPHER_GCM,
	    .in = {text, sizeof(text)},
	    .iv_len = kms_cipher_iv_len(cipher),
	};

	memset(c.iv, 0x31, c.iv_len);
	if (cipher == KMS_CIPHER_GCM) {
		c.tag_len = KMS_GCM_TAG;
		c.aad = (struct kms_bytes){"said beside", 11};
	}
	return c;
}

/* Of what c made, which it borrows. */
static struct kms_crypt
decryption(const struct kms_crypt *c)
{
	struct kms_crypt d = *c;

	d.decrypt = true;
	d.out = NULL;
	d.in.p = kms_secret_bytes(c->out);
	d.in.len = kms_secret_len(c->out);
	return d;
}

START_TEST(token_and_host_encrypt_alike)
{
	enum kms_cipher cipher = ciphers[_i % 3];
	struct kms_crypt host = encryption(cipher);
	struct kms_crypt token = encryption(cipher), back;
	struct kms_secret *data = secret_of(0xa5);
	struct kms_wrapped w;
	struct kms_slot slot;

	faults(mechs[_i / 3]);
	slot = made(KMS_ROLE_KPK, 1);
	assert_ok(sealer->wrap(sealer, &slot, data, &w));
	assert_ok(kms_cipher_run(data, &host));
	assert_ok(sealer->crypt(sealer, &slot, &w, &token));
	ck_assert(kms_secret_equal(host.out, token.out));
	ck_assert_mem_eq(host.tag, token.tag, sizeof(host.tag));
	back = decryption(&host);
	assert_ok(sealer->crypt(sealer, &slot, &w, &back));
	ck_assert_uint_eq(kms_secret_len(back.out), sizeof(text));
	ck_assert_mem_eq(kms_secret_bytes(back.out), text, sizeof(text));
	kms_secret_free(&host.out);
	kms_secret_free(&token.out);
	kms_secret_free(&back.out);
	kms_secret_free(&data);
}
END_TEST

/* And leaves no session object behind. */
START_TEST(the_key_is_never_shown_to_the_host)
{
	struct kms_crypt c = encryption(KMS_CIPHER_GCM), d;
	CK_OBJECT_HANDLE h[8];
	struct kms_wrapped w;
	struct kms_slot slot;
	struct raw raw;
	unsigned shown;

	slot = made(KMS_ROLE_KPK, 1);
	assert_ok(sealer->wrap(sealer, &slot, NULL, &w));
	shown = calls_of("key shown");
	assert_ok(sealer->crypt(sealer, &slot, &w, &c));
	d = decryption(&c);
	assert_ok(sealer->crypt(sealer, &slot, &w, &d));
	ck_assert_uint_eq(calls_of("key shown"), shown);
	raw = raw_open();
	ck_assert_uint_eq(raw_find(raw, CKO_SECRET_KEY, NULL, h, 8), 1);
	kms_secret_free(&c.out);
	kms_secret_free(&d.out);
}
END_TEST

static CK_OBJECT_HANDLE
single(struct raw raw, bool decrypt)
{
	CK_MECHANISM m = {CKM_AES_KEY_GEN, NULL, 0};
	CK_OBJECT_HANDLE h;
	struct hsm_template t;

	hsm_datakey_single(&t, decrypt);
	hsm_template_number(&t, CKA_VALUE_LEN, KMS_KEY_LEN);
	ck_assert_uint_eq(raw.f->C_GenerateKey(raw.h, &m, t.a, t.n, &h),
	    CKR_OK);
	return h;
}

START_TEST(a_key_at_work_has_one_usage_and_cannot_leave)
{
	CK_MECHANISM ecb = {CKM_AES_ECB, NULL, 0};
	CK_MECHANISM kw = {CKM_AES_KEY_WRAP, NULL, 0};
	struct raw raw = raw_open();
	CK_OBJECT_HANDLE h = single(raw, _i), other = single(raw, !_i);
	CK_BYTE out[64];
	CK_ULONG len = sizeof(out);
	CK_ATTRIBUTE value = {CKA_VALUE, out, sizeof(out)};

	ck_assert_uint_eq(_i ? raw.f->C_EncryptInit(raw.h, &ecb, h)
			     : raw.f->C_DecryptInit(raw.h, &ecb, h),
	    CKR_KEY_FUNCTION_NOT_PERMITTED);
	ck_assert_uint_eq(raw.f->C_GetAttributeValue(raw.h, h, &value, 1),
	    CKR_ATTRIBUTE_SENSITIVE);
	ck_assert_uint_ne(raw.f->C_WrapKey(raw.h, &kw, other, h, out, &len),
	    CKR_OK);
}
END_TEST

/* A wrong tag sounds like a token that fails; it must not cost a login, and
 * what comes after it must work. */
START_TEST(altered_data_is_refused_and_the_token_left_alone)
{
	struct kms_crypt c = encryption(KMS_CIPHER_GCM), d;
	struct kms_wrapped w;
	struct kms_slot slot;
	unsigned opened;
	int i;

	faults(mechs[_i]);
	slot = made(KMS_ROLE_KPK, 1);
	assert_ok(sealer->wrap(sealer, &slot, NULL, &w));
	assert_ok(sealer->crypt(sealer, &slot, &w, &c));
	opened = calls_of("C_OpenSession");
	for (i = 0; i < GCM_ALTERED_TRIES; i++) {
		d = decryption(&c);
		d.tag[i] ^= 1;
		assert_fails(sealer->crypt(sealer, &slot, &w, &d),
		    KMS_ERR_USAGE, "does not decrypt");
		ck_assert_ptr_null(d.out);
	}
	d = decryption(&c);
	d.aad.len--;
	assert_fails(sealer->crypt(sealer, &slot, &w, &d), KMS_ERR_USAGE,
	    "does not decrypt");
	d = decryption(&c);
	assert_ok(sealer->crypt(sealer, &slot, &w, &d));
	ck_assert_uint_eq(calls_of("C_Login"), 1);
	ck_assert_uint_eq(calls_of("C_OpenSession"), opened);
	kms_secret_free(&c.out);
	kms_secret_free(&d.out);
}
END_TEST

START_TEST(a_failing_token_is_no_verdict_on_the_data)
{
	struct kms_crypt c = encryption(KMS_CIPHER_GCM), d;
	struct kms_wrapped w;
	struct kms_slot slot;

	slot = made(KMS_ROLE_KPK, 1);
	assert_ok(sealer->wrap(sealer, &slot, NULL, &w));
	assert_ok(sealer->crypt(sealer, &slot, &w, &c));
	/* away for good, from the middle of a decryption on */
	faults("C_Decrypt:1+=5 C_UnwrapKey:3+=30");
	d = decryption(&c);
	assert_fails(sealer->crypt(sealer, &slot, &w, &d), KMS_ERR_TOKEN, "");
	ck_assert_ptr_null(d.out);
	/* a moment's failure is tried again */
	faults("C_UnwrapKey:2=30");
	d = decryption(&c);
	assert_ok(sealer->crypt(sealer, &slot, &w, &d));
	kms_secret_free(&c.out);
	kms_secret_free(&d.out);
}
END_TEST

START_TEST(a_wrapped_key_of_another_check_value_does_nothing)
{
	struct kms_crypt c = encryption(KMS_CIPHER_CBC);
	struct kms_wrapped w;
	struct kms_slot slot;

	faults(mechs[_i / 2]);
	slot = made(KMS_ROLE_KPK, 1);
	assert_ok(sealer->wrap(sealer, &slot, NULL, &w));
	w.kcv[0] ^= 1;
	c.decrypt = _i % 2 != 0;
	c.padded = false;
	c.in.len = 32;
	assert_fails(sealer->crypt(sealer, &slot, &w, &c), KMS_ERR_AUTH,
	    "check value differs");
	ck_assert_ptr_null(c.out);
}
END_TEST

START_TEST(modes_are_tried_rather_than_believed)
{
	struct kms_crypt c = encryption(KMS_CIPHER_GCM);
	struct kms_wrapped w;
	struct kms_slot slot;
	unsigned has, opened;

	slot = made(KMS_ROLE_KPK, 1);
	faults("nomech=1087");
	assert_ok(sealer->wrap(sealer, &slot, NULL, &w));
	assert_ok(sealer->ciphers(sealer, &slot, &has));
	ck_assert_uint_eq(has, 1u << KMS_CIPHER_ECB | 1u << KMS_CIPHER_CBC);
	assert_fails(sealer->crypt(sealer, &slot, &w, &c), KMS_ERR_USAGE,
	    "AES-GCM: the token does not do it");
	opened = calls_of("C_OpenSession");
	assert_ok(sealer->ciphers(sealer, &slot, &has));
	ck_assert_uint_eq(calls_of("C_OpenSession"), opened);
}
END_TEST

START_TEST(the_host_has_every_mode)
{
	struct kms_slot slot;
	unsigned has;

	faults(mechs[3]);
	slot = made(KMS_ROLE_KPK, 1);
	assert_ok(sealer->ciphers(sealer, &slot, &has));
	ck_assert_uint_eq(has, KMS_CIPHERS_ALL);
}
END_TEST

/* Empty plaintext, about a block, the longest. */
START_TEST(every_length_comes_back)
{
	static const uint8_t zeros[KMS_CRYPT_MAX];
	static const size_t lens[] = {0, 1, 15, 16, 17, 4096, KMS_CRYPT_MAX};
	struct kms_crypt c = encryption(ciphers[_i]), d;
	struct kms_wrapped w;
	struct kms_slot slot;
	size_t i;

	slot = made(KMS_ROLE_KPK, 1);
	assert_ok(sealer->wrap(sealer, &slot, NULL, &w));
	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		c.in = (struct kms_bytes){zeros, lens[i]};
		assert_ok(sealer->crypt(sealer, &slot, &w, &c));
		d = decryption(&c);
		assert_ok(sealer->crypt(sealer, &slot, &w, &d));
		ck_assert_uint_eq(kms_secret_len(d.out), lens[i]);
		ck_assert_mem_eq(kms_secret_bytes(d.out), zeros, lens[i]);
		kms_secret_free(&c.out);
		kms_secret_free(&d.out);
	}
}
END_TEST

TCase *
crypt_tests(void)
{
	TCase *tc = case_opened("crypt");

	tcase_add_loop_test(tc, token_and_host_encrypt_alike, 0, 3 * MECHS);
	tcase_add_test(tc, the_key_is_never_shown_to_the_host);
	tcase_add_loop_test(tc, a_key_at_work_has_one_usage_and_cannot_leave, 0,
	    2);
	tcase_add_loop_test(tc,
	    altered_data_is_refused_and_the_token_left_alone, 0, MECHS);
	tcase_add_test(tc, a_failing_token_is_no_verdict_on_the_data);
	tcase_add_loop_test(tc,
	    a_wrapped_key_of_another_check_value_does_nothing, 0, 2 * MECHS);
	tcase_add_test(tc, modes_are_tried_rather_than_believed);
	tcase_add_test(tc, the_host_has_every_mode);
	tcase_add_loop_test(tc, every_length_comes_back, 0, 3);
	return tc;
}
