/*
 * Encrypt and Decrypt (KMIP 1.4 sections 4.29 and 4.30), whole messages only:
 * a stream would leave a key at work between requests. The key works inside
 * the service and stays there (kms_release_crypt).
 */
#include <string.h>
#include <time.h>

#include "kms/kmip/op.h"
#include "kms/kmip/parameters.h"
#include "kms/kmip/reason.h"
#include "kms/release.h"

#define TAG(id) KMIP_TAG_##id
#define FIELDS_1_2 4u
#define FIELDS_1_3 7u
#define FIELDS_1_4 8u /* Decrypt has one more: the tag */
#define FRAME_MAX 256u

struct crypting {
	struct kmip_item uid, parameters, data, iv, aad, tag;
	struct kmip_item correlation, init, final;
	struct kms_tag key;
	struct kmip_parameters how;
	bool drawn; /* the IV is ours, and told */
	struct kms_crypt c;
};

/* --- the request -------------------------------------------------------- */

/* One in pieces, or the whole of it said as first and last piece? */
static int
check_whole(const struct crypting *x)
{
	bool init = false, final = false;
	int r = 0;

	if (x->init.type != 0)
		r = kmip_ttlv_bool(&x->init, &init);
	if (r == 0 && x->final.type != 0)
		r = kmip_ttlv_bool(&x->final, &final);
	if (r == 0 && (x->correlation.type != 0 || (init && !final)))
		r = kmip_fail(FEATURE_NOT_SUPPORTED,
		    "data in several requests: send it whole, at most %u bytes",
		    KMS_CRYPT_MAX);
	return r;
}

static int
read_request(struct kmip_batch *b, struct kmip_work *w, struct crypting *x)
{
	size_t n = FIELDS_1_2;
	int r;
	const struct kmip_field f[] = {{TAG(UNIQUE_IDENTIFIER), KMIP_TEXT,
					   KMIP_OPTIONAL, &x->uid},
	    {TAG(CRYPTOGRAPHIC_PARAMETERS), KMIP_STRUCTURE, KMIP_OPTIONAL,
		&x->parameters},
	    {TAG(DATA), KMIP_BYTES, KMIP_REQUIRED, &x->data},
	    {TAG(IV_COUNTER_NONCE), KMIP_BYTES, KMIP_OPTIONAL, &x->iv},
	    {TAG(CORRELATION_VALUE), KMIP_BYTES, KMIP_OPTIONAL,
		&x->correlation},
	    {TAG(INIT_INDICATOR), KMIP_BOOL, KMIP_OPTIONAL, &x->init},
	    {TAG(FINAL_INDICATOR), KMIP_BOOL, KMIP_OPTIONAL, &x->final},
	    {TAG(AUTHENTICATED_ENCRYPTION_ADDITIONAL_DATA), KMIP_BYTES,
		KMIP_OPTIONAL, &x->aad},
	    {TAG(AUTHENTICATED_ENCRYPTION_TAG), KMIP_BYTES, KMIP_OPTIONAL,
		&x->tag}};

	if (!b->locked)
		return kmip_fail(INVALID_MESSAGE,
		    "data within a message this long is not taken; send it in "
		    "a message of its own");
	if (b->minor >= 3)
		n = FIELDS_1_3;
	if (b->minor >= 4)
		n = FIELDS_1_4 + (x->c.decrypt ? 1 : 0);
	r = kmip_ttlv_fields(&w->call->payload, f, n, b->lenient);
	if (r == 0)
		r = check_whole(x);
	return r == 0 ? kmip_op_tag(b, &x->uid, &x->key) : r;
}

/* --- the key ------------------------------------------------------------ */

static int
check_dates(const struct kmip_view *v, bool decrypt)
{
	const struct kmip_attr *a = kmip_stored_get(&v->stored,
	    decrypt ? TAG(PROCESS_START_DATE) : TAG(PROTECT_STOP_DATE));
	int64_t date, now = (int64_t)time(NULL);
	int r;

	if (a == NULL)
		return 0;
	r = kmip_ttlv_date(&a->value, &date);
	if (r == 0 && (decrypt ? now < date : now >= date))
		r = kmip_fail(PERMISSION_DENIED,
		    decrypt ? "the key's Process Start Date has not come"
			    : "the key's Protect Stop Date has passed");
	return r;
}

static int
check_key(const struct kmip_view *v, bool decrypt)
{
	const struct kmip_stored *s = &v->stored;

	if (s->type != KMIP_OBJECT_SYMMETRIC_KEY ||
	    s->algorithm != KMIP_ALG_AES || s->payload != NULL)
		return kmip_fail(ILLEGAL_OPERATION,
		    "the object is no AES key of 256 bits; no other works "
		    "inside the service");
	if ((s->mask & (decrypt ? KMIP_MASK_DECRYPT : KMIP_MASK_ENCRYPT)) == 0)
		return kmip_fail(PERMISSION_DENIED,
		    "the key's usage mask does not say %s",
		    decrypt ? "Decrypt" : "Encrypt");
	return check_dates(v, decrypt);
}

/* The request's parameters, else those kept with the key (section 4.29). */
static int
choose_parameters(struct kmip_batch *b, struct crypting *x,
    const struct kmip_view *v)
{
	const struct kmip_attr *kept;

	kept = kmip_stored_get(&v->stored, TAG(CRYPTOGRAPHIC_PARAMETERS));
	if (x->parameters.type != 0)
		return kmip_parameters_read(&x->parameters, b->minor,
		    b->lenient, &x->how);
	if (kept != NULL)
		return kmip_parameters_read(&kept->value, b->minor, true,
		    &x->how);
	return kmip_fail(MISSING_DATA,
	    "Cryptographic Parameters: neither given nor kept with the key");
}

static int
look_at_key(struct kmip_batch *b, struct crypting *x)
{
	struct kmip_view v = {0};
	int r;

	r = kms_tx_begin(b->service->store, &b->actor->base, KMS_READ, &b->tx);
	if (r == 0)
		r = kmip_op_load_live(b, &x->uid, &v);
	kms_tx_abort(&b->tx);
	if (r == 0)
		r = check_key(&v, x->c.decrypt);
	if (r == 0)
		r = choose_parameters(b, x, &v);
	kmip_view_clear(&v);
	return r;
}

/* --- the work ----------------------------------------------------------- */

static int
set_iv(struct crypting *x)
{
	size_t want = kms_cipher_iv_len(x->how.cipher);

	x->c.iv_len = x->iv.type != 0 ? x->iv.len : want;
	if (x->c.iv_len != want)
		return kmip_fail(INVALID_FIELD,
		    "IV/Counter/Nonce: %zu bytes in %s", want,
		    kms_cipher_name(x->how.cipher));
	if (x->iv.type != 0)
		memcpy(x->c.iv, x->iv.value, want);
	if (x->iv.type != 0 || want == 0)
		return 0;
	if (x->c.decrypt || x->how.no_random_iv)
		return kmip_fail(MISSING_DATA, "IV/Counter/Nonce is missing");
	/* GCM: 2^32 of them under one key are the limit (NIST SP 800-38D,
	 * section 8.3). Not counted: each is a record of the release log, of
	 * over 128 bytes and a sync, so that 2^32 are 512 GiB of it. p11kms(8)
	 * says so to who would come near. */
	x->drawn = true;
	return kms_random(x->c.iv, want);
}

static int
set_tag(struct crypting *x)
{
	x->c.tag_len = x->how.tag_len;
	if (!x->c.decrypt || x->how.cipher != KMS_CIPHER_GCM)
		return x->tag.type == 0
		    ? 0
		    : kmip_fail(INVALID_FIELD,
			  "Authenticated Encryption Tag: of GCM only");
	if (x->tag.type == 0)
		return kmip_fail(MISSING_DATA,
		    "Authenticated Encryption Tag is missing");
	if (x->tag.len > KMS_GCM_TAG ||
	    (x->how.tag_said && x->tag.len != x->how.tag_len))
		return kmip_fail(INVALID_FIELD,
		    "Authenticated Encryption Tag: %zu bytes", x->tag.len);
	x->c.tag_len = x->tag.len;
	memcpy(x->c.tag, x->tag.value, x->tag.len);
	return 0;
}

static int
set_up(struct crypting *x)
{
	int r;

	x->c.cipher = x->how.cipher;
	x->c.padded = x->how.padded;
	x->c.in = (struct kms_bytes){x->data.value, x->data.len};
	if (x->aad.type != 0)
		x->c.aad = (struct kms_bytes){x->aad.value, x->aad.len};
	r = set_iv(x);
	if (r == 0)
		r = set_tag(x);
	return r == 0 ? kms_cipher_check(&x->c) : r;
}

/* What kms/ says in an administrator's words, a client hears in KMIP's. */
static int
work(struct kmip_batch *b, struct crypting *x)
{
	int r;

	r = kms_release_crypt(b->service->store, &b->actor->base, &x->key,
	    &x->c);
	if (r == KMS_ERR_DENIED)
		return kmip_fail(ITEM_NOT_FOUND, "no such object");
	if (r == KMS_ERR_STATE)
		return kmip_fail(PERMISSION_DENIED,
		    "the key's state does not let it %s",
		    x->c.decrypt ? "decrypt" : "encrypt");
	if (r == KMS_ERR_USAGE)
		return kmip_fail(CRYPTOGRAPHIC_FAILURE, "%s", kms_err_cause(r));
	return r;
}

/* --- the answer --------------------------------------------------------- */

static void
put_encrypted(struct kms_wr *wr, const char *uid, const struct crypting *x)
{
	kmip_ttlv_put_text(wr, TAG(UNIQUE_IDENTIFIER), uid);
	kmip_ttlv_put_bytes(wr, TAG(DATA), kms_secret_bytes(x->c.out),
	    kms_secret_len(x->c.out));
	if (x->drawn)
		kmip_ttlv_put_bytes(wr, TAG(IV_COUNTER_NONCE), x->c.iv,
		    x->c.iv_len);
	if (x->c.tag_len > 0)
		kmip_ttlv_put_bytes(wr, TAG(AUTHENTICATED_ENCRYPTION_TAG),
		    x->c.tag, x->c.tag_len);
}

/* The plaintext stays in locked memory until it is sent. */
static int
put_decrypted(struct kmip_work *w, const char *uid, const struct crypting *x)
{
	size_t len = kms_secret_len(x->c.out);
	struct kms_wr wr;
	int r;

	r = kms_secret_new(kmip_ttlv_space(len) + FRAME_MAX, &w->secret);
	if (r != 0)
		return r;
	kms_wr_fixed(&wr, kms_secret_fill(w->secret),
	    kms_secret_len(w->secret));
	kmip_ttlv_put_text(&wr, TAG(UNIQUE_IDENTIFIER), uid);
	kmip_ttlv_put_bytes(&wr, TAG(DATA), kms_secret_bytes(x->c.out), len);
	w->secret_len = wr.len;
	return kms_wr_check(&wr, "data");
}

static int
run(struct kmip_batch *b, struct kmip_work *w, bool decrypt)
{
	struct crypting x = {.c.decrypt = decrypt};
	char uid[KMS_TAG_TEXT];
	int r;

	r = read_request(b, w, &x);
	if (r == 0)
		r = look_at_key(b, &x);
	if (r == 0)
		r = set_up(&x);
	if (r == 0)
		r = work(b, &x);
	kms_tag_text(&x.key, uid);
	if (r == 0 && decrypt)
		r = put_decrypted(w, uid, &x);
	else if (r == 0)
		put_encrypted(&w->out, uid, &x);
	kms_secret_free(&x.c.out);
	return r;
}

int
kmip_op_encrypt(struct kmip_batch *b, struct kmip_work *w)
{
	return run(b, w, false);
}

int
kmip_op_decrypt(struct kmip_batch *b, struct kmip_work *w)
{
	return run(b, w, true);
}

bool
kmip_op_can_crypt(struct kmip_service *s)
{
	unsigned ciphers;

	if (kms_release_ciphers(s->store, &ciphers) != 0) {
		kms_err_clear();
		return false;
	}
	return ciphers != 0;
}
