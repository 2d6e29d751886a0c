#include "tests/fuzz/kmip_world.h"

#include <stdlib.h>
#include <string.h>

#include "kms/group.h"
#include "kms/key.h"
#include "kms/material.h"
#include "kms/release.h"
#include "kms/setup.h"
#include "kms/store.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/fixture.h"
#include "tests/lib/soft_sealer.h"

/* Requests before all is made anew: what they create adds up. */
#define ROUNDS 4096u

static struct fuzz_world world;

static void
must(int r, const char *what)
{
	if (r != 0)
		fx_die("%s: %s", what, kms_err_cause(r));
}

static void
add_key(const char *group, const char *name, struct kms_tag *tag)
{
	struct kms_actor local;
	struct kms_material material;
	const struct kms_key_new new = {.group = group,
	    .name = name,
	    .state = KMS_ACTIVE,
	    .event = KMS_EVENT_KEY_CREATE,
	    .material = &material};
	static struct kms_key_view view;
	struct kms_tx *tx;
	bool held;

	kms_actor_local(&local);
	must(kms_material_random(world.store, &material), "material");
	must(kms_tx_begin(world.store, &local, KMS_WRITE, &tx), "begin");
	must(kms_group_add(tx, group, NULL, NULL), "group");
	must(kms_key_add(tx, &new, &view, &held), "key");
	must(kms_tx_commit(&tx), "commit");
	*tag = view.key.tag;
}

static void
take_key(const struct kms_tag *tag, uint8_t bytes[32])
{
	const struct kms_purpose purpose = {.use = KMS_USE_READ};
	struct kms_actor local;
	struct kms_secret *key = NULL;

	kms_actor_local(&local);
	must(kms_release(world.store, &local, tag, &purpose, &key), "release");
	memcpy(bytes, kms_secret_bytes(key), 32);
	kms_secret_free(&key);
}

static void
close_world(void)
{
	kmip_rules_drop(&world.rules);
	kmip_service_close(&world.service);
	kms_store_close(&world.store);
	if (world.sealer != NULL)
		world.sealer->close(&world.sealer);
	if (world.fx != NULL)
		fx_free(&world.fx);
	world.rounds = 0;
}

static void
open_world(void)
{
	static const struct kmip_rule_text rule = {"fuzz", "fuzz",
	    "home ENCR_*", "*"};
	static const struct kms_policy policy = KMS_POLICY_DEFAULT;
	const struct kms_setup_master hmk = {.id = "HMK"}, kpk = {.id = "KPK"};
	struct kms_store_options o = {.policy = policy, .wait_ms = 10000};
	struct kms_actor local;
	struct kms_tag tag;

	world.fx = fx_new();
	must(soft_sealer_new(NULL, &world.sealer), "sealer");
	o.path = fx_path(world.fx, "kms.db");
	o.sealer = world.sealer;
	o.policy.serve_gate = o.policy.delete_gate = false;
	kms_actor_local(&local);
	must(kms_setup_create(&o, &local, &hmk, &kpk), "create");
	must(kms_store_open(&o, &world.store), "open");
	must(kmip_service_open(world.store, false, &world.service), "service");
	must(kmip_rules_new(&world.rules), "rules");
	must(kmip_rules_add(world.rules, &rule), "rule");
	kmip_actor_init(&world.actor, kmip_rules_at(world.rules, 0), "fuzz");
	add_key("ENCR_pool", "k", &tag);
	take_key(&tag, world.shown);
	add_key("hidden", "k", &tag);
	take_key(&tag, world.hidden);
}

const struct fuzz_world *
fuzz_world_ask(const struct kmip_message *m, struct kmip_reply *reply)
{
	static struct kmip_response res;
	static bool registered;
	const uint8_t *out;
	size_t n;

	if (!registered)
		registered = atexit(close_world) == 0;
	if (world.rounds == ROUNDS)
		close_world();
	if (world.rounds++ == 0)
		open_world();
	must(kmip_batch_run(world.service, &world.actor, m, reply), "run");
	out = kmip_reply_bytes(reply, &n);
	fuzz_must(kmip_msg_read_response(&res, out, n) == 0,
	    "an answer that is none");
	fuzz_must(res.n > 0, "an answer without items");
	fuzz_must(memmem(out, n, world.hidden, 32) == NULL,
	    "a key of somebody else's group");
	return &world;
}
