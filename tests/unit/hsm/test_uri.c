#include "tests/unit/hsm/tests.h"

#include <string.h>

#include "hsm/ckr.h"
#include "hsm/uri.h"

#define MODULE "?module-path=/lib/m.so"

static struct hsm_uri *uri;

static int
parse(const char *text)
{
	hsm_uri_free(&uri);
	return hsm_uri_parse(text, &uri);
}

static void
refused(const char *text, const char *why)
{
	assert_fails(parse(text), KMS_ERR_CONFIG, why);
	ck_assert_ptr_null(uri);
}

START_TEST(names_token_module_and_pin_file)
{
	const char *name;

	assert_ok(parse("pkcs11:token=a%20b" MODULE "&pin-source=file:/e/p"));
	ck_assert_str_eq(hsm_uri_module(uri), "/lib/m.so");
	ck_assert_str_eq(hsm_uri_name(uri), "'a b'");
	ck_assert_int_eq(hsm_uri_pin(uri, &name), HSM_URI_PIN_FILE);
	ck_assert_str_eq(name, "/e/p");
}
END_TEST

START_TEST(three_slashes_are_a_path_too)
{
	const char *name;

	assert_ok(parse("pkcs11:token=a" MODULE "&pin-source=file:///e/p"));
	ck_assert_int_eq(hsm_uri_pin(uri, &name), HSM_URI_PIN_FILE);
	ck_assert_str_eq(name, "/e/p");
}
END_TEST

START_TEST(a_credential_is_a_pin_source)
{
	const char *name;

	assert_ok(parse("pkcs11:token=a" MODULE "&pin-source=credential:pin"));
	ck_assert_int_eq(hsm_uri_pin(uri, &name), HSM_URI_PIN_CREDENTIAL);
	ck_assert_str_eq(name, "pin");
	refused("pkcs11:token=a" MODULE "&pin-source=credential:../x",
	    "credential");
	refused("pkcs11:token=a" MODULE "&pin-source=credential:",
	    "credential");
}
END_TEST

START_TEST(without_pin_source_somebody_is_asked)
{
	const char *name;

	assert_ok(parse("pkcs11:serial=77" MODULE));
	ck_assert_int_eq(hsm_uri_pin(uri, &name), HSM_URI_PIN_ASK);
	ck_assert_str_eq(hsm_uri_name(uri), "with serial 77");
}
END_TEST

START_TEST(a_pin_in_the_uri_is_refused_and_not_repeated)
{
	refused("pkcs11:token=a" MODULE "&pin-value=geheim", "PIN may not");
	ck_assert_ptr_null(strstr(kms_err_cause(KMS_ERR_CONFIG), "geheim"));
	refused("pkcs11:bogus=1" MODULE "&pin-value=geheim", "PIN may not");
}
END_TEST

START_TEST(a_program_as_pin_source_is_refused)
{
	refused("pkcs11:token=a" MODULE "&pin-source=|cat /e/p", "program");
	refused("pkcs11:token=a" MODULE "&pin-source=%7Ccat", "program");
}
END_TEST

START_TEST(a_relative_or_unknown_pin_source_is_refused)
{
	refused("pkcs11:token=a" MODULE "&pin-source=file:p", "absolute");
	refused("pkcs11:token=a" MODULE "&pin-source=file://h/p", "absolute");
	refused("pkcs11:token=a" MODULE "&pin-source=/e/p", "must be file:");
}
END_TEST

START_TEST(what_is_not_a_token_uri_is_refused)
{
	refused("", "pkcs11:");
	refused("file:/x", "pkcs11:");
	refused("pkcs11:token=%zz" MODULE, "encoding");
	refused("pkcs11:token=a;object=k" MODULE, "object");
	refused("pkcs11:token=a;slot-id=3" MODULE, "slot");
	refused("pkcs11:token=a;colour=3" MODULE, "unknown");
	refused("pkcs11:token=0123456789012345678901234567890123" MODULE,
	    "too long");
	refused("pkcs11:" MODULE, "names no token");
	refused("pkcs11:token=" MODULE, "names no token");
}
END_TEST

START_TEST(the_module_is_named_by_its_whole_path)
{
	refused("pkcs11:token=a", "module-path");
	refused("pkcs11:token=a?module-path=m.so", "absolute");
	refused("pkcs11:token=a?module-name=m", "module-path");
}
END_TEST

static void
info_of(CK_TOKEN_INFO *t, const char *label, const char *serial)
{
	memset(t, ' ', sizeof(*t));
	memcpy(t->label, label, strlen(label));
	memcpy(t->serialNumber, serial, strlen(serial));
}

START_TEST(matches_by_all_that_is_given_and_nothing_else)
{
	CK_TOKEN_INFO t;

	info_of(&t, "a", "12");
	assert_ok(parse("pkcs11:token=a" MODULE));
	ck_assert(hsm_uri_matches(uri, &t));
	assert_ok(parse("pkcs11:token=a;serial=12" MODULE));
	ck_assert(hsm_uri_matches(uri, &t));
	assert_ok(parse("pkcs11:token=a;serial=1" MODULE));
	ck_assert(!hsm_uri_matches(uri, &t));
	assert_ok(parse("pkcs11:token=ab" MODULE));
	ck_assert(!hsm_uri_matches(uri, &t));
}
END_TEST

static void
free_uri(void)
{
	hsm_uri_free(&uri);
}

TCase *
uri_tests(void)
{
	TCase *tc = tcase_create("uri");

	tcase_add_checked_fixture(tc, NULL, free_uri);
	tcase_add_test(tc, names_token_module_and_pin_file);
	tcase_add_test(tc, three_slashes_are_a_path_too);
	tcase_add_test(tc, a_credential_is_a_pin_source);
	tcase_add_test(tc, without_pin_source_somebody_is_asked);
	tcase_add_test(tc, a_pin_in_the_uri_is_refused_and_not_repeated);
	tcase_add_test(tc, a_program_as_pin_source_is_refused);
	tcase_add_test(tc, a_relative_or_unknown_pin_source_is_refused);
	tcase_add_test(tc, what_is_not_a_token_uri_is_refused);
	tcase_add_test(tc, the_module_is_named_by_its_whole_path);
	tcase_add_test(tc, matches_by_all_that_is_given_and_nothing_else);
	return tc;
}

START_TEST(codes_have_names_and_errors)
{
	ck_assert_str_eq(hsm_ckr_name(CKR_OK), "CKR_OK");
	ck_assert_str_eq(hsm_ckr_name(CKR_PIN_LOCKED), "CKR_PIN_LOCKED");
	ck_assert_str_eq(hsm_ckr_name(CKR_VENDOR_DEFINED | 5), "vendor code");
	ck_assert_str_eq(hsm_ckr_name(0x7fff), "unknown code");
	ck_assert_int_eq(hsm_ckr_error(CKR_PIN_INCORRECT), KMS_ERR_PIN);
	ck_assert_int_eq(hsm_ckr_error(CKR_HOST_MEMORY), KMS_ERR_MEMORY);
	ck_assert_int_eq(hsm_ckr_error(CKR_DEVICE_REMOVED), KMS_ERR_TOKEN);
	ck_assert_int_eq(hsm_ckr_error(CKR_VENDOR_DEFINED), KMS_ERR_TOKEN);
}
END_TEST

START_TEST(codes_have_the_class_the_retry_rule_needs)
{
	ck_assert_int_eq(hsm_ckr_class(CKR_DEVICE_REMOVED), HSM_CKR_AWAY);
	ck_assert_int_eq(hsm_ckr_class(CKR_SESSION_HANDLE_INVALID),
	    HSM_CKR_STALE);
	ck_assert_int_eq(hsm_ckr_class(CKR_VENDOR_DEFINED), HSM_CKR_STALE);
	ck_assert_int_eq(hsm_ckr_class(0x7fff), HSM_CKR_STALE);
	ck_assert_int_eq(hsm_ckr_class(CKR_KEY_UNEXTRACTABLE), HSM_CKR_REFUSED);
	ck_assert_int_eq(hsm_ckr_class(CKR_PIN_LOCKED), HSM_CKR_PIN);
}
END_TEST

START_TEST(an_error_names_the_call_and_what_to_do)
{
	assert_fails(hsm_ckr_fail(CKR_DEVICE_REMOVED, "C_WrapKey"),
	    KMS_ERR_TOKEN, "C_WrapKey: CKR_DEVICE_REMOVED (0x32); is the");
}
END_TEST

TCase *
ckr_tests(void)
{
	TCase *tc = tcase_create("ckr");

	tcase_add_test(tc, codes_have_names_and_errors);
	tcase_add_test(tc, codes_have_the_class_the_retry_rule_needs);
	tcase_add_test(tc, an_error_names_the_call_and_what_to_do);
	return tc;
}
