#include "tools/asked.h"

#include <stdio.h>

#include "kms/base/buf.h"
#include "kms/record.h"

static int
parse_components(const struct cli *cli, struct asked *a)
{
	uint64_t n = 0;
	int r;

	if (!cli_has(cli, "components"))
		return 0;
	r = cli_number(cli_value(cli, "components"), 2, PROMPT_PARTS_MAX, &n);
	if (r != 0)
		return kms_fail_add(r, "-components");
	a->components = (unsigned)n;
	if (cli_has(cli, "adopt"))
		return kms_fail(KMS_ERR_USAGE,
		    "an adopted key has no passphrase: -components and -adopt "
		    "do not go together");
	return 0;
}

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

int
asked_parse(const struct cli *cli, struct asked *a)
{
	int r = parse_components(cli, a);

	if (r != 0)
		return r;
	return a->role == KMS_ROLE_HMK
	    ? parse_wanted(cli, "hmklabel", "hmkid", a)
	    : parse_wanted(cli, "kpklabel", "kpkid", a);
}

int
asked_prompt(struct asked *a, struct prompt *p, const struct kms_policy *policy)
{
	char what[32], id[32];
	struct prompt_ask ask = {
	    .what = what,
	    .components = a->components,
	    .min = policy->phrase_min,
	    .twice = true,
	    .may_be_empty = true,
	};
	int r = 0;

	snprintf(what, sizeof(what), "%s passphrase", kms_role_name(a->role));
	snprintf(id, sizeof(id), "%s ID", kms_role_name(a->role));
	if (a->wanted.role == 0 && !a->born)
		r = prompt_phrase(p, &ask, &a->phrase);
	if (r == 0)
		r = prompt_line(p, id, a->id, sizeof(a->id));
	return r == 0 ? kms_name_check(id, a->id) : r;
}

struct kms_setup_master
asked_master(const struct asked *a)
{
	return (struct kms_setup_master){
	    .id = a->id,
	    .phrase = a->phrase,
	    .components = a->phrase != NULL ? (uint8_t)a->components : 0,
	    .wanted = a->wanted.role != 0 ? &a->wanted : NULL,
	};
}

void
asked_warn(const struct asked *a, const struct cli *cli)
{
	if (a->phrase == NULL && a->wanted.role == 0)
		fprintf(stderr,
		    "%s: note: the %s was born in the token; only the HSM's "
		    "own backup can bring it back\n",
		    cli->program->name, kms_role_name(a->role));
}

void
asked_forget(struct asked *a)
{
	kms_secret_free(&a->phrase);
}
