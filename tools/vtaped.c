/*
 * vtaped: a virtual LTO drive with a cartridge file, behind a socket; and
 * the operator's hand on one that runs.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "kms/base/buf.h"
#include "kms/base/crypt.h"
#include "kms/base/log.h"
#include "tape/virtual/server.h"
#include "tape/wire.h"
#include "tools/cli.h"

#define SECRET_HEAP (512u * 1024)
#define OPERATOR_MS 60000
#define GENERATION_DEFAULT 8u

static const struct cli_option listen_options[] = {
    {.name = "cartridge", .value = "FILE", .help = "what is in the drive"},
    {.name = "generation",
	.value = "4..9",
	.help = "LTO generation; default: the cartridge's, or 8"},
    {.name = "lenient", .help = "manners of a widespread software VTL"},
    {.name = "libraryowned", .help = "the library owns the keys"},
    {.name = "noencryption", .help = "encryption is switched off"},
    {.name = "fixedkad", .help = "key-associated data of full length only"},
    {.name = NULL},
};
static const struct cli_option create_options[] = {
    {.name = "cartridge",
	.value = "FILE",
	.help = "a new file",
	.required = true},
    {.name = "barcode",
	.value = "B",
	.help = "its label, such as A00001L8",
	.required = true},
    {.name = "generation",
	.value = "4..9",
	.help = "LTO generation; default: as the barcode ends (L8), or 8"},
    {.name = "size",
	.value = "BYTES",
	.help = "capacity; default: the generation's"},
    {.name = NULL},
};
static const struct cli_option insert_options[] = {
    {.name = "cartridge",
	.value = "FILE",
	.help = "what goes in",
	.required = true},
    {.name = "drive",
	.value = "SOCKET",
	.help = "a running drive",
	.required = true},
    {.name = NULL},
};
static const struct cli_option drive_options[] = {
    {.name = "drive",
	.value = "SOCKET",
	.help = "a running drive",
	.required = true},
    {.name = NULL},
};

static int
generation_option(const struct cli *cli, unsigned other, unsigned *out)
{
	const char *given = cli_value(cli, "generation");
	uint64_t v = other;
	int err = given ? cli_number(given, 4, 9, &v) : 0;

	*out = (unsigned)v;
	return err ? kms_fail_add(err, "-generation") : 0;
}

/* A barcode ends in its generation: A00001L8. */
static unsigned
barcode_generation(const char *barcode)
{
	size_t len = strlen(barcode);

	if (len < 2 || barcode[len - 2] != 'L' || barcode[len - 1] < '4' ||
	    barcode[len - 1] > '9')
		return GENERATION_DEFAULT;
	return (unsigned)(barcode[len - 1] - '0');
}

static int
create_run(struct cli *cli)
{
	struct vt_label l = {.barcode = cli_value(cli, "barcode")};
	const char *size = cli_value(cli, "size");

	int err = generation_option(cli, barcode_generation(l.barcode),
	    &l.generation);
	if (err)
		return err;
	l.capacity = vt_personality_find(l.generation, false)->capacity;
	if (size)
		err = cli_number(size, 0, INT64_MAX, &l.capacity);
	if (err)
		return kms_fail_add(err, "-size");
	return vt_cartridge_create(cli_value(cli, "cartridge"), &l);
}

/* One operator's message to a running drive; a refusal comes as text. */
static int
operate(const struct cli *cli, enum wire_kind kind, const char *path)
{
	const char *drive = cli_value(cli, "drive");
	char cause[WIRE_SENSE_MAX + 1] = "";
	struct wire_req q = {
	    .kind = (uint8_t)kind,
	    .dir = path ? WIRE_OUT : WIRE_NONE,
	    .len = path ? (uint32_t)strlen(path) : 0,
	};
	size_t got, len;
	uint8_t status;

	int fd = wire_connect(drive);
	if (fd < 0)
		return kms_fail(KMS_ERR_DRIVE,
		    "%s: %s; is a drive running there?", drive,
		    strerror(errno));
	int err = 0;
	if (wire_exec(fd, &q, path, NULL, 0, &got, &status, (uint8_t *)cause,
		&len, OPERATOR_MS) < 0)
		err = kms_fail(KMS_ERR_IO, "%s: the drive gave no answer: %s",
		    drive, strerror(errno));
	else if (status != TAPE_GOOD)
		err = kms_fail(KMS_ERR_DRIVE, "%s", cause);
	close(fd);
	return err;
}

static int
insert_run(struct cli *cli)
{
	const char *name = cli_value(cli, "cartridge");
	char path[PATH_MAX];

	if (!realpath(name, path))
		return kms_fail(KMS_ERR_NOTFOUND, "%s: %s", name,
		    strerror(errno));
	return operate(cli, WIRE_INSERT, path);
}

static int
eject_run(struct cli *cli)
{
	return operate(cli, WIRE_EJECT, NULL);
}

static int
reset_run(struct cli *cli)
{
	return operate(cli, WIRE_RESET, NULL);
}

static int
stop_run(struct cli *cli)
{
	return operate(cli, WIRE_STOP, NULL);
}

/* The same socket is the same drive, in every run. */
static int
serial_make(const char *path, char out[17])
{
	uint8_t hash[KMS_SHA256_LEN];
	char hex[9], *full = NULL;
	char *cwd = path[0] == '/' ? strdup("") : getcwd(NULL, 0);

	int n = cwd ? asprintf(&full, "%s/%s", cwd, path) : -1;
	free(cwd);
	if (n < 0)
		return kms_fail(KMS_ERR_MEMORY, "serial: out of memory");
	int err = kms_sha256(full, (size_t)n, hash);
	free(full);
	if (err)
		return err;
	kms_hex(hash, 4, hex);
	snprintf(out, 17, "VT%s", hex);
	return 0;
}

static int
drive_make(const struct cli *cli, struct vt_cartridge **tape,
    struct vt_drive **out)
{
	char serial[17];
	struct vt_options opt = {
	    .serial = serial,
	    .lenient = cli_has(cli, "lenient"),
	    .library_owns_keys = cli_has(cli, "libraryowned"),
	    .encryption_off = cli_has(cli, "noencryption"),
	    .fixed_kads = cli_has(cli, "fixedkad"),
	};
	unsigned other = *tape ? vt_cartridge_header(*tape)->generation
			       : GENERATION_DEFAULT;

	int err = generation_option(cli, other, &opt.generation);
	if (!err)
		err = serial_make(cli->operand, serial);
	if (!err)
		err = vt_drive_new(&opt, out);
	if (!err && *tape)
		err = vt_drive_insert(*out, tape);
	return err;
}

/* SIGTERM and its like are read from a descriptor, by the server's poll. */
static int
signals_open(int *fd)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	*fd = signalfd(-1, &set, SFD_CLOEXEC);
	return *fd < 0 ? kms_fail(KMS_ERR_IO, "signalfd: %s", strerror(errno))
		       : 0;
}

static int
listen_run(struct cli *cli)
{
	const char *cartridge = cli_value(cli, "cartridge");
	struct vt_cartridge *tape = NULL;
	struct vt_drive *d = NULL;
	struct vt_server *s = NULL;
	int stop = -1;

	kms_log_open("vtaped", true, false, KMS_LOG_INFO);
	int err = kms_secret_init(SECRET_HEAP, KMS_SECRET_OPTIONAL);
	if (!err)
		err = signals_open(&stop);
	if (!err && cartridge)
		err = vt_cartridge_open(cartridge, &tape);
	if (!err)
		err = drive_make(cli, &tape, &d);
	if (!err)
		err = vt_server_open(cli->operand, d, &s);
	if (err)
		goto out;
	printf("listening on %s\n", cli->operand);
	fflush(stdout);
	err = vt_server_run(s, stop);
out:
	vt_server_close(&s);
	vt_drive_free(&d);
	vt_cartridge_close(&tape);
	if (stop >= 0)
		close(stop);
	return err;
}

static const struct cli_operation operations[] = {
    {.name = "listen",
	.value = "SOCKET",
	.help = "be a drive, until SIGTERM",
	.options = listen_options,
	.run = listen_run},
    {.name = "create",
	.help = "make a cartridge",
	.options = create_options,
	.run = create_run},
    {.name = "insert",
	.help = "put a cartridge into a running drive",
	.options = insert_options,
	.run = insert_run},
    {.name = "eject",
	.help = "take its cartridge out",
	.options = drive_options,
	.run = eject_run},
    {.name = "reset",
	.help = "switch it off and on: keys are gone",
	.options = drive_options,
	.run = reset_run},
    {.name = "stop",
	.help = "end it",
	.options = drive_options,
	.run = stop_run},
    {.name = NULL},
};

static const struct cli_program program = {
    .name = "vtaped",
    .help = "a virtual LTO drive that really encrypts",
    .operations = operations,
};

int
main(int argc, char **argv)
{
	return cli_main(&program, argc, argv);
}
