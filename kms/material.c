#include "kms/material.h"

#include <string.h>

#include "kms/derive.h"
#include "kms/draw.h"
#include "kms/group.h"
#include "kms/store_impl.h"

static int
check_cost(const struct kms_store *s)
{
	unsigned cost = kms_store_policy(s)->kdf_cost;

	if (cost >= KMS_KDF_COST_CREATE_MIN && cost <= KMS_KDF_COST_MAX)
		return 0;
	return kms_fail(KMS_ERR_CONFIG, "kdf_cost %u: %u to %u", cost,
	    KMS_KDF_COST_CREATE_MIN, KMS_KDF_COST_MAX);
}

/* Wraps by the current KPK; key NULL: one born in the token. */
static int
wrap(struct kms_store *s, const struct kms_secret *key, uint16_t *no,
    struct kms_wrapped *wrapped)
{
	struct kms_sealer *sealer = kms_store_sealer(s);
	struct kms_slot kpk;
	int r;

	r = kms_store_slot(s, KMS_ROLE_KPK, &kpk);
	if (r != 0)
		return r;
	*no = kpk.no;
	return kms_store_token_error(sealer->wrap(sealer, &kpk, key, wrapped));
}

int
kms_material_random(struct kms_store *s, struct kms_material *m)
{
	uint8_t salt[24];
	int r;

	*m = (struct kms_material){.origin = KMS_ORIGIN_RANDOM};
	r = kms_draw(kms_store_sealer(s), salt, sizeof(salt));
	if (r == 0)
		r = wrap(s, NULL, &m->slot, &m->wrapped);
	if (r == 0)
		r = kms_tag_make(&m->tag, KMS_TAG_RANDOM, 0, salt);
	if (r == 0)
		kms_tag_set_check(&m->tag, m->wrapped.kcv);
	return r;
}

int
kms_material_phrase(struct kms_store *s, const struct kms_secret *phrase,
    struct kms_material *m)
{
	struct kms_secret *key = NULL;
	uint8_t salt[24];
	int r;

	*m = (struct kms_material){.origin = KMS_ORIGIN_PHRASE};
	r = check_cost(s);
	if (r == 0)
		r = kms_draw(kms_store_sealer(s), salt, sizeof(salt));
	if (r == 0)
		r = kms_derive_data_new(phrase, kms_store_policy(s)->kdf_cost,
		    salt, &m->tag, &key);
	if (r == 0)
		r = wrap(s, key, &m->slot, &m->wrapped);
	kms_secret_free(&key);
	return r;
}

/* The newest seed, and which KPK opens it; a copy, for no lock is held while
 * the token works. */
static int
newest_seed(struct kms_store *s, const char *group, struct kms_seed *seed,
    struct kms_slot *kpk)
{
	const struct kms_header_slot *found;
	struct kms_record record = {0};
	struct kms_actor nobody = {0};
	struct kms_tx *tx = NULL;
	uint64_t id = 0;
	int r;

	r = kms_tx_begin(s, &nobody, KMS_READ, &tx);
	if (r == 0)
		r = kms_group_id(tx, group, &id);
	if (r == 0)
		r = kms_tx_get(tx, id, &record);
	if (r != 0)
		goto out;
	if (record.u.group.nseeds == 0) {
		r = kms_fail(KMS_ERR_NOTFOUND,
		    "key group '%s' has no passphrase; give it one with "
		    "p11kmsutil -modifykg -phrase",
		    group);
		goto out;
	}
	*seed = record.u.group.seed[record.u.group.nseeds - 1];
	found = kms_header_by_no(s->header, seed->slot);
	if (found == NULL)
		r = kms_fail(KMS_ERR_DAMAGED,
		    "group '%s': wrapped by KPK slot %u, which the header "
		    "does not know",
		    group, seed->slot);
	else
		*kpk = found->slot;
out:
	kms_record_clear(&record);
	kms_tx_abort(&tx);
	return r;
}

int
kms_material_group(struct kms_store *s, const char *group,
    struct kms_material *m)
{
	struct kms_sealer *sealer = kms_store_sealer(s);
	struct kms_secret *opened = NULL, *key = NULL;
	struct kms_seed seed;
	struct kms_slot kpk;
	uint8_t nonce[8];
	int r;

	*m = (struct kms_material){.origin = KMS_ORIGIN_GROUP};
	r = newest_seed(s, group, &seed, &kpk);
	if (r == 0)
		r = kms_store_token_error(sealer->unwrap(sealer, &kpk,
		    &seed.wrapped, &opened));
	if (r == KMS_ERR_AUTH)
		r = kms_fail(KMS_ERR_DAMAGED,
		    "group '%s': the token does not open its seed", group);
	if (r == 0)
		r = kms_draw(sealer, nonce, sizeof(nonce));
	if (r == 0)
		r = kms_derive_group_new(opened, seed.salt, nonce, seed.cost,
		    &m->tag, &key);
	if (r == 0)
		r = wrap(s, key, &m->slot, &m->wrapped);
	kms_secret_free(&key);
	kms_secret_free(&opened);
	return r;
}

int
kms_material_recover(struct kms_store *s, const struct kms_secret *phrase,
    const struct kms_tag *tag, struct kms_material *m)
{
	struct kms_secret *key = NULL;
	int r;

	*m = (struct kms_material){.tag = *tag, .origin = KMS_ORIGIN_PHRASE};
	if (kms_tag_kind(tag) == KMS_TAG_GROUP)
		m->origin = KMS_ORIGIN_GROUP;
	r = kms_derive_again(phrase, tag, &key);
	if (r == 0)
		r = wrap(s, key, &m->slot, &m->wrapped);
	kms_secret_free(&key);
	return r;
}

int
kms_material_recover_seed(struct kms_store *s, const struct kms_secret *seed,
    const struct kms_tag *tag, struct kms_material *m)
{
	struct kms_secret *key = NULL;
	int r;

	*m = (struct kms_material){.tag = *tag, .origin = KMS_ORIGIN_GROUP};
	r = kms_derive_group(seed, tag, &key);
	if (r == 0)
		r = wrap(s, key, &m->slot, &m->wrapped);
	kms_secret_free(&key);
	return r;
}

int
kms_material_import(struct kms_store *s, const struct kms_secret *key,
    const struct kms_tag *tag, struct kms_material *m)
{
	*m = (struct kms_material){.tag = *tag, .origin = KMS_ORIGIN_IMPORT};
	if (kms_secret_len(key) != KMS_KEY_LEN)
		return kms_fail(KMS_ERR_USAGE,
		    "key of %zu bytes: a data key has %u", kms_secret_len(key),
		    KMS_KEY_LEN);
	return wrap(s, key, &m->slot, &m->wrapped);
}

int
kms_material_seed(struct kms_store *s, const struct kms_secret *phrase,
    struct kms_seed *seed)
{
	unsigned cost = kms_store_policy(s)->kdf_cost;
	struct kms_secret *derived = NULL;
	int r;

	*seed = (struct kms_seed){.cost = (uint8_t)cost};
	r = check_cost(s);
	if (r == 0)
		r = kms_draw(kms_store_sealer(s), seed->salt,
		    sizeof(seed->salt));
	if (r == 0)
		r = kms_derive_seed(phrase, seed->salt, cost, &derived);
	if (r == 0)
		r = wrap(s, derived, &seed->slot, &seed->wrapped);
	kms_secret_free(&derived);
	return r;
}
