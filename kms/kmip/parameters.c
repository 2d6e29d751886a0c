#include "kms/kmip/parameters.h"

#include "kms/kmip/reason.h"

#define TAG(id) KMIP_TAG_##id
#define FIELDS_1_0 4u
#define FIELDS_1_2 13u

struct fields {
	struct kmip_item mode, padding, algorithm, random_iv, iv_len, tag_len;
	struct kmip_item fixed, invocation, counter, initial;
};

static int
read_fields(const struct kmip_item *item, unsigned minor, bool lenient,
    struct fields *p)
{
	size_t n = FIELDS_1_0;
	const struct kmip_field f[] = {{TAG(BLOCK_CIPHER_MODE), KMIP_ENUM,
					   KMIP_REQUIRED, &p->mode},
	    {TAG(PADDING_METHOD), KMIP_ENUM, KMIP_OPTIONAL, &p->padding},
	    {TAG(HASHING_ALGORITHM), KMIP_ENUM, KMIP_OPTIONAL, NULL},
	    {TAG(KEY_ROLE_TYPE), KMIP_ENUM, KMIP_OPTIONAL, NULL},
	    {TAG(DIGITAL_SIGNATURE_ALGORITHM), KMIP_ENUM, KMIP_OPTIONAL, NULL},
	    {TAG(CRYPTOGRAPHIC_ALGORITHM), KMIP_ENUM, KMIP_OPTIONAL,
		&p->algorithm},
	    {TAG(RANDOM_IV), KMIP_BOOL, KMIP_OPTIONAL, &p->random_iv},
	    {TAG(IV_LENGTH), KMIP_INTEGER, KMIP_OPTIONAL, &p->iv_len},
	    {TAG(TAG_LENGTH), KMIP_INTEGER, KMIP_OPTIONAL, &p->tag_len},
	    {TAG(FIXED_FIELD_LENGTH), KMIP_INTEGER, KMIP_OPTIONAL, &p->fixed},
	    {TAG(INVOCATION_FIELD_LENGTH), KMIP_INTEGER, KMIP_OPTIONAL,
		&p->invocation},
	    {TAG(COUNTER_LENGTH), KMIP_INTEGER, KMIP_OPTIONAL, &p->counter},
	    {TAG(INITIAL_COUNTER_VALUE), KMIP_INTEGER, KMIP_OPTIONAL,
		&p->initial},
	    {TAG(SALT_LENGTH), KMIP_INTEGER, KMIP_OPTIONAL, NULL},
	    {TAG(MASK_GENERATOR), KMIP_ENUM, KMIP_OPTIONAL, NULL},
	    {TAG(MASK_GENERATOR_HASHING_ALGORITHM), KMIP_ENUM, KMIP_OPTIONAL,
		NULL},
	    {TAG(P_SOURCE), KMIP_BYTES, KMIP_OPTIONAL, NULL},
	    {TAG(TRAILER_FIELD), KMIP_INTEGER, KMIP_OPTIONAL, NULL}};

	if (minor >= 2)
		n = FIELDS_1_2;
	if (minor >= 4)
		n = sizeof(f) / sizeof(f[0]);
	return kmip_ttlv_fields(item, f, n, lenient);
}

static int
read_mode(const struct fields *p, unsigned minor, struct kmip_parameters *out)
{
	uint32_t v;
	int r;

	r = kmip_ttlv_enum(&p->mode, &v);
	if (r != 0)
		return r;
	if (v == KMIP_MODE_ECB)
		out->cipher = KMS_CIPHER_ECB;
	else if (v == KMIP_MODE_CBC)
		out->cipher = KMS_CIPHER_CBC;
	else if (v == KMIP_MODE_GCM && minor >= 4)
		out->cipher = KMS_CIPHER_GCM;
	else if (v == KMIP_MODE_GCM)
		return kmip_fail(FEATURE_NOT_SUPPORTED,
		    "Block Cipher Mode: GCM needs KMIP 1.4, which has a field "
		    "for its tag");
	else
		return kmip_fail(FEATURE_NOT_SUPPORTED,
		    "Block Cipher Mode: CBC, ECB and GCM only");
	return 0;
}

static int
read_padding(const struct fields *p, struct kmip_parameters *out)
{
	uint32_t v = KMIP_PADDING_NONE;
	int r = 0;

	if (p->padding.type != 0)
		r = kmip_ttlv_enum(&p->padding, &v);
	if (r != 0)
		return r;
	out->padded = v == KMIP_PADDING_PKCS5;
	if (!out->padded && v != KMIP_PADDING_NONE)
		return kmip_fail(FEATURE_NOT_SUPPORTED,
		    "Padding Method: PKCS5 and None only");
	if (out->padded && out->cipher == KMS_CIPHER_GCM)
		return kmip_fail(INVALID_FIELD,
		    "Padding Method: GCM takes none");
	return 0;
}

/* In bits (section 3.6), but some give bytes; either is clear here. */
static int
check_iv_len(const struct fields *p, const struct kmip_parameters *out)
{
	int32_t want = (int32_t)kms_cipher_iv_len(out->cipher), v;
	int r;

	if (p->iv_len.type == 0)
		return 0;
	r = kmip_ttlv_int(&p->iv_len, &v);
	if (r == 0 && v != want && v != want * 8)
		r = kmip_fail(INVALID_FIELD, "IV Length: %d bits in %s",
		    want * 8, kms_cipher_name(out->cipher));
	return r;
}

static int
read_tag_len(const struct fields *p, struct kmip_parameters *out)
{
	int32_t v;
	int r;

	if (out->cipher != KMS_CIPHER_GCM)
		return 0;
	out->tag_len = KMS_GCM_TAG;
	out->tag_said = p->tag_len.type != 0;
	if (!out->tag_said)
		return 0;
	r = kmip_ttlv_int(&p->tag_len, &v);
	if (r == 0 &&
	    (v < (int32_t)KMS_CRYPT_TAG_MIN || v > (int32_t)KMS_GCM_TAG))
		r = kmip_fail(INVALID_FIELD, "Tag Length: %u to %u bytes",
		    KMS_CRYPT_TAG_MIN, KMS_GCM_TAG);
	if (r == 0)
		out->tag_len = (size_t)v;
	return r;
}

static int
check_others(const struct fields *p, struct kmip_parameters *out)
{
	uint32_t algorithm = KMIP_ALG_AES;
	bool random_iv = true;
	int r = 0;

	if (p->algorithm.type != 0)
		r = kmip_ttlv_enum(&p->algorithm, &algorithm);
	if (r == 0 && algorithm != KMIP_ALG_AES)
		r = kmip_fail(INVALID_FIELD,
		    "Cryptographic Algorithm: the key is an AES key");
	if (r == 0 &&
	    (p->fixed.type != 0 || p->invocation.type != 0 ||
		p->counter.type != 0 || p->initial.type != 0))
		r = kmip_fail(FEATURE_NOT_SUPPORTED,
		    "Cryptographic Parameters: an IV is given whole, or drawn "
		    "whole; it has no fields");
	if (r == 0 && p->random_iv.type != 0)
		r = kmip_ttlv_bool(&p->random_iv, &random_iv);
	out->no_random_iv = !random_iv;
	return r;
}

int
kmip_parameters_read(const struct kmip_item *item, unsigned minor, bool lenient,
    struct kmip_parameters *out)
{
	struct fields p;
	int r;

	*out = (struct kmip_parameters){.padded = false};
	r = read_fields(item, minor, lenient, &p);
	if (r == 0)
		r = read_mode(&p, minor, out);
	if (r == 0)
		r = read_padding(&p, out);
	if (r == 0)
		r = check_iv_len(&p, out);
	if (r == 0)
		r = read_tag_len(&p, out);
	return r == 0 ? check_others(&p, out) : r;
}
