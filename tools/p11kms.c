/* p11kms: the store's life (what nbkms does). */
#include <stddef.h>

#include "tools/cmd_backup.h"
#include "tools/cmd_ca.h"
#include "tools/cmd_create.h"
#include "tools/cmd_master.h"
#include "tools/cmd_recovery.h"
#include "tools/cmd_rotate.h"
#include "tools/cmd_verify.h"
#include "tools/service.h"

/* clang-format off */
static const struct cli_option createemptydb[] = {
	CLI_VALUE("components", "N", "each passphrase has N parts, each asked "
	    "twice"),
	CLI_FLAG("adopt", "take over keys that the token's owner made"),
	CLI_VALUE("hmklabel", "L", "-adopt: the HMK by its label"),
	CLI_VALUE("kpklabel", "L", "-adopt: the KPK by its label"),
	CLI_VALUE("hmkid", "HEX", "-adopt: the HMK by its CKA_ID"),
	CLI_VALUE("kpkid", "HEX", "-adopt: the KPK by its CKA_ID"),
	CLI_FLAG("preview", "-adopt: show what is required and found, change "
	    "nothing"),
	CLI_END
};
static const struct cli_option store[] = {
	CLI_VALUE("store", "F", "a copy, instead of the configured store"),
	CLI_END
};
static const struct cli_option reason[] = {
	CLI_REQUIRED("reason", "T", "why; kept for ever"),
	CLI_END
};

static const struct cli_option restoredb[] = {
	CLI_REQUIRED("path", "F", "the backup to install"),
	CLI_REQUIRED("reason", "T", "why; kept for ever"),
	CLI_END
};

static const struct cli_option newca[] = {
	CLI_VALUE("path", "DIR", "where; else beside [server] ca, else "
	    "/etc/p11kms/tls"),
	CLI_VALUE("host", "A,B", "names and addresses of the server; else this "
	    "host's"),
	CLI_VALUE("days", "N", "how long the server's certificate counts (730)"),
	CLI_END
};
static const struct cli_option newclient[] = {
	CLI_VALUE("path", "DIR", "where the CA is"),
	CLI_VALUE("days", "N", "how long the certificate counts (730)"),
	CLI_END
};
static const struct cli_option revokeclient[] = {
	CLI_VALUE("path", "DIR", "where the CA is"),
	CLI_END
};

static const struct cli_operation operations[] = {
	{.name = "createemptydb", .run = cmd_create, .options = createemptydb,
	 .help = "makes master keys and store; asks HMK passphrase, repeat, "
	     "ID, KPK passphrase, repeat, ID",
	 .json = true},
	{.name = "info", .run = cmd_master_info, .options = store,
	 .help = "shows the store's header; needs no token",
	 .json = true},
	{.name = "verifydb", .run = cmd_verify, .options = store,
	 .help = "opens every row and unwraps every key in the token",
	 .json = true},
	{.name = "acceptrestore", .run = cmd_master_accept, .options = reason,
	 .help = "accepts an older store that was put back by hand",
	 .json = true},
	{.name = "resethmk", .run = cmd_recovery_reset_hmk,
	 .help = "brings the host master key back into the token from its "
	     "passphrase",
	 .json = true},
	{.name = "resetkpk", .run = cmd_recovery_reset_kpk,
	 .help = "brings the key protection key back into the token from its "
	     "passphrase",
	 .json = true},
	{.name = "rebind", .run = cmd_recovery_rebind,
	 .help = "binds the store to the token that holds its keys now",
	 .json = true},
	{.name = "restoredb", .run = cmd_recovery_restore,
	 .options = restoredb,
	 .help = "installs a backup where no store is",
	 .json = true},
	{.name = "attesthsmbackup", .run = cmd_backup_attest,
	 .options = reason,
	 .help = "records that the HSM itself was backed up"},
	{.name = "retiremaster", .run = cmd_rotate_retire, .options = reason,
	 .help = "removes superseded master keys from the token; needs a "
	     "backup made under the new ones",
	 .json = true},
	{.name = "tokeninfo", .run = cmd_master_token,
	 .help = "shows the token and both master keys as it reports them",
	 .json = true},
	{.name = "retrypin", .run = cmd_master_retry_pin,
	 .help = "one more login with a PIN that is remembered as wrong"},
	{.name = "newphrase", .run = cmd_master_phrase,
	 .help = "prints one strong passphrase"},
	{.name = "newca", .run = cmd_ca_new, .options = newca,
	 .help = "makes a small CA and the server's certificate",
	 .json = true},
	{.name = "newclient", .run = cmd_ca_client, .options = newclient,
	 .value = "NAME",
	 .help = "makes a client's key and certificate",
	 .json = true},
	{.name = "revokeclient", .run = cmd_ca_revoke, .options = revokeclient,
	 .value = "NAME",
	 .help = "names a client's certificate in the CA's CRL, for ever",
	 .json = true},
	{.name = NULL}
};
/* clang-format on */

static const struct cli_operation service = {
    .name = "(none)",
    .run = service_run,
    .help = "runs the key service in the foreground",
};

static const struct cli_program program = {
    .name = "p11kms",
    .help = "the store and its master keys, and the key service",
    .operations = operations,
    .bare = &service,
};

int
main(int argc, char **argv)
{
	return cli_main(&program, argc, argv);
}
