#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/fixture.h"
#include "tests/unit/tools/tests.h"
#include "tools/config.h"

#define MINIMUM "[store]\npath = /s/kms.db\n[token]\nuri = pkcs11:token=t\n"

static struct fx *fx;
static struct config *c;

static void
setup(void)
{
	fx = fx_new();
}

static void
teardown(void)
{
	config_free(&c);
	fx_free(&fx);
}

static int
load(const char *text)
{
	const char *path = fx_path(fx, "conf");

	config_free(&c);
	fx_write_text(path, text);
	return config_load(path, &c);
}

/* The text is refused, the error names the file and this line of it. */
static void
assert_refused(const char *text, unsigned line, const char *says)
{
	char where[32];
	int r = load(text);

	snprintf(where, sizeof(where), "/conf line %u: ", line);
	ck_assert_msg(r == KMS_ERR_CONFIG, "\"%s\" gave %s", text,
	    kms_err_name(r));
	ck_assert_ptr_null(c);
	ck_assert_msg(strstr(kms_err_cause(r), says) != NULL &&
		(line == 0 || strstr(kms_err_cause(r), where) != NULL),
	    "\"%s\" does not say \"%s\" and \"%s\"", kms_err_cause(r), where,
	    says);
}

START_TEST(what_is_not_given_has_the_documented_default)
{
	ck_assert_int_eq(load(MINIMUM), 0);
	ck_assert_str_eq(c->store.path, "/s/kms.db");
	ck_assert_str_eq(c->token.uri, "pkcs11:token=t");
	ck_assert_ptr_null(c->token.sign_key);
	ck_assert_uint_eq(c->policy.max_groups, 0);
	ck_assert_uint_eq(c->policy.max_keys_per_group, 0);
	ck_assert(c->policy.serve_gate);
	ck_assert(c->policy.delete_gate);
	ck_assert(!c->policy.export_allowed);
	ck_assert_uint_eq(c->policy.kdf_cost, 21);
	ck_assert_uint_eq(c->policy.phrase_min, 15);
	ck_assert_int_eq(c->memory_lock, KMS_SECRET_LOCKED);
	ck_assert(!c->kmip_groups_need_phrase);
	ck_assert_uint_eq(c->drill_max_age, 365 * 86400);
	ck_assert_ptr_null(c->policy.backup_path);
	ck_assert(!c->policy.backup_same_device);
	ck_assert_uint_eq(c->backup.keep, 10);
	ck_assert_uint_eq(c->backup.max_age, 7 * 86400);
	ck_assert_str_eq(c->server.listen, "0.0.0.0:5696");
	ck_assert_uint_eq(c->server.workers, 16);
	ck_assert_uint_eq(c->clients, 0);
}
END_TEST

START_TEST(every_key_of_the_contract_is_taken)
{
	ck_assert_int_eq(load("\xef\xbb\xbf# all of it\r\n" MINIMUM
			      "  sign_key = pkcs11:object=p11kms-audit  \n"
			      "lock_dir=/run/lock\n"
			      "\n; the limits\n[limits]\ngroups = 100\n"
			      "keys_per_group = 10\n"
			      "[policy]\nserve_gate = off\ndelete_gate = off\n"
			      "export = on\nkdf_cost = 17\nphrase_min = 8\n"
			      "memory_lock = optional\n"
			      "kmip_groups_need_phrase = on\n"
			      "drill_max_age = 30d\n"
			      "[backup]\npath = /mnt/b\nkeep = 3\n"
			      "max_age = 12h\nsame_device = on\n"
			      "[server]\nlisten = 127.0.0.1:1\nworkers = 2\n"
			      "metrics = /m.sock\ncert = /c\nkey = pkcs11:x\n"
			      "ca = /a\ncrl = /l\n"
			      "[client media01]\ncn = m.example.com\n"
			      "groups = ENCR_*\noperations = locate get\n"
			      "[client media02]\ncn = m2.example.com\n"
			      "[drive]\nservers = a:1 b:2\ncert = /c\n"
			      "key = /k\nca = /a"),
	    0);
	ck_assert_str_eq(c->token.sign_key, "pkcs11:object=p11kms-audit");
	ck_assert_str_eq(c->token.lock_dir, "/run/lock");
	ck_assert_uint_eq(c->policy.max_groups, 100);
	ck_assert_uint_eq(c->policy.max_keys_per_group, 10);
	ck_assert(!c->policy.serve_gate);
	ck_assert(c->policy.export_allowed);
	ck_assert_uint_eq(c->policy.kdf_cost, 17);
	ck_assert_int_eq(c->memory_lock, KMS_SECRET_OPTIONAL);
	ck_assert_str_eq(c->policy.backup_path, "/mnt/b");
	ck_assert(c->policy.backup_same_device);
	ck_assert_uint_eq(c->backup.max_age, 12 * 3600);
	ck_assert_str_eq(c->server.tls.key, "pkcs11:x");
	ck_assert_uint_eq(c->clients, 2);
	ck_assert_str_eq(c->client[0].name, "media01");
	ck_assert_str_eq(c->client[0].operations, "locate get");
	ck_assert_str_eq(c->client[1].cn, "m2.example.com");
	ck_assert_str_eq(c->drive.servers, "a:1 b:2");
}
END_TEST

START_TEST(a_comment_behind_a_value_is_refused_by_line)
{
	assert_refused(MINIMUM "[policy]\nexport = off # no\n", 6, "comment");
	assert_refused(MINIMUM "[policy]\nexport = off ; no\n", 6, "comment");
	assert_refused(MINIMUM "[policy]\nexport = # no\n", 6, "comment");
	assert_refused(MINIMUM "[policy] # gates\n", 5, "section");
	ck_assert_int_eq(load(MINIMUM "sign_key = pkcs11:object=a#1;b\n"), 0);
	ck_assert_str_eq(c->token.sign_key, "pkcs11:object=a#1;b");
}
END_TEST

START_TEST(an_over_long_line_is_refused_by_number)
{
	char text[6000];

	snprintf(text, sizeof(text), MINIMUM "sign_key = pkcs11:%05000d\n", 1);
	assert_refused(text, 5, "too long");
	snprintf(text, sizeof(text), "# %05000d\n" MINIMUM, 1);
	assert_refused(text, 1, "too long");
	snprintf(text, sizeof(text), MINIMUM "[client %060d]\ncn = x\n", 1);
	assert_refused(text, 5, "too long");
}
END_TEST

START_TEST(a_line_of_4096_bytes_is_read_whole)
{
	char text[6000];

	snprintf(text, sizeof(text), MINIMUM "sign_key = pkcs11:%04078d\n", 7);
	ck_assert_int_eq(load(text), 0);
	ck_assert_uint_eq(strlen(c->token.sign_key), 4085);
	ck_assert_int_eq(c->token.sign_key[4084], '7');
	snprintf(text, sizeof(text), MINIMUM "sign_key = pkcs11:%04079d\n", 7);
	assert_refused(text, 5, "too long");
}
END_TEST

START_TEST(what_nobody_knows_is_refused_by_line)
{
	assert_refused("[store]\npath = /s\n[stork]\n", 3, "unknown section");
	assert_refused("[store]\npfad = /s\n", 2, "unknown key");
	assert_refused("[client]\ncn = x\n", 1, "unknown section");
	assert_refused(MINIMUM "[client a]\nname = x\n", 6, "unknown key");
	assert_refused("path = /s\n", 1, "unknown key");
	assert_refused("[store]\npath\n", 2, "key = value");
	assert_refused("[store\npath = /s\n", 1, "section");
}
END_TEST

START_TEST(a_value_that_cannot_be_is_refused_by_line)
{
	assert_refused("[store]\npath = kms.db\n", 2, "path from the root");
	assert_refused("[store]\npath =\n", 2, "no value");
	assert_refused("[policy]\nexport = yes\n", 2, "neither on nor off");
	assert_refused("[policy]\nkdf_cost = 16\n", 2, "17 to 26");
	assert_refused("[policy]\nkdf_cost = 27\n", 2, "17 to 26");
	assert_refused("[policy]\nmemory_lock = no\n", 2, "optional");
	assert_refused("[policy]\ndrill_max_age = 365\n", 2, "90d");
	assert_refused("[store]\npath = /a\npath = /b\n", 3, "twice");
	assert_refused("[client a]\ncn = x\ncn = y\n", 3, "twice");
	assert_refused("[store]\npath = /a\xff\n", 2, "UTF-8");
	assert_refused("[store]\npath = /a\x01\n", 2, "UTF-8");
}
END_TEST

START_TEST(what_is_required_is_named)
{
	assert_refused("", 0, "[store] path is missing");
	assert_refused("[store]\npath = /s\n", 0, "[token] uri is missing");
	assert_refused(MINIMUM "[client a]\ngroups = x\n", 0,
	    "[client a] cn is missing");
}
END_TEST

START_TEST(a_file_that_cannot_be_used_is_named)
{
	const char *path = fx_path(fx, "none");

	ck_assert_int_eq(config_load(path, &c), KMS_ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_CONFIG), path));
	fx_write(path, MINIMUM, strlen(MINIMUM), 0666);
	ck_assert_int_eq(config_load(path, &c), KMS_ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_CONFIG),
	    "chmod go-w"));
	if (geteuid() == 0) {
		fx_write(path, MINIMUM, strlen(MINIMUM), 0644);
		ck_assert_int_eq(chown(path, 65534, 0), 0);
		ck_assert_int_eq(config_load(path, &c), KMS_ERR_CONFIG);
		ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_CONFIG),
		    "belongs to uid 65534"));
		ck_assert_int_eq(chown(path, 0, 0), 0);
	}
	fx_write(path, "[store]\0path", 12, 0600);
	ck_assert_int_eq(config_load(path, &c), KMS_ERR_CONFIG);
	ck_assert_int_eq(config_load(fx_path(fx, "."), &c), KMS_ERR_CONFIG);
}
END_TEST

START_TEST(any_changed_byte_is_taken_whole_or_refused)
{
	const char text[] = MINIMUM "[policy]\nkdf_cost = 17\n"
				    "[client a]\ncn = x\n";
	char copy[sizeof(text)];
	int r;

	for (size_t i = 0; i + 1 < sizeof(text); i++)
		for (int b = 0; b < 8; b++) {
			memcpy(copy, text, sizeof(text));
			copy[i] = (char)(copy[i] ^ (1 << b));
			fx_write(fx_path(fx, "m"), copy, sizeof(text) - 1,
			    0600);
			r = config_load(fx_path(fx, "m"), &c);
			ck_assert(r == 0 || r == KMS_ERR_CONFIG);
			ck_assert((r == 0) == (c != NULL));
			config_free(&c);
		}
}
END_TEST

TCase *
config_case(void)
{
	TCase *t = tcase_create("config");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, what_is_not_given_has_the_documented_default);
	tcase_add_test(t, every_key_of_the_contract_is_taken);
	tcase_add_test(t, a_comment_behind_a_value_is_refused_by_line);
	tcase_add_test(t, an_over_long_line_is_refused_by_number);
	tcase_add_test(t, a_line_of_4096_bytes_is_read_whole);
	tcase_add_test(t, what_nobody_knows_is_refused_by_line);
	tcase_add_test(t, a_value_that_cannot_be_is_refused_by_line);
	tcase_add_test(t, what_is_required_is_named);
	tcase_add_test(t, a_file_that_cannot_be_used_is_named);
	tcase_add_test(t, any_changed_byte_is_taken_whole_or_refused);
	return t;
}
