/* p11kmsdrive: keys into tape drives (what BPTM does). */
#include <stddef.h>

#include "tools/cmd_drive.h"
#include "tools/cmd_note.h"

/* clang-format off */
#define DRIVE  CLI_REQUIRED("drive", "D", "/dev/sgN, /dev/nstN, vtape:SOCKET")
#define POOL   CLI_ONE_OF(1, "kgname", "POOL", "to write: its active key")
#define TAG    CLI_ONE_OF(1, "tag", "T", "to read: the key of this tag")
#define READ   CLI_ONE_OF(1, "read", NULL, "to read: as the next block says")
#define VOLUME CLI_VALUE("volume", "LABEL", "which tape; else its barcode")
#define KEEP   CLI_FLAG("keep_on_unload", "the key stays when the tape leaves")
#define EACH   CLI_FLAG("each_key", "runs CMD again where the tape changes keys")
#define SERVER CLI_VALUE("server", "HOST[:PORT]", "the key from a KMIP server")

static const struct cli_option list[] = {
	CLI_VALUE("drive", "D", "this one alone"),
	CLI_END
};
static const struct cli_option drive[] = {
	DRIVE,
	CLI_END
};
static const struct cli_option load[] = {
	DRIVE,
	POOL,
	TAG,
	READ,
	VOLUME,
	KEEP,
	SERVER,
	CLI_END
};
static const struct cli_option run[] = {
	DRIVE,
	POOL,
	READ,
	EACH,
	VOLUME,
	KEEP,
	SERVER,
	CLI_END
};

static const struct cli_option note[] = {
	CLI_VALUE("drive", "D", "the tape and the key that are in it"),
	CLI_VALUE("tag", "T", "the key"),
	VOLUME,
	CLI_VALUE("medium", "S", "the tape's own serial"),
	CLI_VALUE("drive_serial", "S", "the serial of a drive not named by D"),
	CLI_VALUE("server", "HOST[:PORT]", "on the record of a KMIP server"),
	CLI_END
};

static const struct cli_operation operations[] = {
	{.name = "list", .run = cmd_drive_list, .options = list,
	 .help = "lists the tape drives of this host",
	 .json = true},
	{.name = "status", .run = cmd_drive_status, .options = drive,
	 .help = "shows what the drive holds; needs no configuration",
	 .json = true},
	{.name = "load", .run = cmd_drive_load, .options = load,
	 .help = "loads a key and proves it by reading the drive back",
	 .json = true},
	{.name = "clear", .run = cmd_drive_clear, .options = drive,
	 .help = "takes the key out of the drive and proves it",
	 .json = true},
	{.name = "run", .run = cmd_drive_run, .options = run,
	 .help = "loads, runs CMD, proves that the key stayed, clears",
	 .command = true, .own_base = 100},
	{.name = "note", .run = cmd_drive_note, .options = note,
	 .help = "one more tape that a key was written on, for the catalog",
	 .json = true},
	{.name = NULL}
};
/* clang-format on */

static const struct cli_program program = {
    .name = "p11kmsdrive",
    .help = "keys into tape drives",
    .operations = operations,
};

int
main(int argc, char **argv)
{
	return cli_main(&program, argc, argv);
}
