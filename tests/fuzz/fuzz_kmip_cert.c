/* Any bytes as a certificate: it names nobody, or whom it names exactly. */
#include <openssl/x509.h>

#include "kms/kmip/authz.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static const struct kmip_rule_text text[] = {{"media01",
							 "media01.example.com",
							 "*", "*"},
	    {"library", "library@example.com", "lib", "get"}};
	static struct kmip_rules *rules;
	const struct kmip_rule *rule;
	const unsigned char *at = p;
	char name[64];
	X509 *cert;

	if (rules == NULL) {
		if (kmip_rules_new(&rules) != 0)
			return 0;
		fuzz_must(kmip_rules_add(rules, &text[0]) == 0 &&
			kmip_rules_add(rules, &text[1]) == 0,
		    "rules");
	}
	cert = d2i_X509(NULL, &at, (long)len);
	if (cert == NULL)
		return 0;
	fuzz_must((kmip_rules_match(rules, cert, &rule) == 0) == (rule != NULL),
	    "a rule without a match");
	kmip_authz_describe(cert, name, sizeof(name));
	X509_free(cert);
	return 0;
}
