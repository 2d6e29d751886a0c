/*
 * Who may do what: a client's certificate leads to one rule of the
 * configuration ([client NAME]), the rule to groups by pattern and operations
 * by name. Without a rule nothing is allowed; what a rule does not name is
 * not allowed either.
 */
#ifndef KMS_KMIP_AUTHZ_H
#define KMS_KMIP_AUTHZ_H

#include <openssl/x509.h>

#include "kms/kmip/def.h"
#include "kms/tx.h"

#define KMIP_RULES_MAX 4096u
#define KMIP_PATTERNS_MAX 64u

struct kmip_rules; /* counted: the server and each request at work hold it */
struct kmip_rule;

/* A [client NAME] section as it was written. */
struct kmip_rule_text {
	const char *name;
	const char *cn;         /* a common name or alternative name, whole */
	const char *groups;     /* patterns with * and ?, blanks between */
	const char *operations; /* names, blanks between; * is all */
};

int kmip_rules_new(struct kmip_rules **) KMS_MUST;
struct kmip_rules *kmip_rules_hold(struct kmip_rules *);
void kmip_rules_drop(struct kmip_rules **);
/* Before the rules are shared. CONFIG names client and word; two rules for
 * one cn are refused. */
int kmip_rules_add(struct kmip_rules *, const struct kmip_rule_text *) KMS_MUST;

/*
 * The rule for a certificate: the first one, in the order of the
 * configuration, whose cn is its only common name or one of its alternative
 * names (DNS, e-mail, URI), letters of either case. DENIED names what the
 * certificate calls itself.
 */
int kmip_rules_match(const struct kmip_rules *, X509 *,
    const struct kmip_rule **) KMS_MUST;
/* Of a certificate without rule: for the log, never for a decision. */
void kmip_authz_describe(X509 *, char *out, size_t cap);

/* The n-th in the configuration's order; NULL at the end. */
const struct kmip_rule *kmip_rules_at(const struct kmip_rules *, size_t n);
const char *kmip_rule_name(const struct kmip_rule *);
/* Query and Discover Versions are everybody's who has a rule. */
bool kmip_rule_may_do(const struct kmip_rule *, uint32_t op);
bool kmip_rule_may_use(const struct kmip_rule *, const char *group);
/* Where objects go that name no group: the first pattern without wildcard,
 * else the rule's own name if its patterns allow it; NULL: nowhere. */
const char *kmip_rule_home(const struct kmip_rule *);

/* The client as kms/ sees it; base.may asks the rule. */
struct kmip_actor {
	struct kms_actor base; /* first */
	const struct kmip_rule *rule;
};
/* peer: its address, for the audit. The rule is borrowed. */
void kmip_actor_init(struct kmip_actor *, const struct kmip_rule *,
    const char *peer);

/* * stands for any bytes, ? for one; no other character is special. */
bool kmip_authz_glob(const char *pattern, const char *name);

#endif
