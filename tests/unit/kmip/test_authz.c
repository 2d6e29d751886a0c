/* Who a certificate is, and what its rule allows: by default nothing. */
#include "tests/unit/kmip/certs.h"
#include "tests/unit/kmip/world.h"

#include <string.h>

static struct kmip_rules *
rules_of(const struct kmip_rule_text *text, size_t n)
{
	struct kmip_rules *rules;
	size_t i;

	ok(kmip_rules_new(&rules));
	for (i = 0; i < n; i++)
		ok(kmip_rules_add(rules, &text[i]));
	return rules;
}

START_TEST(patterns_match_whole_names)
{
	ck_assert(kmip_authz_glob("ENCR_*", "ENCR_a"));
	ck_assert(kmip_authz_glob("ENCR_*", "ENCR_"));
	ck_assert(!kmip_authz_glob("ENCR_*", "encr_a"));
	ck_assert(!kmip_authz_glob("ENCR_*", "xENCR_a"));
	ck_assert(kmip_authz_glob("*", ""));
	ck_assert(kmip_authz_glob("*", "anything at all"));
	ck_assert(!kmip_authz_glob("", "a"));
	ck_assert(kmip_authz_glob("", ""));
	ck_assert(kmip_authz_glob("a?c", "abc"));
	ck_assert(!kmip_authz_glob("a?c", "ac"));
	ck_assert(kmip_authz_glob("*vol*", "server:volume"));
	ck_assert(!kmip_authz_glob("*vol", "server:volume"));
	ck_assert(kmip_authz_glob("[a]", "[a]"));
	ck_assert(!kmip_authz_glob("[a]", "a"));
	ck_assert(!kmip_authz_glob("a*b*c*d*e*f*g*h*",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}
END_TEST

START_TEST(a_certificate_leads_to_its_rule)
{
	static const struct kmip_rule_text text[] =
	    {{"media01", "media01.example.com", "ENCR_*", "locate get"},
		{"lib", "library@example.com", "lib", "*"},
		{"uri", "urn:uuid:1234", "uri", "*"}};
	static const struct wanted_cert certs[] = {{.cn = "media01.example.com",
						       .to_s = 60},
	    {.cn = "MEDIA01.example.COM", .to_s = 60},
	    {.cn = "other", .san = "DNS:media01.example.com", .to_s = 60},
	    {.cn = "other", .san = "email:library@example.com", .to_s = 60},
	    {.san = "URI:urn:uuid:1234", .to_s = 60}};
	static const char *const want[] = {"media01", "media01", "media01",
	    "lib", "uri"};
	struct kmip_rules *rules = rules_of(text, 3);
	const struct kmip_rule *rule;
	struct authority ca;
	struct fx *fx = fx_new();
	struct pem pem;
	size_t i;

	authority_new(fx, &ca, "ca");
	for (i = 0; i < 5; i++) {
		authority_sign(&ca, &certs[i], &pem);
		ok(kmip_rules_match(rules, pem.x509, &rule));
		ck_assert_str_eq(kmip_rule_name(rule), want[i]);
		pem_free(&pem);
	}
	authority_free(&ca);
	kmip_rules_drop(&rules);
	fx_free(&fx);
}
END_TEST

START_TEST(a_certificate_without_rule_is_nobody)
{
	static const struct kmip_rule_text text[] = {
	    {"media01", "media01.example.com", "*", "*"}};
	static const struct wanted_cert certs[] =
	    {{.cn = "media01.example.com.evil.org", .to_s = 60},
		{.cn = "media01", .to_s = 60}, {.cn = "*", .to_s = 60},
		{.cn = "*.example.com", .to_s = 60}, {.to_s = 60},
		{.cn = "media01.example.com", .cn2 = "other", .to_s = 60},
		{.cn = "media01.example.com ", .to_s = 60},
		{.cn = "x", .san = "IP:192.0.2.1", .to_s = 60}};
	struct kmip_rules *rules = rules_of(text, 1);
	const struct kmip_rule *rule;
	struct authority ca;
	struct fx *fx = fx_new();
	struct pem pem;
	X509 *nul;
	size_t i;

	authority_new(fx, &ca, "ca");
	for (i = 0; i < sizeof(certs) / sizeof(certs[0]); i++) {
		authority_sign(&ca, &certs[i], &pem);
		ck_assert_int_eq(kmip_rules_match(rules, pem.x509, &rule),
		    KMS_ERR_DENIED);
		ck_assert_ptr_null(rule);
		pem_free(&pem);
	}
	nul = cert_with_nul(&ca);
	ck_assert_int_eq(kmip_rules_match(rules, nul, &rule), KMS_ERR_DENIED);
	X509_free(nul);
	authority_free(&ca);
	kmip_rules_drop(&rules);
	fx_free(&fx);
}
END_TEST

START_TEST(a_rule_allows_what_it_names)
{
	static const struct kmip_rule_text text[] =
	    {{"a", "a", "ENCR_*, disk", "locate, get  Get-Attributes"},
		{"all", "all", "*", "*"}, {"none", "none", NULL, NULL}};
	struct kmip_rules *rules = rules_of(text, 3);
	const struct kmip_rule *a = kmip_rules_at(rules, 0);
	const struct kmip_rule *all = kmip_rules_at(rules, 1);
	const struct kmip_rule *none = kmip_rules_at(rules, 2);

	ck_assert(kmip_rule_may_do(a, KMIP_OP_LOCATE));
	ck_assert(kmip_rule_may_do(a, KMIP_OP_GET));
	ck_assert(kmip_rule_may_do(a, KMIP_OP_GET_ATTRIBUTES));
	ck_assert(!kmip_rule_may_do(a, KMIP_OP_GET_ATTRIBUTE_LIST));
	ck_assert(!kmip_rule_may_do(a, KMIP_OP_DESTROY));
	ck_assert(kmip_rule_may_do(a, KMIP_OP_QUERY));
	ck_assert(kmip_rule_may_do(all, KMIP_OP_DESTROY));
	ck_assert(!kmip_rule_may_do(all, 64));
	ck_assert(!kmip_rule_may_do(all, 0xffffffff));
	ck_assert(kmip_rule_may_do(none, KMIP_OP_DISCOVER_VERSIONS));
	ck_assert(!kmip_rule_may_do(none, KMIP_OP_GET));
	ck_assert(kmip_rule_may_use(a, "ENCR_x"));
	ck_assert(kmip_rule_may_use(a, "disk"));
	ck_assert(!kmip_rule_may_use(a, "disk2"));
	ck_assert(!kmip_rule_may_use(none, ""));
	ck_assert_str_eq(kmip_rule_home(a), "disk");
	ck_assert_str_eq(kmip_rule_home(all), "all");
	ck_assert_ptr_null(kmip_rule_home(none));
	ck_assert_ptr_null(kmip_rules_at(rules, 3));
	kmip_rules_drop(&rules);
}
END_TEST

START_TEST(a_wrong_rule_is_named)
{
	static const struct kmip_rule_text good = {"a", "a.org", "*", "get"};
	static const struct kmip_rule_text bad[] = {{"b", NULL, "*", "get"},
	    {"b", "", "*", "get"}, {"b", "A.ORG", "*", "get"},
	    {"b", "b", "*", "gett"}, {"b", "b", "*", "get all"}};
	struct kmip_rules *rules = rules_of(&good, 1);
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(kmip_rules_add(rules, &bad[i]),
		    KMS_ERR_CONFIG);
		ck_assert_ptr_nonnull(strstr(kms_err_cause(KMS_ERR_CONFIG),
		    "[client b]"));
	}
	ck_assert_ptr_null(kmip_rules_at(rules, 1));
	kmip_rules_drop(&rules);
}
END_TEST

START_TEST(kms_asks_the_rule_too)
{
	static const struct kmip_rule_text text[] = {{"r", "r", "ENCR_*",
							 "get locate"},
	    {"w", "w", "disk", "create activate"}};
	struct kmip_rules *rules = rules_of(text, 2);
	struct kmip_actor r, w;

	kmip_actor_init(&r, kmip_rules_at(rules, 0), "192.0.2.1:1");
	kmip_actor_init(&w, kmip_rules_at(rules, 1), "192.0.2.2:1");
	ck_assert_str_eq(r.base.who.name, "client:r");
	ck_assert_str_eq(r.base.who.host, "192.0.2.1:1");
	ck_assert(r.base.may(&r.base, KMS_EVENT_RELEASE, "ENCR_a"));
	ck_assert(!r.base.may(&r.base, KMS_EVENT_RELEASE, "disk"));
	ck_assert(!r.base.may(&r.base, KMS_EVENT_KEY_CREATE, "ENCR_a"));
	ck_assert(w.base.may(&w.base, KMS_EVENT_KEY_CREATE, "disk"));
	ck_assert(w.base.may(&w.base, KMS_EVENT_GROUP_CREATE, "disk"));
	ck_assert(w.base.may(&w.base, KMS_EVENT_KEY_STATE, "disk"));
	ck_assert(!w.base.may(&w.base, KMS_EVENT_RELEASE, "disk"));
	ck_assert(!w.base.may(&w.base, KMS_EVENT_KEY_DELETE, "disk"));
	/* what no operation of KMIP leads to, nobody may */
	ck_assert(!w.base.may(&w.base, KMS_EVENT_MASTER_ROTATE, "disk"));
	ck_assert(!w.base.may(&w.base, KMS_EVENT_EXPORT, "disk"));
	ck_assert(!w.base.may(&w.base, KMS_EVENT_KEY_ALLOWSERVE, "disk"));
	ck_assert(!w.base.may(&w.base, KMS_EVENT_GROUP_DELETE, "disk"));
	kmip_rules_drop(&rules);
}
END_TEST

TCase *
test_authz(void)
{
	TCase *t = tcase_create("authz");

	tcase_set_timeout(t, 30);
	tcase_add_test(t, patterns_match_whole_names);
	tcase_add_test(t, a_certificate_leads_to_its_rule);
	tcase_add_test(t, a_certificate_without_rule_is_nobody);
	tcase_add_test(t, a_rule_allows_what_it_names);
	tcase_add_test(t, a_wrong_rule_is_named);
	tcase_add_test(t, kms_asks_the_rule_too);
	return t;
}
