#include "tools/cmd_master.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hsm/token.h"
#include "kms/derive.h"
#include "kms/setup.h"
#include "tools/open.h"
#include "tools/print.h"

/* The fields of one master key; JSON names begin with its role. */
static void
print_slot(struct print *p, struct kms_header *header, enum kms_role role)
{
	static const struct {
		const char *json, *label;
	} field[2][5] = {
	    {{"hmk_id", "HMK ID"}, {"hmk_origin", "HMK Origin"},
		{"hmk_components", "HMK Components"},
		{"hmk_kdf_cost", "HMK KDF Cost"},
		{"hmk_mechanism", "HMK Mechanism"}},
	    {{"kpk_id", "KPK ID"}, {"kpk_origin", "KPK Origin"},
		{"kpk_components", "KPK Components"},
		{"kpk_kdf_cost", "KPK KDF Cost"},
		{"kpk_mechanism", "KPK Mechanism"}},
	};
	const struct kms_header_slot *at = kms_header_find(header, role,
	    KMS_SLOT_CURRENT);
	size_t i = role == KMS_ROLE_HMK ? 0 : 1;
	const struct kms_slot *s;

	if (at == NULL)
		return;
	s = &at->slot;
	print_text(p, field[i][0].json, field[i][0].label, s->id);
	print_text(p, field[i][1].json, field[i][1].label,
	    kms_slot_origin_name(s->origin));
	print_number(p, field[i][2].json, field[i][2].label, s->components);
	print_number(p, field[i][3].json, field[i][3].label, s->cost);
	print_text(p, field[i][4].json, field[i][4].label,
	    kms_mech_name(s->mech));
}

static void
print_header(struct print *p, const char *path, struct kms_header *header)
{
	const struct kms_header_slot *hmk = kms_header_find(header,
	    KMS_ROLE_HMK, KMS_SLOT_CURRENT);
	char uuid[37];

	kms_uuid_text(header->uuid, uuid);
	print_text(p, "store", "Store", path);
	print_text(p, "uuid", "UUID", uuid);
	print_number(p, "format", "Format", KMS_HEADER_VERSION);
	print_time(p, "created", "Creation Time", header->created);
	print_slot(p, header, KMS_ROLE_HMK);
	print_slot(p, header, KMS_ROLE_KPK);
	if (hmk != NULL) {
		print_text(p, "token_label", "Token Label",
		    hmk->slot.token_label);
		print_text(p, "token_serial", "Token Serial",
		    hmk->slot.token_serial);
	}
	print_bool(p, "anchor", "Rollback Detected", header->anchor);
}

int
cmd_master_show(const struct cli *cli, const char *path)
{
	struct kms_header *header;
	struct print *p = NULL;
	int r;

	r = open_header(path, &header);
	if (r == 0)
		r = print_new(print_form(cli), NULL, &p);
	if (r == 0) {
		print_header(p, path, header);
		r = print_end(&p);
	}
	print_free(&p);
	free(header);
	return r;
}

/* With -store it is the caller who reads: no configuration, no owner. */
int
cmd_master_info(struct cli *cli)
{
	struct open at = {.cli = cli};
	int r;

	if (cli_has(cli, "store"))
		return cmd_master_show(cli, cli_value(cli, "store"));
	r = open_config(&at, cli);
	if (r == 0)
		r = open_owner(&at);
	if (r == 0)
		r = cmd_master_show(cli, at.config->store.path);
	open_close(&at);
	return r;
}

int
cmd_master_accept(struct cli *cli)
{
	struct kms_store_options options;
	struct open at = {.cli = cli};
	struct print *p = NULL;
	uint64_t lost = 0;
	int r;

	r = open_config(&at, cli);
	if (r == 0)
		r = open_owner(&at);
	if (r == 0)
		r = open_sealer(&at);
	if (r == 0) {
		open_store_options(&at, &options);
		r = kms_setup_accept(&options, &at.actor,
		    cli_value(cli, "reason"), &lost);
	}
	if (r == 0)
		r = print_new(print_form(cli), NULL, &p);
	if (r == 0) {
		if (lost == KMS_SETUP_LOST_UNKNOWN)
			print_text(p, "lost", "Changes Given Up", NULL);
		else
			print_number(p, "lost", "Changes Given Up", lost);
		r = print_end(&p);
	}
	print_free(&p);
	open_close(&at);
	return r;
}

static void
print_device(struct print *p, const struct hsm_info *i)
{
	print_text(p, "label", "Token Label", i->label);
	print_text(p, "serial", "Token Serial", i->serial);
	print_text(p, "manufacturer", "Manufacturer", i->manufacturer);
	print_text(p, "model", "Model", i->model);
	print_text(p, "firmware", "Firmware", i->firmware);
	print_bool(p, "login_required", "Login Required", i->login_required);
	print_bool(p, "pin_set", "PIN Set", i->pin_set);
	print_bool(p, "pin_pad", "PIN Pad", i->pin_pad);
	print_bool(p, "pin_count_low", "PIN Failed Before", i->pin_count_low);
	print_bool(p, "pin_final_try", "PIN Final Try", i->pin_final_try);
	print_bool(p, "pin_locked", "PIN Locked", i->pin_locked);
	print_bool(p, "pin_to_be_changed", "PIN To Be Changed",
	    i->pin_to_be_changed);
	print_bool(p, "write_protected", "Write Protected", i->write_protected);
}

/* Both master keys of the store as the token reports them. The first one
 * that is not as it must be is the error, after all has been shown. */
static int
describe_masters(struct open *at, struct print *p)
{
	static const enum kms_role role[] = {KMS_ROLE_HMK, KMS_ROLE_KPK};
	const struct kms_header_slot *slot;
	struct kms_attr_report report;
	struct kms_header *header;
	int r, bad = 0;

	r = open_header(at->config->store.path, &header);
	if (r != 0)
		return r;
	print_list(p, "attributes");
	for (size_t i = 0; i < 2; i++) {
		slot = kms_header_find(header, role[i], KMS_SLOT_CURRENT);
		if (slot == NULL)
			continue;
		memset(&report, 0, sizeof(report));
		r = at->sealer->describe(at->sealer, &slot->slot, &report);
		print_attributes(p, kms_role_name(role[i]),
		    kms_slot_origin_name(slot->slot.origin), &report);
		if (bad == 0)
			bad = r;
	}
	free(header);
	return bad;
}

int
cmd_master_token(struct cli *cli)
{
	struct hsm_options options;
	struct open at = {.cli = cli};
	struct print *p = NULL;
	struct hsm_info info;
	int r, shown;

	r = print_new(print_form(cli), NULL, &p);
	if (r == 0)
		r = open_config(&at, cli);
	if (r == 0)
		r = open_owner(&at);
	if (r == 0) {
		open_token_options(&at, &options);
		r = hsm_token_peek(&options, &info);
	}
	if (r == 0) {
		print_device(p, &info);
		r = open_sealer(&at);
	}
	if (r == 0) {
		r = describe_masters(&at, p);
		shown = print_end(&p);
		r = r != 0 ? r : shown;
	}
	print_free(&p);
	open_close(&at);
	return r;
}

/* The retry is audited where there is a store to write it to. */
static int
audit_retry(struct open *at)
{
	const struct kms_step step = {.event = KMS_EVENT_PIN_RETRY,
	    .alone = true};
	struct kms_tx *tx = NULL;
	int r;

	if (access(at->config->store.path, F_OK) != 0 && errno == ENOENT)
		return 0;
	r = open_store(at);
	if (r == 0)
		r = kms_tx_begin(at->store, &at->actor, KMS_WRITE, &tx);
	if (r == 0)
		r = kms_tx_step(tx, &step);
	if (r == 0)
		r = kms_tx_commit(&tx);
	kms_tx_abort(&tx);
	return r;
}

int
cmd_master_retry_pin(struct cli *cli)
{
	struct hsm_options options;
	struct open at = {.cli = cli};
	int r;

	r = open_config(&at, cli);
	if (r == 0)
		r = open_owner(&at);
	if (r == 0) {
		open_token_options(&at, &options);
		options.retry_pin = true;
		r = hsm_sealer_open(&options, &at.sealer);
	}
	if (r == 0)
		r = audit_retry(&at);
	if (r == 0)
		printf("The token took the PIN\n");
	open_close(&at);
	return r;
}

/* Past stdio, for its buffer would keep the phrase. */
static int
write_phrase(const struct kms_secret *phrase)
{
	const uint8_t *p = kms_secret_bytes(phrase);
	size_t len = kms_secret_len(phrase), at = 0;
	ssize_t n;

	while (at < len) {
		n = write(STDOUT_FILENO, p + at, len - at);
		if (n < 0 && errno != EINTR)
			break;
		at += n > 0 ? (size_t)n : 0;
	}
	if (at < len || write(STDOUT_FILENO, "\n", 1) != 1)
		return kms_fail(KMS_ERR_IO, "standard output: %s",
		    strerror(errno));
	return 0;
}

int
cmd_master_phrase(struct cli *cli)
{
	struct kms_secret *phrase = NULL;
	struct open at = {.cli = cli};
	int r;

	r = open_memory(&at, cli);
	if (r == 0)
		r = kms_phrase_new(&phrase);
	if (r == 0)
		r = write_phrase(phrase);
	kms_secret_free(&phrase);
	open_close(&at);
	return r;
}
