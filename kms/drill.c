#include "kms/drill.h"

#include <stdio.h>
#include <string.h>

#include "kms/derive.h"
#include "kms/group.h"
#include "kms/key.h"
#include "kms/prove.h"
#include "kms/store_impl.h"

#define LAYOUT 1u
#define FACT_LEN 36u

/* What the right phrase must give; a copy, for the KDF runs with no lock. */
struct target {
	const struct kms_drill *drill;
	char subject[KMS_NAME_MAX + 1]; /* the master key's ID, or a name */
	struct kms_slot slot;           /* HMK, KPK */
	struct kms_wrapped known;       /* what it wrapped; else its own */
	struct kms_seed seed;           /* GROUP */
	struct kms_tag tag;             /* KEY */
	uint64_t row;
};

static int
encode(const struct kms_drilled *d, struct kms_wr *wr)
{
	kms_wr_u8(wr, LAYOUT);
	kms_wr_u8(wr, d->what);
	kms_wr_u16(wr, d->slot);
	kms_wr_u64(wr, d->row);
	kms_wr_u64(wr, (uint64_t)d->time);
	kms_wr_bytes(wr, d->salt, sizeof(d->salt));
	return kms_wr_check(wr, "drill fact");
}

static int
decode(struct kms_drilled *d, const struct kms_fact *fact)
{
	struct kms_rd rd;
	uint8_t layout;

	memset(d, 0, sizeof(*d));
	kms_rd_init(&rd, fact->bytes, fact->len);
	layout = kms_rd_u8(&rd);
	if (layout > LAYOUT)
		return kms_fail(KMS_ERR_VERSION,
		    "drill fact: layout %u is newer than this program", layout);
	d->what = kms_rd_u8(&rd);
	d->slot = kms_rd_u16(&rd);
	d->row = kms_rd_u64(&rd);
	d->time = (int64_t)kms_rd_u64(&rd);
	kms_rd_copy(&rd, d->salt, sizeof(d->salt));
	return kms_rd_end(&rd, "drill fact");
}

/* --- what is to be proven --------------------------------------------- */

/* The HMK is proven by the file key in the header, the KPK by the root. */
static int
look_at_master(struct kms_tx *tx, enum kms_role role, struct target *t)
{
	const struct kms_store *s = kms_tx_store(tx);
	const struct kms_header_slot *slot;
	size_t i;

	slot = kms_header_find(s->header, role, KMS_SLOT_CURRENT);
	if (slot == NULL)
		return kms_fail(KMS_ERR_DAMAGED, "header: no current %s",
		    kms_role_name(role));
	t->slot = slot->slot;
	memcpy(t->subject, slot->slot.id, sizeof(t->subject));
	if (slot->slot.origin != KMS_SLOT_PASSPHRASE)
		return kms_fail(KMS_ERR_STATE,
		    "%s '%s' has no passphrase to prove; only the HSM's own "
		    "backup brings it back",
		    kms_role_name(role), slot->slot.id);
	t->known = slot->file_key;
	for (i = 0; role == KMS_ROLE_KPK && i < s->root.nproofs; i++)
		if (s->root.proof[i].slot == slot->slot.no)
			t->known = s->root.proof[i].wrapped;
	return 0;
}

static int
look_at_group(struct kms_tx *tx, struct target *t)
{
	const char *name = t->drill->group;
	struct kms_record record = {0};
	const struct kms_group *g = &record.u.group;
	int r;

	snprintf(t->subject, sizeof(t->subject), "%s", name);
	r = kms_group_id(tx, name, &t->row);
	if (r == 0)
		r = kms_tx_get(tx, t->row, &record);
	if (r == 0 && g->nseeds == 0)
		r = kms_fail(KMS_ERR_STATE,
		    "key group '%s' has no passphrase to prove; give -keyname "
		    "for a key of its own phrase",
		    name);
	if (r == 0) {
		t->seed = g->seed[g->nseeds - 1];
		t->known = t->seed.wrapped;
	}
	kms_record_clear(&record);
	return r;
}

static int
look_at_key(struct kms_tx *tx, struct target *t)
{
	struct kms_key_view view;
	int r;

	snprintf(t->subject, sizeof(t->subject), "%s", t->drill->key);
	r = kms_key_view(tx, t->drill->group, t->drill->key, &view);
	if (r != 0)
		return r;
	t->row = view.id;
	t->tag = view.key.tag;
	t->known = view.key.wrapped;
	r = kms_derive_has_phrase(&t->tag);
	if (r == 0)
		return 0;
	return kms_fail(KMS_ERR_STATE,
	    "key '%s' has no passphrase to prove; only a backup of the store "
	    "brings it back",
	    t->drill->key);
}

static int
look(struct kms_store *s, const struct kms_actor *actor, struct target *t)
{
	struct kms_tx *tx = NULL;
	int r;

	r = kms_tx_begin(s, actor, KMS_READ, &tx);
	if (r != 0)
		return r;
	switch (t->drill->what) {
	case KMS_DRILL_HMK:
		r = look_at_master(tx, KMS_ROLE_HMK, t);
		break;
	case KMS_DRILL_KPK:
		r = look_at_master(tx, KMS_ROLE_KPK, t);
		break;
	case KMS_DRILL_GROUP:
		r = look_at_group(tx, t);
		break;
	case KMS_DRILL_KEY:
		r = look_at_key(tx, t);
		break;
	}
	kms_tx_abort(&tx);
	return r;
}

/* --- proof ------------------------------------------------------------ */

/* Is it the key whose check value the store has? */
static int
compare(const struct kms_secret *key, const struct kms_wrapped *known)
{
	uint8_t kcv[KMS_KCV_LEN];
	int r = kms_kcv(key, kcv);

	if (r == 0 && !kms_equal(kcv, known->kcv, sizeof(kcv)))
		r = kms_fail(KMS_ERR_AUTH, "not the phrase");
	return r;
}

static int
derive_and_compare(const struct target *t)
{
	const struct kms_secret *phrase = t->drill->phrase;
	struct kms_secret *key = NULL;
	int r;

	switch (t->drill->what) {
	case KMS_DRILL_HMK:
	case KMS_DRILL_KPK:
		r = kms_derive_master(phrase, &t->slot, &key);
		if (r == 0)
			r = kms_prove_unwrap(key, t->slot.mech, &t->known,
			    NULL);
		break;
	case KMS_DRILL_GROUP:
		r = kms_derive_seed(phrase, t->seed.salt, t->seed.cost, &key);
		if (r == 0)
			r = compare(key, &t->known);
		break;
	case KMS_DRILL_KEY:
	default:
		r = kms_derive_again(phrase, &t->tag, &key);
		if (r == 0)
			r = compare(key, &t->known);
	}
	kms_secret_free(&key);
	return r;
}

static const char *
what_name(enum kms_drill_what what)
{
	switch (what) {
	case KMS_DRILL_HMK:
		return "HMK";
	case KMS_DRILL_KPK:
		return "KPK";
	case KMS_DRILL_GROUP:
		return "group";
	case KMS_DRILL_KEY:
		return "key";
	}
	return "?";
}

static int
prove(const struct target *t)
{
	int r = derive_and_compare(t);

	if (r != KMS_ERR_AUTH)
		return r;
	return kms_fail(KMS_ERR_AUTH,
	    "not the passphrase of %s '%s': it would not bring the key back; "
	    "look for the right one while the key is still here",
	    what_name(t->drill->what), t->subject);
}

/* --- record ----------------------------------------------------------- */

static int
record_in(struct kms_tx *tx, const struct target *t, struct kms_drilled *done)
{
	const struct kms_step step = {.event = KMS_EVENT_DRILL,
	    .group = t->drill->group,
	    .subject = t->subject,
	    .reason = what_name(t->drill->what),
	    .tag = t->drill->what == KMS_DRILL_KEY ? &t->tag : NULL};
	uint8_t bytes[FACT_LEN];
	struct kms_record record = {.kind = KMS_KIND_FACT,
	    .u.fact = {.type = KMS_FACT_DRILL, .bytes = bytes}};
	struct kms_wr wr;
	int r;

	*done = (struct kms_drilled){.what = (uint8_t)t->drill->what,
	    .slot = t->slot.no,
	    .row = t->row,
	    .time = kms_tx_time(tx)};
	memcpy(done->salt, t->seed.salt, sizeof(done->salt));
	kms_wr_fixed(&wr, bytes, sizeof(bytes));
	r = encode(done, &wr);
	record.u.fact.len = wr.len;
	if (r == 0)
		r = kms_tx_step(tx, &step);
	return r == 0 ? kms_tx_put(tx, &record) : r;
}

int
kms_drill(struct kms_store *s, const struct kms_actor *actor,
    const struct kms_drill *drill, struct kms_drilled *done)
{
	struct target t = {.drill = drill};
	struct kms_tx *tx = NULL;
	int r;

	memset(done, 0, sizeof(*done));
	r = look(s, actor, &t);
	if (r == 0)
		r = prove(&t);
	if (r != 0)
		return r;
	r = kms_tx_begin(s, actor, KMS_WRITE, &tx);
	if (r == 0)
		r = record_in(tx, &t, done);
	if (r == 0)
		r = kms_tx_commit(&tx);
	kms_tx_abort(&tx);
	if (r == 0)
		return 0;
	return kms_fail_add(r,
	    "the passphrase of %s '%s' is right, but that could not be "
	    "recorded",
	    what_name(drill->what), t.subject);
}

int
kms_drill_list(struct kms_tx *tx,
    int (*each)(void *, const struct kms_drilled *), void *arg)
{
	const struct kms_directory *dir = kms_tx_store(tx)->dir;
	const struct kms_directory_row *row;
	struct kms_record record;
	struct kms_drilled d;
	size_t at = 0;
	int r = 0;

	while (r == 0 &&
	    (row = kms_directory_next(dir, KMS_KIND_FACT, &at)) != NULL) {
		r = kms_tx_get(tx, row->id, &record);
		if (r == 0 && record.u.fact.type == KMS_FACT_DRILL) {
			r = decode(&d, &record.u.fact);
			if (r == 0)
				r = each(arg, &d);
		}
		kms_record_clear(&record);
	}
	return r;
}
