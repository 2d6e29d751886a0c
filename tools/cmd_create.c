#include "tools/cmd_create.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kms/base/buf.h"
#include "kms/record.h"
#include "kms/setup.h"
#include "tools/cmd_master.h"
#include "tools/open.h"
#include "tools/print.h"

/* One master key as it was asked for. Strings of wanted are argv's. */
struct asked {
	const char *name; /* "HMK" */
	enum kms_role role;
	struct kms_secret *phrase;
	char id[KMS_ID_MAX + 1];
	uint8_t cka_id[KMS_CKAID_MAX];
	struct kms_wanted wanted;
};

#define MASTERS 2u

static int
ask_master(struct prompt *p, const struct kms_policy *policy,
    unsigned components, struct asked *a)
{
	char what[32], id[32];
	struct prompt_ask ask = {
	    .what = what,
	    .components = components,
	    .min = policy->phrase_min,
	    .twice = true,
	    .may_be_empty = true,
	};
	int r = 0;

	snprintf(what, sizeof(what), "%s passphrase", a->name);
	snprintf(id, sizeof(id), "%s ID", a->name);
	if (a->wanted.role == 0)
		r = prompt_phrase(p, &ask, &a->phrase);
	if (r == 0)
		r = prompt_line(p, id, a->id, sizeof(a->id));
	return r == 0 ? kms_name_check(id, a->id) : r;
}

static int
ask_masters(struct prompt *p, const struct kms_policy *policy,
    unsigned components, struct asked *a)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < MASTERS; i++)
		r = ask_master(p, policy, components, &a[i]);
	if (r == 0 && a[0].phrase != NULL && a[1].phrase != NULL &&
	    kms_secret_equal(a[0].phrase, a[1].phrase))
		r = kms_fail(KMS_ERR_PHRASE,
		    "HMK and KPK passphrase may not be the same");
	return r;
}

/* -adopt: the key by label or by CKA_ID, exactly one of them. */
static int
parse_wanted(const struct cli *cli, const char *label_option,
    const char *id_option, struct asked *a)
{
	const char *label = cli_value(cli, label_option);
	const char *hex = cli_value(cli, id_option);
	int r;

	if (!cli_has(cli, "adopt")) {
		if (label == NULL && hex == NULL)
			return 0;
		return kms_fail(KMS_ERR_USAGE, "-%s goes with -adopt",
		    label != NULL ? label_option : id_option);
	}
	if ((label != NULL) == (hex != NULL))
		return kms_fail(KMS_ERR_USAGE, "-adopt needs -%s or -%s",
		    label_option, id_option);
	a->wanted.role = a->role;
	a->wanted.label = label;
	if (hex == NULL)
		return 0;
	r = kms_unhex(hex, a->cka_id, sizeof(a->cka_id), &a->wanted.cka_id_len);
	if (r != 0)
		return kms_fail_add(r, "-%s", id_option);
	a->wanted.cka_id = a->cka_id;
	return 0;
}

static int
parse(const struct cli *cli, struct asked *a, unsigned *components)
{
	uint64_t n = 0;
	int r = 0;

	if (cli_has(cli, "components"))
		r = cli_number(cli_value(cli, "components"), 2,
		    PROMPT_PARTS_MAX, &n);
	if (r != 0)
		return kms_fail_add(r, "-components");
	*components = (unsigned)n;
	if (cli_has(cli, "preview") && !cli_has(cli, "adopt"))
		return kms_fail(KMS_ERR_USAGE, "-preview goes with -adopt");
	if (n > 0 && cli_has(cli, "adopt"))
		return kms_fail(KMS_ERR_USAGE,
		    "an adopted key has no passphrase: -components and -adopt "
		    "do not go together");
	r = parse_wanted(cli, "hmklabel", "hmkid", &a[0]);
	return r == 0 ? parse_wanted(cli, "kpklabel", "kpkid", &a[1]) : r;
}

/* What the token's owner still has to change, if anything. */
static int
preview(struct open *at, const struct asked *a)
{
	struct kms_attr_report report;
	struct print *p = NULL;
	int r, bad = 0;

	r = print_new(print_form(at->cli), "attributes", &p);
	for (size_t i = 0; r == 0 && i < MASTERS; i++) {
		memset(&report, 0, sizeof(report));
		r = at->sealer->adopt(at->sealer, &a[i].wanted, NULL, &report);
		print_attributes(p, a[i].name, NULL, &report);
		if (r == KMS_ERR_MASTER && bad == 0)
			bad = r;
		if (r == KMS_ERR_MASTER)
			r = 0;
	}
	if (r == 0)
		r = print_end(&p);
	print_free(&p);
	return r == 0 ? bad : r;
}

static void
warn_token_born(const struct cli *cli, const struct asked *a)
{
	for (size_t i = 0; i < MASTERS; i++)
		if (a[i].phrase == NULL && a[i].wanted.role == 0)
			fprintf(stderr,
			    "%s: note: the %s was born in the token; only the "
			    "HSM's own backup can bring it back\n",
			    cli->program->name, a[i].name);
}

static int
create(struct open *at, const struct asked *a, unsigned components)
{
	struct kms_setup_master m[MASTERS];
	struct kms_store_options options;

	for (size_t i = 0; i < MASTERS; i++)
		m[i] = (struct kms_setup_master){
		    .id = a[i].id,
		    .phrase = a[i].phrase,
		    .components = a[i].phrase ? (uint8_t)components : 0,
		    .wanted = a[i].wanted.role != 0 ? &a[i].wanted : NULL,
		};
	open_store_options(at, &options);
	return kms_setup_create(&options, &at->actor, &m[0], &m[1]);
}

/* Said before anybody types six lines for nothing; setup decides. */
static int
check_absent(const struct open *at)
{
	const char *path = at->config->store.path;

	if (access(path, F_OK) != 0)
		return 0;
	return kms_fail(KMS_ERR_EXISTS,
	    "%s: there is a store already; it is not touched", path);
}

/* The six lines (two when adopting), then the work. */
static int
ask_and_create(struct open *at, struct asked *a, unsigned components)
{
	struct prompt *p = NULL;
	int r = check_absent(at);

	if (r == 0)
		r = prompt_open(&p);
	if (r == 0)
		r = ask_masters(p, &at->config->policy, components, a);
	prompt_close(&p);
	if (r == 0)
		r = open_sealer(at);
	if (r == 0)
		r = create(at, a, components);
	if (r == 0)
		warn_token_born(at->cli, a);
	return r == 0 ? cmd_master_show(at->cli, at->config->store.path) : r;
}

int
cmd_create(struct cli *cli)
{
	struct asked a[MASTERS] = {
	    {.name = "HMK", .role = KMS_ROLE_HMK},
	    {.name = "KPK", .role = KMS_ROLE_KPK},
	};
	struct open at = {.cli = cli};
	unsigned components = 0;
	int r;

	r = parse(cli, a, &components);
	if (r == 0)
		r = open_config(&at, cli);
	if (r == 0)
		r = open_owner(&at);
	if (r == 0 && cli_has(cli, "preview")) {
		r = open_sealer(&at);
		if (r == 0)
			r = preview(&at, a);
	} else if (r == 0) {
		r = ask_and_create(&at, a, components);
	}
	for (size_t i = 0; i < MASTERS; i++)
		kms_secret_free(&a[i].phrase);
	open_close(&at);
	return r;
}
