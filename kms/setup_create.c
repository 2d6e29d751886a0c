#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kms/anchor.h"
#include "kms/base/file.h"
#include "kms/base/log.h"
#include "kms/birth.h"
#include "kms/derive.h"
#include "kms/draw.h"
#include "kms/plan.h"
#include "kms/release_log.h"
#include "kms/setup.h"

#define HMK_NO 1u
#define KPK_NO 2u

/* A createemptydb under way. slot 0 is the HMK's, slot 1 the KPK's. */
struct creation {
	const struct kms_store_options *options;
	const struct kms_setup_master *want[2];
	struct kms_sealer *sealer;
	char path_new[PATH_MAX], log_path[PATH_MAX];
	struct kms_plan *plan;        /* its header becomes the store's */
	struct kms_secret *master[2]; /* from phrases; else NULL */
	struct kms_birth birth;
	bool planned; /* PATH.new names what is to be made */
	bool log_made;
};

/* --- what is asked for ------------------------------------------------ */

static int
check_master(const struct kms_setup_master *m, const char *what)
{
	if (m->phrase != NULL && m->wanted != NULL)
		return kms_fail(KMS_ERR_INTERNAL, "%s: two origins", what);
	return kms_name_check(what, m->id);
}

static int
check_request(const struct creation *c)
{
	const struct kms_setup_master *hmk = c->want[0], *kpk = c->want[1];
	unsigned cost = c->options->policy.kdf_cost;
	int r;

	r = check_master(hmk, "HMK ID");
	if (r == 0)
		r = check_master(kpk, "KPK ID");
	if (r != 0)
		return r;
	if (hmk->phrase != NULL && kpk->phrase != NULL &&
	    kms_secret_equal(hmk->phrase, kpk->phrase))
		return kms_fail(KMS_ERR_PHRASE,
		    "HMK and KPK have the same passphrase; choose another for "
		    "one of them");
	if ((hmk->phrase != NULL || kpk->phrase != NULL) &&
	    (cost < KMS_KDF_COST_CREATE_MIN || cost > KMS_KDF_COST_MAX))
		return kms_fail(KMS_ERR_CONFIG, "kdf_cost %u: %u to %u", cost,
		    KMS_KDF_COST_CREATE_MIN, KMS_KDF_COST_MAX);
	return 0;
}

static int
check_free(const char *path, const char *hint)
{
	if (access(path, F_OK) == 0)
		return kms_fail(KMS_ERR_EXISTS, "%s: exists already; %s", path,
		    hint);
	return 0;
}

/* --- the plan --------------------------------------------------------- */

static int
plan_slot(struct creation *c, size_t i)
{
	const struct kms_setup_master *want = c->want[i];
	struct kms_slot *slot = &c->plan->header.slot[i].slot;
	int r;

	slot->no = i == 0 ? HMK_NO : KPK_NO;
	slot->role = i == 0 ? KMS_ROLE_HMK : KMS_ROLE_KPK;
	slot->place = KMS_SLOT_NEXT;
	slot->components = want->components;
	memcpy(slot->id, want->id, strlen(want->id) + 1);
	if (want->wanted != NULL) {
		slot->origin = KMS_SLOT_ADOPTED;
		return 0;
	}
	c->sealer->name(c->sealer, slot->token_label, slot->token_serial);
	slot->origin = want->phrase != NULL ? KMS_SLOT_PASSPHRASE
					    : KMS_SLOT_TOKEN;
	slot->cka_id_len = 16;
	r = kms_draw(c->sealer, slot->cka_id, slot->cka_id_len);
	if (r != 0 || want->phrase == NULL)
		return r;
	slot->kdf = KMS_KDF_PBKDF2_SHA512;
	slot->cost = (uint8_t)c->options->policy.kdf_cost;
	r = kms_draw(c->sealer, slot->salt, sizeof(slot->salt));
	if (r == 0)
		r = kms_derive_master(want->phrase, slot, &c->master[i]);
	return r;
}

static int
plan_keys(struct creation *c)
{
	struct kms_header *h = &c->plan->header;
	int r;

	h->created = c->birth.root.time;
	h->anchor = true;
	h->n = 2;
	r = kms_draw(c->sealer, h->uuid, sizeof(h->uuid));
	if (r == 0)
		r = plan_slot(c, 0);
	if (r == 0)
		r = plan_slot(c, 1);
	return r;
}

/* --- what a killed run left ------------------------------------------- */

/* Adopted keys are their owner's: never ours to destroy. */
static int
drop_planned(struct kms_sealer *sealer, const struct kms_plan *plan)
{
	const struct kms_slot *slot;
	size_t i, swept = 0;
	int r = 0;

	for (i = 0; i < plan->header.n && r == 0; i++) {
		slot = &plan->header.slot[i].slot;
		if (slot->origin != KMS_SLOT_ADOPTED)
			r = sealer->drop(sealer, slot);
	}
	if (r == 0 && plan->pending)
		r = sealer->debris_sweep(sealer, plan->debris, plan->ndebris,
		    &swept);
	return r;
}

static int
check_same_token(struct creation *c, const struct kms_plan *old)
{
	char label[33], serial[17];
	const struct kms_slot *slot;
	size_t i;

	c->sealer->name(c->sealer, label, serial);
	for (i = 0; i < old->header.n; i++) {
		slot = &old->header.slot[i].slot;
		if (slot->origin == KMS_SLOT_ADOPTED ||
		    strcmp(slot->token_serial, serial) == 0)
			continue;
		return kms_fail(KMS_ERR_EXISTS,
		    "%s: a createemptydb on token '%s' (serial %s) was cut "
		    "short; run it again there, or, if that token is gone, "
		    "remove the file",
		    c->path_new, slot->token_label, slot->token_serial);
	}
	return 0;
}

/* A copy of a store in use, put under that name by hand, would look like a
 * leftover while the store was young; its anchor tells. */
static int
check_not_in_use(struct creation *c, const struct kms_plan *old)
{
	struct kms_anchor held[KMS_ANCHORS_MAX];
	size_t i, n = 0;
	int r;

	r = c->sealer->anchor_get(c->sealer, old->header.uuid, held,
	    KMS_ANCHORS_MAX, &n);
	if (r == KMS_ERR_NOTFOUND)
		return 0;
	for (i = 0; i < n && r == 0; i++) {
		if (kms_anchor_claims(&held[i]) > 1)
			r = kms_fail(KMS_ERR_EXISTS,
			    "%s: copy of a store in use; move it away",
			    c->path_new);
	}
	return r;
}

/* Undoes a killed run. Its UUID is used again: then its anchor, should it
 * have come so far, is replaced by ours. */
static int
clear_leftover(struct creation *c)
{
	struct kms_plan *old;
	int r;

	old = calloc(1, sizeof(*old));
	if (old == NULL)
		return kms_fail(KMS_ERR_MEMORY, "createemptydb: memory");
	r = kms_plan_read(c->path_new, old);
	if (r == KMS_ERR_NOTFOUND) {
		r = check_free(c->log_path, "move the old log away");
		goto out;
	}
	if (r == 0)
		r = check_same_token(c, old);
	if (r == 0)
		r = check_not_in_use(c, old);
	if (r == 0)
		r = drop_planned(c->sealer, old);
	if (r == 0) /* no log was there when that run began */
		r = kms_file_remove(c->log_path);
	if (r == 0) {
		memcpy(c->plan->header.uuid, old->header.uuid, 16);
		kms_log(KMS_LOG_INFO, "store.cleared", "path=%s", c->path_new);
	}
out:
	free(old);
	return r;
}

/* --- making ----------------------------------------------------------- */

static int
adopt(struct creation *c, size_t i)
{
	struct kms_slot *slot = &c->plan->header.slot[i].slot;
	struct kms_slot found = *slot;
	int r;

	r = c->sealer->adopt(c->sealer, c->want[i]->wanted, &found, NULL);
	if (r != 0)
		return r;
	found.no = slot->no;
	found.place = slot->place;
	found.origin = KMS_SLOT_ADOPTED;
	*slot = found;
	return 0;
}

static int
adopt_wanted(struct creation *c)
{
	const struct kms_slot *hmk = &c->plan->header.slot[0].slot;
	const struct kms_slot *kpk = &c->plan->header.slot[1].slot;
	size_t i;
	int r = 0;

	for (i = 0; i < 2 && r == 0; i++) {
		if (c->want[i]->wanted != NULL)
			r = adopt(c, i);
	}
	if (r == 0 && hmk->cka_id_len == kpk->cka_id_len &&
	    memcmp(hmk->cka_id, kpk->cka_id, hmk->cka_id_len) == 0)
		r = kms_fail(KMS_ERR_MASTER,
		    "HMK and KPK are the same key of the token; name two");
	return r;
}

static int
write_plan(struct creation *c)
{
	struct kms_plan *plan = c->plan;
	int r;

	r = c->sealer->debris_list(c->sealer, plan->debris, KMS_PLAN_DEBRIS_MAX,
	    &plan->ndebris);
	if (r != 0)
		return r;
	plan->pending = true;
	c->planned = true; /* also when writing it fails half way */
	return kms_plan_write(c->path_new, plan);
}

static int
make_masters(struct creation *c)
{
	struct kms_slot *slot;
	size_t i;
	int r = 0;

	for (i = 0; i < 2 && r == 0; i++) {
		slot = &c->plan->header.slot[i].slot;
		slot->place = KMS_SLOT_CURRENT;
		if (c->want[i]->wanted == NULL)
			r = c->sealer->make(c->sealer, c->master[i], slot);
	}
	return r;
}

static int
make_log(struct creation *c)
{
	const struct kms_release_log_options options = {
	    .path = c->log_path,
	    .uuid = c->plan->header.uuid,
	    .key = c->birth.root.log_key,
	    .wait_ms = c->options->wait_ms,
	};
	struct kms_release_log *log = NULL;
	int r;

	r = kms_release_log_create(&options, &log);
	c->log_made = r == 0;
	if (r == 0)
		r = kms_release_log_head(log, &c->birth.root.log);
	kms_release_log_close(&log);
	return r;
}

/* Opened as any store would be, before it gets its name: keys, root, rows
 * and anchor as the disk and the token have them. */
static int
prove_store(const struct creation *c)
{
	struct kms_store_options options = *c->options;
	struct kms_store *s = NULL;
	int r;

	options.path = c->path_new;
	r = kms_store_open(&options, &s);
	kms_store_close(&s);
	return r;
}

/* --- all of it -------------------------------------------------------- */

/* After an error that was no kill. What cannot be undone now is left to the
 * next run: PATH.new goes last. */
static int
give_up(struct creation *c, int failed)
{
	char cause[512];
	int r;

	snprintf(cause, sizeof(cause), "%s", kms_err_cause(failed));
	r = drop_planned(c->sealer, c->plan);
	if (r == 0 && c->log_made)
		r = kms_file_remove(c->log_path);
	if (r == 0)
		r = kms_rows_remove(c->path_new);
	if (r != 0)
		kms_log(KMS_LOG_WARN, "store.leftover", "path=%s cause=\"%s\"",
		    c->path_new, kms_err_cause(r));
	return kms_fail(failed, "%s", cause);
}

static int
create_locked(struct creation *c)
{
	int r;

	r = check_free(c->options->path, "it is not touched");
	if (r == 0)
		r = clear_leftover(c);
	if (r == 0)
		r = adopt_wanted(c);
	if (r == 0)
		r = write_plan(c);
	if (r == 0)
		r = make_masters(c);
	if (r == 0)
		r = kms_birth_keys(&c->birth);
	if (r == 0)
		r = make_log(c);
	if (r == 0)
		r = kms_birth_write(&c->birth, c->path_new,
		    c->options->wait_ms);
	if (r == 0)
		r = prove_store(c);
	if (r == 0)
		r = kms_rows_install(c->path_new, c->options->path);
	/* Once it bears its name it is the store, whatever else failed. */
	if (r != 0 && c->planned && access(c->options->path, F_OK) != 0)
		r = give_up(c, r);
	return r;
}

static void
creation_free(struct creation *c)
{
	kms_secret_free(&c->master[0]);
	kms_secret_free(&c->master[1]);
	kms_birth_clear(&c->birth);
	free(c->plan);
	free(c);
}

static int
creation_new(const struct kms_store_options *options,
    const struct kms_actor *actor, struct creation **out)
{
	struct creation *c;
	int r;

	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return kms_fail(KMS_ERR_MEMORY, "createemptydb: memory");
	c->options = options;
	c->sealer = options->sealer;
	c->plan = calloc(1, sizeof(*c->plan));
	r = c->plan == NULL ? kms_fail(KMS_ERR_MEMORY, "createemptydb: memory")
			    : 0;
	if (r == 0)
		r = kms_plan_path(options->path, c->path_new,
		    sizeof(c->path_new));
	if (r == 0)
		r = kms_store_log_path(options->path, c->log_path,
		    sizeof(c->log_path));
	if (r != 0) {
		creation_free(c);
		return r;
	}
	c->birth = (struct kms_birth){.sealer = options->sealer,
	    .header = &c->plan->header,
	    .who = &actor->who,
	    .root.time = kms_tx_now()};
	*out = c;
	return 0;
}

int
kms_setup_create(const struct kms_store_options *options,
    const struct kms_actor *actor, const struct kms_setup_master *hmk,
    const struct kms_setup_master *kpk)
{
	struct creation *c = NULL;
	int r;

	r = creation_new(options, actor, &c);
	if (r != 0)
		return r;
	c->want[0] = hmk;
	c->want[1] = kpk;
	r = check_request(c);
	if (r == 0)
		r = check_free(options->path, "it is not touched");
	if (r == 0)
		r = kms_file_check_dir(options->path, true);
	if (r == 0)
		r = plan_keys(c);
	if (r == 0)
		r = c->sealer->lock(c->sealer);
	if (r != 0)
		goto out;
	r = create_locked(c);
	c->sealer->unlock(c->sealer);
	if (r == 0)
		kms_audit_tell(&c->birth.audit.u.audit, 1);
out:
	creation_free(c);
	return r;
}
