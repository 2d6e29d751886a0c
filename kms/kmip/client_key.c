/* What a tape drive asks of a KMIP server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kms/kmip/attr.h"
#include "kms/kmip/client.h"
#include "kms/kmip/reason.h"
#include "kms/record.h"

#define TAG(id) KMIP_TAG_##id
#define MINOR 2u /* KMIP 1.2: what servers in the field have */
#define UUID_TEXT 36u
#define NOTE_MAX 256u

void
kmip_client_key_clear(struct kmip_client_key *key)
{
	kms_secret_free(&key->key);
	memset(key, 0, sizeof(*key));
}

/* --- identifier and tag ------------------------------------------------- */

static bool
is_uuid(const char *uid)
{
	size_t i;

	if (strlen(uid) != UUID_TEXT)
		return false;
	for (i = 0; i < UUID_TEXT; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash != (uid[i] == '-'))
			return false;
	}
	return true;
}

int
kmip_client_tag_of(const char *uid, struct kms_tag *tag)
{
	size_t len = strlen(uid), n = 0;
	uint8_t b[KMS_TAG_MAX];

	memset(tag, 0, sizeof(*tag));
	if ((is_uuid(uid) || strpbrk(uid, " -:") == NULL) &&
	    kms_unhex(uid, b, sizeof(b), &n) == 0)
		return kms_tag_from(tag, b, n);
	kms_err_clear();
	if (len > 0 && len <= KMS_TAG_MAX)
		return kms_tag_from(tag, uid, len);
	return kms_fail(KMS_ERR_USAGE,
	    "the server's identifier '%.64s' does not fit on tape: it is "
	    "neither a UUID nor hex nor at most %u bytes",
	    uid, KMS_TAG_MAX);
}

static bool
is_text(const struct kms_tag *tag)
{
	size_t i;

	for (i = 0; i < tag->len; i++)
		if (tag->b[i] <= 0x20 || tag->b[i] >= 0x7f)
			return false;
	return true;
}

static void
put_uuid(const struct kms_tag *tag, char *out)
{
	char h[33];

	kms_hex(tag->b, 16, h);
	(void)snprintf(out, KMIP_UID_MAX + 1, "%.8s-%.4s-%.4s-%.4s-%.12s", h,
	    h + 8, h + 12, h + 16, h + 20);
}

/* A UUID before plain hex before text: of what fits, in that order. */
bool
kmip_client_uid_of(const struct kms_tag *tag, unsigned n,
    char uid[KMIP_UID_MAX + 1])
{
	if (tag->len == 16 && n-- == 0) {
		put_uuid(tag, uid);
		return true;
	}
	if (n == 0) {
		kms_tag_text(tag, uid);
		return true;
	}
	if (n > 1 || !is_text(tag))
		return false;
	memcpy(uid, tag->b, tag->len);
	uid[tag->len] = '\0';
	return true;
}

/* --- messages ----------------------------------------------------------- */

/* A request and its answer; too big for a stack. */
struct talk {
	struct kmip_request req;
	struct kmip_response res;
	struct kms_wr payload[2];
};

static int
talk_new(struct talk **out)
{
	struct talk *t = calloc(1, sizeof(*t));

	*out = t;
	if (t == NULL)
		return kms_fail(KMS_ERR_MEMORY, "request: out of memory");
	t->req.minor = MINOR;
	kms_wr_grow(&t->payload[0], KMIP_ATTR_VALUE_MAX);
	kms_wr_grow(&t->payload[1], KMIP_ATTR_VALUE_MAX);
	return 0;
}

static void
talk_free(struct talk **tp)
{
	if (*tp == NULL)
		return;
	kms_wr_free(&(*tp)->payload[0]);
	kms_wr_free(&(*tp)->payload[1]);
	free(*tp);
	*tp = NULL;
}

static int
talk_send(struct kmip_client *c, struct talk *t, uint32_t op0, uint32_t op1)
{
	const uint32_t op[2] = {op0, op1};
	size_t i;
	int r = 0;

	t->req.n = op1 == 0 ? 1 : 2;
	for (i = 0; r == 0 && i < t->req.n; i++) {
		struct kmip_call *call = &t->req.call[i];

		r = kms_wr_check(&t->payload[i], "request");
		call->op = op[i];
		call->id[0] = (uint8_t)('1' + i);
		call->id_len = t->req.n > 1 ? 1 : 0;
		call->payload = (struct kmip_item){.type = KMIP_STRUCTURE,
		    .value = t->payload[i].p,
		    .len = t->payload[i].len};
	}
	return r == 0 ? kmip_client_call(c, &t->req, &t->res) : r;
}

/* --- a key out of an answer --------------------------------------------- */

static int
wrong(const struct kmip_client *c, const char *what)
{
	return kms_fail(KMS_ERR_IO, "%s: %s", kmip_client_server(c), what);
}

static int
check_aes(const struct kmip_client *c, const struct kmip_item *block)
{
	struct kmip_item format, algorithm;
	uint32_t v = 0;

	if (!kmip_ttlv_find(block, TAG(KEY_FORMAT_TYPE), &format) ||
	    kmip_ttlv_enum(&format, &v) != 0 || v != KMIP_FORMAT_RAW)
		return wrong(c, "the key is not in Raw format");
	if (kmip_ttlv_find(block, TAG(CRYPTOGRAPHIC_ALGORITHM), &algorithm) &&
	    (kmip_ttlv_enum(&algorithm, &v) != 0 || v != KMIP_ALG_AES))
		return wrong(c, "the key is not for AES");
	return 0;
}

static int
read_key(const struct kmip_client *c, const struct kmip_answer *a,
    struct kmip_client_key *key)
{
	struct kmip_item payload, uid, object, block, value, material;
	int r;

	kmip_msg_payload(a, &payload);
	if (!kmip_ttlv_find(&payload, TAG(UNIQUE_IDENTIFIER), &uid) ||
	    !kmip_ttlv_find(&payload, TAG(SYMMETRIC_KEY), &object) ||
	    !kmip_ttlv_find(&object, TAG(KEY_BLOCK), &block) ||
	    !kmip_ttlv_find(&block, TAG(KEY_VALUE), &value) ||
	    !kmip_ttlv_find(&value, TAG(KEY_MATERIAL), &material))
		return wrong(c, "no symmetric key in its answer");
	r = check_aes(c, &block);
	if (r == 0 &&
	    (material.type != KMIP_BYTES || material.len != KMS_KEY_LEN))
		r = wrong(c, "the key is not one of 256 bits");
	if (r == 0)
		r = kmip_ttlv_text(&uid, key->uid, sizeof(key->uid));
	if (r == 0)
		r = kmip_client_tag_of(key->uid, &key->tag);
	if (r == 0)
		r = kms_secret_new(KMS_KEY_LEN, &key->key);
	if (r == 0)
		memcpy(kms_secret_fill(key->key), material.value, KMS_KEY_LEN);
	return r;
}

/* --- what is asked for -------------------------------------------------- */

/* Servers put a key's group into the standard attribute, or into the one that
 * NetBackup asks for. */
static int
find_active(struct kmip_client *c, const char *group, bool standard,
    struct kmip_client_key *key)
{
	struct talk *t = NULL;
	int r;

	r = talk_new(&t);
	if (r != 0)
		return r;
	kmip_ttlv_put_int(&t->payload[0], TAG(MAXIMUM_ITEMS), 1);
	kmip_attr_put_enum(&t->payload[0], TAG(OBJECT_TYPE),
	    KMIP_OBJECT_SYMMETRIC_KEY);
	kmip_attr_put_enum(&t->payload[0], TAG(STATE), KMIP_STATE_ACTIVE);
	if (standard)
		kmip_attr_put_text(&t->payload[0], TAG(OBJECT_GROUP), group);
	else
		kmip_attr_put_custom(&t->payload[0], "x-keygroup", group);
	r = talk_send(c, t, KMIP_OP_LOCATE, KMIP_OP_GET);
	if (r == 0)
		r = kmip_client_check(c, &t->res, 0);
	if (r == 0 && t->res.answer[0].payload_len == 0)
		r = kms_fail(KMS_ERR_NOTFOUND,
		    "%s: no active key in group '%s'", kmip_client_server(c),
		    group);
	if (r == 0)
		r = kmip_client_check(c, &t->res, 1);
	if (r == 0 && t->res.n < 2)
		r = wrong(c, "half an answer");
	if (r == 0)
		r = read_key(c, &t->res.answer[1], key);
	talk_free(&t);
	return r;
}

int
kmip_client_active(struct kmip_client *c, const char *group,
    struct kmip_client_key *key)
{
	int r;

	memset(key, 0, sizeof(*key));
	r = find_active(c, group, true, key);
	if (r == KMS_ERR_NOTFOUND)
		r = find_active(c, group, false, key);
	if (r != 0)
		kmip_client_key_clear(key);
	return r;
}

static int
get(struct kmip_client *c, const char *uid, struct kmip_client_key *key)
{
	struct talk *t = NULL;
	int r;

	r = talk_new(&t);
	if (r != 0)
		return r;
	kmip_ttlv_put_text(&t->payload[0], TAG(UNIQUE_IDENTIFIER), uid);
	r = talk_send(c, t, KMIP_OP_GET, 0);
	if (r == 0)
		r = kmip_client_check(c, &t->res, 0);
	if (r == 0)
		r = read_key(c, &t->res.answer[0], key);
	if (r == 0 && strcmp(key->uid, uid) != 0)
		r = wrong(c, "it answered with another key than asked for");
	talk_free(&t);
	return r;
}

int
kmip_client_by_tag(struct kmip_client *c, const struct kms_tag *tag,
    struct kmip_client_key *key)
{
	char uid[KMIP_UID_MAX + 1];
	unsigned n;
	int r = KMS_ERR_NOTFOUND;

	memset(key, 0, sizeof(*key));
	for (n = 0; r == KMS_ERR_NOTFOUND && kmip_client_uid_of(tag, n, uid);
	     n++) {
		kmip_client_key_clear(key);
		r = get(c, uid, key);
	}
	if (r == 0 && !kms_tag_equal(&key->tag, tag))
		r = wrong(c, "it answered with another key than asked for");
	if (r != 0)
		kmip_client_key_clear(key);
	return r;
}

static int
put_field(char *text, size_t cap, const char *field)
{
	size_t used = strlen(text);
	int n;

	if (field == NULL || field[0] == '\0')
		field = "-";
	n = snprintf(text + used, cap - used, "%s;", field);
	if (strchr(field, ';') == NULL && n > 0 && (size_t)n < cap - used)
		return 0;
	return kms_fail(KMS_ERR_USAGE, "volume or drive: too long, or a ';'");
}

/* It answered, and will not answer otherwise: that attribute, or adding any,
 * is not for it. */
static bool
is_refusal(const struct kmip_response *res)
{
	if (res->n == 0)
		return false;
	switch (res->answer[0].reason) {
	case KMIP_REASON_OPERATION_NOT_SUPPORTED:
	case KMIP_REASON_FEATURE_NOT_SUPPORTED:
	case KMIP_REASON_INVALID_FIELD:
	case KMIP_REASON_INVALID_MESSAGE:
		return true;
	default:
		return false;
	}
}

int
kmip_client_tell(struct kmip_client *c, const char *uid,
    const struct kmip_client_note *note)
{
	struct talk *t = NULL;
	char when[KMS_TIME_TEXT], text[NOTE_MAX] = "";
	int r;

	r = put_field(text, sizeof(text), note->volume);
	if (r == 0)
		r = put_field(text, sizeof(text), note->medium);
	if (r == 0)
		r = put_field(text, sizeof(text), note->drive);
	if (r != 0)
		return r;
	kms_time_text((int64_t)time(NULL) * 1000000, when);
	(void)strncat(text, when, sizeof(text) - strlen(text) - 1);
	r = talk_new(&t);
	if (r != 0)
		return r;
	kmip_ttlv_put_text(&t->payload[0], TAG(UNIQUE_IDENTIFIER), uid);
	kmip_attr_put_custom(&t->payload[0], KMIP_NOTE, text);
	r = talk_send(c, t, KMIP_OP_ADD_ATTRIBUTE, 0);
	if (r == 0) {
		r = kmip_client_check(c, &t->res, 0);
		if (r == KMS_ERR_IO && is_refusal(&t->res))
			r = kms_fail(KMS_ERR_DENIED, "%s", kms_err_cause(r));
	}
	talk_free(&t);
	return r;
}
