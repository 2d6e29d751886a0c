/* EC_KEY_METHOD, the way to OpenSSL that needs no provider of our own. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "hsm/pkey.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>

#include <p11-kit/uri.h>

#include "hsm/ckr.h"
#include "hsm/job.h"
#include "hsm/object.h"

#define PARAMS_MAX 256u
#define POINT_MAX 256u
#define ID_MAX 64u
#define DIGEST_MAX 66u /* the order of P-521 */

struct hsm_pkey {
	struct hsm_token *token; /* borrowed */
	P11KitUri *uri;
	EC_KEY_METHOD *method;
	EVP_PKEY *pkey;
};

/* What a job is to do, and what it found. */
struct job {
	struct hsm_job base; /* first: the one is the other */
	const struct hsm_pkey *p;
	uint8_t params[PARAMS_MAX], point[POINT_MAX];
	size_t params_len, point_len;
	const uint8_t *digest;
	size_t digest_len;
	uint8_t sig[2 * DIGEST_MAX]; /* r and s, of equal length */
	size_t sig_len;
};

static int
openssl_fail(const char *what)
{
	return kms_fail(KMS_ERR_TOKEN, "EC key of the token: %s", what);
}

/* --- finding ----------------------------------------------------------- */

static void
add_attribute(struct hsm_template *t, P11KitUri *uri, CK_ATTRIBUTE_TYPE type)
{
	const CK_ATTRIBUTE *a = p11_kit_uri_get_attribute(uri, type);

	if (a != NULL)
		hsm_template_bytes(t, type, a->pValue, a->ulValueLen);
}

static int
check_token(const struct hsm_pkey *p, struct hsm_session *s)
{
	CK_TOKEN_INFO info;
	CK_RV rv;

	rv = s->f->C_GetTokenInfo(s->slot, &info);
	if (rv != CKR_OK)
		return hsm_session_fail(s, rv, "C_GetTokenInfo");
	if (p11_kit_uri_match_token_info(p->uri, &info) == 1)
		return 0;
	return kms_fail(KMS_ERR_CONFIG,
	    "the key's URI names another token than [token] uri");
}

static int
find_private(const struct hsm_pkey *p, struct hsm_session *s,
    CK_OBJECT_HANDLE *key)
{
	CK_OBJECT_HANDLE found[2];
	struct hsm_template t;
	size_t n;
	int r;

	hsm_template_init(&t);
	hsm_template_number(&t, CKA_CLASS, CKO_PRIVATE_KEY);
	hsm_template_number(&t, CKA_KEY_TYPE, CKK_EC);
	add_attribute(&t, p->uri, CKA_LABEL);
	add_attribute(&t, p->uri, CKA_ID);
	r = hsm_object_find(s, &t, found, 2, &n);
	if (r != 0)
		return r;
	if (n == 0)
		return kms_fail(KMS_ERR_NOTFOUND,
		    "the token has no EC private key of that label or id; make "
		    "one: pkcs11-tool --keypairgen --key-type EC:prime256v1");
	if (n > 1)
		return kms_fail(KMS_ERR_CONFIG,
		    "several EC private keys of the token match; add id= to "
		    "the key's URI");
	*key = found[0];
	return 0;
}

/* The public key beside it: many tokens keep the point only there. */
static int
read_point(struct job *j, struct hsm_session *s, CK_OBJECT_HANDLE key)
{
	uint8_t id[ID_MAX];
	CK_OBJECT_HANDLE public;
	struct hsm_template t;
	size_t len, n = 0;
	int r;

	r = hsm_object_read(s, key, CKA_EC_POINT, j->point, sizeof(j->point),
	    &j->point_len);
	if (r != 0 || j->point_len > 0)
		return r;
	r = hsm_object_read(s, key, CKA_ID, id, sizeof(id), &len);
	if (r != 0)
		return r;
	hsm_template_init(&t);
	hsm_template_number(&t, CKA_CLASS, CKO_PUBLIC_KEY);
	hsm_template_number(&t, CKA_KEY_TYPE, CKK_EC);
	hsm_template_bytes(&t, CKA_ID, id, len);
	r = hsm_object_find(s, &t, &public, 1, &n);
	if (r == 0 && n == 0)
		r = kms_fail(KMS_ERR_NOTFOUND,
		    "the token has no public key of the same id beside the EC "
		    "private key");
	if (r == 0)
		r = hsm_object_read(s, public, CKA_EC_POINT, j->point,
		    sizeof(j->point), &j->point_len);
	return r;
}

static int
do_look(struct hsm_job *base, struct hsm_session *s)
{
	struct job *j = (struct job *)base;
	CK_OBJECT_HANDLE key;
	int r;

	r = check_token(j->p, s);
	if (r == 0)
		r = find_private(j->p, s, &key);
	if (r == 0)
		r = hsm_object_read(s, key, CKA_EC_PARAMS, j->params,
		    sizeof(j->params), &j->params_len);
	return r == 0 ? read_point(j, s, key) : r;
}

/* --- signing ----------------------------------------------------------- */

/* The key is found anew each time: a handle from before a reload could be
 * another key's. */
static int
do_sign(struct hsm_job *base, struct hsm_session *s)
{
	struct job *j = (struct job *)base;
	CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0};
	CK_ULONG len = sizeof(j->sig);
	uint8_t digest[DIGEST_MAX]; /* C_Sign's argument is not const */
	CK_OBJECT_HANDLE key;
	CK_RV rv;
	int r;

	r = find_private(j->p, s, &key);
	if (r != 0)
		return r;
	memcpy(digest, j->digest, j->digest_len);
	rv = s->f->C_SignInit(s->h, &ecdsa, key);
	if (rv != CKR_OK)
		return hsm_session_fail(s, rv, "C_SignInit");
	rv = s->f->C_Sign(s->h, digest, j->digest_len, j->sig, &len);
	if (rv != CKR_OK)
		return hsm_session_fail(s, rv, "C_Sign");
	j->sig_len = len;
	return 0;
}

static ECDSA_SIG *
signature_of(const struct job *j)
{
	int half = (int)(j->sig_len / 2);
	BIGNUM *r = BN_bin2bn(j->sig, half, NULL);
	BIGNUM *s = BN_bin2bn(j->sig + half, half, NULL);
	ECDSA_SIG *sig = ECDSA_SIG_new();

	if (r != NULL && s != NULL && sig != NULL &&
	    ECDSA_SIG_set0(sig, r, s) == 1)
		return sig;
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return NULL;
}

/* OpenSSL's callback. A digest longer than the order counts as far as that
 * (FIPS 186-4 6.4). */
static ECDSA_SIG *
sign_digest(const unsigned char *digest, int len, const BIGNUM *kinv,
    const BIGNUM *rp, EC_KEY *ec)
{
	const struct hsm_pkey *p = EC_KEY_get_ex_data(ec, 0);
	size_t order = ((size_t)EC_GROUP_order_bits(EC_KEY_get0_group(ec)) +
			   7) /
	    8;
	struct job j = {.base.run = do_sign,
	    .base.expects = true,
	    .p = p,
	    .digest = digest,
	    .digest_len = (size_t)len < order ? (size_t)len : order};
	ECDSA_SIG *sig;

	(void)kinv;
	(void)rp;
	if (j.digest_len > DIGEST_MAX ||
	    hsm_job_run(p->token, NULL, &j.base) != 0 || j.sig_len != 2 * order)
		return NULL;
	sig = signature_of(&j);
	if (sig != NULL && ECDSA_do_verify(digest, len, sig, ec) != 1) {
		ECDSA_SIG_free(sig);
		sig = NULL;
	}
	return sig;
}

/* --- the key ----------------------------------------------------------- */

static int
make_method(struct hsm_pkey *p)
{
	int (*sign)(int, const unsigned char *, int, unsigned char *,
	    unsigned int *, const BIGNUM *, const BIGNUM *, EC_KEY *) = NULL;

	p->method = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
	if (p->method == NULL)
		return openssl_fail("out of memory");
	EC_KEY_METHOD_get_sign(p->method, &sign, NULL, NULL);
	EC_KEY_METHOD_set_sign(p->method, sign, NULL, sign_digest);
	return 0;
}

/* CKA_EC_POINT is the point in an OCTET STRING; some tokens leave that out. */
static int
set_point(EC_KEY *ec, const struct job *j)
{
	const unsigned char *at = j->point;
	ASN1_OCTET_STRING *wrapped;
	int good;

	wrapped = d2i_ASN1_OCTET_STRING(NULL, &at, (long)j->point_len);
	good = wrapped != NULL &&
	    EC_KEY_oct2key(ec, ASN1_STRING_get0_data(wrapped),
		(size_t)ASN1_STRING_length(wrapped), NULL) == 1;
	ASN1_OCTET_STRING_free(wrapped);
	return good || EC_KEY_oct2key(ec, j->point, j->point_len, NULL) == 1
	    ? 0
	    : openssl_fail("its public point does not decode");
}

static int
make_pkey(struct hsm_pkey *p, const struct job *j)
{
	const unsigned char *at = j->params;
	EC_KEY *ec = d2i_ECParameters(NULL, &at, (long)j->params_len);
	int r;

	if (ec == NULL)
		return openssl_fail("its curve is not known here");
	r = set_point(ec, j);
	if (r == 0)
		r = make_method(p);
	if (r == 0 &&
	    (EC_KEY_set_method(ec, p->method) != 1 ||
		EC_KEY_set_ex_data(ec, 0, p) != 1))
		r = openssl_fail("OpenSSL does not take it");
	p->pkey = r == 0 ? EVP_PKEY_new() : NULL;
	if (r == 0 &&
	    (p->pkey == NULL || EVP_PKEY_assign_EC_KEY(p->pkey, ec) != 1))
		r = openssl_fail("out of memory");
	if (r != 0)
		EC_KEY_free(ec);
	return r;
}

/* sign_digest verifies what it signs. */
static int
prove(const struct hsm_pkey *p)
{
	static const unsigned char text[] = "p11kms check";
	unsigned char sig[2 * DIGEST_MAX + 16];
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	size_t len = sizeof(sig);
	bool good;

	good = md != NULL &&
	    EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, p->pkey) == 1 &&
	    EVP_DigestSign(md, sig, &len, text, sizeof(text)) == 1;
	EVP_MD_CTX_free(md);
	if (good)
		return 0;
	return kms_fail(KMS_ERR_MASTER,
	    "EC key of the token: it does not sign (CKA_SIGN?), or not for the "
	    "public key beside it");
}

static int
parse(struct hsm_pkey *p, const char *text)
{
	p->uri = p11_kit_uri_new();
	if (p->uri == NULL)
		return kms_fail(KMS_ERR_MEMORY, "key URI: out of memory");
	if (p11_kit_uri_parse(text, P11_KIT_URI_FOR_OBJECT_ON_TOKEN, p->uri) !=
	    P11_KIT_URI_OK)
		return kms_fail(KMS_ERR_CONFIG,
		    "key URI: it reads pkcs11:object=LABEL");
	if (p11_kit_uri_get_attribute(p->uri, CKA_LABEL) == NULL &&
	    p11_kit_uri_get_attribute(p->uri, CKA_ID) == NULL)
		return kms_fail(KMS_ERR_CONFIG,
		    "key URI: names no key; add object=LABEL or id=");
	return 0;
}

int
hsm_pkey_load(struct hsm_token *token, const char *uri, struct hsm_pkey **out)
{
	struct hsm_pkey *p = calloc(1, sizeof(*p));
	struct job look = {.base.run = do_look, .p = p};
	int r;

	*out = NULL;
	if (p == NULL)
		return kms_fail(KMS_ERR_MEMORY, "key: out of memory");
	p->token = token;
	r = parse(p, uri);
	if (r == 0)
		r = hsm_job_run(token, NULL, &look.base);
	if (r == 0)
		r = make_pkey(p, &look);
	if (r == 0)
		r = prove(p);
	if (r == 0) {
		*out = p;
		p = NULL; /* transferred */
	}
	hsm_pkey_free(&p);
	return r;
}

void
hsm_pkey_free(struct hsm_pkey **pp)
{
	struct hsm_pkey *p = pp != NULL ? *pp : NULL;

	if (p == NULL)
		return;
	EVP_PKEY_free(p->pkey);
	if (p->method != NULL) /* unlike the others it takes no NULL */
		EC_KEY_METHOD_free(p->method);
	p11_kit_uri_free(p->uri);
	free(p);
	*pp = NULL;
}

EVP_PKEY *
hsm_pkey_get(const struct hsm_pkey *p)
{
	return p->pkey;
}
