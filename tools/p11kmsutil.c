/* p11kmsutil: groups, keys and recovery (what nbkmsutil does). */
#include <stddef.h>

#include "tools/cmd_audit.h"
#include "tools/cmd_backup.h"
#include "tools/cmd_doctor.h"
#include "tools/cmd_drill.h"
#include "tools/cmd_group.h"
#include "tools/cmd_key.h"
#include "tools/cmd_kit.h"
#include "tools/cmd_rotate.h"
#include "tools/cmd_rotatekg.h"
#include "tools/cmd_store.h"
#include "tools/cmd_transfer.h"

/* clang-format off */
#define KGNAME    CLI_REQUIRED("kgname", "N", "the key group")
#define KEYNAME   CLI_REQUIRED("keyname", "K", "the key in its group")
#define DESC      CLI_VALUE("desc", "T", "a description")
#define FORCE     CLI_FLAG("force", "although a gate refuses; needs -reason")
#define REASON    CLI_VALUE("reason", "T", "why; kept for ever")
#define NOVERBOSE CLI_FLAG("noverbose", "one line each, tabs between fields")

static const struct cli_option createkg[] = {
	KGNAME,
	DESC,
	CLI_VALUE("cipher", "AES_256", "the only one there is"),
	CLI_FLAG("phrase", "ask the group's passphrase, twice"),
	CLI_END
};
static const struct cli_option modifykg[] = {
	KGNAME,
	CLI_VALUE("name", "NEW", "its new name"),
	DESC,
	CLI_FLAG("phrase", "keys made from now on use a new passphrase"),
	CLI_END
};
static const struct cli_option deletekg[] = {
	KGNAME,
	FORCE,
	REASON,
	CLI_END
};
static const struct cli_option listkgs[] = {
	CLI_VALUE("kgname", "N", "this group only"),
	CLI_FLAG("emptykgs", "groups without a key"),
	CLI_FLAG("noactive", "groups without an active key"),
	NOVERBOSE,
	CLI_END
};
static const struct cli_option createkey[] = {
	KGNAME,
	CLI_VALUE("keyname", "K", "its name; else GROUP-GENERATION"),
	CLI_FLAG("activate", "make it the key that encrypts"),
	DESC,
	CLI_FLAG("nopphrase", "ask nothing: the group's phrase, else random"),
	CLI_END
};
static const struct cli_option modifykey[] = {
	KGNAME,
	KEYNAME,
	CLI_VALUE("state", "S", "active, inactive, deprecated or terminated, "
	    "by one step"),
	CLI_FLAG("activate", "the same as -state active"),
	CLI_VALUE("name", "NEW", "its new name"),
	DESC,
	CLI_VALUE("move_to_kgname", "G", "move it to that group"),
	CLI_FLAG("allowserve", "waive the serve gate for this key"),
	REASON,
	CLI_END
};
static const struct cli_option deletekey[] = {
	KGNAME,
	KEYNAME,
	FORCE,
	REASON,
	CLI_END
};
static const struct cli_option listkeys[] = {
	CLI_VALUE("kgname", "N", "keys of this group"),
	CLI_VALUE("keyname", "K", "this key of the group"),
	CLI_FLAG("activekey", "active keys"),
	CLI_VALUE("tag", "T", "the key of this tag"),
	NOVERBOSE,
	CLI_END
};
static const struct cli_option recoverkey[] = {
	CLI_VALUE("kgname", "N", "the key group"),
	CLI_VALUE("keyname", "K", "what the key is called in it"),
	CLI_VALUE("tag", "T", "its tag; blanks, dashes, either case"),
	CLI_VALUE("list", "KIT.json", "all keys of a recovery kit: one "
	    "passphrase for each group, then for each key"),
	DESC,
	CLI_VALUE("from", "BACKUP", "out of this backup: by -tag, else by name"),
	CLI_END
};
static const struct cli_option importkey[] = {
	KGNAME,
	KEYNAME,
	CLI_REQUIRED("keyfile", "F", "stenc's: a line of hex, a line of "
	    "descriptor"),
	CLI_VALUE("tag", "HEX", "what the tape carries; else the descriptor"),
	DESC,
	CLI_END
};
static const struct cli_option export[] = {
	CLI_REQUIRED("path", "F", "the container to be made"),
	CLI_WORDS("key_groups", "A", "whole groups, one or more; else all keys"),
	CLI_VALUE("key_file", "F", "keys, one GROUP/KEY on a line"),
	CLI_END
};
static const struct cli_option import[] = {
	CLI_REQUIRED("path", "F", "the container"),
	CLI_FLAG("preserve_kgname", "keep the groups' names; else "
	    "GROUP_TIMESTAMP"),
	CLI_FLAG("merge", "into groups of these names, where they are there"),
	CLI_VALUE("desc", "T", "a description for the groups made"),
	CLI_FLAG("preview", "show what it would do, change nothing"),
	CLI_END
};
static const struct cli_option rotatekg[] = {
	KGNAME,
	CLI_VALUE("older_than", "AGE", "only when the active key is so old"),
	CLI_FLAG("nopphrase", "ask nothing: the group's phrase, else random"),
	CLI_END
};
static const struct cli_option recoverydrill[] = {
	CLI_FLAG("hmk", "the passphrase of the HMK"),
	CLI_FLAG("kpk", "the passphrase of the KPK"),
	CLI_VALUE("kgname", "N", "the group's newest passphrase"),
	CLI_VALUE("keyname", "K", "the passphrase of this key of the group"),
	CLI_END
};
static const struct cli_option recoverykit[] = {
	CLI_VALUE("path", "F.html", "where to; else to standard output"),
	CLI_END
};

static const struct cli_option quiescedb[] = {
	CLI_VALUE("owner", "T", "who holds it; unquiesce takes that one's back"),
	CLI_VALUE("expires", "TIME", "changes go on after so long; else never"),
	CLI_END
};
static const struct cli_option unquiescedb[] = {
	CLI_VALUE("owner", "T", "whose hold; else the newest"),
	CLI_END
};

/* A new master key: the HMK's and the KPK's options differ in two names. */
#define NEW_MASTER(role) \
	CLI_FLAG("nopphrase", "born in the token: only the HSM's own backup " \
	    "brings it back"), \
	CLI_VALUE("components", "N", "the passphrase has N parts, each asked " \
	    "twice"), \
	CLI_FLAG("adopt", "take over a key that the token's owner made"), \
	CLI_VALUE(role "label", "L", "-adopt: the key by its label"), \
	CLI_VALUE(role "id", "HEX", "-adopt: the key by its CKA_ID"), \
	CLI_END
static const struct cli_option modifyhmk[] = { NEW_MASTER("hmk") };
static const struct cli_option modifykpk[] = { NEW_MASTER("kpk") };

#define LISTS .json = true
static const struct cli_option backup[] = {
	CLI_VALUE("path", "F", "where to; else UUID-GENERATION.db in [backup] "
	    "path"),
	CLI_END
};

static const struct cli_option audit[] = {
	CLI_VALUE("since", "T", "from 2026-11-24T10:00:00Z, 2026-11-24, 12h ago"),
	CLI_VALUE("until", "T", "and before that time"),
	CLI_VALUE("tag", "T", "about the key of this tag"),
	CLI_VALUE("actor", "A", "by that one: uid:0, a client, a sudo user"),
	CLI_FLAG("verify", "shows nothing, proves that nothing was altered"),
	CLI_FLAG("sign", "into a file, signed by [token] sign_key"),
	CLI_VALUE("path", "F", "that file; F.sig and F.pub beside it"),
	NOVERBOSE,
	CLI_END
};
static const struct cli_option catalog[] = {
	CLI_VALUE("tag", "T", "tapes that need the key of this tag"),
	CLI_VALUE("volume", "V", "keys of this tape: label, barcode or serial"),
	CLI_VALUE("kgname", "N", "tapes that need a key of this group"),
	NOVERBOSE,
	CLI_END
};

static const struct cli_operation operations[] = {
	{.name = "createkg", .run = cmd_group_create, .options = createkg,
	 .help = "makes a key group; for tape: ENCR_ and the pool's name",
	 LISTS},
	{.name = "modifykg", .run = cmd_group_modify, .options = modifykg,
	 .help = "renames or describes a group, or renews its passphrase",
	 LISTS},
	{.name = "deletekg", .run = cmd_group_delete, .options = deletekg,
	 .help = "deletes an empty group"},
	{.name = "listkgs", .run = cmd_group_list, .options = listkgs,
	 .help = "lists groups",
	 LISTS},
	{.name = "createkey", .run = cmd_key_create, .options = createkey,
	 .help = "makes a key: from a passphrase, asked twice, or random",
	 LISTS},
	{.name = "modifykey", .run = cmd_key_modify, .options = modifykey,
	 .help = "changes a key's state, name, description or group",
	 LISTS},
	{.name = "deletekey", .run = cmd_key_delete, .options = deletekey,
	 .help = "deletes a prelive or terminated key"},
	{.name = "listkeys", .run = cmd_key_list, .options = listkeys,
	 .help = "lists keys",
	 LISTS},
	{.name = "recoverkey", .run = cmd_key_recover, .options = recoverkey,
	 .help = "brings a key back from passphrase and tag",
	 LISTS},
	{.name = "recoverykit", .run = cmd_kit_make, .options = recoverykit,
	 .help = "prints what belongs into the safe, for paper; -json: "
	     "KIT.json for -recoverkey -list",
	 LISTS},
	{.name = "rotatekg", .run = cmd_rotatekg, .options = rotatekg,
	 .help = "makes the group's next key and activates it",
	 LISTS},
	{.name = "recoverydrill", .run = cmd_drill, .options = recoverydrill,
	 .help = "proves that passphrases would bring their keys back",
	 LISTS},
	{.name = "importkey", .run = cmd_transfer_import_key,
	 .options = importkey,
	 .help = "brings in a foreign key, to read tapes written with it",
	 LISTS},
	{.name = "export", .run = cmd_transfer_export, .options = export,
	 .help = "keys into a container that opens with its passphrase alone",
	 LISTS},
	{.name = "import", .run = cmd_transfer_import, .options = import,
	 .help = "keys out of a container; all of them or none",
	 LISTS},
	{.name = "doctor", .run = cmd_doctor,
	 .help = "looks for what may go wrong; status 1 when something is",
	 LISTS},
	{.name = "backup", .run = cmd_backup, .options = backup,
	 .help = "a verified copy of the store; random keys are served after "
	     "it",
	 LISTS},
	{.name = "modifyhmk", .run = cmd_rotate_hmk, .options = modifyhmk,
	 .help = "a new host master key, every row sealed anew; asks "
	     "passphrase, repeat, ID; killed, run it again",
	 LISTS},
	{.name = "modifykpk", .run = cmd_rotate_kpk, .options = modifykpk,
	 .help = "a new key protection key, every key re-wrapped; asks as "
	     "-modifyhmk",
	 LISTS},
	{.name = "gethmkid", .run = cmd_store_hmkid,
	 .help = "prints the ID of the host master key",
	 LISTS},
	{.name = "getkpkid", .run = cmd_store_kpkid,
	 .help = "prints the ID of the key protection key",
	 LISTS},
	{.name = "ksstats", .run = cmd_store_stats,
	 .help = "counts what the store holds",
	 LISTS},
	{.name = "quiescedb", .run = cmd_store_quiesce, .options = quiescedb,
	 .help = "refuses changes until unquiesced, for a copy of the files",
	 LISTS},
	{.name = "unquiescedb", .run = cmd_store_unquiesce,
	 .options = unquiescedb,
	 .help = "takes a quiesce back",
	 LISTS},
	{.name = "audit", .run = cmd_audit, .options = audit,
	 .help = "every change and every release, in order",
	 LISTS},
	{.name = "catalog", .run = cmd_catalog, .options = catalog,
	 .help = "which tape needs which key",
	 LISTS},
	{.name = NULL}
};
/* clang-format on */

static const struct cli_program program = {
    .name = "p11kmsutil",
    .help = "key groups, keys, recovery",
    .operations = operations,
};

int
main(int argc, char **argv)
{
	return cli_main(&program, argc, argv);
}
