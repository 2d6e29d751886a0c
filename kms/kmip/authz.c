#include "kms/kmip/authz.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/x509v3.h>

#include "kms/base/buf.h"

#define OP(id) (UINT64_C(1) << KMIP_OP_##id)
#define CN_MAX 255u

struct kmip_rule {
	char *name, *cn;
	char *pattern[KMIP_PATTERNS_MAX];
	size_t patterns;
	uint64_t ops; /* bit per operation */
};

struct kmip_rules {
	pthread_mutex_t lock; /* of holders alone: the rest does not change */
	unsigned holders;
	struct kmip_rule *rule[KMIP_RULES_MAX];
	size_t n;
};

/* Which operations may lead to what kms/ is about to do. */
static const struct {
	enum kms_event event;
	uint64_t ops;
} events[] = {
    {KMS_EVENT_GROUP_CREATE, OP(CREATE) | OP(REGISTER)},
    {KMS_EVENT_KEY_CREATE, OP(CREATE) | OP(RE_KEY)},
    {KMS_EVENT_KEY_IMPORT, OP(REGISTER)},
    {KMS_EVENT_KEY_STATE,
	OP(CREATE) | OP(REGISTER) | OP(RE_KEY) | OP(ACTIVATE) | OP(REVOKE) |
	    OP(ARCHIVE) | OP(RECOVER) | OP(DESTROY) | OP(ADD_ATTRIBUTE) |
	    OP(MODIFY_ATTRIBUTE)},
    {KMS_EVENT_KEY_MODIFY,
	OP(CREATE) | OP(REGISTER) | OP(RE_KEY) | OP(ADD_ATTRIBUTE) |
	    OP(MODIFY_ATTRIBUTE) | OP(DELETE_ATTRIBUTE)},
    {KMS_EVENT_KEY_MOVE, OP(ADD_ATTRIBUTE) | OP(MODIFY_ATTRIBUTE)},
    {KMS_EVENT_KEY_ATTRIBUTE,
	OP(CREATE) | OP(REGISTER) | OP(RE_KEY) | OP(GET) | OP(ADD_ATTRIBUTE) |
	    OP(MODIFY_ATTRIBUTE) | OP(DELETE_ATTRIBUTE) | OP(ACTIVATE) |
	    OP(REVOKE) | OP(ARCHIVE) | OP(RECOVER) | OP(DESTROY)},
    {KMS_EVENT_KEY_DELETE, OP(DESTROY)},
    {KMS_EVENT_RELEASE, OP(GET) | OP(ENCRYPT) | OP(DECRYPT)},
};

bool
kmip_authz_glob(const char *p, const char *s)
{
	const char *star = NULL, *again = NULL;

	while (*s != '\0') {
		if (*p == '*') {
			star = ++p;
			again = s;
		} else if (*p == '?' || *p == *s) {
			p++;
			s++;
		} else if (star != NULL) {
			p = star;
			s = ++again;
		} else {
			return false;
		}
	}
	while (*p == '*')
		p++;
	return *p == '\0';
}

static void
rule_free(struct kmip_rule **rp)
{
	struct kmip_rule *r = *rp;
	size_t i;

	if (r == NULL)
		return;
	for (i = 0; i < r->patterns; i++)
		free(r->pattern[i]);
	free(r->name);
	free(r->cn);
	free(r);
	*rp = NULL;
}

int
kmip_rules_new(struct kmip_rules **out)
{
	struct kmip_rules *rules;

	*out = NULL;
	rules = calloc(1, sizeof(*rules));
	if (rules == NULL)
		return kms_fail(KMS_ERR_MEMORY, "client rules: out of memory");
	(void)pthread_mutex_init(&rules->lock, NULL);
	rules->holders = 1;
	*out = rules;
	return 0;
}

struct kmip_rules *
kmip_rules_hold(struct kmip_rules *rules)
{
	(void)pthread_mutex_lock(&rules->lock);
	rules->holders++;
	(void)pthread_mutex_unlock(&rules->lock);
	return rules;
}

void
kmip_rules_drop(struct kmip_rules **rp)
{
	struct kmip_rules *rules;
	unsigned left;
	size_t i;

	if (rp == NULL || *rp == NULL)
		return;
	rules = *rp;
	*rp = NULL;
	(void)pthread_mutex_lock(&rules->lock);
	left = --rules->holders;
	(void)pthread_mutex_unlock(&rules->lock);
	if (left > 0)
		return;
	for (i = 0; i < rules->n; i++)
		rule_free(&rules->rule[i]);
	(void)pthread_mutex_destroy(&rules->lock);
	free(rules);
}

/* Calls back for each word of a list, blanks and commas between them. */
static int
each_word(struct kmip_rule *rule, const char *list,
    int (*each)(struct kmip_rule *, const char *))
{
	char word[KMS_NAME_MAX + 1];
	size_t n;
	int r = 0;

	while (r == 0) {
		list += strspn(list, " \t,");
		if (*list == '\0')
			break;
		n = strcspn(list, " \t,");
		if (n >= sizeof(word))
			return kms_fail(KMS_ERR_CONFIG,
			    "[client %s]: a word of over %u bytes", rule->name,
			    KMS_NAME_MAX);
		memcpy(word, list, n);
		word[n] = '\0';
		list += n;
		r = each(rule, word);
	}
	return r;
}

static int
add_pattern(struct kmip_rule *rule, const char *word)
{
	if (rule->patterns == KMIP_PATTERNS_MAX)
		return kms_fail(KMS_ERR_CONFIG,
		    "[client %s] groups: more than %u", rule->name,
		    KMIP_PATTERNS_MAX);
	rule->pattern[rule->patterns] = strdup(word);
	if (rule->pattern[rule->patterns] == NULL)
		return kms_fail(KMS_ERR_MEMORY, "client rules: out of memory");
	rule->patterns++;
	return 0;
}

static int
add_operation(struct kmip_rule *rule, const char *word)
{
	uint32_t op;

	if (strcmp(word, "*") == 0) {
		rule->ops = UINT64_MAX;
		return 0;
	}
	if (!kmip_def_value(KMIP_TABLE_OPERATION, word, &op))
		return kms_fail(KMS_ERR_CONFIG,
		    "[client %s] operations: KMIP has no operation '%s'",
		    rule->name, word);
	rule->ops |= UINT64_C(1) << op;
	return 0;
}

static int
check_new(const struct kmip_rules *rules, const struct kmip_rule_text *text)
{
	size_t i;

	if (text->cn == NULL || text->cn[0] == '\0')
		return kms_fail(KMS_ERR_CONFIG,
		    "[client %s]: cn is missing; name the certificate's "
		    "common name",
		    text->name);
	if (strlen(text->cn) > CN_MAX)
		return kms_fail(KMS_ERR_CONFIG, "[client %s] cn: over %u bytes",
		    text->name, CN_MAX);
	if (rules->n == KMIP_RULES_MAX)
		return kms_fail(KMS_ERR_CONFIG, "more than %u client sections",
		    KMIP_RULES_MAX);
	for (i = 0; i < rules->n; i++)
		if (strcasecmp(rules->rule[i]->cn, text->cn) == 0)
			return kms_fail(KMS_ERR_CONFIG,
			    "[client %s] cn: [client %s] has it already",
			    text->name, rules->rule[i]->name);
	return 0;
}

static int
rule_new(const struct kmip_rule_text *text, struct kmip_rule **out)
{
	struct kmip_rule *rule;

	*out = NULL;
	rule = calloc(1, sizeof(*rule));
	if (rule != NULL) {
		rule->name = strdup(text->name);
		rule->cn = strdup(text->cn);
	}
	if (rule == NULL || rule->name == NULL || rule->cn == NULL) {
		rule_free(&rule);
		return kms_fail(KMS_ERR_MEMORY, "client rules: out of memory");
	}
	*out = rule;
	return 0;
}

int
kmip_rules_add(struct kmip_rules *rules, const struct kmip_rule_text *text)
{
	struct kmip_rule *rule = NULL;
	int r;

	r = check_new(rules, text);
	if (r != 0)
		goto out;
	r = rule_new(text, &rule);
	if (r != 0)
		goto out;
	r = each_word(rule, text->groups == NULL ? "" : text->groups,
	    add_pattern);
	if (r == 0)
		r = each_word(rule,
		    text->operations == NULL ? "" : text->operations,
		    add_operation);
	if (r != 0)
		goto out;
	rules->rule[rules->n++] = rule;
	rule = NULL; /* transferred */
out:
	rule_free(&rule);
	return r;
}

/* A name out of a certificate: UTF-8, nothing hidden behind a NUL. */
static bool
take_name(const ASN1_STRING *s, char out[CN_MAX + 1])
{
	unsigned char *utf8 = NULL;
	int n = ASN1_STRING_to_UTF8(&utf8, s);
	bool good;

	out[0] = '\0';
	good = n > 0 && (unsigned)n <= CN_MAX &&
	    kms_utf8((const char *)utf8, (size_t)n);
	if (good) {
		memcpy(out, utf8, (size_t)n);
		out[n] = '\0';
	}
	OPENSSL_free(utf8);
	return good;
}

/* Two common names would let a certificate be two clients: then neither. */
static bool
common_name(X509 *cert, char out[CN_MAX + 1])
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	out[0] = '\0';
	if (at < 0 ||
	    X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return false;
	return take_name(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject,
			     at)),
	    out);
}

static bool
alternative_is(const GENERAL_NAME *gn, const char *cn)
{
	char name[CN_MAX + 1];

	switch (gn->type) {
	case GEN_DNS:
	case GEN_EMAIL:
	case GEN_URI:
		return take_name(gn->d.ia5, name) && strcasecmp(name, cn) == 0;
	}
	return false;
}

static bool
names(const char *common, const GENERAL_NAMES *alternative, const char *cn)
{
	int i;

	if (common[0] != '\0' && strcasecmp(common, cn) == 0)
		return true;
	for (i = 0; i < sk_GENERAL_NAME_num(alternative); i++)
		if (alternative_is(sk_GENERAL_NAME_value(alternative, i), cn))
			return true;
	return false;
}

int
kmip_rules_match(const struct kmip_rules *rules, X509 *cert,
    const struct kmip_rule **out)
{
	GENERAL_NAMES *alternative;
	char common[CN_MAX + 1];
	size_t i;

	*out = NULL;
	(void)common_name(cert, common);
	alternative = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	for (i = 0; i < rules->n && *out == NULL; i++)
		if (names(common, alternative, rules->rule[i]->cn))
			*out = rules->rule[i];
	GENERAL_NAMES_free(alternative);
	if (*out != NULL)
		return 0;
	return kms_fail(KMS_ERR_DENIED,
	    "no client rule for '%s'; add a [client NAME] section with its cn",
	    common);
}

void
kmip_authz_describe(X509 *cert, char *out, size_t cap)
{
	char common[CN_MAX + 1];

	(void)common_name(cert, common);
	(void)snprintf(out, cap, "%s", common[0] != '\0' ? common : "?");
}

const struct kmip_rule *
kmip_rules_at(const struct kmip_rules *rules, size_t n)
{
	return n < rules->n ? rules->rule[n] : NULL;
}

const char *
kmip_rule_name(const struct kmip_rule *rule)
{
	return rule->name;
}

bool
kmip_rule_may_do(const struct kmip_rule *rule, uint32_t op)
{
	uint64_t ops = rule->ops | OP(QUERY) | OP(DISCOVER_VERSIONS);

	return op < 64 && (ops >> op & 1) != 0;
}

bool
kmip_rule_may_use(const struct kmip_rule *rule, const char *group)
{
	size_t i;

	for (i = 0; i < rule->patterns; i++)
		if (kmip_authz_glob(rule->pattern[i], group))
			return true;
	return false;
}

const char *
kmip_rule_home(const struct kmip_rule *rule)
{
	size_t i;

	for (i = 0; i < rule->patterns; i++)
		if (strpbrk(rule->pattern[i], "*?") == NULL)
			return rule->pattern[i];
	return kmip_rule_may_use(rule, rule->name) ? rule->name : NULL;
}

static bool
may(const struct kms_actor *base, enum kms_event event, const char *group)
{
	const struct kmip_actor *actor = (const void *)base;
	size_t i;

	if (!kmip_rule_may_use(actor->rule, group))
		return false;
	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i].event == event)
			return (events[i].ops & actor->rule->ops) != 0;
	return false;
}

void
kmip_actor_init(struct kmip_actor *actor, const struct kmip_rule *rule,
    const char *peer)
{
	memset(actor, 0, sizeof(*actor));
	actor->base.may = may;
	actor->base.who.uid = actor->base.who.login_uid = UINT32_MAX;
	(void)snprintf(actor->base.who.name, sizeof(actor->base.who.name),
	    "client:%s", rule->name);
	(void)snprintf(actor->base.who.host, sizeof(actor->base.who.host), "%s",
	    peer);
	actor->rule = rule;
}
