#include "tools/cmd_create.h"

#include <string.h>
#include <unistd.h>

#include "kms/header.h"
#include "kms/setup.h"
#include "tools/asked.h"
#include "tools/cmd_master.h"
#include "tools/open.h"
#include "tools/print.h"

#define MASTERS 2u

static int
ask_masters(struct prompt *p, const struct kms_policy *policy, struct asked *a)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < MASTERS; i++)
		r = asked_prompt(&a[i], p, policy);
	if (r == 0 && a[0].phrase != NULL && a[1].phrase != NULL &&
	    kms_secret_equal(a[0].phrase, a[1].phrase))
		r = kms_fail(KMS_ERR_PHRASE,
		    "HMK and KPK passphrase may not be the same; choose "
		    "another");
	return r;
}

static int
parse(const struct cli *cli, struct asked *a)
{
	int r = 0;

	if (cli_has(cli, "preview") && !cli_has(cli, "adopt"))
		return kms_fail(KMS_ERR_USAGE, "-preview goes with -adopt");
	for (size_t i = 0; r == 0 && i < MASTERS; i++)
		r = asked_parse(cli, &a[i]);
	return r;
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
		print_attributes(p, kms_role_name(a[i].role), NULL, &report);
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

static int
create(struct open *at, const struct asked *a)
{
	const struct kms_setup_master hmk = asked_master(&a[0]);
	const struct kms_setup_master kpk = asked_master(&a[1]);
	struct kms_store_options options;

	open_store_options(at, &options);
	return kms_setup_create(&options, &at->actor, &hmk, &kpk);
}

/* Said before anybody types six lines for nothing; setup decides. */
static int
check_absent(const struct open *at)
{
	const char *path = at->config->store.path;

	if (access(path, F_OK) != 0)
		return 0;
	return kms_fail(KMS_ERR_EXISTS,
	    "%s: there is a store already; it is not touched: for another one "
	    "change [store] path",
	    path);
}

/* The six lines (two when adopting), then the work. */
static int
ask_and_create(struct open *at, struct asked *a)
{
	struct prompt *p = NULL;
	int r = check_absent(at);

	if (r == 0)
		r = prompt_open(&p);
	if (r == 0)
		r = ask_masters(p, &at->config->policy, a);
	prompt_close(&p);
	if (r == 0)
		r = open_sealer(at);
	if (r == 0)
		r = create(at, a);
	for (size_t i = 0; r == 0 && i < MASTERS; i++)
		asked_warn(&a[i], at->cli);
	return r == 0 ? cmd_master_show(at->cli, at->config->store.path) : r;
}

int
cmd_create(struct cli *cli)
{
	struct asked a[MASTERS] = {
	    {.role = KMS_ROLE_HMK},
	    {.role = KMS_ROLE_KPK},
	};
	struct open at = {.cli = cli};
	int r;

	r = parse(cli, a);
	if (r == 0)
		r = open_config(&at, cli);
	if (r == 0)
		r = open_owner(&at);
	if (r == 0 && cli_has(cli, "preview")) {
		r = open_sealer(&at);
		if (r == 0)
			r = preview(&at, a);
	} else if (r == 0) {
		r = ask_and_create(&at, a);
	}
	for (size_t i = 0; i < MASTERS; i++)
		asked_forget(&a[i]);
	open_close(&at);
	return r;
}
