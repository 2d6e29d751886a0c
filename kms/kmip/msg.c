#include "kms/kmip/msg.h"

#include <string.h>

#include "kms/kmip/reason.h"

#define TAG(name) KMIP_TAG_##name

static int
read_version(const struct kmip_item *version, uint32_t *major, uint32_t *minor)
{
	struct kmip_item a, b;
	int32_t v = 0, w = 0;
	int r;
	const struct kmip_field f[] = {{TAG(PROTOCOL_VERSION_MAJOR),
					   KMIP_INTEGER, KMIP_REQUIRED, &a},
	    {TAG(PROTOCOL_VERSION_MINOR), KMIP_INTEGER, KMIP_REQUIRED, &b}};

	r = kmip_ttlv_fields(version, f, 2, true);
	if (r == 0)
		r = kmip_ttlv_int(&a, &v);
	if (r == 0)
		r = kmip_ttlv_int(&b, &w);
	if (r == 0 && (v < 0 || w < 0))
		r = kmip_fail(INVALID_MESSAGE, "protocol version %d.%d", v, w);
	*major = (uint32_t)v;
	*minor = (uint32_t)w;
	return r;
}

static void
put_version(struct kms_wr *wr, unsigned minor)
{
	size_t at = kmip_ttlv_begin(wr, TAG(PROTOCOL_VERSION));

	kmip_ttlv_put_int(wr, TAG(PROTOCOL_VERSION_MAJOR), (int)KMIP_MAJOR);
	kmip_ttlv_put_int(wr, TAG(PROTOCOL_VERSION_MINOR), (int)minor);
	kmip_ttlv_end(wr, at);
}

/* The version decides how strictly the rest is read, so it comes first. */
static int
agree_version(struct kmip_request *req, const struct kmip_item *header)
{
	struct kmip_item version;
	uint32_t major, minor;
	int r;

	if (!kmip_ttlv_find(header, TAG(PROTOCOL_VERSION), &version))
		return kmip_fail(INVALID_MESSAGE,
		    "header without protocol version");
	r = read_version(&version, &major, &minor);
	if (r != 0)
		return r;
	req->minor = KMIP_MINOR_MAX;
	if (major != KMIP_MAJOR)
		return kmip_fail(INVALID_MESSAGE,
		    "protocol version %u.%u; this service speaks 1.0 to 1.%u",
		    major, minor, KMIP_MINOR_MAX);
	req->lenient = minor > KMIP_MINOR_MAX;
	if (!req->lenient)
		req->minor = minor;
	return 0;
}

static int
read_limit(struct kmip_request *req, const struct kmip_item *item)
{
	int32_t v;
	int r;

	if (item->type == 0)
		return 0;
	r = kmip_ttlv_int(item, &v);
	if (r != 0)
		return r;
	if (v <= 0)
		return kmip_fail(INVALID_FIELD, "Maximum Response Size of %d",
		    v);
	req->max_response = (size_t)v;
	return 0;
}

static int
read_on_error(struct kmip_request *req, const struct kmip_item *item)
{
	uint32_t v;
	int r;

	req->on_error = KMIP_BATCH_STOP; /* section 6.13: the default */
	if (item->type == 0)
		return 0;
	r = kmip_ttlv_enum(item, &v);
	if (r != 0)
		return r;
	if (kmip_def_name(KMIP_TABLE_BATCH_ERROR, v) == NULL)
		return kmip_fail(INVALID_FIELD,
		    "Batch Error Continuation Option %u", v);
	req->on_error = (enum kmip_batch_error)v;
	return 0;
}

/*
 * A credential is accepted and not looked at: who the client is says its
 * certificate. Items are always worked on in order, and never later.
 */
static int
read_header(struct kmip_request *req, const struct kmip_item *header,
    int32_t *count)
{
	struct kmip_item version, limit, on_error, n;
	int r;
	const struct kmip_field f[] = {
	    {TAG(PROTOCOL_VERSION), KMIP_STRUCTURE, KMIP_REQUIRED, &version},
	    {TAG(MAXIMUM_RESPONSE_SIZE), KMIP_INTEGER, KMIP_OPTIONAL, &limit},
	    {TAG(CLIENT_CORRELATION_VALUE), KMIP_TEXT, KMIP_OPTIONAL, NULL},
	    {TAG(SERVER_CORRELATION_VALUE), KMIP_TEXT, KMIP_OPTIONAL, NULL},
	    {TAG(ASYNCHRONOUS_INDICATOR), KMIP_BOOL, KMIP_OPTIONAL, NULL},
	    {TAG(ATTESTATION_CAPABLE_INDICATOR), KMIP_BOOL, KMIP_OPTIONAL,
		NULL},
	    {TAG(ATTESTATION_TYPE), KMIP_ENUM, KMIP_MANY, NULL},
	    {TAG(AUTHENTICATION), KMIP_STRUCTURE, KMIP_OPTIONAL, NULL},
	    {TAG(BATCH_ERROR_CONTINUATION_OPTION), KMIP_ENUM, KMIP_OPTIONAL,
		&on_error},
	    {TAG(BATCH_ORDER_OPTION), KMIP_BOOL, KMIP_OPTIONAL, NULL},
	    {TAG(TIME_STAMP), KMIP_DATE, KMIP_OPTIONAL, NULL},
	    {TAG(BATCH_COUNT), KMIP_INTEGER, KMIP_REQUIRED, &n},
	};

	r = agree_version(req, header);
	if (r == 0)
		r = kmip_ttlv_fields(header, f, sizeof(f) / sizeof(f[0]),
		    req->lenient);
	if (r == 0)
		r = read_limit(req, &limit);
	if (r == 0)
		r = read_on_error(req, &on_error);
	if (r == 0)
		r = kmip_ttlv_int(&n, count);
	return r;
}

/* What nobody understands may be ignored, unless it says that it may not be
 * (section 7.2, Message Extension). */
static int
check_extension(const struct kmip_item *extension)
{
	struct kmip_item critical;
	bool is = false;
	int r;

	if (!kmip_ttlv_find(extension, TAG(CRITICALITY_INDICATOR), &critical))
		return 0;
	r = kmip_ttlv_bool(&critical, &is);
	if (r == 0 && is)
		r = kmip_fail(FEATURE_NOT_SUPPORTED,
		    "a Message Extension that is critical");
	return r;
}

static int
read_id(uint8_t id[KMIP_BATCH_ID_MAX], size_t *len,
    const struct kmip_item *item)
{
	*len = 0;
	if (item->type == 0)
		return 0;
	if (item->len > KMIP_BATCH_ID_MAX)
		return kmip_fail(INVALID_MESSAGE,
		    "Unique Batch Item ID over %u bytes", KMIP_BATCH_ID_MAX);
	memcpy(id, item->value, item->len);
	*len = item->len;
	return 0;
}

static int
read_call(struct kmip_call *call, const struct kmip_item *batch_item,
    bool lenient)
{
	struct kmip_item op, id, extension;
	int r;
	const struct kmip_field f[] = {
	    {TAG(OPERATION), KMIP_ENUM, KMIP_REQUIRED, &op},
	    {TAG(UNIQUE_BATCH_ITEM_ID), KMIP_BYTES, KMIP_OPTIONAL, &id},
	    {TAG(REQUEST_PAYLOAD), KMIP_STRUCTURE, KMIP_REQUIRED,
		&call->payload},
	    {TAG(MESSAGE_EXTENSION), KMIP_STRUCTURE, KMIP_OPTIONAL, &extension},
	};

	r = kmip_ttlv_fields(batch_item, f, sizeof(f) / sizeof(f[0]), lenient);
	if (r == 0)
		r = kmip_ttlv_enum(&op, &call->op);
	if (r == 0)
		r = read_id(call->id, &call->id_len, &id);
	if (r == 0 && extension.type != 0)
		r = check_extension(&extension);
	return r;
}

/* Whatever is wrong with the frame makes the whole message invalid. */
static int
read_frame(struct kmip_request *req, const struct kmip_item *top)
{
	struct kms_rd rd;
	struct kmip_item item;
	int32_t count = 0;
	int r;

	kmip_ttlv_walk(&rd, top);
	if (!kmip_ttlv_next(&rd, &item) || item.tag != TAG(REQUEST_HEADER))
		return kmip_fail(INVALID_MESSAGE, "message without header");
	r = read_header(req, &item, &count);
	if (r != 0)
		return r;
	while (kmip_ttlv_next(&rd, &item)) {
		if (item.tag != TAG(BATCH_ITEM) || item.type != KMIP_STRUCTURE)
			return kmip_fail(INVALID_MESSAGE,
			    "message: something other than batch items");
		if (req->n == KMIP_BATCH_MAX)
			return kmip_fail(INVALID_MESSAGE,
			    "message of more than %u batch items",
			    KMIP_BATCH_MAX);
		r = read_call(&req->call[req->n++], &item, req->lenient);
		if (r != 0)
			return r;
	}
	if (req->n == 0 || count != (int32_t)req->n)
		return kmip_fail(INVALID_MESSAGE,
		    "Batch Count is %d, batch items are %zu", count, req->n);
	return 0;
}

int
kmip_msg_read_request(struct kmip_request *req, const void *p, size_t len)
{
	struct kmip_item top;
	int r;

	memset(req, 0, sizeof(*req));
	req->on_error = KMIP_BATCH_STOP;
	r = kmip_ttlv_check(p, len, &top);
	if (r != 0)
		return r;
	if (top.tag != TAG(REQUEST_MESSAGE) || top.type != KMIP_STRUCTURE)
		return kmip_fail(INVALID_MESSAGE, "not a request message");
	return read_frame(req, &top);
}

void
kmip_msg_put_request(struct kms_wr *wr, const struct kmip_request *req)
{
	size_t i, top, at;

	top = kmip_ttlv_begin(wr, TAG(REQUEST_MESSAGE));
	at = kmip_ttlv_begin(wr, TAG(REQUEST_HEADER));
	put_version(wr, req->minor);
	if (req->max_response != 0)
		kmip_ttlv_put_int(wr, TAG(MAXIMUM_RESPONSE_SIZE),
		    (int32_t)req->max_response);
	if (req->on_error != 0)
		kmip_ttlv_put_enum(wr, TAG(BATCH_ERROR_CONTINUATION_OPTION),
		    req->on_error);
	if (req->n > 1)
		kmip_ttlv_put_bool(wr, TAG(BATCH_ORDER_OPTION), true);
	kmip_ttlv_put_int(wr, TAG(BATCH_COUNT), (int32_t)req->n);
	kmip_ttlv_end(wr, at);
	for (i = 0; i < req->n; i++) {
		const struct kmip_call *c = &req->call[i];

		at = kmip_ttlv_begin(wr, TAG(BATCH_ITEM));
		kmip_ttlv_put_enum(wr, TAG(OPERATION), c->op);
		if (c->id_len > 0)
			kmip_ttlv_put_bytes(wr, TAG(UNIQUE_BATCH_ITEM_ID),
			    c->id, c->id_len);
		kmip_ttlv_put_item(wr, TAG(REQUEST_PAYLOAD), &c->payload);
		kmip_ttlv_end(wr, at);
	}
	kmip_ttlv_end(wr, top);
}

size_t
kmip_msg_answer_size(const struct kmip_answer *a)
{
	size_t n = KMIP_HEAD + kmip_ttlv_space(4); /* item, status */

	if (a->op != 0)
		n += kmip_ttlv_space(4);
	if (a->id_len > 0)
		n += kmip_ttlv_space(a->id_len);
	if (a->status == KMIP_STATUS_SUCCESS)
		return n + KMIP_HEAD;
	n += kmip_ttlv_space(4);
	if (a->message[0] != '\0')
		n += kmip_ttlv_space(strlen(a->message));
	return n;
}

size_t
kmip_msg_response_size(const struct kmip_response *res)
{
	size_t i, n;

	n = KMIP_HEAD + KMIP_HEAD;                    /* message, header */
	n += KMIP_HEAD + 2 * kmip_ttlv_space(4);      /* version */
	n += kmip_ttlv_space(8) + kmip_ttlv_space(4); /* time, count */
	for (i = 0; i < res->n; i++) {
		n += kmip_msg_answer_size(&res->answer[i]);
		if (res->answer[i].status == KMIP_STATUS_SUCCESS)
			n += res->answer[i].payload_len;
	}
	return n;
}

static void
put_answer(struct kms_wr *wr, const struct kmip_answer *a)
{
	size_t at, in;

	at = kmip_ttlv_begin(wr, TAG(BATCH_ITEM));
	if (a->op != 0)
		kmip_ttlv_put_enum(wr, TAG(OPERATION), a->op);
	if (a->id_len > 0)
		kmip_ttlv_put_bytes(wr, TAG(UNIQUE_BATCH_ITEM_ID), a->id,
		    a->id_len);
	kmip_ttlv_put_enum(wr, TAG(RESULT_STATUS), a->status);
	if (a->status == KMIP_STATUS_SUCCESS) {
		in = kmip_ttlv_begin(wr, TAG(RESPONSE_PAYLOAD));
		kms_wr_bytes(wr, a->payload, a->payload_len);
		kmip_ttlv_end(wr, in);
	} else {
		kmip_ttlv_put_enum(wr, TAG(RESULT_REASON), a->reason);
		if (a->message[0] != '\0')
			kmip_ttlv_put_text(wr, TAG(RESULT_MESSAGE), a->message);
	}
	kmip_ttlv_end(wr, at);
}

void
kmip_msg_put_response(struct kms_wr *wr, const struct kmip_response *res)
{
	size_t i, top, at;

	top = kmip_ttlv_begin(wr, TAG(RESPONSE_MESSAGE));
	at = kmip_ttlv_begin(wr, TAG(RESPONSE_HEADER));
	put_version(wr, res->minor);
	kmip_ttlv_put_date(wr, TAG(TIME_STAMP), res->time);
	kmip_ttlv_put_int(wr, TAG(BATCH_COUNT), (int32_t)res->n);
	kmip_ttlv_end(wr, at);
	for (i = 0; i < res->n; i++)
		put_answer(wr, &res->answer[i]);
	kmip_ttlv_end(wr, top);
}

/* Of a server's text, what fits and can be printed. */
static void
read_message(struct kmip_answer *a, const struct kmip_item *text)
{
	struct kmip_item cut = *text;

	if (text->type != KMIP_TEXT)
		return;
	if (cut.len >= sizeof(a->message))
		cut.len = sizeof(a->message) - 1;
	if (kmip_ttlv_text(&cut, a->message, sizeof(a->message)) != 0)
		a->message[0] = '\0';
}

static int
read_answer(struct kmip_answer *a, const struct kmip_item *batch_item)
{
	struct kmip_item op, id, status, reason, text, payload;
	int r;
	const struct kmip_field f[] = {
	    {TAG(OPERATION), KMIP_ENUM, KMIP_OPTIONAL, &op},
	    {TAG(UNIQUE_BATCH_ITEM_ID), KMIP_BYTES, KMIP_OPTIONAL, &id},
	    {TAG(RESULT_STATUS), KMIP_ENUM, KMIP_REQUIRED, &status},
	    {TAG(RESULT_REASON), KMIP_ENUM, KMIP_OPTIONAL, &reason},
	    {TAG(RESULT_MESSAGE), KMIP_TEXT, KMIP_OPTIONAL, &text},
	    {TAG(RESPONSE_PAYLOAD), KMIP_STRUCTURE, KMIP_OPTIONAL, &payload},
	};

	r = kmip_ttlv_fields(batch_item, f, sizeof(f) / sizeof(f[0]), true);
	if (r == 0 && op.type != 0)
		r = kmip_ttlv_enum(&op, &a->op);
	if (r == 0)
		r = read_id(a->id, &a->id_len, &id);
	if (r == 0)
		r = kmip_ttlv_enum(&status, &a->status);
	if (r == 0 && reason.type != 0)
		r = kmip_ttlv_enum(&reason, &a->reason);
	if (r != 0)
		return r;
	read_message(a, &text);
	a->payload = payload.value;
	a->payload_len = payload.len;
	return 0;
}

static int
read_response_header(struct kmip_response *res, const struct kmip_item *header)
{
	struct kmip_item version, time;
	uint32_t major, minor;
	int r;

	if (!kmip_ttlv_find(header, TAG(PROTOCOL_VERSION), &version))
		return kmip_fail(INVALID_MESSAGE,
		    "response without protocol version");
	r = read_version(&version, &major, &minor);
	if (r != 0)
		return r;
	if (major != KMIP_MAJOR)
		return kmip_fail(INVALID_MESSAGE,
		    "the server answers in KMIP %u.%u", major, minor);
	res->minor = minor;
	if (kmip_ttlv_find(header, TAG(TIME_STAMP), &time))
		r = kmip_ttlv_date(&time, &res->time);
	return r;
}

int
kmip_msg_read_response(struct kmip_response *res, const void *p, size_t len)
{
	struct kmip_item top, item;
	struct kms_rd rd;
	int r;

	memset(res, 0, sizeof(*res));
	r = kmip_ttlv_check(p, len, &top);
	if (r != 0)
		return r;
	kmip_ttlv_walk(&rd, &top);
	if (top.tag != TAG(RESPONSE_MESSAGE) || !kmip_ttlv_next(&rd, &item) ||
	    item.tag != TAG(RESPONSE_HEADER))
		return kmip_fail(INVALID_MESSAGE, "not a response message");
	r = read_response_header(res, &item);
	while (r == 0 && kmip_ttlv_next(&rd, &item)) {
		if (item.tag != TAG(BATCH_ITEM) || res->n == KMIP_BATCH_MAX)
			return kmip_fail(INVALID_MESSAGE,
			    "response: too many items, or other things");
		r = read_answer(&res->answer[res->n++], &item);
	}
	return r;
}

void
kmip_msg_payload(const struct kmip_answer *a, struct kmip_item *item)
{
	*item = (struct kmip_item){.tag = TAG(RESPONSE_PAYLOAD),
	    .type = a->payload == NULL ? 0 : KMIP_STRUCTURE,
	    .value = a->payload,
	    .len = a->payload_len};
}
