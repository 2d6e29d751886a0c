#include "kms/derive.h"

#include <string.h>

#include "kms/base/crypt.h"
#include "kms/policy.h"

/* What keeps the derivations apart; each is followed by a zero byte. */
#define USE_HMK "p11kms/1/hmk"
#define USE_KPK "p11kms/1/kpk"
#define USE_DATA "p11kms/1/data"
#define USE_GROUP "p11kms/1/group"
#define USE_GKEY "p11kms/1/gkey"
#define CONTEXT_MAX 64u

/* A generated phrase: seven groups of four and one that checks them. No 0 O
 * 1 I L, and of 2 Z, 5 S, 8 B, U V only what has no twin. */
static const char alphabet[] = "acdefghjkmnpqrtvwxy34679";
#define SYMBOLS 24u
#define GROUPS 8u
#define GROUP_LEN 4u
#define BODY_LEN ((GROUPS - 1) * (GROUP_LEN + 1) - 1) /* with its dashes */
#define PHRASE_LEN (GROUPS * (GROUP_LEN + 1) - 1)

/* The check group of the seven groups before it. */
static int
check_group(const uint8_t *body, char out[GROUP_LEN])
{
	uint8_t hash[KMS_SHA256_LEN];
	size_t i;
	int r;

	r = kms_sha256(body, BODY_LEN, hash);
	for (i = 0; r == 0 && i < GROUP_LEN; i++)
		out[i] = alphabet[hash[i] % SYMBOLS];
	kms_wipe(hash, sizeof(hash));
	return r;
}

static bool
has_generated_form(const uint8_t *p, size_t len)
{
	bool dash;
	size_t i;

	if (len != PHRASE_LEN)
		return false;
	for (i = 0; i < len; i++) {
		dash = i % (GROUP_LEN + 1) == GROUP_LEN;
		if (dash ? p[i] != '-'
			 : memchr(alphabet, p[i], SYMBOLS) == NULL)
			return false;
	}
	return true;
}

static int
check_generated(const uint8_t *p, size_t len)
{
	char expected[GROUP_LEN];
	int r;

	if (!has_generated_form(p, len))
		return 0;
	r = check_group(p, expected);
	if (r == 0 && !kms_equal(p + BODY_LEN + 1, expected, GROUP_LEN))
		r = kms_fail(KMS_ERR_PHRASE,
		    "passphrase has the form of a generated one, but its "
		    "check group is wrong; type it again");
	kms_wipe(expected, sizeof(expected));
	return r;
}

static int
strip_newline(struct kms_secret *phrase)
{
	const uint8_t *p = kms_secret_bytes(phrase);
	size_t len = kms_secret_len(phrase);

	if (len > 0 && p[len - 1] == '\n') {
		len--;
		if (len > 0 && p[len - 1] == '\r')
			len--;
	}
	return kms_secret_truncate(phrase, len);
}

int
kms_phrase_check(struct kms_secret *phrase, unsigned min)
{
	const uint8_t *p;
	size_t len, i;
	int r;

	r = strip_newline(phrase);
	if (r != 0)
		return r;
	p = kms_secret_bytes(phrase);
	len = kms_secret_len(phrase);
	if (len == 0)
		return kms_fail(KMS_ERR_PHRASE,
		    "passphrase is empty; type one, or let p11kms -newphrase "
		    "make one");
	if (len > KMS_PHRASE_MAX)
		return kms_fail(KMS_ERR_PHRASE,
		    "passphrase is over %u bytes long", KMS_PHRASE_MAX);
	for (i = 0; i < len; i++)
		if (p[i] < ' ' || p[i] > '~')
			return kms_fail(KMS_ERR_PHRASE,
			    "passphrase holds a byte that is not printable "
			    "ASCII; another keyboard might not type it");
	if (p[0] == ' ' || p[len - 1] == ' ')
		return kms_fail(KMS_ERR_PHRASE,
		    "passphrase begins or ends with a blank");
	if (min == 0)
		return 0;
	if (len < min)
		return kms_fail(KMS_ERR_PHRASE,
		    "passphrase is shorter than %u bytes; -newphrase makes a "
		    "good one",
		    min);
	return check_generated(p, len);
}

int
kms_phrase_join(struct kms_secret *const *part, size_t n,
    struct kms_secret **out)
{
	size_t i, len, all = 0;
	uint8_t *p;
	int r;

	*out = NULL;
	if (n < 2 || n > KMS_COMPONENTS_MAX)
		return kms_fail(KMS_ERR_USAGE,
		    "a passphrase has 2 to %u components", KMS_COMPONENTS_MAX);
	for (i = 0; i < n; i++) {
		len = kms_secret_len(part[i]);
		if (len == 0 || len > KMS_PHRASE_MAX)
			return kms_fail(KMS_ERR_PHRASE,
			    "component %zu of the passphrase is empty or over "
			    "%u bytes",
			    i + 1, KMS_PHRASE_MAX);
		all += 2 + len;
	}
	r = kms_secret_new(all, out);
	if (r != 0)
		return r;
	p = kms_secret_fill(*out);
	for (i = 0; i < n; i++) {
		len = kms_secret_len(part[i]);
		kms_put16(p, (uint16_t)len);
		memcpy(p + 2, kms_secret_bytes(part[i]), len);
		p += 2 + len;
	}
	return 0;
}

/* Symbols without bias: bytes from 240 up are thrown away. */
static int
random_symbols(uint8_t *out, size_t n)
{
	struct kms_secret *pool = NULL;
	const uint8_t *p;
	size_t i, have = 0;
	int r = 0;

	while (r == 0 && have < n) {
		kms_secret_free(&pool);
		r = kms_random_secret(2 * n, &pool);
		if (r != 0)
			break;
		p = kms_secret_bytes(pool);
		for (i = 0; i < 2 * n && have < n; i++)
			if (p[i] < 256 - 256 % SYMBOLS)
				out[have++] = (uint8_t)alphabet[p[i] % SYMBOLS];
	}
	kms_secret_free(&pool);
	return r;
}

int
kms_phrase_new(struct kms_secret **out)
{
	struct kms_secret *s = NULL;
	uint8_t *p;
	size_t i;
	int r;

	*out = NULL;
	r = kms_secret_new(PHRASE_LEN, &s);
	if (r != 0)
		goto out;
	p = kms_secret_fill(s);
	for (i = 0; i < GROUPS - 1 && r == 0; i++) {
		r = random_symbols(p + i * (GROUP_LEN + 1), GROUP_LEN);
		p[i * (GROUP_LEN + 1) + GROUP_LEN] = '-';
	}
	if (r == 0)
		r = check_group(p, (char *)p + BODY_LEN + 1);
	if (r == 0)
		*out = kms_secret_take(&s);
out:
	kms_secret_free(&s);
	return r;
}

int
kms_derive_cost_check(unsigned cost)
{
	if (cost < KMS_KDF_COST_CREATE_MIN || cost > KMS_KDF_COST_MAX)
		return kms_fail(KMS_ERR_CONFIG,
		    "KDF cost %u is outside %u to %u; set kdf_cost", cost,
		    KMS_KDF_COST_CREATE_MIN, KMS_KDF_COST_MAX);
	return 0;
}

/* use | 00 | tail: the salt or info of every derivation. */
static struct kms_bytes
context(uint8_t out[CONTEXT_MAX], const char *use, const void *tail, size_t len)
{
	size_t n = strlen(use) + 1;

	memcpy(out, use, n);
	memcpy(out + n, tail, len);
	return (struct kms_bytes){out, n + len};
}

int
kms_derive_master(const struct kms_secret *phrase, const struct kms_slot *slot,
    struct kms_secret **out)
{
	const char *use = slot->role == KMS_ROLE_HMK ? USE_HMK : USE_KPK;
	uint8_t salt[CONTEXT_MAX];

	*out = NULL;
	if (slot->kdf != KMS_KDF_PBKDF2_SHA512)
		return kms_fail(KMS_ERR_USAGE,
		    "%s '%s' does not come from a passphrase",
		    kms_role_name(slot->role), slot->id);
	return kms_pbkdf2(phrase,
	    context(salt, use, slot->salt, sizeof(slot->salt)), slot->cost,
	    out);
}

/* The 32 bytes that this tag and phrase give, whatever the tag's check. */
static int
from_phrase(const struct kms_secret *phrase, const struct kms_tag *tag,
    struct kms_secret **out)
{
	uint8_t salt[CONTEXT_MAX];
	struct kms_tag zero;

	kms_tag_zero_check(tag, &zero);
	return kms_pbkdf2(phrase, context(salt, USE_DATA, zero.b, zero.len),
	    kms_tag_cost(tag), out);
}

static int
from_seed(const struct kms_secret *seed, const struct kms_tag *tag,
    struct kms_secret **out)
{
	uint8_t info[CONTEXT_MAX];
	struct kms_tag zero;

	kms_tag_zero_check(tag, &zero);
	return kms_hkdf_expand(seed, context(info, USE_GKEY, zero.b, zero.len),
	    KMS_KEY_LEN, out);
}

/* A new key's check goes into its tag; an old one's is compared. */
static int
finish_new(int r, struct kms_secret **key, struct kms_tag *tag)
{
	uint8_t kcv[KMS_KCV_LEN];

	if (r == 0)
		r = kms_kcv(*key, kcv);
	if (r != 0) {
		kms_secret_free(key);
		return r;
	}
	kms_tag_set_check(tag, kcv);
	return 0;
}

static int
finish_again(int r, struct kms_secret **key, const struct kms_tag *tag)
{
	uint8_t kcv[KMS_KCV_LEN];

	if (r == 0)
		r = kms_kcv(*key, kcv);
	if (r == 0 && !kms_tag_checks(tag, kcv))
		r = kms_fail(KMS_ERR_AUTH,
		    "phrase or tag is wrong; type both again (case and blanks "
		    "count)");
	if (r != 0)
		kms_secret_free(key);
	return r;
}

int
kms_derive_has_phrase(const struct kms_tag *tag)
{
	switch (kms_tag_kind(tag)) {
	case KMS_TAG_PHRASE:
	case KMS_TAG_GROUP:
		return 0;
	case KMS_TAG_RANDOM:
		return kms_fail(KMS_ERR_USAGE,
		    "the tag is that of a random key: no passphrase exists "
		    "for it; only a backup of the store brings it back "
		    "(p11kmsutil -recoverkey -from)");
	case KMS_TAG_FOREIGN:
		break;
	}
	return kms_fail(KMS_ERR_USAGE,
	    "the tag was not made here: no passphrase exists for it; a backup "
	    "of the store (p11kmsutil -recoverkey -from) or the key's own file "
	    "(-importkey) brings it back");
}

static int
check_kind(const struct kms_tag *tag, enum kms_tag_kind wanted)
{
	int r = kms_derive_has_phrase(tag);

	if (r != 0 || kms_tag_kind(tag) == wanted)
		return r;
	return kms_fail(KMS_ERR_USAGE,
	    "the tag is that of a key of %s phrase, not of %s",
	    wanted == KMS_TAG_GROUP ? "its own" : "its group's",
	    wanted == KMS_TAG_GROUP ? "its group's" : "its own");
}

int
kms_derive_data_new(const struct kms_secret *phrase, unsigned cost,
    const uint8_t salt[24], struct kms_tag *tag, struct kms_secret **out)
{
	int r;

	*out = NULL;
	r = kms_derive_cost_check(cost);
	if (r == 0)
		r = kms_tag_make(tag, KMS_TAG_PHRASE, cost, salt);
	if (r == 0)
		r = from_phrase(phrase, tag, out);
	return finish_new(r, out, tag);
}

int
kms_derive_data(const struct kms_secret *phrase, const struct kms_tag *tag,
    struct kms_secret **out)
{
	int r = check_kind(tag, KMS_TAG_PHRASE);

	*out = NULL;
	if (r != 0)
		return r;
	return finish_again(from_phrase(phrase, tag, out), out, tag);
}

int
kms_derive_seed(const struct kms_secret *phrase, const uint8_t salt[16],
    unsigned cost, struct kms_secret **out)
{
	uint8_t s[CONTEXT_MAX];

	return kms_pbkdf2(phrase, context(s, USE_GROUP, salt, 16), cost, out);
}

int
kms_derive_group_new(const struct kms_secret *seed,
    const uint8_t group_salt[16], const uint8_t nonce[8], unsigned cost,
    struct kms_tag *tag, struct kms_secret **out)
{
	uint8_t salt[24];
	int r;

	*out = NULL;
	memcpy(salt, group_salt, 16);
	memcpy(salt + 16, nonce, 8);
	r = kms_tag_make(tag, KMS_TAG_GROUP, cost, salt);
	if (r == 0)
		r = from_seed(seed, tag, out);
	return finish_new(r, out, tag);
}

int
kms_derive_group(const struct kms_secret *seed, const struct kms_tag *tag,
    struct kms_secret **out)
{
	int r = check_kind(tag, KMS_TAG_GROUP);

	*out = NULL;
	if (r != 0)
		return r;
	return finish_again(from_seed(seed, tag, out), out, tag);
}

/* A B3 tag's salt begins with its group's, 24 bytes before its end. */
int
kms_derive_again(const struct kms_secret *phrase, const struct kms_tag *tag,
    struct kms_secret **out)
{
	struct kms_secret *seed = NULL;
	int r;

	*out = NULL;
	if (kms_tag_kind(tag) != KMS_TAG_GROUP)
		return kms_derive_data(phrase, tag, out);
	r = kms_derive_seed(phrase, tag->b + KMS_TAG_LEN - 24,
	    kms_tag_cost(tag), &seed);
	if (r == 0)
		r = kms_derive_group(seed, tag, out);
	kms_secret_free(&seed);
	return r;
}
