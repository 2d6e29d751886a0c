/* What the host alone tells: files, memory, configuration, certificates. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "kms/base/file.h"
#include "tools/doctor.h"

#define CERT_DAYS 30 /* warned so long before it expires */

/* --- files ------------------------------------------------------------ */

/* A private file, or none. */
static int
check_private(const char *path)
{
	int fd = -1, r = kms_file_open(path, O_RDONLY, true, &fd);

	if (fd >= 0)
		close(fd);
	return r;
}

static void
check_files(struct doctor *d)
{
	const char *path = d->at->config->store.path;
	char log[4096];
	int r;

	r = kms_file_check_dir(path, true);
	if (r == 0)
		r = check_private(path);
	if (r == 0)
		r = kms_store_log_path(path, log, sizeof(log));
	if (r == 0) {
		r = check_private(log);
		if (r == KMS_ERR_NOTFOUND)
			r = 0; /* the store says whether there must be one */
	}
	if (r != 0)
		doctor_say_error(d, DOCTOR_PROBLEM, "permissions", r);
	else
		doctor_say(d, DOCTOR_OK, "permissions", NULL,
		    "store, log and their directory are private");
}

static void
check_backup_place(struct doctor *d)
{
	const char *dir = d->at->config->backup.path;
	const char *store = d->at->config->store.path;
	struct stat a, b;

	if (dir == NULL) {
		doctor_say(d, DOCTOR_WARNING, "backup-place",
		    "set path in [backup]", "no place for backups is set");
		return;
	}
	if (stat(dir, &a) != 0 || access(dir, W_OK) != 0) {
		doctor_say(d, DOCTOR_PROBLEM, "backup-place",
		    "mount it, or mend path in [backup]", "%s: %s", dir,
		    strerror(errno));
		return;
	}
	if (stat(store, &b) == 0 && a.st_dev == b.st_dev)
		doctor_say(d, DOCTOR_WARNING, "backup-place",
		    "set path in [backup] to another device",
		    "%s is on the store's own device, and lost with it", dir);
	else
		doctor_say(d, DOCTOR_OK, "backup-place", NULL, "%s", dir);
}

/* --- memory, gates ---------------------------------------------------- */

static void
check_memory(struct doctor *d)
{
	if (!kms_secret_locked())
		doctor_say(d, DOCTOR_WARNING, "memory",
		    "raise RLIMIT_MEMLOCK, or LimitMEMLOCK of the service",
		    "secrets are not in locked memory and may be swapped out");
	else if (!d->at->cli->harden.locked)
		doctor_say(d, DOCTOR_WARNING, "memory",
		    "raise RLIMIT_MEMLOCK, or LimitMEMLOCK of the service",
		    "secrets are in locked memory, but the rest of the process "
		    "is not");
	else
		doctor_say(d, DOCTOR_OK, "memory", NULL,
		    "all of the process is locked in memory");
}

static void
check_gates(struct doctor *d)
{
	const struct kms_policy *p = &d->at->config->policy;
	const char *what = !p->serve_gate ? "serve_gate is off"
	    : !p->delete_gate             ? "delete_gate is off"
	    : p->backup_same_device
	    ? "same_device is on: backups count that are lost with the store"
	    : NULL;

	if (what != NULL)
		doctor_say(d, DOCTOR_WARNING, "gates",
		    "set it back unless this is a pilot", "%s", what);
	else
		doctor_say(d, DOCTOR_OK, "gates", NULL,
		    "serve and delete gate are on");
}

/* --- certificates ----------------------------------------------------- */

static int
read_cert(const char *path, X509 **cert)
{
	BIO *bio = BIO_new_file(path, "r");

	*cert = NULL;
	if (bio != NULL)
		*cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	ERR_clear_error();
	if (*cert != NULL)
		return 0;
	return kms_fail(KMS_ERR_CONFIG,
	    "%s: no certificate can be read there; mend the configuration or "
	    "the file's mode",
	    path);
}

/* How it stands with what ends then; next: what to do before. */
static void
say_end(struct doctor *d, const char *name, const char *path,
    const ASN1_TIME *end, const char *next)
{
	int days = 0, seconds = 0;

	if (end == NULL || ASN1_TIME_diff(&days, &seconds, NULL, end) != 1)
		doctor_say(d, DOCTOR_PROBLEM, name, next,
		    "%s: its end cannot be read", path);
	else if (days < 0 || seconds < 0)
		doctor_say(d, DOCTOR_PROBLEM, name, next,
		    "%s expired %d days ago", path, -days);
	else if (days < CERT_DAYS)
		doctor_say(d, DOCTOR_WARNING, name, next,
		    "%s expires in %d days", path, days);
	else
		doctor_say(d, DOCTOR_OK, name, NULL, "%s is good for %d days",
		    path, days);
}

static void
check_cert(struct doctor *d, const char *name, const char *path)
{
	X509 *cert = NULL;
	int r;

	if (path == NULL)
		return;
	r = read_cert(path, &cert);
	if (r != 0)
		doctor_say_error(d, DOCTOR_PROBLEM, name, r);
	else
		say_end(d, name, path, X509_get0_notAfter(cert), "renew it");
	X509_free(cert);
}

/* An expired one is no licence: the service refuses every client then. */
static void
check_crl(struct doctor *d, const char *path)
{
	BIO *bio = path != NULL ? BIO_new_file(path, "r") : NULL;
	X509_CRL *crl = NULL;

	if (path == NULL)
		return;
	if (bio != NULL)
		crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
	BIO_free(bio);
	ERR_clear_error();
	if (crl == NULL)
		doctor_say(d, DOCTOR_PROBLEM, "server-crl",
		    "put the authority's there, or mend crl in [server]",
		    "%s: no CRL can be read there", path);
	else
		say_end(d, "server-crl", path, X509_CRL_get0_nextUpdate(crl),
		    "get a new one from the authority, then systemctl reload "
		    "p11kms: once it has expired every client is refused");
	X509_CRL_free(crl);
}

void
doctor_host(struct doctor *d)
{
	const struct config *c = d->at->config;

	check_files(d);
	check_memory(d);
	check_gates(d);
	check_backup_place(d);
	check_cert(d, "server-cert", c->server.tls.cert);
	check_cert(d, "server-ca", c->server.tls.ca);
	check_crl(d, c->server.tls.crl);
	check_cert(d, "drive-cert", c->drive.tls.cert);
	check_cert(d, "drive-ca", c->drive.tls.ca);
}
