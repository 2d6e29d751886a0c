#include "tools/cmd_drill.h"

#include <stdio.h>
#include <stdlib.h>

#include "kms/drill.h"
#include "tools/open.h"
#include "tools/print.h"

/* HMK, KPK, and a group or a key. */
#define DRILLS_MAX 3u

struct drills {
	struct kms_drill drill[DRILLS_MAX];
	struct kms_secret *phrase[DRILLS_MAX];
	size_t n;
};

static void
add(struct drills *d, enum kms_drill_what what, const struct cli *cli)
{
	bool master = what == KMS_DRILL_HMK || what == KMS_DRILL_KPK;

	d->drill[d->n++] = (struct kms_drill){
	    .what = what,
	    .group = master ? NULL : cli_value(cli, "kgname"),
	    .key = master ? NULL : cli_value(cli, "keyname"),
	};
}

static int
parse(const struct cli *cli, struct drills *d)
{
	bool group = cli_has(cli, "kgname"), key = cli_has(cli, "keyname");

	if (key && !group)
		return kms_fail(KMS_ERR_USAGE,
		    "a key name needs its group: -kgname");
	if (cli_has(cli, "hmk"))
		add(d, KMS_DRILL_HMK, cli);
	if (cli_has(cli, "kpk"))
		add(d, KMS_DRILL_KPK, cli);
	if (group)
		add(d, key ? KMS_DRILL_KEY : KMS_DRILL_GROUP, cli);
	if (d->n == 0)
		return kms_fail(KMS_ERR_USAGE,
		    "say whose passphrase to prove: -hmk, -kpk, -kgname N, or "
		    "-kgname N -keyname K");
	return 0;
}

/* How many parts a master key's phrase has stands in the header. */
static int
ask_one(struct prompt *p, struct kms_header *header,
    const struct kms_drill *drill, struct kms_secret **phrase)
{
	bool hmk = drill->what == KMS_DRILL_HMK;
	const struct kms_header_slot *slot = NULL;
	char what[100];
	struct prompt_ask ask = {.what = what};

	if (drill->group == NULL) {
		slot = kms_header_find(header,
		    hmk ? KMS_ROLE_HMK : KMS_ROLE_KPK, KMS_SLOT_CURRENT);
		ask.components = slot != NULL ? slot->slot.components : 0;
		snprintf(what, sizeof(what), "%s passphrase",
		    hmk ? "HMK" : "KPK");
	} else {
		snprintf(what, sizeof(what), "passphrase of %s %.60s",
		    drill->key != NULL ? "key" : "group",
		    drill->key != NULL ? drill->key : drill->group);
	}
	return prompt_phrase(p, &ask, phrase);
}

static int
ask_all(struct open *at, struct drills *d)
{
	struct kms_header *header = NULL;
	struct prompt *p = NULL;
	size_t i;
	int r;

	r = open_header(at->config->store.path, &header);
	if (r == 0)
		r = prompt_open(&p);
	for (i = 0; r == 0 && i < d->n; i++) {
		r = ask_one(p, header, &d->drill[i], &d->phrase[i]);
		d->drill[i].phrase = d->phrase[i];
	}
	prompt_close(&p);
	free(header);
	return r;
}

static void
show_one(struct print *p, const struct kms_drill *drill, bool proven,
    const struct kms_drilled *done)
{
	static const char *const name[] = {
	    [KMS_DRILL_HMK] = "hmk",
	    [KMS_DRILL_KPK] = "kpk",
	    [KMS_DRILL_GROUP] = "group",
	    [KMS_DRILL_KEY] = "key",
	};

	print_record(p);
	print_text(p, "what", "Passphrase of", name[drill->what]);
	print_text(p, "group", "Key Group Name", drill->group);
	print_text(p, "key", "Key Name", drill->key);
	print_bool(p, "proven", "Brings It Back", proven);
	print_time(p, "time", "Recorded", done->time);
}

/* All are tried; the first that failed is the error, after all were shown. */
static int
drill_all(struct open *at, struct drills *d)
{
	struct kms_drilled done;
	struct print *p = NULL;
	char why[512] = "";
	int r, bad = 0;
	size_t i;

	r = print_new(print_form(at->cli), "drills", &p);
	if (r != 0)
		return r;
	for (i = 0; i < d->n; i++) {
		r = kms_drill(at->store, &at->actor, &d->drill[i], &done);
		/* quiesced: proven, though not on record */
		show_one(p, &d->drill[i], r == 0 || r == KMS_ERR_QUIESCED,
		    &done);
		if (r == 0 || bad != 0)
			continue;
		bad = r;
		snprintf(why, sizeof(why), "%s", kms_err_cause(r));
	}
	r = print_end(&p);
	return bad == 0 ? r : kms_fail(bad, "%s", why);
}

int
cmd_drill(struct cli *cli)
{
	struct open at = {.cli = cli};
	struct drills d = {.n = 0};
	size_t i;
	int r;

	r = parse(cli, &d);
	if (r == 0)
		r = open_config(&at, cli);
	if (r == 0)
		r = open_owner(&at);
	if (r == 0)
		r = ask_all(&at, &d);
	if (r == 0)
		r = open_sealer(&at);
	if (r == 0)
		r = open_store(&at);
	if (r == 0)
		r = drill_all(&at, &d);
	for (i = 0; i < DRILLS_MAX; i++)
		kms_secret_free(&d.phrase[i]);
	open_close(&at);
	return r;
}
