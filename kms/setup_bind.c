/* Master keys brought back into a token, and a store bound to it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kms/age.h"
#include "kms/derive.h"
#include "kms/load.h"
#include "kms/prove.h"
#include "kms/setup_impl.h"

/* --- binding ---------------------------------------------------------- */

bool
kms_setup_is_bound(const struct kms_store *s)
{
	const struct kms_header_slot *hmk, *kpk;
	char label[33], serial[17];

	hmk = kms_header_find(s->header, KMS_ROLE_HMK, KMS_SLOT_CURRENT);
	kpk = kms_header_find(s->header, KMS_ROLE_KPK, KMS_SLOT_CURRENT);
	s->sealer->name(s->sealer, label, serial);
	return hmk != NULL && kpk != NULL && s->header->anchor &&
	    strcmp(hmk->slot.token_serial, serial) == 0 &&
	    strcmp(kpk->slot.token_serial, serial) == 0 &&
	    (s->verdict == KMS_ANCHOR_EQUAL || s->verdict == KMS_ANCHOR_HEALS);
}

static void
name_token(struct kms_store *s, struct kms_header *h)
{
	char label[33], serial[17];
	size_t i;

	s->sealer->name(s->sealer, label, serial);
	for (i = 0; i < h->n; i++) {
		memcpy(h->slot[i].slot.token_label, label, sizeof(label));
		memcpy(h->slot[i].slot.token_serial, serial, sizeof(serial));
	}
}

/* The token's first anchor of this store is that of the store as it lies;
 * the change that follows then stands on it like any other. */
static int
first_anchor(struct kms_store *s, struct kms_header *h)
{
	int r;

	h->anchor = true;
	if (s->header->anchor && s->verdict != KMS_ANCHOR_ABSENT)
		return kms_anchor_check(s->verdict, &s->anchor, &s->root);
	r = s->sealer->lock(s->sealer);
	if (r != 0)
		return r;
	s->header->anchor = true;
	r = kms_age_compare(s, &s->root);
	if (r == 0 && s->verdict == KMS_ANCHOR_ABSENT)
		r = kms_age_put(s, &s->root);
	s->sealer->unlock(s->sealer);
	if (r != KMS_ERR_NOTFOUND)
		return r;
	kms_err_clear();
	h->anchor = false; /* this token takes no data object */
	return 0;
}

static int
bind_in(struct kms_tx *tx, const struct kms_header *h,
    const struct kms_step *step)
{
	struct kms_step alone = *step;
	int r;

	alone.alone = true;
	r = kms_tx_step(tx, &alone);
	return r == 0 ? kms_tx_header(tx, h) : r;
}

int
kms_setup_bind(struct kms_store *s, const struct kms_actor *actor,
    const struct kms_step *step)
{
	struct kms_tx *tx = NULL;
	struct kms_header *h;
	int r;

	h = malloc(sizeof(*h));
	if (h == NULL)
		return kms_fail(KMS_ERR_MEMORY, "header: out of memory");
	kms_store_header(s, h);
	name_token(s, h);
	r = first_anchor(s, h);
	if (r == 0)
		r = kms_tx_begin_quiesced(s, actor, &tx);
	if (r == 0)
		r = bind_in(tx, h, step);
	if (r == 0)
		r = kms_tx_commit(&tx);
	kms_tx_abort(&tx);
	free(h);
	return r;
}

int
kms_setup_rebind(const struct kms_store_options *options,
    const struct kms_actor *actor)
{
	const struct kms_step step = {.event = KMS_EVENT_STORE_REBIND};
	struct kms_store *s = NULL;
	int r;

	r = kms_store_open_any(options, &s);
	if (r == 0 && kms_setup_is_bound(s))
		r = kms_fail(KMS_ERR_STATE,
		    "store is bound to this token already; there is nothing "
		    "to do");
	if (r == 0)
		r = kms_setup_bind(s, actor, &step);
	kms_store_close(&s);
	return r;
}

/* --- a key from its phrase -------------------------------------------- */

struct reset {
	const struct kms_store_options *options;
	enum kms_role role;
	struct kms_header *header;
	struct kms_header_slot *slot;
	struct kms_wrapped known; /* what the right key has wrapped */
	struct kms_secret *master;
};

static int
check_origin(const struct kms_slot *slot)
{
	if (slot->origin == KMS_SLOT_PASSPHRASE)
		return 0;
	return kms_fail(KMS_ERR_STATE,
	    "%s '%s' has no passphrase: it was %s; only the HSM's own backup "
	    "brings it back, then p11kms -rebind",
	    kms_role_name(slot->role), slot->id,
	    slot->origin == KMS_SLOT_TOKEN ? "born in the token"
					   : "made by the token's owner");
}

/* The HMK is proven by the header alone; the KPK by the root, which only the
 * HMK opens. */
static int
find_proof(struct reset *z)
{
	struct kms_store *s = NULL;
	int r;

	if (z->role == KMS_ROLE_HMK) {
		z->known = z->slot->file_key;
		return 0;
	}
	r = kms_store_new(z->options, &s);
	if (r == 0) {
		r = kms_load_proof(s, z->slot->slot.no, &z->known);
		kms_store_close(&s);
	}
	if (r == KMS_ERR_TOKEN)
		r = kms_fail_add(r,
		    "the KPK's phrase is proven with the HMK in the token; "
		    "bring that back first");
	return r;
}

static int
prove_phrase(struct reset *z, const struct kms_secret *phrase)
{
	const struct kms_slot *slot = &z->slot->slot;
	int r;

	r = kms_derive_master(phrase, slot, &z->master);
	if (r == 0)
		r = kms_prove_unwrap(z->master, slot->mech, &z->known, NULL);
	if (r == KMS_ERR_AUTH)
		return kms_fail(KMS_ERR_AUTH,
		    "not the passphrase of %s '%s'; nothing was changed",
		    kms_role_name(slot->role), slot->id);
	return r;
}

static int
prove_slot(struct reset *z, struct kms_header_slot *slot,
    const struct kms_secret *phrase)
{
	int r;

	z->slot = slot;
	kms_secret_free(&z->master);
	r = check_origin(&slot->slot);
	if (r == 0)
		r = find_proof(z);
	return r == 0 ? prove_phrase(z, phrase) : r;
}

/* The phrase tells which key it is for. While a rotation is under way rows
 * lie under the next one too, and the store opens with both only. */
static int
find_slot(struct reset *z, const struct kms_secret *phrase)
{
	struct kms_header_slot *now, *next;
	int r;

	now = kms_header_find(z->header, z->role, KMS_SLOT_CURRENT);
	next = kms_header_find(z->header, z->role, KMS_SLOT_NEXT);
	if (now == NULL)
		return kms_fail(KMS_ERR_DAMAGED, "header: no current %s",
		    kms_role_name(z->role));
	r = prove_slot(z, now, phrase);
	if ((r != KMS_ERR_AUTH && r != KMS_ERR_STATE) || next == NULL ||
	    next->slot.mech == KMS_MECH_NONE ||
	    next->slot.origin != KMS_SLOT_PASSPHRASE)
		return r;
	r = prove_slot(z, next, phrase);
	return r != KMS_ERR_AUTH
	    ? r
	    : kms_fail(KMS_ERR_AUTH,
		  "not the passphrase of %s '%s' nor of '%s', which it was to "
		  "become; nothing was changed",
		  kms_role_name(z->role), now->slot.id, next->slot.id);
}

/* Does the token hold the right key already? Only then is it left alone. */
static bool
is_there(struct reset *z)
{
	struct kms_sealer *sealer = z->options->sealer;
	struct kms_secret *key = NULL;
	int r;

	r = sealer->check(sealer, &z->slot->slot);
	if (r == 0)
		r = sealer->unwrap(sealer, &z->slot->slot, &z->known, &key);
	kms_secret_free(&key);
	kms_err_clear();
	return r == 0;
}

static int
put_key(struct reset *z)
{
	struct kms_sealer *sealer = z->options->sealer;
	struct kms_slot slot = z->slot->slot;
	struct kms_secret *key = NULL;
	int r;

	r = sealer->make(sealer, z->master, &slot);
	if (r == 0)
		r = sealer->unwrap(sealer, &slot, &z->known, &key);
	kms_secret_free(&key);
	return r;
}

/* The other key may still be missing; then that is what is said. */
static int
bind_if_complete(struct reset *z, const struct kms_actor *actor,
    struct kms_setup_bound *bound)
{
	const struct kms_step step = {.event = KMS_EVENT_MASTER_RESET,
	    .subject = z->slot->slot.id};
	struct kms_store *s = NULL;
	int r;

	r = kms_store_open_any(z->options, &s);
	if (r == 0)
		r = kms_setup_bind(s, actor, &step);
	kms_store_close(&s);
	bound->complete = r == 0;
	if (r != KMS_ERR_TOKEN && r != KMS_ERR_MASTER && r != KMS_ERR_ROLLBACK)
		return r;
	snprintf(bound->missing, sizeof(bound->missing), "%s",
	    kms_err_cause(r));
	kms_err_clear();
	return 0;
}

int
kms_setup_reset(const struct kms_store_options *options,
    const struct kms_actor *actor, enum kms_role role,
    const struct kms_secret *phrase, struct kms_setup_bound *bound)
{
	struct reset z = {.options = options, .role = role};
	int r;

	memset(bound, 0, sizeof(*bound));
	z.header = malloc(sizeof(*z.header));
	if (z.header == NULL)
		return kms_fail(KMS_ERR_MEMORY, "header: out of memory");
	r = kms_store_read_header(options->path, z.header);
	if (r != 0)
		goto out;
	r = find_slot(&z, phrase);
	if (r != 0)
		goto out;
	bound->was_there = is_there(&z);
	if (!bound->was_there)
		r = put_key(&z);
	if (r == 0)
		r = bind_if_complete(&z, actor, bound);
out:
	kms_secret_free(&z.master);
	free(z.header);
	return r;
}
