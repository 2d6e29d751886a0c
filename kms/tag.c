#include "kms/tag.h"

#include <string.h>

#include "kms/base/crypt.h"
#include "kms/policy.h"

/* kind(1) | cost(1) | check(6) | salt(24) */
#define AT_KIND 0u
#define AT_COST 1u
#define AT_CHECK 2u
#define AT_SALT 8u
#define CHECK_LEN 6u
#define SALT_LEN 24u

static bool
cost_fits(uint8_t kind, unsigned cost)
{
	if (kind == KMS_TAG_RANDOM)
		return cost == 0;
	return cost >= KMS_KDF_COST_MIN && cost <= KMS_KDF_COST_MAX;
}

enum kms_tag_kind
kms_tag_kind(const struct kms_tag *tag)
{
	uint8_t kind = tag->b[AT_KIND];

	if (tag->len != KMS_TAG_LEN || !cost_fits(kind, tag->b[AT_COST]))
		return KMS_TAG_FOREIGN;
	switch (kind) {
	case KMS_TAG_RANDOM:
	case KMS_TAG_PHRASE:
	case KMS_TAG_GROUP:
		return (enum kms_tag_kind)kind;
	default:
		return KMS_TAG_FOREIGN;
	}
}

const char *
kms_tag_explain(const struct kms_tag *tag)
{
	switch (kms_tag_kind(tag)) {
	case KMS_TAG_RANDOM:
		return "a random key made by p11kms: no passphrase brings it "
		       "back, only a backup of the store that held it";
	case KMS_TAG_PHRASE:
		return "a key of its own passphrase: bring it back with "
		       "p11kmsutil -recoverkey -tag and that passphrase";
	case KMS_TAG_GROUP:
		return "a key of its group's passphrase: bring it back with "
		       "p11kmsutil -recoverkey -tag and that passphrase";
	case KMS_TAG_FOREIGN:
		break;
	}
	return "a tag that p11kms did not make: bring its key in with "
	       "p11kmsutil -importkey -tag";
}

unsigned
kms_tag_cost(const struct kms_tag *tag)
{
	return kms_tag_kind(tag) == KMS_TAG_FOREIGN ? 0 : tag->b[AT_COST];
}

int
kms_tag_from(struct kms_tag *tag, const void *p, size_t len)
{
	*tag = (struct kms_tag){0};
	if (len == 0 || len > KMS_TAG_MAX)
		return kms_fail(KMS_ERR_USAGE,
		    "key tag: %zu bytes; a tag has 1 to %u", len, KMS_TAG_MAX);
	memcpy(tag->b, p, len);
	tag->len = (uint8_t)len;
	return 0;
}

int
kms_tag_parse(struct kms_tag *tag, const char *text)
{
	size_t len;
	int r;

	*tag = (struct kms_tag){0};
	r = kms_unhex(text, tag->b, sizeof(tag->b), &len);
	if (r != 0) {
		*tag = (struct kms_tag){0};
		return kms_fail_add(r, "key tag");
	}
	tag->len = (uint8_t)len;
	return 0;
}

void
kms_tag_text(const struct kms_tag *tag, char out[KMS_TAG_TEXT])
{
	kms_hex(tag->b, tag->len, out);
}

bool
kms_tag_equal(const struct kms_tag *a, const struct kms_tag *b)
{
	return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

void
kms_tag_encode(const struct kms_tag *tag, struct kms_wr *wr)
{
	kms_wr_u8(wr, tag->len);
	kms_wr_bytes(wr, tag->b, tag->len);
}

void
kms_tag_decode(struct kms_tag *tag, struct kms_rd *rd)
{
	memset(tag, 0, sizeof(*tag));
	tag->len = kms_rd_u8(rd);
	if (tag->len > KMS_TAG_MAX) {
		tag->len = 0;
		rd->bad = true;
	}
	kms_rd_copy(rd, tag->b, tag->len);
}

int
kms_tag_make(struct kms_tag *tag, enum kms_tag_kind kind, unsigned cost,
    const uint8_t salt[24])
{
	*tag = (struct kms_tag){0};
	if (kind == KMS_TAG_FOREIGN)
		return kms_fail(KMS_ERR_INTERNAL,
		    "key tag: a foreign one is not made");
	if (!cost_fits((uint8_t)kind, cost))
		return kms_fail(KMS_ERR_LIMIT,
		    "key tag: cost %u is outside %u to %u", cost,
		    KMS_KDF_COST_MIN, KMS_KDF_COST_MAX);
	tag->len = KMS_TAG_LEN;
	tag->b[AT_KIND] = (uint8_t)kind;
	tag->b[AT_COST] = (uint8_t)cost;
	memcpy(tag->b + AT_SALT, salt, SALT_LEN);
	return 0;
}

void
kms_tag_set_check(struct kms_tag *tag, const uint8_t kcv[8])
{
	memcpy(tag->b + AT_CHECK, kcv, CHECK_LEN);
}

void
kms_tag_zero_check(const struct kms_tag *tag, struct kms_tag *out)
{
	*out = *tag;
	memset(out->b + AT_CHECK, 0, CHECK_LEN);
}

bool
kms_tag_checks(const struct kms_tag *tag, const uint8_t kcv[8])
{
	return kms_equal(tag->b + AT_CHECK, kcv, CHECK_LEN);
}
