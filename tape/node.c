#include "tape/node.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tape/page.h"
#include "tape/sg.h"
#include "tape/socket.h"

#define VTAPE "vtape:"
#define ATTRIBUTE_ROOM 300u
#define TYPE_TAPE 1
#define PATH_ROOM 512u

/* DIGITS, then nothing or one of the letters in tail. */
static bool
numbered(const char *s, const char *tail, unsigned *no)
{
	size_t n = strspn(s, "0123456789");

	if (n == 0 || n > 6)
		return false;
	*no = (unsigned)strtoul(s, NULL, 10);
	if (s[n] == '\0')
		return true;
	return s[n + 1] == '\0' && strchr(tail, s[n]) != NULL;
}

static int
attribute_read(const char *sysfs, const char *sg, const char *name,
    uint8_t *out, size_t cap, size_t *len)
{
	char path[PATH_ROOM];

	*len = 0;
	int n = snprintf(path, sizeof(path),
	    "%s/class/scsi_generic/%s/device/%s", sysfs, sg, name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return KMS_ERR_LIMIT;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return KMS_ERR_NOTFOUND;
	ssize_t got = read(fd, out, cap);
	close(fd);
	if (got < 0)
		return KMS_ERR_IO;
	*len = (size_t)got;
	return 0;
}

static void
text_read(const char *sysfs, const char *sg, const char *name, char *out,
    size_t cap)
{
	uint8_t raw[ATTRIBUTE_ROOM];
	size_t len;

	out[0] = '\0';
	if (attribute_read(sysfs, sg, name, raw, sizeof(raw), &len) == 0)
		tape_text_take(raw, len, out, cap);
}

/* The kernel keeps VPD page 80h as it came. */
static void
serial_read(const char *sysfs, const char *sg, char *out, size_t cap)
{
	uint8_t raw[ATTRIBUTE_ROOM];
	size_t len;

	out[0] = '\0';
	if (attribute_read(sysfs, sg, "vpd_pg80", raw, sizeof(raw), &len) ||
	    len < 4)
		return;
	size_t said = kms_get16(raw + 2);
	if (said > len - 4)
		said = len - 4;
	tape_text_take(raw + 4, said, out, cap);
}

/*
 * The first entry of a directory of the kernel's device that is called
 * prefix and a number: scsi_generic/sg3, scsi_tape/nst0.
 */
static bool
entry_find(const char *dir, const char *prefix, char *out, size_t cap)
{
	const struct dirent *e;
	unsigned no;
	bool found = false;

	DIR *d = opendir(dir);
	if (!d)
		return false;
	while (!found && (e = readdir(d)) != NULL) {
		size_t n = strlen(prefix);
		if (strncmp(e->d_name, prefix, n) != 0 ||
		    !numbered(e->d_name + n, "", &no))
			continue;
		found = true;
		snprintf(out, cap, "%s%u", prefix, no);
	}
	closedir(d);
	return found;
}

/* sg: "sg3". False when the kernel says that it is no tape drive. */
static bool
node_read(const char *sysfs, const char *sg, struct tape_node *out)
{
	char type[8], nst[TAPE_NODE_MAX], path[PATH_MAX];

	memset(out, 0, sizeof(*out));
	text_read(sysfs, sg, "type", type, sizeof(type));
	if (strtol(type, NULL, 10) != TYPE_TAPE)
		return false;
	snprintf(out->sg, sizeof(out->sg), "/dev/%.20s", sg);
	int n = snprintf(path, sizeof(path),
	    "%s/class/scsi_generic/%s/device/scsi_tape", sysfs, sg);
	if (n > 0 && (size_t)n < sizeof(path) &&
	    entry_find(path, "nst", nst, sizeof(nst)))
		snprintf(out->nst, sizeof(out->nst), "/dev/%.20s", nst);
	text_read(sysfs, sg, "vendor", out->vendor, sizeof(out->vendor));
	text_read(sysfs, sg, "model", out->product, sizeof(out->product));
	text_read(sysfs, sg, "rev", out->revision, sizeof(out->revision));
	serial_read(sysfs, sg, out->serial, sizeof(out->serial));
	return true;
}

static int
sg_from_tape(const char *sysfs, const char *spec, unsigned no, char *sg,
    size_t cap)
{
	char path[PATH_ROOM];

	int n = snprintf(path, sizeof(path),
	    "%s/class/scsi_tape/nst%u/device/scsi_generic", sysfs, no);
	if (n > 0 && (size_t)n < sizeof(path) &&
	    entry_find(path, "sg", sg, cap))
		return 0;
	return kms_fail(KMS_ERR_NOTFOUND,
	    "%s: the kernel shows no SCSI generic node for it; load the sg "
	    "module (modprobe sg), or see p11kmsdrive -list",
	    spec);
}

/* "/dev/tape/by-id/…-nst" and the like lead to the node itself. */
static void
resolve(const char *spec, char *base, size_t cap)
{
	char *real = realpath(spec, NULL);
	const char *path = real ? real : spec;
	const char *slash = strrchr(path, '/');

	snprintf(base, cap, "%s", slash ? slash + 1 : path);
	free(real);
}

/* nst0, st0 and their mode nodes nst0l, nst0m, nst0a. */
static bool
is_tape(const char *base, unsigned *no)
{
	if (base[0] == 'n')
		base++;
	return strncmp(base, "st", 2) == 0 && numbered(base + 2, "alm", no);
}

int
tape_node_find(const char *sysfs, const char *spec, struct tape_node *out)
{
	char base[64], sg[TAPE_NODE_MAX];
	unsigned no;
	int err = 0;

	memset(out, 0, sizeof(*out));
	resolve(spec, base, sizeof(base));
	if (strncmp(base, "IBMtape", 7) == 0 ||
	    strncmp(base, "IBMchan", 7) == 0)
		return kms_fail(KMS_ERR_USAGE,
		    "%s: the lin_tape driver refuses SCSI commands from "
		    "programs; use the drive's /dev/sgN (p11kmsdrive -list)",
		    spec);
	if (strncmp(base, "sg", 2) == 0 && numbered(base + 2, "", &no))
		snprintf(sg, sizeof(sg), "sg%u", no);
	else if (is_tape(base, &no))
		err = sg_from_tape(sysfs, spec, no, sg, sizeof(sg));
	else
		err = kms_fail(KMS_ERR_USAGE,
		    "%s: a drive is /dev/sgN, /dev/nstN or vtape:SOCKET", spec);
	if (err)
		return err;
	if (!node_read(sysfs, sg, out))
		return kms_fail(KMS_ERR_NOTFOUND,
		    "%s: the kernel has no tape drive there; see p11kmsdrive "
		    "-list",
		    spec);
	return 0;
}

static int
by_number(const void *a, const void *b)
{
	const struct tape_node *x = a, *y = b;
	long m = strtol(x->sg + strlen("/dev/sg"), NULL, 10);
	long n = strtol(y->sg + strlen("/dev/sg"), NULL, 10);

	return m < n ? -1 : m > n;
}

static int
list_add(struct tape_node **list, size_t *n, const struct tape_node *one)
{
	struct tape_node *more = realloc(*list, (*n + 1) * sizeof(**list));

	if (!more)
		return kms_fail(KMS_ERR_MEMORY,
		    "list of drives: out of memory");
	more[(*n)++] = *one;
	*list = more;
	return 0;
}

int
tape_node_list(const char *sysfs, struct tape_node **list, size_t *n)
{
	char path[PATH_ROOM];
	const struct dirent *e;
	struct tape_node one;
	unsigned no;
	int err = 0;

	*list = NULL;
	*n = 0;
	int w = snprintf(path, sizeof(path), "%s/class/scsi_generic", sysfs);
	if (w < 0 || (size_t)w >= sizeof(path))
		return kms_fail(KMS_ERR_LIMIT, "%s: path too long", sysfs);
	DIR *d = opendir(path);
	if (!d)
		return errno == ENOENT
		    ? 0
		    : kms_fail(KMS_ERR_IO, "%s: %s", path, strerror(errno));
	while (!err && (e = readdir(d)) != NULL)
		if (strncmp(e->d_name, "sg", 2) == 0 &&
		    numbered(e->d_name + 2, "", &no) &&
		    node_read(sysfs, e->d_name, &one))
			err = list_add(list, n, &one);
	closedir(d);
	if (err) {
		free(*list);
		*list = NULL;
		*n = 0;
	}
	if (*n > 1)
		qsort(*list, *n, sizeof(**list), by_number);
	return err;
}

int
tape_node_open(const char *sysfs, const char *spec, struct tape_transport **t,
    struct tape_node *node)
{
	struct tape_node found = {0};

	*t = NULL;
	if (strncmp(spec, VTAPE, strlen(VTAPE)) == 0) {
		snprintf(found.sg, sizeof(found.sg), "%.*s",
		    (int)sizeof(found.sg) - 1, spec);
		if (node)
			*node = found;
		return tape_socket_open(spec + strlen(VTAPE), t);
	}
	int err = tape_node_find(sysfs, spec, &found);
	if (node)
		*node = found;
	return err ? err : tape_sg_open(found.sg, t);
}
