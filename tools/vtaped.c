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
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "kms/base/buf.h"
#include "kms/base/crypt.h"
#include "kms/base/log.h"
#include "tape/virtual/server.h"
#include "tape/wire.h"

#define VERSION "0.1"
#define SECRET_HEAP (512u * 1024)
#define OPERATOR_MS 60000

enum operation {
	NONE,
	LISTEN,
	CREATE,
	INSERT,
	EJECT,
	RESET,
	STOP,
	SHOW_HELP,
	SHOW_VERSION
};

struct args {
	enum operation op;
	const char *socket, *cartridge, *barcode, *generation, *size;
	bool lenient, library, off, fixed;
};

static const char usage[] =
    "usage: vtaped -listen SOCKET [-cartridge FILE] [-generation 4..9]\n"
    "              [-lenient] [-libraryowned] [-noencryption] [-fixedkad]\n"
    "       vtaped -create -cartridge FILE -barcode B [-generation 4..9]\n"
    "              [-size BYTES]\n"
    "       vtaped -insert -cartridge FILE -drive SOCKET\n"
    "       vtaped -eject | -reset | -stop -drive SOCKET\n";

/* One word of the command line: an operation, a switch, or a value's name. */
struct word {
	const char *name;
	enum operation op;
	size_t value, flag; /* offsets in struct args */
};
#define VALUE(m) .value = offsetof(struct args, m)
#define FLAG(m) .flag = offsetof(struct args, m)

static const struct word words[] = {
    {.name = "listen", .op = LISTEN, VALUE(socket)},
    {.name = "create", .op = CREATE},
    {.name = "insert", .op = INSERT},
    {.name = "eject", .op = EJECT},
    {.name = "reset", .op = RESET},
    {.name = "stop", .op = STOP},
    {.name = "help", .op = SHOW_HELP},
    {.name = "version", .op = SHOW_VERSION},
    {.name = "drive", VALUE(socket)},
    {.name = "cartridge", VALUE(cartridge)},
    {.name = "barcode", VALUE(barcode)},
    {.name = "generation", VALUE(generation)},
    {.name = "size", VALUE(size)},
    {.name = "lenient", FLAG(lenient)},
    {.name = "libraryowned", FLAG(library)},
    {.name = "noencryption", FLAG(off)},
    {.name = "fixedkad", FLAG(fixed)},
};

static const struct word *
word_find(const char *arg)
{
	size_t dashes = strspn(arg, "-");

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i].name, arg + dashes) != 0)
			continue;
		/* Only the operation may be bare. */
		if (dashes <= 2 && (dashes > 0 || words[i].op))
			return &words[i];
	}
	return NULL;
}

static int
word_unknown(const char *arg)
{
	/* A dash pasted from a manual: U+2010 to U+2015, U+2212. */
	if (strncmp(arg, "\xE2\x80", 2) == 0 ||
	    strncmp(arg, "\xE2\x88\x92", 3) == 0)
		return kms_fail(KMS_ERR_USAGE,
		    "%s: begins with a typographic dash; type a plain -", arg);
	return kms_fail(KMS_ERR_USAGE, "%s: unknown option; see vtaped -help",
	    arg);
}

static int
args_parse(int argc, char **argv, struct args *a)
{
	for (int i = 1; i < argc; i++) {
		const struct word *w = word_find(argv[i]);
		if (!w)
			return word_unknown(argv[i]);
		if (w->op && a->op)
			return kms_fail(KMS_ERR_USAGE,
			    "%s: a second operation in one call", argv[i]);
		if (w->op)
			a->op = w->op;
		if (w->flag)
			*(bool *)((char *)a + w->flag) = true;
		if (!w->value)
			continue;
		if (++i == argc)
			return kms_fail(KMS_ERR_USAGE, "-%s: needs a value",
			    w->name);
		*(const char **)((char *)a + w->value) = argv[i];
	}
	return 0;
}

static int
number_parse(const char *text, const char *what, uint64_t *out)
{
	char *end;

	errno = 0;
	unsigned long long v = strtoull(text, &end, 10);
	if (errno || end == text || *end || text[0] < '0' || text[0] > '9')
		return kms_fail(KMS_ERR_USAGE, "-%s %s: not a number", what,
		    text);
	*out = v;
	return 0;
}

static int
needs(const char *value, const char *name)
{
	return value ? 0 : kms_fail(KMS_ERR_USAGE, "give -%s", name);
}

/* The generation given, or else the one a barcode ends in (L6), or 8. */
static int
generation_find(const struct args *a, unsigned *out)
{
	uint64_t v = 8;
	size_t len = a->barcode ? strlen(a->barcode) : 0;

	if (a->generation) {
		int err = number_parse(a->generation, "generation", &v);
		if (err)
			return err;
	} else if (len > 2 && a->barcode[len - 2] == 'L' &&
	    strchr("456789", a->barcode[len - 1])) {
		v = (uint64_t)(a->barcode[len - 1] - '0');
	}
	if (v < 4 || v > 9)
		return kms_fail(KMS_ERR_USAGE, "-generation: give 4 to 9");
	*out = (unsigned)v;
	return 0;
}

static int
create(const struct args *a)
{
	struct vt_label l = {.barcode = a->barcode};

	int err = needs(a->cartridge, "cartridge");
	if (!err)
		err = needs(a->barcode, "barcode");
	if (!err)
		err = generation_find(a, &l.generation);
	if (err)
		return err;
	l.capacity = vt_personality_find(l.generation, false)->capacity;
	if (a->size)
		err = number_parse(a->size, "size", &l.capacity);
	return err ? err : vt_cartridge_create(a->cartridge, &l);
}

static int
reply_check(int n, uint8_t status, const char *cause)
{
	if (n < 0)
		return kms_fail(KMS_ERR_IO, "the drive gave no answer: %s",
		    strerror(errno));
	return status == TAPE_GOOD ? 0 : kms_fail(KMS_ERR_DRIVE, "%s", cause);
}

/* One operator's message to a running drive. */
static int
operate(const struct args *a, enum wire_kind kind, const char *path)
{
	char cause[WIRE_SENSE_MAX + 1] = "";
	struct wire_req q = {.kind = (uint8_t)kind};
	size_t got, len;
	uint8_t status, sense[WIRE_SENSE_MAX];

	int err = needs(a->socket, "drive");
	if (err)
		return err;
	int fd = wire_connect(a->socket);
	if (fd < 0)
		return kms_fail(KMS_ERR_DRIVE,
		    "%s: %s; is a drive running there?", a->socket,
		    strerror(errno));
	if (path) {
		q.dir = WIRE_OUT;
		q.len = (uint32_t)strlen(path);
	}
	int n = wire_exec(fd, &q, path, NULL, 0, &got, &status, sense, &len,
	    OPERATOR_MS);
	if (n == 0)
		memcpy(cause, sense, len);
	err = reply_check(n, status, cause);
	close(fd);
	return err;
}

static int
insert(const struct args *a)
{
	char path[PATH_MAX];

	int err = needs(a->cartridge, "cartridge");
	if (err)
		return err;
	if (!realpath(a->cartridge, path))
		return kms_fail(KMS_ERR_NOTFOUND, "%s: %s", a->cartridge,
		    strerror(errno));
	return operate(a, WIRE_INSERT, path);
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
drive_make(const struct args *a, struct vt_cartridge **tape,
    struct vt_drive **out)
{
	char serial[17];
	struct vt_options opt = {
	    .serial = serial,
	    .lenient = a->lenient,
	    .library_owns_keys = a->library,
	    .encryption_off = a->off,
	    .fixed_kads = a->fixed,
	};

	int err = generation_find(a, &opt.generation);
	if (!err && *tape && !a->generation)
		opt.generation = vt_cartridge_header(*tape)->generation;
	if (!err)
		err = serial_make(a->socket, serial);
	if (!err)
		err = vt_drive_new(&opt, out);
	if (!err && *tape)
		err = vt_drive_insert(*out, tape);
	return err;
}

/* What a tape has lost must not go unnoticed. */
static void
tape_report(const struct vt_cartridge *c)
{
	const struct vt_header *h = vt_cartridge_header(c);

	kms_log(KMS_LOG_INFO, "vtape.insert", "barcode=%s objects=%llu",
	    h->barcode, (unsigned long long)vt_cartridge_end(c));
	if (vt_cartridge_torn(c) > 0)
		kms_log(KMS_LOG_WARN, "vtape.torn", "barcode=%s bytes=%llu",
		    h->barcode, (unsigned long long)vt_cartridge_torn(c));
	if (vt_cartridge_damaged(c))
		kms_log(KMS_LOG_ERROR, "vtape.damaged",
		    "barcode=%s readable_objects=%llu", h->barcode,
		    (unsigned long long)vt_cartridge_end(c));
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
serve(const struct args *a)
{
	struct vt_cartridge *tape = NULL;
	struct vt_drive *d = NULL;
	struct vt_server *s = NULL;
	int stop = -1;

	int err = signals_open(&stop);
	if (!err && a->cartridge)
		err = vt_cartridge_open(a->cartridge, &tape);
	if (err)
		goto out;
	if (tape)
		tape_report(tape);
	err = drive_make(a, &tape, &d);
	if (!err)
		err = vt_server_open(a->socket, d, &s);
	if (err)
		goto out;
	printf("listening on %s\n", a->socket);
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

/* Keys pass through here: no core, no ptrace by others. */
static int
harden(void)
{
	const struct rlimit none = {0, 0};

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    setrlimit(RLIMIT_CORE, &none) < 0)
		return kms_fail(KMS_ERR_IO, "hardening: %s", strerror(errno));
	return kms_secret_init(SECRET_HEAP, KMS_SECRET_OPTIONAL);
}

static int
run(const struct args *a)
{
	switch (a->op) {
	case LISTEN:
		return serve(a);
	case CREATE:
		return create(a);
	case INSERT:
		return insert(a);
	case EJECT:
		return operate(a, WIRE_EJECT, NULL);
	case RESET:
		return operate(a, WIRE_RESET, NULL);
	case STOP:
		return operate(a, WIRE_STOP, NULL);
	case SHOW_HELP:
		fputs(usage, stdout);
		return 0;
	case SHOW_VERSION:
		puts("vtaped " VERSION);
		return 0;
	case NONE:
		break;
	}
	return kms_fail(KMS_ERR_USAGE, "no operation; see vtaped -help");
}

int
main(int argc, char **argv)
{
	struct args a = {0};

	kms_log_open("vtaped", true, false, KMS_LOG_INFO);
	int err = harden();
	if (!err)
		err = args_parse(argc, argv, &a);
	if (!err)
		err = run(&a);
	if (err)
		fprintf(stderr, "vtaped: %s\n", kms_err_cause(err));
	return kms_err_status(err);
}
