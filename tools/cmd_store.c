#include "tools/cmd_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kms/quiesce.h"
#include "kms/stats.h"
#include "tools/open.h"
#include "tools/print.h"

static int
print_id(struct cli *cli, enum kms_role role, const char *name,
    const char *label)
{
	const struct kms_header_slot *slot;
	struct open at = {.cli = cli};
	struct kms_header *header = calloc(1, sizeof(*header));
	struct print *p = NULL;
	int r;

	if (header == NULL)
		return kms_fail(KMS_ERR_MEMORY, "header: %s", strerror(errno));
	r = open_all(&at, cli);
	if (r == 0)
		r = print_new(print_form(cli), NULL, &p);
	if (r == 0) {
		kms_store_header(at.store, header);
		slot = kms_header_find(header, role, KMS_SLOT_CURRENT);
		print_text(p, name, label, slot != NULL ? slot->slot.id : NULL);
		r = print_end(&p);
	}
	print_free(&p);
	free(header);
	open_close(&at);
	return r;
}

int
cmd_store_hmkid(struct cli *cli)
{
	return print_id(cli, KMS_ROLE_HMK, "hmk_id", "HMK ID");
}

int
cmd_store_kpkid(struct cli *cli)
{
	return print_id(cli, KMS_ROLE_KPK, "kpk_id", "KPK ID");
}

static void
print_stats(struct print *p, const struct kms_stats *s, const char *token)
{
	unsigned i;

	print_number(p, "groups", "Number of Key Groups", s->groups);
	print_number(p, "keys", "Number of Keys", s->keys);
	for (i = 1; i <= KMS_STATES; i++) {
		const char *name = kms_state_name((enum kms_state)i);

		print_number(p, name, name, s->by_state[i]);
	}
	print_number(p, "generation", "Generation", s->generation);
	print_number(p, "quiesced", "Outstanding Quiesces", s->quiesced);
	print_number(p, "unrecoverable", "Unrecoverable Keys",
	    s->unrecoverable);
	print_number(p, "waived", "Serve Gate Waived", s->waived);
	print_number(p, "forced", "Forced Changes", s->forced);
	print_time(p, "last_backup", "Last Backup", s->last_backup);
	print_text(p, "token", "Token", token);
}

int
cmd_store_stats(struct cli *cli)
{
	char label[33] = "", serial[17] = "";
	struct open at = {.cli = cli};
	struct kms_tx *tx = NULL;
	struct print *p = NULL;
	struct kms_stats stats;
	int r;

	r = open_all(&at, cli);
	if (r == 0)
		r = kms_tx_begin(at.store, &at.actor, KMS_READ, &tx);
	if (r == 0)
		r = kms_stats(tx, &stats);
	kms_tx_abort(&tx);
	if (r == 0)
		r = print_new(print_form(cli), NULL, &p);
	if (r == 0) {
		at.sealer->name(at.sealer, label, serial);
		print_stats(p, &stats, label);
		r = print_end(&p);
	}
	print_free(&p);
	open_close(&at);
	return r;
}

static int
show_quiesced(const struct cli *cli, size_t outstanding)
{
	struct print *p = NULL;
	int r = print_new(print_form(cli), NULL, &p);

	if (r != 0)
		return r;
	print_number(p, "quiesced", "Outstanding Quiesces", outstanding);
	return print_end(&p);
}

int
cmd_store_quiesce(struct cli *cli)
{
	const char *expires = cli_value(cli, "expires");
	struct open at = {.cli = cli};
	struct kms_tx *tx = NULL;
	size_t outstanding = 0;
	uint64_t seconds = 0;
	int r = 0;

	if (expires != NULL)
		r = cli_duration(expires, &seconds);
	if (r == 0)
		r = open_all(&at, cli);
	if (r == 0)
		r = kms_tx_begin_quiesced(at.store, &at.actor, &tx);
	if (r == 0)
		r = kms_quiesce_add(tx, cli_value(cli, "owner"),
		    (int64_t)seconds * 1000000, &outstanding);
	if (r == 0)
		r = kms_tx_commit(&tx);
	if (r == 0)
		r = show_quiesced(cli, outstanding);
	kms_tx_abort(&tx);
	open_close(&at);
	return r;
}

/* The hold is taken back also when it had run out; then the caller is told
 * that somebody may have changed the store under the copy. */
int
cmd_store_unquiesce(struct cli *cli)
{
	struct open at = {.cli = cli};
	struct kms_tx *tx = NULL;
	size_t outstanding = 0;
	bool expired = false;
	int r;

	r = open_all(&at, cli);
	if (r == 0)
		r = kms_tx_begin_quiesced(at.store, &at.actor, &tx);
	if (r == 0)
		r = kms_quiesce_remove(tx, cli_value(cli, "owner"), &expired,
		    &outstanding);
	if (r == 0)
		r = kms_tx_commit(&tx);
	if (r == 0)
		r = show_quiesced(cli, outstanding);
	if (r == 0 && expired)
		r = kms_fail(KMS_ERR_TIMEOUT,
		    "the quiesce had expired: the copy may be torn; make it "
		    "again");
	kms_tx_abort(&tx);
	open_close(&at);
	return r;
}
