/* Operations that move an object through its life (KMIP 1.4 sections 4.19 to
 * 4.23), over the five states of the record. */
#include <string.h>

#include "kms/key.h"
#include "kms/kmip/op.h"
#include "kms/kmip/reason.h"

#define TAG(id) KMIP_TAG_##id
#define USEC 1000000

static int
read_uid(struct kmip_batch *b, struct kmip_work *w, struct kmip_item *uid)
{
	const struct kmip_field f[] = {
	    {TAG(UNIQUE_IDENTIFIER), KMIP_TEXT, KMIP_OPTIONAL, uid}};

	return kmip_ttlv_fields(&w->call->payload, f, 1, b->lenient);
}

static const char *
state_name(const struct kmip_view *v)
{
	return kmip_def_name(KMIP_TABLE_STATE, kmip_view_state(v));
}

int
kmip_op_activate(struct kmip_batch *b, struct kmip_work *w)
{
	struct kmip_view v = {0};
	struct kmip_item uid;
	int r;

	r = read_uid(b, w, &uid);
	if (r == 0)
		r = kmip_op_load_live(b, &uid, &v);
	if (r == 0 && kmip_view_state(&v) != KMIP_STATE_PRE_ACTIVE)
		r = kmip_fail(PERMISSION_DENIED,
		    "the object is %s; only Pre-Active ones can be activated",
		    state_name(&v));
	if (r == 0)
		r = kmip_op_set_state(b, &v, KMS_ACTIVE);
	if (r == 0)
		kmip_op_answer_tag(b, w, kmip_view_tag(&v));
	kmip_view_clear(&v);
	return r;
}

struct revocation {
	struct kmip_item uid, reason, occurred, code_item, message;
	uint32_t code;
};

static int
read_revocation(struct kmip_batch *b, struct kmip_work *w,
    struct revocation *rev)
{
	int r;
	const struct kmip_field f[] = {{TAG(UNIQUE_IDENTIFIER), KMIP_TEXT,
					   KMIP_OPTIONAL, &rev->uid},
	    {TAG(REVOCATION_REASON), KMIP_STRUCTURE, KMIP_REQUIRED,
		&rev->reason},
	    {TAG(COMPROMISE_OCCURRENCE_DATE), KMIP_DATE, KMIP_OPTIONAL,
		&rev->occurred}};
	const struct kmip_field in[] = {{TAG(REVOCATION_REASON_CODE), KMIP_ENUM,
					    KMIP_REQUIRED, &rev->code_item},
	    {TAG(REVOCATION_MESSAGE), KMIP_TEXT, KMIP_OPTIONAL, &rev->message}};

	r = kmip_ttlv_fields(&w->call->payload, f, 3, b->lenient);
	if (r == 0)
		r = kmip_ttlv_fields(&rev->reason, in, 2, b->lenient);
	if (r == 0)
		r = kmip_ttlv_enum(&rev->code_item, &rev->code);
	if (r == 0 && rev->message.len > KMIP_ATTR_VALUE_MAX)
		r = kmip_fail(INVALID_FIELD,
		    "Revocation Message: over %u bytes", KMIP_ATTR_VALUE_MAX);
	if (r == 0 && kmip_def_name(KMIP_TABLE_REVOCATION, rev->code) == NULL)
		r = kmip_fail(INVALID_FIELD, "Revocation Reason Code %u",
		    rev->code);
	return r;
}

/* Compromised is told by its date; the record leaves Active, if it was. */
static int
compromise(struct kmip_batch *b, struct kmip_view *v,
    const struct revocation *rev)
{
	int64_t now = kms_tx_time(b->tx) / USEC, occurred = 0;
	int r = 0;

	if (kmip_view_state(v) == KMIP_STATE_COMPROMISED)
		return kmip_fail(PERMISSION_DENIED,
		    "the object is Compromised already");
	if (rev->occurred.type != 0)
		r = kmip_ttlv_date(&rev->occurred, &occurred);
	if (r == 0 && v->rec.u.key.state == KMS_ACTIVE)
		r = kmip_op_set_state(b, v, KMS_INACTIVE);
	if (r == 0)
		r = kmip_stored_set_date(&v->stored, TAG(COMPROMISE_DATE), now);
	if (r == 0 && rev->occurred.type != 0)
		r = kmip_stored_set_date(&v->stored,
		    TAG(COMPROMISE_OCCURRENCE_DATE), occurred);
	return r;
}

static int
deactivate(struct kmip_batch *b, struct kmip_view *v)
{
	if (kmip_view_state(v) != KMIP_STATE_ACTIVE)
		return kmip_fail(ILLEGAL_OPERATION,
		    "the object is %s; for this reason only Active ones can "
		    "be revoked",
		    state_name(v));
	return kmip_op_set_state(b, v, KMS_INACTIVE);
}

int
kmip_op_revoke(struct kmip_batch *b, struct kmip_work *w)
{
	struct revocation rev = {.code = 0};
	struct kmip_view v = {0};
	int r;

	r = read_revocation(b, w, &rev);
	if (r == 0)
		r = kmip_op_load_live(b, &rev.uid, &v);
	if (r != 0)
		return r;
	if (rev.code == KMIP_REVOCATION_KEY_COMPROMISE ||
	    rev.code == KMIP_REVOCATION_CA_COMPROMISE)
		r = compromise(b, &v, &rev);
	else
		r = deactivate(b, &v);
	if (r == 0)
		r = kmip_stored_set_reason(&v.stored, rev.code, &rev.message);
	if (r == 0)
		r = kmip_op_save(b, &v);
	if (r == 0)
		kmip_op_answer_tag(b, w, kmip_view_tag(&v));
	kmip_view_clear(&v);
	return r;
}

/* What the tombstone is to tell later; the object's bytes go. */
static int
save_last(struct kmip_batch *b, struct kmip_view *v)
{
	const struct kms_key *k = &v->rec.u.key;
	int r = 0;

	if (k->activated != 0)
		r = kmip_stored_set_date(&v->stored, TAG(ACTIVATION_DATE),
		    k->activated / USEC);
	if (r == 0 && k->deactivated != 0)
		r = kmip_stored_set_date(&v->stored, TAG(DEACTIVATION_DATE),
		    k->deactivated / USEC);
	v->stored.payload = NULL;
	v->stored.payload_len = 0;
	return r == 0 ? kmip_op_save(b, v) : r;
}

/* A record is deleted from prelive or terminated only, step by step; the
 * delete gate has the last word, as on the command line. */
int
kmip_op_destroy(struct kmip_batch *b, struct kmip_work *w)
{
	struct kmip_view v = {0};
	struct kmip_item uid;
	int r;

	r = read_uid(b, w, &uid);
	if (r == 0)
		r = kmip_op_load_live(b, &uid, &v);
	if (r == 0 && kmip_view_state(&v) == KMIP_STATE_ACTIVE)
		r = kmip_fail(PERMISSION_DENIED,
		    "the object is Active; revoke it before it is destroyed");
	if (r == 0)
		r = save_last(b, &v);
	if (r == 0 && v.rec.u.key.state == KMS_INACTIVE)
		r = kmip_op_set_state(b, &v, KMS_DEPRECATED);
	if (r == 0 && v.rec.u.key.state == KMS_DEPRECATED)
		r = kmip_op_set_state(b, &v, KMS_TERMINATED);
	if (r == 0)
		r = kms_key_delete(b->tx, v.group, v.rec.u.key.name, false,
		    NULL);
	b->changed = b->changed || r == 0;
	if (r == 0)
		kmip_op_answer_tag(b, w, kmip_view_tag(&v));
	kmip_view_clear(&v);
	return r;
}

int
kmip_op_archive(struct kmip_batch *b, struct kmip_work *w)
{
	struct kmip_view v = {0};
	struct kmip_item uid;
	int r;

	r = read_uid(b, w, &uid);
	if (r == 0)
		r = kmip_op_load_live(b, &uid, &v);
	if (r == 0 && v.rec.u.key.state != KMS_INACTIVE)
		r = kmip_fail(ILLEGAL_OPERATION,
		    "the object is %s; only Deactivated or Compromised ones "
		    "can be archived",
		    state_name(&v));
	if (r == 0)
		r = kmip_op_set_state(b, &v, KMS_DEPRECATED);
	if (r == 0)
		r = kmip_stored_set_date(&v.stored, TAG(ARCHIVE_DATE),
		    kms_tx_time(b->tx) / USEC);
	if (r == 0)
		r = kmip_op_save(b, &v);
	if (r == 0)
		kmip_op_answer_tag(b, w, kmip_view_tag(&v));
	kmip_view_clear(&v);
	return r;
}

static int
check_recover(const struct kmip_view *v)
{
	if (kmip_view_is_destroyed(v))
		return kmip_fail(PERMISSION_DENIED, "the object is destroyed");
	if (!kmip_view_is_archived(v))
		return kmip_fail(ILLEGAL_OPERATION,
		    "the object is not archived");
	if (v->rec.u.key.state == KMS_TERMINATED)
		return kmip_fail(PERMISSION_DENIED,
		    "the object is terminated; only the administrator takes "
		    "that back");
	return 0;
}

int
kmip_op_recover(struct kmip_batch *b, struct kmip_work *w)
{
	struct kmip_attr *date;
	struct kmip_view v = {0};
	struct kmip_item uid;
	const char *name;
	int r;

	r = read_uid(b, w, &uid);
	if (r == 0)
		r = kmip_op_load(b, &uid, &v);
	if (r == 0)
		r = check_recover(&v);
	if (r == 0)
		r = kmip_op_set_state(b, &v, KMS_INACTIVE);
	if (r == 0) {
		name = kmip_def_name(KMIP_TABLE_TAG, TAG(ARCHIVE_DATE));
		date = kmip_stored_find(&v.stored, name, strlen(name), 0);
		if (date != NULL)
			kmip_stored_remove(&v.stored, date);
		r = kmip_op_save(b, &v);
	}
	if (r == 0)
		kmip_op_answer_tag(b, w, kmip_view_tag(&v));
	kmip_view_clear(&v);
	return r;
}

/* Answers what is not as asked for; all well: the identifier alone. */
int
kmip_op_check(struct kmip_batch *b, struct kmip_work *w)
{
	struct kmip_item uid, mask, lease, count;
	struct kmip_view v = {0};
	int32_t want = 0;
	int r;
	const struct kmip_field f[] = {{TAG(UNIQUE_IDENTIFIER), KMIP_TEXT,
					   KMIP_OPTIONAL, &uid},
	    {TAG(USAGE_LIMITS_COUNT), KMIP_LONG, KMIP_OPTIONAL, &count},
	    {TAG(CRYPTOGRAPHIC_USAGE_MASK), KMIP_INTEGER, KMIP_OPTIONAL, &mask},
	    {TAG(LEASE_TIME), KMIP_INTERVAL, KMIP_OPTIONAL, &lease}};

	r = kmip_ttlv_fields(&w->call->payload, f, 4, b->lenient);
	if (r == 0)
		r = kmip_op_load_live(b, &uid, &v);
	if (r == 0 && mask.type != 0)
		r = kmip_ttlv_int(&mask, &want);
	if (r == 0) {
		kmip_op_answer_tag(b, w, kmip_view_tag(&v));
		if (((uint32_t)want & ~v.stored.mask) != 0)
			kmip_ttlv_put_int(&w->out,
			    TAG(CRYPTOGRAPHIC_USAGE_MASK),
			    (int32_t)v.stored.mask);
		if (lease.type != 0 &&
		    kms_get32(lease.value) > KMIP_LEASE_SECONDS)
			kmip_ttlv_put_interval(&w->out, TAG(LEASE_TIME),
			    KMIP_LEASE_SECONDS);
	}
	kmip_view_clear(&v);
	return r;
}
