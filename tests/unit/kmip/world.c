#include "tests/unit/kmip/world.h"

#include <stdlib.h>
#include <string.h>

#include "kms/group.h"
#include "kms/material.h"
#include "kms/quiesce.h"
#include "kms/setup.h"

#define TAG(id) KMIP_TAG_##id

void
ok(int r)
{
	ck_assert_msg(r == 0, "%d %s: %s", r, kms_err_name(r),
	    r == 0 ? "" : kms_err_cause(r));
}

void
world_begin(struct world *w)
{
	static const struct kms_policy policy = KMS_POLICY_DEFAULT;

	memset(w, 0, sizeof(*w));
	w->fx = fx_new();
	ok(soft_sealer_new(NULL, &w->sealer));
	kms_actor_local(&w->local);
	w->options = (struct kms_store_options){.path = fx_path(w->fx,
						    "kms.db"),
	    .sealer = w->sealer,
	    .policy = policy,
	    .wait_ms = 10000};
	w->options.policy.kdf_cost = KMS_KDF_COST_CREATE_MIN;
	w->options.policy.serve_gate = w->options.policy.delete_gate = false;
}

void
world_open(struct world *w)
{
	const struct kms_setup_master hmk = {.id = "HMK 1"};
	const struct kms_setup_master kpk = {.id = "KPK 1"};

	ok(kms_setup_create(&w->options, &w->local, &hmk, &kpk));
	ok(kms_store_open(&w->options, &w->store));
	ok(kmip_service_open(w->store, false, &w->service));
	world_rule(w, "home *", "*");
}

void
world_reopen(struct world *w)
{
	kmip_service_close(&w->service);
	kms_store_close(&w->store);
	ok(kms_store_open(&w->options, &w->store));
	ok(kmip_service_open(w->store, false, &w->service));
}

void
world_rename(struct world *w, const char *group, const char *name,
    const char *to)
{
	const struct kms_key_change change = {.name = to};
	struct kms_tx *tx;

	ok(kms_tx_begin(w->store, &w->local, KMS_WRITE, &tx));
	ok(kms_key_modify(tx, group, name, &change));
	ok(kms_tx_commit(&tx));
}

void
world_rule(struct world *w, const char *groups, const char *operations)
{
	const struct kmip_rule_text text = {.name = "media01",
	    .cn = "media01.example.com",
	    .groups = groups,
	    .operations = operations};

	kmip_rules_drop(&w->rules);
	ok(kmip_rules_new(&w->rules));
	ok(kmip_rules_add(w->rules, &text));
	kmip_actor_init(&w->actor, kmip_rules_at(w->rules, 0),
	    "192.0.2.1:4711");
}

void
world_end(struct world *w)
{
	kmip_rules_drop(&w->rules);
	kmip_service_close(&w->service);
	kms_store_close(&w->store);
	w->sealer->close(&w->sealer);
	fx_free(&w->fx);
}

/* --- as the command line ------------------------------------------------ */

void
world_group(struct world *w, const char *group, const char *phrase)
{
	struct kms_secret *s = NULL;
	struct kms_seed seed;
	struct kms_tx *tx;
	char copy[128];

	if (phrase != NULL) {
		strcpy(copy, phrase);
		ok(kms_secret_from(copy, strlen(phrase), &s));
		ok(kms_material_seed(w->store, s, &seed));
		kms_secret_free(&s);
	}
	ok(kms_tx_begin(w->store, &w->local, KMS_WRITE, &tx));
	ok(kms_group_add(tx, group, NULL, phrase != NULL ? &seed : NULL));
	ok(kms_tx_commit(&tx));
}

static void
add_record(struct world *w, struct kms_key_new *new, enum kms_state state,
    struct kms_tag *tag)
{
	struct kms_material material;
	struct kms_key_view view;
	struct kms_tx *tx;
	bool held;

	ok(kms_material_random(w->store, &material));
	ok(kms_tx_begin(w->store, &w->local, KMS_WRITE, &tx));
	new->state = KMS_PRELIVE;
	new->event = KMS_EVENT_KEY_CREATE;
	new->material = &material;
	ok(kms_key_add(tx, new, &view, &held));
	ok(kms_key_set_state(tx, new->group, new->name, state));
	ok(kms_tx_commit(&tx));
	if (tag != NULL)
		*tag = view.key.tag;
}

void
world_key(struct world *w, const char *group, const char *name,
    enum kms_state state, struct kms_tag *tag)
{
	struct kms_key_new new = {.group = group, .name = name};

	add_record(w, &new, state, tag);
}

void
world_key_with(struct world *w, const char *group, const char *name,
    const char *attrs, struct kms_tag *tag)
{
	struct kms_key_new new = {.group = group,
	    .name = name,
	    .attrs = (const uint8_t *)attrs,
	    .attrs_len = strlen(attrs)};

	add_record(w, &new, KMS_ACTIVE, tag);
}

void
world_state(struct world *w, const char *group, const char *name,
    enum kms_state state)
{
	struct kms_tx *tx;

	ok(kms_tx_begin(w->store, &w->local, KMS_WRITE, &tx));
	ok(kms_key_set_state(tx, group, name, state));
	ok(kms_tx_commit(&tx));
}

void
world_view(struct world *w, const char *uid, struct kms_key_view *view)
{
	struct kms_tag tag;
	struct kms_tx *tx;

	ok(kms_tag_parse(&tag, uid));
	ok(kms_tx_begin(w->store, &w->local, KMS_READ, &tx));
	ok(kms_key_view_tag(tx, &tag, view));
	kms_tx_abort(&tx);
}

enum kms_state
world_state_of(struct world *w, const char *uid)
{
	struct kms_key_view view;

	world_view(w, uid, &view);
	return view.key.state;
}

void
world_quiesce(struct world *w)
{
	struct kms_tx *tx;
	size_t n;

	ok(kms_tx_begin_quiesced(w->store, &w->local, &tx));
	ok(kms_quiesce_add(tx, "backup", 0, &n));
	ok(kms_tx_commit(&tx));
}

/* --- messages ----------------------------------------------------------- */

void
talk_begin(struct talk *t, unsigned minor)
{
	memset(t, 0, sizeof(*t));
	t->req = calloc(1, sizeof(*t->req));
	t->res = calloc(1, sizeof(*t->res));
	t->payload = calloc(KMIP_BATCH_MAX, sizeof(*t->payload));
	ck_assert(t->req != NULL && t->res != NULL && t->payload != NULL);
	t->req->minor = minor;
}

struct kms_wr *
talk_item(struct talk *t, uint32_t op)
{
	size_t i = t->req->n++;

	ck_assert_uint_lt(i, KMIP_BATCH_MAX);
	t->req->call[i].op = op;
	t->req->call[i].id[0] = (uint8_t)('a' + i);
	t->req->call[i].id_len = 1;
	kms_wr_grow(&t->payload[i], KMIP_MESSAGE_MAX);
	return &t->payload[i];
}

void
talk_send(struct world *w, struct talk *t)
{
	struct kmip_message m = {.locked = true};
	struct kms_wr wr;
	const uint8_t *p;
	size_t i, len;

	for (i = 0; i < t->req->n; i++) {
		ok(kms_wr_check(&t->payload[i], "payload"));
		t->req->call[i]
		    .payload = (struct kmip_item){.type = KMIP_STRUCTURE,
		    .value = t->payload[i].p,
		    .len = t->payload[i].len};
	}
	kms_wr_grow(&wr, KMIP_MESSAGE_MAX);
	kmip_msg_put_request(&wr, t->req);
	ok(kms_wr_check(&wr, "request"));
	m.p = wr.p;
	m.len = wr.len;
	ok(kmip_batch_run(w->service, &w->actor, &m, &t->reply));
	kms_wr_free(&wr);
	p = kmip_reply_bytes(&t->reply, &len);
	ok(kmip_msg_read_response(t->res, p, len));
	if (t->req->max_response != 0)
		ck_assert_uint_le(len, t->req->max_response);
}

void
talk_end(struct talk *t)
{
	size_t i;

	for (i = 0; i < t->req->n; i++)
		kms_wr_free(&t->payload[i]);
	kmip_reply_clear(&t->reply);
	free(t->payload);
	free(t->req);
	free(t->res);
}

void
talk_ok(const struct talk *t, size_t i)
{
	const struct kmip_answer *a = &t->res->answer[i];

	ck_assert_uint_lt(i, t->res->n);
	ck_assert_msg(a->status == KMIP_STATUS_SUCCESS,
	    "item %zu: status %u, reason %u, %s", i, a->status, a->reason,
	    a->message);
	ck_assert_uint_eq(a->op, t->req->call[i].op);
	ck_assert_uint_eq(a->id_len, 1);
	ck_assert_uint_eq(a->id[0], t->req->call[i].id[0]);
}

void
talk_fails(const struct talk *t, size_t i, enum kmip_reason reason)
{
	const struct kmip_answer *a = &t->res->answer[i];

	ck_assert_uint_lt(i, t->res->n);
	ck_assert_msg(a->status == KMIP_STATUS_OPERATION_FAILED &&
		a->reason == (uint32_t)reason,
	    "item %zu: status %u, reason %u, %s", i, a->status, a->reason,
	    a->message);
	ck_assert_uint_gt(strlen(a->message), 0);
}

bool
talk_field(const struct talk *t, size_t i, uint32_t tag, struct kmip_item *item)
{
	struct kmip_item payload;

	kmip_msg_payload(&t->res->answer[i], &payload);
	return kmip_ttlv_find(&payload, tag, item);
}

size_t
talk_count(const struct talk *t, size_t i, uint32_t tag)
{
	struct kmip_item payload, item;
	struct kms_rd rd;
	size_t n = 0;

	kmip_msg_payload(&t->res->answer[i], &payload);
	kmip_ttlv_walk(&rd, &payload);
	while (kmip_ttlv_next(&rd, &item))
		n += item.tag == tag;
	return n;
}

void
talk_uid(const struct talk *t, size_t i, size_t n, char uid[KMS_TAG_TEXT])
{
	struct kmip_item payload, item;
	struct kms_rd rd;

	kmip_msg_payload(&t->res->answer[i], &payload);
	kmip_ttlv_walk(&rd, &payload);
	while (kmip_ttlv_next(&rd, &item))
		if (item.tag == TAG(UNIQUE_IDENTIFIER) && n-- == 0) {
			ok(kmip_ttlv_text(&item, uid, KMS_TAG_TEXT));
			return;
		}
	ck_abort_msg("no Unique Identifier in item %zu", i);
}

size_t
talk_material(const struct talk *t, size_t i, uint8_t *out, size_t cap)
{
	struct kmip_item object, block, value, material;

	if (talk_field(t, i, TAG(OPAQUE_OBJECT), &object)) {
		ck_assert(kmip_ttlv_find(&object, TAG(OPAQUE_DATA_VALUE),
		    &material));
	} else {
		ck_assert(talk_field(t, i, TAG(SYMMETRIC_KEY), &object) ||
		    talk_field(t, i, TAG(SECRET_DATA), &object));
		ck_assert(kmip_ttlv_find(&object, TAG(KEY_BLOCK), &block));
		ck_assert(kmip_ttlv_find(&block, TAG(KEY_VALUE), &value));
		ck_assert(kmip_ttlv_find(&value, TAG(KEY_MATERIAL), &material));
	}
	ck_assert_uint_eq(material.type, KMIP_BYTES);
	ck_assert_uint_le(material.len, cap);
	memcpy(out, material.value, material.len);
	return material.len;
}

bool
talk_attr(const struct talk *t, size_t i, const char *name, int32_t index,
    struct kmip_attr *a)
{
	struct kmip_item payload, item;
	struct kms_rd rd;

	kmip_msg_payload(&t->res->answer[i], &payload);
	kmip_ttlv_walk(&rd, &payload);
	while (kmip_ttlv_next(&rd, &item)) {
		if (item.tag != TAG(ATTRIBUTE))
			continue;
		ok(kmip_attr_read(&item, a));
		if (kmip_attr_named(a, name) &&
		    (a->index < 0 ? 0 : a->index) == index)
			return true;
	}
	return false;
}

bool
talk_has(const struct talk *t, size_t i, const char *name)
{
	struct kmip_attr a;

	return talk_attr(t, i, name, 0, &a);
}

void
talk_attr_text(const struct talk *t, size_t i, const char *name,
    const char *want)
{
	struct kmip_attr a;
	struct kmip_item text;

	ck_assert_msg(talk_attr(t, i, name, 0, &a), "no %s", name);
	text = a.value;
	if (text.type == KMIP_STRUCTURE)
		ck_assert(kmip_attr_field(&a.value, TAG(NAME_VALUE), &text) ||
		    kmip_attr_field(&a.value, TAG(ALTERNATIVE_NAME_VALUE),
			&text));
	ck_assert_uint_eq(text.type, KMIP_TEXT);
	ck_assert_msg(text.len == strlen(want) &&
		memcmp(text.value, want, text.len) == 0,
	    "%s is %.*s, not %s", name, (int)text.len, (const char *)text.value,
	    want);
}

int64_t
talk_attr_number(const struct talk *t, size_t i, const char *name)
{
	struct kmip_attr a;

	ck_assert_msg(talk_attr(t, i, name, 0, &a), "no %s", name);
	return a.value.len == 8 ? (int64_t)kms_get64(a.value.value)
				: (int64_t)kms_get32(a.value.value);
}

/* --- payloads ----------------------------------------------------------- */

void
put_uid(struct kms_wr *wr, const char *uid)
{
	if (uid != NULL)
		kmip_ttlv_put_text(wr, TAG(UNIQUE_IDENTIFIER), uid);
}

size_t
put_template(struct kms_wr *wr, uint32_t type)
{
	kmip_ttlv_put_enum(wr, TAG(OBJECT_TYPE), type);
	return kmip_ttlv_begin(wr, TAG(TEMPLATE_ATTRIBUTE));
}

void
put_aes(struct kms_wr *wr, int32_t bits)
{
	kmip_attr_put_enum(wr, TAG(CRYPTOGRAPHIC_ALGORITHM), KMIP_ALG_AES);
	kmip_attr_put_int(wr, TAG(CRYPTOGRAPHIC_LENGTH), bits);
	kmip_attr_put_int(wr, TAG(CRYPTOGRAPHIC_USAGE_MASK),
	    KMIP_MASK_ENCRYPT | KMIP_MASK_DECRYPT);
}

/* An Attribute whose value is a structure of a text and a text or number. */
static void
put_pair(struct kms_wr *wr, uint32_t attr, uint32_t first, const char *text,
    uint32_t second)
{
	size_t at = kmip_ttlv_begin(wr, TAG(ATTRIBUTE)), in;

	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME),
	    kmip_def_name(KMIP_TABLE_TAG, attr));
	in = kmip_ttlv_begin(wr, TAG(ATTRIBUTE_VALUE));
	kmip_ttlv_put_text(wr, first, text);
	if (second == TAG(ALTERNATIVE_NAME_TYPE))
		kmip_ttlv_put_enum(wr, second,
		    KMIP_ALTERNATIVE_UNINTERPRETED_TEXT_STRING);
	kmip_ttlv_end(wr, in);
	kmip_ttlv_end(wr, at);
}

void
put_text_name(struct kms_wr *wr, const char *name)
{
	kmip_attr_put_name(wr, name, KMIP_NAME_UNINTERPRETED_TEXT_STRING);
}

void
put_application(struct kms_wr *wr, const char *name_space, const char *data)
{
	size_t at = kmip_ttlv_begin(wr, TAG(ATTRIBUTE)), in;

	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME),
	    kmip_def_name(KMIP_TABLE_TAG,
		TAG(APPLICATION_SPECIFIC_INFORMATION)));
	in = kmip_ttlv_begin(wr, TAG(ATTRIBUTE_VALUE));
	kmip_ttlv_put_text(wr, TAG(APPLICATION_NAMESPACE), name_space);
	kmip_ttlv_put_text(wr, TAG(APPLICATION_DATA), data);
	kmip_ttlv_end(wr, in);
	kmip_ttlv_end(wr, at);
}

void
put_alternative(struct kms_wr *wr, const char *value)
{
	put_pair(wr, TAG(ALTERNATIVE_NAME), TAG(ALTERNATIVE_NAME_VALUE), value,
	    TAG(ALTERNATIVE_NAME_TYPE));
}

void
put_custom_int(struct kms_wr *wr, const char *name, int32_t v)
{
	size_t at = kmip_ttlv_begin(wr, TAG(ATTRIBUTE));

	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME), name);
	kmip_ttlv_put_int(wr, TAG(ATTRIBUTE_VALUE), v);
	kmip_ttlv_end(wr, at);
}

void
put_custom_date(struct kms_wr *wr, const char *name, int64_t v)
{
	size_t at = kmip_ttlv_begin(wr, TAG(ATTRIBUTE));

	kmip_ttlv_put_text(wr, TAG(ATTRIBUTE_NAME), name);
	kmip_ttlv_put_date(wr, TAG(ATTRIBUTE_VALUE), v);
	kmip_ttlv_end(wr, at);
}

void
put_revocation(struct kms_wr *wr, const char *uid, uint32_t code)
{
	size_t at;

	put_uid(wr, uid);
	at = kmip_ttlv_begin(wr, TAG(REVOCATION_REASON));
	kmip_ttlv_put_enum(wr, TAG(REVOCATION_REASON_CODE), code);
	kmip_ttlv_end(wr, at);
}

/* --- whole messages ----------------------------------------------------- */

void
create_key(struct world *w, const char *name, const char *group, int32_t bits,
    char uid[KMS_TAG_TEXT])
{
	struct kms_wr *wr;
	struct talk t;
	size_t at;

	talk_begin(&t, 4);
	wr = talk_item(&t, KMIP_OP_CREATE);
	at = put_template(wr, KMIP_OBJECT_SYMMETRIC_KEY);
	put_aes(wr, bits);
	if (name != NULL)
		kmip_attr_put_name(wr, name,
		    KMIP_NAME_UNINTERPRETED_TEXT_STRING);
	if (group != NULL)
		kmip_attr_put_text(wr, TAG(OBJECT_GROUP), group);
	kmip_ttlv_end(wr, at);
	talk_send(w, &t);
	talk_ok(&t, 0);
	talk_uid(&t, 0, 0, uid);
	talk_end(&t);
}

static void
one(struct world *w, struct talk *t, uint32_t op, const char *uid)
{
	struct kms_wr *wr;

	talk_begin(t, 4);
	wr = talk_item(t, op);
	if (op == KMIP_OP_REVOKE)
		put_revocation(wr, uid, KMIP_REVOCATION_CESSATION_OF_OPERATION);
	else
		put_uid(wr, uid);
	talk_send(w, t);
}

void
simple(struct world *w, uint32_t op, const char *uid)
{
	struct talk t;

	one(w, &t, op, uid);
	talk_ok(&t, 0);
	talk_end(&t);
}

void
simple_fails(struct world *w, uint32_t op, const char *uid,
    enum kmip_reason reason)
{
	struct talk t;

	one(w, &t, op, uid);
	talk_fails(&t, 0, reason);
	talk_end(&t);
}

void
get_bytes(struct world *w, const char *uid, uint8_t *out, size_t len)
{
	struct talk t;

	one(w, &t, KMIP_OP_GET, uid);
	talk_ok(&t, 0);
	ck_assert_uint_eq(talk_material(&t, 0, out, len), len);
	talk_end(&t);
}

enum kmip_state
state_of(struct world *w, const char *uid)
{
	struct talk t;
	int64_t v;

	one(w, &t, KMIP_OP_GET_ATTRIBUTES, uid);
	talk_ok(&t, 0);
	v = talk_attr_number(&t, 0, "State");
	talk_end(&t);
	return (enum kmip_state)v;
}
