#include "tools/cmd_ca.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/ca.h"
#include "tools/open.h"
#include "tools/print.h"

#define DIR_DEFAULT "/etc/p11kms/tls"
#define DAYS_DEFAULT 730u
#define DAYS_MAX 3650u
#define HOSTS_MAX 512u

/* -path, else where the configuration has its CA, else the usual place. */
static int
directory(const struct open *at, const struct cli *cli, char dir[CA_PATH_MAX])
{
	const char *ca = at->config != NULL ? at->config->server.tls.ca : NULL;
	const char *path = cli_value(cli, "path");
	int n;

	if (path != NULL)
		n = snprintf(dir, CA_PATH_MAX, "%s", path);
	else if (ca != NULL && strrchr(ca, '/') > ca)
		n = snprintf(dir, CA_PATH_MAX, "%.*s",
		    (int)(strrchr(ca, '/') - ca), ca);
	else
		n = snprintf(dir, CA_PATH_MAX, "%s", DIR_DEFAULT);
	if (n > 0 && n < (int)CA_PATH_MAX)
		return 0;
	return kms_fail(KMS_ERR_USAGE, "-path: too long");
}

static int
days(const struct cli *cli, unsigned *out)
{
	const char *text = cli_value(cli, "days");
	uint64_t n = DAYS_DEFAULT;
	int r = 0;

	if (text != NULL)
		r = cli_number(text, 1, DAYS_MAX, &n);
	*out = (unsigned)n;
	return r != 0 ? kms_fail_add(r, "-days") : 0;
}

/* As clients may call this host, unless -host says. */
static void
own_names(char hosts[HOSTS_MAX])
{
	char name[256] = "";

	(void)gethostname(name, sizeof(name) - 1);
	(void)snprintf(hosts, HOSTS_MAX, "%s%slocalhost,127.0.0.1,::1", name,
	    name[0] != '\0' ? "," : "");
}

/* Made by root, the server's own files are the store's owner's; the
 * authority's key stays with root. */
static int
give_to_owner(const struct open *at, const char *dir)
{
	static const char *const suffix[] = {"key", "pem"};
	char path[CA_PATH_MAX];
	struct stat st;
	size_t i;
	int r = 0;

	if (geteuid() != 0 || at->config == NULL ||
	    at->config->store.path == NULL ||
	    stat(at->config->store.path, &st) != 0)
		return 0;
	for (i = 0; r == 0 && i < 2; i++) {
		r = ca_path(dir, "server", suffix[i], path);
		if (r == 0 && chown(path, st.st_uid, st.st_gid) != 0)
			r = kms_fail(KMS_ERR_IO, "%s: %s", path,
			    strerror(errno));
	}
	return r;
}

static int
show(const struct cli *cli, const char *dir, const char *name)
{
	char cert[CA_PATH_MAX], key[CA_PATH_MAX], ca[CA_PATH_MAX];
	struct print *p = NULL;
	int r;

	r = ca_path(dir, name, "pem", cert);
	if (r == 0)
		r = ca_path(dir, name, "key", key);
	if (r == 0)
		r = ca_path(dir, "ca", "pem", ca);
	if (r == 0)
		r = print_new(print_form(cli), NULL, &p);
	if (r == 0) {
		print_text(p, "cert", "Certificate", cert);
		print_text(p, "key", "Private Key", key);
		print_text(p, "ca", "CA Certificate", ca);
		r = print_end(&p);
	}
	print_free(&p);
	return r;
}

static void
advise_server(const char *dir)
{
	printf("\nOn this host, in the configuration:\n"
	       "    [server]\n"
	       "    cert = %s/server.pem\n"
	       "    key = %s/server.key\n"
	       "    ca = %s/ca.pem\n"
	       "    crl = %s/ca.crl\n"
	       "%s/ca.key signs clients and is needed for nothing else: keep "
	       "it where\nonly you get at it. Each client: p11kms -newclient "
	       "NAME\n",
	    dir, dir, dir, dir, dir);
}

static void
advise_client(const char *dir, const char *name)
{
	printf("\nOn the key server, in the configuration, as far as this "
	       "client may go:\n"
	       "    [client %s]\n"
	       "    cn = %s\n"
	       "    groups = ENCR_*\n"
	       "    operations = locate get add_attribute\n"
	       "On the client: bring it %s/%s.pem, %s.key (0600, its user's) "
	       "and\n%s/ca.pem; for p11kmsdrive, in its configuration:\n"
	       "    [drive]\n"
	       "    servers = THE-KEY-SERVER:5696\n"
	       "    cert = /etc/p11kms/tls/%s.pem\n"
	       "    key = /etc/p11kms/tls/%s.key\n"
	       "    ca = /etc/p11kms/tls/ca.pem\n",
	    name, name, dir, name, name, dir, name, name);
}

int
cmd_ca_new(struct cli *cli)
{
	struct ca_wanted want = {.name = "server"};
	char dir[CA_PATH_MAX], hosts[HOSTS_MAX];
	struct open at = {.cli = cli};
	struct ca *ca = NULL;
	int r;

	own_names(hosts);
	want.hosts = cli_has(cli, "host") ? cli_value(cli, "host") : hosts;
	r = open_memory(&at, cli);
	if (r == 0)
		r = directory(&at, cli, dir);
	if (r == 0)
		r = days(cli, &want.days);
	if (r == 0)
		r = ca_check(&want);
	if (r == 0)
		r = ca_create(dir, &ca);
	if (r == 0)
		r = ca_issue(ca, &want);
	if (r == 0)
		r = give_to_owner(&at, dir);
	if (r == 0)
		r = show(cli, dir, "server");
	if (r == 0 && !cli->json)
		advise_server(dir);
	ca_free(&ca);
	open_close(&at);
	return r;
}

int
cmd_ca_client(struct cli *cli)
{
	struct ca_wanted want = {.name = cli->operand};
	char dir[CA_PATH_MAX];
	struct open at = {.cli = cli};
	struct ca *ca = NULL;
	int r;

	r = open_memory(&at, cli);
	if (r == 0)
		r = directory(&at, cli, dir);
	if (r == 0)
		r = days(cli, &want.days);
	if (r == 0)
		r = ca_open(dir, &ca);
	if (r == 0)
		r = ca_issue(ca, &want);
	if (r == 0)
		r = show(cli, dir, want.name);
	if (r == 0 && !cli->json)
		advise_client(dir, want.name);
	ca_free(&ca);
	open_close(&at);
	return r;
}

/* The CRL is what is asked only where the configuration says so. */
static void
advise_revoked(const struct open *at, const char *name, const char *crl)
{
	const char *read = at->config != NULL ? at->config->server.tls.crl
					      : NULL;
	struct stat a, b;

	printf("\nOn the key server, %s is refused ", name);
	if (read == NULL)
		printf("once its configuration says\n"
		       "    [server]\n"
		       "    crl = %s\n"
		       "and the service has read it: systemctl reload p11kms\n",
		    crl);
	else if (stat(read, &a) == 0 && stat(crl, &b) == 0 &&
	    a.st_dev == b.st_dev && a.st_ino == b.st_ino)
		printf("once the service has read it:\n"
		       "systemctl reload p11kms\n");
	else
		printf("once this CRL is where\n[server] crl says, in %s, and "
		       "read:\nsystemctl reload p11kms\n",
		    read);
}

static int
show_revoked(const struct cli *cli, const char *crl,
    const struct ca_revocation *got)
{
	struct print *p = NULL;
	int r;

	r = print_new(print_form(cli), NULL, &p);
	if (r == 0) {
		print_text(p, "name", "Client", cli->operand);
		print_text(p, "serial", "Serial Number", got->serial);
		print_text(p, "crl", "CRL", crl);
		print_number(p, "crl_number", "CRL Number", got->number);
		print_time(p, "next_update", "CRL Expires", got->until);
		print_bool(p, "changed", "Changed", got->changed);
		r = print_end(&p);
	}
	print_free(&p);
	return r;
}

int
cmd_ca_revoke(struct cli *cli)
{
	char dir[CA_PATH_MAX], crl[CA_PATH_MAX];
	struct open at = {.cli = cli};
	struct ca_revocation got;
	struct ca *ca = NULL;
	int r;

	r = open_memory(&at, cli);
	if (r == 0)
		r = directory(&at, cli, dir);
	if (r == 0)
		r = ca_path(dir, "ca", "crl", crl);
	if (r == 0)
		r = ca_open(dir, &ca);
	if (r == 0)
		r = ca_revoke(ca, cli->operand, &got);
	if (r == 0)
		r = show_revoked(cli, crl, &got);
	if (r == 0 && !cli->json)
		advise_revoked(&at, cli->operand, crl);
	ca_free(&ca);
	open_close(&at);
	return r;
}
